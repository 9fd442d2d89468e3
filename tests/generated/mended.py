"""Operations of the standard that its evaluator (onnx 1.23) computes otherwise than it says, or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun
from onnx.reference.ops import op_conv_transpose, op_grid_sample, op_resize

Numbers = np.ndarray[Any, Any]


class Erf(OpRun):  # type: ignore[misc]
    """The evaluator's own computes in float32, whatever the type."""

    op_domain = ""

    def _run(self, x: Numbers) -> tuple[Numbers]:
        return (np.vectorize(math.erf, otypes=[np.float64])(x).astype(x.dtype) if x.size else x,)


class LogSoftmax(OpRun):  # type: ignore[misc]
    """The evaluator's own is the logarithm of `Softmax`, which is 0 where the result is below -745."""

    op_domain = ""

    def _run(self, x: Numbers, axis: int = -1) -> tuple[Numbers]:
        if not x.size:
            return (x,)
        less = x - x.max(axis=axis, keepdims=True)
        return ((less - np.log(np.exp(less).sum(axis=axis, keepdims=True))).astype(x.dtype),)


class Resize(op_resize.Resize):  # type: ignore[misc]
    """The evaluator's own weighs cubics in float32, as their setting is, and fails where the other axes are empty."""

    op_domain = ""

    def _run(self, x: Numbers, *inputs: Numbers, cubic_coeff_a: float = -0.75, **settings: Any) -> tuple[Numbers, ...]:
        if x.size or not settings["axes"]:
            found: tuple[Numbers, ...] = super()._run(x, *inputs, cubic_coeff_a=float(cubic_coeff_a), **settings)
            return found
        sizes = list(x.shape)
        for at, axis in enumerate(settings["axes"]):  # inputs: a region, factors, and sizes where there are no factors
            sizes[axis] = int(inputs[2][at]) if len(inputs) > 2 else int(x.shape[axis] * inputs[1][at])
        return (np.zeros(sizes, x.dtype),)


class GridSample(op_grid_sample.GridSample):  # type: ignore[misc]
    """The evaluator's own counts places in float32, whatever the type."""

    op_domain = ""

    def _gs_denormalize_coordinates(self, n: Sequence[Any], dims: Sequence[int], align_corners: bool) -> Numbers:
        pairs = zip(n, dims, strict=False)
        return np.array([self._gs_denormalize(n=v, length=dim, align_corners=align_corners) for v, dim in pairs])


class Scan(OpRun):  # type: ignore[misc]
    """The evaluator's own walks first axes alone, and forwards alone."""

    op_domain = ""

    def need_context(self) -> bool:
        """The body reads values from around it."""
        return True

    def _run(
        self, *args: Numbers, num_scan_inputs: int, context: Mapping[str, Numbers] | None = None, **settings: Any
    ) -> tuple[Numbers, ...]:
        states, sources = list(args[:-num_scan_inputs]), args[-num_scan_inputs:]
        axes = settings["scan_input_axes"] or [0] * len(sources)
        ways = settings["scan_input_directions"] or [0] * len(sources)
        rows = [_directed(np.moveaxis(x, axis, 0), way) for x, axis, way in zip(sources, axes, ways, strict=True)]
        seen: list[Sequence[Numbers]] = []
        for step in zip(*rows, strict=True):
            inner = dict(zip(self.body.input_names, [*states, *step], strict=True))
            made = self._run_body({**(context or {}), **inner})
            states, further = list(made[: len(states)]), made[len(states) :]
            seen.append(further)
        results = list(zip(*seen, strict=True))  # the evaluator tells no types of what never runs
        axes = settings["scan_output_axes"] or [0] * len(results)
        ways = settings["scan_output_directions"] or [0] * len(results)
        stacked = [np.moveaxis(_directed(np.stack(each), way), 0, axis)
                   for each, axis, way in zip(results, axes, ways, strict=True)]  # fmt: skip
        return (*states, *stacked)


def _directed(x: Numbers, backwards: int) -> Numbers:
    return x[::-1] if backwards else x


class GlobalMaxPool(OpRun):  # type: ignore[misc]
    """The evaluator's own takes two spatial axes for granted."""

    op_domain = ""

    def _run(self, x: Numbers) -> tuple[Numbers]:
        return (x.max(axis=tuple(range(2, x.ndim)), keepdims=True),)


def _windows(
    x: Numbers, fold: Callable[..., Numbers], fill: tuple[float, float], settings: Mapping[str, Any]
) -> Numbers:
    """Windows folded axis by axis; padding is filled with the first number, what a last window lacks with the other."""
    rank = x.ndim - 2
    kernel, pads = settings["kernel_shape"], settings["pads"] or [0] * (2 * rank)
    strides, dilations = settings["strides"] or [1] * rank, settings["dilations"] or [1] * rank
    assert settings["auto_pad"] == "NOTSET"
    counts, lacking = [], []
    for at in range(rank):
        span, length = dilations[at] * (kernel[at] - 1) + 1, x.shape[2 + at]
        room = length + pads[at] + pads[rank + at] - span
        count = room // strides[at] + 1
        # a last window that is not whole, unless it begins behind the entries
        if settings["ceil_mode"] and room % strides[at] and count * strides[at] < length + pads[at]:
            count += 1
        counts.append(count)
        lacking.append((0, max(0, (count - 1) * strides[at] - room)))
    around = list(zip(pads[:rank], pads[rank:], strict=True))
    for sides, number in zip((around, lacking), fill, strict=True):
        x = np.pad(x, [(0, 0), (0, 0), *sides], constant_values=number)
    for at, count in enumerate(counts):
        starts = np.arange(count) * strides[at]
        x = fold([np.take(x, starts + dilations[at] * k, 2 + at) for k in range(kernel[at])], 0)
    return x


class MaxPool(OpRun):  # type: ignore[misc]
    """The evaluator's own takes padding for entries, and has another shape where it rounds up."""

    op_domain = ""

    def _run(self, x: Numbers, **settings: Any) -> tuple[Numbers]:
        return (_windows(x, np.max, (-np.inf, -np.inf), settings).astype(x.dtype),)


class AveragePool(OpRun):  # type: ignore[misc]
    """The evaluator's own fails where the padding makes an axis long enough for the window."""

    op_domain = ""

    def _run(self, x: Numbers, **settings: Any) -> tuple[Numbers]:
        counted = _windows(np.ones_like(x), np.sum, (float(settings["count_include_pad"]), 0.0), settings)
        return ((_windows(x, np.sum, (0.0, 0.0), settings) / counted).astype(x.dtype),)


class ConvTranspose(op_conv_transpose.ConvTranspose):  # type: ignore[misc]
    """The evaluator's own puts one channel where a group has several."""

    op_domain = ""

    def _run(self, x: Numbers, w: Numbers, bias: Numbers | None = None, **settings: Any) -> tuple[Numbers]:
        group = settings.pop("group") or 1
        biases = [None] * group if bias is None else np.split(bias, group)
        parts = zip(np.split(x, group, 1), np.split(w, group), biases, strict=True)
        made = [super(ConvTranspose, self)._run(*part, group=1, **settings)[0] for part in parts]
        return (np.concatenate(made, 1),)


MENDED: tuple[type[OpRun], ...] = (
    Erf,
    GridSample,
    LogSoftmax,
    Resize,
    Scan,
    GlobalMaxPool,
    MaxPool,
    AveragePool,
    ConvTranspose,
)
