"""ONNX Runtime against torch on random inputs: the one place of this backend that needs either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ogive.backends.onnx_model.elems import NUMPY, concrete
from ogive.backends.onnx_model.errors import OnnxError
from ogive.backends.onnx_model.export import Settings, bound_sizes
from ogive.backends.onnx_model.specialize import Sizes
from ogive.backends.weights.kinds import OF_TORCH
from ogive.compiler.ir import Model
from ogive.compiler.sizes import Facts, Unknown
from ogive.compiler.sizes.sample import samples
from ogive.compiler.types import TensorType

if TYPE_CHECKING:
    from torch import Tensor, nn

TRIES = 3  # how many choices of sizes are compared
APART = 17  # of the smallest choices that satisfy the conditions, every so many-th


@dataclass(frozen=True, slots=True)
class Compared:
    """The largest difference of each output, relative to the largest number there or to 1, at these sizes."""

    sizes: Mapping[str, int]
    differences: Mapping[str, float]

    @property
    def largest(self) -> float:
        """Over all outputs."""
        return max(self.differences.values(), default=0.0)


def compared(model: Model, file: Path, module: nn.Module, settings: Settings) -> tuple[Compared, ...]:
    """The file and the module on the same random inputs, at a few sizes that meet the conditions."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    unknowns, packs = bound_sizes(model, settings)
    sizes = Sizes(unknowns, packs)
    found = [_at(model, session, module, sizes, values, settings) for values in choices(model, sizes)]
    return tuple(found)


def choices(model: Model, sizes: Sizes, count: int = TRIES) -> list[dict[Unknown, int]]:
    """Sizes that meet the conditions, small ones first."""
    conditions = [c.subs(sizes.unknowns) for c in (*model.definition.conditions, *model.conditions)]
    open_ = {u for value in sizes.unknowns.values() for u in value.unknowns}
    if not open_:
        return [{}]
    facts = Facts.of(conditions)
    found = list(islice(samples(facts.cases, conditions, open_), 0, APART * count, APART))
    if not found:
        raise OnnxError("no small sizes meet the conditions; give some to compare at")
    return found


def _at(
    model: Model, session: Any, module: nn.Module, sizes: Sizes, values: Mapping[Unknown, int], settings: Settings
) -> Compared:
    import torch

    generator = np.random.default_rng(0)
    kinds = {OF_TORCH[str(p.dtype).removeprefix("torch.")] for p in module.parameters() if p.is_floating_point()}
    kind = kinds.pop() if len(kinds) == 1 else "f32"
    tensors: list[Tensor | None] = []
    feeds: dict[str, Any] = {}
    names = iter(session.get_inputs())
    for value, optional in zip(model.definition.graph.inputs, model.definition.optional, strict=True):
        if optional and (value.hint or value.name) not in settings.optional:
            tensors.append(None)
            continue
        array = drawn(sizes.type(value.type), values, kind, generator)
        tensors.append(torch.from_numpy(array).to(getattr(torch, _torch_name(value.type.elem, kind))))
        feeds[next(names).name] = _fed(array, value.type.elem, settings.dtype or kind)
    module.eval()
    with torch.no_grad():
        expected = module(*tensors)
    outputs = [y for y in (expected if isinstance(expected, tuple | list) else (expected,)) if y is not None]
    got = session.run(None, feeds)[: len(outputs)]
    given = [output.name for output in session.get_outputs()]
    pairs = zip(given, got, outputs, strict=False)
    shown = {unknown.name: number for unknown, number in values.items()}
    return Compared(shown, {name: difference(ours, _plain(theirs)) for name, ours, theirs in pairs})


def drawn(type: TensorType, values: Mapping[Unknown, int], kind: str, generator: np.random.Generator) -> np.ndarray:
    """Numbers of a normal distribution; integers are 0 or 1, or 0 alone where some axis has no place 1 to speak of."""
    shape = [axis.size.at(values) for axis in type.axes]
    if type.elem == "complex":
        parts = generator.standard_normal((2, *shape), np.float32)
        return np.asarray(parts[0] + 1j * parts[1], np.complex64)
    if type.elem == "bool":
        return generator.random(shape) < 0.5
    dtype = NUMPY[concrete(type.elem, kind)]
    if dtype.kind in "iu":
        return generator.integers(0, min(2, *values.values(), 2), shape).astype(dtype)
    return generator.standard_normal(shape, np.float32)


def _torch_name(elem: str, kind: str) -> str:
    if elem == "complex":
        return "complex128" if kind == "f64" else "complex64"
    names = {"f16": "float16", "bf16": "bfloat16", "f32": "float32", "f64": "float64", "i32": "int32", "bool": "bool"}
    return names.get(concrete(elem, kind), "int64")


def _fed(array: np.ndarray, elem: str, kind: str) -> np.ndarray:
    """What ONNX Runtime takes for it: a complex number as a pair."""
    if elem == "complex":
        return np.stack([array.real, array.imag], -1).astype(NUMPY[kind])
    return array.astype(NUMPY[concrete(elem, kind)])


def _plain(tensor: Tensor) -> np.ndarray:
    if tensor.is_complex():
        array = tensor.resolve_conj().numpy()
        return np.stack([array.real, array.imag], -1)
    found: np.ndarray = (tensor.double() if tensor.is_floating_point() else tensor).numpy()
    return found


def difference(got: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, relative to the largest finite number expected, or to 1; infinite where shapes differ."""
    if got.shape != expected.shape:
        return float("inf")
    if not expected.size:
        return 0.0
    a, b = got.astype(np.float64), expected.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        gap = np.where(same, 0.0, np.abs(a - b))
    scale = np.abs(np.where(np.isfinite(b), b, 0.0)).max()
    return float(np.nan_to_num(gap, nan=np.inf).max() / max(1.0, scale))


def lines(found: Sequence[Compared]) -> list[str]:
    """What the command line shows."""
    shown = []
    for each in found:
        at = " ".join(f"{name}={number}" for name, number in each.sizes.items())
        parts = ", ".join(f"{name} {gap:.1e}" for name, gap in each.differences.items())
        shown.append(f"torch and ONNX Runtime differ by at most {each.largest:.1e} at {at or 'its sizes'} ({parts})")
    return shown
