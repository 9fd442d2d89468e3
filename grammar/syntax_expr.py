"""The nodes of expressions and types; `syntax` hands them on with those of statements and declarations."""

from __future__ import annotations

from dataclasses import dataclass, field

from ogive.grammar.source import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Anything that stands in a file."""

    span: Span = field(compare=False, repr=False)


# --- expressions ------------------------------------------------------------------------------------------------------


class Expr(Tree):
    """An expression, run time or compile time: the elaborator tells them apart."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Name(Expr):
    """`x`: what it stands for, the elaborator finds out."""

    id: str


@dataclass(frozen=True, slots=True)
class Number(Expr):
    """An int or a float literal; `inf` is a Name."""

    value: int | float


@dataclass(frozen=True, slots=True)
class String(Expr):
    """`value` is the text between the quotes; there are no escapes, so its first character stands at span.start + 1."""

    value: str


@dataclass(frozen=True, slots=True)
class Constant(Expr):
    """`true`, `false`, `none`."""

    value: bool | None


@dataclass(frozen=True, slots=True)
class ListExpr(Expr):
    """`[a, b]`, a compile-time list."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Clause(Tree):
    """`for targets in iterable if condition`, in a comprehension."""

    targets: tuple[str, ...]
    iterable: Expr
    condition: Expr | None


@dataclass(frozen=True, slots=True)
class Comprehension(Expr):
    """`[element for targets in iterable if condition]`; a later loop runs inside of those before it."""

    element: Expr
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class SetExpr(Expr):
    """`{r, s}`, on the right of `in` only, where a list may stand too."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class TupleExpr(Expr):
    """`(q, k, v)`, at the head of a pipeline, as an iterable's element, or as an argument."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Attribute(Expr):
    """`base.name`."""

    base: Expr
    name: str
    name_span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Slice(Tree):
    """`start:stop:step` between brackets."""

    start: Expr | None
    stop: Expr | None
    step: Expr | None


@dataclass(frozen=True, slots=True)
class Ellipsis_(Tree):
    """`...` between brackets: all other axes, or (last) 'the other statics stay open'."""


@dataclass(frozen=True, slots=True)
class Splice(Tree):
    """`*list` among arguments or between brackets."""

    value: Expr


@dataclass(frozen=True, slots=True)
class Keyword(Tree):
    """`name=value`."""

    name: str
    value: Expr
    name_span: Span = field(compare=False, repr=False)


BracketItem = Expr | Slice | Ellipsis_ | Splice | Keyword
Argument = Expr | Splice | Keyword


@dataclass(frozen=True, slots=True)
class Brackets(Expr):
    """`base[items]`: statics, a slice of a tensor, or an element of a list."""

    base: Expr
    items: tuple[BracketItem, ...]


@dataclass(frozen=True, slots=True)
class Call(Expr):
    """`func(args)`."""

    func: Expr
    args: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Unary(Expr):
    """`-x` or `not x`."""

    op: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary(Expr):
    """`+ - * / // % ** @` and `and or`."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Compare(Expr):
    """`left op right` with `== != < <= > >= in`; not chained."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Conditional(Expr):
    """`then if condition else orelse`."""

    then: Expr
    condition: Expr
    orelse: Expr


@dataclass(frozen=True, slots=True)
class Stage(Tree):
    """`|> func as label`."""

    func: Expr
    label: str | None


@dataclass(frozen=True, slots=True)
class Pipe(Expr):
    """`head |> stage |> stage`."""

    head: Expr
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Compose(Expr):
    """`A >> B >> C`."""

    parts: tuple[Expr, ...]


# --- types ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StarDim(Tree):
    """`*b` (a pack, or a spliced list of sizes: names tell) or `...` (name is None)."""

    name: str | None


@dataclass(frozen=True, slots=True)
class TypeExpr(Tree):
    """`elem[dims]?`; `elem` is "float" where none is written."""

    elem: str
    dims: tuple[Expr | StarDim, ...]
    optional: bool


@dataclass(frozen=True, slots=True)
class BlockType(Tree):
    """`[*b, d] -> [*b, d]`, the type of a static that is a block."""

    inputs: tuple[TypeExpr, ...]
    outputs: tuple[TypeExpr, ...]
