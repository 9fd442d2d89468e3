"""From the rules of arch.lark to the nodes of syntax.py: what each action makes of its kids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ogive.grammar import syntax as s
from ogive.grammar.build_expr import EXPRESSIONS
from ogive.grammar.build_statement import STATEMENTS
from ogive.grammar.builder import Kids, TreeBuilder
from ogive.grammar.diagnostics import Diagnostic

EDITIONS = (1,)


def _edition(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Edition:
    (number,) = kids
    value = int(b.text(number)) if b.text(number).isdigit() else 0
    if value not in EDITIONS:
        help_ = f"write `ogive {EDITIONS[-1]}`"
        b.report(Diagnostic("E0101", f"this compiler knows no edition `{b.text(number)}`", b.at(number), help=help_))
    return s.Edition(span=b.span(start, end), number=value)


def _use_names(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Use:
    module, *items = kids
    return s.Use(
        span=b.span(start, end), module=b.text(module), module_span=b.at(module), items=tuple(items), alias=None
    )


def _use_module(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Use:
    module, alias = kids
    return s.Use(
        span=b.span(start, end), module=b.text(module), module_span=b.at(module), items=(), alias=b.text(alias)
    )


def _use_item(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.UseItem:
    name, alias = kids
    return s.UseItem(span=b.span(start, end), name=b.text(name), alias=b.optional_text(alias))


def _const(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Const:
    name, statics, value = kids
    return s.Const(span=b.span(start, end), target=b.target(name), statics=statics, value=value)


def _block(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Block:
    name, statics, inputs, outputs, where, body = kids
    return s.Block(
        span=b.span(start, end), name=b.text(name), name_span=b.at(name), statics=statics, inputs=inputs,
        outputs=outputs, where=where, body=body, doc=b.doc,
    )  # fmt: skip


def _extern(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Extern:
    name, statics, inputs, outputs, where, target = kids
    return s.Extern(
        span=b.span(start, end), name=b.text(name), name_span=b.at(name), statics=statics, inputs=inputs,
        outputs=outputs, where=where, target=b.text(target)[1:-1], doc=b.doc,
    )  # fmt: skip


def _model(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Model:
    name, value, where = kids
    return s.Model(
        span=b.span(start, end), name=b.text(name), name_span=b.at(name), value=value, where=where or None, doc=b.doc
    )


def _recipe(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Recipe:
    name, of, passes = kids
    return s.Recipe(
        span=b.span(start, end), name=b.text(name), name_span=b.at(name), model=b.text(of), passes=passes, doc=b.doc
    )


def _static(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.StaticDecl:
    name, default = kids
    return s.StaticDecl(span=b.span(start, end), name=b.text(name), kinds=(), type=None, default=default)


def _static_kinds(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.StaticDecl:
    name, kinds, default = kids
    return s.StaticDecl(span=b.span(start, end), name=b.text(name), kinds=kinds, type=None, default=default)


def _static_typed(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.StaticDecl:
    name, type_, default = kids
    return s.StaticDecl(span=b.span(start, end), name=b.text(name), kinds=(), type=type_, default=default)


def _kind(b: TreeBuilder, start: int, end: int, kids: Kids) -> str:
    return b.text(kids[0])


def _block_type(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.BlockType:
    inputs, outputs = kids
    return s.BlockType(span=b.span(start, end), inputs=inputs, outputs=outputs)


def _input(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Input:
    name, type_, each = kids
    return s.Input(span=b.span(start, end), name=b.text(name), type=type_, each=each)


def _output_single(b: TreeBuilder, start: int, end: int, kids: Kids) -> tuple[s.Output, ...]:
    return (_output_plain(b, start, end, kids),)


def _output_plain(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Output:
    return s.Output(span=b.span(start, end), name=None, type=kids[0])


def _output_named(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Output:
    name, type_, each = kids
    return s.Output(span=b.span(start, end), name=b.text(name), type=type_, each=each)


def _each(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Clause | None:
    names, iterable = kids
    if names is None:
        return None
    targets = tuple(target.name for target in names)
    return s.Clause(span=b.span(start, end), targets=targets, iterable=iterable, condition=None)


def _wheres(b: TreeBuilder, start: int, end: int, kids: Kids) -> tuple[s.Expr, ...]:
    return tuple(condition for where in kids for condition in where)


def _type(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.TypeExpr:
    return _typed(b, start, end, kids, optional=False)


def _type_optional(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.TypeExpr:
    return _typed(b, start, end, kids, optional=True)


def _typed(b: TreeBuilder, start: int, end: int, kids: Kids, optional: bool) -> s.TypeExpr:
    elem, *dims = kids
    return s.TypeExpr(
        span=b.span(start, end), elem=b.text(elem) if elem else "float", dims=tuple(dims), optional=optional
    )


def _star_dim(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.StarDim:
    return s.StarDim(span=b.span(start, end), name=b.text(kids[0]))


def _ellipsis_dim(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.StarDim:
    return s.StarDim(span=b.span(start, end), name=None)


def _group(b: TreeBuilder, start: int, end: int, kids: Kids) -> tuple[Any, ...]:
    """A list that stands alone: statics, inputs, outputs, conditions."""
    return tuple(kids)


def _only(b: TreeBuilder, start: int, end: int, kids: Kids) -> Any:
    return kids[0]


Action = Callable[[TreeBuilder, int, int, list[Any]], Any]

DECLARATIONS: dict[str, Action] = {
    "start": _only,
    "edition": _edition,
    "use_names": _use_names,
    "use_module": _use_module,
    "use_item": _use_item,
    "const": _const,
    "block": _block,
    "extern": _extern,
    "model": _model,
    "recipe": _recipe,
    "passes": _group,
    "statics": _group,
    "static": _static,
    "static_kinds": _static_kinds,
    "static_typed": _static_typed,
    "kinds": _group,
    "kind": _kind,
    "block_type": _block_type,
    "types": _group,
    "inputs": _group,
    "each": _each,
    "input": _input,
    "output_single": _output_single,
    "outputs": _group,
    "output_named": _output_named,
    "output_plain": _output_plain,
    "wheres": _wheres,
    "where": _group,
    "type": _type,
    "type_optional": _type_optional,
    "star_dim": _star_dim,
    "ellipsis_dim": _ellipsis_dim,
}

ACTIONS: dict[str, Action] = {**DECLARATIONS, **STATEMENTS, **EXPRESSIONS}


def reducer(b: TreeBuilder) -> Callable[[str, int, int, list[Any]], Any]:
    """The reductions of one chunk."""

    def reduce(action: str, start: int, end: int, kids: list[Any]) -> Any:
        return ACTIONS[action](b, start, end, kids)

    return reduce
