"""What a model file asks of its inputs, checked before a run, in the words of the module in torch.

contract = Contract.of(session)          # an InferenceSession, or a ModelProto
problems = contract.check({"x": (1, 3, 224, 200)})   # shapes, or arrays
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ogive.backends.onnx_model.serialize.evaluate import evaluated, line, names_in
from ogive.compiler.ir_tools.entry import ELEMENTS, misfit, unmet

KINDS = {"bool": "bool", "int64": "int", "int32": "i32"}  # of tensors that are no floats, in the language
OF_PROTO = {9: "bool", 7: "int64", 6: "int32"}


@dataclass(frozen=True, slots=True)
class Contract:
    """Declarations of inputs (`ids: int[b, n]`), conditions on their sizes, and those sizes that may be 0."""

    inputs: Mapping[str, str]
    conditions: tuple[str, ...]
    empty: tuple[str, ...] = ()

    @staticmethod
    def of(model: Any) -> Contract:
        """The contract of a session of ONNX Runtime or of a model as protobuf."""
        if hasattr(model, "get_modelmeta"):
            inputs = {v.name: _declared(v.name, v.type[7:-1], v.shape) for v in model.get_inputs()}
            metadata = dict(model.get_modelmeta().custom_metadata_map)
        else:
            inside = {tensor.name for tensor in model.graph.initializer}
            inputs = {v.name: _of_proto(v) for v in model.graph.input if v.name not in inside}
            metadata = {entry.key: entry.value for entry in model.metadata_props}
        inputs |= json.loads(metadata.get("ogive.inputs", "{}"))
        conditions, empty = (tuple(json.loads(metadata.get(f"ogive.{key}", "[]"))) for key in ("conditions", "empty"))
        return Contract(inputs, conditions, empty)

    def check(self, inputs: Mapping[str, Any]) -> tuple[str, ...]:
        """What is wrong with inputs of these shapes, or with these arrays, as sentences; none where they fit."""
        problems: list[str] = []
        sizes: dict[str, int] = {}
        fitting: list[tuple[str, tuple[int, ...]]] = []
        tells = _tells(self.inputs.values())
        for name, text in self.inputs.items():
            if name not in inputs:
                problems.append(f"{text} is absent")
                continue
            shape = tuple(getattr(inputs[name], "shape", inputs[name]))
            wanted = [self._early(dim, tells.get((text, at)), sizes) for at, dim in enumerate(_dims(text))]
            problem = misfit(text, shape, wanted, _elements(text, inputs[name]))
            problems += [problem] if problem else []
            if not problem:
                fitting.append((text, shape))
                sizes |= {dim: shape[at] for at, dim in enumerate(_dims(text)) if tells.get((text, at)) == dim}
        for (text, at), name in tells.items():
            found = next((shape[at] for other, shape in fitting if other == text), None)
            if found is not None and name not in sizes:
                self._solve(_dims(text)[at], found, sizes)
        for text, shape in fitting:
            problem = misfit(
                text, shape, [self._late(dim, tells.get((text, at)), sizes) for at, dim in enumerate(_dims(text))]
            )
            problems += [problem] if problem else []
        broken = (text for text in self.conditions if evaluated(text, sizes) is False)
        return (*problems, *(unmet(text, {n: sizes[n] for n in names_in(text) if n in sizes}) for text in broken))

    def _early(self, dim: str, name: str | None, sizes: Mapping[str, int]) -> int | None:
        """What an axis should be by the inputs before: a size, -n for a multiple of n, None where all is open."""
        if name is None:
            return evaluated(dim, sizes)
        told = line(dim, sizes)
        return None if told is None or told[2] or name in self.empty else -told[1]

    def _solve(self, dim: str, found: int, sizes: dict[str, int]) -> None:
        """The size that an expression among the axes tells."""
        told = line(dim, sizes)
        if told is not None:
            name, slope, rest = told
            number, left = divmod(found - rest, slope)
            if not left and number >= (name not in self.empty):
                sizes[name] = number

    def _late(self, dim: str, name: str | None, sizes: Mapping[str, int]) -> int | str | None:
        """What an axis should be, once all that inputs tell is known."""
        told = line(dim, sizes) if name is not None and name not in sizes else None
        if told is None:
            return evaluated(dim, sizes)
        low = told[1] * (name not in self.empty) + told[2]
        return f"{low}, {low + told[1]}, ..."


def _tells(inputs: Collection[str]) -> dict[tuple[str, int], str]:
    """For axes of declarations the size that each tells: its name first of all, else an expression of one unknown."""
    axes = [((text, at), dim) for text in inputs for at, dim in enumerate(_dims(text))]
    names: dict[str, tuple[str, int]] = {}
    for place, dim in axes:
        if _is_name(dim):
            names.setdefault(dim, place)
    for _ in axes:
        for place, dim in axes:
            free = [name for name in dict.fromkeys(names_in(dim)) if name not in names]
            if len(free) == 1 and line(dim, dict.fromkeys(names, 1)) is not None:
                names[free[0]] = place
    return {place: name for name, place in names.items()}


def _dims(text: str) -> list[str]:
    axes = text.partition("[")[2].removesuffix("]")
    return axes.split(", ") if axes else []


def _is_name(dim: str) -> bool:
    return dim.replace("'", "").isidentifier()


def _elements(text: str, given: Any) -> str:
    """The type of the elements of an array, where it is another than declared."""
    kind = text.partition(": ")[2].partition("[")[0] or "float"
    elem = str(getattr(given, "dtype", "")).removeprefix("torch.")
    return "" if elem in ("", *ELEMENTS[kind]) else elem


def _declared(name: str, kind: str, shape: Sequence[int | str | None]) -> str:
    return f"{name}: {KINDS.get(kind, '')}[{', '.join(map(str, shape))}]"


def _of_proto(value: Any) -> str:
    tensor = value.type.tensor_type
    dims = [dim.dim_param or dim.dim_value for dim in tensor.shape.dim]
    return _declared(value.name, OF_PROTO.get(tensor.elem_type, ""), dims)
