"""The tape of a model for an analysis: its sizes, its weights and inputs as given, and what lies in the box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ogive.backends.analysis.subject import AnalysisSubject
from ogive.backends.analysis.tape.rules import TAPE_RULES
from ogive.backends.analysis.tape.steps import Tape
from ogive.backends.analysis.tape.unroll import TapeRule, unrolled
from ogive.compiler.ir.model import Value
from ogive.compiler.ir.types import FLOATS
from ogive.compiler.ir_tools.open_sizes import open_sizes
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.cleanup.simplify import simplify
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.passes.infra.dce import dead
from ogive.compiler.passes.vectorize.driver import vectorize_model
from ogive.compiler.sizes import Unknown

if TYPE_CHECKING:
    from ogive.compiler.analysis.frame.interpreter import UnknownOp


@dataclass(frozen=True, slots=True)
class BoxedModel:
    """A tape, the centre of each of its boxes, and what is unknown; `sizes` are those of the inputs as numbers."""

    tape: Tape
    centres: tuple[Tensor, ...]
    names: tuple[str, ...]
    unknown: tuple[UnknownOp, ...]
    sizes: Mapping[Unknown, int]


def boxed_model(
    subject: AnalysisSubject, analysis: str, boxed: str, table: Mapping[str, TapeRule] = TAPE_RULES
) -> BoxedModel:
    """The model as a tape. `boxed` names an input or a weight that lies in a box; "" for all inputs of floats.

    Inputs that are not given are 0. Raises PassError where a size, the data or the name is missing.
    """
    model = subject.model
    state = weights_of(subject)
    sizes = numbers(subject, analysis)
    inputs, names, centres = _inputs(subject, analysis, boxed, sizes, state)
    plain = vectorize_model(model, (simplify, dead))
    flat, origins = flattened(plain)
    with torch.no_grad():
        tape, unknown = unrolled(flat, inputs, state, sizes, boxed if boxed in state else "", table, origins)
    if boxed in state and not tape.boxes:
        raise PassError("E0810", f"`{boxed}` is not read by {model.name} in use")
    return BoxedModel(tape, centres, names, unknown, sizes)


def weights_of(subject: AnalysisSubject) -> dict[str, Tensor]:
    """The weights as they are given, or those of a fresh module."""
    if subject.weights is not None:
        return {path: tensor.detach().cpu() for path, tensor in subject.weights.items()}
    assert subject.module is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {path: tensor.detach().cpu() for path, tensor in subject.module().state_dict().items()}


def numbers(subject: AnalysisSubject, analysis: str) -> dict[Unknown, int]:
    """A number for each size: those that are given, and those that the data has. Raises PassError for what is open."""
    model = subject.model
    found = {**dict(model.bindings), **subject.sizes}
    for value in model.definition.graph.inputs:
        given = (subject.data or {}).get(value.name)
        if given is not None:
            _read(value, given, found)
    missing = [unknown.name for unknown in open_sizes(model) if unknown not in found]
    if missing:
        options = " ".join(f"{name}=..." for name in missing)
        raise PassError("E0810", f"`{analysis}` needs numbers for {', '.join(missing)}: -s {options}, or data")
    return found


def _read(value: Value, given: Tensor, found: dict[Unknown, int]) -> None:
    """The sizes that the shape of an input tells. Raises PassError where it does not fit."""
    if len(value.type.axes) != given.ndim:
        raise PassError("E0810", f"`{value.name}` of the data has {given.ndim} axes, not those of {value.type}")
    for axis, count in zip(value.type.axes, given.shape, strict=True):
        open_ = [unknown for unknown in axis.size.unknowns if unknown not in found]
        if len(open_) == 1:
            fits = next((n for n in range(count + 2) if axis.size.at({**found, open_[0]: n}) == count), None)
            if fits is not None:
                found[open_[0]] = fits
        if not axis.size.unknowns <= found.keys() or axis.size.at(found) != count:
            shape = f"[{', '.join(map(str, given.shape))}]"
            raise PassError("E0810", f"`{value.name}` of the data is {shape}, which does not fit {value.type}")


def _inputs(
    subject: AnalysisSubject, analysis: str, boxed: str, sizes: Mapping[Unknown, int], state: Mapping[str, Tensor]
) -> tuple[list[Any], tuple[str, ...], tuple[Tensor, ...]]:
    """The inputs (a name for one in the box), the names of boxes and their centres."""
    definition, data = subject.model.definition, subject.data or {}
    values = definition.graph.inputs
    floats = [value.name for value in values if value.type.elem in FLOATS or value.type.elem == "float"]
    extra = sorted(data.keys() - {*(value.name for value in values), "target"})
    if extra:
        raise PassError("E0810", f"the data has {', '.join(extra)}, which are no inputs of {subject.model.name}")
    if boxed and boxed not in floats and boxed not in state:
        kinds = ", ".join(floats) or "none"
        text = f"`{boxed}` is no input of floats ({kinds}), and no weight, such as `{next(iter(state), '')}`"
        raise PassError("E0810", text)
    if not boxed and not floats:
        text = f'{subject.model.name} has no input of floats: name a weight, such as `input="{next(iter(state), "")}"`'
        raise PassError("E0810", text)
    inputs: list[Any] = []
    names: list[str] = []
    centres: list[Tensor] = []
    for value, optional in zip(values, definition.optional, strict=True):
        given = data.get(value.name)
        shape = tuple(axis.size.at(sizes) for axis in value.type.axes)
        inside = value.name == boxed or (not boxed and value.name in floats and (given is not None or not optional))
        if inside:
            names.append(value.name)
            centres.append(torch.zeros(shape, dtype=torch.float64) if given is None else given.double())
            inputs.append(value.name)
        elif given is not None or optional:
            inputs.append(given)
        elif value.name in floats:
            inputs.append(torch.zeros(shape, dtype=torch.float64))
        else:
            raise PassError("E0810", f"`{analysis}` needs `{value.name}` in the data: --data X.safetensors")
    if boxed in state:
        return inputs, (boxed,), (state[boxed].double(),)
    return inputs, tuple(names), tuple(centres)


def shapes_of(tape: Tape) -> dict[str, tuple[int, ...]]:
    """The shapes of the outputs by name."""
    return {
        name: tape.steps[place].shape if isinstance(place, int) else tuple(place.shape)
        for name, place in zip(tape.names, tape.outputs, strict=True)
    }
