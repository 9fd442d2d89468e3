"""A sample of the random programs: the same ones each time, and fresh ones whose seed is printed."""

from __future__ import annotations

import secrets

import pytest
import torch

from generated.coverage import Coverage
from generated.examine import examine
from generated.known import known
from generated.program import PAIRS, program
from generated.text import program_text
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ops import OPS

FIXED = [f"fixed/{number}" for number in range(24)]
FRESH = 12


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def _differences(seeds: list[str]) -> list[str]:
    found = [examine(seed) for seed in seeds]
    return [f"{each.seed}: {each.mark}\n{each.text}" for each in found
            if each.kind in ("differs", "refused") and not known(each.mark)]  # fmt: skip


def test_the_same_programs_each_time() -> None:
    assert _differences(FIXED) == []


def test_fresh_programs() -> None:
    seed = secrets.token_hex(4)
    print(f"python -m tests.generated.run --seed {seed} --count {FRESH}")
    assert _differences([f"{seed}/{number}" for number in range(FRESH)]) == []


def test_a_seed_makes_one_text() -> None:
    assert program_text(program("fixed/0")) == program_text(program("fixed/0"))


def test_programs_check_and_hold_nearly_everything() -> None:
    whole = Coverage()
    pairs = set()
    for number in range(150):
        made = program(f"coverage/{number}")
        checked = check_text(program_text(made))
        errors = [d for d in checked.diagnostics if d.severity == "error"]
        assert not errors or errors[0].code == "E0305" or known(errors[0].code), (made.seed, errors)
        if not errors:
            whole.note(made, checked.models["M"].ir)
        pairs |= made.pairs
    assert sorted(whole.sizes)[len(whole.sizes) // 2] >= 25
    assert len(OPS.keys() - whole.operations.keys()) < 12
    assert len(set(PAIRS) - pairs) < 30
