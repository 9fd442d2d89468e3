"""The texts that emitted files hold as they are, and that nothing else is text before it is written."""

from __future__ import annotations

import ast
import builtins
import subprocess
import symtable
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from generated.program import program
from generated.text import program_text
from ogive.backends.python_text.names import identifier
from ogive.backends.python_text.statements import in_order
from ogive.backends.pytorch.module.file import NAMED, PLACES, emit
from ogive.backends.pytorch.module.replay import REPLAY
from ogive.backends.pytorch.ops.helpers import HELPERS
from ogive.compiler.driver.workspace import check_text

ROOT = Path(__file__).parents[2]
FIXED = {**HELPERS, **PLACES, **REPLAY, "named Group": NAMED["Group"]}


def _reads(table: symtable.SymbolTable) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global()):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _reads(child)


def _annotated(tree: ast.AST) -> Iterator[str]:
    """Names in annotations, which the tables of Python leave out where these are not evaluated."""
    for node in ast.walk(tree):
        kinds = [getattr(node, field, None) for field in ("annotation", "returns")]
        for kind in kinds:
            yield from (name.id for name in ast.walk(kind) if isinstance(name, ast.Name)) if kind else ()


@pytest.mark.parametrize("name", FIXED)
def test_a_fixed_text_says_what_it_defines_and_reads(name: str) -> None:
    made = FIXED[name]
    table = symtable.symtable(made.text, name, "exec")
    defined = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned()}
    read = {*_reads(table), *_annotated(ast.parse(made.text))} - defined
    assert made.defines == defined
    assert made.reads == {each for each in read if not hasattr(builtins, each)}


def test_fixed_texts_are_laid_out_as_ruff_does(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("\n\n\n".join(["import a", *(each.text.strip("\n") for each in FIXED.values())]) + "\n")
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--diff", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _modules() -> list[Path]:
    folders = ("python_text", "pytorch/module", "pytorch/ops", "pytorch/weights")
    return [path for folder in folders for path in sorted((ROOT / "backends" / folder).glob("*.py"))]


@pytest.mark.parametrize("path", _modules(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_text_of_ours_is_parsed_or_searched(path: Path) -> None:
    tree = ast.parse(path.read_text())
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    if path.name != "names.py":  # which makes identifiers of the names of a program
        assert "re" not in imported
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    parsed = [f for f in calls if isinstance(f, ast.Attribute) and f.attr in ("parse", "unparse") and _of_ast(f)]
    assert not parsed


def _of_ast(function: ast.Attribute) -> bool:
    return isinstance(function.value, ast.Name) and function.value.id == "ast"


def test_nodes_are_made_of_names_and_parts() -> None:
    """`Code` takes a node, and only `expr.py`, which makes nodes, and layouts of one name them."""
    for path in _modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Code":
                assert not any(isinstance(arg, ast.JoinedStr | ast.Constant) for arg in node.args), path


def test_a_text_stands_behind_those_that_it_reads() -> None:
    for name in FIXED:
        seen: set[str] = set()
        for each in in_order([name], FIXED):
            others = {other for other in FIXED if other in each.reads and other not in each.defines}
            assert others <= seen, name
            seen |= each.defines


def test_emitted_files_are_laid_out_as_ruff_does(tmp_path: Path) -> None:
    for path in (ROOT / "tests/golden/pytorch").glob("*.txt"):
        (tmp_path / f"{path.stem}.py").write_text(path.read_text())
    for seed in range(12):
        models = check_text(program_text(program(f"layout/{seed}")), "m.arch").models
        for name, model in models.items():
            (tmp_path / f"{seed}_{identifier(name)}.py").write_text(emit(model.ir))
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--diff", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
