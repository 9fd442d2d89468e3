"""Random programs whose names some paths bind only, and what they mean: every path is run by itself, in numpy.

A program is accepted exactly where no path reads a name that it has not bound, and then gives what its path gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Tree = tuple[Any, ...]
B, D = 3, 4  # `x` is [3, 4]; rows are [4]; loops have 3 iterations


class Refused(Exception):
    """A path reads what it has not bound, or ends without a `return`; `place` is that of the statement."""

    def __init__(self, name: str, place: tuple[Any, ...] = ()) -> None:
        super().__init__(name)
        self.name, self.place = name, place


@dataclass(frozen=True)
class Block:
    """A block over rows [4] or tables [3, 4]: `x` is given, the names of `optional` may be. It may have a second,
    optional output.
    """

    name: str
    optional: tuple[str, ...]
    body: tuple[Tree, ...]
    type: str = "[3, 4]"
    second: bool = False
    states: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The block as it is written."""
        inputs = ", ".join([f"x: {self.type}", *(f"{name}: {self.type}?" for name in self.optional)])
        outputs = f"(y: {self.type}, h: {self.type}?)" if self.second else self.type
        states = [f"    state {name}: [4] = zeros\n" for name in self.states]
        return f"block {self.name}({inputs}) -> {outputs}:\n{''.join(states)}{_lines(self.body, 1)}\n"


@dataclass(frozen=True)
class Program:
    """Blocks, the last of which is the model's."""

    blocks: tuple[Block, ...]

    @property
    def text(self) -> str:
        """The program as it is written."""
        head = "use std.nn (Linear)\n\n"
        return head + "\n".join(block.text for block in self.blocks) + f"\nmodel M = {self.blocks[-1].name}\n"

    @property
    def optional(self) -> tuple[str, ...]:
        return self.blocks[-1].optional

    @property
    def fault(self) -> Refused | None:
        """The first read of what a path has not bound, of each block by itself, and as it is called."""
        done: set[Any] = set()
        try:
            for block in self.blocks:
                _check(self, block, [True] * len(block.optional), done)
        except Refused as fault:
            return fault
        return None

    def run(
        self, inputs: Mapping[str, Array], training: bool, weights: Mapping[str, Array]
    ) -> tuple[list[Array | None], dict[str, Array]]:
        """The outputs on these inputs, and the states afterwards."""
        run = Run(self, training, weights)
        return run.block(self.blocks[-1], inputs, ""), run.states


# --- as text ----------------------------------------------------------------------------------------------------------


def _lines(body: Sequence[Tree], depth: int) -> str:
    return "".join(f"{'    ' * depth}{line}\n" for statement in body for line in _statement(statement))


def _statement(tree: Tree) -> Iterator[str]:
    def inside(body: Sequence[Tree]) -> list[str]:
        return [f"    {line}" for statement in body for line in _statement(statement)]

    match tree:
        case ("set", name, value):
            yield f"{name} = {_text(value)}"
        case ("if", condition, then, orelse):
            yield f"if {_asked(condition)}:"
            yield from inside(then)
            if orelse:
                yield "else:"
                yield from inside(orelse)
        case ("repeat", label, body):
            yield f"repeat {B} as {label}:"
            yield from inside(body)
        case ("for", label, body):
            yield f"for i in range(2) as {label}:"
            yield from inside(body)
        case ("scan", step, source, carry, start, body):
            yield f"scan {step} in {source} along 0 carry {carry} = {_text(start)}:"
            yield from inside(body)
        case ("yield", name, value):
            yield f"yield {name} = {_text(value)}"
        case ("update", name, value):
            yield f"update {name} = {_text(value)}"
        case ("call", targets, block, label, args):
            yield f"{', '.join(targets)} = ({', '.join(args)}) |> {block} as {label}"
        case ("return", values):
            yield f"return {', '.join(values)}"
        case _:
            raise AssertionError(tree)


def _asked(condition: Tree) -> str:
    match condition:
        case ("not", inner):
            return f"not {_asked(inner)}"
        case ("given", name):
            return f"given({name})"
        case _:
            return "training"


def _text(tree: Any) -> str:
    match tree:
        case str() | int():
            return str(tree)
        case ("relu" | "sum" as op, a):
            return f"{op}{'[0]' if op == 'sum' else ''}({_text(a)})"
        case ("lin", a, label):
            return f"({_text(a)} |> Linear[4, 4] as {label})"
        case ("choose", condition, a, b):
            return f"({_text(a)} if {_asked(condition)} else {_text(b)})"
        case ("over" | "each" as op, block, label, args):
            return f"(({', '.join(args)}) |> {op}[0, {block}] as {label})"
        case (op, a, b):
            return f"({_text(a)} {op} {_text(b)})"
        case _:
            raise AssertionError(tree)


# --- its meaning ------------------------------------------------------------------------------------------------------


@dataclass
class Run:
    """One path through a program. `seen` notes, by place, what loops and calls meet there."""

    program: Program
    training: bool
    weights: Mapping[str, Array]
    states: dict[str, Array] = field(default_factory=dict)
    seen: dict[Any, Any] = field(default_factory=dict)
    index: int | None = None  # under `each`
    gone: set[str] = field(default_factory=set)  # names of the iterations of loops

    def block(self, block: Block, inputs: Mapping[str, Array], prefix: str) -> list[Array | None]:
        """What a block gives."""
        names, outer, self.gone = dict(inputs), self.gone, set()
        found = self.body(block, block.body, names, prefix, (block.name,), None)
        self.gone = outer
        if found is None:
            raise Refused(f"{block.name} does not return")
        return [names.get(name) if name != "y" or name in names else None for name in found]

    def body(
        self,
        block: Block,
        body: Sequence[Tree],
        names: dict[str, Any],
        prefix: str,
        place: tuple[Any, ...],
        yields: dict[str, list[Any]] | None,
    ) -> list[str] | None:
        """Run statements; the names that are returned, if any."""
        for at, tree in enumerate(body):
            here = (*place, at)
            self.gone -= names.keys()
            match tree:
                case ("set", name, value):  # another name for what may be absent is absent too
                    made = self.choose(block, value, names, prefix, here)
                    names.pop(name, None)
                    if made is not None:
                        names[name] = made
                case ("if", condition, then, orelse):
                    arm = then if self.holds(condition, names, here) else orelse
                    found = self.body(block, arm, names, prefix, (*here, arm is then), yields)
                    if found is not None:
                        return found
                case ("for", label, inner):
                    for number in range(2):
                        found = self.body(block, inner, names, f"{prefix}{label}.{number}.", (*here, number), yields)
                        if found is not None:
                            return found
                case ("repeat", label, inner):
                    self.loop(block, tree, inner, names, [(f"{prefix}{label}.{i}.", {}) for i in range(B)], here)
                case ("scan", step, source, carry, start, inner):
                    rows = self.value(block, source, names, prefix, here)
                    names[carry] = self.value(block, start, names, prefix, here)
                    self.loop(block, tree, inner, names, [(prefix, {step: row}) for row in rows], here)
                case ("yield", name, value):
                    assert yields is not None
                    yields.setdefault(name, []).append(self.value(block, value, names, prefix, here))
                case ("update", name, value):
                    new = self.value(block, value, names, prefix, here)
                    if self.training:
                        self.states[name] = new
                case ("call", targets, callee, label, args):
                    made = self.call(callee, label, args, names, prefix, here)
                    for target, value in zip(targets, made, strict=True):
                        names.pop(target, None)
                        if value is not None:
                            names[target] = value
                case ("return", values):
                    if values[0] not in names or self.gone & set(values) - names.keys():
                        raise Refused(next(v for v in values if v not in names), here)
                    return list(values)
        return None

    def loop(
        self,
        block: Block,
        tree: Tree,
        body: Sequence[Tree],
        names: dict[str, Any],
        iterations: Sequence[tuple[str, dict[str, Any]]],
        place: tuple[Any, ...],
    ) -> None:
        """Iterations of one body: what was there is carried, what is new is gone afterwards."""
        before, yields = set(names), dict[str, list[Any]]()
        bound = set(_bound(body))
        for prefix, given in iterations:
            names.update(given)
            self.body(block, body, names, prefix, place, yields)
            for name in [*names.keys() - before - given.keys()]:
                self.seen.setdefault(("local", place), set()).add(name)
                self.gone.add(name)
                del names[name]
            for name in given:
                names.pop(name, None)
            if (bound & before) - names.keys():
                raise Refused("what a loop carries is absent after an iteration")
        self.seen.setdefault(("carried", place), set()).update(bound & before)
        self.seen.setdefault(("inputs", place), set(block.optional))
        names.update({name: np.stack(rows) for name, rows in yields.items()})

    def call(
        self, callee: str, label: str, args: Sequence[str], names: Mapping[str, Any], prefix: str, place: Any
    ) -> list[Array | None]:
        """A call with the arguments that are there."""
        block = next(each for each in self.program.blocks if each.name == callee)
        lost = [arg for arg in args if arg not in names and (arg is args[0] or arg in self.gone)]
        if lost:
            raise Refused(lost[0], place)
        pairs = zip(("x", *block.optional), args, strict=False)
        given = {param: names[arg] for param, arg in pairs if arg in names}
        pattern = tuple(name in given for name in block.optional)
        self.seen.setdefault(("call", place, callee), set()).add(pattern)
        return self.block(block, given, f"{prefix}{label}.")

    def holds(self, condition: Tree, names: Mapping[str, Any], place: Any) -> bool:
        """Whether a condition holds on this path."""
        match condition:
            case ("not", inner):
                return not self.holds(inner, names, place)
            case ("given", name):
                if name not in names and name in self.gone:
                    raise Refused(name, place)
                return name in names
            case _:
                return self.training

    def value(self, block: Block, tree: Any, names: Mapping[str, Any], prefix: str, place: Any) -> Any:
        """The value of an expression."""

        def of(inner: Any) -> Any:
            return self.value(block, inner, names, prefix, place)

        match tree:
            case int():
                return tree
            case str():
                if tree not in names:
                    raise Refused(tree, place)
                return names[tree]
            case ("relu", a):
                return np.maximum(of(a), 0)
            case ("sum", a):
                return of(a).sum(0)
            case ("lin", a, label):
                return of(a) @ self.weight(f"{prefix}{label}.weight").T + self.weight(f"{prefix}{label}.bias")
            case ("choose", condition, a, b):
                return of(a) if self.holds(condition, names, place) else of(b)
            case ("over" | "each" as op, callee, label, args):
                return self.rows(op, callee, label, args, names, prefix, place)
            case ("+", a, b):
                return of(a) + of(b)
            case ("*", a, b):
                return of(a) * of(b)
            case ("-", a, b):
                return of(a) - of(b)
        raise AssertionError(tree)

    def choose(self, block: Block, tree: Any, names: Mapping[str, Any], prefix: str, place: Any) -> Any:
        """A value that may be absent: a name, or one of two on this path."""
        if isinstance(tree, str) and tree not in names and tree not in self.gone:
            return None
        if isinstance(tree, tuple) and tree[0] == "choose":
            side = tree[2] if self.holds(tree[1], names, place) else tree[3]
            return self.choose(block, side, names, prefix, place)
        return self.value(block, tree, names, prefix, place)

    def rows(
        self, op: str, callee: str, label: str, args: Sequence[str], names: Mapping[str, Any], prefix: str, place: Any
    ) -> Any:
        """A block of rows at every index."""
        found = []
        for at in range(B):
            here = {arg: names[arg][at] for arg in args if arg in names}
            self.index = at if op == "each" else None
            (row,) = self.call(callee, label, args, here, prefix, place)
            found.append(row)
        self.index = None
        return np.stack(found)  # type: ignore[arg-type]

    def weight(self, path: str) -> Array:
        """A weight: under `each`, that of the index."""
        if not self.weights:
            return np.ones((D, D) if path.endswith("weight") else (D,))
        whole = self.weights[path]
        return whole[self.index] if self.index is not None else whole


def _bound(body: Sequence[Tree]) -> Iterator[str]:
    for tree in body:
        match tree:
            case ("set", name, _):
                yield name
            case ("call", targets, *_):
                yield from targets
            case ("if", _, then, orelse):
                yield from _bound((*then, *orelse))
            case ("for", _, inner):
                yield from _bound(inner)
            case ("repeat", _, inner):
                yield from (*_bound(inner), *_yielded(inner))
            case ("scan", _, _, carry, _, inner):
                yield from (carry, *_bound(inner), *_yielded(inner))


def _yielded(body: Sequence[Tree]) -> Iterator[str]:
    for tree in body:
        match tree:
            case ("yield", name, _):
                yield name
            case ("if", _, then, orelse):
                yield from _yielded((*then, *orelse))
            case ("for", _, inner):
                yield from _yielded(inner)


def _check(program: Program, block: Block, pattern: Sequence[bool | None], done: set[Any]) -> None:
    """Raise where a block is not accepted whose optional inputs are given (False), absent (None), or either (True)."""
    key = (block.name, tuple(pattern))
    if key in done:
        return
    done.add(key)
    ways = [{True: (True, False), False: (True,), None: (False,)}[each] for each in pattern]
    seen: dict[Any, list[Any]] = {}
    for training, *given in product((True, False), *ways):
        table = np.ones((D,) if block.type == "[4]" else (B, D))
        inputs = {name: table for name, there in zip(block.optional, given, strict=True) if there}
        run = Run(program, training, {})
        run.block(block, {"x": table, **inputs}, "")
        for place, value in run.seen.items():
            seen.setdefault(place, []).append(value)
    mine = {place: values for place, values in seen.items() if place[1][0] == block.name}
    for place, values in mine.items():
        if place[0] == "local":
            carried = set().union(*seen.get(("carried", place[1]), [set()]))
            inputs_ = set().union(*seen.get(("inputs", place[1]), [set()]))
            if set().union(*values) & (carried | inputs_):
                raise Refused("what a loop carries is there in some iterations only")
        if place[0] == "call":
            patterns = [pattern for value in values for pattern in value]
            joined = [None if not any(each) else not all(each) for each in zip(*patterns, strict=True)]
            callee = next(each for each in program.blocks if each.name == place[2])
            _check(program, callee, joined, done)
