"""What stands in the brackets of an operation, by the kinds that it declares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ogive.compiler.elaborate.modules.advice import bracket_help, close_help, whole
from ogive.compiler.elaborate.modules.statics_advice import quotient
from ogive.compiler.elaborate.rules.statics import axis_value, counted, fits, words
from ogive.compiler.elaborate.rules.wholes import settled
from ogive.compiler.elaborate.state.control import StatementFailed, UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.values import (
    BROKEN,
    AxisRef,
    PackValue,
    UnknownStatic,
    is_number,
    kind_of,
)
from ogive.compiler.ir.model import Scalar
from ogive.compiler.ir.types import ELEMENTS, Axis
from ogive.compiler.ops.spec import OpSpec, Pattern, StaticSpec
from ogive.compiler.sizes import Size
from ogive.grammar import spelling, syntax
from ogive.grammar.diagnostics import Edit
from ogive.grammar.source import Span

REDUCTIONS = ("sum", "mean", "max", "min", "prod", "any", "all", "logsumexp", "var", "std", "norm")


def of_op(
    frame: Frame, spec: OpSpec, items: Sequence[Any], span: Span
) -> tuple[tuple[tuple[str, Any], ...], Span | None]:
    """The statics that brackets give to an operation, and the place of its pattern."""
    if spec.instead and _instead(spec, items):
        return of_op(frame, replace(spec, statics=spec.instead, instead=()), items, span)
    if any(s.kind == "pattern" for s in spec.statics):
        return _pattern(frame, spec, items, span)
    given: dict[str, Any] = {}
    order = list(spec.statics)
    for item in items:
        if isinstance(item, syntax.Keyword):
            static = next((s for s in spec.statics if s.name == item.name), None)
            if static is None:
                close = spelling.rename(item.name, [s.name for s in spec.statics], item.name_span)
                raise frame.fail(
                    "E0403",
                    f"`{spec.name}` has no static `{item.name}`",
                    item.name_span,
                    **(bracket_help(spec, item) or {"edits": close, "help": close_help(close)}),
                    details=(whole(spec),),
                )
            if item.name in given:
                raise frame.fail("E0403", f"`{item.name}` is given twice", item.name_span)
            given[item.name] = op_value(frame, spec, static, item.value)
            continue
        static = next((s for s in order if s.name not in given or s.kind in ("axes", "sizes")), None)
        if static is None:
            raise frame.fail(
                "E0403",
                f"`{spec.name}` takes {counted(len(order), 'static')} in brackets",
                item.span,
                details=(whole(spec),),
            )
        if static.kind == "sizes":
            given[static.name] = (*given.get(static.name, ()), *_sizes(frame, spec, item))
        elif isinstance(item, (syntax.Splice, syntax.Slice, syntax.Ellipsis_)):
            raise frame.fail("E0409", f"`{spec.name}` takes statics here", item.span)
        elif static.kind == "axes":
            more = op_value(frame, spec, static, item)
            given[static.name] = (*given.get(static.name, ()), *more)
        else:
            given[static.name] = op_value(frame, spec, static, item)
    return tuple(given.items()), None


def _instead(spec: OpSpec, items: Sequence[Any]) -> bool:
    """Whether brackets hold what may stand in place of a pattern."""
    first = items[0] if items else None
    if isinstance(first, syntax.Keyword):
        return any(isinstance(each, syntax.Keyword) and each.name == s.name for each in items for s in spec.instead)
    return len(items) > 1 and isinstance(first, syntax.Expr) and not isinstance(first, syntax.String)


def _pattern(
    frame: Frame, spec: OpSpec, items: Sequence[Any], span: Span
) -> tuple[tuple[tuple[str, Any], ...], Span | None]:
    given: dict[str, Any] = {}
    sizes: dict[str, Size] = {}
    packs: dict[str, tuple[Axis, ...]] = {}
    place: Span | None = None
    order = list(spec.statics)
    for item in items:
        if isinstance(item, syntax.Keyword):
            if item.name in sizes or item.name in packs:
                raise frame.fail("E0403", f"`{item.name}` is given twice", item.name_span)
            value = frame.evaluate(item.value)
            if value is BROKEN:
                raise StatementFailed
            if isinstance(value, PackValue):
                packs[item.name] = value.axes
            elif isinstance(value, tuple) and all(isinstance(each, Size) for each in value):
                packs[item.name] = tuple(Axis(each) for each in value)
            elif isinstance(value, Size):
                sizes[item.name] = value
            else:
                raise frame.fail("E0404", f"`{item.name}` needs a size, this is {kind_of(value)}", item.value.span)
        elif not order or not isinstance(item, syntax.Expr):
            tensor = isinstance(item, syntax.Name) and isinstance(frame.scope.variables.get(item.id), Tensor)
            text = f"`{spec.name}` takes a pattern and sizes by name"
            help_ = f"tensors stand in parentheses: `{spec.name}[...]({item.span.text})`" if tensor else ""
            raise frame.fail("E0403", text, item.span, help=help_, details=(whole(spec),))
        else:
            static = order.pop(0)
            if static.kind == "pattern":
                if not isinstance(item, syntax.String):
                    raise frame.fail("E0409", f"`{spec.name}` needs a pattern first: a string", item.span)
                given[static.name], place = item.value, item.span
            else:
                given[static.name] = op_value(frame, spec, static, item)
    for static in spec.statics:
        if static.kind == "pattern":
            if static.name not in given:
                raise frame.fail("E0409", f"`{spec.name}` needs a pattern in its brackets", span)
            given[static.name] = Pattern(given[static.name], sizes, packs)
    return tuple(given.items()), place


def _sizes(frame: Frame, spec: OpSpec, item: Any) -> tuple[Axis, ...]:
    """Sizes in brackets, as axes: a plain name is a label too."""
    if isinstance(item, syntax.Splice):
        value = frame.evaluate(item.value)
        if isinstance(value, PackValue):
            return value.axes
        if isinstance(value, tuple) and all(isinstance(v, Size) for v in value):
            return tuple(Axis(v) for v in value)
        if value is BROKEN:
            raise StatementFailed
        raise frame.fail("E0404", f"`*` splices a list of sizes, this is {kind_of(value)}", item.span)
    if not isinstance(item, syntax.Expr):
        raise frame.fail("E0409", f"`{spec.name}` takes sizes here", item.span)
    value = frame.evaluate(item)
    if value is BROKEN:
        raise StatementFailed

    value = settled(frame, value, item.span)
    if not isinstance(value, Size):
        advice: dict[str, Any] = {"details": (whole(spec),)}
        number = next((s.name for s in spec.statics if s.kind == "float"), None)
        if number is not None and is_number(value):
            text = f"{number}={item.span.text}"
            advice |= {"help": f"a value is given by name: `{text}`", "edits": (Edit(item.span, text),)}
        if quotient(value, item.span):
            advice = {"help": quotient(value, item.span), "details": (whole(spec),)}
        raise frame.fail("E0404", f"`{spec.name}` takes sizes here, this is {kind_of(value)}", item.span, **advice)
    return (Axis(value, item.id if isinstance(item, syntax.Name) else None),)


def op_value(frame: Frame, spec: OpSpec, static: StaticSpec, tree: syntax.Expr) -> Any:
    """The value of an operation's static, by its kind."""
    match static.kind:
        case "axis":
            value = axis_value(frame, tree)
            return _axis(value, tree.span)
        case "axes":
            many = tree.items if isinstance(tree, (syntax.ListExpr, syntax.TupleExpr)) else (tree,)
            return tuple(_axis(axis_value(frame, one), one.span) for one in many)
        case "op":
            if isinstance(tree, syntax.Name) and tree.id in REDUCTIONS:
                return tree.id
            raise frame.fail("E0408", f"`{spec.name}` needs a reduction: " + ", ".join(REDUCTIONS), tree.span)
        case "elem":
            if isinstance(tree, syntax.Name) and tree.id in ELEMENTS:
                return tree.id
            raise frame.fail("E0408", f"`{spec.name}` needs an element type: " + ", ".join(ELEMENTS), tree.span)
        case _:
            return _plain(frame, spec, static, tree)


def _axis(value: Any, span: Span) -> str | int:
    if isinstance(value, UnknownStatic):
        raise UnresolvedChoice(value.name, span)
    if not isinstance(value, AxisRef):
        raise StatementFailed
    return value.where


def _real(number: int) -> int | float:
    """A whole number as a float, unless floats hold it only rounded: beside integers all its digits count."""
    try:
        found = float(number)
    except OverflowError:
        return number
    return found if found == number else number


def _plain(frame: Frame, spec: OpSpec, static: StaticSpec, tree: syntax.Expr) -> Any:
    value = frame.evaluate(tree)
    if value is BROKEN:
        raise StatementFailed
    if isinstance(value, PackValue):
        value = value.sizes
    if isinstance(value, UnknownStatic):
        if static.kind == "float" and value.kind == "float":
            return Scalar("static", (value.name,))
        raise UnresolvedChoice(value.name, tree.span)
    allowed = {"per_axis": ("nat", "list", "str"), "any": ("any",), "block": ("block",)}.get(
        static.kind, (static.kind,)
    )
    if static.kind == "float" and isinstance(value, Size) and value.is_number:
        return _real(value.number)
    if {"size", "nat", "int"} & {*allowed}:
        value = settled(frame, value, tree.span)
    if value is None or fits(value, allowed):
        return value
    raise frame.fail(
        "E0404",
        f"`{static.name}` takes {words(allowed)}, this is {kind_of(value)}",
        tree.span,
        details=(whole(spec),),
        help=quotient(value, tree.span) if {"size", "nat", "int"} & {*allowed} else "",
    )
