"""Statements of Python: frozen nodes that know what they bind and what they read.

A body is a tuple of statements, and bodies nest; how a statement is laid out is decided once, at the end
(`render.py`). What a kind of statement says of itself here is all that searches and changes of statements need.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self, dataclass_transform

from ogive.backends.python_text.expr import Code

Change = Callable[[Code], Code]


@dataclass_transform(frozen_default=True)
class Statement:
    """What all statements have. The annotations of a subclass name its parts, in order. Two are
    equal whatever their comments are, and wherever their names are from.

    `dataclass` would compile six functions for each kind, of which a build in a new process would wait for 8 ms.
    """

    parts: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls.parts = tuple(cls.__annotations__)

    def __init__(self, *given: Any, **named: Any) -> None:
        vars(self).update(zip(self.parts, given, strict=False), **named)

    def __setattr__(self, part: str, value: object) -> None:
        raise AttributeError(f"`{part}` of a statement does not change")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Statement) and self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash(self._compared())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(getattr(self, part)) for part in self.parts)})"

    def _compared(self) -> tuple[object, ...]:
        return type(self), *(getattr(self, part) for part in self.parts if part not in ("comment", "made_up"))

    def but(self, **changes: Any) -> Self:
        """The statement with other parts."""
        assert changes.keys() <= set(self.parts), changes
        return type(self)(**{part: getattr(self, part) for part in self.parts} | changes)

    @property
    def targets(self) -> tuple[Code, ...]:
        """The expressions to which it assigns."""
        return ()

    @property
    def values(self) -> tuple[Code, ...]:
        """The expressions that it reads itself, before its bodies run."""
        return ()

    @property
    def bodies(self) -> tuple[Body, ...]:
        """The statements inside of it, in the scope that it stands in."""
        return ()

    @property
    def definitions(self) -> frozenset[str]:
        """The variables that it binds in its scope, those of its bodies too."""
        found = {name for target in self.targets for name in bound_in(target.node)}
        return frozenset(found).union(*(each.definitions for body in self.bodies for each in body))

    @property
    def uses(self) -> frozenset[str]:
        """The variables of its scope, or of one around it, that it reads."""
        found = frozenset[str]().union(*(value.names for value in self.values))
        found = found.union(*(target.names - set(bound_in(target.node)) for target in self.targets))
        return found.union(*(each.uses for body in self.bodies for each in body))

    def changed(self, change: Change) -> Self:
        """The statement with other expressions, inside of it too."""
        raise NotImplementedError


Body = tuple[Statement, ...]


def bound_in(node: ast.expr) -> Iterator[str]:
    """The variables that an assignment to an expression binds."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Tuple):
        for item in node.elts:
            yield from bound_in(item.value if isinstance(item, ast.Starred) else item)


def used(body: Iterable[Statement]) -> frozenset[str]:
    """The variables that statements read."""
    return frozenset[str]().union(*(each.uses for each in body))


def _all(body: Sequence[Statement], change: Change) -> Body:
    return tuple(each.changed(change) for each in body)


class Assign(Statement):
    """An emitted `target = value`, with a comment behind it where there is room, or `target: kind = value`. The source
    has no name for a target that is `made_up`.
    """

    target: Code
    value: Code
    comment: str = ""
    made_up: bool = False
    kind: Code | None = None

    @property
    def targets(self) -> tuple[Code, ...]:
        return (self.target,)

    @property
    def values(self) -> tuple[Code, ...]:
        return (self.value,) if self.kind is None else (self.value, self.kind)

    def changed(self, change: Change) -> Self:
        kind = None if self.kind is None else change(self.kind)
        return self.but(target=change(self.target), value=change(self.value), kind=kind)


class Declare(Statement):
    """`name: kind`, in a class."""

    name: str
    kind: Code

    @property
    def values(self) -> tuple[Code, ...]:
        return (self.kind,)

    @property
    def definitions(self) -> frozenset[str]:
        return frozenset((self.name,))

    def changed(self, change: Change) -> Self:
        return self.but(kind=change(self.kind))


class Evaluate(Statement):
    """An expression whose value is not used."""

    value: Code

    @property
    def values(self) -> tuple[Code, ...]:
        return (self.value,)

    def changed(self, change: Change) -> Self:
        return self.but(value=change(self.value))


class Return(Statement):
    """An emitted `return value`; several values stand in a tuple."""

    value: Code | None = None

    @property
    def values(self) -> tuple[Code, ...]:
        return () if self.value is None else (self.value,)

    def changed(self, change: Change) -> Self:
        return self if self.value is None else self.but(value=change(self.value))


class Raise(Statement):
    """`raise error`."""

    error: Code

    @property
    def values(self) -> tuple[Code, ...]:
        return (self.error,)

    def changed(self, change: Change) -> Self:
        return self.but(error=change(self.error))


class For(Statement):
    """An emitted `for target in source:`."""

    target: Code
    source: Code
    body: Body

    @property
    def targets(self) -> tuple[Code, ...]:
        return (self.target,)

    @property
    def values(self) -> tuple[Code, ...]:
        return (self.source,)

    @property
    def bodies(self) -> tuple[Body, ...]:
        return (self.body,)

    def changed(self, change: Change) -> Self:
        return self.but(target=change(self.target), source=change(self.source), body=_all(self.body, change))


class If(Statement):
    """An emitted `if test:`, with an `else` where `other` holds statements."""

    test: Code
    body: Body
    other: Body = ()
    comment: str = ""

    @property
    def values(self) -> tuple[Code, ...]:
        return (self.test,)

    @property
    def bodies(self) -> tuple[Body, ...]:
        return (self.body, self.other)

    def changed(self, change: Change) -> Self:
        return self.but(test=change(self.test), body=_all(self.body, change), other=_all(self.other, change))


class Within(Statement):
    """`with context:`."""

    context: Code
    body: Body

    @property
    def values(self) -> tuple[Code, ...]:
        return (self.context,)

    @property
    def bodies(self) -> tuple[Body, ...]:
        return (self.body,)

    def changed(self, change: Change) -> Self:
        return self.but(context=change(self.context), body=_all(self.body, change))


@dataclass(frozen=True, slots=True)
class Parameter:
    """`name: kind = default`; `*` alone has neither, and what stands behind it is given by name."""

    name: str
    kind: Code | None = None
    default: Code | None = None

    @property
    def values(self) -> tuple[Code, ...]:
        """The expressions that are read where the function is made."""
        return tuple(each for each in (self.kind, self.default) if each is not None)


class FunctionDef(Statement):
    """`def name(parameters) -> returns:`, with the lines of its docstring."""

    name: str
    parameters: tuple[Parameter, ...]
    returns: Code
    body: Body
    doc: tuple[str, ...] = ()
    decorators: tuple[Code, ...] = ()

    @property
    def values(self) -> tuple[Code, ...]:
        inside = (value for each in self.parameters for value in each.values)
        return (*self.decorators, *inside, self.returns)

    @property
    def definitions(self) -> frozenset[str]:
        return frozenset((self.name,))

    @cached_property
    def uses(self) -> frozenset[str]:
        own = {each.name for each in self.parameters}.union(*(each.definitions for each in self.body))
        outer = frozenset[str]().union(*(value.names for value in self.values))
        return outer | (used(self.body) - own)

    def changed(self, change: Change) -> Self:
        parameters = tuple(
            Parameter(each.name, each.kind and change(each.kind), each.default and change(each.default))
            for each in self.parameters
        )
        decorators = tuple(map(change, self.decorators))
        return self.but(
            parameters=parameters,
            returns=change(self.returns),
            body=_all(self.body, change),
            decorators=decorators,
        )


class Class(Statement):
    """`class name(base):`, with the lines of its docstring."""

    name: str
    base: Code
    body: Body
    doc: tuple[str, ...] = ()

    @property
    def values(self) -> tuple[Code, ...]:
        return (self.base,)

    @property
    def definitions(self) -> frozenset[str]:
        return frozenset((self.name,))

    @cached_property
    def uses(self) -> frozenset[str]:
        return self.base.names | used(self.body)

    def changed(self, change: Change) -> Self:
        return self.but(base=change(self.base), body=_all(self.body, change))


class Import(Statement):
    """`import module`, `import module as name`, or `from module import names`."""

    module: str
    name: str = ""
    names: tuple[str, ...] = ()

    @property
    def definitions(self) -> frozenset[str]:
        return frozenset(self.names or (self.name or self.module.partition(".")[0],))

    def changed(self, change: Change) -> Self:
        return self


class FixedText(Statement):
    """A text of ours that files hold as it is. What it defines and reads is declared beside it."""

    text: str
    defines: frozenset[str]
    reads: frozenset[str]

    @property
    def definitions(self) -> frozenset[str]:
        return self.defines

    @property
    def uses(self) -> frozenset[str]:
        return self.reads

    def changed(self, change: Change) -> Self:
        return self


def in_order(wanted: Iterable[str], texts: Mapping[str, FixedText]) -> list[FixedText]:
    """The texts of these names, and before each those that it reads."""
    found: dict[str, FixedText] = {}

    def add(name: str) -> None:
        if name not in found:
            for other in texts:
                if other != name and other in texts[name].reads:
                    add(other)
            found[name] = texts[name]

    for name in wanted:
        add(name)
    return list(found.values())


def fixed(text: str, defines: str, reads: str) -> FixedText:
    """A text with the names that it defines and reads, which are given as words."""
    return FixedText(text, frozenset(defines.split()), frozenset(reads.split()))
