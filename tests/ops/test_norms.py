"""Normalizations against their formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ogive.backends.python_text.expr import name
from ogive.backends.pytorch.ops.table import LOWER
from ogive.compiler.ops import norms
from ogive.compiler.sizes import size
from ops.cases import Case, check, numbers
from ops.harness import Collected, Names, Single, function_of, infer, lowered, node_of, refused


def normalized(x: torch.Tensor, dims: tuple[int, ...], eps: float = 1e-5) -> torch.Tensor:
    variance = ((x - x.mean(dims, True)) ** 2).mean(dims, True)
    return (x - x.mean(dims, True)) / (variance + eps).sqrt()


def by_channel(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return x.reshape(-1, *[1] * (like.dim() - 2))


def batch_norm(x: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
    return (x - by_channel(mean, x)) / (by_channel(variance, x) + eps).sqrt()


def batch_norm_train(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    dims = (0, *range(2, x.dim()))
    count = x.numel() // x.shape[1]
    mean = x.mean(dims)
    return normalized(x, dims), mean, ((x - by_channel(mean, x)) ** 2).sum(dims) / (count - 1)


def group_norm(x: torch.Tensor, groups: int) -> torch.Tensor:
    b, c, h, w = x.shape
    return normalized(x.view(b, groups, c // groups, h, w), (2, 3, 4)).view(b, c, h, w)


def variances(x: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor, *rest: torch.Tensor) -> Any:
    return x, mean, variance.abs(), *rest


CASES = [
    Case("layer_norm", ("b n d", None, None), lambda x: normalized(x, (-1,))),
    Case("layer_norm", ("b d", "d", None), lambda x, w: normalized(x, (-1,), 1e-3) * w, {"eps": 1e-3}),
    Case("layer_norm", ("b n d", "d", "d"), lambda x, w, b: normalized(x, (-1,)) * w + b),
    Case("layer_norm", ("b n d", "n d", "n d"), lambda x, w, b: normalized(x, (-2, -1)) * w + b),
    Case("layer_norm", ("b d", None, "d"), lambda x, b: normalized(x, (-1,)) + b),
    Case(
        "layer_norm", ("b c h w", "c", "c"), lambda x, w, b: normalized(x, (1,)) * by_channel(w, x) + by_channel(b, x),
        {"axes": ("c",)},
    ),
    Case(
        "layer_norm", ("b c h w", "c h", None), lambda x, w: normalized(x, (1, 2)) * w[..., None], {"axes": ("c", "h")}
    ),
    Case("rms_norm", ("b n d", "d"), lambda x, w: x / ((x * x).mean(-1, True) + 1e-6).sqrt() * w),
    Case("rms_norm", ("b d", None), lambda x: x / ((x * x).mean(-1, True) + 1e-2).sqrt(), {"eps": 1e-2}),
    Case(
        "rms_norm", ("b c h w", "c"), lambda x, w: x / ((x * x).mean(1, True) + 1e-6).sqrt() * by_channel(w, x),
        {"axes": (1,)},
    ),
    Case("batch_norm", ("b c", "c", "c", None, None), batch_norm, prepare=variances),
    Case(
        "batch_norm", ("b c h w", "c", "c", "c", "c"),
        lambda x, m, v, w, b: batch_norm(x, m, v, 1e-3) * by_channel(w, x) + by_channel(b, x),
        {"eps": 1e-3}, prepare=variances,
    ),
    Case("batch_norm", ("b c t", "c", "c", None, "c"), lambda x, m, v, b: batch_norm(x, m, v) + by_channel(b, x),
         prepare=variances),
    Case("batch_norm_train", ("b c", None, None), batch_norm_train, low=2),
    Case(
        "batch_norm_train", ("b c t", None, "c"),
        lambda x, b: (batch_norm_train(x)[0] + b[:, None], *batch_norm_train(x)[1:]), low=2,
    ),
    Case(
        "batch_norm_train", ("b c t", "c", "c"),
        lambda x, w, b: (batch_norm_train(x)[0] * w[:, None] + b[:, None], *batch_norm_train(x)[1:]), low=2,
    ),
    Case(
        "group_norm", ("b c h w", "c", None), lambda x, w: group_norm(x, 2) * by_channel(w, x), {"groups": 2}, low=2
    ),
    Case(
        "group_norm", ("b c h w", None, "c"), lambda x, b: group_norm(x, 2) + by_channel(b, x), {"groups": 2}, low=2
    ),
    Case(
        "group_norm", ("b c h w", None, None), lambda x: group_norm(x, x.shape[1]),
        lambda names: {"groups": names["c"]}, low=2,
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=15, deadline=None)
@given(number=numbers(), seed=st.integers(0, 9))
def test_rule_and_values(case: Case, number: Callable[[str, int], int], seed: int) -> None:
    check(case, number, seed)


def test_every_operation_has_a_case() -> None:
    assert {case.op for case in CASES} == {spec.name for spec in norms.OPS}


REFUSED = [
    ("layer_norm", ("int: d", None, None), {}, "E0501", 0),
    ("layer_norm", ("b d", "n b d", None), {}, "E0303", 1),
    ("layer_norm", ("b n d", "d", "n d"), {}, "E0303", 2),
    ("layer_norm", ("b d", "bf16: d", None), {}, "E0501", 1),
    ("layer_norm", ("b n d", "d", None), {"axes": ("e",)}, "E0305", 0),
    ("layer_norm", ("*b d", "e d", None), {}, "E0303", None),
    ("batch_norm", ("b", "b", "b", None, None), {}, "E0303", 0),
    ("batch_norm", ("*b c", "c", "c", None, None), {}, "E0303", 0),
    ("group_norm", ("b c h", "c h", None), {"groups": 2}, "E0303", 1),
]


@pytest.mark.parametrize(("op", "inputs", "statics", "code", "operand"), REFUSED)
def test_refused(op: str, inputs: tuple[Any, ...], statics: dict[str, Any], code: str, operand: int | None) -> None:
    names = Names()
    error = refused(op, [names.operand(item) for item in inputs], statics)
    assert (error.code, error.operand) == (code, operand)


def test_groups_must_divide_the_channels() -> None:
    names, checker = Names(), Collected()
    infer("group_norm", [names.type("b c h"), None, None], {"groups": 32}, checker)
    assert [(str(c), text) for c, text, _ in checker.constraints] == [
        ("c % 32 == 0", "splits `c` channels into 32 groups")
    ]


def test_packs_and_labels() -> None:
    names = Names()
    ((result,), attrs) = infer("layer_norm", [names.type("*b d"), names.type("d"), None])
    assert str(result) == "[*b, d]"
    assert attrs["axes"] == (1,)
    outputs, _ = infer("batch_norm_train", [names.type("b c *s"), None, None])
    assert [str(type) for type in outputs] == ["[b, c, *s]", "[c]", "[c]"]
    ((result,), _) = infer("batch_norm", [*map(names.type, ("b c *s", "c", "c")), None, None])
    assert str(result) == "[b, c, *s]"


def test_computed_statistics_take_gradients() -> None:
    names = Names()
    types = [*map(names.type, ("b c", "c", "c")), None, None]
    op = function_of(node_of("batch_norm", types), types, names.values({"b": 6, "c": 3}))
    x = torch.randn(6, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: op(x, x.mean(0), x.var(0)), x)


def test_kept_statistics_use_the_kernel() -> None:
    names = Names()
    types = [*map(names.type, ("b c", "c", "c")), None, None]
    node, ctx = node_of("batch_norm", types), Single({}, {})
    args = [*map(name, ("x", "self.running_mean", "self.running_var")), None, None]
    assert str(LOWER["batch_norm"](ctx, node, args)) == "F.batch_norm(x, self.running_mean, self.running_var)"


MOVED = "F.layer_norm(x0.movedim(1, -1), (3,), x1).movedim(-1, 1)"


@pytest.mark.parametrize(
    ("op", "inputs", "statics", "text"),
    [
        ("layer_norm", ("b n d", "d", "d"), {}, "F.layer_norm(x0, (5,), x1, x2)"),
        ("layer_norm", ("*b d", "d", None), {"eps": 1e-6}, "F.layer_norm(x0, (5,), x1, eps=1e-6)"),
        ("layer_norm", ("b c h", "c", None), {"axes": (1,)}, MOVED),
        ("rms_norm", ("b d", "d"), {}, "F.rms_norm(x0, (5,), x1, eps=1e-6)"),
        ("group_norm", ("b c h", None, "c"), {"groups": size(3)}, "torch.group_norm(x0, 3, torch.ones_like(x2), x2)"),
    ],
)
def test_source(op: str, inputs: tuple[Any, ...], statics: dict[str, Any], text: str) -> None:
    names = Names()
    types = [names.operand(item) for item in inputs]
    assert lowered(op, types, statics, names.values({"c": 3, "d": 5})) == text
