"""What a use of a block lacks in its brackets: all of it at once, with the whole signature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogive.compiler.elaborate.state.blocks import BlockRef, ConstRef
from ogive.compiler.ir.model import Scalar
from ogive.grammar import syntax
from ogive.grammar.source import Span


def named_statics(names: Sequence[str]) -> str:
    """`the static `d``, `the statics `d`, `e` and `f``."""
    shown = [f"`{name}`" for name in names]
    return f"the static {shown[0]}" if len(shown) == 1 else f"the statics {', '.join(shown[:-1])} and {shown[-1]}"


def statics_help(ref: BlockRef | ConstRef, span: Span, names: Sequence[str]) -> dict[str, Any]:
    """The brackets as they would be, beside what they hold already."""
    asked = ", ".join(f"{name}=..." for name in names)
    at = span.text.rfind(f"{ref.name}[")
    inside = span.text[at + len(ref.name) + 1 :].partition("]")[0] if at >= 0 else ""
    inside = inside.removesuffix("...").rstrip(", ")
    said = f"{inside}, {asked}" if inside and "[" not in inside else asked
    help_ = f"give {'it' if len(names) == 1 else 'them'}: `{ref.name}[{said}]`"
    return {"help": help_, "details": (whole(ref),)}


def whole(ref: BlockRef | ConstRef) -> str:
    """The signature of a block or a rule, for a note."""
    return f"the signature is {head(ref)}"


def head(ref: BlockRef | ConstRef) -> str:
    """The head of a block or a rule as the source has it, without its conditions and its body."""
    tree = ref.tree
    if isinstance(tree, syntax.Const):
        first, end = tree.target.span.start, tree.value.span.start
        return " ".join(tree.span.chunk.text[first:end].split()).rstrip(" =")
    ends = [each.span.end for each in (*tree.statics, *tree.inputs, *tree.outputs)]
    text = " ".join(tree.span.chunk.text[tree.name_span.start : max(ends, default=tree.name_span.end)].split())
    text = text.replace("( ", "(")
    return text + ")" * (text.count("(") - text.count(")"))


def quotient(value: object, span: Span) -> str:
    """What to write where a float stands for a size because `/` made it."""
    text = span.text
    if not isinstance(value, (float, Scalar)) or "/" not in text or "//" in text:
        return ""
    return f"`/` gives a float, sizes are divided by `//`: `{text.replace('/', '//')}`"
