"""The pass `distil`: what a student is to attend to as its teacher does, as taps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from ogive.compiler.ir.attributes import TapAttrs, WeightAttrs
from ogive.compiler.ir.model import Graph, Model, Node, Operand
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import FLOATS, TensorType
from ogive.compiler.ir_tools.graph_builder import Building
from ogive.compiler.ir_tools.rewriter import LocalRewriter, Rewriting
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.conversion.result import Note, Passed, PassError, unchanged
from ogive.compiler.passes.operators.grid import types_in
from ogive.compiler.passes.outline.block_names import named_after_blocks
from ogive.compiler.passes.outline.driver import in_blocks

MANY = 8  # names that a message lists


def distil(model: Model, *, at: tuple[str, ...] | str, axis: int = 1) -> Passed:
    """Taps `NAME.attention` [b, n]: Σ_c x² over the channels of a feature map, flat, of length 1.

    `at` are patterns of paths: of layers (by their weights, without `.weight`), and of taps. `axis` is that of
    channels; tokens have it last (-1). Student and teacher are trained to show the same: Zagoruyko and Komodakis 2017,
    arXiv:1612.03928. The outputs stay, and so do all weights.
    """
    patterns = (at,) if isinstance(at, str) else at
    if not patterns or axis == 0:
        text = "`axis` of `distil` is that of channels, not 0: examples" if patterns else "`at` of `distil` is empty"
        raise PassError("E0810", text)
    flat, origins = flattened(model, trained=True)
    graph = flat.definition.graph
    work = _Attending(patterns, axis, Fresh.of(graph), types_in(graph))
    made = work.rewritten(graph)
    missed = [pattern for pattern in patterns if pattern not in work.met]
    if missed:
        names = list(dict.fromkeys(work.known))
        known = ", ".join(names[:MANY]) + (f" and {len(names) - MANY} more" if len(names) > MANY else "") or "none"
        raise PassError("E0811", f"no layer and no tap of {model.name} is called `{missed[0]}`", f"there are: {known}")
    if not any(note.done for note in work.notes):
        raise PassError("E0811", f"nothing of {model.name} is shown at axis {axis}: {work.notes[0].text}")
    result = replace(flat, definition=replace(flat.definition, graph=made))
    shown = in_blocks(result, origins)
    return named_after_blocks(Passed(shown, unchanged(model, shown), tuple(dict.fromkeys(work.notes))))


@dataclass(slots=True)
class _Attending(LocalRewriter[Rewriting]):
    """Puts taps behind layers and behind taps."""

    patterns: Sequence[str]
    axis: int
    fresh: Fresh
    all_types: Mapping[str, TensorType]
    paths: dict[str, str] = field(default_factory=dict)  # values that are weights: their paths
    known: list[str] = field(default_factory=list)
    met: set[str] = field(default_factory=set)
    notes: list[Note] = field(default_factory=list)

    def start(self, graph: Graph) -> Rewriting:
        return Rewriting(graph.inputs)

    def visit_weight(self, frame: Rewriting, node: Node, told: WeightAttrs) -> Sequence[Operand]:
        self.paths[node.outputs[0].name] = node.path
        return self.keep(frame, node)

    def visit_tap(self, frame: Rewriting, node: Node, told: TapAttrs) -> Sequence[Operand]:
        kept = self.keep(frame, node)
        self.tapped(frame, node.inputs[0], node.path or told.name)
        return kept

    def operation(self, frame: Rewriting, node: Node) -> Sequence[Operand]:
        kept = self.keep(frame, node)
        paths = [self.paths[x] for x in node.inputs if isinstance(x, str) and x in self.paths]
        stems = [path.removesuffix(".weight") for path in paths if path.endswith(".weight")]
        if stems and node.outputs[0].type.elem in FLOATS:
            self.tapped(frame, node.outputs[0].name, stems[0])
        return kept

    def tapped(self, frame: Rewriting, x: Operand, path: str) -> None:
        """The map of a value, where it is asked for."""
        self.known.append(path)
        found = [pattern for pattern in self.patterns if fnmatchcase(path, pattern)]
        if not found or not isinstance(x, str):
            return
        self.met.update(found)
        type = self.all_types[x]
        rank = len(type.axes)
        at = self.axis + rank if self.axis < 0 else self.axis
        if type.elem not in FLOATS or rank < 3 or not 0 < at < rank or any(axis.pack for axis in type.axes):
            self.notes.append(Note(False, path, f"{type} has no map beside its channels"))
            return
        build = Building(self.fresh, dict(self.all_types))
        squares = build.op("sum", build.op("mul", x, x), axes=(at,))
        names = " ".join(f"n{place}" for place in range(rank - 2))
        flat = build.shaped(squares, f"b {names} -> b ({names})") if rank > 3 else squares
        norm = build.op("norm", flat, axes=(-1,))
        length = build.op("select", build.op("eq", norm, 0.0), 1.0, norm)  # a map of zeros stays one, in halves too
        whole = build.op("div", flat, build.shaped(length, "b -> b 1"))
        told = TapAttrs("attention", f"{path}.attention")
        frame.nodes += [*build.nodes, Node.of(told, (whole,), ())]
        count = build.types[whole].axes[-1].size
        self.notes.append(Note(True, path, f"a map of {count} places"))
