"""Proofs against numbers: symbolic sizes are the shapes that torch computes; conditions are neither more nor less."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ogive
from check.random_programs import RandomProgram, programs
from ogive.compiler.driver.workspace import CheckedProgram, check_text
from ogive.compiler.sizes import Unknown
from ogive.mend import mend

SIZES = st.fixed_dictionaries({"b": st.integers(1, 2), "h": st.integers(1, 24), "k": st.integers(1, 24)})
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def mended(program: RandomProgram) -> tuple[str, CheckedProgram]:
    """The program with what helps say added to it."""
    done = mend(program.text, check_text, contracts=True)
    return done.text, done.program


def shapes(program: CheckedProgram, sizes: dict[str, int]) -> tuple[bool, list[tuple[int, ...]]]:
    """Whether the conditions of the model hold at these sizes, and the shapes of its outputs there."""
    definition = program.models["M"].ir.definition
    values: dict[Unknown, int] = {unknown: sizes[unknown.name] for unknown in definition.sizes}
    holds = all(condition.at(values) for condition in program.models["M"].ir.conditions)
    types = [definition.graph.values[name].type for name in definition.graph.outputs if isinstance(name, str)]
    return holds, [tuple(axis.size.at(values) for axis in type.axes) for type in types] if holds else []


@MANY
@given(programs())
def test_a_help_that_is_applied_removes_its_error(program: RandomProgram) -> None:
    _, found = mended(program)
    left = [(d.code, d.help) for d in found.diagnostics if d.severity == "error" and d.edits]
    assert not left


@MANY
@given(programs(), st.lists(SIZES, min_size=12, max_size=12))
def test_conditions_are_exact(program: RandomProgram, many: list[dict[str, int]]) -> None:
    text, found = mended(program)
    if not found.ok:
        return
    for sizes in many:
        holds, expected = shapes(found, sizes)
        try:
            actual = program.run(**sizes)
        except (RuntimeError, AssertionError, ValueError):
            actual = None
        assert holds == (actual is not None), f"{text}\nat {sizes}: {actual}"
        assert not holds or actual == expected, f"{text}\nat {sizes}"


@settings(MANY, max_examples=15)
@given(programs(), st.lists(SIZES, min_size=4, max_size=4))
def test_the_emitted_module_has_these_shapes(program: RandomProgram, many: list[dict[str, int]]) -> None:
    text, found = mended(program)
    if not found.ok:
        return
    net = ogive.source(text).models["M"].torch()
    for sizes in many:
        holds, expected = shapes(found, sizes)
        x = torch.randn(sizes["b"], program.channels, sizes["h"])
        y = torch.randn(sizes["b"], program.channels, sizes["k"])
        if not holds:
            with pytest.raises((ValueError, RuntimeError)):
                net(x, y)
            continue
        given_back = net(x, y)
        outputs = [given_back] if isinstance(given_back, torch.Tensor) else list(given_back)
        assert [tuple(value.shape) for value in outputs] == expected
