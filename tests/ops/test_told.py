"""What the declarations say of operations, for the reference: complete, and its examples check and run in torch."""

from __future__ import annotations

import re

import pytest
import torch

import ogive
from ogive.compiler.ir.types import FLOATS, INTS
from ogive.compiler.ops import OPS
from ogive.compiler.ops.spec import OpSpec


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
    sizes = {"b": 2, "c": 4, "d": 5, "h": 6, "w": 7, "i": 3, "j": 4, "k": 2, "m": 5, "n": 4, "e": 3, "v": 11}

    def shape(text: str) -> tuple[int, ...]:
        return tuple(int(eval(term, {}, dict(sizes))) for term in text.split(",") if term.strip())

    head, _, result = spec.told.header.partition("\n")[0].partition(" -> ")
    given = []
    for elem, terms in axes.findall(head):
        given.append(_drawn(elem, shape(terms)))
    found = model.torch()(*given)
    wanted = [(elem or "float", shape(terms)) for elem, terms in axes.findall(result)]
    for value, (elem, size) in zip(found if isinstance(found, tuple) else (found,), wanted, strict=True):
        assert tuple(value.shape) == size
        kinds = {"float": FLOATS, "int": INTS}.get(elem, (elem,))
        assert {torch.float32: "float", torch.int64: "int", torch.bool: "bool", torch.complex64: "complex"}[
            value.dtype
        ] in kinds


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
