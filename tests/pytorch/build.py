"""Definitions made by hand, for tests that need no text."""

from __future__ import annotations

from dataclasses import replace

from ogive.compiler.ir.attributes import RepeatAttrs, WeightAttrs
from ogive.compiler.ir.model import (
    Bindings,
    CallAttrs,
    Const,
    Definition,
    Graph,
    Init,
    Instance,
    Loop,
    Member,
    Model,
    Node,
    Operand,
    Static,
    Structure,
    Value,
    Weight,
)
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.sizes import Size, Unknown, size


def tensor(*sizes: Size | Unknown | int, elem: str = "float") -> TensorType:
    """A type of labelled axes."""
    return TensorType(elem, tuple(Axis(size(s), s.name if isinstance(s, Unknown) else None) for s in sizes))


class Building:
    """A graph that grows by calls."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.inputs: list[Value] = []
        self.count = 0

    def input(self, name: str, type: TensorType) -> str:
        self.inputs.append(Value(name, type, name))
        return name

    def value(self, type: TensorType, hint: str = "") -> Value:
        self.count += 1
        return Value(f"{hint or 'v'}{self.count}", type, hint)

    def add(
        self,
        op: str | Structure,
        inputs: tuple[Operand | int | float, ...],
        *types: TensorType,
        hint: str = "",
        regions: tuple[Graph, ...] = (),
    ) -> str:
        operands = tuple(Const(x) if isinstance(x, int | float) else x for x in inputs)
        outputs = tuple(self.value(t, hint) for t in types)
        if isinstance(op, str):
            self.nodes.append(Node(op, operands, outputs))
        else:
            self.nodes.append(Node.of(op, operands, outputs, regions))
        return outputs[0].name if outputs else ""

    def graph(self, *outputs: Operand) -> Graph:
        return Graph(tuple(self.inputs), tuple(self.nodes), outputs)


def definition(
    name: str,
    graph: Graph,
    members: tuple[Member, ...] = (),
    statics: tuple[Static, ...] = (),
    sizes: tuple[Unknown, ...] = (),
    block: str = "",
    doc: str = "",
    optional: tuple[bool, ...] | None = None,
) -> Definition:
    """A definition without conditions."""
    given = optional if optional is not None else (False,) * len(graph.inputs)
    names = (None,) * len(graph.outputs)
    return Definition(name, block or name, statics, sizes, graph, names, given, members, (), doc=doc)


def nat(name: str) -> tuple[Unknown, Static]:
    """A static that is a size."""
    unknown = Unknown(name)
    return unknown, Static(name, "size", unknown)


def linear() -> tuple[Definition, Unknown, Unknown]:
    """std.nn.Linear over [b, din]."""
    (din, s1), (dout, s2), b = nat("din"), nat("dout"), Unknown("b")
    g = Building()
    x = g.input("x", tensor(b, din))
    w = g.add(WeightAttrs("weight"), (), tensor(dout, din), hint="weight")
    bias = g.add(WeightAttrs("bias"), (), tensor(dout), hint="bias")
    y = g.add("linear", (x, w, bias), tensor(b, dout))
    weights = (
        Weight("weight", tensor(dout, din), "param", Init("kaiming_uniform", (("a", 5**0.5),))),
        Weight("bias", tensor(dout), "param", Init("zeros")),
    )
    found = definition(
        "Linear", g.graph(y), weights, (s1, s2, Static("bias", "bool", None, True)), (b,), "std.nn.Linear"
    )
    return found, din, dout


def mlp(own: bool = False) -> Model:
    """Two layers; with `own` they are no layers of torch."""
    lin, din, dout = linear()
    if own:
        lin = replace(lin, block="Lin", name="Lin")
    (d, s1), (hidden, s2), b = nat("d"), nat("hidden"), Unknown("b")
    lb = lin.sizes[0]
    g = Building()
    x = g.input("x", tensor(b, d))
    up: Bindings = ((din, size(d)), (dout, size(hidden)), (lb, size(b)))
    down: Bindings = ((din, size(hidden)), (dout, size(d)), (lb, size(b)))
    y = g.add(CallAttrs(lin, up, "up"), (x,), tensor(b, hidden))
    y = g.add("gelu", (y,), tensor(b, hidden))
    y = g.add(CallAttrs(lin, down, "down"), (y,), tensor(b, d))
    y = g.add("add", (x, y), tensor(b, d), hint="x")
    members = (Instance("up", lin, up), Instance("down", lin, down))
    block = definition("MLP", g.graph(y), members, (s1, s2), (b,), doc="Two layers.")
    return Model("Small", block, ((d, 8), (hidden, 32)), ())


def deep() -> Model:
    """A repeat of the two layers."""
    inner = mlp(own=True).definition
    (d, s1), (depth, s2), b = nat("d"), nat("depth"), Unknown("b")
    body = Building()
    bd, bh = (s.unknown for s in inner.statics)
    assert bd is not None
    assert bh is not None
    bindings: Bindings = ((bd, size(d)), (bh, 4 * size(d)), (inner.sizes[0], size(b)))
    x = body.input("x_in", tensor(b, d))
    y = body.add(CallAttrs(inner, bindings, "h.*.mlp"), (x,), tensor(b, d))
    z = body.add("add", (x, y), tensor(b, d), hint="x")
    region = body.graph(z)
    g = Building()
    g.count = 100
    x = g.input("x", tensor(b, d))
    out = g.add(RepeatAttrs(size(depth), 1, 0, None, "h"), (x,), tensor(b, d), regions=(region,), hint="x")
    members = (Loop("h", size(depth)), Instance("h.*.mlp", inner, bindings))
    block = definition("Deep", g.graph(out), members, (s1, s2), (b,))
    return Model("Deep3", block, ((d, 8), (depth, 3)), ())
