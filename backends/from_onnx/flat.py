"""A graph as a flat list of operators, each with the path of the part that it belongs to: functions are written out."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor

from ogive.backends.from_onnx.ops import TABLE, applied
from ogive.backends.from_onnx.read import OnnxRefused, array_of

SHORT = 64  # whole numbers that are a shape
FOLDED = 2**26  # entries of a constant that is computed here


@dataclass(slots=True)
class FlatOperator:
    """An operator: the scopes it stands in, what it reads and makes."""

    path: tuple[str, ...]
    op: str
    attributes: dict[str, Any]
    inputs: list[str]
    outputs: list[str]


@dataclass(slots=True)
class FlatGraph:
    """The operators that are left, constants by name, and what the classes of scopes are called."""

    operators: list[FlatOperator]
    constants: dict[str, Any]
    weights: set[str]  # which constants are weights of the file
    kinds: dict[tuple[str, ...], str]
    inputs: list[Any]
    outputs: list[str]
    counts: dict[tuple[str, ...], int] = field(default_factory=dict)

    def crowded(self, path: tuple[str, ...]) -> int:
        """How many operators stand in a scope."""
        if not self.counts:
            for each in self.operators:
                self.counts[each.path] = self.counts.get(each.path, 0) + 1
        return self.counts.get(path, 0)


@dataclass(slots=True)
class _Flattening:
    model: Any
    folder: Path
    functions: dict[tuple[str, str], Any] = field(default_factory=dict)
    graph: FlatGraph = field(default_factory=lambda: FlatGraph([], {}, set(), {}, [], []))
    calls: int = 0


def flatten(model: Any, folder: Path) -> FlatGraph:
    """The operators of a model that was read. Raises `OnnxRefused`."""
    state = _Flattening(model, folder, {(each.domain, each.name): each for each in model.functions})
    graph = state.graph
    for weight in model.graph.initializer:
        graph.constants[weight.name] = constant(torch.from_numpy(array_of(weight, folder).copy()))
        if isinstance(graph.constants[weight.name], Tensor):
            graph.weights.add(weight.name)
    graph.inputs = [each for each in model.graph.input if each.name not in graph.constants]
    graph.outputs = [each.name for each in model.graph.output]
    for node in model.graph.node:
        _add(state, node, (), {}, {})
    return graph


def constant(value: Tensor) -> Any:
    """Whole numbers that may be a shape are a list, one number is a number."""
    if value.numel() == 1 and (value.dim() == 0 or (value.is_floating_point() and value.dim() == 1)):
        return shortest(value.reshape(()).item()) if value.dtype == torch.float32 else value.reshape(()).item()
    if not value.is_floating_point() and value.dtype != torch.bool and value.dim() == 1 and value.numel() <= SHORT:
        return value.tolist()
    return value


def shortest(number: float) -> float:
    """The shortest number that is the same in float32, and that float32 holds."""
    found = float(str(np.float32(number)))
    return (
        found if not np.isfinite(number) or abs(found) <= float(np.finfo(np.float32).max) else float(np.float32(number))
    )


def _scopes(node: Any) -> tuple[str, ...]:
    """The scopes that a node stands in, by what its exporter wrote beside it, or by its name."""
    for each in node.metadata_props:
        if each.key == "pkg.torch.onnx.name_scopes":
            try:
                told = [str(part) for part in ast.literal_eval(each.value)]
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                break
            inner, found = "", []
            for part in told[:-1]:
                if part:
                    found.append(part.removeprefix(f"{inner}.") if inner else part)
                    inner = part
            return tuple(found)
    parts = node.name.strip("/").split("/")
    # the body of a loop that is a function speaks of all its iterations: `layers.*`
    inside = (each.rpartition("*")[2].lstrip(".") for each in parts[:-1] if each != "sizes")
    return tuple(each for each in inside if each)


def _kinds(node: Any, path: tuple[str, ...], above: tuple[str, ...], kinds: dict[tuple[str, ...], str]) -> None:
    for each in node.metadata_props:
        if each.key == "pkg.torch.onnx.class_hierarchy":
            try:
                told = [str(part).rpartition(".")[2] for part in ast.literal_eval(each.value)][1:-1]
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                return
            if len(told) == len(path):
                for i, kind in enumerate(told):
                    kinds.setdefault((*above, *path[: i + 1]), kind)


def _add(
    state: _Flattening, node: Any, above: tuple[str, ...], names: Mapping[str, str], given: Mapping[str, Any]
) -> None:
    graph = state.graph
    told = {}
    for each in node.attribute:
        if each.ref_attr_name:
            if each.ref_attr_name in given:
                told[each.name] = given[each.ref_attr_name]
            continue
        told[each.name] = _attribute(each, state.folder)
    inputs = [names.get(each, each) if each else "" for each in node.input]
    outputs = [names.get(each, each) if each else "" for each in node.output]
    scopes = _scopes(node)
    _kinds(node, scopes, above, graph.kinds)
    path = (*above, *scopes)
    function = state.functions.get((node.domain, node.op_type))
    if function is not None:
        _call(state, node, function, path, inputs, outputs, told)
        return
    if node.op_type == "Constant":
        graph.constants[outputs[0]] = _constant(told)
        return
    if node.op_type not in TABLE:
        raise OnnxRefused(f"`{node.op_type}` (`{node.name}`) has no operation here")
    if all(each in graph.constants for each in inputs if each) and node.op_type != "ConstantOfShape":
        told["outputs"] = len(outputs)
        folded = applied(node.op_type, told, *(graph.constants[each] if each else None for each in inputs))
        values = folded if isinstance(folded, tuple) else (folded,)
        size = max((each.numel() for each in values if isinstance(each, Tensor)), default=0)
        if size <= FOLDED:
            for name, value in zip(outputs, values, strict=False):
                graph.constants[name] = constant(value.clone()) if isinstance(value, Tensor) else value
                if any(each in graph.weights for each in inputs) and isinstance(graph.constants[name], Tensor):
                    graph.weights.add(name)
            return
    graph.operators.append(FlatOperator(path, node.op_type, {**told, "outputs": len(outputs)}, inputs, outputs))


def _call(
    state: _Flattening, node: Any, function: Any, path: tuple[str, ...], inputs: list[str], outputs: list[str],
    told: dict[str, Any],
) -> None:  # fmt: skip
    """A function in place of its call."""
    state.calls += 1
    mark = f"{state.calls}:"
    names = {name: f"{mark}{name}" for inner in function.node for name in inner.output if name}
    names |= dict(zip(function.output, outputs, strict=False))
    names |= dict(zip(function.input, inputs, strict=False))
    names |= {each: "" for each in function.input[len(inputs) :]}
    given = {each.name: _attribute(each, state.folder) for each in function.attribute_proto} | told
    if not path or path in state.graph.kinds:
        path = (*path, node.name.rpartition("/")[2] or f"{function.name}_{state.calls}")
    single = len(function.node) == 1 and (function.node[0].domain, function.node[0].op_type) in state.functions
    if single:  # around one function there is nothing of its own
        inner = function.node[0]
        again = {
            k: v for k, v in ((a.name, _attribute(a, state.folder)) for a in inner.attribute if not a.ref_attr_name)
        }
        _call(state, inner, state.functions[inner.domain, inner.op_type], path,
              [names.get(each, each) for each in inner.input], [names.get(each, each) for each in inner.output],
              again)  # fmt: skip
        return
    state.graph.kinds[path] = _unnumbered(function.name)
    for inner in function.node:
        _add(state, inner, path, names, given)


def _unnumbered(name: str) -> str:
    head, _, tail = name.rpartition("_")
    return head if tail.isdigit() and head else name


def _attribute(attribute: Any, folder: Path) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, onnx.TensorProto):
        return torch.from_numpy(array_of(value, folder).copy())
    if isinstance(value, onnx.GraphProto):
        raise OnnxRefused("a graph within an operator has no form here")
    if isinstance(value, float):
        return shortest(value)
    return list(value) if not isinstance(value, int | str) else value


def _constant(told: Mapping[str, Any]) -> Any:
    value = next(iter(told.values()))
    if isinstance(value, Tensor):
        return constant(value)
    return value


def read_by(operators: list[FlatOperator]) -> dict[str, int]:
    """How many operators read each value."""
    found: dict[str, int] = {}
    for each in _inputs(operators):
        found[each] = found.get(each, 0) + 1
    return found


def _inputs(operators: list[FlatOperator]) -> Iterator[str]:
    for operator in operators:
        yield from (each for each in operator.inputs if each)
