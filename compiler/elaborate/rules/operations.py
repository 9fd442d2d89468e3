"""Application of primitive operations and of compile-time functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ogive.compiler.elaborate.modules.advice import advised, call_of, handed_list, length_of, needed, replaced, whole
from ogive.compiler.elaborate.rules import arithmetic, shorthand
from ogive.compiler.elaborate.rules.checker import absent, at_least, operand_of, operate, operation
from ogive.compiler.elaborate.rules.wholes import known
from ogive.compiler.elaborate.state.arms import with_or_without
from ogive.compiler.elaborate.state.control import BuiltinMisuse, StatementFailed, UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.partly import seen
from ogive.compiler.elaborate.state.values import (
    BROKEN,
    Absent,
    Builtin,
    OpTemplate,
    Partly,
    UnknownStatic,
    is_number,
    kind_of,
)
from ogive.compiler.ir.model import Scalar
from ogive.compiler.ir.presence import ALWAYS
from ogive.compiler.ops import OPS
from ogive.compiler.ops.spec import REQUIRED, OpSpec
from ogive.compiler.sizes import Size, size
from ogive.grammar.source import Span

DOMAINS = {"sqrt": 0, "log": 1, "log2": 1}  # the least that these are defined of, among whole numbers


def builtin(frame: Frame, func: Builtin, args: Sequence[Any], span: Span, spans: Sequence[Span]) -> Any:
    """A function of compile time; on tensors, the operation of that name."""
    if any(arg is BROKEN for arg in args):
        return BROKEN
    args = [_seen(frame, arg) for arg in args]
    if any(isinstance(arg, Tensor) for arg in args):
        if func.name in OPS:
            return primitive(frame, OpTemplate(OPS[func.name]), args, span, spans, {})
        advice = length_of(args[0], span) if func.name == "len" else {}
        raise frame.fail("E0407", f"`{func.name}` is a function of compile time: it takes no tensors", span, **advice)
    if func.name in ("sum", "max", "min") and len(args) == 1 and _tensors(args[0]):
        return _fold(frame, {"sum": "add", "max": "maximum", "min": "minimum"}[func.name], args[0], span)
    for arg, place in zip(args, spans, strict=False):
        if isinstance(arg, UnknownStatic):
            raise UnresolvedChoice(arg.name, place)
        if isinstance(arg, (Absent, Partly)):
            raise absent(frame, arg, place)
    if func.name == "round" and len(args) == 1 and isinstance(args[0], Scalar):
        args = [known(frame, args[0], span)]
    if func.counts is not None:
        pairs = list(zip(args, spans, strict=True))
        args = [*args[: func.counts], *(_known(frame, func, arg, place) for arg, place in pairs[func.counts :])]
    if func.name == "ceil_div" and len(args) == 2 and isinstance(args[1], Size):
        arithmetic.divides(frame, func.name, args[1], span)
    if func.name in DOMAINS and len(args) == 1 and isinstance(args[0], Size) and not args[0].is_number:
        if not at_least(frame, args[0], DOMAINS[func.name], f"what `{func.name}` takes", span):
            return BROKEN
    try:
        value = func.run(*args)
    except BuiltinMisuse as problem:
        raise frame.fail(problem.code, str(problem), span) from problem
    except TypeError as problem:
        raise frame.fail("E0405", f"`{func.name}` does not take {len(args)} arguments", span) from problem
    if isinstance(value, tuple):
        frame.session.count(
            sum(1 + len(each) if isinstance(each, tuple) else 1 for each in value) // arithmetic.LOOKED_AT
        )
    return value


def _seen(frame: Frame, value: Any) -> Any:
    """A value as it is where we are, with the entries of a list."""
    value = seen(frame, value)
    return tuple(seen(frame, each) for each in value) if isinstance(value, tuple) else value


def _known(frame: Frame, func: Builtin, value: Any, span: Span) -> Any:
    """A number that a list's length depends on must be known."""
    if not isinstance(value, Size) or value.is_number:
        return value
    try:
        return size(frame.number(value, span))
    except UnresolvedChoice:
        if value.unknowns and value.unknowns <= frame.proof.input_sizes:
            raise frame.fail(
                "E0602",
                f"`{func.name}({span.text})`: `{span.text}` is known when the model runs alone",
                span,
                help="`for` unrolls a compile-time list. `repeat n as layers:` runs a body n times, "
                "`scan x_t in x along n ...:` steps through an axis, and most operations take a whole axis at once"
                if func.name == "range"
                else "give the size in brackets (`model M = Block[n=128]`)",
            ) from None
        raise


def _tensors(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(v, Tensor) for v in value)


def _fold(frame: Frame, op: str, items: Sequence[Tensor], span: Span) -> Any:
    total: Any = items[0]
    for item in items[1:]:
        total = operate(frame, OPS[op], {}, (total, item), span) if total is not BROKEN else BROKEN
    return total


def valueless(frame: Frame, func: OpTemplate, span: Span) -> Any:
    """An operation with its brackets; one without inputs is a value at once (`zeros[b, d]`)."""
    return func if func.spec.inputs else primitive(frame, func, (), span, (), {})


def primitive(
    frame: Frame, func: OpTemplate, args: Sequence[Any], span: Span, spans: Sequence[Span], supplied: dict[str, Any]
) -> Any:
    """Apply a primitive operation: its brackets must be complete, its operands tensors."""
    spec = func.spec
    for name, (_, item) in supplied.items():
        raise frame.fail(
            "E0403",
            f"`{spec.name}` has no input `{name}` to be given by name",
            item.name_span,
            **advised(spec, args, spans, supplied, span),
        )
    instead = any(s.name == key for s in spec.instead for key, _ in func.statics)
    statics = spec.instead if instead else spec.statics
    settings = {s.name: s.default for s in statics} | dict(func.statics)
    missing = [s.name for s in statics if settings[s.name] is REQUIRED]
    if any(arg is BROKEN for arg in args):
        return BROKEN
    if missing and any(isinstance(arg, str) for arg in args):
        raise _pattern_in_parentheses(frame, spec, args, span, spans)
    if missing:
        names = " and ".join(f"`{name}`" for name in missing)
        raise frame.fail(
            "E0402",
            f"`{spec.name}` needs {names} in its brackets",
            span,
            **needed(spec, dict(func.statics), missing, args, spans, span),
        )
    operands = _operands(frame, spec, args, span, spans)
    if any(operand is BROKEN for operand in operands):
        return BROKEN
    return _applied(
        frame,
        lambda ready: shorthand.applied(frame, spec, settings, ready, span, spans=spans, pattern=func.pattern_span),
        operands,
        span,
    )


def _applied(frame: Frame, apply: Callable[[Sequence[Any]], Any], operands: Sequence[Any], span: Span) -> Any:
    """An operation, with and without each operand that may be absent."""
    for at, each in enumerate(operands):
        if isinstance(each, Tensor) and each.when != ALWAYS:

            def build(given: Tensor | None, at: int = at) -> Any:
                return _applied(frame, apply, [*operands[:at], given, *operands[at + 1 :]], span)

            return with_or_without(frame, each, build, span)
    return apply(operands)


def _operands(frame: Frame, spec: OpSpec, args: Sequence[Any], span: Span, spans: Sequence[Span]) -> list[Any]:
    slots = [slot.strip() for slot in spec.inputs.split(",") if slot.strip()]
    variadic = bool(slots) and slots[-1].startswith("*")
    least = sum(not s.endswith("?") and not s.startswith("*") for s in slots) + variadic
    if len(args) < least or (len(args) > len(slots) and not variadic):
        if any(isinstance(arg, str) for arg in args):
            raise _pattern_in_parentheses(frame, spec, args, span, spans)
        wanted = "one tensor or more" if variadic else f"{least} operand{'' if least == 1 else 's'}"
        extra = spec.statics and any(is_number(arg) for arg in args)
        advice: dict[str, Any] = advised(spec, args, spans, {}, span) if extra else {"details": (whole(spec),)}
        if not args:
            advice["help"] = f"`{spec.name}(x)`, or `x |> {spec.name}`"
        elif spec.name in ("max", "min") and len(args) == 2 and not extra:
            larger = "larger" if spec.name == "max" else "smaller"
            called = f"{spec.name}imum({', '.join(span.text for span in spans)})"
            advice |= {"help": f"`{called}` takes the {larger} of two", "edits": replaced(spec, span, called)}
        raise frame.fail("E0405", f"`{spec.name}` takes {wanted}, here are {len(args)}", span, **advice)
    if handed_list(spec, args):
        head = span.text.partition("](")[0] + "]" if "](" in span.text else f"{spec.name}[...]"
        shown = call_of(spec, args, spans, {}).partition("(")[2]
        raise frame.fail(
            "E0405",
            f"`{spec.name}` takes tensors one by one, this is a list",
            (*spans, span)[0],
            help=f"`{head}({shown}, or `{head}(*xs)` for a list `xs`",
        )
    if not spec.literals and args and all(is_number(arg) for arg in args):
        raise frame.fail(
            "E0405",
            f"`{spec.name}` takes tensors in parentheses, this is {kind_of(args[0])}",
            (*spans, span)[0],
            **(
                {"help": "a number adapts to the tensor beside it: leave the cast out"}
                if spec.name == "cast"
                else advised(spec, args, spans, {}, span)
                if spec.statics
                else {}
            ),
        )
    numbers = [isinstance(arg, bool) or is_number(arg) for arg in args]
    if spec.name == "complex" and numbers and all(numbers):  # a complex number is written so
        args = [operation(frame, "full", (), span, statics={"sizes": (), "v": args[0]}), *args[1:]]
    elif numbers and all(numbers):
        help_ = "a number becomes a tensor by `full[v=...]`"
        raise frame.fail(
            "E0405", f"`{spec.name}` takes a tensor, here are numbers alone", (*spans, span)[0], help=help_
        )
    if spec.name == "select" and isinstance(args[0], bool):
        told = [each.text for each in spans]
        help_ = f"`{told[1]} if {told[0]} else {told[2]}` chooses at compile time" if len(told) == 3 else ""
        raise frame.fail("E0405", "`select` takes a tensor to choose by, this is a bool", (*spans, span)[0], help=help_)
    found: list[Any] = []
    for index, arg in enumerate(args):
        slot = slots[min(index, len(slots) - 1)]
        place = spans[index] if index < len(spans) else span
        found.append(operand_of(frame, spec, arg, place, optional=slot.endswith("?")))
    found.extend([None] * (len(slots) - len(found) if not variadic else 0))
    return found


def _pattern_in_parentheses(
    frame: Frame, spec: OpSpec, args: Sequence[Any], span: Span, spans: Sequence[Span]
) -> StatementFailed:
    text = f"`{spec.name}` takes its pattern in brackets"
    return frame.fail("E0405", text, span, **advised(spec, args, spans, {}, span))
