"""The end of a figure, as the signature of its block has it."""

from __future__ import annotations

from dataclasses import replace

from ogive.backends.diagram.figure.figure import DrawnTensor, Section
from ogive.compiler.ir.model import Definition


def signed(section: Section, definition: Definition) -> Section:
    """The section with the names of results, whose axes are called what the signature calls them."""
    drawn = zip(definition.graph.outputs, definition.output_names, strict=False)
    ends = tuple(name or "" for value, name in drawn if isinstance(value, str))
    labels = dict(zip(section.outputs, definition.output_labels, strict=False))
    given = {t.tid for t in section.boundaries[0]}  # inputs have names of their own, until the end
    *before, last = section.boundaries
    boundaries = [tuple(t if t.tid in given else _named(t, labels) for t in boundary) for boundary in before]
    return replace(section, ends=ends, boundaries=(*boundaries, tuple(_named(t, labels) for t in last)))


def _named(tensor: DrawnTensor, labels: dict[str, tuple[str | None, ...]]) -> DrawnTensor:
    names = (*labels.get(tensor.tid, ()), *(None for _ in tensor.slots))
    slots = (replace(slot, label=name) if name else slot for slot, name in zip(tensor.slots, names, strict=False))
    return replace(tensor, slots=tuple(slots))
