"""The models on which the backend is tried: the tiny ones of the examples, and those of tests/pytorch/models."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from ogive.compiler.driver.workspace import CheckedProgram, check_text
from ogive.compiler.ir.model import Definition, Model
from ogive.compiler.passes.infra.driver import optimized

ROOT = Path(__file__).parents[2]
FILES = (*sorted((ROOT / "examples").glob("*.arch")), *sorted((ROOT / "tests/pytorch/models").glob("*.arch")))
SIZES = {"b": 2, "n": 8, "h": 8, "w": 8}


@cache
def names() -> list[str]:
    """`file:Model`, one tiny model of each example and all of the tests' own; nothing is checked yet."""
    found = []
    for path in FILES:
        models = re.findall(r"^model (\S+)", path.read_text(encoding="utf-8"), re.M)
        found += [f"{path.stem}:{name}" for name in models if path.parent.name == "models" or name == "Tiny"]
    return found


def naming(word: str) -> list[str]:
    """Those whose file has a text in it."""
    return [name for name in names() if word in _path(name).read_text(encoding="utf-8")]


def model(name: str) -> Model:
    """A model by `file:Model`."""
    path = _path(name)
    found = _checked(path).models[name.partition(":")[2]].ir
    assert found is not None
    return found


def _path(name: str) -> Path:
    return next(path for path in FILES if path.stem == name.partition(":")[0])


@cache
def _checked(path: Path) -> CheckedProgram:
    program = check_text(path.read_text(encoding="utf-8"), str(path))
    assert program.ok, (path, program.diagnostics)
    return program


def inputs(of: Model, dtype: torch.dtype = torch.float32, *, batch: int = 2) -> tuple[Tensor, ...]:
    """Random inputs that meet the conditions of the model; optional ones are left out."""
    known = dict(of.bindings)
    unknowns = {u for value in of.definition.graph.inputs for axis in value.type.axes for u in axis.size.unknowns}
    free = sorted(unknowns - set(known), key=lambda u: u.serial)
    values = known | {u: batch if u.name == "b" else SIZES.get(u.name, 4) for u in free}
    for scale in range(1, 17):
        tried = values | {u: values[u] * (1 if u.name.startswith("b") else scale) for u in free}
        if all(condition.at(tried) for condition in of.conditions if condition.unknowns <= set(tried)):
            values = tried
            break
    found = []
    for value, optional in zip(of.definition.graph.inputs, of.definition.optional, strict=True):
        shape = [2 if axis.pack is not None else axis.size.at(values) for axis in value.type.axes]
        if value.type.elem == "int":
            found.append(torch.randint(0, 4, shape))
        elif value.type.elem == "bool":
            found.append(torch.rand(shape) < 0.8)
        else:
            found.append(torch.randn(shape, dtype=dtype))
        if optional:
            found.pop()
    return tuple(found)


def without_layers(of: Model) -> Model:
    """The model with no block recognized as a layer of torch."""

    def renamed(definition: Definition) -> Definition:
        return replace(definition, block=f"own.{definition.block}", name=definition.name)

    return optimized(of, (renamed,))
