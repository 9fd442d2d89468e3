"""Proofs against numbers: symbolic sizes are the shapes that torch computes; conditions are neither more nor less."""

from __future__ import annotations

import re
from collections.abc import Callable

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


SMALL = [{"b": 2, "h": h, "k": k} for h in range(1, 9) for k in range(1, 9)]


def outcome(run: Callable[[], list[tuple[int, ...]]]) -> list[tuple[int, ...]] | None:
    """The shapes that are computed; None where it fails."""
    try:
        return run()
    except (RuntimeError, AssertionError, ValueError, IndexError):
        return None


@settings(MANY, max_examples=15)
@given(programs())
def test_all_small_sizes(program: RandomProgram) -> None:
    """Every assignment that the conditions admit has the declared shapes, and every other one fails."""
    text, found = mended(program)
    if not found.ok:
        return
    for sizes in SMALL:
        holds, expected = shapes(found, sizes)
        actual = outcome(lambda: program.run(**sizes))  # noqa: B023
        assert holds == (actual is not None), f"{text}\nat {sizes}: {actual}"
        assert not holds or actual == expected, f"{text}\nat {sizes}"


@pytest.mark.slow
@settings(MANY, max_examples=20)
@given(programs())
def test_what_conditions_forbid_fails_without_checks(program: RandomProgram) -> None:
    """The module without checks runs where they hold, and fails where torch does."""
    text, found = mended(program)
    if not found.ok:
        return
    net = ogive.source(text).models["M"].torch(checks=False)
    definition = found.models["M"].ir.definition
    types = [definition.graph.values[name].type for name in definition.graph.outputs if isinstance(name, str)]
    for sizes in SMALL[::7]:
        values = {unknown: sizes[unknown.name] for unknown in definition.sizes}
        x, y = (torch.randn(sizes["b"], program.channels, sizes[name]) for name in ("h", "k"))

        def run() -> list[tuple[int, ...]]:
            made = net(x, y)  # noqa: B023
            return [tuple(value.shape) for value in ([made] if isinstance(made, torch.Tensor) else made)]

        declared = [tuple(axis.size.at(values) for axis in type.axes) for type in types]
        if shapes(found, sizes)[0]:
            assert run() == declared, f"{text}\nat {sizes}"
        elif refused_by_torch(program, sizes):
            assert outcome(run) != declared, f"{text}\nat {sizes}"


def refused_by_torch(program: RandomProgram, sizes: dict[str, int]) -> bool:
    """Not only by us, who broadcast no size of 1 and cut off no more than there is."""
    try:
        program.run(**sizes)
    except AssertionError:
        return False
    except (RuntimeError, ValueError):
        return True
    return False


def told(text: str) -> list[dict[str, int]]:
    """`h = 2, k = 1; h = 3` as sizes."""
    return [{name: int(number) for name, number in re.findall(r"([\w']+) = (\d+)", each)} for each in text.split(";")]


@settings(MANY, max_examples=30)
@given(programs())
def test_counterexamples_fail_and_sizes_nearby_hold(program: RandomProgram) -> None:
    errors = [d for d in check_text(program.text).diagnostics if d.severity == "error"]
    for each in errors:
        notes = dict(detail.split(": ", 1) for detail in each.details if ": " in detail)
        if "smallest counterexample" not in notes:
            continue
        (wrong,) = told(notes["smallest counterexample"])
        if not wrong.keys() <= {"b", "h", "k"}:
            continue
        for sizes in ({**base, **wrong} for base in SMALL[::9]):
            assert outcome(lambda: program.run(**sizes)) is None, f"{program.text}\n{each.message}\nat {sizes}"  # noqa: B023
        if len(errors) > 1 or "sizes nearby that fit" not in notes:
            continue
        for near in told(notes["sizes nearby that fit"]):
            # sizes that the note does not name may have conditions of their own
            found = (outcome(lambda: program.run(**{**base, **wrong, **near})) for base in reversed(SMALL))  # noqa: B023
            assert any(one is not None for one in found), f"{program.text}\n{each.message}\nnear {near}"
