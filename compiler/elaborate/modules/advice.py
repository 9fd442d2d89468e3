"""How a call is written that has settings among its tensors: brackets are compile time, parentheses run time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.elaborate.modules.foreign_names import MEANT
from ogive.compiler.elaborate.modules.patterns_for import PATTERNS, Setting, shaped
from ogive.compiler.elaborate.modules.peer_settings import AXES, NAMED, brackets_alone, op_call, plain
from ogive.compiler.elaborate.state.values import is_number
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops.signature import signature
from ogive.compiler.ops.spec import OpSpec
from ogive.compiler.sizes import Facts
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Edit
from ogive.grammar.source import Span

CAST = re.compile(r"(cast\[\w+\])\(x\)")
LONG = 24  # a longer operand stands as `x` in a help


def call_of(spec: OpSpec, args: Sequence[Any], spans: Sequence[Span], supplied: Mapping[str, Any]) -> str:
    """`softmax(x, dim=-1)` as `softmax[-1](x)`."""
    settings: list[str] = []
    tensors: list[str] = []
    for arg, span in zip(args, spans, strict=False):
        if is_number(arg) or isinstance(arg, (str, bool)):
            settings.append(span.text)
        elif isinstance(arg, tuple) and arg and all(is_number(part) for part in arg):
            settings.append(_list(span.text))
        else:
            tensors.append(_list(span.text) if isinstance(arg, tuple) else span.text)
    known = {static.name for static in spec.statics}
    for name, (_, item) in supplied.items():
        settings.append(item.value.span.text if name in AXES and name not in known else item.span.text)
    shown = ", ".join(text if len(text) <= LONG and "|>" not in text else "x" for text in tensors)
    if not settings and spec.statics and spec.inputs.startswith("*"):
        settings.append(spec.statics[0].name)
    brackets = f"[{', '.join(settings)}]" if settings else ""
    return f"`{spec.name}{brackets}`" if not spec.inputs else f"`{spec.name}{brackets}({shown or 'x'})`"


def advised(
    spec: OpSpec, args: Sequence[Any], spans: Sequence[Span], supplied: Mapping[str, Any], span: Span
) -> dict[str, Any]:
    """The help for a call with settings in its parentheses, the whole signature, and an edit where that is certain."""
    given = [Setting(arg, place.text) for arg, place in zip(args, spans, strict=False)]
    named = {name: Setting(value, item.value.span.text) for name, (value, item) in supplied.items()}
    text = op_call(spec, given, named) if len(given) == len(args) else None
    if text is not None:
        edits = replaced(spec, span, text)
        return {"help": f"settings stand in brackets: `{text}`", "edits": edits, "details": (whole(spec),)}
    if len(given) == len(args) and (alone := brackets_alone(spec, given, named)) is not None:
        help_ = f"settings stand in brackets: `{alone}(x)`"
        return {"help": help_, "edits": replaced(spec, span, alone), "details": (whole(spec),)}
    known = {static.name for static in spec.statics} | {*AXES, *NAMED}
    rest = {name: given for name, given in supplied.items() if name in known}
    help_ = f"settings stand in brackets: {call_of(spec, args, spans, rest)}" if spec.statics else ""
    for name in supplied:
        if name not in known:
            help_ = f"leave `{name}` out: `{spec.name}` has no such setting"
    return {"help": help_, "details": (whole(spec),)}


def length_of(value: Any, span: Span) -> dict[str, Any]:
    """`len(x)` of a tensor is the name of its first axis."""
    first = value.type.axes[0] if hasattr(value, "type") and value.type.axes else None
    if first is None or first.pack is not None:
        return {"help": "a size is the name of its axis: `n` of `[b, n, d]`"}
    help_ = f"a size is the name of its axis: write `{first.size}`"
    return {"help": help_, "edits": (Edit(span, fitting(span, str(first.size))),)}


def fitting(span: Span, text: str) -> str:
    """A text in the place of another: in parentheses where an operator stands beside it."""
    before, after = span.chunk.text[: span.start].rstrip(" "), span.chunk.text[span.end :].lstrip(" ")
    alone = before.endswith(("=", "(", ",", "[", ":", "return")) and after[:1] in ("", "\n", ")", ",", "]", ":", "#")
    return plain(text) if not alone and not re.match(r'\w+\[".*"[^"]*\]\(.*\)$', text) else text


def cast_of(help_: str, operand: Span | None) -> dict[str, Any]:
    """The help of a shape rule, which does not know the text of its operand, and the edit that casts it."""
    cast = CAST.match(help_)
    if operand is None or cast is None:
        return {"help": help_}
    text = f"{cast[1]}({operand.text})"
    certain = help_ == "cast[float](x)" and not operand.text.startswith("cast[")
    return {"help": f"`{text}`{help_[cast.end() :]}", "edits": (Edit(operand, text),) if certain else ()}


def whole(spec: OpSpec) -> str:
    """The signature of an operation, for a note."""
    return f"the signature is {signature(spec)}"


def replaced(spec: OpSpec, span: Span, text: str) -> tuple[Edit, ...]:
    """The edit of a whole call; none where the place is a stage of a pipeline."""
    called = re.match(rf"(?:\w+\.)*{re.escape(spec.name)}\s*[(\[]", span.text)
    return (Edit(span, text),) if called and span.text.endswith((")", "]")) and "|>" not in span.text else ()


def needed(
    spec: OpSpec,
    given: Mapping[str, Any],
    missing: Sequence[str],
    args: Sequence[Any],
    spans: Sequence[Span],
    span: Span,
) -> dict[str, Any]:
    """The help for brackets that lack what has no default."""
    if missing[0] == "pattern" and not any(isinstance(arg, str) for arg in args):
        return _by_pattern(spec, args, spans, span)
    lists = spec.inputs.startswith("*") and any(isinstance(arg, tuple) for arg in args)
    if lists or any(is_number(arg) for arg in args):
        return advised(spec, args, spans, {}, span)
    if help_ := pattern_help(spec, missing[0]):
        return {"help": help_, "details": (whole(spec),)}
    shown = ", ".join(place.text for place in spans) or "x"
    tensors = f"({shown})" if spec.inputs else ""
    inside = span.text.partition("[")[2].rpartition("]")[0] if "[" in span.text and "|>" not in span.text else ""
    if spec.name == "topk" and list(given) == ["axis"] and isinstance(given["axis"], int):
        text = f"topk[-1, {given['axis']}]{tensors}"
        rank = args[0].type.rank if args and hasattr(args[0], "type") else None
        certain = rank is not None and not -rank <= given["axis"] < rank
        edits = replaced(spec, span, text) if certain else ()
        return {"help": f"the axis stands first, then how many: `{text}`", "details": (whole(spec),), "edits": edits}
    before, _, last = inside.rpartition(",")
    if spec.statics[0].kind == "sizes" and list(missing) == [spec.statics[1].name] and last.strip().isdigit():
        text = f"{spec.name}[{before}, {missing[0]}={last.strip()}]"
        return {"help": f"a value is given by name: `{text}`", "details": (whole(spec),)}
    if list(missing) == ["axis"] and not inside:
        last = f"`{spec.name}[-1]{tensors}` goes along the last axis, the name of an axis along that one"
        return {"help": last, "details": (whole(spec),)}
    asked = ", ".join([*([inside] if inside else []), *(f"{name}=..." for name in missing)])
    help_ = f"give {'it' if len(missing) == 1 else 'them'}: `{spec.name}[{asked}]{tensors}`"
    return {"help": help_, "details": (whole(spec),)}


def _by_pattern(spec: OpSpec, args: Sequence[Any], spans: Sequence[Span], span: Span) -> dict[str, Any]:
    """`split(x, 2)`: with the pattern that is meant, where that is certain."""
    type = getattr(args[0], "type", None) if args else None
    text = None
    if isinstance(type, TensorType) and spec.name in PATTERNS and len(spans) == len(args):
        rest = [Setting(arg, place.text) for arg, place in zip(args[1:], spans[1:], strict=True)]
        text = PATTERNS[spec.name](shaped(spans[0].text, type), rest, Facts())
    help_ = pattern_help(spec, "pattern") if text is None else f"write `{text}`"
    edits = () if text is None else replaced(spec, span, text)
    return {"help": help_, "edits": edits, "details": (whole(spec),)}


def called_as_method(spec: OpSpec, args: Sequence[Any], spans: Sequence[Span], supplied: Mapping[str, Any]) -> str:
    """`x.mean(1)` as `mean[1](x)`."""
    if any(static.kind == "pattern" for static in spec.statics):
        return MEANT.get(spec.name) or f'`{spec.name}["..."](x)`'
    shown = call_of(spec, args, spans, supplied)
    if spec.name in ("max", "min", "sort") and len(args) + len(supplied) > 1:
        place = {"max": "argmax", "min": "argmin", "sort": "argsort"}[spec.name]
        return f"{shown} gives the numbers alone, `{place}[axis](x)` their places"
    return f"{'brackets hold settings, parentheses tensors' if spec.statics else 'operations are functions'}: {shown}"


def bracket_help(spec: OpSpec, item: syntax.Keyword) -> dict[str, Any]:
    """What a keyword of a peer is in brackets here: `dim=1`, `keepdim=true`, `padding=1`."""
    takes = {static.kind for static in spec.statics}
    value = item.value.span.text
    if item.name in AXES and takes & {"axis", "axes"}:
        plain = value.strip("()[]")
        edits = (Edit(item.span, plain),) if re.search(r"\[\s*$", item.span.chunk.text[: item.span.start]) else ()
        return {"help": f"an axis stands first, without a name: `{spec.name}[{plain}](x)`", "edits": edits}
    name = NAMED.get(item.name)
    if name in {static.name for static in spec.statics}:
        return {"help": f"write `{name}={value}`", "edits": (Edit(item.name_span, str(name)),)}
    return {}


def close_help(edits: tuple[Edit, ...]) -> str:
    """The question that goes with an edit of a name."""
    return f"did you mean `{edits[0].text}`?" if edits else ""


def _list(text: str) -> str:
    return text[1:-1].strip() if text[:1] in "[(" and text[-1:] in "])" else f"*{text}"


def pattern_help(spec: OpSpec, missing: str) -> str:
    """What the brackets of an operation hold that goes by a pattern."""
    if not any(static.kind == "pattern" for static in spec.statics):
        return ""
    return f'`{spec.name}["b n d -> b d", mean](x)`' if missing == "op" else MEANT.get(spec.name, "")


def handed_list(spec: OpSpec, args: Sequence[Any]) -> bool:
    """Whether an operation that takes many tensors is given them as one list."""
    return spec.inputs.startswith("*") and len(args) > 0 and isinstance(args[0], tuple)
