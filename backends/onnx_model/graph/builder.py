"""A graph that is being built: nodes found or added, constants, sizes read from shapes once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ogive.backends.onnx_model.graph.constant_folding import folded, overflows
from ogive.backends.onnx_model.graph.elems import FLOATS, NUMPY, OF_NUMPY, ONNX, concrete
from ogive.backends.onnx_model.graph.errors import OnnxError, Unheld, held
from ogive.backends.onnx_model.graph.nodes import Body, Made
from ogive.backends.onnx_model.graph.size_arithmetic import computed, scalar
from ogive.backends.onnx_model.graph.type_lists import bound, results, retold, shown, signature, unlisted
from ogive.compiler.ir.model import Const, Operand, Scalar
from ogive.compiler.ir.scalars import value_of
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops.empty import may_be_empty
from ogive.compiler.ops.held import lost
from ogive.compiler.sizes import Size, Unknown, size

RANDOM = frozenset(("RandomNormalLike", "RandomUniformLike"))


@dataclass(slots=True)
class OnnxBuilder:
    """One graph, or the body of one function."""

    opset: int
    floating: str  # the float type of the model
    body: Body = field(default_factory=Body)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    types: dict[str, TensorType] = field(default_factory=dict)  # of values of the IR, complex ones as pairs
    elems: dict[str, int | None] = field(default_factory=dict)  # of what nodes give, in ONNX
    complex: set[str] = field(default_factory=set)
    sources: dict[Unknown, tuple[str, int, Size]] = field(default_factory=dict)  # input, axis, the size it has
    given: dict[Unknown, str] = field(default_factory=dict)  # sizes that are inputs, or loop indices
    inner: dict[Unknown, Body] = field(default_factory=dict)  # loop indices, known in the body of a loop alone
    ask: Callable[[Unknown], str] | None = None  # makes one an input
    taken: dict[str, int] = field(default_factory=dict)  # names of values, and how often one was asked for
    labels: dict[str, int] = field(default_factory=dict)  # names of nodes
    path: str = ""
    hints: tuple[str, ...] = ()

    def type(self, operand: Operand) -> TensorType:
        """The type of a value."""
        assert isinstance(operand, str), operand
        return self.types[operand]

    def paired(self, operand: Operand) -> bool:
        """Whether an operand is complex."""
        return operand in self.complex

    def elem(self, elem: str) -> str:
        """The element type, with that of the model for `float`."""
        return concrete(elem, self.floating)

    def name(self, base: str) -> str:
        """A name that no value has yet."""
        return _free(base, self.taken)

    def node(self, op: str, *inputs: str, **attrs: Any) -> str:
        """Add a node with one result, or find an equal one."""
        return self.nodes(op, 1, *inputs, **attrs)[0]

    def nodes(self, op: str, count: int, *inputs: str, **attrs: Any) -> tuple[str, ...]:
        """Add a node with several results, or find an equal one."""
        key = None
        if op not in RANDOM:
            frozen = tuple(tuple(v) if isinstance(v, list) else v for v in attrs.values())
            key = (op, inputs, tuple(attrs), frozen, count)
            found = self.body.find(key)
            if found is not None:
                return found
            known = self._folded(op, count, inputs, attrs)
            if known is not None:
                self.body.root.seen[key] = known
                return known
        return self.add(op, inputs, count, attrs, key=key)

    def _folded(self, op: str, count: int, inputs: Sequence[str], attrs: Mapping[str, Any]) -> tuple[str, ...] | None:
        """The results as constants, where all inputs are."""
        if not inputs or any(name not in self.constants for name in inputs):
            return None
        xs = [self.constants[name] for name in inputs]
        results = folded(op, attrs, xs)
        if results is None or len(results) != count:
            return None
        if overflows(op, attrs, xs, results):
            raise Unheld(f"a constant that `{op}` computes is infinite in {self.floating}")
        return tuple(map(self.array, results))

    def add(
        self, op: str, inputs: Sequence[str], count: int, attrs: Mapping[str, Any], domain: str = "", key: object = None
    ) -> tuple[str, ...]:
        """Add a node."""
        for name, value in attrs.items():
            if isinstance(value, float) and (gone := lost(value, "f32")):
                raise Unheld(f"the setting {name} of `{op}`, {value:g}, is {gone} in f32, as ONNX has settings")
        outputs = self._append(op, inputs, count, attrs, domain) if domain else self._listed(op, inputs, count, attrs)
        if key is not None:
            self.body.seen[key] = outputs
        return outputs

    def _listed(self, op: str, inputs: Sequence[str], count: int, attrs: Mapping[str, Any]) -> tuple[str, ...]:
        """A node of the standard; in a wider type where its schema at this opset does not list that of its inputs."""
        signed = signature(op, self.opset)
        types = bound(signed, [self.elem_of(x) for x in inputs], attrs)
        try:
            wide = unlisted(signed, types)
        except KeyError as error:
            raise OnnxError(
                f"`{op}` of {shown(error.args[0])} is not supported in ONNX at opset {self.opset}"
            ) from None
        if not wide:
            outputs, body = self._append(op, inputs, count, attrs), attrs.get("body")
            inner = [self.elem_of(name) for name, _ in body.outputs] if isinstance(body, Body) else None
            self.elems.update(zip(outputs, inner or results(signed, types, attrs, count), strict=True))
            return outputs
        hints, self.hints = self._hints(count), ()
        names = [signed.variable(at) for at in range(len(inputs))]
        given = [self.node("Cast", x, to=wide[at]) if at in wide else x for x, at in zip(inputs, names, strict=True)]
        found = list(self.add(op, given, count, retold(attrs, wide.get(signed.outputs[0]))))
        for place, (y, at) in enumerate(zip(found, signed.outputs, strict=False)):
            if at in wide:
                self.hints = hints[place : place + 1]
                found[place] = self.node("Cast", y, to=types[at])
        self.hints = hints
        return tuple(found)

    def elem_of(self, name: str) -> int | None:
        """The element type of a value in ONNX, if it is known."""
        if name in self.constants:
            return OF_NUMPY[self.constants[name].dtype]
        if name not in self.elems and name in self.types:
            return ONNX[self.elem(self.types[name].elem)]
        return self.elems.get(name)

    def _hints(self, count: int) -> tuple[str, ...]:
        return self.hints if len(self.hints) == count else self.hints[:1] * count

    def _append(
        self, op: str, inputs: Sequence[str], count: int, attrs: Mapping[str, Any], domain: str = ""
    ) -> tuple[str, ...]:
        prefix = f"{self.path}/" if self.path else ""
        hints = self._hints(count)
        outputs = tuple(self.name(prefix + (hints[i] if hints and hints[i] else op)) for i in range(count))
        label = _free(prefix + op, self.labels)
        self.body.nodes.append(Made(op, list(inputs), list(outputs), attrs, label, domain))
        return outputs

    def cast(self, x: str, elem: str) -> str:
        """A tensor in another element type."""
        type = self.types[x]
        if ONNX[self.elem(type.elem)] == ONNX[elem]:
            return x
        found = self.node("Cast", x, to=ONNX[elem])
        self.types.setdefault(found, type.with_elem(elem))
        return found

    def scan(
        self,
        starts: Sequence[str],
        sources: Sequence[str],
        inner: Sequence[tuple[str, TensorType]],
        step: Callable[[Sequence[str]], Sequence[tuple[str, TensorType]]],
        axes: Sequence[int],
        out_axes: Sequence[int],
        reverse: bool,
        seen: Callable[[], Sequence[tuple[str, TensorType]]] = tuple,
    ) -> tuple[str, ...]:
        """`Scan` along axes of the sources; `step` writes its body; what is `seen` is stacked by steps."""
        outer, body = self.body, Body(parent=self.body)
        prefix = f"{self.path}/" if self.path else ""
        body.inputs = [(self.name(prefix + hint), type) for hint, type in inner]
        self.types.update(body.inputs)
        self.body = body
        results = step([name for name, _ in body.inputs])
        taps = seen()
        # an output of the body must be made in it, by a node of its own
        body.outputs = [(self.add("Identity", [name], 1, {})[0], type) for name, type in (*results, *taps)]
        self.body = outer
        attrs: dict[str, Any] = {
            "num_scan_inputs": len(sources),
            "scan_input_axes": list(axes),
            "scan_input_directions": [int(reverse)] * len(sources),
            "scan_output_axes": [*out_axes, *(0 for _ in taps)],
            "scan_output_directions": [int(reverse)] * len(out_axes) + [0] * len(taps),
            "body": body,
        }
        return self.add("Scan", [*starts, *sources], len(body.outputs), attrs)

    def array(self, value: np.ndarray | Sequence[int]) -> str:
        """A constant; equal ones are one."""
        array = np.asarray(value) if isinstance(value, np.ndarray) else np.array([held(n) for n in value], np.int64)
        if array.dtype not in OF_NUMPY:
            raise OnnxError(f"no constant of {array.dtype}")
        key = ("constant", array.dtype.str, array.dtype.name, array.shape, array.tobytes())
        root = self.body.root
        found = root.seen.get(key)
        if found is None:
            name = self.name(_constant_name(array))
            self.constants[name] = array
            found = root.seen[key] = (name,)
        return found[0]

    def number(self, value: Scalar | Size | int | float | bool, elem: str) -> str:
        """A number as a scalar of that element type."""
        elem = self.elem(elem)
        if isinstance(value, Size) and not value.is_number:
            x = self.node("Squeeze", self.size(value), self.array([0]))
            return x if ONNX[elem] == ONNX["int"] else self.node("Cast", x, to=ONNX[elem])
        plain = value if isinstance(value, bool) else value_of(value)
        if plain is not None:
            if elem in FLOATS and (gone := lost(float(plain), elem)):
                raise Unheld(f"{plain:g} is {gone} in {elem}")
            return self.array(np.array(float(plain) if elem in FLOATS else plain, NUMPY[elem]))
        assert isinstance(value, Scalar), value
        found = scalar(self, value, [self.number(arg, "f64") for arg in value.args])
        return found if elem == "f64" else self.node("Cast", found, to=ONNX[elem])

    def literal(self, const: Const, elem: str) -> str:
        """A literal operand in the element type of its neighbour."""
        return self.number(const.value, elem)

    # sizes

    def size(self, value: Size | int) -> str:
        """A size as int64[1]; what depends on inputs is read from their shapes once."""
        value = size(value)
        if value.is_number:
            return self.array([value.number])
        key = ("size", value)
        bodies = [self.inner[unknown] for unknown in value.unknowns if unknown in self.inner]
        home = max(bodies, key=lambda body: body.depth, default=self.body.root)
        if key not in home.seen:
            body, path, hints = self.body, self.path, self.hints
            self.body, self.path, self.hints = home, "sizes", (str(value).replace(" ", ""),)
            home.seen[key] = (computed(self, value),)
            self.body, self.path, self.hints = body, path, hints
        return home.seen[key][0]

    def unknown(self, unknown: Unknown) -> str:
        """A size that an input tells, as int64[1]."""
        if unknown in self.given:
            return self.given[unknown]
        if unknown not in self.sources and self.ask is not None:
            self.given[unknown] = self.ask(unknown)
            return self.given[unknown]
        if unknown not in self.sources:
            raise OnnxError(f"the size `{unknown.name}` cannot be inferred from any input; give it with `sizes`")
        name, axis, whole = self.sources[unknown]
        found = self.node("Shape", name, start=axis, end=axis + 1)
        if whole == size(unknown):
            return found
        scale = next(c for monomial, c in whole.terms.items() if any(atom is unknown for atom, _ in monomial))
        rest = whole - scale * size(unknown)
        if rest != size(0):
            found = self.node("Sub", found, self.size(rest))
        return found if scale == 1 else self.node("Div", found, self.array([scale]))

    def shape(self, sizes: Sequence[Size | int]) -> str:
        """Sizes as one int64 vector."""
        wanted = [size(item) for item in sizes]
        if all(item.is_number for item in wanted):
            return self.array([item.number for item in wanted])
        parts: list[str] = []
        for fixed, run in itertools.groupby(wanted, key=lambda item: item.is_number):
            items = list(run)
            parts += [self.array([i.number for i in items])] if fixed else [self.size(item) for item in items]
        return parts[0] if len(parts) == 1 else self.node("Concat", *parts, axis=0)

    def reshape(self, x: str, have: Sequence[Size], want: Sequence[Size]) -> str:
        """`Reshape` with 0 for axes that stay in their place and -1 for one more, where that says it."""
        if list(have) == list(want):
            return x
        if any(map(may_be_empty, want)):  # 0 is a size, not a place to copy from, and -1 says nothing beside it
            return self.node("Reshape", x, self.shape(want), allowzero=1)
        entries: list[Size | int] = [
            item.number if item.is_number else 0 if i < len(have) and have[i] == item else item
            for i, item in enumerate(want)
        ]
        open_ = [i for i, item in enumerate(entries) if isinstance(item, Size)]
        if len(open_) == 1:
            entries[open_[0]] = -1
        if len(open_) <= 1:
            return self.node("Reshape", x, self.array([e for e in entries if isinstance(e, int)]))
        shown = [-1 if i == open_[-1] else entry for i, entry in enumerate(entries)]
        return self.node("Reshape", x, self.shape(shown))


def _free(base: str, taken: dict[str, int]) -> str:
    """`base`, or with the first number that makes it new."""
    found = base
    while found in taken:
        taken[base] += 1
        found = f"{base}_{taken[base]}"
    taken[found] = 0
    return found


def _constant_name(array: np.ndarray) -> str:
    """`const.2`, `const.0_0_12_64`: a small constant tells its value."""
    if array.size <= 4 and array.dtype.kind in "ib":
        return "const." + "_".join(map(str, array.reshape(-1).tolist())).replace("-", "m")
    return "const"
