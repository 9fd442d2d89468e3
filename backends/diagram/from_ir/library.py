"""Blocks of the library that are drawn as the operation they hold."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ogive.backends.diagram.figure.figure import Link
from ogive.backends.diagram.figure.labels import size_label, value_label
from ogive.backends.diagram.from_ir.glyphs import NORMS, Look, strided
from ogive.backends.diagram.from_ir.wires import Wires


def library_attrs(inner: str, x: Wires, statics: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """What the links of the operation depend on."""
    if inner in ("layer_norm", "rms_norm"):
        return (("axes", (len(x.axes) - 1,)),)
    if inner == "group_norm":  # without groups each channel is one
        return (("groups", statics.get("groups", x.type.axes[1].size)),)
    return (("kernel", statics.get("kernel")), ("groups", statics.get("groups"))) if inner == "conv" else ()


def pointwise(look: Look, links: Collection[Link], plus: str = "") -> Look:
    """A convolution past which the axes of space run is a linear map of the channels."""
    if look.glyph == "conv" and sum(link.kind == "through" for link in links) > 1:
        return Look("linear", f"L{plus}")
    return look


def groups(statics: dict[str, Any]) -> str:
    """What a convolution shows of its groups."""
    groups = statics.get("groups")
    if groups is None or str(groups) == "1":
        return ""
    return "each" if str(groups) == str(statics.get("cin")) else str(groups)


def library_look(inner: str, bias: bool, statics: dict[str, Any], divides: Collection[tuple[str, str]]) -> Look:
    """The glyph of a block of the library, by the operation that it holds."""
    plus = "₊" if bias else ""
    if inner == "linear":
        return Look("linear", f"L{plus}")
    if inner == "embedding":
        return Look("linear", "E")
    if inner == "mask":
        return Look("mask")
    if inner == "dropout":
        return Look("float", above=f"dropout {value_label(statics.get('p'), divides)}")
    if inner.startswith("conv"):
        kernel, stride, dilation = (_number(statics.get(key), divides) for key in ("kernel", "stride", "dilation"))
        mark = "T " if inner == "conv_transpose" else ""
        return Look("conv", mark + strided(kernel, stride, dilation))
    if "groups" in statics:
        return Look("norm", f"{NORMS[inner]} {_number(statics['groups'], divides)}")
    return Look("norm", "IN" if inner == "group_norm" else NORMS[inner])


def _number(value: Any, divides: Collection[tuple[str, str]]) -> str:
    if isinstance(value, tuple):
        texts = [_number(item, divides) for item in value]
        return texts[0] if len(set(texts)) == 1 else "×".join(texts)
    return size_label(value, divides) if value is not None else ""
