"""What the declarations say of operations, for the reference: complete, and its examples check and run in torch."""

from __future__ import annotations

import re

import pytest
import torch

import ogive
from ogive.compiler.ir.types import FLOATS, INTS
from ogive.compiler.ops import OPS
from ogive.compiler.ops.spec import OpSpec
from ogive.reference.operations import gradient


def example(spec: OpSpec) -> str:
    """The block of an example, as a user would write it."""
    return f"block example{spec.told.header}:\n    return {spec.told.use}\n"


@pytest.mark.parametrize("spec", OPS.values(), ids=lambda spec: spec.name)
def test_is_told(spec: OpSpec) -> None:
    told = spec.told
    assert re.fullmatch(r"\S.*\S", told.means), told.means
    assert told.means.endswith(".") or ":" in told.means or "arXiv" in told.means, told.means
    operands = {part.strip().strip("*?") for part in spec.inputs.split(",") if part.strip()}
    assert operands == set(re.findall(r"(\w+):", told.types.partition("->")[0])), (
        "the operands have the names of `inputs`"
    )
    for name in re.findall(r"\w+", spec.inputs):
        optional = bool(re.search(rf"\b{name}\?", spec.inputs))
        assert bool(re.search(rf"\b{name}: [^:]*\]\?", told.types)) == optional, name
    assert "example" in ogive.source(example(spec)).blocks


@pytest.mark.parametrize("spec", OPS.values(), ids=lambda spec: spec.name)
def test_example_has_in_torch_the_shape_that_its_header_says(spec: OpSpec) -> None:
    model = ogive.source(example(spec))["example"]
    axes = re.compile(r"(\w*)\[([^]]*)\]")
    head, _, result = spec.told.header.partition("\n")[0].partition(" -> ")
    given = []
    for elem, terms in axes.findall(head):
        given.append(_drawn(elem, _shape(terms)))
    found = model.torch()(*given)
    wanted = [(elem or "float", _shape(terms)) for elem, terms in axes.findall(result)]
    for value, (elem, size) in zip(found if isinstance(found, tuple) else (found,), wanted, strict=True):
        assert tuple(value.shape) == size
        kinds = {"float": FLOATS, "int": INTS}.get(elem, (elem,))
        assert {torch.float32: "float", torch.int64: "int", torch.bool: "bool", torch.complex64: "complex"}[
            value.dtype
        ] in kinds


SIZES = {"b": 2, "c": 4, "g": 3, "d": 5, "h": 6, "w": 7, "i": 3, "j": 4, "k": 2, "m": 5, "n": 4, "e": 3, "v": 11}


def _shape(text: str) -> tuple[int, ...]:
    return tuple(int(eval(term, {}, dict(SIZES))) for term in text.split(",") if term.strip())


def _drawn(elem: str, shape: tuple[int, ...]) -> torch.Tensor:
    """An operand: matrices are positive definite, indices lie in every axis of the example."""
    if elem == "int":
        return torch.randint(0, 2, shape)
    if elem == "bool":
        return torch.rand(shape) < 0.5
    if elem == "complex":
        return torch.randn(shape, dtype=torch.complex64)
    if len(shape) > 2 and shape[-1] == shape[-2]:
        return torch.eye(shape[-1]) + 0.1 * torch.rand((*shape[:-2], 1, 1))
    return torch.rand(shape) + 0.5


@pytest.mark.parametrize("spec", [spec for spec in OPS.values() if spec.inputs], ids=lambda spec: spec.name)
def test_gradients_flow_where_the_reference_says(spec: OpSpec) -> None:
    head = spec.told.header.partition(" -> ")[0]
    operands = re.findall(r"(\w+): (\w*)\[([^]]*)\]", head)
    given = [_drawn(elem, _shape(terms)) for _, elem, terms in operands]
    for value in given:
        value.requires_grad_(value.is_floating_point() or value.is_complex())
    results = ogive.source(example(spec))["example"].torch()(*given)
    flowing = [y for y in (results if isinstance(results, tuple) else (results,)) if y.grad_fn is not None]
    if flowing:
        sum((y.abs() * torch.rand(y.shape)).sum() for y in flowing).backward()
    said = gradient(spec).partition(";")[0]
    names = [name for name, _ in re.findall(r"(\w+): (\w*)\[", spec.told.types.partition(" -> ")[0])]
    places = [names.index(name) for name in re.findall(r"`(\w+)`", said) if name in names and said.startswith("in ")]
    if spec.inputs.startswith("*"):
        places = list(range(len(given)))
    if spec.name == "grad_as":
        places = [1]
    if spec.name == "select":  # its example gives a number as the last operand
        places = [1]
    for place, value in enumerate(given):
        moved = value.grad is not None and bool((value.grad != 0).any())
        assert moved == (place in places and value.requires_grad), (operands[place][0], said)
