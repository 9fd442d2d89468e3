"""Operators of ONNX that move a window: padding, convolutions, pools."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional as F

from ogive.backends.from_onnx.read import OnnxRefused
from ogive.backends.from_onnx.values import Attributes, listed


def _pads(values: list[Any]) -> list[Any]:
    """Pads of torch, the last axis first, of those of ONNX."""
    half = len(values) // 2
    return [each for i in reversed(range(half)) for each in (values[i], values[half + i])]


def pad(a: Attributes, x: Tensor, pads: Any = None, value: Any = None, axes: Any = None) -> Tensor:
    """Padding by numbers of the graph, or by a shape."""
    given = a["pads"] if pads is None else listed(pads)
    if axes is not None:
        full = [0] * (2 * x.dim())
        for i, axis in enumerate(listed(axes)):
            full[axis % x.dim()], full[axis % x.dim() + x.dim()] = given[i], given[i + len(given) // 2]
        given = full
    told = str(a.get("mode", "constant"))
    mode = "replicate" if told == "edge" else told
    found = _pads(list(given))
    if mode != "constant":
        while len(found) > 2 and found[-2:] == [0, 0]:
            found = found[:-2]
        return F.pad(x, found, mode)
    return F.pad(x, found, value=float(value or 0.0))


def _automatic(a: Attributes) -> bool:
    return a.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID")


def _around(a: Attributes, x: Tensor, spatial: int) -> tuple[Tensor, list[int]]:
    """The padding of a window, in front where it is uneven."""
    if _automatic(a):
        raise OnnxRefused(f"padding `{a['auto_pad']}`")
    pads = list(a.get("pads", [0] * 2 * spatial))
    if pads[:spatial] == pads[spatial:]:
        return x, pads[:spatial]
    return F.pad(x, _pads(pads)), [0] * spatial


def conv(a: Attributes, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    """A convolution."""
    spatial = x.dim() - 2
    x, pads = _around(a, x, spatial)
    run = (F.conv1d, F.conv2d, F.conv3d)[spatial - 1]
    return run(x, w, b, a.get("strides", [1] * spatial), pads, a.get("dilations", [1] * spatial), a.get("group", 1))


def conv_transpose(a: Attributes, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    """A transposed convolution."""
    spatial = x.dim() - 2
    pads = list(a.get("pads", [0] * 2 * spatial))
    if pads[:spatial] != pads[spatial:] or "output_shape" in a or _automatic(a):
        raise OnnxRefused("a transposed convolution with uneven padding")
    run = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[spatial - 1]
    return run(x, w, b, a.get("strides", [1] * spatial), pads[:spatial], a.get("output_padding", [0] * spatial),
               a.get("group", 1), a.get("dilations", [1] * spatial))  # fmt: skip


def max_pool(a: Attributes, x: Tensor) -> Tensor:
    """The largest of each window."""
    spatial = x.dim() - 2
    pads = list(a.get("pads", [0] * 2 * spatial))
    if pads[:spatial] != pads[spatial:] or _automatic(a):
        raise OnnxRefused("a pool with uneven padding")
    run: Any = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[spatial - 1]
    found: Tensor = run(x, a["kernel_shape"], a.get("strides", [1] * spatial), pads[:spatial],
                        a.get("dilations", [1] * spatial), bool(a.get("ceil_mode", 0)))  # fmt: skip
    return found


def avg_pool(a: Attributes, x: Tensor) -> Tensor:
    """The mean of each window."""
    spatial = x.dim() - 2
    pads = list(a.get("pads", [0] * 2 * spatial))
    if pads[:spatial] != pads[spatial:] or _automatic(a):
        raise OnnxRefused("a pool with uneven padding")
    if any(step != 1 for step in a.get("dilations", [])):
        raise OnnxRefused("a mean over windows with gaps")
    run: Any = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[spatial - 1]
    found: Tensor = run(x, a["kernel_shape"], a.get("strides", [1] * spatial), pads[:spatial],
                        bool(a.get("ceil_mode", 0)), bool(a.get("count_include_pad", 0)))  # fmt: skip
    return found
