"""Builds conversion graphs: operations on weights, typed by the rules of `compiler.ops`, in scopes of iterations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ogive.compiler.ir.attributes import RepeatAttrs
from ogive.compiler.ir.model import Const, Graph, Node, Operand, Value, Weight
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops import OPS
from ogive.compiler.ops.spec import Pattern
from ogive.compiler.passes.infra.dce import drop_dead
from ogive.compiler.sizes import TRUE, Condition, Size, size


@dataclass(frozen=True, slots=True)
class NumberChecker:
    """The checker of shapes that are numbers: what a pass builds fits, or the pass is wrong."""

    def equal(self, a: Size, b: Size, text: str, operand: int | None = None) -> None:
        """Two sizes must be one number."""
        assert a == b, (text, a, b)

    def require(self, condition: Condition, text: str, operand: int | None = None) -> None:
        """A condition on numbers is true or false."""
        assert condition == TRUE, (text, condition)

    def inside(self, condition: Condition, text: str) -> None:
        """A slice lies inside."""
        assert condition == TRUE, (text, condition)

    def positive(self, size: Size, text: str) -> None:
        """No axis is empty."""
        assert size.is_number, (text, size)
        assert size.number >= 1, (text, size)

    def proves(self, condition: Condition) -> bool:
        """Whether it is true."""
        return condition == TRUE

    def meet(self, a: Axis, b: Axis, text: str, operand: int | None = None) -> Axis:
        """Two axes of one size."""
        assert a.size == b.size, (text, a, b)
        return a


def apply(
    op: str, inputs: Sequence[Operand], types: Sequence[TensorType | None], name: str, statics: dict[str, Any]
) -> Node:
    """A node of an operation on tensors of these types."""
    spec = OPS[op]
    given = {static.name: statics.get(static.name, static.default) for static in spec.statics}
    results, attrs = spec.rule(NumberChecker(), given, types)
    return Node(op, tuple(inputs), (Value(name, results[0], name.split(".")[0]),), tuple(attrs.items()))


@dataclass(slots=True)
class ConversionScope:
    """The conversion of what stands at one depth of loops; `path` is that of its loop ("h"), or "" outside of loops."""

    path: str
    count: Size
    fresh: Fresh
    nodes: list[Node] = field(default_factory=list)
    types: dict[str, TensorType] = field(default_factory=dict)
    inner: dict[str, ConversionScope] = field(default_factory=dict)
    targets: dict[str, tuple[str, Weight]] = field(default_factory=dict)  # path -> (value, weight of the result)
    makers: dict[str, Node] = field(default_factory=dict)

    def loop(self, path: str, count: Size) -> ConversionScope:
        """The scope of the iterations of a loop inside this one."""
        if path not in self.inner:
            self.inner[path] = ConversionScope(path, count, self.fresh)
        return self.inner[path]

    def add(self, node: Node) -> None:
        """Take over a node that reads weights alone."""
        self.nodes.append(node)
        for value in node.outputs:
            self.types[value.name], self.makers[value.name] = value.type, node

    def op(self, name: str, *inputs: str | float | None, **statics: Any) -> str:
        """A new operation on values of this scope; the name of its result."""
        operands = tuple(Const(x) if isinstance(x, int | float) else x for x in inputs)
        types = [self.types[x] if isinstance(x, str) else x for x in operands]
        node = apply(name, operands, types, self.fresh.name(name), statics)  # type: ignore[arg-type]
        self.add(node)
        return node.outputs[0].name

    def einsum(self, pattern: str, *inputs: str) -> str:
        """A contraction."""
        return self.op("einsum", *inputs, pattern=Pattern(pattern))

    def shaped(self, value: str, pattern: str, **sizes: int) -> str:
        """A rearrangement."""
        given = {key: size(number) for key, number in sizes.items()}
        return self.op("rearrange", value, pattern=Pattern(pattern, given))

    def shape(self, value: str) -> tuple[int, ...]:
        """The shape of a value, all numbers here."""
        return tuple(axis.size.number for axis in self.types[value].axes)

    def close(self) -> tuple[Graph, tuple[str, ...]]:
        """The graph of all targets, those of loops stacked over the iterations; and the paths of its outputs."""
        nodes = list(self.nodes)
        outputs = [value for value, _ in self.targets.values()]
        paths = list(self.targets)
        for scope in self.inner.values():
            graph, below = scope.close()
            if not below or scope.count == size(0):  # a loop of no iterations has no weights
                continue
            made = tuple(self._stacked(scope, graph.values[str(name)]) for name in graph.outputs)
            nodes.append(Node.of(RepeatAttrs(scope.count, 0, 0, None, scope.path), (), made, (graph,)))
            outputs += [value.name for value in made]
            paths += below
        return drop_dead(Graph((), tuple(nodes), tuple(outputs))), tuple(paths)

    def _stacked(self, scope: ConversionScope, value: Value) -> Value:
        type = TensorType(value.type.elem, (Axis(scope.count), *value.type.axes))
        return self.fresh.value(type, value.hint)

    def all_targets(self) -> dict[str, Weight]:
        """The weights of the result that are computed, by path, those of loops too."""
        found = {path: weight for path, (_, weight) in self.targets.items()}
        for scope in self.inner.values():
            found |= scope.all_targets()
        return found
