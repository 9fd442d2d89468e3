"""Models under `torch.export` with every size of their inputs free."""

from __future__ import annotations

import random
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ogive.api import Model
from ogive.backends.onnx_model.export import Settings, bound_sizes
from ogive.backends.onnx_model.lower.specialize import Sizes
from ogive.backends.onnx_model.verify import inputs
from ogive.compiler.sizes import Unknown
from ogive.compiler.sizes.facts import Facts
from ogive.compiler.sizes.sample import samples

TRIED = 3000  # choices of sizes that are looked through
SMALL, LARGE = range(2, 12), (17, 24, 32, 40, 48, 56, 64, 72, 80, 96)


def choices(model: Model, count: int = 3) -> list[dict[Unknown, int]]:
    """Sizes that meet the conditions, so large that halves of halves are not 1; no two equal, all others each time."""
    sizes = Sizes(*bound_sizes(model.ir, Settings()))
    conditions = [c.subs(sizes.unknowns) for c in (*model.ir.definition.conditions, *model.ir.conditions)]
    open_ = sorted({u for value in sizes.unknowns.values() for u in value.unknowns}, key=lambda u: u.serial)
    if not open_:
        return [{}]
    kept: list[dict[Unknown, int]] = []
    for small in (False, True):
        draw = random.Random(0)
        for _ in range(TRIED):
            at = {u: draw.choice(SMALL if small or u.name in ("b", "m", "t") else LARGE) for u in open_}
            differ = len(set(at.values())) == len(at) and all(at[u] != other[u] for other in kept for u in at)
            if differ and all(condition.at(at) for condition in conditions):
                kept.append(at)
            if len(kept) == count:
                return kept
    found = islice(samples(Facts.of(conditions).cases, conditions, set(open_)), TRIED)
    return kept or sorted(found, key=lambda at: sum(n < 2 for n in at.values()))[:1]


def given(model: Model, at: dict[Unknown, int]) -> list[Tensor]:
    """Inputs at these sizes; optional ones are left out."""
    sizes, generator = Sizes(*bound_sizes(model.ir, Settings())), torch.Generator().manual_seed(0)
    return [x for x in inputs(model.ir, sizes, at, "centred", generator) if x is not None]


def exported(net: nn.Module, xs: list[Tensor]) -> ExportedProgram:
    """The program, with no size fixed by us."""
    free = [dict.fromkeys(range(x.dim()), Dim.AUTO) for x in xs]
    return torch.export.export(net, tuple(xs), dynamic_shapes=tuple(free))


def fixed(model: Model, program: ExportedProgram) -> set[str]:
    """The sizes of the model that the program holds as numbers."""
    names = program.graph_signature.user_inputs
    holders = {node.name: node.meta["val"] for node in program.graph.nodes if node.op == "placeholder"}
    values = [value for value in model.ir.definition.graph.inputs]
    found: set[str] = set()
    known = {unknown for unknown, _ in model.ir.bindings}
    for name, value in zip(names, values, strict=False):
        held: Any = holders[str(name)]
        for axis, size in zip(value.type.axes, held.shape, strict=False):
            if isinstance(size, int) and not axis.size.unknowns <= known:
                found.add(str(axis.size))
    return found
