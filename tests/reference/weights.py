"""How the weights of a model start, and what holds of them after each step: from its members, outer ones last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ogive.compiler.ir.model import Definition, Graph, Init, Instance, Model, Weight
from ogive.compiler.ops import OPS
from ogive.compiler.sizes import Unknown
from reference.arrays import Array, Numbers
from reference.initial import SETTLED, initial
from reference.interpreter import Frame, Machine
from reference.store import Store
from reference.world import World, shape_of

Env = Mapping[Unknown, int]


@dataclass(frozen=True, slots=True)
class Start:
    """A weight by its path, iterations filled in: shape without the axes of `each`, how it starts, constraints."""

    path: str
    shape: tuple[int, ...]
    vectorized: tuple[int, ...]
    init: Init
    place: tuple[Definition, dict[Unknown, int], str]  # where the initializer is written, and the path of that place
    keeps: tuple[tuple[Graph, Definition, dict[Unknown, int]], ...]


@dataclass(frozen=True, slots=True)
class _Outer:
    """What stands further out for the weights below: by path, from the innermost on."""

    inits: Sequence[tuple[str, Init, tuple[Definition, dict[Unknown, int], str]]]
    keeps: Sequence[tuple[str, Graph, Definition, dict[Unknown, int]]]


def starts(model: Model) -> list[Start]:
    """Every weight of the model."""
    env = dict(model.bindings)
    inits = [(path, init, (model.definition, env, "")) for path, init in model.inits]
    return list(_below(model.definition, env, "", (), _Outer(inits, [])))


def _below(
    definition: Definition, env: dict[Unknown, int], prefix: str, vectorized: tuple[int, ...], outer: _Outer
) -> Iterator[Start]:
    for member in definition.members:
        if isinstance(member, Weight):
            for path, iterations in _turned(definition, member.path, env):
                yield _start(definition, member, env | iterations, prefix + path, vectorized, outer)
        elif isinstance(member, Instance):
            for path, iterations in _turned(definition, member.path, env):
                known = env | iterations
                inner = {u: value.at(known) for u, value in member.bindings if value.unknowns <= known.keys()}
                start, end = len(member.path) + 1, member.path + "."
                more = () if member.vectorized is None else (member.vectorized.at(env),)
                inits = [(p, i, (definition, known, prefix)) for p, i in member.inits]
                inits += [(p[start:], i, w) for p, i, w in outer.inits if p.startswith(end)]
                keeps = [(p, g, definition, known) for p, g in member.keeps]
                keeps += [(p[start:], g, d, e) for p, g, d, e in outer.keeps if p.startswith(end)]
                below = _Outer(inits, keeps)
                for found in _below(member.definition, inner, f"{prefix}{path}.", (*vectorized, *more), below):
                    if _relative(found.path, prefix + path) not in _filled(member.omitted):
                        yield found


def _relative(path: str, place: str) -> str:
    """A path below a place, with `*` for the iterations."""
    return ".".join("*" if part.isdigit() else part for part in path[len(place) + 1 :].split("."))


def _filled(paths: Sequence[str]) -> set[str]:
    return {".".join("*" if part.isdigit() else part for part in path.split(".")) for path in paths}


def _turned(definition: Definition, path: str, env: Env) -> Iterator[tuple[str, dict[Unknown, int]]]:
    """A path in every iteration of its loops, and the loop indices by the unknown that stands for each."""
    if "*" not in path:
        yield path, {}
        return
    before, _, after = path.partition("*")
    count = definition.loops[before.removesuffix(".")].count.at(env)
    number = _index_of(definition.graph, before.removesuffix("."))
    for iteration in range(count):
        for whole, iterations in _turned_after(definition, before, after, env):
            here = {number: iteration} if number is not None else {}
            yield whole.replace("*", str(iteration), 1), {**here, **iterations}


def _turned_after(
    definition: Definition, before: str, after: str, env: Env
) -> Iterator[tuple[str, dict[Unknown, int]]]:
    """The rest of a path, whose own loops are looked up with `*` in the place of the iterations before."""
    if "*" not in after:
        yield f"{before}*{after}", {}
        return
    inner, _, rest = after.partition("*")
    loop = f"{before}*{inner}".removesuffix(".")
    number = _index_of(definition.graph, loop)
    for iteration in range(definition.loops[loop].count.at(env)):
        for whole, iterations in _turned_after(definition, f"{before}*{inner}", rest, env):
            head, tail = whole[: len(before) + 1 + len(inner)], whole[len(before) + 1 + len(inner) :]
            here = {number: iteration} if number is not None else {}
            yield head + tail.replace("*", str(iteration), 1), {**here, **iterations}


def _index_of(graph: Graph, path: str) -> Unknown | None:
    """The unknown that stands for the index of an iteration of the loop at a path."""
    loops = (node.loop for node in graph.walk() if node.path == path)
    found = [loop.index for loop in loops if loop is not None]
    return found[0] if found else None


def _start(
    definition: Definition,
    weight: Weight,
    env: dict[Unknown, int],
    path: str,
    vectorized: tuple[int, ...],
    outer: _Outer,
) -> Start:
    given = [(init, place) for where, init, place in outer.inits if where == weight.path]
    init, place = given[-1] if given else (weight.init, (definition, env, _place(path, weight.path)))
    keeps = [(weight.keep, definition, env)] if weight.keep is not None else []
    keeps += [(graph, d, e) for where, graph, d, e in outer.keeps if where == weight.path]
    return Start(path, shape_of(weight.type, env, {}), vectorized, init, place, tuple(keeps))


def _place(path: str, below: str) -> str:
    return "".join(f"{part}." for part in path.split(".")[: -len(below.split("."))])


# --- values -----------------------------------------------------------------------------------------------------------


def settled(start: Start) -> bool:
    """Whether it starts with numbers that are not drawn, and that depend on no other weight."""
    if start.init.graph is None:
        return start.init.name in SETTLED
    nodes = list(start.init.graph.walk())
    drawn = any(n.op in OPS and OPS[n.op].random for n in nodes)
    named = any(n.op == "initial" and dict(n.settings)["name"] not in SETTLED for n in nodes)
    return not (drawn or named or any(n.op in ("weight", "call") for n in nodes))


def value(start: Start) -> Numbers:
    """What a settled weight starts with, before its constraints; without the axes of `each`."""
    rng = np.random.default_rng(0)
    if start.init.graph is None:
        attrs = (("name", start.init.name), *start.init.attrs)
        return initial(attrs, start.shape, start.place[1], rng)
    definition, env, prefix = start.place
    frame = Frame(definition, dict(env), {}, prefix, ())
    (made,) = Machine(World(), Store({})).graph(frame, start.init.graph)
    assert made is not None
    return np.broadcast_to(made.value, start.shape)


def kept(start: Start, numbers: Numbers) -> Numbers:
    """A weight put back where its constraints hold it; entry by entry where `each` stacks it."""
    if start.vectorized and numbers.ndim > len(start.shape):
        return np.stack([kept(start, row) for row in numbers])
    for graph, definition, env in start.keeps:
        frame = Frame(definition, dict(env), {}, "", ())
        (made,) = Machine(World(), Store({})).region(frame, graph, [Array(numbers)])
        assert made is not None
        numbers = made.value
    return numbers
