"""ONNX Runtime against torch on the same inputs: the one place of this backend that needs either."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ogive.backends.compared.compare import BASE, UNIT, Judged, judged
from ogive.backends.compared.flat import taking_flat
from ogive.backends.compared.inputs import KINDS, drawn, in_type, module_in, moved, specs
from ogive.backends.compared.order import FirstFirst
from ogive.backends.onnx_model.export import Settings, bound_sizes
from ogive.backends.onnx_model.graph.elems import NUMPY
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.lower.specialize import Sizes
from ogive.backends.onnx_model.report import Compared, Report
from ogive.backends.onnx_model.runs import RunError, Runner
from ogive.compiler.ir.model import Model
from ogive.compiler.passes.pipelines.phases import live
from ogive.compiler.sizes import Facts, Unknown, size
from ogive.compiler.sizes.sample import samples

TRIES = 3  # how many choices of sizes are compared
TAPS = "taps/"  # before the names of outputs that show taps
APART = 17  # of the smallest choices that satisfy the conditions, every so many-th


class Incomparable(OnnxError):
    """Two runs of the model differ by themselves (E0813)."""

    code = "E0813"


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


def inputs(
    model: Model, sizes: Sizes, values: Mapping[Unknown, int], kind: str, generator: torch.Generator,
    dtype: torch.dtype = torch.float32, optional: Sequence[str] = (),
) -> list[Tensor | None]:  # fmt: skip
    """Inputs of a kind at these sizes; None for optional ones that are not named."""
    block = model.definition
    own = {unknown: size(value.at(values)) for unknown, value in sizes.unknowns.items()}
    asked = specs(model, [sizes.type(value.type) for value in block.graph.inputs], values, own)
    absent = [o and (v.hint or v.name) not in optional for v, o in zip(block.graph.inputs, block.optional, strict=True)]
    narrow = dtype is torch.float16
    return [
        None if left_out else in_type(drawn(spec, kind, generator, narrow=narrow), dtype, spec.elem)
        for spec, left_out in zip(asked, absent, strict=True)
    ]


def compared(model: Model, file: Path, module: nn.Module, settings: Settings) -> Report:
    """The file and the module on inputs of every kind, at a few sizes that meet the conditions.

    The module is asked in the float type of the file, in float64, and there once more with inputs and weights that
    are a rounding away. Raises `Incomparable` for a model that draws numbers, of which two runs differ.
    """
    if (node := live(model)) is not None:
        raise Incomparable(f"`{node.op}` draws numbers when it is used: two runs cannot be compared", node.span)
    dtype = _floating(module, settings)
    runner, sizes = Runner(file, dtype), Sizes(*bound_sizes(model, settings))
    taps = [name.removeprefix(TAPS) for name in runner.outputs if name.startswith(TAPS)]
    generator, places = torch.Generator().manual_seed(0), choices(model, sizes)
    given = []
    for number, kind in enumerate(KINDS):
        at = places[number % len(places)]
        xs = inputs(model, sizes, at, kind, generator, dtype, settings.optional)
        given.append(_Case(at, kind, xs, [value.type.elem for value in model.definition.graph.inputs]))
    there = taking_flat(module_in(module, dtype), model)
    exact, cases = there, _that_run(there, given, taps)
    if not cases:  # as of complex numbers, which torch has no kernels for in narrow types
        there = module_in(there, torch.float32)
        cases = _that_run(there, [replace(case, inputs=_in(case, torch.float32)) for case in given], taps)
    if not cases:
        raise OnnxError("the module stops on all inputs; there is nothing to compare")
    ours = [_of_file(runner, case, dtype) for case, _ in cases]
    coarse = torch.float32 if runner.in_float32 and dtype is torch.float64 else dtype
    exact = module_in(exact, torch.float64)
    wide = [_in(case, torch.float64) for case, _ in cases]
    wanted = [_run(exact, xs, taps) for xs in wide]
    for weight in (*exact.parameters(), *exact.buffers()):
        weight.data = moved(weight.data, UNIT[coarse], generator)
    near = [[None if x is None else moved(x, UNIT[coarse], generator) for x in xs] for xs in wide]
    others = [_run(exact, xs, taps) for xs in near]
    runs = []
    for (case, expected), found, *results in zip(cases, ours, wanted, others, strict=True):
        shown = {unknown.name: number for unknown, number in case.sizes.items()}
        if isinstance(found, Judged):
            runs.append(Compared(shown, case.kind, {"the file": found}))
            continue
        pairs = zip(runner.outputs, found, expected, *results, strict=True)
        outputs = {name: judged(_like(got, y), y, z, [w], BASE[coarse]) for name, got, y, z, w in pairs}
        runs.append(Compared(shown, case.kind, outputs))
    return Report(tuple(runs), runner.by)


@dataclass(frozen=True, slots=True)
class _Case:
    """Inputs at which both are compared."""

    sizes: Mapping[Unknown, int]
    kind: str
    inputs: list[Tensor | None]
    elems: list[str]


def _in(case: _Case, dtype: torch.dtype) -> list[Tensor | None]:
    pairs = zip(case.inputs, case.elems, strict=True)
    return [None if x is None else in_type(x, dtype, elem) for x, elem in pairs]


def _that_run(module: nn.Module, cases: Sequence[_Case], taps: Sequence[str]) -> list[tuple[_Case, list[Tensor]]]:
    """With what the module gives; without those at which it stops, as at a division of integers by 0."""
    found = []
    for case in cases:
        with warnings.catch_warnings(), suppress(RuntimeError, ValueError, IndexError):
            warnings.simplefilter("ignore")  # that complex numbers of two halves are an experiment
            found.append((case, _run(module, case.inputs, taps)))
    return found


def _of_file(runner: Runner, case: _Case, dtype: torch.dtype) -> list[np.ndarray] | Judged:
    """What the file gives, or why it does not."""
    try:
        return runner.run([_fed(x, dtype) for x in _in(case, dtype) if x is not None])
    except RunError as error:
        return Judged(inf, f"stops: {error}", False)


def _floating(module: nn.Module, settings: Settings) -> torch.dtype:
    """The float type of the file, as torch's."""
    weights = (*module.parameters(), *module.buffers())
    kinds = {p.dtype for p in weights if p.is_floating_point()} or {p.real.dtype for p in weights if p.is_complex()}
    own = kinds.pop() if len(kinds) == 1 else torch.float32
    return {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32, "f64": torch.float64}.get(
        settings.dtype or "", own
    )


def _run(module: nn.Module, inputs: Sequence[Tensor | None], taps: Sequence[str]) -> list[Tensor]:
    """What there is of a module's outputs, and behind them what taps show."""
    with torch.no_grad(), FirstFirst():
        found, seen = module(*inputs, taps=taps) if taps else (module(*inputs), {})
    outputs = found if isinstance(found, tuple | list) else (found,)
    return [*(y for y in outputs if y is not None), *(seen[tap] for tap in taps)]


def _fed(x: Tensor, dtype: Any) -> np.ndarray:
    """What ONNX takes for a tensor: complex numbers are pairs."""
    if x.is_complex():
        x = torch.view_as_real(x.resolve_conj()).to(dtype)
    if x.dtype is torch.bfloat16:
        found: np.ndarray = x.float().numpy().astype(NUMPY["bf16"])
        return found
    array: np.ndarray = x.contiguous().numpy()
    return array


def _like(got: np.ndarray, expected: Tensor) -> Tensor:
    """What ONNX gives, as torch has it."""
    if got.dtype == NUMPY["bf16"]:
        got = got.astype(np.float32)
    found = torch.from_numpy(np.array(got))
    if expected.is_complex():
        found = torch.view_as_complex(found.to(torch.float64).contiguous())
    return found
