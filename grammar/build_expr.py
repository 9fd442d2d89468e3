"""Actions for expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ogive.grammar import syntax as s
from ogive.grammar.builder import Builder, Kids


def name(b: Builder, start: int, end: int, kids: Kids) -> s.Expr:
    text = b.text(kids[0])
    if text == "inf":
        return s.Number(span=b.span(start, end), value=float("inf"))
    return s.Name(span=b.span(start, end), id=text)


def number(b: Builder, start: int, end: int, kids: Kids) -> s.Number:
    text = b.text(kids[0]).replace("_", "")
    return s.Number(span=b.span(start, end), value=int(text) if text.isdigit() else float(text))


def string(b: Builder, start: int, end: int, kids: Kids) -> s.String:
    return s.String(span=b.span(start, end), value=b.text(kids[0])[1:-1])


def true(b: Builder, start: int, end: int, kids: Kids) -> s.Constant:
    return s.Constant(span=b.span(start, end), value=True)


def false(b: Builder, start: int, end: int, kids: Kids) -> s.Constant:
    return s.Constant(span=b.span(start, end), value=False)


def none(b: Builder, start: int, end: int, kids: Kids) -> s.Constant:
    return s.Constant(span=b.span(start, end), value=None)


def tuple_(b: Builder, start: int, end: int, kids: Kids) -> s.TupleExpr:
    return s.TupleExpr(span=b.span(start, end), items=tuple(kids))


def list_(b: Builder, start: int, end: int, kids: Kids) -> s.ListExpr:
    return s.ListExpr(span=b.span(start, end), items=tuple(kids))


def comprehension(b: Builder, start: int, end: int, kids: Kids) -> s.Comprehension:
    element, targets, iterable, condition = kids
    return s.Comprehension(
        span=b.span(start, end),
        element=element,
        targets=tuple(target.name for target in targets),
        iterable=iterable,
        condition=condition,
    )


def set_(b: Builder, start: int, end: int, kids: Kids) -> s.SetExpr:
    return s.SetExpr(span=b.span(start, end), items=tuple(kids))


def attribute(b: Builder, start: int, end: int, kids: Kids) -> s.Attribute:
    base, token = kids
    return s.Attribute(span=b.span(start, end), base=base, name=b.text(token), name_span=b.at(token))


def call(b: Builder, start: int, end: int, kids: Kids) -> s.Call:
    func, *args = kids
    return s.Call(span=b.span(start, end), func=func, args=tuple(args))


def brackets(b: Builder, start: int, end: int, kids: Kids) -> s.Brackets:
    base, *items = kids
    return s.Brackets(span=b.span(start, end), base=base, items=tuple(items))


def slice_(b: Builder, start: int, end: int, kids: Kids) -> s.Slice:
    first, stop = kids
    return s.Slice(span=b.span(start, end), start=first, stop=stop, step=None)


def slice_step(b: Builder, start: int, end: int, kids: Kids) -> s.Slice:
    first, stop, step = kids
    return s.Slice(span=b.span(start, end), start=first, stop=stop, step=step)


def ellipsis(b: Builder, start: int, end: int, kids: Kids) -> s.Ellipsis_:
    return s.Ellipsis_(span=b.span(start, end))


def splice(b: Builder, start: int, end: int, kids: Kids) -> s.Splice:
    return s.Splice(span=b.span(start, end), value=kids[0])


def keyword(b: Builder, start: int, end: int, kids: Kids) -> s.Keyword:
    token, value = kids
    return s.Keyword(span=b.span(start, end), name=b.text(token), value=value, name_span=b.at(token))


def unary(b: Builder, start: int, end: int, kids: Kids) -> s.Unary:
    op, operand = kids
    return s.Unary(span=b.span(start, end), op=op[0], operand=operand)


def binary(b: Builder, start: int, end: int, kids: Kids) -> s.Binary:
    left, op, right = kids
    return s.Binary(span=b.span(start, end), op=op[0], left=left, right=right)


def compare(b: Builder, start: int, end: int, kids: Kids) -> s.Compare:
    left, op, right = kids
    return s.Compare(span=b.span(start, end), op=op[0], left=left, right=right)


def conditional(b: Builder, start: int, end: int, kids: Kids) -> s.Conditional:
    then, condition, orelse = kids
    return s.Conditional(span=b.span(start, end), then=then, condition=condition, orelse=orelse)


def stage(b: Builder, start: int, end: int, kids: Kids) -> s.Stage:
    func, label = kids
    label_span = None if label is None else b.at(label)
    return s.Stage(span=b.span(start, end), func=func, label=b.optional_text(label), label_span=label_span)


def pipe(b: Builder, start: int, end: int, kids: Kids) -> s.Pipe:
    head, *stages = kids
    return s.Pipe(span=b.span(start, end), head=head, stages=tuple(stages))


def compose(b: Builder, start: int, end: int, kids: Kids) -> s.Compose:
    return s.Compose(span=b.span(start, end), parts=tuple(kids))


EXPRESSIONS: dict[str, Callable[[Builder, int, int, list[Any]], Any]] = {
    "name": name,
    "number": number,
    "string": string,
    "true": true,
    "false": false,
    "none": none,
    "tuple": tuple_,
    "list": list_,
    "comprehension": comprehension,
    "set": set_,
    "attribute": attribute,
    "call": call,
    "brackets": brackets,
    "slice": slice_,
    "slice_step": slice_step,
    "ellipsis": ellipsis,
    "splice": splice,
    "keyword": keyword,
    "unary": unary,
    "binary": binary,
    "compare": compare,
    "conditional": conditional,
    "stage": stage,
    "pipe": pipe,
    "compose": compose,
}
