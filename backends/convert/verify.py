"""Runs a model and what passes made of it on the same random inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor, nn

from ogive.backends.convert.run import convert
from ogive.backends.pytorch.module import build
from ogive.compiler.ir import Model
from ogive.compiler.passes.conversion import Conversion
from ogive.compiler.passes.deploy_passed import PassError
from ogive.compiler.sizes import TRUE, Unknown, size
from ogive.compiler.types import TensorType

CANDIDATES = (8, 16, 32, 64, 128, 224, 256, 7, 1)
EXACT = 1e-10  # what a pass that is exact in arithmetic keeps in float64


@dataclass(frozen=True, slots=True)
class Difference:
    """How far a result is from its source: in float64, and each in float32 from the source in float64."""

    absolute: float
    relative: float
    source32: float
    result32: float

    @property
    def exact(self) -> bool:
        """Whether it holds in float64, and float32 loses at most twice what the source itself loses."""
        return self.relative <= EXACT and self.result32 <= max(2 * self.source32, 1e-6)

    def __str__(self) -> str:
        return (
            f"float64: {self.absolute:.1e} absolute, {self.relative:.1e} relative; "
            f"float32 from float64: source {self.source32:.1e}, result {self.result32:.1e}"
        )


def verify(
    conversion: Conversion, state: Mapping[str, Tensor],
    inputs: Sequence[Tensor] = (), sizes: Mapping[str, int] | None = None, seed: int = 0,
) -> Difference:  # fmt: skip
    """Compare the source of a conversion with its result.

    Inputs are random at these sizes, or at small ones that meet the conditions.
    """
    state = {path: tensor.detach().cpu() for path, tensor in state.items()}
    source, result = conversion.source, conversion.result
    fixed = _fixed(source, result)
    for name, number in (sizes or {}).items():
        if fixed.get(name, number) != number:
            raise PassError("E0810", f"`{name}` is {fixed[name]} in the result, not {number}")
    given = list(inputs) or random_inputs(source, {**(sizes or {}), **fixed}, seed)
    weights = convert(conversion, state, None)
    exact = _run(source, state, given, torch.float64)
    mine = _run(result, weights, given, torch.float64)
    theirs32, mine32 = _run(source, state, given, torch.float32), _run(result, weights, given, torch.float32)
    relative = [max(_relative(*pair) for pair in zip(exact, ys, strict=True)) for ys in (mine, theirs32, mine32)]
    return Difference(max(_gap(*pair) for pair in zip(exact, mine, strict=True)), *relative)


def _gap(x: Tensor, y: Tensor) -> float:
    """The largest difference; endless where one of both is no number, none where both are the same infinity."""
    y = y.to(x.dtype)
    apart = (x - y).abs().double().nan_to_num(nan=inf, posinf=inf)
    return float(apart.masked_fill(x == y, 0).max()) if x.numel() else 0.0


def _relative(x: Tensor, y: Tensor) -> float:
    """The gap by the largest number that x has: each output is measured by itself."""
    top = x.abs().double().masked_fill(~x.isfinite(), 0)
    return _gap(x, y) / (float(top.max()) or 1.0) if x.numel() else 0.0


def _run(model: Model, state: Mapping[str, Tensor], inputs: Sequence[Tensor], dtype: torch.dtype) -> list[Tensor]:
    module: nn.Module = build(model).to(dtype).eval()
    module.load_state_dict(dict(state))
    with torch.no_grad():
        made = module(*(x.to(dtype) if x.is_floating_point() else x for x in inputs))
    outputs = [made] if isinstance(made, Tensor) else [y for y in made if isinstance(y, Tensor)]
    parts = [torch.view_as_real(y) if y.is_complex() else y for y in outputs]
    return [y.to(torch.float64) if y.is_floating_point() else y.long() for y in parts]


def _fixed(source: Model, result: Model) -> dict[str, int]:
    """The sizes that passes have made numbers: at those the result is defined."""
    sides = zip(source.definition.graph.inputs, result.definition.graph.inputs, strict=True)
    pairs = [pair for a, b in sides for pair in zip(a.type.axes, b.type.axes, strict=True)]
    bound = dict(source.bindings)
    open_ = {size(unknown): unknown.name for unknown in source.definition.sizes if unknown not in bound}
    return {open_[a.size]: b.size.number for a, b in pairs if a.size in open_ and b.size.is_number}


def random_inputs(model: Model, sizes: Mapping[str, int], seed: int = 0) -> list[Tensor]:
    """Normal tensors, and integers of 0 and 1, for every input that is not optional."""
    definition = model.definition
    known = _sizes(model, sizes)
    generator = torch.Generator().manual_seed(seed)
    bound = {u: size(n) for u, n in (*model.bindings, *known.items())}
    inputs = zip(definition.graph.inputs, definition.optional, strict=True)
    return [_random(value.type, bound, generator) for value, optional in inputs if not optional]


def _random(type: TensorType, bound: Mapping[Unknown, object], generator: torch.Generator) -> Tensor:
    shape = [axis.size.subs(bound).number for axis in type.axes]  # type: ignore[arg-type]
    if type.floating:
        return torch.randn(shape, generator=generator, dtype=torch.float64)
    if type.elem == "complex":
        return torch.randn(shape, generator=generator, dtype=torch.complex128)
    whole = torch.randint(0, 2, shape, generator=generator)
    return whole.bool() if type.elem == "bool" else whole


def _sizes(model: Model, given: Mapping[str, int]) -> dict[Unknown, int]:
    """Sizes that meet the conditions: the first candidate for all that are not given."""
    fixed = {u: size(n) for u, n in model.bindings}
    unknowns = [u for u in model.definition.sizes if u not in fixed]
    for name, number in given.items():
        unknown = next((u for u in unknowns if u.name == name), None)
        if unknown is None:
            known = ", ".join(u.name for u in unknowns) or "none"
            raise PassError("E0810", f"{model.name} has no open size `{name}`; it has {known}")
        if isinstance(number, bool) or not isinstance(number, int) or number < (unknown.low or 0):
            raise PassError("E0810", f"`{name}` is a size of at least {unknown.low}, not {number}")
    for number in CANDIDATES:
        trial = {u: given.get(u.name, 2 if u.name == "b" else max(number, u.low or 0)) for u in unknowns}
        bound = {**fixed, **{u: size(n) for u, n in trial.items()}}
        if all(condition.subs(bound) == TRUE for condition in model.conditions):
            return trial
    raise PassError("E0811", f"{model.name}: give sizes that meet its conditions: {', '.join(map(str, unknowns))}")
