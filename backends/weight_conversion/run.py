"""Runs a conversion on a state dict: in float64, then cast to the type of the main source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from ogive.backends.pytorch.module.module import build
from ogive.backends.weights.maps import identity
from ogive.backends.weights.paths import slots
from ogive.backends.weights.plan import plan
from ogive.compiler.ir.model import Definition, Model, Operand
from ogive.compiler.ir.weights import WeightInfo, opaque, weights
from ogive.compiler.passes.conversion.graph import Conversion
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.render import render
from ogive.grammar.source import Chunk, Span

LONG = 16  # numbers of a list that is handed over
SOURCE = "source"  # the type of the tensor that a weight mainly comes from


def convert(
    conversion: Conversion, state: Mapping[str, Tensor], dtype: torch.dtype | str | None = SOURCE
) -> dict[str, Tensor]:
    """The weights of the result from those of the source. `dtype=None` keeps float64; else what stays is as it was.

    Raises `ArchError` where the state dict has missing, extra or misshapen weights, and where a result is too large for
    its type.
    """
    state, foreign = _apart(conversion, state)
    shapes = {path: slot.shape for path, slot in slots(conversion.source).items()}
    plan(identity(), shapes, {name: tuple(tensor.shape) for name, tensor in state.items()})
    _refuse_whole(conversion.source, state)
    sources = {info.path: info for info in weights(conversion.source)}
    results = {info.path: info for info in weights(conversion.result)}
    found = dict(_computed(conversion, state, results))
    for path, source in conversion.kept:
        names = zip(results[path].paths(), sources[source].paths(), strict=True)
        found.update(
            (mine, state[theirs].detach().clone() if dtype == SOURCE else _exact(state[theirs]))
            for mine, theirs in names
        )
    types: dict[str, torch.dtype] = {}
    if dtype == SOURCE:
        for path, main in conversion.mains.items():
            first = next(sources[main].paths())
            types.update((name, state[name if name in state else first].dtype) for name in results[path].paths())
    elif isinstance(dtype, torch.dtype):
        types = dict.fromkeys(found, dtype)
    made = {path: _cast(found[path], types.get(path)) for path in slots(conversion.result)}
    lost = [path for path, tensor in made.items() if _lost(found[path], tensor)]
    _refuse(
        f"`{path}` does not fit {_name(made[path].dtype)}: it goes up to {float(found[path].abs().max()):.3g}"
        for path in lost
    )
    wanted = dtype if isinstance(dtype, torch.dtype) else None
    kept = {name: tensor if dtype == SOURCE else _cast(_exact(tensor), wanted) for name, tensor in foreign.items()}
    return made | kept


def _apart(conversion: Conversion, state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights of the source, and those of modules of the user's, which the result must have at the same places."""
    paths, kept = opaque(conversion.source), set(opaque(conversion.result))
    _refuse(
        f"`{path}` is a module of yours, which the result has not, or elsewhere" for path in paths if path not in kept
    )
    foreign = {name: t for name, t in state.items() if any(name.startswith(f"{path}.") for path in paths)}
    return {name: tensor for name, tensor in state.items() if name not in foreign}, foreign


def _refuse_whole(source: Model, state: Mapping[str, Tensor]) -> None:
    """A checkpoint of whole numbers, quantized say, is not what float weights are computed from."""
    floats = (path for path, slot in slots(source).items() if slot.elem == "float")
    wrong = [path for path in floats if not state[path].is_floating_point()]
    _refuse(f"`{path}` holds {_name(state[path].dtype)}, not floats" for path in wrong)


def _lost(exact: Tensor, cast: Tensor) -> bool:
    """Whether a number was lost in the cast: half precision ends at 65504, which a small variance may pass.

    Or all of them: what is left of numbers below 3e-8 is 0.
    """
    if cast.dtype == exact.dtype or exact.is_meta:
        return False
    if not cast.isfinite().all() and bool((exact.isfinite() & ~cast.isfinite()).any()):
        return True
    return bool(not cast.any() and exact.any())


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _refuse(texts: Iterable[str]) -> None:
    span = Span(Chunk("", "<weights>"), 0, 0)
    found = tuple(Diagnostic("E0821", text, span) for text in texts)
    if found:
        raise ArchError(found, render(found))


def _exact(tensor: Tensor) -> Tensor:
    return tensor.detach().to(torch.float64) if tensor.is_floating_point() else tensor.detach()


def _computed(
    conversion: Conversion, state: Mapping[str, Tensor], results: Mapping[str, WeightInfo]
) -> Iterator[tuple[str, Tensor]]:
    if conversion.is_identity:
        return
    definition, lists = _handed(conversion.definition)
    module = build(Model(definition.name, definition, (), ()), device="meta", checks=False)
    needed = {name: _exact(state[name]) for name in module.state_dict()}
    module.load_state_dict(needed, assign=True)
    sample = next(iter(needed.values() or state.values()), torch.zeros(()))  # new weights alone read none
    _beside(module, sample)
    device = sample.device
    with torch.no_grad():
        made = module.eval()(*(torch.tensor(each, device=device, dtype=dtype) for each, dtype in lists))
    outputs = (made,) if isinstance(made, Tensor) else tuple(made)
    for path, tensor in zip(conversion.targets, outputs, strict=True):
        yield from _iterations(results[path], _apart_from(tensor))


def _handed(definition: Definition) -> tuple[Definition, list[tuple[Any, torch.dtype]]]:
    """The definition with long lists of numbers as inputs, and these: written out and read again they take long."""
    graph = definition.graph
    long = [node for node in graph.nodes if node.op == "constant" and prod(_lengths(node.attr("list"))) > LONG]
    taken = {node.outputs[0].name for node in long}
    inputs = (*graph.inputs, *(replace(node.outputs[0], name=f"list_{at}") for at, node in enumerate(long)))
    names = {node.outputs[0].name: f"list_{at}" for at, node in enumerate(long)}

    def read(operand: Operand) -> Operand:
        return names.get(operand, operand) if isinstance(operand, str) else operand

    nodes = tuple(node.reading(read) for node in graph.nodes if node.outputs[0].name not in taken)
    shorter = replace(graph, inputs=inputs, nodes=nodes, outputs=tuple(map(read, graph.outputs)))
    kinds = [torch.float64 if node.outputs[0].type.elem == "float" else torch.long for node in long]
    lists = [(node.attr("list"), kind) for node, kind in zip(long, kinds, strict=True)]
    return replace(definition, graph=shorter, optional=(False,) * len(inputs)), lists


def _lengths(numbers: object) -> list[int]:
    """How long a list is, along each of its axes."""
    return [len(numbers), *_lengths(numbers[0])] if isinstance(numbers, tuple) and numbers else []


def _beside(module: nn.Module, weight: Tensor) -> None:
    """Put what only tells the device and the type, where no weight is at hand, beside the weights."""
    for part in module.modules():
        for name, buffer in list(part.named_buffers(recurse=False)):
            if buffer.is_meta:
                setattr(part, name, torch.empty_like(buffer, device=weight.device, dtype=torch.float64))


def _apart_from(tensor: Tensor) -> Tensor:
    """A tensor without gradient (parts of a parameter have one even here) that is no part of another's memory."""
    tensor = tensor.detach()
    whole = tensor.is_meta or tensor.untyped_storage().nbytes() == tensor.nbytes
    return tensor if whole else tensor.clone()


def _iterations(info: WeightInfo, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """One tensor for each iteration of its loops."""
    for path, iteration in zip(info.paths(), product(*map(range, info.iterations)), strict=True):
        yield path, tensor[iteration].clone() if iteration else tensor


def _cast(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    return (tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor).contiguous()


def module_of(conversion: Conversion, device: torch.device | str | None = None) -> nn.Module:
    """The conversion as a module: its parameters are weights of the source, its outputs those of the result."""
    return build(_model(conversion), device=device, checks=False)


def _model(conversion: Conversion) -> Model:
    return Model(conversion.definition.name, conversion.definition, (), ())
