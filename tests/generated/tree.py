"""Generated programs as trees: statements over references, whose names are chosen when the text is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from generated.dims import Dim, Name, Type


class Ref:
    """A name of a value, of an instance or of a loop variable. A value bound again keeps its reference."""

    __slots__ = ("hint",)

    def __init__(self, hint: str) -> None:
        self.hint = hint

    def __repr__(self) -> str:
        return f"<{self.hint}>"


Parts = tuple["str | Ref", ...]


@dataclass
class Let:
    """`a, b = e`. `types` are those of the targets, None for an instance; `pure` where it may be written anywhere."""

    targets: list[Ref]
    parts: Parts
    types: list[Type | None]
    tags: tuple[str, ...] = ()
    typed: bool = False  # written with its type
    pure: bool = True
    use: tuple[str, tuple[Ref, ...], dict[Name, Dim]] | None = (
        None  # of a block: its name, operands, what its sizes are
    )


@dataclass
class Plain:
    """A statement that binds nothing: `tap`, `update`, `init`, `keep`, `require`, `assume`, `yield`."""

    parts: Parts
    tags: tuple[str, ...]
    binds: tuple[Ref, Type] | None = None  # what a `yield` binds after its loop


@dataclass
class Weight:
    """`param` or `state`."""

    kind: str
    target: Ref
    type: Type
    init: Parts
    keep: str = ""


@dataclass
class Region:
    """A statement with bodies: `repeat`, `scan`, `for`, `if`. `heads` are what is written before each."""

    kind: str
    heads: list[Parts]
    bodies: list[list[Stmt]]
    inner: list[Ref] = field(default_factory=list)  # names of its own: steps, carried, numbers
    carried: list[tuple[Ref, Type]] = field(default_factory=list)  # values that the bodies bind again
    tags: tuple[str, ...] = ()
    count: int = 0  # how often a loop runs, where that is a number


@dataclass
class Return:
    """`return e1, e2`."""

    parts: list[Parts]


Stmt = Let | Plain | Weight | Region | Return


@dataclass
class Input:
    ref: Ref
    type: Type
    optional: bool = False


@dataclass
class Output:
    type: Type
    name: str = ""
    optional: bool = False


@dataclass
class Static:
    """A static of a block: how it is declared, and the text that a use gives (none: its default)."""

    name: str
    decl: str
    given: str = ""


@dataclass
class Block:
    """A block. `values` are sizes at which it is known to work."""

    name: str
    statics: list[Static] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    body: list[Stmt] = field(default_factory=list)
    values: dict[Name, int] = field(default_factory=dict)
    weighty: bool = False  # whether it owns weights or states, also below
    facts: set[str] = field(default_factory=set)  # "draws", "states", "cuts", "taps": what it does, also below
    regions: list[str] = field(default_factory=list)  # outermost regions, through calls
    result: list[Type] = field(default_factory=list)  # what it gives
    taken: tuple[int, int] = (0, 0)  # so many inputs, from a place on, that are one list `ws`
    given: tuple[int, int] = (0, 0)  # outputs that are one list `os`


@dataclass
class Program:
    """A whole file, whose model is `M`."""

    seed: str
    blocks: list[Block] = field(default_factory=list)
    uses: dict[str, set[str]] = field(default_factory=dict)
    consts: list[str] = field(default_factory=list)
    given: str = ""  # what the model gives to its block
    optional: list[str] = field(default_factory=list)  # optional inputs that are handed over
    taps: list[str] = field(default_factory=list)
    pairs: set[tuple[str, str]] = field(default_factory=set)  # nested regions
    awkward: bool = False  # whether names are chosen to be awkward
    packs: dict[str, tuple[int, ...]] = field(default_factory=dict)  # the axes of the packs of the model's inputs
    low: set[str] = field(default_factory=set)  # float types below the model's own that it goes through

    @property
    def main(self) -> Block:
        return self.blocks[-1]


def walk(body: Sequence[Stmt]) -> Iterator[Stmt]:
    """All statements, those of regions after what holds them."""
    for statement in body:
        yield statement
        if isinstance(statement, Region):
            for inner in statement.bodies:
                yield from walk(inner)


def reads(statement: Stmt) -> list[Ref]:
    """The references that a statement reads, regions with all that they hold."""
    match statement:
        case Let(parts=parts) | Plain(parts=parts) | Weight(init=parts):
            return [part for part in parts if isinstance(part, Ref)]
        case Return(parts=results):
            return [part for parts in results for part in parts if isinstance(part, Ref)]
        case Region(heads=heads, bodies=bodies):
            own = [part for parts in heads for part in parts if isinstance(part, Ref)]
            return [*own, *(ref for body in bodies for inner in body for ref in reads(inner))]


def binds(statement: Stmt) -> list[Ref]:
    """The references that it binds, as seen after it."""
    match statement:
        case Let(targets=targets):
            return targets
        case Weight(target=target):
            return [target]
        case Region(bodies=bodies, carried=carried):
            yielded = [s.binds[0] for body in bodies for s in body if isinstance(s, Plain) and s.binds is not None]
            return [*(ref for ref, _ in carried), *yielded]
        case _:
            return []
