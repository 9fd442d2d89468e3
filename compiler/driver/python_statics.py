"""Statics that a Python program gives: numbers, strings, lists, and blocks by name, by text or as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ogive.compiler.elaborate.modules.statics_advice import whole
from ogive.compiler.elaborate.rules.statics import check_kind, handed, input_sizes, kinds
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.control import StatementFailed
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.sizes import size
from ogive.grammar import syntax
from ogive.grammar.parser import parse
from ogive.grammar.source import Span
from ogive.grammar.spelling import close

EXAMPLES = {"size": "64", "nat": "0", "int": "-1", "float": "0.5", "bool": "true", "str": "same", "list": "[3, 5]"}


def statics_of(frame: Frame, ref: BlockRef, given: Mapping[str, Any]) -> dict[str, Any]:
    """Python values as statics of a block; the frame is told of those that do not fit."""
    declared = {decl.name: decl for decl in ref.tree.statics}
    found: dict[str, Any] = {}
    for name, value in given.items():
        span = _span_of(ref, name)
        try:
            if name not in declared and name not in input_sizes(ref.tree):
                raise frame.fail(
                    "E0403",
                    f"`{ref.name}` has no static `{name}`",
                    ref.tree.name_span,
                    help=close(name, (*declared, *input_sizes(ref.tree))),
                    details=(whole(ref),),
                )
            wanted = kinds(declared[name], ref.tree) if name in declared else ("size",)
            made = _block(frame, value) if "block" in wanted else _value(value)
            example = " or ".join(f"`{name}={EXAMPLES[kind]}`" for kind in wanted if kind in EXAMPLES)
            help_ = (
                f"given as `{value}`; one that fits: {example}"
                if example and isinstance(value, (str, float, int, list, tuple))
                else ""
            )
            found[name] = check_kind(frame, name, made, wanted, span, help_)
        except TypeError as problem:
            frame.report("E0404", f"`{name}`: {problem}", span)
        except StatementFailed:
            pass
    return found


def _value(value: Any) -> Any:
    # numbers of numpy and tensors of one number know themselves as numbers of Python, arrays as lists
    plain = getattr(value, "tolist", None)
    if plain is not None and hasattr(value, "dtype"):
        value = plain()
    if isinstance(value, bool) or value is None or isinstance(value, (str, float)):
        return value
    if isinstance(value, int):
        return size(value)
    if isinstance(value, (list, tuple)):
        return tuple(_value(v) for v in value)
    raise TypeError(f"a static is a number, a string, a bool or a list, not {type(value).__name__}")


def _block(frame: Frame, value: Any) -> Any:
    """`"Basic"`, `"Linear[8, 8, ...]"`, or a block of the program."""
    text = value if isinstance(value, str) else getattr(value, "name", None)
    if not isinstance(text, str):
        raise TypeError(f"a block is handed over by name, not as {type(value).__name__}")
    parsed = parse(f"const block_ = {text}\n", "<static>")
    frame.diagnostics.extend(parsed.diagnostics)
    trees = [tree for tree in parsed.file.declarations if isinstance(tree, syntax.Const)]
    if parsed.diagnostics or not trees:
        raise StatementFailed
    return handed(frame, trees[0].value)


def _span_of(ref: BlockRef, name: str) -> Span:
    return next((d.span for d in ref.tree.statics if d.name == name), ref.tree.name_span)
