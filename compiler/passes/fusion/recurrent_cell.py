"""Recognizes that a `scan` is a recurrent layer that targets have kernels for: a plain RNN, a GRU, an LSTM.

That its body is the arithmetic of their gates is proved, as equality of polynomials (`terms`), whatever its names, the
order of its sums and where it cuts the gates apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ogive.compiler.ir.attributes import ScanAttrs
from ogive.compiler.ir.model import Graph, Node, Value
from ogive.compiler.ops.empty import may_be_empty
from ogive.compiler.passes.fusion.terms import (
    Applied,
    BodyInput,
    Mapped,
    Rows,
    Terms,
    Unknown,
    computed,
    factors_of,
    of,
    single,
)
from ogive.compiler.sizes import Size, size

Kind = Literal["rnn_tanh", "rnn_relu", "gru", "lstm"]


@dataclass(frozen=True, slots=True)
class Gate:
    """What a gate reads, before its activation: `w_x x + b_x + w_h h + b_h`, rows of the stacked weights of all."""

    x: Mapped
    h: Mapped
    biases: tuple[str, ...]  # none, one or two
    start: Size  # the first of its rows


@dataclass(frozen=True, slots=True)
class RecurrentCell:
    """A recurrent layer, by operands and results of its node.

    Rows of weights and biases are those of the gates, in this order: reset, update, new of a GRU; input, forget, new,
    output of an LSTM. `order` says where each stands in the stacked weights.
    """

    kind: Kind
    order: tuple[int, ...]
    x: str
    starts: tuple[str, ...]  # h, and c of an LSTM
    weight_x: str
    weight_h: str
    bias_x: str | None
    bias_h: str | None
    axis: int  # that of the steps in x and in y, of which 1 - axis is the batch
    reverse: bool
    width: Size  # of h
    outputs: tuple[Value, ...]  # what every step yields: h, however often
    lasts: tuple[Value, ...]  # h, and c of an LSTM


def recurrent_cell(node: Node) -> RecurrentCell | None:
    """The recurrent layer that a loop is, or None."""
    told = node.structure
    if not isinstance(told, ScanAttrs) or told.sliced != 1 or not 1 <= told.carried <= 2:
        return None
    if not all(isinstance(x, str) for x in node.inputs) or told.axes[0] != told.yield_axis or told.axes[0] > 1:
        return None
    body = node.regions[0]
    own = told.parts(body.inputs)
    if may_be_empty(told.count) or not _plain(own.own, own.carried):
        return None
    results = computed(body, {value.name: of(BodyInput(value.name, _whole(value))) for value in body.inputs})
    if results is None:
        return None
    carried, yielded = told.results(results).carried, told.results(results).yielded
    item = own.sliced[0].name
    for order in ((0,), (0, 1), (1, 0)):
        if len(order) != told.carried:
            continue
        states = [own.carried[at] for at in order]
        nexts = [carried[at] for at in order]
        if any(terms is None for terms in nexts) or any(terms != nexts[0] for terms in yielded):
            continue
        found = _gates([terms for terms in nexts if terms is not None], states, item)
        made = None if found is None else _cell(node, told, order, *found)
        if made is not None:
            return made
    return None


def _plain(values: Sequence[Value], carried: Sequence[Value]) -> bool:
    """Floats of a batch, nothing of which is empty; what is carried has one width."""
    if len({value.type.sizes for value in carried}) != 1:
        return False
    types = [value.type for value in values]
    axes = [axis for type in types for axis in type.axes]
    ranks = all(type.elem == "float" and len(type.axes) == 2 for type in types)
    return ranks and not any(axis.pack is not None or may_be_empty(axis.size) for axis in axes)


def _whole(value: Value) -> Rows:
    sizes = value.type.sizes
    return Rows(size(0), sizes[-1] if sizes else size(1))


def _gates(nexts: list[Terms], states: list[Value], item: str) -> tuple[Kind, list[Gate]] | None:
    """The kind of a step and its gates."""
    h = states[0]
    width = h.type.sizes[-1]
    if len(states) == 2:
        found = _lstm(nexts[0], nexts[1], states[1])
        return None if found is None else _read("lstm", found, h, item, width)
    new = single(nexts[0])
    if isinstance(new, Applied) and new.function in ("tanh", "relu"):
        return _read("rnn_tanh" if new.function == "tanh" else "rnn_relu", [new.to], h, item, width)
    return _gru(nexts[0], h, item, width)


def _read(kind: Kind, found: Sequence[Terms], h: Value, item: str, width: Size) -> tuple[Kind, list[Gate]] | None:
    gates = [_gate(terms, h.name, item, width) for terms in found]
    there = [gate for gate in gates if gate is not None]
    return (kind, there) if len(there) == len(gates) else None


def _lstm(h: Terms, c: Terms, memory: Value) -> list[Terms] | None:
    """C' = σ(forget) c + σ(input) tanh(new), h' = σ(output) tanh(c')."""
    out = _factors(h)
    if len(out) != 1 or len(c) != 2:
        return None
    output = _partner(out[0], Applied("tanh", c), "sigmoid")
    kept, new = None, None
    for product in _factors(c):
        forget = _partner(product, BodyInput(memory.name, _whole(memory)), "sigmoid")
        kept = kept if forget is None else forget
        gates = {x.function: x.to for x in product if isinstance(x, Applied)}
        if forget is None and len(product) == 2 and gates.keys() == {"sigmoid", "tanh"}:
            new = gates
    if output is None or kept is None or new is None:
        return None
    return [new["sigmoid"], kept, new["tanh"], output]


def _partner(product: list[Unknown], factor: Unknown, function: str) -> Terms | None:
    """What the function is applied to that a product of two multiplies with this factor."""
    if len(product) != 2 or factor not in product:
        return None
    other = product[1 - product.index(factor)]
    return other.to if isinstance(other, Applied) and other.function == function else None


def _factors(terms: Terms) -> list[list[Unknown]]:
    """The products of a sum whose coefficients are all 1; nothing where one is not."""
    return [factors_of(monomial) for monomial, c in terms] if all(c == 1 for _, c in terms) else []


def _gru(next: Terms, h: Value, item: str, width: Size) -> tuple[Kind, list[Gate]] | None:
    """H' = n - z n + z h with z = σ(update), n = tanh(new), where new reads h through σ(reset)."""
    products = {coefficient: factors_of(monomial) for monomial, coefficient in next if coefficient == -1}
    pairs = [x for x in products.get(-1, []) if isinstance(x, Applied)]
    gates = {x.function: x for x in pairs}
    if len(next) != 3 or len(pairs) != 2 or gates.keys() != {"sigmoid", "tanh"}:
        return None
    n, z, before = gates["tanh"], gates["sigmoid"], BodyInput(h.name, _whole(h))
    wanted = {
        (frozenset(((n, 1),)), 1),
        (frozenset(((n, 1), (z, 1))), -1),
        (frozenset(((before, 1), (z, 1))), 1),
    }
    new = _reset(n.to, h.name) if next == wanted else None
    if new is None:
        return None
    reset, inner, outer = new
    first = _read("gru", [reset, z.to], h, item, width)
    x, hidden = _one_map(outer, item, width), _one_map(inner, h.name, width)
    if first is None or x is None or hidden is None or x[0].rows != hidden[0].rows:
        return None
    if len(x[1]) > 1 or len(hidden[1]) > 1 or (not x[1] and hidden[1]):
        return None
    return "gru", [*first[1], Gate(x[0], hidden[0], (*x[1], *hidden[1]), x[0].rows.start)]


def _reset(terms: Terms, h: str) -> tuple[Terms, Terms, Terms] | None:
    """What a reset gate reads, what it lets through, and what stands beside."""
    inner: set[tuple[frozenset[tuple[Unknown, int]], int | float]] = set()
    outer: set[tuple[frozenset[tuple[Unknown, int]], int | float]] = set()
    gates: set[Applied] = set()
    for monomial, coefficient in terms:
        applied = [x for x, _ in monomial if isinstance(x, Applied)]
        if not applied:
            outer.add((monomial, coefficient))
            continue
        if len(applied) != 1 or applied[0].function != "sigmoid" or dict(monomial)[applied[0]] != 1:
            return None
        gates.add(applied[0])
        inner.add((monomial - {(applied[0], 1)}, coefficient))
    return (gates.pop().to, frozenset(inner), frozenset(outer)) if len(gates) == 1 else None


def _gate(terms: Terms, h: str, item: str, width: Size) -> Gate | None:
    """A sum of a map of the slice, one of h, and at most two biases, all of the same rows."""
    found = _summands(terms)
    maps = {x.of: x for x in found if isinstance(x, Mapped)}
    biases = [x for x in found if isinstance(x, BodyInput)]
    if len(found) != len(maps) + len(biases) or maps.keys() != {item, h} or len(biases) > 2:
        return None
    rows = maps[item].rows
    if rows.width != width or maps[h].rows != rows or any(x.rows != rows for x in biases):
        return None
    return Gate(maps[item], maps[h], tuple(sorted(x.name for x in biases)), rows.start)


def _one_map(terms: Terms, of: str, width: Size) -> tuple[Mapped, tuple[str, ...]] | None:
    """A map of one input, and the biases beside it."""
    found = _summands(terms)
    maps = [x for x in found if isinstance(x, Mapped) and x.of == of]
    biases = [x for x in found if isinstance(x, BodyInput)]
    if len(maps) != 1 or len(maps) + len(biases) != len(found) or maps[0].rows.width != width:
        return None
    return (maps[0], tuple(x.name for x in biases)) if all(x.rows == maps[0].rows for x in biases) else None


def _summands(terms: Terms) -> list[Unknown]:
    """The unknowns of a plain sum; nothing where it is none."""
    products = _factors(terms)
    return [product[0] for product in products] if all(len(product) == 1 for product in products) else []


def _cell(node: Node, told: ScanAttrs, order: tuple[int, ...], kind: Kind, gates: list[Gate]) -> RecurrentCell | None:
    """The layer, where all gates read rows of the same weights."""
    body = node.regions[0]
    outside = dict(zip((value.name for value in body.inputs), node.inputs, strict=True))
    parts, made = told.parts(node.inputs), told.results(node.outputs)
    width = body.inputs[0].type.sizes[-1]
    last = gates[-1]  # of a GRU that whose biases cannot change places
    if len({(gate.x.weight, gate.h.weight, frozenset(gate.biases)) for gate in gates}) != 1:
        return None
    places = [next((at for at in range(len(gates)) if at * width == gate.start), None) for gate in gates]
    if sorted(-1 if at is None else at for at in places) != list(range(len(gates))):
        return None
    if not _fit(body, last, len(gates) * width):
        return None
    captured = {value.name for value in told.parts(body.inputs).captured}
    if not {last.x.weight, last.h.weight, *last.biases} <= captured:
        return None
    biases = [str(outside[name]) for name in _biases(kind, body, last)]
    return RecurrentCell(
        kind,
        tuple(at for at in places if at is not None),
        str(parts.sliced[0]),
        tuple(str(parts.carried[at]) for at in order),
        str(outside[last.x.weight]),
        str(outside[last.h.weight]),
        biases[0] if biases else None,
        biases[1] if len(biases) > 1 else None,
        told.axes[0],
        told.reverse,
        width,
        made.yielded,
        tuple(made.carried[at] for at in order),
    )


def _biases(kind: Kind, body: Graph, gate: Gate) -> tuple[str, ...]:
    """The biases, that of the inputs first. In a GRU they cannot change places; else either may be called so."""
    maps = [node for node in body.nodes if node.op == "linear" and node.inputs[1] == gate.x.weight]
    beside = {node.inputs[2] for node in maps if len(node.inputs) == 3}
    return gate.biases if kind == "gru" else tuple(sorted(gate.biases, key=lambda name: name not in beside))


def _fit(body: Graph, gate: Gate, rows: Size) -> bool:
    """Whether the stacked weights have the rows of the gates and no others, and biases are vectors of floats."""
    matrices = [body.values[name].type for name in (gate.x.weight, gate.h.weight)]
    vectors = [body.values[name].type for name in gate.biases]
    return all(
        type.elem == "float" and type.sizes[0] == rows and len(type.axes) == rank
        for types, rank in ((matrices, 2), (vectors, 1))
        for type in types
    )
