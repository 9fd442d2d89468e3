"""A flat graph as a tree of modules: layers of torch where operators are one, scopes around them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ogive.backends.from_onnx.flat import FlatGraph, FlatOperator, read_by
from ogive.backends.from_onnx.ops import applied
from ogive.backends.from_onnx.values import tensor


@dataclass
class OnnxLeaf(FlatOperator):
    """Operators that are a layer of torch: its path ends in its own name."""

    module: nn.Module


class OnnxScope(nn.Module):
    """A part of a graph: steps over values by name."""

    def __init__(self, reads: list[str], makes: list[str]) -> None:
        super().__init__()
        self.reads, self.whole = reads, False
        self.makes: list[tuple[str, Any]] = [("value", each) for each in makes]
        self.steps: list[tuple[str, Any, dict[str, Any], list[Any], list[str]]] = []

    def forward(self, *args: Any) -> Any:
        """Run all steps."""
        values = dict(zip(self.reads, args, strict=True))
        for kind, what, attributes, inputs, outputs in self.steps:
            given = [self._value(each, values) for each in inputs]
            made = self.get_submodule(what)(*given) if kind == "module" else applied(what, attributes, *given)
            results = made if isinstance(made, tuple) else (made,)
            values.update(zip(outputs, results, strict=False))
        found = [self._value(each, values) for each in self.makes]
        found = [each if isinstance(each, Tensor) or not self.whole else tensor(each) for each in found]
        return found[0] if len(found) == 1 else tuple(found)

    def _value(self, told: tuple[str, Any], values: dict[str, Any]) -> Any:
        kind, what = told
        if kind == "value":
            return values[what]
        return getattr(self, what) if kind == "held" else what


def module_of(graph: FlatGraph, name: str, names: Sequence[str]) -> nn.Module:
    """The module of a graph; `names` are those of its inputs."""
    operators = _leaves(graph)
    inputs = [each.name for each in graph.inputs]
    root = _Builder(graph).scope(operators, (), 0, inputs, graph.outputs, name)

    def forward(self: OnnxScope, *args: Any, **kwargs: Any) -> Any:
        return OnnxScope.forward(self, *args, *(kwargs[each] for each in names[len(args) :]))

    kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD
    told = [inspect.Parameter(each, kinds) for each in ("self", *names)]
    forward.__signature__ = inspect.Signature(told)  # type: ignore[attr-defined]
    type(root).forward = forward  # type: ignore[method-assign]
    return root.eval()


class _Builder:
    """Makes the scopes of one graph."""

    def __init__(self, graph: FlatGraph) -> None:
        self.graph = graph

    def scope(
        self, operators: list[FlatOperator], path: tuple[str, ...], depth: int, reads: list[str], makes: list[str],
        kind: str,
    ) -> OnnxScope:  # fmt: skip
        """The module of operators that stand in one scope."""
        name = re.sub(r"\W", "_", kind, flags=re.ASCII)
        made: OnnxScope = type(name if name.isidentifier() else f"Part{name}", (OnnxScope,), {})(reads, makes)
        made.makes = [self._input(made, each) for each in makes]
        made.whole = not path
        at = 0
        while at < len(operators):
            first = operators[at]
            if len(first.path) - isinstance(first, OnnxLeaf) <= depth:
                self._step(made, first, depth)
                at += 1
                continue
            end = at
            while end < len(operators) and operators[end].path[: depth + 1] == first.path[: depth + 1] and (
                len(operators[end].path) - isinstance(operators[end], OnnxLeaf) > depth
            ):  # fmt: skip
                end += 1
            part, after = operators[at:end], operators[end:]
            inside = {each for operator in part for each in operator.outputs if each}
            entering = list(dict.fromkeys(
                each for operator in part for each in operator.inputs
                if each and each not in inside and each not in self.graph.constants
            ))  # fmt: skip
            later = {each for operator in after for each in operator.inputs} | set(makes)
            leaving = [each for operator in part for each in operator.outputs if each in later]
            here = first.path[: depth + 1]
            child = self.scope(part, here, depth + 1, entering, leaving, self.graph.kinds.get(here) or _kind(here[-1]))
            place = _placed(made, here[-1], child)
            made.steps.append(("module", place, {}, [("value", each) for each in entering], leaving))
            at = end
        return made

    def _step(self, made: OnnxScope, operator: FlatOperator, depth: int) -> None:
        inputs = [self._input(made, each) for each in operator.inputs]
        if isinstance(operator, OnnxLeaf):
            place = _placed(made, operator.path[depth] if len(operator.path) > depth else operator.op, operator.module)
            made.steps.append(("module", place, {}, inputs, operator.outputs))
        else:
            made.steps.append(("operator", operator.op, operator.attributes, inputs, operator.outputs))

    def _input(self, made: OnnxScope, name: str) -> tuple[str, Any]:
        if not name:
            return "number", None
        if name not in self.graph.constants:
            return "value", name
        value = self.graph.constants[name]
        if not isinstance(value, Tensor):
            return "number", value
        label = re.sub(r"\W", "_", name.rpartition(".")[2].rpartition("/")[2])
        label = label if label.isidentifier() else f"c{label}"
        while hasattr(made, label) and getattr(made, label) is not value:
            known = getattr(made, label)
            if isinstance(known, Tensor) and known.shape == value.shape and torch.equal(known, value):
                return "held", label
            label += "_"
        if name in self.graph.weights and value.is_floating_point():
            made.register_parameter(label, nn.Parameter(value))
        else:
            made.register_buffer(label, value)
        return "held", label


def _placed(made: nn.Module, name: str, child: nn.Module) -> str:
    """Where a child stands: a name with dots is one of nested lists."""
    *above, last = name.split(".")
    holder: nn.Module = made
    path = []
    for part in above:
        if part not in holder._modules:
            holder.add_module(part, nn.ModuleList())
        holder = holder.get_submodule(part)
        path.append(part)
    label, number = last, 2
    while label in holder._modules or hasattr(holder, label):
        label, number = f"{last}_{number}", number + 1
    holder.add_module(label, child)
    return ".".join([*path, label])


def _kind(name: str) -> str:
    """What the class of a scope is called: `layers.0` is a `Layer`."""
    words = [each for each in re.split(r"\W|_", name) if each and not each.isdigit()]
    if not words:
        return "Part"
    if name.rpartition(".")[2].isdigit() and words[-1].endswith("s") and len(words[-1]) > 2:
        words[-1] = words[-1][:-1]
    found = "".join(each[:1].upper() + each[1:] for each in words)
    return found if found.isidentifier() else f"Part{found}"


def _leaves(graph: FlatGraph) -> list[FlatOperator]:
    """The operators, with those that are layers in place of theirs."""
    uses = read_by(graph.operators)
    for each in graph.outputs:
        uses[each] = uses.get(each, 0) + 1
    found: list[FlatOperator] = []
    operators = graph.operators
    gone: set[int] = set()
    readers: dict[str, int] = {}  # which operator reads a value first
    for at, operator in enumerate(operators):
        for each in operator.inputs:
            readers.setdefault(each, at)
    for at, operator in enumerate(operators):
        if at in gone:
            continue
        made = _linear(graph, operators, at, uses, readers, gone) or _layer(graph, operator)
        found.append(made or operator)
    return found


def _tensor(graph: FlatGraph, name: str) -> Tensor | None:
    value = graph.constants.get(name) if name in graph.weights else None
    return value if isinstance(value, Tensor) and value.is_floating_point() else None


def _leaf(
    graph: FlatGraph, operator: FlatOperator, module: nn.Module, weights: Sequence[str], inputs: list[str],
    outputs: list[str],
) -> OnnxLeaf:  # fmt: skip
    """A layer: named as its weights are, or as its scope is where nothing else stands in it."""
    scope = ".".join(operator.path)
    path = (*operator.path, operator.op.lower())
    for name in weights:
        above = name.rpartition(".")[0]
        if above and (above.startswith(f"{scope}.") or not scope):
            path = (*operator.path, above[len(scope) :].lstrip("."))
            break
        if above and above == scope:
            path = operator.path
            break
    else:
        if operator.path and graph.crowded(operator.path) <= 3:
            path = operator.path
    return OnnxLeaf(path, operator.op, {}, inputs, outputs, module)


def _filled(module: nn.Module, **values: Tensor | None) -> nn.Module:
    with torch.no_grad():
        for name, value in values.items():
            if value is not None:
                getattr(module, name).copy_(value)
    return module


def _linear(
    graph: FlatGraph, operators: list[FlatOperator], at: int, uses: dict[str, int], readers: dict[str, int],
    gone: set[int],
) -> OnnxLeaf | None:  # fmt: skip
    operator = operators[at]
    if operator.op == "Gemm":
        weight = _tensor(graph, operator.inputs[1])
        plain = all(operator.attributes.get(k, 1.0) == 1.0 for k in ("alpha", "beta"))
        if weight is None or not plain or operator.attributes.get("transA", 0):
            return None
        weight = weight if operator.attributes.get("transB", 0) else weight.t()
        bias = _tensor(graph, operator.inputs[2]) if len(operator.inputs) > 2 else None
        if len(operator.inputs) > 2 and (bias is None or bias.shape != weight.shape[:1]):
            return None
        names, outputs = operator.inputs[1:], operator.outputs
    elif operator.op == "MatMul" and (held := _tensor(graph, operator.inputs[1])) is not None and held.dim() == 2:
        weight, bias, outputs, names = held.t(), None, operator.outputs, [operator.inputs[1]]
        after = readers.get(operator.outputs[0])
        if after is not None and operators[after].op == "Add" and uses[operator.outputs[0]] == 1:
            other = next(each for each in operators[after].inputs if each != operator.outputs[0])
            bias = _tensor(graph, other)
            if bias is not None and bias.shape == weight.shape[:1]:
                gone.add(after)
                outputs, names = operators[after].outputs, [operator.inputs[1], other]
            else:
                bias = None
    else:
        return None
    module = _filled(nn.Linear(weight.shape[1], weight.shape[0], bias is not None), weight=weight, bias=bias)
    return _leaf(graph, operator, module, names, operator.inputs[:1], outputs)


def _layer(graph: FlatGraph, operator: FlatOperator) -> OnnxLeaf | None:
    held = [_tensor(graph, each) for each in operator.inputs[1:]]
    a, weights = operator.attributes, operator.inputs[1:]
    module: nn.Module
    match operator.op:
        case "Conv" if held and held[0] is not None and all(each is not None for each in held):
            w = held[0]
            spatial = w.dim() - 2
            pads = a.get("pads", [0] * 2 * spatial)
            if pads[:spatial] != pads[spatial:] or a.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
                return None
            kind: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[spatial - 1]
            group = a.get("group", 1)
            module = kind(w.shape[1] * group, w.shape[0], tuple(w.shape[2:]), tuple(a.get("strides", [1] * spatial)),
                          tuple(pads[:spatial]), tuple(a.get("dilations", [1] * spatial)), group,
                          len(held) > 1)  # fmt: skip
            module = _filled(module, weight=w, bias=held[1] if len(held) > 1 else None)
        case "BatchNormalization" if len(held) == 4 and all(each is not None for each in held):
            assert held[0] is not None
            module = nn.BatchNorm2d(len(held[0]), a.get("epsilon", 1e-5))
            names = ("weight", "bias", "running_mean", "running_var")
            module = _filled(module, **dict(zip(names, held, strict=True)))
        case "LayerNormalization" if held and held[0] is not None and held[0].dim() == 1 and a.get("axis", -1) != 0:
            module = nn.LayerNorm(len(held[0]), a.get("epsilon", 1e-5), bias=len(held) > 1)
            module = _filled(module, weight=held[0], bias=held[1] if len(held) > 1 else None)
        case "Gather" if (table := _tensor(graph, operator.inputs[0])) is not None and table.dim() == 2:
            if a.get("axis", 0) != 0 or operator.inputs[1] in graph.constants:
                return None
            module = _filled(nn.Embedding(*table.shape), weight=table)
            return _leaf(graph, operator, module, operator.inputs[:1], operator.inputs[1:], operator.outputs)
        case _:
            return None
    return _leaf(graph, operator, module, weights, operator.inputs[:1], operator.outputs)
