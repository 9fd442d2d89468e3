"""Operations at settings for which torch or the runtime has conditions of its own, to be run at the smallest sizes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from ops.cases import Case

RANKS = ("b c s", "b c h w", "b c x y z")


def case(op: str, *inputs: Any, **statics: Any) -> Case:
    return Case(op, inputs, None, statics)


def kernels() -> Iterator[Case]:
    """Convolutions and pools."""
    for pad, stride, spread, mode in product((0, 1, 2, "same"), (1, 2), (1, 2), ("zeros", "reflect", "circular")):
        if pad != "same" or stride == 1:
            settings = {"pad": pad, "stride": stride, "dilation": spread, "pad_mode": mode}
            yield case("conv", "b 2 s", "2 2 3", None, **settings)
            yield case("conv", "b 4 h w", "4 1 2 k", "4", **settings, groups=4)
    for pad, stride, spread, more, kernel in product((0, 1, 2), (1, 2), (1, 3), (0, 1, 2), "13"):
        settings = {"pad": pad, "stride": stride, "dilation": spread, "out_pad": more}
        yield case("conv_transpose", "b 2 s", f"2 2 {kernel}", "2", **settings)
        yield case("conv_transpose", "b 2 h w", f"2 1 {kernel} 2", None, **settings, groups=2)
    for pad, stride, wide, ceil in product((0, 1, 2), (1, 2), (1, 2, 3), (False, True)):
        settings = {"kernel": wide, "stride": stride, "pad": pad, "ceil": ceil}
        yield case("avg_pool", "b c s", **settings)
        yield case("avg_pool", "b c h w", **settings, count_include_pad=False)
        yield from (case("max_pool", rank, **settings, dilation=spread) for rank in RANKS[:2] for spread in (1, 2, 3))


def samples() -> Iterator[Case]:
    """What resamples, pads and turns."""
    for rank, wanted in product(RANKS, (1, 2, 3)):
        yield case("adaptive_avg_pool", rank, size=wanted)
        yield case("adaptive_max_pool", rank, size=wanted)
    for mode, rank, corners in product(("nearest", "linear", "bilinear", "bicubic", "area"), RANKS, (False, True)):
        yield from (case("interpolate", rank, mode=mode, align_corners=corners, scale=f) for f in (2, 0.5, 1.5))
        yield case("interpolate", rank, mode=mode, align_corners=corners, size=3)
    kinds = ("n", "n d", "b n d", "b c h w", "b c x y z", "int: n d", "bool: n d", "b c d e f g")
    for mode, kind, axis in product(("constant", "reflect", "replicate", "circular"), kinds, (0, -1)):
        yield from (case("pad", kind, mode=mode, axis=axis, before=a, after=b) for a, b in ((0, 1), (1, 2), (2, 2)))
    for op, kind, axes in product(("fft", "ifft"), ("b n", "n b"), ((0,), (1,), (0, 1))):
        yield case(op, f"complex: {kind}", axes=axes)
        yield case("rfft", kind, axes=axes)
    yield from (case("irfft", "complex: b m", axes=(1,), sizes=[wanted]) for wanted in (1, 2, 3, 4))


def norms() -> Iterator[Case]:
    """Norms, attention, what reduces."""
    for kind in ("b c", *RANKS):
        yield Case("group_norm", (kind, "c", "c"), None, lambda names: {"groups": names["c"]})
        yield from (case("group_norm", kind, None, None, groups=groups) for groups in (1, 2))
        yield case("batch_norm", kind, "c", "c", None, "c")
        yield case("layer_norm", kind, "c", "c", axes=(1,))
        yield case("rms_norm", kind, None, axes=(-1,))
    for mask, causal in product((None, "bool: n m", "n m", "bool: b 1 n m"), (False, True)):
        yield case("attention", "b h n e", "b h m e", "b h m f", mask, causal=causal)
    for op, axes in product(("sum", "mean", "max", "prod", "var", "std", "logsumexp", "norm"), ((0,), (-1,), (0, 1))):
        yield case(op, "b n", axes=axes)
    yield from (case("norm", "b n", axes=(1,), p=p) for p in (0, 1, 3, float("inf"), -1, 0.5))
    yield from (case("topk", "b n", axis=-1, k=k) for k in (1, 2))
    yield from (case("roll", "b n", axis=axis, by=by) for axis in (0, 1) for by in (-3, 1, 2))
    yield from (case(op, "n m", diagonal=at) for op in ("tril", "triu") for at in (-2, 0, 2))


CASES = (*kernels(), *samples(), *norms())
