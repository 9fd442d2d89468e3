"""Actions for expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ogive.grammar import syntax as s
from ogive.grammar.builder import Kids, TreeBuilder
from ogive.grammar.diagnostics import Diagnostic


def _name(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Expr:
    return s.Name(span=b.span(start, end), id=b.text(kids[0]))


def _number(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Number:
    text, span = b.text(kids[0]).replace("_", ""), b.span(start, end)
    if text.isdigit():
        return s.Number(span=span, value=int(text))
    value = float(text)
    if value == float("inf"):
        b.report(Diagnostic("E0101", f"{text} is more than floats hold", span, help="infinity is `inf`"))
    elif value == 0 and text.lower().partition("e")[0].strip("0."):
        b.report(Diagnostic("E0101", f"{text} is less than floats hold, and would be 0", span))
    return s.Number(span=span, value=value)


def _string(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.String:
    return s.String(span=b.span(start, end), value=b.text(kids[0])[1:-1])


def _true(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Constant:
    return s.Constant(span=b.span(start, end), value=True)


def _false(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Constant:
    return s.Constant(span=b.span(start, end), value=False)


def _none(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Constant:
    return s.Constant(span=b.span(start, end), value=None)


def _tuple(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.TupleExpr:
    return s.TupleExpr(span=b.span(start, end), items=tuple(kids))


def _list(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.ListExpr:
    return s.ListExpr(span=b.span(start, end), items=tuple(kids))


def _comprehension(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Comprehension:
    element, *clauses = kids
    return s.Comprehension(span=b.span(start, end), element=element, clauses=tuple(clauses))


def _clause(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Clause:
    targets, iterable, condition = kids
    names = tuple(target.name for target in targets)
    return s.Clause(span=b.span(start, end), targets=names, iterable=iterable, condition=condition)


def _set(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.SetExpr:
    return s.SetExpr(span=b.span(start, end), items=tuple(kids))


def _attribute(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Attribute:
    base, token = kids
    return s.Attribute(span=b.span(start, end), base=base, name=b.text(token), name_span=b.at(token))


def _call(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Call:
    func, *args = kids
    return s.Call(span=b.span(start, end), func=func, args=tuple(args))


def _brackets(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Brackets:
    base, *items = kids
    return s.Brackets(span=b.span(start, end), base=base, items=tuple(items))


def _slice(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Slice:
    first, stop = kids
    return s.Slice(span=b.span(start, end), start=first, stop=stop, step=None)


def _slice_step(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Slice:
    first, stop, step = kids
    return s.Slice(span=b.span(start, end), start=first, stop=stop, step=step)


def _ellipsis(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Ellipsis_:
    return s.Ellipsis_(span=b.span(start, end))


def _splice(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Splice:
    return s.Splice(span=b.span(start, end), value=kids[0])


def _keyword(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Keyword:
    token, value = kids
    return s.Keyword(span=b.span(start, end), name=b.text(token), value=value, name_span=b.at(token))


def _unary(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Unary:
    op, operand = kids
    return s.Unary(span=b.span(start, end), op=op[0], operand=operand)


def _binary(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Binary:
    left, op, right = kids
    return s.Binary(span=b.span(start, end), op=op[0], left=left, right=right)


def _compare(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Compare:
    left, op, right = kids
    return s.Compare(span=b.span(start, end), op=op[0], left=left, right=right)


def _conditional(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Conditional:
    then, condition, orelse = kids
    return s.Conditional(span=b.span(start, end), then=then, condition=condition, orelse=orelse)


def _stage(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Stage:
    func, label = kids
    return s.Stage(span=b.span(start, end), func=func, label=b.optional_text(label))


def _pipe(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Pipe:
    head, *stages = kids
    return s.Pipe(span=b.span(start, end), head=head, stages=tuple(stages))


def _compose(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Compose:
    return s.Compose(span=b.span(start, end), parts=tuple(kids))


EXPRESSIONS: dict[str, Callable[[TreeBuilder, int, int, list[Any]], Any]] = {
    "name": _name,
    "number": _number,
    "string": _string,
    "true": _true,
    "false": _false,
    "none": _none,
    "tuple": _tuple,
    "list": _list,
    "comprehension": _comprehension,
    "clause": _clause,
    "set": _set,
    "attribute": _attribute,
    "call": _call,
    "brackets": _brackets,
    "slice": _slice,
    "slice_step": _slice_step,
    "ellipsis": _ellipsis,
    "splice": _splice,
    "keyword": _keyword,
    "unary": _unary,
    "binary": _binary,
    "compare": _compare,
    "conditional": _conditional,
    "stage": _stage,
    "pipe": _pipe,
    "compose": _compose,
}
