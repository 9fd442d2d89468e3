"""Axes without entries: an operation means the same in torch and ONNX, or adds the condition that there are some."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import ogive
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.serialize.external_data import arrays
from ogive.backends.onnx_model.serialize.write import whole
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops import OPS
from ogive.compiler.sizes import Size, Unknown, size
from onnx_model.cases import CASES, Stated
from onnx_model.harness import array, difference, model_of, proto_of, session
from onnx_model.test_ops import fixed_sizes, torch_of
from ops.cases import Case
from ops.harness import Collected, Names, node_of, shape_at, tensor

TRIES = 100


@dataclass
class Emptied(Names):
    """Sizes by name, of which one may be 0."""

    empty: str = ""

    def __getitem__(self, name: str) -> Size:
        kind = "pack" if name.startswith("*") else "size"
        return size(self.known.setdefault(name, Unknown(name, int(name != self.empty), kind)))  # type: ignore[arg-type]


def emptied(case: Case, name: str) -> tuple[Stated, dict[Unknown, int] | None]:
    """The case where that size may be 0, and sizes at which it is; None where the operation refuses."""
    names = Emptied(empty=name)
    types = [names.operand(item) for item in case.inputs]
    statics = case.statics(names) if callable(case.statics) else case.statics
    checker = Collected(case.given)
    state = Stated(case, names, types, node_of(case.op, types, statics, checker), checker)
    draw = random.Random(str(case))
    for _ in range(TRIES):
        found = {each: 0 if each == name else draw.randint(max(1, case.low), case.low + 3) for each in names.known}
        values = names.values(found)
        try:
            if checker.holds(values):
                return state, values
        except ZeroDivisionError:  # the setting of a size
            continue
    return state, None


def pairs() -> Iterator[tuple[Case, str]]:
    """Every case with each of its sizes that is an axis of an operand."""
    for case in CASES:
        names = Names()
        for item in case.inputs:
            names.operand(item)
        for name in names.known:
            yield case, name


ALL = list(pairs())
FIRST = {case.op: case for case in reversed(CASES)}
SAMPLE = [pair for pair in ALL if pair[0] is FIRST[pair[0].op]]
REFUSED = frozenset(
    """max min mean var std argmax argmin take gather scatter_add scatter cumprod cummax cummin
    unfold fold grid_sample     attention conv conv_transpose interpolate max_pool avg_pool
    adaptive_avg_pool adaptive_max_pool layer_norm rms_norm group_norm batch_norm_train fft ifft rfft irfft solve
    solve_triangular cholesky inverse det linear_scan topk put reduce norm pad slice""".split()
)


def check(case: Case, name: str) -> bool:
    """Whether the operation takes it; then torch and ONNX Runtime agree."""
    state, values = emptied(case, name)
    if values is None:
        return False
    torch.manual_seed(0)
    types = [type for type in state.types if isinstance(type, TensorType)]
    given = [tensor(type, values, torch.float, case.high) for type in types]
    given = list(case.prepare(*given)) if case.prepare is not None else given
    with warnings.catch_warnings():  # torch counts no entries where another axis is empty
        warnings.filterwarnings("ignore", r"(var|std)\(\): degrees of freedom")
        wanted = torch_of(state, values)(given)
    model = model_of(state.node, state.types, state.names.known)
    try:
        proto = proto_of(model)
    except OnnxError as error:
        assert "`sizes`" in error.text
        proto = proto_of(model, sizes=fixed_sizes(state, values))
    feeds = {value.name: array(x) for value, x in zip(proto.graph.input, given, strict=True)}
    for got, exact, value in zip(session(proto).run(None, feeds), wanted, state.node.outputs, strict=True):
        pair = (2,) if value.type.elem == "complex" else ()
        assert got.shape == exact.shape == (*shape_at(value.type, values), *pair)
        if case.reference is not None:
            assert difference(got, exact) <= 1e-5, (got, exact)
    return True


@pytest.mark.parametrize(("case", "name"), SAMPLE, ids=str)
def test_one_meaning_or_a_condition(case: Case, name: str) -> None:
    assert check(case, name) or case.op in REFUSED


@pytest.mark.slow
@pytest.mark.parametrize(("case", "name"), ALL, ids=str)
def test_one_meaning_or_a_condition_in_every_case(case: Case, name: str) -> None:
    assert check(case, name) or case.op in REFUSED


def test_every_operation_is_tried() -> None:
    without_operands = {name for name, spec in OPS.items() if not spec.inputs}
    assert {case.op for case, _ in ALL} >= OPS.keys() - without_operands - {"dropout", "update"}


@pytest.mark.parametrize(
    ("text", "type"),
    [
        ("mean[n](x)", "[b]"), ("var[n](x)", "[b]"), ("std[-1](x)", "[b]"), ("max[n](x)", "[b]"),
        ("argmax[n](x)", "int[b]"),
        ('reduce["b n -> b", mean](x)', "[b]"), ('reduce["b n -> b", max](x)', "[b]"), ("norm[n, p=inf](x)", "[b]"),
        ("layer_norm(x)", "[b, n]"), ("rms_norm(x)", "[b, n]"), ("linear_scan[n](x, x)", "[b, n]"),
        ("real(rfft(x))", "[b, n//2 + 1]"), ("take[n](x, constant[[0]])", "[b, 1]"),
    ],
)  # fmt: skip
def test_the_condition_is_that_of_the_axis(text: str, type: str) -> None:
    source = f"block F(x: [b, n]) -> {type}\nwhere n >= 0:\n    return {text}\nmodel M = F\n"
    assert ogive.source(source).models["M"].conditions == ("n >= 1",)


PROGRAM = """
block Row(x: [n]) -> []
where n >= 0:
    return sum(x) + 1
block F(x: [b, n], past: [b, p, 2], i: int[b], o: [m, n]) -> (
    s: [b], m: [b, n], r: [b, n], c: [b, p + 1, 2], h: int[b, 3], g: [b, (p + 1) // 2, 2], l: [b],
    e: [b, 2, p], k: bool[b], y: [b, p, 3], f: [b, 2*p], z: [b, 3, p], t: [m], v: [m, 2, n],
)
where n >= 0, p >= 0, m >= 0:
    param w: [2, 3] = ones
    return (
        sum[n](x) + prod[n](x), softmax[n](x), roll[n, -1](x), concat[1](past, ones[b, 1, 2]), one_hot[3](i),
        past[:, ::2], logsumexp[n](x), rearrange["b p d -> b d p"](past), any[n](x > 0) or all[n](x > 0),
        past @ w, rearrange["b p d -> b (p d)"](past), einsum["d e, b p d -> b e p"](w, past), over[0, Row](o),
        stack[1](o, o * 2),
    )
model M = F
"""


@pytest.mark.parametrize("functions", [False, True])
def test_a_program_of_what_may_be_empty(functions: bool) -> None:
    model = ogive.source(PROGRAM).models["M"]
    net = model.torch()
    run = session(whole(exported(model.ir, arrays(net), Settings(functions=functions))))
    for n, p, m in ((0, 0, 0), (1, 0, 2), (3, 2, 0), (0, 4, 1), (2, 1, 3)):
        inputs = [torch.randn(2, n), torch.randn(2, p, 2), torch.tensor([-1, 3]), torch.randn(m, n)]
        got = run.run(None, {name: array(x) for name, x in zip(("x", "past", "i", "o"), inputs, strict=True)})
        for ours, theirs in zip(got, map(array, net(*inputs)), strict=True):
            assert difference(ours, theirs) <= 1e-5, (n, p, m, ours, theirs)


@pytest.mark.parametrize("which", ["n", "b"])
def test_what_is_stepped_through_has_entries(which: str) -> None:
    source = f"""
block F(x: [b, n]) -> (h: [b], ys: [b, n])
where {which} >= 0:
    h = zeros[b]
    scan x_t in x along n carry h = h:
        h = h * 2 + x_t
        yield ys = h
    return h, ys
model M = F
"""
    assert ogive.source(source).models["M"].conditions == (f"{which} >= 1",)


def test_a_loop_that_may_run_not_once_is_refused_in_onnx() -> None:
    model = ogive.source("""
block F(x: [b, n]) -> [b, n]
where n >= 0:
    repeat n with i in range(n):
        x = x * 2 + i
    return x
model M = F
""").models["M"]
    assert model.torch()(torch.ones(2, 0)).shape == (2, 0)
    with pytest.raises(OnnxError, match=r"state `where n >= 1`") as caught:
        exported(model.ir, {}, Settings())
    assert caught.value.span is not None


def test_an_index_beyond_gives_no_ones() -> None:
    source = "block F(i: int[n]) -> int[n, 3]:\n    return one_hot[3](i)\nmodel M = F\n"
    model = ogive.source(source).models["M"]
    i = torch.tensor([-4, -1, 0, 2, 3, 70])
    wanted = (i[:, None] == torch.arange(3)).long()
    assert torch.equal(model.torch()(i), wanted)
    proto = whole(exported(model.ir, {}, Settings()))
    np.testing.assert_array_equal(session(proto).run(None, {"i": array(i)})[0], array(wanted))


MOVES = {  # of x: [*s, h, k] or y: [b, c, h, w], and the shape of the result
    'rearrange["*s h k -> (*s h) k"](x)': "[m, k]",
    'rearrange["*s h k -> (*s k) h"](x)': "[m, h]",
    'rearrange["*s h k -> h (*s k)"](x)': "[h, m]",
    'rearrange["*s h (t u) -> *s t u h", t=2](x)': "[*s, 2, k // 2, h]",
    'rearrange["*s h (u t) -> *s (u h) t", t=2](x)': "[*s, k // 2 * h, 2]",
    'rearrange["*s h k -> *s (k h)"](x)': "[*s, k * h]",
    'reduce["*s h k -> h k", prod](x)': "[h, k]",
    'reduce["*s h k -> k h", sum](x)': "[k, h]",
    'reduce["*s h (u t) -> u h", prod, t=2](x)': "[k // 2, h]",
    'reduce["*s h (u t) -> *s h u", max, t=2](x)': "[*s, h, k // 2]",
    'einsum["*s h k, *s h k -> *s h"](x, x)': "[*s, h]",
    "unfold[[2, 3], stride=[2, 3], pad=1](y)": "[b, c, 2, 3, h // 2 + 1, (w + 2) // 3]",
    'rearrange["b (c g) h (w p) -> b (p g) (h c) w", g=2, p=2](y)': "[b, 4, h * (c // 2), w // 2]",
    'rearrange["b (c g) h w -> b c h (w g)", g=2](y)': "[b, c // 2, h, w * 2]",
    'rearrange["b (g c) h w -> (b g) c (h w)", g=2](y)': "[b * 2, c // 2, h * w]",
}


@pytest.mark.parametrize(
    ("line", "empty"),
    [(line, "h") for line in MOVES if "unfold" not in line] + [(line, "b") for line in MOVES if "*s" not in line],
)
def test_axes_move_where_one_is_empty(line: str, empty: str) -> None:
    packed, type = line.startswith(("r", "e")) and "*s" in line, MOVES[line]
    head = "x: [*s, h, k]" if packed else "y: [b, c, h, w]"
    where = "h >= 0, k % 2 == 0" if packed else f"{empty} >= 0, w % 6 == 0, c % 4 == 0"
    model = ogive.source(
        f"block M({head}) -> {type}\nwhere {where}:\n    y: {type} = {line}\n    return y\nmodel N = M\n"
    )
    net = model.models["N"].torch()
    proto = whole(exported(model.models["N"].ir, {}, Settings(ranks={"s": 2} if packed else {})))
    for count in (0, 2):
        shape = (2, 3, count, 4) if packed else {"h": (2, 4, count, 6), "b": (count, 4, 2, 6)}[empty]
        given = torch.randn(shape)
        wanted = net(given)
        got = session(proto).run(None, {proto.graph.input[0].name: given.numpy()})[0]
        assert got.shape == wanted.shape
        assert difference(got, array(wanted)) <= 1e-5
    if packed:
        for rank in (0, 1):
            assert net(torch.randn((*(2,) * rank, 0, 4))).dim() == len(type.split(",")) + (rank - 1) * ("*s" in type)
