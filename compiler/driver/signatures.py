"""Canonical text of signatures and conditions."""

from __future__ import annotations

from collections.abc import Mapping

from ogive.compiler.driver.reports import BlockReport
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.specialization import Specialization
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.sizes import Size, Unknown
from ogive.grammar import syntax


def block(ref: BlockRef, specialization: Specialization | None) -> BlockReport:
    """What `check` says of a block: inferred where it was proved for all sizes, as declared otherwise."""
    tree, definition = ref.tree, specialization.definition if specialization is not None else None
    if specialization is None or definition is None:
        stated = tuple(_squeeze(c.span.text) for c in tree.where)
        return BlockReport(tree.name, declared(tree), stated, None, tree.doc, tree.name_span)
    conditions = tuple(str(c) for c in definition.conditions)
    return BlockReport(tree.name, signature(specialization, {}), conditions, definition, tree.doc, tree.name_span)


def signature(specialization: Specialization, known: Mapping[Unknown, Size]) -> str:
    """`(x: [*b, n, d]) -> [*b, n, d]`: sizes as they are declared, and those that the body determines filled in."""
    definition, tree = specialization.definition, specialization.ref.tree
    assert definition is not None
    assert specialization.outputs is not None
    inputs = [
        f"{each.name}: {type_text(value.type, known)}{'?' if each.type.optional else ''}"
        for each, value in zip(tree.inputs, definition.graph.inputs, strict=False)
    ]
    outputs = [type_text(t, known) for t in specialization.outputs]
    return f"({', '.join(inputs)}) -> {_outputs(definition.output_names, outputs)}"


def declared(tree: syntax.Block | syntax.Extern) -> str:
    """The signature as it is written, in canonical spacing."""
    inputs = [f"{each.name}: {_squeeze(each.type.span.text)}{_entries(each)}" for each in tree.inputs]
    outputs = [f"{_squeeze(each.type.span.text)}{_entries(each)}" for each in tree.outputs]
    return f"({', '.join(inputs)}) -> {_outputs([e.name for e in tree.outputs], outputs)}"


def _entries(each: syntax.Input | syntax.Output) -> str:
    return "" if each.each is None else f" {_squeeze(each.each.span.text)}"


def _outputs(names: object, types: list[str]) -> str:
    named = [f"{n}: {t}" if n else t for n, t in zip(list(names), types, strict=True)]  # type: ignore[call-overload]
    return named[0] if len(named) == 1 and ": " not in named[0] else f"({', '.join(named)})"


def type_text(type: TensorType, known: Mapping[Unknown, Size]) -> str:
    """A type with numbers for the sizes that are known."""
    axes = tuple(Axis(a.size.subs(known), None, a.pack) for a in type.axes)
    return str(TensorType(type.elem, axes))


def _squeeze(text: str) -> str:
    return " ".join(text.split())
