"""The pass `to_operator`: a network on a grid of one spacing becomes an operator on functions, for any refinement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from ogive.compiler.ir.attributes import CustomGradAttrs, GradAttrs, VectorizedAttrs, WeightAttrs
from ogive.compiler.ir.model import Const, Graph, Model, Node, Operand
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ir_tools.graph_builder import Building
from ogive.compiler.ir_tools.rewriter import LocalRewriter, Rewriting
from ogive.compiler.ops.recipe import atoms_of
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.conversion.graph import conversion
from ogive.compiler.passes.conversion.resized import resized
from ogive.compiler.passes.conversion.result import Note, Passed, PassError
from ogive.compiler.passes.operators.grid import Grid, grid_of, types_in
from ogive.compiler.passes.operators.kernels import (
    LINEAR,
    CentredKernel,
    differential,
    integrated,
    interpolated,
    spectral,
)
from ogive.compiler.passes.outline.block_names import named_after_blocks
from ogive.compiler.passes.outline.driver import in_blocks
from ogive.compiler.sizes import Condition, Size, eq, size
from ogive.grammar.spelling import close

KERNELS = ("interpolate", "integral", "spectral", "differential")
POOLS = frozenset(("conv_transpose", "max_pool", "avg_pool"))
TOTALS = frozenset(("norm", "logsumexp", "prod"))
PLACES = frozenset(("unfold", "fold", "roll", "cumsum", "cumprod", "cummax", "cummin", "linear_scan", "pad"))


def to_operator(
    model: Model, *, kernel: str = "interpolate", base: int | tuple[int, ...] = 64, of: str = "*",
    tolerance: float = 0.0,
) -> Passed:  # fmt: skip
    """Each convolution as an operator on functions, of which the grid shows so many points as there are.

    `base` are the points along an axis for which the weights are; the result takes s times as many, for any s, and
    where s = 1 it is compared with its source. `kernel` says what a convolution becomes: "interpolate", its kernel
    between its entries; "integral", an integral over its reach, whose sum stays; "spectral", a product for each wave;
    "differential", (conv(x, w) - (Σ w) x) / h, which is another network to be trained. Pools, transposed convolutions
    and others with borders of their own run at the base, between resamplings; sums over the grid become integrals. `of`
    is a pattern of paths of weights. The first two give the source where s = 1. Berner et al. 2025, arXiv:2506.10973.
    """
    if kernel not in KERNELS:
        raise PassError("E0810", f"`kernel` is one of {', '.join(KERNELS)}, not `{kernel}`", close(kernel, KERNELS))
    if tolerance < 0:
        raise PassError("E0810", f"`tolerance` of `to_operator` is a share from 0 on, not {tolerance:g}")
    flat, origins = flattened(model, trained=True)
    grid = grid_of(flat, (base,) if isinstance(base, int) else base)
    finer = resized(flat, grid.sizes)
    work = _Refining(grid, kernel, of, Fresh.of(finer.definition.graph), types_in(finer.definition.graph))
    graph = work.rewritten(finer.definition.graph)
    if of != "*" and not work.met:
        raise PassError("E0811", f"nothing of {model.name} becomes an operator: no weights are those of `{of}`")
    if not any(note.done for note in work.notes):
        reasons = "; ".join(dict.fromkeys(note.text for note in work.notes[:3])) or f"no weights are those of `{of}`"
        raise PassError("E0811", f"nothing of {model.name} becomes an operator: {reasons}")
    alike: tuple[Condition, ...] = ()
    if kernel == "differential":  # one distance of points for all axes
        first, *others = grid.base
        alike = tuple(eq(size(first), size(other)) for other in others)
    definition = replace(finer.definition, graph=graph, conditions=(*finer.definition.conditions, *alike))
    result = replace(finer, definition=definition, conditions=(*finer.conditions, *alike))
    shown = in_blocks(result, origins)
    at = tuple((unknown.name, number) for unknown, number in grid.base.items())
    made = Passed(
        shown, conversion(model, shown, Graph((), (), ()), ()), tuple(dict.fromkeys(work.notes)),
        changing="to_operator" if kernel == "differential" else "",
        lossy="to_operator" if kernel == "spectral" else "", tolerance=tolerance, compared_at=at,
    )  # fmt: skip
    return named_after_blocks(made)


@dataclass(slots=True)
class _FinerGraph(Rewriting):
    """`graph`: what is rewritten; `paths`: of values that are weights read there."""

    graph: Graph = field(default_factory=lambda: Graph((), (), ()))
    paths: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Refining(LocalRewriter[_FinerGraph]):
    """Rewrites graphs of the refined model; `all_types` are those of all its values."""

    grid: Grid
    kernel: str
    of: str
    fresh: Fresh
    all_types: dict[str, TensorType]
    notes: list[Note] = field(default_factory=list)
    met: bool = False  # whether a convolution is one that is asked for

    def start(self, graph: Graph) -> _FinerGraph:
        return _FinerGraph(graph.inputs, graph=graph)

    def visit_weight(self, frame: _FinerGraph, node: Node, told: WeightAttrs) -> Sequence[Operand]:
        frame.paths[node.outputs[0].name] = node.path
        return self.keep(frame, node)

    def visit_vectorized(self, frame: _FinerGraph, node: Node, told: VectorizedAttrs) -> Sequence[Operand]:
        return self.left(frame, node)

    def visit_grad(self, frame: _FinerGraph, node: Node, told: GradAttrs) -> Sequence[Operand]:
        return self.left(frame, node)

    def visit_custom_grad(self, frame: _FinerGraph, node: Node, told: CustomGradAttrs) -> Sequence[Operand]:
        return self.left(frame, node)

    def left(self, frame: _FinerGraph, node: Node) -> Sequence[Operand]:
        """A node whose body stays as it is."""
        if any(each.op in KINDS for region in node.regions for each in region.walk()):
            self.notes.append(Note(False, node.path or node.op, f"what `{node.op}` holds stays as it is"))
        return frame.add(node)

    def operation(self, frame: _FinerGraph, node: Node) -> Sequence[Operand]:
        build = Building(self.fresh, self.all_types, span=node.span)
        path = next((frame.paths[x] for x in node.inputs if isinstance(x, str) and x in frame.paths), "")
        made = self.made(frame.graph, build, node, path)
        if made is None:
            return self.keep(frame, node)
        *before, last = build.nodes
        assert last.outputs[0].name == made
        frame.nodes += before
        return frame.add(replace(last, outputs=node.outputs))

    def made(self, graph: Graph, build: Building, node: Node, path: str) -> str | None:
        """What stands for the result of a node, if anything does."""
        if not node.inputs or not isinstance(node.inputs[0], str):
            return None
        x = self.all_types[node.inputs[0]]
        spatial = self.grid.spatial(x)
        if not spatial:
            return None
        name = path.removesuffix(".weight") or node.op
        if node.op == "conv":
            if not fnmatchcase(path, self.of):
                return None
            self.met = True
            return self.conv(graph, build, node, path, name)
        if node.op in POOLS:
            return self.at_base(build, node, name)
        if node.op == "sum":
            return self.integral(build, node, name, [at for at in spatial if at in node.attr("axes")])
        if node.op in TOTALS and not set(spatial).isdisjoint(node.attr("axes")):
            self.notes.append(Note(False, name, f"`{node.op}` grows with the points of the grid, and stays as it is"))
        if node.op in ("matmul", "einsum") and self.contracted(node):
            self.notes.append(Note(False, name, f"`{node.op}` sums over points of the grid, and stays as it is"))
        if node.op in PLACES and (node.op in ("unfold", "fold") or node.attr("axis") in spatial):
            self.notes.append(Note(False, name, f"`{node.op}` counts points of the grid, and stays as it is"))
        return None

    def conv(self, graph: Graph, build: Building, node: Node, path: str, name: str) -> str | None:
        """A convolution."""
        x, weight = str(node.inputs[0]), node.inputs[1]
        if isinstance(weight, str) and self.refined(graph, weight):
            return None  # it is one for a grid of any spacing already
        window = self.window(node)
        if isinstance(window, str) or not isinstance(weight, str):
            return self.at_base(build, node, name)
        if all(entries == 1 for entries in window.kernel):
            return None
        steps = node.attr("stride")
        groups = node.attr("groups")
        if self.kernel == "spectral":
            if any(step != size(1) for step in steps) or not groups.is_number:
                return self.at_base(build, node, name)
            self.notes.append(Note(True, name, f"a product for each wave of {_by(window.points)} points"))
            y = spectral(build, x, weight, window, groups.number)
            return y if node.inputs[2] is None else self.biased(build, y, str(node.inputs[2]))
        forms = {"interpolate": interpolated, "integral": integrated, "differential": differential}
        finer = forms[self.kernel](build, weight, window)
        shape = build.types[finer.weight].axes[2:]
        self.notes.append(Note(True, name, f"a kernel of {_by([axis.size for axis in shape])} entries"))
        settings = {
            "stride": steps, "pad": finer.pad, "dilation": node.attr("dilation"), "groups": groups,
            "pad_mode": finer.pad_mode or node.attr("pad_mode"),
        }  # fmt: skip
        return build.op("conv", x, finer.weight, node.inputs[2], **settings)

    def refined(self, graph: Graph, weight: str) -> bool:
        """Whether a kernel depends on how fine the grid is."""
        waiting, seen = [weight], set[str]()
        while waiting:
            name = waiting.pop()
            node = graph.producers.get(name)
            if node is None or name in seen:
                continue
            seen.add(name)
            waiting += [x for x in node.inputs if isinstance(x, str)]
            told = [*(x.value for x in node.inputs if isinstance(x, Const)), *self.all_types[name].sizes]
            if any(isinstance(each, Size) and not self.grid.base.keys().isdisjoint(each.unknowns) for each in told):
                return True
        return False

    def window(self, node: Node) -> CentredKernel | str:
        """What moves along the grid, or why it is not one whose result has as many points as its operand."""
        x, weight = self.all_types[str(node.inputs[0])], self.all_types[str(node.inputs[1])]
        lengths = [axis.size for axis in x.axes[2:]]
        refined = [self.grid.refinement(length) for length in lengths]
        kernel = [axis.size for axis in weight.axes[2:]]
        dilation, pad = node.attr("dilation"), node.attr("pad")
        if len(lengths) not in LINEAR:
            return "more axes than three"
        if not all(each.is_number for each in (*kernel, *dilation)) or any(s is None for s in refined):
            return "a kernel, or an axis, of a length that depends on the inputs"
        entries = tuple(each.number for each in kernel)
        if any(each % 2 == 0 for each in entries):
            return "a kernel without a middle"
        if pad != "same" and any(2 * p != d * (k - 1) for p, d, k in zip(pad, dilation, kernel, strict=True)):
            return "borders that do not keep the length"
        points = tuple(self.grid.at_base(length).number for length in lengths)
        return CentredKernel(
            entries, tuple(d.number for d in dilation), points, tuple(s for s in refined if s is not None)
        )

    def at_base(self, build: Building, node: Node, name: str) -> str | None:
        """An operation on what is resampled to the points of the base, and back."""
        x = self.all_types[str(node.inputs[0])]
        ends = [axis.size for axis in node.outputs[0].type.axes[2:]]
        rank = len(ends)
        low = [self.grid.at_base(axis.size) for axis in x.axes[2:]]
        times = [self.grid.refinement(length) for length in ends]
        if rank not in LINEAR or any(s is None for s in times):
            self.notes.append(Note(False, name, f"`{node.op}` stays as it is: its result is no multiple of the base"))
            return None
        coarse = build.op("interpolate", str(node.inputs[0]), size=tuple(low), mode=LINEAR[rank])
        settings = dict(node.attrs)
        y = build.op(node.op, coarse, *node.inputs[1:], **settings)
        have = [axis.size for axis in build.types[y].axes[2:]]
        if have != [self.grid.at_base(length) for length in ends]:
            self.notes.append(Note(False, name, f"`{node.op}` stays as it is: its result is no multiple of the base"))
            build.nodes.clear()
            return None
        self.notes.append(Note(True, name, f"`{node.op}` on {_by(low)} points, between resamplings"))
        return build.op("interpolate", y, size=tuple(ends), mode=LINEAR[rank])

    def contracted(self, node: Node) -> bool:
        """Whether a product sums over points of the grid."""
        x = self.all_types[str(node.inputs[0])]
        if node.op == "matmul":
            return len(x.axes) - 1 in self.grid.spatial(x)
        recipe = node.attr("recipe")
        kept = {atom.name for atom in atoms_of(recipe.outputs[0])}
        summed = [atom for side in recipe.inputs for atom in atoms_of(side) if atom.name not in kept]
        return any(not self.grid.base.keys().isdisjoint(atom.size.unknowns) for atom in summed)

    def integral(self, build: Building, node: Node, name: str, axes: Sequence[int]) -> str | None:
        """A sum over axes of the grid as an integral: each point weighs as much less as there are more."""
        x = self.all_types[str(node.inputs[0])]
        times = [self.grid.refinement(x.axes[at].size) for at in axes]
        if not axes or any(s is None for s in times):
            if axes:
                self.notes.append(Note(False, name, "`sum` over points of the grid stays as it is"))
            return None
        y = build.op("sum", node.inputs[0], axes=node.attr("axes"))
        for s in times:
            assert s is not None
            y = build.op("div", y, s)
        self.notes.append(Note(True, name, "`sum` over the grid as an integral"))
        return y

    def biased(self, build: Building, y: str, bias: str) -> str:
        """A value with a number for each channel added."""
        rank = len(build.types[y].axes) - 2
        return build.op("add", y, build.shaped(bias, f"c -> c {' '.join('1' * rank)}"))


KINDS = frozenset(("conv", *POOLS))


def _by(numbers: Sequence[object]) -> str:
    return " × ".join(str(number) for number in numbers)
