"""How a call is written that has settings among its tensors: brackets are compile time, parentheses run time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.elaborate.modules.foreign_names import MEANT
from ogive.compiler.elaborate.state.values import is_number
from ogive.compiler.ops.spec import OpSpec
from ogive.grammar import syntax
from ogive.grammar.source import Span

KEEPDIM = '`reduce["b n -> b 1", mean](x)` keeps the axis'
LONG = 24  # a longer operand stands as `x` in a help
AXES = ("dim", "dims", "axis", "axes")  # what peers call the axis that stands first in brackets here


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


def called_as_method(spec: OpSpec, args: Sequence[Any], spans: Sequence[Span], supplied: Mapping[str, Any]) -> str:
    """`x.mean(1)` as `mean[1](x)`."""
    if any(static.kind == "pattern" for static in spec.statics):
        return MEANT.get(spec.name) or f'`{spec.name}["..."](x)`'
    keeps = supplied.pop("keepdim", None) if isinstance(supplied, dict) else None
    shown = call_of(spec, args, spans, supplied)
    if keeps is not None:
        return f"{shown}; {KEEPDIM}"
    return f"{'brackets hold settings, parentheses tensors' if spec.statics else 'operations are functions'}: {shown}"


def bracket_help(spec: OpSpec, item: syntax.Keyword) -> str:
    """What a keyword of a peer is in brackets here: `dim=1`, `keepdim=true`."""
    takes = {static.kind for static in spec.statics}
    if item.name in ("keepdim", "keepdims"):
        return KEEPDIM
    if item.name in AXES and takes & {"axis", "axes"}:
        return f"an axis stands first, without a name: `{spec.name}[{item.value.span.text.strip('()[]')}](x)`"
    return ""


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
