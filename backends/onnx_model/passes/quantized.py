"""Numbers on steps as `QuantizeLinear` and `DequantizeLinear`, weights as integers of 8 bits.

Runtimes find these pairs around a node and compute with integers. What the pass `quantize` writes,
(clip(round(x / s) + z) - z) s, is just what the pair computes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from ogive.backends.onnx_model.graph.builder import OnnxBuilder
from ogive.backends.onnx_model.graph.nodes import Body, Made
from ogive.backends.onnx_model.passes.post_passes import Array, Stored, uses_of

SPREAD = ("Unsqueeze", "Reshape", "Expand")
# the bounds of the steps, and where 0 is: of weights in the middle, since runtimes that multiply bytes with and without
# a sign may overflow in 16 bits
WEIGHT_BOUNDS, BOUNDS = (-127.0, 127.0), (0.0, 255.0)
MIDDLE = 128


def as_bytes(builder: OnnxBuilder, stored: dict[str, Stored]) -> None:
    """Write the pairs in a graph and those in it; float64 has none."""
    if builder.floating != "f64":
        _Pairs(builder, stored).graph(builder.body)


@dataclass(frozen=True, slots=True)
class FoundSteps:
    """What is rounded, by what scale as it is stored, with what offset if there is one; the nodes that do it."""

    x: str
    scale: str
    zero: str | None
    nodes: tuple[Made, ...]


@dataclass(slots=True)
class _Pairs:
    builder: OnnxBuilder
    stored: dict[str, Stored]
    makers: dict[str, Made] = field(default_factory=dict)

    def graph(self, body: Body) -> None:
        """Replace what is found in one graph."""
        for made in body.nodes:
            self.makers.update(dict.fromkeys(made.outputs, made))
        uses = uses_of(body)
        nodes: list[Made] = []
        gone: set[int] = set()
        for made in body.nodes:
            for value in made.attrs.values():
                if isinstance(value, Body):
                    self.graph(value)
            found = self.found(made)
            if found is None:
                nodes.append(made)
                continue
            gone.update(id(each) for each in found.nodes)
            nodes += self.pair(made, found, uses)
        if gone:
            body.nodes = [made for made in nodes if id(made) not in gone]
            self._turned(body)
            self._unread(body)

    def found(self, last: Made) -> FoundSteps | None:
        """What ends in this product, if it is numbers on steps."""
        if last.op != "Mul":
            return None
        name, spread = last.inputs
        minus, name = self._offset("Sub", name)
        clip = self.makers.get(name)
        bounds = BOUNDS if minus is not None else WEIGHT_BOUNDS
        if clip is None or clip.op != "Clip" or self._bounds(clip) != bounds:
            return None
        plus, name = self._offset("Add", clip.inputs[0])
        rounded = self.makers.get(name)
        divided = self.makers.get(rounded.inputs[0]) if rounded is not None and rounded.op == "Round" else None
        scale = self._scale(spread)
        if rounded is None or divided is None or divided.op != "Div" or divided.inputs[1] != spread or plus != minus:
            return None
        if scale is None or (plus is not None and plus not in self.stored):
            return None
        if not _steps(self.stored[scale].array(), None if plus is None else self.stored[plus].array()):
            return None
        return FoundSteps(divided.inputs[0], scale, plus, (divided, rounded, clip))

    def _offset(self, op: str, name: str) -> tuple[str | None, str]:
        """What is added or taken away, and from what."""
        maker = self.makers.get(name)
        return (maker.inputs[1], maker.inputs[0]) if maker is not None and maker.op == op else (None, name)

    def _bounds(self, clip: Made) -> tuple[float, ...]:
        known = self.builder.constants
        return tuple(float(known[name]) for name in clip.inputs[1:] if name in known)

    def _scale(self, name: str) -> str | None:
        """The state that tells the steps, behind what gives it axes of one entry."""
        maker = self.makers.get(name)
        while maker is not None and maker.op in SPREAD:
            name = maker.inputs[0]
            maker = self.makers.get(name)
        return name if name in self.stored and len(self.stored[name].shape) <= 1 else None

    def pair(self, last: Made, found: FoundSteps, uses: Counter[str]) -> list[Made]:
        """The nodes in the place of those found."""
        old = self.stored.get(found.x)
        if old is not None:
            return [self._weight(last, found, old, alone=uses[found.x] == 1)]
        zero = self._zero(found)
        axis = {} if not self.stored[found.scale].shape else {"axis": 0}
        middle = self.builder.name(f"{last.outputs[0]}/QuantizeLinear")
        inputs = [found.scale, zero]
        return [
            Made("QuantizeLinear", [found.x, *inputs], [middle], axis, f"{middle}/node"),
            Made("DequantizeLinear", [middle, *inputs], list(last.outputs), axis, f"{last.name}/DequantizeLinear"),
        ]

    def _zero(self, found: FoundSteps) -> str:
        """The offset as a byte."""
        if found.zero is None:
            return self.builder.array(np.zeros((), np.int8))
        old = self.stored[found.zero]
        if old.dtype != np.uint8:
            read = old.array
            self.stored[found.zero] = Stored(
                old.name, old.shape, np.dtype(np.uint8), lambda: read().astype(np.uint8), old.note
            )
        return found.zero

    def _weight(self, last: Made, found: FoundSteps, old: Stored, *, alone: bool) -> Made:
        """A weight in bytes, which are all that is stored of it where nothing else reads it."""
        scale = self.stored[found.scale]
        axis = self._axis(last.inputs[1], old, scale)
        name = old.name if alone else self.builder.name(f"{old.name}_bytes")
        note = ", ".join(part for part in (old.note, "in steps") if part)
        self.stored[name] = Stored(name, old.shape, np.dtype(np.uint8), _stepped(old.array, scale.array, axis), note)
        zeros = f"{found.scale.removesuffix('_scale')}_zero"
        if zeros not in self.stored:
            shape = scale.shape
            self.stored[zeros] = Stored(zeros, shape, np.dtype(np.uint8), lambda: np.full(shape, MIDDLE, np.uint8))
        attrs = {} if axis is None else {"axis": axis}
        return Made("DequantizeLinear", [name, found.scale, zeros], list(last.outputs), attrs, last.name)

    def _axis(self, spread: str, old: Stored, scale: Stored) -> int | None:
        """Along which axis of a weight the scale goes: that before the axes of one entry that it was given."""
        if not scale.shape:
            return None
        maker, behind = self.makers.get(spread), 0
        if maker is not None and maker.op == "Unsqueeze":
            behind = self.builder.constants[maker.inputs[1]].size
        elif maker is not None:
            behind = self.builder.constants[maker.inputs[1]].size - 1
        return len(old.shape) - 1 - behind

    def _turned(self, body: Body) -> None:
        """A weight in bytes that is only read through a transposition is stored transposed."""
        uses = uses_of(body)
        makers = {name: made for made in body.nodes for name in made.outputs}
        kept: list[Made] = []
        for made in body.nodes:
            source = makers.get(made.inputs[0]) if made.op == "Transpose" else None
            alone = source is not None and uses[source.outputs[0]] == 1 and uses[source.inputs[0]] == 1
            if source is None or source.op != "DequantizeLinear" or source.inputs[0] not in self.stored or not alone:
                kept.append(made)
                continue
            old = self.stored[source.inputs[0]]
            order: list[int] = made.attrs.get("perm", list(range(len(old.shape)))[::-1])
            shape = tuple(old.shape[axis] for axis in order)
            note = f"{old.note}, transposed"
            self.stored[old.name] = Stored(old.name, shape, old.dtype, _transposed(old.array, order), note)
            if "axis" in source.attrs:
                source.attrs = {"axis": order.index(source.attrs["axis"])}
            source.outputs = list(made.outputs)
        body.nodes = kept

    def _unread(self, body: Body) -> None:
        """Drop what only the nodes that are gone have read."""
        while True:
            uses = uses_of(body)
            kept = [
                made
                for made in body.nodes
                if made.op not in ("Add", "Sub", *SPREAD) or any(uses[name] for name in made.outputs)
            ]
            if len(kept) == len(body.nodes):
                return
            body.nodes = kept


def _steps(scale: np.ndarray, zero: np.ndarray | None) -> bool:
    """Whether these are steps: scales above 0, and one offset that a byte holds."""
    low, high = BOUNDS
    whole = zero is None or (zero.size == 1 and low <= float(zero.item()) <= high and float(zero.item()).is_integer())
    return whole and bool((np.isfinite(scale) & (scale > 0)).all())


def _stepped(array: Array, scale: Array, axis: int | None) -> Array:
    def made() -> np.ndarray:
        numbers = array()
        step = scale().astype(numbers.dtype)
        if axis is not None:
            step = step.reshape([-1 if at == axis else 1 for at in range(numbers.ndim)])
        low, high = WEIGHT_BOUNDS
        found: np.ndarray = (np.clip(np.rint(numbers / step), low, high) + MIDDLE).astype(np.uint8)
        return found

    return made


def _transposed(array: Array, order: list[int]) -> Array:
    return lambda: np.ascontiguousarray(array().transpose(order))
