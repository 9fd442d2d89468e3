"""Nodes in writing, and what is not the same in two of them, for differences between graphs."""

from __future__ import annotations

from ogive.compiler.ir.attributes import RepeatAttrs
from ogive.compiler.ir.model import Const, Node


def shown(node: Node) -> str:
    """A node in a line."""
    types = ", ".join(str(value.type) for value in node.outputs)
    return f"{said(node)}{' : ' + types if types else ''}"


def said(node: Node) -> str:
    """A node in a line, without the types of its results: its name and its settings, a loop by its count."""
    if isinstance(node.structure, RepeatAttrs):
        return f"×{node.structure.count}"
    settings = [f"{key}={value}" if key else value for key, value in settings_of(node)]
    return f"{name_of(node)}{'[' + ', '.join(settings) + ']' if settings else ''}"


def changed_settings(old: Node, new: Node) -> tuple[str, str]:
    """What stands and stood in two nodes: only the settings that differ, where all else is the same."""
    if isinstance(old.structure, RepeatAttrs) or name_of(old) != name_of(new):
        return said(old), said(new)
    before, after = settings_of(old), settings_of(new)
    if [key for key, _ in before] != [key for key, _ in after]:
        return said(old), said(new)
    pairs = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    if not pairs:
        return said(old), said(new)
    was, now = ([f"{key}={value}" if key else value for key, value in side] for side in zip(*pairs, strict=True))
    return ", ".join(was), ", ".join(now)


def name_of(node: Node) -> str:
    """Its operation, or the block that it applies."""
    return node.callee.block.rsplit(".", 1)[-1] if node.callee is not None else node.op


def settings_of(node: Node) -> list[tuple[str, str]]:
    """By name what a node says of itself; literals have none."""
    shape = () if node.loop is None else ("carried", "sliced")
    found = [(key, text(value)) for key, value in node.settings if key not in shape and value is not None]
    statics = {s.unknown for s in node.callee.statics} if node.callee is not None else set()
    found += [(unknown.name, str(size)) for unknown, size in node.bindings if unknown in statics]
    return found + [("", text(value)) for value in node.inputs if isinstance(value, Const)]


def text(value: object) -> str:
    """A setting in writing."""
    if isinstance(value, Const):
        return str(value.value)
    if isinstance(value, tuple):
        return f"({', '.join(map(text, value))})"
    return str(value)
