"""Folding on random programs: values, borders, gradients, sizes and types stay, and nothing grows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from deploy.folding import Folded, folded, image, model
from ogive.backends.pytorch.module.module import build
from ogive.backends.weight_conversion.run import module_of
from ogive.backends.weight_conversion.verify import verify
from ogive.compiler.analysis.cost.report import multiply_adds
from ogive.compiler.ir.model import Graph, Model, Node
from ogive.compiler.ops import OPS
from ogive.compiler.ops.recipe import atoms_of
from ogive.compiler.passes.cleanup.deploy_flatten import deployed
from ogive.compiler.passes.weight_folding.binding_time import STAYING
from ogive.compiler.passes.weight_folding.driver import fold
from ogive.compiler.sizes import size

IMAGES = "(x: [b, 4, h, w]) -> [b, c', h', w']"
TOKENS = "(x: [b, n, 6]) -> [b, n, d]"


@dataclass
class Text:
    """The body of a block that is being drawn."""

    channels: int
    lines: list[str] = field(default_factory=list)
    used: int = 0

    def add(self, line: str) -> None:
        self.lines.append(line)

    def name(self, stem: str) -> str:
        self.used += 1
        return f"{stem}{self.used}"


GROUPS = {4: [1, 2, 4], 6: [1, 2], 8: [1, 2, 4]}


def conv(draw: st.DrawFn, cin: int, cout: int, kernel: int, stride: int, dilation: int, pad: int | None = None) -> str:
    """A convolution; padded so that it gives the sizes of a 1 × 1 one unless `pad` says otherwise."""
    groups = draw(st.sampled_from([g for g in GROUPS[cin] if cout % g == 0]))
    wide = dilation * (kernel // 2) if pad is None else pad
    bias = draw(st.sampled_from(["true", "false"]))
    return (
        f"Conv[{cin}, {cout}, {kernel}, stride={stride}, pad={wide}, dilation={dilation}, groups={groups}, bias={bias}]"
    )


def branch(draw: st.DrawFn, cin: int, cout: int, stride: int, dilation: int) -> str:
    kinds = ["conv", "conv, bn", "bn, pointwise"] + (["average", "identity", "bn"] if cin == cout else [])
    kernel = draw(st.sampled_from([1, 3]))
    match draw(st.sampled_from(kinds)):
        case "identity" if stride == 1:
            return "x"
        case "bn" if stride == 1:
            return "(x |> BatchNorm)"
        case "average" | "identity" | "bn" if cin == cout:
            return f"(x |> avg_pool[{kernel}, stride={stride}, pad={kernel // 2}])"
        case "bn, pointwise":
            return f"(x |> BatchNorm |> {conv(draw, cin, cout, 1, stride, 1)})"
        case kind:
            norm = " |> BatchNorm" if kind == "conv, bn" else ""
            return f"(x |> {conv(draw, cin, cout, kernel, stride, dilation if kernel > 1 else 1)}{norm})"


def step(draw: st.DrawFn, text: Text) -> None:
    """One more operation, or a sum of branches."""
    cin, cout = text.channels, draw(st.sampled_from([4, 6, 8]))
    stride, dilation = draw(st.sampled_from([1, 1, 2])), draw(st.sampled_from([1, 2]))
    match draw(st.sampled_from(["conv", "unpadded", "branches", "bn", "scale", "shift", "uneven", "average", "relu"])):
        case "conv":
            text.add(f"x = x |> {conv(draw, cin, cout, draw(st.sampled_from([1, 2, 3, 5])), stride, 1, pad=2)}")
            text.channels = cout
        case "unpadded":
            text.add(f"x = x |> {conv(draw, cin, cout, draw(st.sampled_from([1, 2])), 1, 1, pad=0)}")
            text.channels = cout
        case "branches":
            count = draw(st.integers(2, 3))
            signs = draw(st.lists(st.sampled_from(["+", "-"]), min_size=count - 1, max_size=count - 1))
            terms = [branch(draw, cin, cout, stride, dilation) for _ in range(count)]
            text.add(
                "x = " + terms[0] + "".join(f" {sign} {term}" for sign, term in zip(signs, terms[1:], strict=True))
            )
            text.channels = cout
        case "bn":
            text.add("x = x |> BatchNorm")
        case "scale":
            name = text.name("gamma")
            text.add(f"param {name}: [{cin}] = ones")
            text.add(f'x = einsum["b c h w, c -> b c h w"](x, {name})')
        case "shift":
            text.add("x = 2 * x + 0.5")
        case "uneven":
            low, high = draw(st.integers(0, 2)), draw(st.integers(0, 2))
            axis = draw(st.integers(2, 3))
            text.add(
                f"x = x |> pad[axis={axis}, before={low}, after={high}] |> {conv(draw, cin, cout, 2, 1, 1, pad=0)}"
            )
            text.channels = cout
        case "average":
            text.add("x = x |> avg_pool[3, stride=1, pad=1]")
        case _:
            text.add("x = relu(x)")


@st.composite
def images(draw: st.DrawFn) -> str:
    """A body over images."""
    text = Text(4)
    for _ in range(draw(st.integers(2, 5))):
        step(draw, text)
    return "\n".join([*text.lines, "return x"])


@st.composite
def tokens(draw: st.DrawFn) -> str:
    """A body over tokens."""
    lines, d = [], 6
    for _ in range(draw(st.integers(2, 6))):
        kind = draw(st.sampled_from(["linear", "linear", "low", "norm", "rms", "scale", "residual", "beside", "gelu"]))
        out = draw(st.sampled_from([4, 6, 8]))
        bias = draw(st.sampled_from(["true", "false"]))
        match kind:
            case "linear":
                lines.append(f"x = x |> Linear[{d}, {out}, bias={bias}]")
                d = out
            case "low":
                lines.append(f"x = x |> Linear[{d}, 1, bias={bias}] |> Linear[1, {out}]")
                d = out
            case "norm" | "rms":
                lines.append(f"x = x |> {'LayerNorm' if kind == 'norm' else 'RMSNorm'}")
            case "scale":
                lines.append("x = (x |> LayerScale) / 3")
            case "residual":
                lines.append(f"x = x + (x |> LayerNorm |> Linear[{d}, {d}, bias={bias}] |> LayerScale)")
            case "beside":
                lines.append(f"x = (x |> Linear[{d}, {d}]) + 0.5 * (x |> Linear[{d}, 2] |> Linear[2, {d}]) - x")
            case _:
                lines.append("x = gelu(x)")
    return "\n".join([*lines, "return x"])


def laws(found: Folded, x: Tensor) -> None:
    """What holds for every fold."""
    passed = found.passed
    source, result = passed.conversion.source, passed.model
    with torch.no_grad():
        wanted, made = found.source(x), found.result(x)
    scale = wanted.abs().max().clamp_min(1e-9)
    assert made.shape == wanted.shape
    border = torch.ones(wanted.shape, dtype=torch.bool)
    if wanted.dim() == 4:
        border[:, :, 1:-1, 1:-1] = False
    for part in (border, ~border):
        gap = (made - wanted)[part].abs()
        assert not gap.numel() or float(gap.max() / scale) < 1e-12
    assert verify(passed.conversion, found.source.state_dict(), [x]).exact
    outputs = [ir.definition.graph.values[str(y)].type for ir in (source, result) for y in ir.definition.graph.outputs]
    assert outputs[0] == outputs[1]
    assert result.definition.output_names == source.definition.output_names
    sizes = dict(zip(("b", "h", "w") if x.dim() == 4 else ("b", "n"), _open(x), strict=True))
    costs = [operations_at(ir, sizes) for ir in (source, result)]
    assert costs[1] <= costs[0]
    assert elements(found.result.state_dict()) <= elements(found.source.state_dict())
    flat = deployed(result).definition.graph
    weights = {node.outputs[0].name for node in flat.nodes if node.op == "weight"}
    for node in flat.nodes:
        if node.operands and OPS.get(node.op) is not None and OPS[node.op].kind not in STAYING:
            assert not set(node.operands) <= weights, node.op
    again = fold(result)
    assert again.conversion.is_identity, [str(note) for note in again.notes]
    assert operations(deployed(again.model).definition.graph) == operations(flat)


def operations(graph: Graph) -> list[str]:
    """The operations in order; weights may be read at other places."""
    return [node.op for node in graph.walk() if node.op != "weight"]


def _open(x: Tensor) -> tuple[int, ...]:
    return (x.shape[0], *x.shape[2:]) if x.dim() == 4 else tuple(x.shape[:2])


def number(ir: Model, sizes: Mapping[str, int]) -> int:
    """The multiply-adds at these sizes."""
    known = {u: size(sizes[u.name]) for u in ir.definition.sizes if u.name in sizes}
    return multiply_adds(ir).subs(known).number


def operations_at(ir: Model, sizes: Mapping[str, int]) -> int:
    """Multiplications, additions and what is done to each element: a scale that folds away may leave a wider map."""
    known = {u: size(sizes[u.name]) for u in ir.definition.sizes if u.name in sizes}
    alone = ("add", "sub", "mul", "div", "batch_norm", "layer_norm", "rms_norm")
    values = [
        node.outputs[0] for node in deployed(ir).definition.graph.walk() if node.op in alone or _sums_nothing(node)
    ]
    return 2 * number(ir, sizes) + sum(prod(n.subs(known).number for n in value.type.sizes) for value in values)


def _sums_nothing(node: Node) -> bool:
    """Whether it is an `einsum` that multiplies elements: `mul` in another form."""
    if node.op != "einsum" or len(node.inputs) < 2:
        return False
    recipe = node.attr("recipe")
    kept = {atom.name for atom in atoms_of(recipe.outputs[0])}
    return all(atom.name in kept for side in recipe.inputs for atom in atoms_of(side))


def test_padding_moves_into_no_map_that_it_makes_dearer() -> None:
    lines = [
        "x = x |> Conv[4, 6, 1, pad=2] |> Conv[6, 4, 1, pad=2, groups=2, bias=false]",
        "return x |> pad[2, 1, 1] |> Conv[4, 4, 2]",
    ]
    laws(folded(model("\n".join(lines), IMAGES)), image(2, 4, 9, 13))


def elements(state: Mapping[str, Tensor]) -> int:
    """How many numbers are stored."""
    return sum(tensor.numel() for tensor in state.values() if tensor.is_floating_point())


def test_a_scale_that_folds_away_may_leave_a_wider_map() -> None:
    lines = [
        "x = (x |> Linear[6, 6] |> LayerScale) / 3", "x = x |> LayerNorm",
        "x = x + (x |> LayerNorm |> Linear[6, 6, bias=false] |> LayerScale)",
        "return x |> Linear[6, 1] |> Linear[1, 4] |> Linear[4, 6, bias=false]",
    ]  # fmt: skip
    laws(folded(model("\n".join(lines), TOKENS)), image(2, 3, 6))


@given(images(), st.sampled_from([(2, 9, 13), (1, 14, 8), (3, 8, 8)]))
@settings(max_examples=12, deadline=None)
def test_laws_on_images(body: str, shape: tuple[int, int, int]) -> None:
    b, h, w = shape
    laws(folded(model(body, IMAGES)), image(b, 4, h, w))


@given(tokens(), st.sampled_from([(2, 3), (1, 1)]))
@settings(max_examples=10, deadline=None)
def test_laws_on_tokens(body: str, shape: tuple[int, int]) -> None:
    laws(folded(model(body, TOKENS)), image(*shape, 6))


POOL_AND_NORM = "x = (x |> Conv[4, 4, 1]) + (x |> avg_pool[3, stride=1, pad=1])\nx = x |> BatchNorm\nreturn x"


@given(images())
@example(POOL_AND_NORM)
@settings(max_examples=6, deadline=None)
def test_borders_on_request_keep_the_values(body: str) -> None:
    found = folded(model(body, IMAGES), borders=True)
    assert found.error(image(2, 4, 8, 11)) < 1e-12


@given(st.one_of(images().map(lambda body: (body, IMAGES)), tokens().map(lambda body: (body, TOKENS))))
@settings(max_examples=8, deadline=None)
def test_gradients_through_the_fold(drawn: tuple[str, str]) -> None:
    """d loss / d w is the same through folded weights and through the branches, with the statistics of `eval`."""
    body, types = drawn
    found = folded(model(body, types))
    x = image(2, 4, 9, 10) if types == IMAGES else image(2, 3, 6)
    conversion = found.passed.conversion
    if conversion.is_identity:  # a body without weights, or with nothing to fold
        return
    torch.autograd.backward((found.source(x) ** 2).mean())
    state = found.source.state_dict()
    maker = module_of(conversion).double()
    maker.load_state_dict({name: state[name] for name in maker.state_dict()})
    made = maker()
    weights = dict(zip(conversion.targets, (made,) if isinstance(made, Tensor) else made, strict=True))
    weights |= {path: state[path] for path, _ in conversion.kept}
    y = torch.func.functional_call(build(found.passed.model).double().eval(), weights, (x,))
    torch.autograd.backward((y**2).mean())
    theirs = dict(found.source.named_parameters())
    for name, weight in maker.named_parameters():
        if weight.grad is not None and weight.requires_grad and name in theirs:
            mine = theirs[name].grad
            assert mine is not None
            torch.testing.assert_close(weight.grad, mine, rtol=1e-10, atol=1e-10 * float(mine.abs().max().clamp_min(1)))


REPARAM = [
    "ConvNorm[4, 6, 3, pad=1]", "MobileOneBlock[4, 4]", "MobileOneBlock[4, 4, 5, groups=4, branches=2]",
    "MobileOneBlock[4, 8, 3, stride=2, groups=2]", "DiverseBranch[4, 6]", "DiverseBranch[4, 4, 5, stride=2]",
    "AsymmetricConv[4, 6]", "AsymmetricConv[4, 6, 5, stride=2]", "LargeKernel[4, 13, 5]", "RepMixer[4]",
]  # fmt: skip


@pytest.mark.parametrize("block", REPARAM)
def test_blocks_of_the_library_are_one_convolution_borders_included(block: str) -> None:
    for shape in ((2, 4, 9, 12), (1, 4, 3, 8), (2, 4, 2, 5)):  # smaller than the kernel too
        found = folded(model(f"return x |> {block}", IMAGES))
        assert found.ops == {"conv": 1}
        laws(found, image(*shape))
