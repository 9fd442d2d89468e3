"""A generated program, checked and built, at sizes, inputs and weights at which it can be compared."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

import ogive
from generated.text import program_text
from generated.tree import Program
from ogive.api import Model
from ogive.backends.onnx_model.export import Settings, bound_sizes
from ogive.backends.onnx_model.lower.specialize import Sizes
from ogive.backends.onnx_model.verify import choices
from ogive.backends.weights.paths import WeightSlot
from ogive.compiler.ir.signature_lists import as_declared
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ir_tools.verify import verify
from ogive.compiler.sizes import Unknown
from reference.arrays import Array, Numbers
from reference.interpreter import Reference
from reference.store import Store
from reference.world import Improper, Unmet, World, dtype_of, shape_of

Inputs = list[Numbers | None]
UNIT = {"f64": 2.0**-52, "f32": 2.0**-24}  # of float64 a whole place: half of one mostly rounds back, and moves nothing
LARGEST = 10  # no size is above it
OPEN = ("argsort", "topk")  # in which order they give equal numbers is open
SAFE = 40  # how often what rounding moves must fit between a number and where a decision is another
TRIES = 8  # how many inputs are tried at one choice of sizes


class Unfit(Exception):
    """A program with which nothing can be compared: why."""


@dataclass(frozen=True)
class Run:
    """What the reference computes, and how far each result moves where every operation rounds."""

    results: list[Array | None]
    spread: list[float]
    decisions: tuple[Any, ...]
    world: World
    shown: dict[str, float]  # how far what a tap shows moves, by path
    cancels: bool  # whether an operation is in it of which ONNX Runtime gives small results as nothing but rounding

    @property
    def numbers(self) -> list[Numbers]:
        return [y.value for y in self.results if y is not None]


@dataclass
class Subject:
    """One program."""

    program: Program
    text: str
    model: Model
    slots: Mapping[str, WeightSlot]
    sizes: dict[Unknown, int] = field(default_factory=dict)
    inputs: Inputs = field(default_factory=list)
    weights: dict[str, Numbers] = field(default_factory=dict)

    @staticmethod
    def of(program: Program, text: str | None = None) -> Subject:
        """The program, checked. Raises `ArchError` where it is refused."""
        text = program_text(program) if text is None else text
        model = ogive.source(text).models["M"]
        verify(model.ir)
        return Subject(program, text, model, model.slots)

    # --- running ------------------------------------------------------------------------------------------------------

    def reference(
        self, *, training: bool = False, unit: float = 0.0, seed: int = 0, strict: bool = False, short: bool = False,
        kernels: bool = False,
    ) -> tuple[list[Array | None], World, Store]:  # fmt: skip
        """A run of the reference."""
        noise = np.random.default_rng(seed) if seed else None
        world = World(
            training=training, unit=unit, noise=noise, strict=strict, short=short, kernels=kernels, decisions=[]
        )
        store = Store.of(self.weights)
        with np.errstate(all="ignore"):
            results = Reference(self.model.ir, store).run(self.inputs, world, self.sizes)
        return results, world, store

    def measured(self, unit: float, *, training: bool = False, times: int = 2, kernels: bool = False) -> Run:
        """The results, and how far they move by rounding. Raises `Unfit` where a decision flips on the way."""
        results, world, _ = self.reference(training=training)
        spread, shown = [0.0] * len(results), dict.fromkeys(world.taps, 0.0)
        chosen = [d.chosen for d in world.decisions or ()]
        cancels = False
        for seed in range(1, times + 1):
            moved, other, _ = self.reference(training=training, unit=unit, seed=seed, kernels=kernels)
            cancels = other.cancels
            if other.near or [d.chosen for d in other.decisions or ()] != chosen:
                raise Unfit("a decision flips by rounding")
            if not all(a.safe(b, SAFE) for a, b in zip(world.decisions or (), other.decisions or (), strict=True)):
                raise Unfit("a decision is near to another by rounding")
            for i, (a, b) in enumerate(zip(results, moved, strict=True)):
                if a is not None and b is not None and a.smooth and a.value.size:
                    spread[i] = max(spread[i], _farthest(a.value, b.value))
            for path, values in world.taps.items():
                pairs = zip(values, other.taps[path], strict=True)
                shown[path] = max([shown[path], *(_farthest(a.value, b.value) for a, b in pairs if a.value.size)])
        there = [s for s, y in zip(spread, results, strict=True) if y is not None]
        return Run(results, there, tuple(chosen), world, shown, cancels)

    def module(self) -> nn.Module:
        """A fresh module in float64, with the weights."""
        return self.loaded(self.model.torch())

    def file(self) -> nn.Module:
        """A module of the emitted text, executed as the file that it is."""
        scope: dict[str, Any] = {"__name__": "emitted"}
        exec(compile(self.model.torch_source(), "<emitted>", "exec"), scope)
        return self.loaded(scope["M"]())

    def loaded(self, net: nn.Module) -> nn.Module:
        net = net.double()
        state = {path: torch.from_numpy(np.array(array)) for path, array in self.weights.items()}
        net.load_state_dict(state, strict=True)
        return net

    def tensors(self) -> list[torch.Tensor | None]:
        """The inputs for torch."""
        return [None if x is None else torch.from_numpy(np.array(x)) for x in self.inputs]

    def args(self) -> list[Any]:
        """The same as the module takes them: some are a list."""
        return self.handed(self.tensors())

    def handed(self, tensors: Sequence[Any]) -> list[Any]:
        """Tensors one by one, as the module takes them."""
        return as_declared(tensors, self.model.ir.definition.lists.inputs)

    @property
    def fixed(self) -> dict[str, int | list[int]]:
        """The sizes of this run by name, as an export takes them; those that are 0 are left open."""
        packs = self.program.packs
        return {u.name: list(packs[u.name]) if u.kind == "pack" else n for u, n in self.sizes.items() if n}

    # --- sizes, inputs and weights ------------------------------------------------------------------------------------

    def choices(self, rng: random.Random) -> Iterator[dict[Unknown, int]]:
        """Sizes that meet the conditions: as the generator has them, others, small ones."""
        definition = self.model.ir.definition
        open_ = [u for u in definition.sizes if u not in dict(self.model.ir.bindings)]
        values = {name.text: value for name, value in self.program.main.values.items()}
        seen = []
        packs = {u: math.prod(self.program.packs[u.name]) for u in open_ if u.kind == "pack"}
        first = {u: values.get(u.name, 0) for u in open_} | packs
        empty = {u: 0 for u in open_ if u.low == 0}  # an axis that may have no entries has none
        tried = [{**first, **empty}, first] if empty else [first]
        tried += [{u: rng.randint(0 if u.low == 0 else 1, 6) for u in open_} | packs for _ in range(12)]
        for found in tried:
            if found not in seen and self._holds(found):
                seen.append(found)
                yield found
        try:
            for small in () if packs else choices(self.model.ir, Sizes(*bound_sizes(self.model.ir, Settings()))):
                if small not in seen and max(small.values(), default=0) <= LARGEST:
                    yield small
        except Exception as error:
            del error

    def _holds(self, sizes: Mapping[Unknown, int]) -> bool:
        known = {**dict(self.model.ir.bindings), **sizes}
        conditions = (*self.model.ir.definition.conditions, *self.model.ir.conditions)
        return all(condition.at(known) for condition in conditions)

    def settle(self, rng: random.Random, count: int = 1) -> None:
        """Find sizes, inputs and weights at which all is finite and nothing depends on a rounding. Raises `Unfit`."""
        problem = "no sizes"
        for number, sizes in enumerate(self.choices(rng)):
            if number == 3:
                break
            self.sizes = sizes
            for attempt in range(TRIES):
                self._draw(rng, attempt)
                try:
                    self.proper()
                    return
                except (Unfit, Unmet) as error:
                    problem = str(error)
                except Improper as error:
                    problem = f"{error} is not finite"
                    if self._moved():
                        return
        raise Unfit(problem)

    def _moved(self) -> bool:
        """Whether inputs nearby do."""
        from generated.search import moved

        if not moved(self):
            return False
        try:
            self.proper()
        except (Unfit, Unmet, Improper):
            return False
        return True

    def proper(self) -> None:
        """Raise where a value is not finite, or where rounding decides or drowns a result."""
        _, world, _ = self.reference(strict=True)
        if any(d.tied and d.derived for d in world.decisions or ()):
            raise Unfit("a derivative at a kink")
        if any(d.tied and d.what in OPEN for d in world.decisions or ()):
            raise Unfit("equal numbers whose order is open")
        run = self.measured(UNIT["f64"], times=1)
        for spread, y in zip(run.spread, run.numbers, strict=True):
            if y.dtype.kind in "fc" and y.size and spread > 1e-12 * max(scale(y), 1e-30) and not self.program.low:
                raise Unfit("rounding drowns a result")
            if y.dtype.kind in "fc" and scale(y) > 1e25:
                raise Unfit("a result is too large")

    def _draw(self, rng: random.Random, attempt: int) -> None:
        numbers = np.random.default_rng(rng.randrange(1 << 30))
        kinds = ("normal", "offset", "scaled", "whole", "small", "normal", "small", "tiny")
        kind = (
            rng.choice(("normal", "normal", "offset", "scaled", "whole", "small"))
            if attempt == 0
            else kinds[attempt % 8]
        )
        known = {**dict(self.model.ir.bindings), **self.sizes}
        self.inputs = []
        for value, optional in zip(
            self.model.ir.definition.graph.inputs, self.model.ir.definition.optional, strict=True
        ):
            if optional and (value.hint or value.name) not in self.program.optional:
                self.inputs.append(None)
            else:
                self.inputs.append(drawn(value.type, known, kind, numbers, self.program.packs))
        self.weights = {path: weight(path, slot, numbers, kind) for path, slot in self.slots.items()}


def drawn(
    type: TensorType,
    sizes: Mapping[Unknown, int],
    kind: str,
    rng: np.random.Generator,
    packs: Mapping[str, tuple[int, ...]],
) -> Numbers:
    """Numbers of a type: around 0, far from it, large, whole, small."""
    shape = shape_of(type, sizes, packs)
    if type.elem == "bool":
        return np.asarray(rng.random(shape) < 0.5)
    if type.elem in ("int", "i32", "i64"):
        return np.asarray(rng.integers(0, 5, shape).astype(dtype_of(type.elem)))
    if type.elem == "complex":
        return np.asarray(_floats(shape, kind, rng) + 1j * _floats(shape, kind, rng))
    return _floats(shape, kind, rng)


def _floats(shape: tuple[int, ...], kind: str, rng: np.random.Generator) -> Numbers:
    x = rng.standard_normal(shape)
    made = {
        "normal": x, "offset": x + rng.choice((-40.0, 100.0, 300.0)), "scaled": x * rng.choice((20.0, 300.0)),
        "whole": np.round(2 * x), "small": 0.4 * x, "tiny": 0.01 * x,
    }[kind]  # fmt: skip
    return np.asarray(made, np.float64)


def weight(path: str, slot: WeightSlot, rng: np.random.Generator, kind: str) -> Numbers:
    """Numbers of a weight, of which none is 0; variances are positive."""
    if slot.elem in ("int", "i32", "i64"):
        return np.asarray(rng.integers(0, 3, slot.shape))
    x = rng.standard_normal(slot.shape) * (0.3 if kind in ("small", "tiny", "offset") else 0.7)
    return np.asarray(np.abs(x) + 0.3 if "var" in path.rpartition(".")[2] else x + np.sign(x) * 0.05)


def scale(y: Numbers) -> float:
    """The largest finite number."""
    return float(np.abs(np.where(np.isfinite(y), y, 0)).max(initial=0.0))


def _farthest(a: Numbers, b: Numbers) -> float:
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        return float(np.nan_to_num(np.where(same, 0.0, np.abs(a - b)), nan=np.inf).max(initial=0.0))


def forget() -> None:
    """Drop the modules of programs that are done with."""
    for name in [name for name in sys.modules if name.startswith("ogive_model_")]:
        del sys.modules[name]
    import linecache

    linecache.clearcache()


def flat(made: Any) -> list[torch.Tensor]:
    """The tensors that a module gave."""
    if isinstance(made, torch.Tensor):
        return [made]
    return [tensor for each in made if each is not None for tensor in flat(each)]


def array(tensor: torch.Tensor) -> Numbers:
    found: Numbers = tensor.detach().resolve_conj().resolve_neg().numpy()
    return found


__all__ = ["Inputs", "Run", "Sequence", "Subject", "Unfit", "array", "flat", "forget", "scale"]
