"""Blocks that do not type-check are drawn as far as they are understood, the fault marked."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from diagram.geometry_checks import faults
from ogive.backends.diagram.from_ir.invariants import violations
from ogive.backends.diagram.wrong import broken_diagrams
from ogive.cli import cli
from ogive.compiler.driver.workspace import check_text

BROKEN = {
    "sizes": "use std.nn (Linear)\nblock A[d](x: [b, d]) -> [b, d]:\n    z = x |> Linear[d, 2*d]\n    return x + z",
    "name": "block A(x: [b, d]) -> [b, d]:\n    return x |> relu |> nothing_of_that_name",
    "first": "block A(x: [b, d]) -> [b, d]:\n    return einsum['b d, e f -> b f'](x)",
    "loop": "block A(x: [b, d]) -> [b, d]:\n    repeat 3:\n        x = sum[-1](x)\n    return x",
    "two": "block A(x: [b, d]) -> [b, d]:\n    y = x + ones[7]\n    z = x |> gone\n    return relu(x)",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_faulty_block_is_drawn_with_its_fault(text: str) -> None:
    program = check_text("ogive 1\n" + text)
    assert not program.ok
    (made,) = broken_diagrams(program, None).values()
    marked = [op for op in made.figure.walk() if op.wrong]
    assert marked
    assert {op.wrong.split()[0] for op in marked} <= {d.code for d in program.diagnostics}
    assert violations(made.figure) == []
    assert faults(made.drawing) == []
    assert "wrong" in made.text("svg")


def test_a_block_that_calls_a_faulty_one_is_drawn_with_that_call_marked() -> None:
    text = f"ogive 1\n{BROKEN['sizes']}\n\nblock B[d](x: [b, d]) -> [b, d]:\n    return x |> A as inner\n"
    made = broken_diagrams(check_text(text + "\nmodel M = B[d=3]\n"), None)
    assert list(made) == ["A", "B"]
    assert "✗ inner" in [op.text for op in made["B"].figure.walk()]
    assert violations(made["B"].figure) == []
    for name in made:
        assert made[name].text("html")


def test_a_model_that_an_error_elsewhere_takes_away_is_not_said_to_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "net.arch"
    path.write_text(f"{BROKEN['sizes']}\n\nmodel M = A[d=3]\n")
    result = CliRunner().invoke(cli, ["draw", f"{path}:M"])
    assert result.exit_code == 1
    assert "has errors: `M` is not understood" in result.output
    assert "error[E0301]" in result.output


def test_the_wires_that_disagree_are_marked() -> None:
    (made,) = broken_diagrams(check_text("ogive 1\n" + BROKEN["sizes"]), "A").values()
    wrong = [t for b in made.figure.sections[0].boundaries for t in b if t.wrong]
    assert {slot.label for tensor in wrong for slot in tensor.slots} == {"b", "d", "2d"}


def test_the_code_of_an_error_is_no_formula() -> None:
    (made,) = broken_diagrams(check_text("ogive 1\n" + BROKEN["sizes"]), "A").values()
    assert ">E0301<" in made.text("svg").replace(" E0301", ">E0301")


def test_a_sound_program_has_no_faulty_blocks() -> None:
    assert broken_diagrams(check_text("ogive 1\nblock A(x: [b]) -> [b]:\n    return relu(x)"), None) == {}
