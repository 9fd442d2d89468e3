"""Closed blocks that are one block with other statics: each says those in which they differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ogive.backends.diagram.figure.figure import Column, Op, Section
from ogive.backends.diagram.from_ir.glyphs import strided
from ogive.backends.diagram.from_ir.settings import Divides, value_text
from ogive.backends.diagram.from_ir.wires import Wires
from ogive.compiler.elaborate.state.values import (
    Composite,
    Gradient,
    Handed,
    OpTemplate,
    RepeatedBlock,
    Template,
    VectorizedBlock,
)
from ogive.compiler.ir.model import Definition
from ogive.compiler.sizes import Size, Unknown

STATIC, FLOAT = "static ", "float "  # before the names of statics among the attributes of an operation


def statics(
    callee: Definition, sizes: dict[Unknown, Size], wires: list[Wires | None], divides: Divides
) -> Iterator[tuple[str, str]]:
    """The statics of a block that is used, but for those that are the size of an axis, which a label says."""
    seen = {str(axis.size) for w in wires if w is not None for axis in w.type.axes}
    for static in callee.statics:
        value = sizes.get(static.unknown, static.value) if static.unknown is not None else static.value
        if str(value) not in seen:
            text = value_text(_as_used(value, sizes, seen), divides)
            yield (FLOAT if isinstance(value, float) else STATIC) + static.name, text


def _as_used(value: Any, sizes: dict[Unknown, Size], seen: set[str]) -> Any:
    """The value with the sizes of this use; a block that is handed over without those that a label says."""

    def inner(part: Any) -> Any:
        return _as_used(part, sizes, seen)

    match value:
        case Size():
            return value.subs(sizes)
        case tuple():
            return tuple(map(inner, value))
        case Handed():
            return inner(value.value)
        case Template() | OpTemplate():
            given = [(name, inner(part)) for name, part in value.statics]
            return replace(value, statics=tuple((name, part) for name, part in given if str(part) not in seen))
        case Composite():
            return Composite(inner(value.parts))
        case VectorizedBlock() | Gradient():
            return replace(value, func=inner(value.func))
        case RepeatedBlock():
            return replace(value, count=inner(value.count), blocks=inner(value.blocks))
        case _:
            return value


Texts = dict[tuple[str, str], dict[str, str]]  # of a block and one of its statics: each value as it is written


def told_apart(section: Section) -> Section:
    """The section; under each closed block the statics that not all blocks of its name have alike."""
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    for op in section.walk():
        if op.glyph == "slab":
            for key, value in op.attrs:
                values[op.text.split("(")[0], key].add(value)
    apart = {key: found for key, found in values.items() if key[1].startswith((STATIC, FLOAT)) and len(found) > 1}
    return _told(section, {key: _texts(key[1], found) for key, found in apart.items()})


def _texts(key: str, found: set[str]) -> dict[str, str]:
    """Floats get four digits, where these tell them apart."""
    short = {value: _rounded(value) if key.startswith(FLOAT) else value for value in found}
    return short if len(set(short.values())) == len(found) else {value: value for value in found}


def _rounded(text: str) -> str:
    try:
        return f"{float(text):.4g}"
    except ValueError:  # a formula
        return text


def _told(section: Section, apart: Texts) -> Section:
    columns = (Column(tuple(_op(op, apart) for op in column.ops)) for column in section.columns)
    return replace(section, columns=tuple(columns)) if apart else section


def _op(op: Op, apart: Texts) -> Op:
    if op.bodies:
        return replace(op, bodies=tuple(_told(body, apart) for body in op.bodies))
    name = op.text.split("(")[0]
    told = {key.split(" ", 1)[1]: apart[name, key][value] for key, value in op.attrs if (name, key) in apart}
    texts = [op.caption, *_written(told)]
    return replace(op, caption=", ".join(x for x in texts if x)) if told else op


def _written(told: dict[str, str]) -> Iterator[str]:
    """`heads=4`; a window as `k=3 s=2`, whose padding the sizes on the wires tell, as they do where it is a glyph."""
    window = [_crossed(told.pop(name, "")) for name in ("kernel", "stride", "dilation")]
    window[0] = f"k={window[0]}" if window[0] else ""
    padded = told.pop("pad", "")
    if any(window):
        yield strided(*window).strip()
    elif padded:
        yield f"pad={padded}"
    for name, text in told.items():
        yield name if text == name else f"{name}={text}"


def _crossed(text: str) -> str:
    """`(1, 7)` is 1×7."""
    return text[1:-1].replace(", ", "×") if text.startswith("(") else text
