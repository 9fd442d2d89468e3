"""Runs a conversion on a state dict: in float64, then cast to the type of the main source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import torch
from torch import Tensor, nn

from ogive.backends.pytorch.emit import emit
from ogive.backends.pytorch.module import build
from ogive.backends.weights.maps import identity
from ogive.backends.weights.paths import slots
from ogive.backends.weights.plan import plan
from ogive.compiler.ir import Model
from ogive.compiler.passes.conversion import Conversion
from ogive.compiler.weights import WeightInfo, weights

SOURCE = "source"  # the type of the tensor that a weight mainly comes from


def convert(
    conversion: Conversion, state: Mapping[str, Tensor], dtype: torch.dtype | str | None = SOURCE
) -> dict[str, Tensor]:
    """The weights of the result from those of the source. `dtype=None` keeps float64.

    Raises `ArchError` where the state dict has missing, extra or misshapen weights.
    """
    shapes = {path: slot.shape for path, slot in slots(conversion.source).items()}
    plan(identity(), shapes, {name: tuple(tensor.shape) for name, tensor in state.items()})
    exact = {name: _exact(tensor) for name, tensor in state.items()}
    found = dict(_computed(conversion, exact))
    infos = {info.path: info for info in weights(conversion.source)}
    for _, path in conversion.kept:
        found.update((name, exact[name]) for name in infos[path].paths())
    return {path: _cast(found[path], path, state, dtype) for path in slots(conversion.result)}


def _exact(tensor: Tensor) -> Tensor:
    return tensor.detach().to(torch.float64) if tensor.is_floating_point() else tensor.detach()


def _computed(conversion: Conversion, exact: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    if conversion.is_identity:
        return
    model = Model(conversion.definition.name, conversion.definition, (), ())
    module = build(model, device="meta")
    needed = {name: exact[name] for name in module.state_dict()}
    module.load_state_dict(needed, assign=True)
    with torch.no_grad():
        made = module.eval()()
    outputs = (made,) if isinstance(made, Tensor) else tuple(made)
    infos = {info.path: info for info in weights(conversion.result)}
    for path, tensor in zip(conversion.targets, outputs, strict=True):
        yield from _turns(infos[path], tensor)


def _turns(info: WeightInfo, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """One tensor for each turn of its loops."""
    for path, turn in zip(info.paths(), product(*map(range, info.turns)), strict=True):
        yield path, tensor[turn].clone() if turn else tensor


def _cast(tensor: Tensor, path: str, state: Mapping[str, Tensor], dtype: torch.dtype | str | None) -> Tensor:
    if not tensor.is_floating_point() or dtype is None:
        return tensor.contiguous()
    if isinstance(dtype, torch.dtype):
        return tensor.to(dtype).contiguous()
    source = state[path] if path in state else next(t for t in state.values() if t.is_floating_point())
    return tensor.to(source.dtype).contiguous()


def converted(
    conversions: Sequence[Conversion], state: Mapping[str, Tensor], dtype: torch.dtype | str | None = SOURCE
) -> dict[str, Tensor]:
    """Several conversions after one another, in float64 throughout; cast once."""
    exact = dict(state)
    for step in conversions:
        exact = convert(step, exact, None)
    if dtype is None or not conversions:
        return exact
    return {path: _cast(tensor, path, state, dtype) for path, tensor in exact.items()}


def source_of(conversion: Conversion) -> str:
    """The conversion as a Python module that needs torch alone."""
    return emit(Model(conversion.definition.name, conversion.definition, (), ()))


def module_of(conversion: Conversion) -> nn.Module:
    """The conversion as a module: its parameters are weights of the source, its outputs those of the result."""
    return build(Model(conversion.definition.name, conversion.definition, (), ()))
