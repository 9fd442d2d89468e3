"""What is left to do once all nodes stand: weights stored as they are used, batch norm folded into convolutions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ogive.backends.onnx_model.graph.elems import dense
from ogive.backends.onnx_model.graph.nodes import Body, Made
from ogive.compiler.ir.types import TensorType

Array = Callable[[], np.ndarray]


@dataclass(slots=True)
class Stored:
    """A weight of the file: its path, its shape there, and how to come by its numbers."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    array: Array
    note: str = ""  # how it differs from the weight of that path


@dataclass(slots=True)
class Weights:
    """The weights that a graph reads, by path."""

    stored: dict[str, Stored] = field(default_factory=dict)


def all_ops(body: Body) -> Iterator[str]:
    """The operations of a graph, those of graphs inside too."""
    for made in body.nodes:
        yield made.op
        for value in made.attrs.values():
            if isinstance(value, Body):
                yield from all_ops(value)


def uses_of(body: Body) -> Counter[str]:
    """How often each value is read, in graphs inside too, and as an output."""
    found: Counter[str] = Counter(name for name, _ in body.outputs)
    for made in body.nodes:
        found.update(made.inputs)
        for value in made.attrs.values():
            if isinstance(value, Body):
                found.update(uses_of(value))
    return found


def renamed(body: Body, names: dict[str, str]) -> None:
    """Readers of some values read others."""
    for made in body.nodes:
        made.inputs = [names.get(name, name) for name in made.inputs]
        for value in made.attrs.values():
            if isinstance(value, Body):
                renamed(value, names)
    body.outputs = [(names.get(name, name), type) for name, type in body.outputs]


def store_transposed(body: Body, weights: Weights) -> None:
    """A weight that is read through a transposition alone is stored transposed, under its own path."""
    uses = uses_of(body)
    names: dict[str, str] = {}
    kept: list[Made] = []
    for made in body.nodes:
        source = made.inputs[0] if made.op == "Transpose" else ""
        if source not in weights.stored or uses[source] != 1:
            kept.append(made)
            continue
        old = weights.stored[source]
        order: list[int] = made.attrs.get("perm", list(range(len(old.shape)))[::-1])
        shape = tuple(old.shape[axis] for axis in order)
        weights.stored[source] = Stored(source, shape, old.dtype, _turned(old.array, order), "transposed")
        names[made.outputs[0]] = source
    body.nodes = kept
    renamed(body, names)


def _turned(array: Array, order: Sequence[int]) -> Array:
    return lambda: dense(array().transpose(order))


def fold_batch_norms(body: Body, weights: Weights, types: dict[str, TensorType]) -> None:
    """batch_norm(conv(x, w) + b) = conv(x, w · s) + (b - mean) s + bias for s = weight / √(variance + eps).

    Only where nothing else reads the convolution and all of these are weights; computed in double precision.
    """
    uses = uses_of(body)
    makers = {name: made for made in body.nodes for name in made.outputs}
    names: dict[str, str] = {}
    gone: set[int] = set()
    for made in body.nodes:
        if made.op != "BatchNormalization":
            continue
        conv = makers.get(made.inputs[0])
        inputs = [*made.inputs[1:], *(conv.inputs[1:] if conv is not None else [])]
        if conv is None or conv.op != "Conv" or uses[made.inputs[0]] != 1:
            continue
        if not all(name in weights.stored and uses[name] == 1 for name in inputs):
            continue
        _fold(conv, made, weights)
        names[made.outputs[0]] = conv.outputs[0]
        gone.add(id(made))
    body.nodes = [made for made in body.nodes if id(made) not in gone]
    renamed(body, names)
    for name, kept in names.items():
        if name in types:
            types.pop(kept, None)
            types[kept] = types.pop(name)


def _fold(conv: Made, norm: Made, weights: Weights) -> None:
    old = weights.stored
    scale, shift, mean, variance = (old[name].array for name in norm.inputs[1:])
    kernel = old[conv.inputs[1]]
    bias = old[conv.inputs[2]].array if len(conv.inputs) > 2 else None
    eps = float(norm.attrs["epsilon"])

    def factor() -> np.ndarray:
        found: np.ndarray = np.divide(scale().astype(np.float64), np.sqrt(variance().astype(np.float64) + eps))
        return found

    def folded_kernel() -> np.ndarray:
        whole = kernel.array()
        shape = (-1, *[1] * (whole.ndim - 1))
        found: np.ndarray = np.multiply(whole.astype(np.float64), factor().reshape(shape)).astype(whole.dtype)
        return found

    def folded_bias() -> np.ndarray:
        start = 0.0 if bias is None else bias().astype(np.float64)
        found: np.ndarray = np.add((start - mean()) * factor(), shift().astype(np.float64)).astype(shift().dtype)
        return found

    note = "batch norm folded in"
    weights.stored[kernel.name] = Stored(kernel.name, kernel.shape, kernel.dtype, folded_kernel, note)
    place = norm.inputs[2]
    weights.stored[place] = Stored(place, old[place].shape, old[place].dtype, folded_bias, note)
    conv.inputs = [conv.inputs[0], conv.inputs[1], place]
    for name in norm.inputs[1:]:
        if name != place:
            weights.stored.pop(name, None)
