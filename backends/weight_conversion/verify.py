"""Runs a model and what passes made of it on the same inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor, nn

from ogive.backends.compared.compare import UNIT, judged
from ogive.backends.compared.flat import taking_flat
from ogive.backends.compared.inputs import KINDS, drawn, in_type, module_in, moved, specs
from ogive.backends.compared.order import FirstFirst
from ogive.backends.pytorch.module.module import build
from ogive.backends.weight_conversion.run import convert
from ogive.compiler.ir.model import Model
from ogive.compiler.ir.substitute import type_in_sizes
from ogive.compiler.ir_tools.open_sizes import open_sizes, unfit_names, unfit_numbers
from ogive.compiler.passes.conversion.graph import Conversion
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.sizes import TRUE, Size, Unknown, size

CANDIDATES = (8, 16, 32, 64, 128, 224, 256, 7, 1)
EXACT = 1e-10  # what a pass that is exact in arithmetic keeps in float64
CLOSE = 1e-6  # what it may lose in float32, if that is more than twice what the source loses
GIVEN = "given"  # inputs that the caller has chosen


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far a result is from its source: in float64, and each in float32 from the source in float64.

    `faults` say where that is more than rounding; `missed` are the outputs that were never compared, since nothing in
    them is a number. Of a `lossy` pass it is what is lost, and `tolerance` what may be.
    """

    absolute: float
    relative: float
    source32: float
    result32: float
    faults: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    compared: bool = True
    lossy: str = ""
    tolerance: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether it holds in float64, and float32 loses at most twice what the source itself loses."""
        return self.compared and not self.faults

    @property
    def within(self) -> bool:
        """Whether it is exact, or what is lost is no more than the pass may lose."""
        return self.exact or bool(self.lossy and self.compared and self.relative <= self.tolerance)

    def __str__(self) -> str:
        if self.lossy:
            return (
                f"{self.lossy} is lossy: {self.relative:.1e} of the largest number of an output are lost, "
                f"{self.absolute:.1e} at most"
            )
        text = (
            f"float64: {self.absolute:.1e} absolute, {self.relative:.1e} relative; "
            f"float32 from float64: source {self.source32:.1e}, result {self.result32:.1e}"
        )
        more = [f"not compared, since nothing there is a number in any of these runs: {', '.join(self.missed)}"]
        return "\n".join([text, *self.faults, *(more if self.missed else [])])


@dataclass(frozen=True, slots=True)
class _Run:
    """What both forms give of the same inputs: in float64, in float32, and the source a rounding of each away."""

    kind: str
    exact: list[Tensor]
    mine: list[Tensor]
    theirs32: list[Tensor]
    mine32: list[Tensor]
    near: list[Tensor]
    near32: list[Tensor]


def verify(
    conversion: Conversion, state: Mapping[str, Tensor],
    inputs: Sequence[Tensor] = (), sizes: Mapping[str, int] | None = None, seed: int = 0,
    kinds: Sequence[str] = KINDS,
) -> Deviation:  # fmt: skip
    """Compare the source of a conversion with its result.

    Inputs are of every kind (`compared.inputs`) at these sizes, or at small ones that meet the conditions.
    """
    state = {path: tensor.detach().cpu() for path, tensor in state.items()}
    source, result = conversion.source, conversion.result
    fixed = fixed_sizes(source, result)
    for name, number in (sizes or {}).items():
        if fixed.get(name, number) != number:
            raise PassError("E0810", f"`{name}` is {fixed[name]} in the result, not {number}")
    if inputs:
        sets = [(GIVEN, list(inputs))]
    else:
        generator = torch.Generator().manual_seed(seed)
        sets = [(kind, inputs_of(source, {**(sizes or {}), **fixed}, kind, generator)) for kind in kinds]
    return _difference(source, _runs(source, result, state, convert(conversion, state, None), sets))


def _runs(
    source: Model, result: Model, state: Mapping[str, Tensor], weights: Mapping[str, Tensor],
    sets: Sequence[tuple[str, list[Tensor]]],
) -> list[_Run]:  # fmt: skip
    """Inputs at which the source itself stops, as at a division of integers by 0, are left out."""
    generator = torch.Generator().manual_seed(0)
    first = _module(source, state, torch.float64)
    sets = [each for each in sets if _runs_on(first, _typed(source, each[1], torch.float64))] if len(sets) > 1 else sets
    wide, narrow = ([_typed(source, xs, dtype) for _, xs in sets] for dtype in (torch.float64, torch.float32))
    found = [[_outputs(first, xs) for xs in wide]]
    for model, numbers, dtype, given in (
        (result, weights, torch.float64, wide), (source, state, torch.float32, narrow),
        (result, weights, torch.float32, narrow),
    ):  # fmt: skip
        module = _module(model, numbers, dtype)
        found.append([_outputs(module, xs) for xs in given])
    for dtype in (torch.float64, torch.float32):
        for weight in (*first.parameters(), *first.buffers()):
            weight.data = moved(weight.data, UNIT[dtype], generator)
        found.append([_outputs(first, [moved(x, UNIT[dtype], generator) for x in xs]) for xs in wide])
    return [_Run(kind, *outputs) for (kind, _), *outputs in zip(sets, *found, strict=True)]


def _typed(model: Model, inputs: Sequence[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """Inputs as a model of this float type takes them; those that it may go without are all there, or none is."""
    block = model.definition
    values = [v for v, optional in zip(block.graph.inputs, block.optional, strict=True) if not optional]
    asked = block.graph.inputs if len(inputs) > len(values) else values
    return [in_type(x, dtype, value.type.elem) for x, value in zip(inputs, asked, strict=True)]


def _runs_on(module: nn.Module, inputs: Sequence[Tensor]) -> bool:
    try:
        _outputs(module, inputs)
    except (RuntimeError, ValueError, IndexError):
        return False
    return True


def _difference(source: Model, runs: Sequence[_Run]) -> Deviation:
    if not runs:
        return Deviation(inf, inf, inf, inf, (f"{source.name} stops on all inputs",), (), False)
    count = len(runs[0].exact)
    names = [name or f"output {at}" for at, name in enumerate(source.definition.output_names)][:count]
    faults: dict[str, None] = {}
    seen = [False] * count
    largest = [0.0] * 4
    for run in runs:
        usual = run.kind in (KINDS[0], GIVEN)  # there rounding of the inputs is no excuse
        rows = zip(run.exact, run.mine, run.theirs32, run.mine32, run.near, run.near32, strict=True)
        for at, (exact, mine, theirs32, mine32, near, near32) in enumerate(rows):
            checks = {
                "float64": judged(mine, exact, exact, [] if usual else [near], EXACT),
                "float32": judged(mine32, theirs32, exact, [] if usual else [near32], CLOSE),
            }
            for name, check in checks.items():
                if check.fault:
                    faults[f"{names[at]}: {check.fault}, in {name}, on inputs that are {run.kind}"] = None
            seen[at] = seen[at] or checks["float64"].compared
            numbers = (_gap(mine, exact), checks["float64"].apart, _share(theirs32, exact), _share(mine32, exact))
            if checks["float64"].compared or checks["float64"].fault:
                largest = [max(a, b) for a, b in zip(largest, numbers, strict=True)]
    missed = tuple(name for name, was in zip(names, seen, strict=True) if not was)
    absolute, relative, source32, result32 = largest
    return Deviation(absolute, relative, source32, result32, tuple(faults), missed, any(seen))


def _gap(got: Tensor, exact: Tensor) -> float:
    """The largest difference of numbers."""
    if got.is_complex():
        got, exact = torch.view_as_real(got.resolve_conj()), torch.view_as_real(exact.resolve_conj())
    both = got.isfinite() & exact.isfinite()
    return float((got.double() - exact.double()).abs()[both].max()) if both.any() else 0.0


def _share(got: Tensor, exact: Tensor) -> float:
    """The same, as a share of the largest number: each output is measured by itself."""
    top = torch.view_as_real(exact.resolve_conj()) if exact.is_complex() else exact
    top = top.double().abs()[top.isfinite()]
    return _gap(got, exact) / ((float(top.max()) if top.numel() else 0.0) or 1.0)


def _module(model: Model, state: Mapping[str, Tensor], dtype: torch.dtype) -> nn.Module:
    module = taking_flat(module_in(build(model), dtype), model)
    module.load_state_dict(dict(state))
    return module


def _outputs(module: nn.Module, inputs: Sequence[Tensor]) -> list[Tensor]:
    with torch.no_grad(), FirstFirst():
        made = module(*inputs)
    return [made] if isinstance(made, Tensor) else [y for y in made if isinstance(y, Tensor)]


def fixed_sizes(source: Model, result: Model) -> dict[str, int]:
    """The sizes that passes have made numbers: at those the result is defined."""
    sides = zip(source.definition.graph.inputs, result.definition.graph.inputs, strict=True)
    pairs = [pair for a, b in sides for pair in zip(a.type.axes, b.type.axes, strict=True)]
    bound = dict(source.bindings)
    open_ = {size(unknown): unknown.name for unknown in source.definition.sizes if unknown not in bound}
    return {open_[a.size]: b.size.number for a, b in pairs if a.size in open_ and b.size.is_number}


def random_inputs(model: Model, sizes: Mapping[str, int], seed: int = 0) -> list[Tensor]:
    """Normal tensors, and integers that the program can take, for every input that is not optional."""
    return inputs_of(model, sizes, KINDS[0], torch.Generator().manual_seed(seed))


def inputs_of(model: Model, sizes: Mapping[str, int], kind: str, generator: torch.Generator) -> list[Tensor]:
    """Inputs of a kind for every input that is not optional; floats in float64."""
    definition = model.definition
    known = _sizes(model, sizes)
    bound: dict[Unknown, Size] = {u: size(n) for u, n in (*model.bindings, *known.items())}
    types = [type_in_sizes(value.type, bound) for value in definition.graph.inputs]
    asked = zip(specs(model, types, {}, bound), definition.optional, strict=True)
    return [drawn(spec, kind, generator) for spec, optional in asked if not optional]


def _sizes(model: Model, given: Mapping[str, int]) -> dict[Unknown, int]:
    """Sizes that meet the conditions: the first candidate for all that are not given."""
    fixed = {u: size(n) for u, n in model.bindings}
    unknowns = open_sizes(model)
    if said := unfit_names(model, given) or unfit_numbers(model, given):
        raise PassError("E0810", said)
    for number in CANDIDATES:
        trial = {u: given.get(u.name, 2 if u.name == "b" else max(number, u.low or 0)) for u in unknowns}
        bound = {**fixed, **{u: size(n) for u, n in trial.items()}}
        if all(condition.subs(bound) == TRUE for condition in model.conditions):
            return trial
    raise PassError("E0811", f"{model.name}: give sizes that meet its conditions: {', '.join(map(str, unknowns))}")
