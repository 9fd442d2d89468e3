"""A model run from its checked IR in numpy, node by node: `over` and `each` index by index, loops step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ogive.compiler.ir.attributes import (
    AssumeAttrs,
    CustomGradAttrs,
    GivenAttrs,
    GradAttrs,
    InitialAttrs,
    LoopAttrs,
    PhaseAttrs,
    TapAttrs,
    UpdateAttrs,
    VectorizedAttrs,
    WeightAttrs,
)
from ogive.compiler.ir.model import CallAttrs, Const, Definition, Instance, Model, Node, Operand, Value
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ir_tools.interpreter import Interpreter
from ogive.compiler.ops import OPS as DECLARED
from ogive.compiler.sizes import Unknown
from reference import regions
from reference.arrays import Array, stack
from reference.initial import initial
from reference.store import Store, rows_of
from reference.table import EXACT, OPS
from reference.world import CANCELLING, FOURIER, SUMS, Improper, Op, Unmet, World, dtype_of, number, shape_of

Values = dict[str, Array | None]
Results = Sequence[Array | None]


@dataclass
class Frame:
    """One definition at one place of use."""

    definition: Definition
    env: dict[Unknown, int]
    packs: dict[str, tuple[int, ...]]
    prefix: str  # the path of the place, with a dot behind it
    lanes: tuple[int, ...]  # the indices of the vectorized instances on the way here
    values: Values = field(default_factory=dict)
    types: dict[str, TensorType] = field(default_factory=dict)
    iterations: tuple[int, ...] = ()  # of the loops around the current node
    index: int | None = None  # of the innermost `each` around the current node
    supplied: Mapping[str, Array] = field(default_factory=dict)  # weights given at the call, by their path below

    def path(self, path: str, stacked: int = 0) -> str:
        """The path of a member, iterations filled in, but for those of its last `stacked` loops."""
        parts = path.split(".")
        iterations = iter(self.iterations[: parts.count("*") - stacked])
        return self.prefix + ".".join(str(next(iterations, "*")) if part == "*" else part for part in parts)


@dataclass
class Machine(Interpreter[Frame, "Array | None"]):
    """Runs definitions."""

    world: World
    store: Store

    def definition(
        self,
        definition: Definition,
        args: Sequence[Array | None],
        env: Mapping[Unknown, int],
        prefix: str = "",
        lanes: tuple[int, ...] = (),
        supplied: Mapping[str, Array] | None = None,
    ) -> tuple[Array | None, ...]:
        """The results of a definition on these values."""
        frame = Frame(definition, dict(env), packs_of(definition, args), prefix, lanes, supplied=supplied or {})
        return self.region(frame, definition.graph, args)

    def bind(self, frame: Frame, value: Value, meaning: Array | None) -> None:
        """A value has its type, and what it is here has it too."""
        frame.values[value.name], frame.types[value.name] = meaning, value.type
        if meaning is not None:
            self.checked(frame, value.type, meaning, f"{value.name} of {frame.definition.name}")

    def read(self, frame: Frame, operand: Operand) -> Array | None:
        """What an operand is here; literals are floats where no tensor stands beside them."""
        return self.bound(frame, operand, "float")

    def checked(self, frame: Frame, type: TensorType, value: Array, what: str) -> None:
        """A value has the type that the compiler proved."""
        packs = {axis.pack for axis in type.axes} - {None}
        if packs <= frame.packs.keys():
            wanted = shape_of(type, frame.env, frame.packs)
            assert value.shape == wanted, f"{what} is {value.shape}, and its type {type} says {wanted}"
        kind = np.dtype(dtype_of(type.elem))
        assert value.value.dtype == kind, f"{what} is {value.value.dtype}, and its type {type} says {kind}"

    def bound(self, frame: Frame, operand: Operand, elem: str) -> Array | None:
        """What an operand is here; literals take an element type."""
        if isinstance(operand, str):
            return frame.values[operand]
        if isinstance(operand, Const):
            return Array(np.asarray(number(operand.value, frame.env), dtype_of(elem)))
        return None

    def visit_loop(self, frame: Frame, node: Node, told: LoopAttrs) -> Results:
        return regions.loop(self, frame, node, told)

    def visit_vectorized(self, frame: Frame, node: Node, told: VectorizedAttrs) -> Results:
        return regions.vectorized(self, frame, node, told)

    def visit_phase(self, frame: Frame, node: Node, told: PhaseAttrs) -> Results:
        return self.region(frame, node.regions[0 if self.world.training else 1], self.inputs(frame, node))

    def visit_given(self, frame: Frame, node: Node, told: GivenAttrs) -> Results:
        values = self.inputs(frame, node)
        return self.region(frame, node.regions[0 if values[0] is not None else 1], values)

    def visit_grad(self, frame: Frame, node: Node, told: GradAttrs) -> Results:
        return regions.grad(self, frame, node)

    def visit_custom_grad(self, frame: Frame, node: Node, told: CustomGradAttrs) -> Results:
        return regions.custom_grad(self, frame, node, told)

    def visit_assume(self, frame: Frame, node: Node, told: AssumeAttrs) -> Results:
        if not told.condition.at(frame.env):
            raise Unmet(told.text)
        return []

    def visit_initial(self, frame: Frame, node: Node, told: InitialAttrs) -> Results:
        shape = shape_of(node.outputs[0].type, frame.env, frame.packs)
        return [Array(initial(told.pairs, shape, frame.env, self.world.rng))]

    def operation(self, frame: Frame, node: Node) -> Sequence[Array | None]:
        """One primitive operation."""
        elem = literal_elem(node, frame.types)
        operands = [self.bound(frame, x, elem) for x in node.inputs]
        types = tuple(frame.types[x] if isinstance(x, str) else None for x in node.inputs)
        exact = node.op in EXACT
        world = self.world
        if world.noise is not None and not exact:
            operands = [None if x is None else world.rounded(x, elem) for x in operands]
        op = Op(node, world, frame.env, frame.packs, types)
        with np.errstate(all="ignore"):
            found = OPS[node.op](op, *operands)
        results: Sequence[Array] = found if isinstance(found, tuple) else (found,)
        for y in results:
            if y.smooth and y.value.size:
                size = np.abs(y.value)
                world.largest = max(world.largest, float(size.max(initial=0.0, where=size < np.inf)))
        if world.strict:
            proper(node, [x for x in operands if x is not None], results)
        if world.noise is not None and not exact:
            given = operands[0] if node.op in CANCELLING else None
            given = Array(np.ones(())) if node.op == "sigmoid" else given
            given = self.summed(op, operands[0]) if node.op in FOURIER and operands[0] is not None else given
            world.cancels = world.cancels or given is not None
            summed = DECLARED[node.op].kind in SUMS
            results = [
                world.rounded(x, value.type.elem, given, apart=summed)
                for x, value in zip(results, node.outputs, strict=True)
            ]
        return results

    def summed(self, op: Op, x: Array) -> Array:
        """The sum of the sizes of a row that is transformed, to a rounding of which each result of a row is exact."""
        sizes = Array(np.abs(x.value).astype(x.value.dtype))
        found: Array = OPS[op.node.op](op, sizes)
        return Array(np.abs(found.value).max(op.places(op.attr("axes")), keepdims=True, initial=0.0))

    # --- weights ------------------------------------------------------------------------------------------------------

    def visit_weight(self, frame: Frame, node: Node, told: WeightAttrs) -> Results:
        """A weight of the definition or of an instance in it; those of all iterations of its last loops stacked."""
        path, deep = node.path, told.stacked
        if path in frame.supplied:
            found = frame.supplied[path]
            for iteration in frame.iterations[: path.split(".").count("*") - deep]:
                found = rows_of(found, iteration)
            return [found]
        shape = shape_of(node.outputs[0].type, frame.env, frame.packs)
        return [self.stored(frame, frame.path(path, deep), shape)]

    def stored(self, frame: Frame, path: str, shape: tuple[int, ...]) -> Array:
        """A weight by its path; `*` stands for all iterations, as many as the first axis is long."""
        if "*" not in path:
            return self.store.read(path, frame.lanes)
        iterations = [
            self.stored(frame, path.replace("*", str(iteration), 1), shape[1:]) for iteration in range(shape[0])
        ]
        return stack(iterations, 0) if iterations else Array(np.zeros(shape))

    def visit_update(self, frame: Frame, node: Node, told: UpdateAttrs) -> Results:
        """A state changes, while training."""
        if self.world.training:
            elem = next(weight.type.elem for weight in frame.definition.weights if weight.path == node.path)
            value = self.bound(frame, node.inputs[0], elem)
            assert value is not None
            self.store.write(frame.path(node.path), frame.lanes, value.value)
        return []

    def visit_tap(self, frame: Frame, node: Node, told: TapAttrs) -> Results:
        value = self.bound(frame, node.inputs[0], "float")
        assert value is not None
        self.world.taps.setdefault(frame.path(node.path or told.name), []).append(value)
        return []

    # --- calls --------------------------------------------------------------------------------------------------------

    def visit_call(self, frame: Frame, node: Node, told: CallAttrs) -> Results:
        """Apply a block: at the place of its instance, with the weights that are supplied."""
        callee = node.callee
        assert callee is not None
        args = [
            self.bound(frame, operand, value.type.elem)
            for operand, value in zip(node.inputs, callee.graph.inputs, strict=True)
        ]
        supplied: dict[str, Array] = {}
        if node.path:
            start = node.path + "."
            iterations = frame.iterations[: node.path.split(".").count("*")]
            for path, array in frame.supplied.items():
                if path.startswith(start):
                    for iteration in iterations:
                        array = rows_of(array, iteration)
                    supplied[path[len(start) :]] = array
        for path, name in node.supplied:
            given = frame.values[name]
            assert given is not None
            supplied[path] = given
        env = {unknown: value.at(frame.env) for unknown, value in node.bindings}
        prefix = frame.path(node.path) + "." if node.path else frame.prefix
        lanes = frame.lanes
        if node.path and vectorized(frame.definition, node.path):
            assert frame.index is not None, f"{node.path} is called outside of `each`"
            lanes = (*lanes, frame.index)
        return self.definition(callee, args, env, prefix, lanes, supplied)


def vectorized(definition: Definition, path: str) -> bool:
    """Whether the instance at a path is one of `each`."""
    found: list[Instance] = [member for member in definition.instances if member.path == path]
    return bool(found) and found[0].vectorized is not None


def packs_of(definition: Definition, args: Sequence[Array | None]) -> dict[str, tuple[int, ...]]:
    """The sizes of the axes that packs stand for."""
    found: dict[str, tuple[int, ...]] = {}
    for value, arg in zip(definition.graph.inputs, args, strict=True):
        at = next((i for i, axis in enumerate(value.type.axes) if axis.pack is not None), None)
        if at is not None and arg is not None:
            pack = value.type.axes[at].pack
            assert pack is not None
            found.setdefault(pack, arg.shape[at : arg.ndim - (len(value.type.axes) - at - 1)])
    return found


def literal_elem(node: Node, types: Mapping[str, TensorType]) -> str:
    """The element type that literals take: that of the tensors beside them, else of the result."""
    operands = node.inputs[1:] if node.op == "select" else node.inputs
    return next((types[x].elem for x in operands if isinstance(x, str)), node.outputs[0].type.elem)


def proper(node: Node, operands: Sequence[Array], results: Sequence[Array]) -> None:
    """Raise where a result is not finite though the operands are, or is NaN though none of them is."""
    bad = any(not np.isfinite(y.value).all() for y in results if y.smooth)
    if not bad:
        return
    fine = all(np.isfinite(x.value).all() for x in operands if x.smooth)
    numbers = all(not np.isnan(x.value).any() for x in operands if x.smooth)
    nan = any(np.isnan(y.value).any() for y in results if y.smooth)
    if (fine and node.op not in ("full", "constant", "zeros", "ones")) or (numbers and nan):
        raise Improper(node, list(operands))


@dataclass
class Reference:
    """A model with its weights."""

    model: Model
    store: Store

    def run(
        self, args: Sequence[Any], world: World | None = None, sizes: Mapping[Unknown, int] | None = None
    ) -> list[Array | None]:
        """The results on these inputs (None: absent). States change if the world is training."""
        arrays = [None if x is None else x if isinstance(x, Array) else Array(x) for x in args]
        definition = self.model.definition
        env = {**dict(self.model.bindings), **(sizes if sizes is not None else sizes_of(self.model, arrays))}
        return list(Machine(world or World(), self.store).definition(definition, arrays, env))


def sizes_of(model: Model, args: Sequence[Array | None]) -> dict[Unknown, int]:
    """The sizes that the inputs show, where an axis is one name alone; 0 for what absent inputs would show."""
    found: dict[Unknown, int] = {}
    for value, arg in zip(model.definition.graph.inputs, args, strict=True):
        if arg is None:
            continue
        axes = value.type.axes
        at = next((i for i, axis in enumerate(axes) if axis.pack is not None), None)
        for i, axis in enumerate(axes):
            names = list(axis.size.unknowns)
            if axis.pack is not None:
                found[names[0]] = int(np.prod(arg.shape[i : arg.ndim - (len(axes) - i - 1)], dtype=int))
                continue
            n = arg.shape[i if at is None or i < at else i - len(axes)]
            open_ = [name for name in names if name not in dict(model.bindings)]
            if len(open_) == 1 and open_[0] not in found:
                found.update(_solved(axis.size, open_[0], n, dict(model.bindings)))
    return {**dict.fromkeys(model.definition.sizes, 0), **found, **dict(model.bindings)}


def _solved(size: Any, unknown: Unknown, n: int, known: Mapping[Unknown, int]) -> dict[Unknown, int]:
    """The number for which a size is n."""
    for guess in range(0, n + 64):
        if size.at({**known, unknown: guess}) == n:
            return {unknown: guess}
    raise Unmet(f"no {unknown} makes {size} {n}")


__all__ = ["DECLARED", "Frame", "Machine", "Reference", "replace", "sizes_of"]
