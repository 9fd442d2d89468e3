"""Pools of posets in models: any windows, both forms, torch and ONNX, replaced pools and added ones."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import ogive
from deploy.closure import least_cut
from ogive.backends.pytorch.module.module import build
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ir.model import Model
from ogive.compiler.ir_tools.verify import verify
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.passes.pipelines.calls import PassCall
from ogive.compiler.passes.posets.nodes import closed_is_less
from ogive.compiler.passes.posets.pool import poset_pool
from ogive.compiler.posets.closed_form import closed_form
from ogive.compiler.posets.poset import Poset, PosetError, antichain, chain, composed, minkowski
from ogive.compiler.posets.syntax import read

TEXT = """block Net(x: [b, c, h, w]) -> [b, c, h', w']
where h > 8, w > 8:
    return x |> {op}[{settings}]

model M = Net[]
"""
FORMS = ("closed", "vertices")


@cache
def net(settings: str, op: str = "max_pool") -> Model:
    """A pool of these settings."""
    program = check_text(TEXT.format(op=op, settings=settings))
    assert program.ok, [d.message for d in program.diagnostics]
    return program.models["M"].ir


def wanted(x: Tensor, poset: Poset, kernel: int, stride: int, pad: int, dilation: int = 1) -> Tensor:
    """The definition, on windows of a tensor that zeros fill."""
    b, c = x.shape[:2]
    windows = F.unfold(x.flatten(0, 1)[:, None], kernel, dilation, pad, stride)
    members = torch.tensor(poset.vertices, dtype=x.dtype)
    found = torch.einsum("ui,nip->nup", members, windows).amax(1)
    high = (x.shape[2] + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
    return found.view(b, c, high, -1)


def image(*shape: int) -> Tensor:
    """Random numbers."""
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("settings", "window", "order"),
    [
        ("2", (2, 2, 0, 1), "diamond"), ("3", (3, 3, 0, 1), "product"), ("3, stride=2", (3, 2, 0, 1), "chain"),
        ("3, stride=2, pad=1", (3, 2, 1, 1), "a<b, c<d<e, f<{g,h}<i"), ("2, stride=1", (2, 1, 0, 1), "#12"),
        ("2, stride=1, dilation=3", (2, 1, 0, 3), "{a,b}<{c,d}"), ("3, stride=1, pad=1", (3, 1, 1, 1), "antichain"),
    ],
)  # fmt: skip
def test_any_windows(settings: str, window: tuple[int, int, int, int], order: str, form: str) -> None:
    passed = poset_pool(net(settings), order=order, form=form)
    verify(passed.model)
    poset = read(order, window[0] ** 2)
    for shape in ((2, 3, 12, 12), (1, 2, 13, 17)):
        found = build(passed.model)(image(*shape))
        torch.testing.assert_close(found, wanted(image(*shape), poset, *window), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "order"),
    [
        (4, "product"), (4, "antichain"), (4, "p<{a,b,c}<{d,e,f}, g<h<i<j, b<k, c<l<o"), (5, "product"), (5, "chain"),
        (5, "antichain(12) * chain(1) * antichain(12)"), (5, "a<b<c, d<{e,f}<g, x<y, h<{i,a}"),
    ],
)  # fmt: skip
def test_wide_windows_against_smallest_cuts(kernel: int, order: str) -> None:
    passed = poset_pool(net(str(kernel)), order=order)
    x = image(1, 1, 10, 12)
    found = build(passed.model)(x)
    for i, j in itertools.product(range(found.shape[2]), range(found.shape[3])):
        window = x[0, 0, kernel * i : kernel * (i + 1), kernel * j : kernel * (j + 1)].flatten().tolist()
        assert abs(float(found[0, 0, i, j]) - least_cut(read(order, kernel**2), window)) < 1e-9


def test_a_match_for_a_wide_window_takes_no_list_of_its_upsets() -> None:
    assert any("times" in note.text for note in poset_pool(net("5"), order="antichain", scale="match").notes)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("settings", ["2", "3, stride=2", "3, stride=2, pad=1"])
def test_windows_that_overhang_are_filled_with_zeros(settings: str, form: str) -> None:
    passed = poset_pool(net(f"{settings}, ceil=true"), order="chain", form=form)
    verify(passed.model)
    kernel, stride, pad = int(settings[0]), 2, int("pad" in settings)
    for shape in ((2, 3, 12, 13), (1, 2, 15, 10)):
        x = image(*shape)
        size = F.max_pool2d(x, kernel, stride, pad, ceil_mode=True).shape[2:]
        room = [(n - 1) * stride + kernel - pad - have for n, have in zip(size, shape[2:], strict=True)]
        filled = F.pad(x, (pad, max(room[1], pad), pad, max(room[0], pad)))
        result = wanted(filled, read("chain", kernel**2), kernel, stride, 0)[..., : size[0], : size[1]]
        torch.testing.assert_close(build(passed.model)(x), result, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("order", ["#5", "zigzag", "diamond"])
def test_the_gradient_marks_the_chosen_upset(order: str, form: str) -> None:
    module = build(poset_pool(net("2"), order=order, form=form).model)
    x = image(1, 1, 9, 9).requires_grad_()
    assert torch.autograd.gradcheck(module, (x,), eps=1e-7)
    (grad,) = torch.autograd.grad(module(x).sum(), x)
    marks = F.unfold(grad.flatten(0, 1)[:, None], 2, stride=2).transpose(1, 2).flatten(0, 1)
    assert {tuple(row) for row in marks.long().tolist()} <= set(read(order).vertices)


@pytest.mark.parametrize("order", [f"#{n}" for n in range(16)])
def test_after_a_relu_value_and_gradient_are_four_times_those_of_the_average(order: str) -> None:
    x = image(1, 2, 10, 10).requires_grad_()
    found = build(poset_pool(net("2"), order=order).model)(F.relu(x) + 1e-9)
    average = 4 * F.avg_pool2d(F.relu(x) + 1e-9, 2)
    torch.testing.assert_close(found, average, rtol=1e-12, atol=1e-12)
    (mine,), (theirs,) = torch.autograd.grad(found.sum(), x), torch.autograd.grad(average.sum(), x)
    torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("settings", "order"), [("2", "diamond"), ("3, stride=2, pad=1", "product")])
def test_onnx_says_the_same(settings: str, order: str, form: str, tmp_path: Path) -> None:
    text = TEXT.format(op="max_pool", settings=settings).replace("[b, c,", "[b, 3,")
    model = ogive.source(text).models["M"].deploy(PassCall("poset_pool", (("order", order), ("form", form))))
    model.onnx(tmp_path / "pool.onnx")
    session = ort.InferenceSession(tmp_path / "pool.onnx", providers=["CPUExecutionProvider"])
    module = model.torch().eval()
    for shape in ((1, 3, 12, 12), (2, 3, 9, 15)):
        x = image(*shape).float()
        (found,) = session.run(None, {"x": x.numpy()})
        np.testing.assert_allclose(found, module(x).numpy(), rtol=1e-6, atol=1e-6)


STATIC = """block Pool[c](x: [b, c, h, w]) -> [b, c, h', w']
where h > 8, w > 8:
    return x |> max_pool[{settings}]

block Net[c](x: [b, c, h, w]) -> [b, c, h', w']
where h > 8, w > 8:
    return x |> Pool[c]

model M = Net[c=3]

model Alone = Pool[c=3]
"""


@pytest.mark.parametrize("order", ["#1", "diamond", "zigzag"])
@pytest.mark.parametrize("settings", ["2", "2, ceil=true", "2, stride=1"])
def test_three_forms_in_onnx_agree(settings: str, order: str, tmp_path: Path) -> None:
    """Vertices by ReduceMax at known sizes, by MaxPool at open ones, the closed form; the channels are a static."""
    models = ogive.source(STATIC.format(settings=settings)).models
    vertices, closed = (PassCall("poset_pool", (("order", order), ("form", form))) for form in FORMS[::-1])
    open_form, closed_form = models["M"].deploy(vertices), models["M"].deploy(closed)
    ops = operations(open_form, tmp_path / "open.onnx")
    assert ops[ops.index("Conv") :] == ["Conv", "Unsqueeze", "MaxPool", "Squeeze", "Relu"]
    assert not {"Conv", "MaxPool"} & set(operations(closed_form, tmp_path / "closed.onnx"))
    for b, h, w in ((2, 10, 12), (1, 9, 11)):
        fixed = models["Alone"].deploy(vertices, PassCall("specialize", (("b", b), ("h", h), ("w", w))))
        assert "ReduceMax" in operations(fixed, tmp_path / "fixed.onnx")
        x = image(b, 3, h, w).float()
        wanted = closed_form.torch().eval()(x).numpy()
        for name in ("fixed", "open", "closed"):
            session = ort.InferenceSession(tmp_path / f"{name}.onnx", providers=["CPUExecutionProvider"])
            np.testing.assert_allclose(session.run(None, {"x": x.numpy()})[0], wanted, rtol=1e-6, atol=1e-6)


def operations(model: ogive.Model, path: Path) -> list[str]:
    """Write a model; the operations of its file."""
    model.onnx(path, force=True)
    return [node.op_type for node in onnx.load(path).graph.node]


def natural(size: int) -> list[Poset]:
    """All posets on so many elements in which a smaller number is never above a larger one."""
    pairs = [(a, b) for a in range(size) for b in range(a + 1, size)]
    masks = range(1 << len(pairs))
    return list(dict.fromkeys(Poset.of(size, [p for i, p in enumerate(pairs) if m >> i & 1]) for m in masks))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_every_small_poset_in_both_precisions(size: int) -> None:
    whole = torch.randint(-3, 4, (50, size), generator=torch.Generator().manual_seed(size)).double()
    real = torch.randn(50, size, dtype=torch.float64, generator=torch.Generator().manual_seed(size))
    ops: dict[str, Callable[[list[Tensor]], Tensor]] = {
        "add": lambda v: v[0] + v[1], "max": lambda v: torch.maximum(v[0], v[1]), "relu": lambda v: F.relu(v[0])
    }  # fmt: skip
    for poset in natural(size):
        members = torch.tensor(poset.vertices, dtype=torch.float64)
        for x, bound in ((whole, 0.0), (real, 1e-12), (real.float(), 2e-6)):
            found = closed_form(poset).run(list(x.unbind(1)), lambda op, v: ops[op](v))
            exact = (x.double() @ members.T).amax(1)
            assert ((found.double() - exact).abs() <= bound * x.double().abs().sum(1).clamp_min(1)).all()


def test_fewer_operations_decide_the_form() -> None:
    assert all(closed_is_less(poset) for poset in natural(4))
    text = build_text("#1", "auto")
    assert "conv2d" not in text
    assert "conv2d" in build_text("#1", "vertices")


def build_text(order: str, form: str) -> str:
    """A pool as a PyTorch module."""
    source = ogive.source(TEXT.format(op="max_pool", settings="2")).models["M"]
    return source.deploy(PassCall("poset_pool", (("order", order), ("form", form)))).torch_source()


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("chain(2) + chain(2)", "a<b, c<d"), ("antichain(2) * antichain(2)", "{a,b}<{c,d}"),
        ("chain(1) * antichain(2) * chain(1)", "diamond"), ("(a<b) + antichain(2)", "#2"),
        ("chain(2)[antichain(2), chain(2)]", "{a,b}<c<d"), ("antichain(2)[chain(2), chain(2)]", "#6"),
        ("chain(1) + chain(2) * chain(1)", "b<c<d"), ("(a<b, a<c) + (a)", "#5"),
        ("(chain(1) + chain(1)) * antichain(2)", "#11"), ("product(2)", "product"), ("(diamond)", "diamond"),
    ],
)  # fmt: skip
def test_orders_as_sums(text: str, same: str) -> None:
    assert read(text) == read(same)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a<b, b<c, c<a", "cycle: a<b<c<a"), ("a<a", "cycle: a<a"), ("diamnod", "did you mean `diamond`"),
        ("chain + chain(2)", "needs a size"), ("chain(2)", "2 elements, and the window 4"), ("chain(0)", "from 1 on"),
        ("a<e", "`e` is none of 4"),
        ("chain(2)[chain(2)]", "1 posets for 2"), ("chain(2) +", "ends where"),
        ("chain(2) chain(2)", "whole"), ("#16", "16 posets"), ("chain(2) & chain(2)", "no part"),
        ("(chain(2)", "ends where"), ("a<<b", "no element"),
    ],
)  # fmt: skip
def test_what_is_no_order(text: str, message: str) -> None:
    with pytest.raises(PosetError, match=re.escape(message)):
        read(text)


@given(st.sampled_from(natural(3)), st.lists(st.sampled_from(natural(2)), min_size=3, max_size=3))
@settings(max_examples=40, deadline=None)
def test_the_operad_composes_polytopes(outer: Poset, parts: list[Poset]) -> None:
    assert set(composed(outer, parts)) == set(outer.compose(*parts).vertices)
    assert set(minkowski(parts[0].vertices, parts[1].vertices)) == set((parts[0] + parts[1]).vertices)


@given(st.sampled_from(natural(4)), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_laws_of_the_pool(poset: Poset, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    x, y = torch.randint(-5, 6, (2, poset.size), generator=draw).tolist()
    h = torch.randint(0, 4, (poset.size,), generator=draw).tolist()
    f = poset.value
    assert f([0] * poset.size) == 0
    assert f([3 * v for v in x]) == 3 * f(x)
    assert f([a + b for a, b in zip(x, y, strict=True)]) <= f(x) + f(y)
    upper, lower = ([pick(a, b) for a, b in zip(x, y, strict=True)] for pick in (max, min))
    assert f(upper) + f(lower) >= f(x) + f(y)
    assert 0 <= f(x) - f([a - b for a, b in zip(x, h, strict=True)]) <= sum(h)
    assert max(0, sum(x)) <= f(x) <= sum(max(v, 0) for v in x)
    assert f([abs(v) for v in x]) == sum(map(abs, x))
    assert f([-abs(v) for v in x]) == 0
    places = torch.randperm(poset.size, generator=draw).tolist()
    moved = [0] * poset.size
    for at, place in enumerate(places):
        moved[place] = x[at]
    assert poset.relabelled(places).value(moved) == f(x)


def test_relabelling_the_order_alone_changes_the_pool() -> None:
    assert chain(3).value([1, -2, 3]) != chain(3).relabelled([2, 1, 0]).value([1, -2, 2])


CNN = """use std.nn (BatchNorm)
use std.vision (Conv)

block Stage[cin, c](x: [b, cin, h, w]) -> [b, c, h, w]:
    return x |> Conv[cin, c, 3, pad=1] as conv |> BatchNorm as bn

block Net(x: [b, 3, h, w]) -> [b, 4, h', w']
where h > 4, w > 4:
    x = x |> Stage[3, 4] as first |> relu |> max_pool[2]
    return x |> Stage[4, 4] as second |> avg_pool[2]

model M = Net[]
"""


@pytest.mark.parametrize(("after", "count"), [("Stage", 2), ("first", 1), ("bn", 1), ("Batch*", 1)])
def test_pools_are_added_after_blocks(after: str, count: int) -> None:
    source = check_text(CNN).models["M"].ir
    passed = poset_pool(source, after=after, order="chain", kernel=3)
    verify(passed.model)
    assert sum(note.done for note in passed.notes) == count
    torch.manual_seed(0)
    plain, added = build(source).double().eval(), build(passed.model).double().eval()
    added.load_state_dict(plain.state_dict())
    x = image(1, 3, 9, 10)
    pooled = {"first": lambda y: wanted(y, chain(9), 3, 1, 1)}
    y = plain.get_submodule("first")(x)
    if after == "first":
        y = F.max_pool2d(F.relu(pooled["first"](y)), 2)
        torch.testing.assert_close(added(x), F.avg_pool2d(plain.get_submodule("second")(y), 2))
    assert added(x).shape == plain(x).shape
    assert not torch.allclose(added(x), plain(x))


def test_chosen_kinds_of_pools_are_replaced() -> None:
    source = check_text(CNN).models["M"].ir
    texts = {pools: [note.text for note in poset_pool(source, pools=pools).notes] for pools in ("max", "avg", "any")}
    assert [len(found) for found in texts.values()] == [1, 1, 2]
    assert "after a ReLU" in texts["max"][0]
    assert "became the pool of" in texts["avg"][0]


@pytest.mark.parametrize("op", ["max_pool", "avg_pool"])
@pytest.mark.parametrize("order", ["antichain", "diamond", "chain"])
def test_a_matching_scale_gives_the_deviation_of_the_pool_that_was_there(op: str, order: str) -> None:
    model = net("2", op)
    x = image(8, 8, 64, 64)
    before = build(model)(x).std()
    after = build(poset_pool(model, pools="any", order=order, scale="match").model)(x).std()
    assert float(after / before) == pytest.approx(1, abs=0.03)


def test_an_order_may_be_a_value() -> None:
    module: nn.Module = build(poset_pool(net("2"), order=antichain(2).below(chain(2))).model)
    torch.testing.assert_close(module(image(1, 1, 10, 10)), wanted(image(1, 1, 10, 10), read("{a,b}<c<d"), 2, 2, 0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": "a<b, b<a"}, "cycle: a<b<a"), ({"pools": "maxx"}, "did you mean `max`"), ({"form": "x"}, "closed"),
        ({"scale": "auto"}, "match"), ({"at": "Nett"}, "no max pool"), ({"after": "conv7"}, "no block `conv7`"),
        ({"after": "x", "kernel": 1}, "from 2 on"), ({"order": chain(3)}, "3 elements, and the window 4"),
    ],
)  # fmt: skip
def test_refusals(options: dict[str, object], message: str) -> None:
    with pytest.raises(PassError) as caught:
        poset_pool(net("2"), **options)  # type: ignore[arg-type]
    assert message in f"{caught.value.text} {caught.value.help}"


def test_too_many_kernels_are_refused() -> None:
    with pytest.raises(PassError, match="more than 1024 kernels"):
        poset_pool(net("4"), order="antichain", form="vertices")


def test_a_name_that_is_nearly_that_of_a_block_inside_of_others() -> None:
    text = (
        "block Innermost(x: [b, c, h, w]) -> [b, c, h', w']:\n    param w: [] = ones\n    return w * max_pool[2](x)\n"
        "block Middle(x: [b, c, h, w]) -> [b, c, h', w']:\n    return x |> Innermost as core\n"
        "block F(x: [b, c, h, w]) -> [b, c, h', w']:\n    return x |> Middle as outer\nmodel M = F\n"
    )
    model = ogive.source(text).models["M"]
    for asked, meant in (("Innermos", "Innermost"), ("Midle", "Middle"), ("outr", "outer"), ("coree", "core")):
        with pytest.raises(ogive.ArchError, match=f"`?{meant}`?") as refused:
            model.deploy(f"poset_pool[at={asked}]")
        assert "E0811" in str(refused.value)


def test_no_pool_of_any_kind() -> None:
    with pytest.raises(PassError, match="M has no pool that fits a poset: max_pool: its window"):
        poset_pool(net("9"), pools="any")
