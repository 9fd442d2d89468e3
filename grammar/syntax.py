"""The syntax tree: frozen nodes with spans. Spans do not take part in equality, so print-parse round trips compare."""

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
    """An int or a float literal; `inf` is a Number too."""

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
class Comprehension(Expr):
    """`[element for targets in iterable if condition]`."""

    element: Expr
    targets: tuple[str, ...]
    iterable: Expr
    condition: Expr | None


@dataclass(frozen=True, slots=True)
class SetExpr(Expr):
    """`{r, s}`, on the right of `in` only."""

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
    label_span: Span | None = field(compare=False, repr=False)


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


# --- statements -------------------------------------------------------------------------------------------------------


class Stmt(Tree):
    """A statement of a body."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Target(Tree):
    """A name that is bound here."""

    name: str


@dataclass(frozen=True, slots=True)
class Assign(Stmt):
    """`a, b = e` or `y: [b, n] = e` (then one target and a type)."""

    targets: tuple[Target, ...]
    type: TypeExpr | None
    value: Expr


@dataclass(frozen=True, slots=True)
class ParamStmt(Stmt):
    """`param name: type = init keep constraint`, and `state` likewise (`kind`)."""

    kind: str
    target: Target
    type: TypeExpr
    init: Expr | None
    keep: Expr | None


@dataclass(frozen=True, slots=True)
class UpdateStmt(Stmt):
    """`update mean = e`."""

    target: Target
    value: Expr


@dataclass(frozen=True, slots=True)
class InitStmt(Stmt):
    """`init Linear.weight, h.mlp.c_proj.weight = normal[std=0.02]`; targets are dotted paths."""

    targets: tuple[tuple[str, ...], ...]
    target_spans: tuple[Span, ...] = field(compare=False, repr=False)
    value: Expr


@dataclass(frozen=True, slots=True)
class KeepStmt(Stmt):
    """`keep lin.weight = relu`."""

    target: tuple[str, ...]
    target_span: Span = field(compare=False, repr=False)
    value: Expr


@dataclass(frozen=True, slots=True)
class Return(Stmt):
    """`return a, b`."""

    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Yield(Stmt):
    """`yield ys = e`."""

    target: Target
    value: Expr


@dataclass(frozen=True, slots=True)
class Require(Stmt):
    """`require c, d`."""

    conditions: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Assume(Stmt):
    """`assume c, d`."""

    conditions: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Tap(Stmt):
    """`tap name = e`."""

    target: Target
    value: Expr


@dataclass(frozen=True, slots=True)
class If(Stmt):
    """`if c: ... elif d: ... else: ...`; `orelse` is None where there is no `else`."""

    branches: tuple[tuple[Expr, tuple[Stmt, ...]], ...]
    orelse: tuple[Stmt, ...] | None


@dataclass(frozen=True, slots=True)
class For(Stmt):
    """`for i, c in iterable as label:`."""

    targets: tuple[Target, ...]
    iterable: Expr
    label: str | None
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class With(Tree):
    """`past in cache`, `i in range(n)`."""

    target: Target
    iterable: Expr


@dataclass(frozen=True, slots=True)
class Repeat(Stmt):
    """`repeat count as label with past in cache, i in range(n):`."""

    count: Expr
    label: str | None
    withs: tuple[With, ...]
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class Carry(Tree):
    """`carry h = zeros[b, d]`, with an optional type."""

    target: Target
    type: TypeExpr | None
    value: Expr


@dataclass(frozen=True, slots=True)
class Scan(Stmt):
    """`scan x_t in x, y_t in y along n reverse carry h = e as label:`."""

    steps: tuple[With, ...]
    axis: Expr
    reverse: bool
    carries: tuple[Carry, ...]
    label: str | None
    body: tuple[Stmt, ...]


# --- declarations -----------------------------------------------------------------------------------------------------


class Decl(Tree):
    """A top-level declaration."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Edition(Decl):
    """`ogive 1`, on the first line."""

    number: int


@dataclass(frozen=True, slots=True)
class UseItem(Tree):
    """`Linear as L` in the parentheses of a `use`."""

    name: str
    alias: str | None


@dataclass(frozen=True, slots=True)
class Use(Decl):
    """`use std.nn (Linear as L)` or `use ./parts as parts`. `module` is "std.nn" or "./parts"."""

    module: str
    module_span: Span = field(compare=False, repr=False)
    items: tuple[UseItem, ...]
    alias: str | None


@dataclass(frozen=True, slots=True)
class Const(Decl):
    """`const width = 768`."""

    target: Target
    value: Expr


@dataclass(frozen=True, slots=True)
class StaticDecl(Tree):
    """`d`, `depth: nat = 2`, `F: [*b, d] -> [*b, d]`, `kernel: size | list`. `kinds` is empty where none is written."""

    name: str
    kinds: tuple[str, ...]
    type: BlockType | None
    default: Expr | None


@dataclass(frozen=True, slots=True)
class Input(Tree):
    """`x: [b, n, d]`."""

    name: str
    type: TypeExpr


@dataclass(frozen=True, slots=True)
class Output(Tree):
    """A declared output; `name` is None where there is one without a name."""

    name: str | None
    type: TypeExpr


@dataclass(frozen=True, slots=True)
class Block(Decl):
    """`block Name[statics](inputs) -> outputs where conditions: body`."""

    name: str
    name_span: Span = field(compare=False, repr=False)
    statics: tuple[StaticDecl, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    where: tuple[Expr, ...]
    body: tuple[Stmt, ...]
    doc: str


@dataclass(frozen=True, slots=True)
class Extern(Decl):
    """`extern block Name[statics](inputs) -> outputs = "package.module:Class"`."""

    name: str
    name_span: Span = field(compare=False, repr=False)
    statics: tuple[StaticDecl, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    where: tuple[Expr, ...]
    target: str
    doc: str


@dataclass(frozen=True, slots=True)
class Model(Decl):
    """`model Name = Block[...] where pins`. `where` is None where nothing is pinned."""

    name: str
    name_span: Span = field(compare=False, repr=False)
    value: Expr
    where: tuple[Expr, ...] | None
    doc: str


@dataclass(frozen=True, slots=True)
class Recipe(Decl):
    """`recipe name for Model: pass, pass[...]`."""

    name: str
    name_span: Span = field(compare=False, repr=False)
    model: str
    passes: tuple[Expr, ...]
    doc: str


@dataclass(frozen=True, slots=True)
class File(Tree):
    """A parsed file: what could be parsed, in source order."""

    declarations: tuple[Decl, ...]
