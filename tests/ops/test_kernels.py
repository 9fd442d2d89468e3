"""Softmax, attention, convolutions and resampling against their formulas and torch's layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from ogive.compiler.ir.model import Scalar
from ogive.compiler.ops import kernels
from ops.cases import Case, check, numbers
from ops.harness import Collected, Names, infer, lowered, refused

T = torch.Tensor


def attend(q: T, k: T, v: T, mask: T | None = None, scale: float | None = None, causal: bool = False) -> T:
    scores = q @ k.transpose(-1, -2) * (scale or 1 / math.sqrt(q.shape[-1]))
    n, m = scores.shape[-2:]
    if causal:
        seen = torch.arange(m) <= torch.arange(n)[:, None] + (m - n)
        scores = scores.masked_fill(~seen, float("-inf"))
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask
    return scores.softmax(-1).nan_to_num() @ v  # nothing where a query sees no key


def causal(q: T, k: T, v: T, mask: T | None = None) -> T:
    return attend(q, k, v, mask, causal=True)


def unfolded(x: T, w: T, stride: int, pad: int, dilation: int) -> T:
    """A convolution by its sum."""
    x = F.pad(x, (pad, pad))
    room = x.shape[-1] - dilation * (w.shape[-1] - 1)
    taps = [torch.einsum("bcs,oc->bos", x[..., i * dilation : i * dilation + room : stride], w[..., i])
            for i in range(w.shape[-1])]  # fmt: skip
    return torch.stack(taps).sum(0)


def transposed(x: T, w: T, **settings: Any) -> T:
    """The gradient of the convolution with respect to its input, where no output padding is asked for."""
    stride, pad = settings.get("stride", 1), settings.get("padding", 0)
    length = (x.shape[-1] - 1) * stride - 2 * pad + w.shape[-1]
    start = torch.zeros(x.shape[0], w.shape[1], length, dtype=x.dtype, requires_grad=True)
    (found,) = torch.autograd.grad(F.conv1d(start, w, **settings), start, x)
    return found


def _unfold(x: T, kernel: Any, **settings: Any) -> T:
    """One window after the other."""
    wide = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    pad, stride, step = (settings.get(key, usual) for key, usual in (("padding", 0), ("stride", 1), ("dilation", 1)))
    strides, steps = (each if isinstance(each, tuple) else (each, each) for each in (stride, step))
    x = F.pad(x, (pad,) * 4)
    h, w = ((n - d * (k - 1) - 1) // s + 1 for n, d, k, s in zip(x.shape[2:], steps, wide, strides, strict=True))
    rows = [torch.stack([x[:, :, i * steps[0] :: strides[0], j * steps[1] :: strides[1]][:, :, :h, :w]
                         for j in range(wide[1])], 2) for i in range(wide[0])]  # fmt: skip
    return torch.stack(rows, 2)


def _folded(x: T, kernel: Any, size: tuple[int, int] | None = None, **settings: Any) -> T:
    """The gradient of `_unfold`."""
    start = torch.zeros(*x.shape[:2], *(size or x.shape[-2:]), dtype=x.dtype, requires_grad=True)
    (found,) = torch.autograd.grad(_unfold(start, kernel, **settings), start, x)
    return found


def _sampled(*settings: Any) -> Callable[[T, T], T]:
    return lambda x, grid: F.grid_sample(x, grid, *settings)


def _smoothed(mode: str, size: tuple[int, int]) -> Callable[[T], T]:
    return lambda x: F.interpolate(x, size, mode=mode, antialias=True)


def _over(x: T, grid: T) -> tuple[T, T]:
    """Places inside, and some beyond the ends."""
    return x, 1.7 * torch.tanh(grid)


MANY = {"stride": (2, 1), "pad": (1, 0), "dilation": (1, 2)}
STRIDED = "F.conv2d(x0, x1, stride=2, padding=(1, 0))"
CAUSAL = "F.scaled_dot_product_attention(x0, x1, x2, is_causal=True)"
HALF, DILATED = {"stride": 2, "pad": 1}, {"stride": 3, "pad": 2, "dilation": 2}
Q, K, V = "b h n e", "b h m e", "b h m f"
CASES = [
    Case("softmax", ("b n d",), lambda x: x.exp() / x.exp().sum(-1, True), {"axis": "d"}),
    Case("softmax", ("b n d",), lambda x: x.exp() / x.exp().sum(1, True), {"axis": -2}),
    Case("log_softmax", ("b n d",), lambda x: x - x.exp().sum(0, True).log(), {"axis": 0}),
    Case("attention", (Q, K, V, None), attend),
    Case("attention", ("n e", "m e", "m f", None), attend),
    Case("attention", (Q, K, V, None), lambda q, k, v: attend(q, k, v, scale=0.3), {"scale": 0.3}),
    Case(
        "attention", (Q, K, V, None), lambda q, k, v: attend(q, k, v, scale=1 / q.shape[-1]),
        lambda names: {"scale": Scalar("/", (1, names["e"]))},
    ),
    Case("attention", (Q, K, V, "bool: n m"), attend),
    Case("attention", (Q, K, V, "bool: b 1 1 m"), attend),
    Case("attention", (Q, K, V, "h n m"), attend),
    Case("attention", (Q, "h m e", "m f", "m"), attend),
    Case("attention", ("b h n e", "b h n e", "b h n e", None), causal, {"causal": True}),
    Case("attention", ("b h 1 e", K, V, None), attend, {"causal": True}),
    Case(
        "attention", (Q, K, V, None), causal, {"causal": True},
    ),
    Case("attention", (Q, "b h n e", "b h n f", "1 m=n"), causal, {"causal": True}),
    Case(
        "attention", (Q, K, V, "bool: n m"), causal, {"causal": True},
    ),
    Case("conv", ("b c s", "o c k", None), lambda x, w: unfolded(x, w, 1, 0, 1)),
    Case("conv", ("b c s", "o c 3", "o"), lambda x, w, b: unfolded(x, w, 2, 1, 1) + b[:, None], HALF),
    Case("conv", ("b c s", "o c 3", None), lambda x, w: unfolded(x, w, 3, 2, 2), DILATED),
    Case(
        "conv", ("b c h w", "o c 3 2", None),
        lambda x, w: F.conv2d(x, w, None, (2, 1), (1, 0), (1, 2)), MANY,
    ),
    Case("conv", ("b c h w", "o c 3 4", "o"), lambda x, w, b: F.conv2d(x, w, b, padding="same"), {"pad": "same"}),
    Case(
        "conv", ("b c h w", "c 1 3 3", None), lambda x, w: F.conv2d(x, w, padding=1, groups=x.shape[1]),
        lambda names: {"groups": names["c"], "pad": 1},
    ),
    Case("conv", ("b 4 s", "6 2 3", None), lambda x, w: F.conv1d(x, w, padding=1, groups=2), {"groups": 2, "pad": 1}),
    Case(
        "conv", ("b c h w", "o c 3 5", None), lambda x, w: F.conv2d(F.pad(x, (2, 2, 1, 1), "reflect"), w),
        {"pad": (1, 2), "pad_mode": "reflect"}, low=3,
    ),
    Case(
        "conv", ("b c s", "o c 4", None), lambda x, w: F.conv1d(F.pad(x, (1, 2), "circular"), w),
        {"pad": "same", "pad_mode": "circular"}, low=2,
    ),
    Case("conv", ("b c x y z", "o c 2 2 2", None), lambda x, w: F.conv3d(x, w, stride=2), {"stride": 2}),
    Case("conv_transpose", ("b c s", "c o 3", None), lambda x, w: transposed(x, w)),
    Case(
        "conv_transpose", ("b c s", "c o 4", "o"), lambda x, w, b: transposed(x, w, stride=2, padding=1) + b[:, None],
        {"stride": 2, "pad": 1},
    ),
    Case(
        "conv_transpose", ("b 4 h w", "4 3 3 2", None),
        lambda x, w: F.conv_transpose2d(x, w, None, 2, (1, 0), 1, 2, (1, 2)),
        {"stride": 2, "pad": (1, 0), "out_pad": 1, "groups": 2, "dilation": (1, 2)},
    ),
    Case("unfold", ("b c h w",), lambda x: _unfold(x, 3, padding=1), {"kernel": 3, "pad": 1}),
    Case("unfold", ("b c h w",), lambda x: _unfold(x, 2, stride=(2, 1), dilation=(1, 2)),
         {"kernel": 2, "stride": (2, 1), "dilation": (1, 2)}, low=3),
    Case("unfold", ("b c n",), lambda x: F.pad(x, (1, 1)).unfold(-1, 3, 2).movedim(-1, 2),
         {"kernel": 3, "stride": 2, "pad": 1}),
    Case("fold", ("b c 3 3 h w",), lambda x: _folded(x, 3, padding=1),
         lambda names: {"size": (names["h"], names["w"]), "kernel": 3, "pad": 1}),
    Case("fold", ("b c 2 3 4 w",), lambda x: _folded(x, (2, 3), (8, x.shape[-1] + 4), stride=(2, 1), dilation=(1, 2)),
         lambda names: {"size": (8, names["w"] + 4), "kernel": (2, 3), "stride": (2, 1), "dilation": (1, 2)}),
    Case("fold", ("b c 3 n",), lambda x: F.conv_transpose1d(x.flatten(0, 1), torch.eye(3, dtype=x.dtype)[:, None],
         stride=2).view(*x.shape[:2], -1), lambda names: {"size": 2 * names["n"] + 1, "kernel": 3, "stride": 2}),
    *(
        Case("grid_sample", ("b c h w", "b m n 2"), _sampled(mode, pad, corners),
             {"mode": mode, "pad_mode": pad, "align_corners": corners}, prepare=_over, low=2 if corners else 1)
        for mode, pad, corners in (
            ("bilinear", "zeros", False), ("bilinear", "border", True), ("bilinear", "reflection", False),
            ("bilinear", "reflection", True), ("nearest", "zeros", True), ("nearest", "border", False),
            ("nearest", "reflection", False),
        )
    ),
    Case("grid_sample", ("b c x y z", "b m n l 3"), lambda x, g: F.grid_sample(x, g, align_corners=False),
         prepare=_over),
    Case("interpolate", ("b c h w",), lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, 3), {"scale": 2}),
    Case(
        "interpolate", ("b c h w",), lambda x: F.interpolate(x, scale_factor=0.5, mode="bilinear"),
        {"scale": 0.5, "mode": "bilinear"},
    ),
    Case(
        "interpolate", ("b c s",), lambda x: F.interpolate(x, scale_factor=1.7, mode="linear", align_corners=True),
        {"scale": 1.7, "mode": "linear", "align_corners": True},
    ),
    Case(
        "interpolate", ("b c h w",), lambda x: F.interpolate(x, size=(5, 7), mode="bicubic"),
        {"size": (5, 7), "mode": "bicubic"},
    ),
    *(
        Case("interpolate", ("b c h w",), _smoothed(mode, size), {"size": size, "mode": mode, "antialias": True})
        for mode, size in (("bilinear", (2, 7)), ("bicubic", (3, 2)), ("bicubic", (9, 4)))
    ),
    Case(
        "interpolate", ("b c h w",), lambda x: F.interpolate(x, scale_factor=0.5, mode="bilinear", antialias=True),
        {"scale": 0.5, "mode": "bilinear", "antialias": True}, low=4,  # at 1 torch repeats a row
    ),
    Case("interpolate", ("b c h w",), lambda x: F.interpolate(x, scale_factor=(2, 1 / 3)), {"scale": (2, 1 / 3)}),
    Case(
        "interpolate", ("b c s",), lambda x: F.interpolate(x, size=x.shape[0]), lambda names: {"size": names["b"]}
    ),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")  # torch pads a copy
@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=20, deadline=None)
@given(number=numbers(), seed=st.integers(0, 9))
def test_rule_and_values(case: Case, number: Callable[[str, int], int], seed: int) -> None:
    check(case, number, seed)


def test_every_operation_has_a_case() -> None:
    assert {case.op for case in CASES} == {spec.name for spec in kernels.OPS}


REFUSED = [
    ("softmax", ("int: n",), {"axis": 0}, "E0501", 0),
    ("softmax", ("b n",), {"axis": "d"}, "E0305", 0),
    ("softmax", ("=n n n",), {"axis": "n"}, "E0305", 0),
    ("softmax", ("b n",), {"axis": 2}, "E0304", 0),
    ("softmax", ("*b n",), {"axis": 0}, "E0304", 0),
    ("attention", ("n e", "int: m e", "m f", None), {}, "E0501", 1),
    ("attention", ("n e", "m e", "m f", "int: n m"), {}, "E0501", 3),
    ("attention", ("n e", "m e", "m f", "b n m"), {}, "E0303", 3),
    ("attention", ("n e", "e", "m f", None), {}, "E0303", 1),
    ("conv", ("b c", "o c", None), {}, "E0303", 0),
    ("conv", ("b c *s", "o c 3 3", None), {}, "E0303", 0),
    ("conv", ("b c h w", "o c 3", None), {}, "E0303", 1),
    ("conv", ("b c h w", "o c 3 3", "o h"), {}, "E0303", 2),
    ("conv", ("b c h w", "o c 3 3", None), {"stride": (1, 2, 3)}, "E0408", None),
    ("conv", ("b c h w", "o c 3 3", None), {"stride": 0}, "E0408", None),
    ("conv", ("b c h w", "o c 3 3", None), {"pad": "full"}, "E0408", None),
    ("conv", ("b c h w", "o c 3 3", None), {"pad": "same", "stride": 2}, "E0408", None),
    ("conv", ("b c h w", "o c 3 3", None), {"pad_mode": "mirror"}, "E0408", None),
    ("conv_transpose", ("b c h", "c o 3", None), {"out_pad": 1}, "E0408", None),
    ("interpolate", ("b c h",), {"scale": 2, "mode": "bilinear"}, "E0303", 0),
    ("interpolate", ("b c h",), {}, "E0408", None),
    ("interpolate", ("b c h",), {"scale": 2, "size": 3}, "E0408", None),
    ("interpolate", ("b c h",), {"scale": -1.5}, "E0408", None),
    ("interpolate", ("b c h",), {"scale": 2, "align_corners": True}, "E0408", None),
    ("interpolate", ("b c h",), {"scale": 2, "antialias": True}, "E0408", None),
    (
        "interpolate",
        ("b c h w",),
        {"scale": 2, "mode": "bilinear", "align_corners": True, "antialias": True},
        "E0408",
        None,
    ),
]


@pytest.mark.parametrize(("op", "inputs", "statics", "code", "operand"), REFUSED)
def test_refused(op: str, inputs: tuple[Any, ...], statics: dict[str, Any], code: str, operand: int | None) -> None:
    names = Names()
    error = refused(op, [names.operand(item) for item in inputs], statics)
    assert (error.code, error.operand) == (code, operand)


def constraints(op: str, inputs: tuple[Any, ...], statics: dict[str, Any]) -> list[tuple[str, str]]:
    names, checker = Names(), Collected()
    infer(op, [names.operand(item) for item in inputs], statics, checker)
    return [(str(c), text) for c, text, _ in checker.constraints if c.unknowns and str(c) != "true"]


def test_a_convolution_may_leave_nothing() -> None:
    assert ("h - 2 >= 1", "`conv` leaves `h - 2` of axis `h`") in constraints("conv", ("b c h", "o c 3", None), {})


def test_channels_meet() -> None:
    assert ("c == i", "contracts `c` channels with `i`") in constraints("conv", ("b c h", "o i 3", None), {"pad": 1})
    grouped = constraints("conv", ("b c h", "o i 3", None), {"pad": 1, "groups": 4})
    assert {("c == 4*i", "contracts `c` channels with `4*i`"), ("o % 4 == 0", "splits `o` channels into 4 groups")} <= {
        *grouped
    }


def test_labels_and_derived_sizes() -> None:
    names = Names()
    types = [names.type("b c h =w"), names.type("o c 3 3"), None]
    ((result,), _) = infer("conv", types, {"stride": 2, "pad": 1})
    assert str(result) == "[b, o, (h + 1)//2, (w + 1)//2]"
    assert [axis.label for axis in result.axes] == ["b", "o", "h", None]


@pytest.mark.parametrize(
    ("op", "inputs", "statics", "text"),
    [
        ("softmax", ("b n",), {"axis": "n"}, "masked_softmax(x0, -1)"),
        ("softmax", ("*b n d",), {"axis": "n"}, "masked_softmax(x0, -2)"),
        ("conv", ("b c h w", "o c 3 3", "o"), {}, "F.conv2d(x0, x1, x2)"),
        ("conv", ("b c h w", "o c 3 3", None), {"stride": 2, "pad": (1, 0)}, STRIDED),
        ("conv", ("b c h", "o c 3", None), {"pad": "same"}, 'F.conv1d(x0, x1, padding="same")'),
        ("interpolate", ("b c h w",), {"scale": 2}, "F.interpolate(x0, scale_factor=2)"),
        ("attention", (Q, K, V, None), {}, "F.scaled_dot_product_attention(x0, x1, x2)"),
        ("attention", (Q, "b h n e", "b h n f", None), {"causal": True}, CAUSAL),
    ],
)
def test_source(op: str, inputs: tuple[Any, ...], statics: dict[str, Any], text: str) -> None:
    names = Names()
    types = [names.operand(item) for item in inputs]
    assert lowered(op, types, statics, {unknown: 3 for unknown in names.known.values()}) == text
