"""The syntax tree: frozen nodes with spans. Spans do not take part in equality, so print-parse round trips compare."""

from __future__ import annotations

from dataclasses import dataclass, field

from ogive.grammar.source import Span
from ogive.grammar.syntax_expr import (
    Attribute,
    Binary,
    BlockType,
    BracketItem,
    Brackets,
    Call,
    Clause,
    Compare,
    Compose,
    Comprehension,
    Conditional,
    Constant,
    Ellipsis_,
    Expr,
    Keyword,
    ListExpr,
    Name,
    Number,
    Pipe,
    SetExpr,
    Slice,
    Splice,
    Stage,
    StarDim,
    String,
    Tree,
    TupleExpr,
    TypeExpr,
    Unary,
)

__all__ = [
    "Assign", "Assume", "Attribute", "Binary", "Block", "BlockType", "BracketItem", "Brackets", "Call",
    "Carry", "Clause", "Compare", "Compose", "Comprehension", "Conditional", "Const", "Constant", "Decl", "Edition",
    "Ellipsis_", "Expr", "Extern", "File", "For", "If", "InitStmt", "Input", "KeepStmt", "Keyword", "ListExpr",
    "Model", "Name", "Number", "Output", "ParamStmt", "Pipe", "Recipe", "Repeat", "Require", "Return", "Scan",
    "SetExpr", "Slice", "Splice", "Stage", "StarDim", "StaticDecl", "Stmt", "String", "Tap", "Target", "Tree",
    "TupleExpr", "TypeExpr", "Unary", "UpdateStmt", "Use", "UseItem", "With", "Yield",
]  # fmt: skip

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
    """The syntax `a, b = e` or `y: [b, n] = e` (then one target and a type)."""

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
    """The syntax `return a, b`."""

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
    """The syntax `if c: ... elif d: ... else: ...`; `orelse` is None where there is no `else`."""

    branches: tuple[tuple[Expr, tuple[Stmt, ...]], ...]
    orelse: tuple[Stmt, ...] | None


@dataclass(frozen=True, slots=True)
class For(Stmt):
    """The syntax `for i, c in iterable as label:`."""

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
    """Syntax of an import: `use std.nn (Linear as L)` or `use ./parts as parts`. `module` is "std.nn" or "./parts"."""

    module: str
    module_span: Span = field(compare=False, repr=False)
    items: tuple[UseItem, ...]
    alias: str | None


@dataclass(frozen=True, slots=True)
class Const(Decl):
    """Syntax of a constant: `const width = 768`; with statics a rule for values: `const chain[n] = [...]`."""

    target: Target
    statics: tuple[StaticDecl, ...]
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
    """`x: [b, n, d]`; with `each` a list of tensors: `xs: [b, d[i]] for i in range(n)`."""

    name: str
    type: TypeExpr
    each: Clause | None = None


@dataclass(frozen=True, slots=True)
class Output(Tree):
    """A declared output; `name` is None where there is one without a name; with `each` it is a list of tensors."""

    name: str | None
    type: TypeExpr
    each: Clause | None = None


@dataclass(frozen=True, slots=True)
class Block(Decl):
    """Syntax of a block: `block Name[statics](inputs) -> outputs where conditions: body`."""

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
    """Syntax of a model: `model Name = Block[...] where pins`. `where` is None where nothing is pinned."""

    name: str
    name_span: Span = field(compare=False, repr=False)
    value: Expr
    where: tuple[Expr, ...] | None
    doc: str


@dataclass(frozen=True, slots=True)
class Recipe(Decl):
    """Syntax of a recipe: `recipe name for Model: pass, pass[...]`."""

    name: str
    name_span: Span = field(compare=False, repr=False)
    model: str
    passes: tuple[Expr, ...]
    doc: str


@dataclass(frozen=True, slots=True)
class File(Tree):
    """A parsed file: what could be parsed, in source order."""

    declarations: tuple[Decl, ...]
