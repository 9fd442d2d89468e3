"""Nodes whose inputs are constants, computed while the graph is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ogive.backends.onnx_model.graph.elems import NUMPY, OF_NUMPY, ONNX, dense

LARGEST = 1 << 16  # numbers that are stored rather than computed
Attrs = Mapping[str, Any]
Fold = Callable[[Attrs, Sequence[np.ndarray]], np.ndarray | Sequence[np.ndarray]]
OF_ONNX = {elem: dtype for dtype, elem in OF_NUMPY.items()}


def elementwise(function: Callable[..., Any]) -> Fold:
    """A function of numpy in the type of the first operand, or bool."""

    def fold(attrs: Attrs, xs: Sequence[np.ndarray]) -> np.ndarray:
        found = np.asarray(function(*xs))
        return found if found.dtype == np.bool_ else found.astype(xs[0].dtype)

    return fold


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Towards zero for integers."""
    if a.dtype.kind not in "iu":  # bfloat16 has a kind of its own
        return np.asarray(a / b)
    whole = np.abs(a) // np.abs(b)
    return np.asarray(whole * np.sign(a) * np.sign(b))


def _mod(attrs: Attrs, xs: Sequence[np.ndarray]) -> np.ndarray:
    """With `fmod` the remainder of a division towards zero."""
    return np.asarray((np.fmod if attrs.get("fmod") else np.mod)(xs[0], xs[1])).astype(xs[0].dtype)


def _where(attrs: Attrs, xs: Sequence[np.ndarray]) -> np.ndarray:
    return np.where(xs[0], xs[1], xs[2]).astype(xs[1].dtype)


def _cast(attrs: Attrs, xs: Sequence[np.ndarray]) -> np.ndarray:
    found: np.ndarray = xs[0].astype(OF_ONNX[attrs["to"]])
    return found


def _reshape(attrs: Attrs, xs: Sequence[np.ndarray]) -> np.ndarray:
    copied = not attrs.get("allowzero")
    shape = [xs[0].shape[i] if entry == 0 and copied else int(entry) for i, entry in enumerate(xs[1])]
    return xs[0].reshape(shape)


def _transpose(attrs: Attrs, xs: Sequence[np.ndarray]) -> np.ndarray:
    return dense(xs[0].transpose(attrs["perm"]))


def _unsqueeze(attrs: Attrs, xs: Sequence[np.ndarray]) -> np.ndarray:
    return np.expand_dims(xs[0], tuple(int(axis) for axis in xs[1]))


def _squeeze(attrs: Attrs, xs: Sequence[np.ndarray]) -> np.ndarray:
    return xs[0].squeeze(tuple(int(axis) for axis in xs[1]))


def _concat(attrs: Attrs, xs: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(xs, attrs["axis"])


def _slice(attrs: Attrs, xs: Sequence[np.ndarray]) -> np.ndarray:
    index = [slice(None)] * xs[0].ndim
    steps = xs[4] if len(xs) > 4 else np.ones_like(xs[1])
    for start, stop, axis, step in zip(xs[1], xs[2], xs[3], steps, strict=True):
        last = None if step < 0 and stop < -xs[0].shape[axis] else int(stop)
        index[int(axis)] = slice(int(start), last, int(step))
    return dense(xs[0][tuple(index)])


def _gather(attrs: Attrs, xs: Sequence[np.ndarray]) -> np.ndarray:
    return np.asarray(np.take(xs[0], xs[1], attrs.get("axis", 0)))


def _expand(attrs: Attrs, xs: Sequence[np.ndarray]) -> np.ndarray:
    shape = np.broadcast_shapes(xs[0].shape, tuple(int(entry) for entry in xs[1]))
    return dense(np.broadcast_to(xs[0], shape))


def _split(attrs: Attrs, xs: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    if len(xs) > 1:
        return np.split(xs[0], np.cumsum(xs[1])[:-1], attrs["axis"])
    return np.split(xs[0], attrs["num_outputs"], attrs["axis"])


FOLDS: Mapping[str, Fold] = {
    "Add": elementwise(np.add), "Sub": elementwise(np.subtract), "Mul": elementwise(np.multiply),
    "Div": elementwise(_divide), "Mod": _mod, "Neg": elementwise(np.negative),
    "Abs": elementwise(np.abs), "Min": elementwise(np.minimum), "Max": elementwise(np.maximum),
    "Pow": elementwise(np.power),
    "Sqrt": elementwise(np.sqrt), "Exp": elementwise(np.exp), "Log": elementwise(np.log),
    "Reciprocal": elementwise(np.reciprocal), "Floor": elementwise(np.floor), "Sign": elementwise(np.sign),
    "Sin": elementwise(np.sin), "Cos": elementwise(np.cos), "Tanh": elementwise(np.tanh),
    "Equal": elementwise(np.equal), "Less": elementwise(np.less), "LessOrEqual": elementwise(np.less_equal),
    "Greater": elementwise(np.greater), "GreaterOrEqual": elementwise(np.greater_equal),
    "And": elementwise(np.logical_and), "Or": elementwise(np.logical_or), "Not": elementwise(np.logical_not),
    "Where": _where, "Cast": _cast, "Reshape": _reshape, "Transpose": _transpose, "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze, "Concat": _concat, "Slice": _slice, "Gather": _gather, "Expand": _expand, "Split": _split,
}  # fmt: skip


def folded(op: str, attrs: Attrs, xs: Sequence[np.ndarray]) -> tuple[np.ndarray, ...] | None:
    """The results of a node on these constants, where it is known here and they stay small."""
    if op not in FOLDS or any(x.size > LARGEST for x in xs):
        return None
    if op == "Expand" and np.prod([max(1, int(entry)) for entry in xs[1]]) * xs[0].size > LARGEST:
        return None
    with np.errstate(all="ignore"):
        found = FOLDS[op](attrs, xs)
    results = (found,) if isinstance(found, np.ndarray) else tuple(found)
    return results if all(result.size <= LARGEST for result in results) else None


def overflows(op: str, attrs: Attrs, xs: Sequence[np.ndarray], results: Sequence[np.ndarray]) -> bool:
    """Whether a result in halves is infinite where float32 would have a number."""
    halves = (NUMPY["f16"], NUMPY["bf16"])
    if not any(x.dtype in halves and np.isinf(x).any() for x in results):
        return False
    wide = [x.astype(np.float32) if x.dtype in halves else x for x in xs]
    told = {**attrs, "to": ONNX["f32"]} if "to" in attrs else attrs
    found = folded(op, told, wide) or ()
    return any(bool((np.isinf(x) & np.isfinite(y)).any()) for x, y in zip(results, found, strict=False))
