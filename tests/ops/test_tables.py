"""The tables of operations are complete."""

from __future__ import annotations

import subprocess
import sys

from ogive.backends.pytorch.ops.table import LOWER
from ogive.compiler.ops import FAMILIES, OPS


def test_every_operation_is_lowered_and_nothing_else() -> None:
    assert OPS.keys() == LOWER.keys()


def test_no_name_is_declared_twice() -> None:
    assert sum(map(len, FAMILIES)) == len(OPS)


def test_operations_say_what_they_are() -> None:
    for spec in OPS.values():
        assert spec.formula, spec.name
        names = [static.name for static in spec.statics]
        assert len(set(names)) == len(names), spec.name
        inputs = [name.strip() for name in spec.inputs.split(",") if name.strip()]
        count = 2 if spec.inputs.startswith("*") else len(inputs)
        assert all(operand < count for operand in spec.linear), spec.name


def test_declarations_need_no_framework() -> None:
    probe = "import sys, ogive.compiler.ops; print(*{'torch', 'sympy', 'numpy'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, env={"PYTHONPATH": "src"}
    )
    assert not result.stdout.strip()
