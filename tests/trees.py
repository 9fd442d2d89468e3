"""The modules of this repository as syntax trees, read once for all tests of the house."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


@cache
def ours() -> dict[str, ast.Module]:
    """The modules of the package, by path."""
    return _trees("grammar", "compiler", "backends", "src/ogive")


@cache
def everything() -> dict[str, ast.Module]:
    """These, and what uses them here."""
    return ours() | _trees("tests", "docs", "bench")


@cache
def imported(path: str) -> frozenset[tuple[str, str]]:
    """What a module imports by name: (module without `ogive.`, name)."""
    return frozenset(
        (node.module.removeprefix("ogive."), each.name)
        for node in ast.walk(everything()[path])
        if isinstance(node, ast.ImportFrom) and node.module
        for each in node.names
    )


def _trees(*folders: str) -> dict[str, ast.Module]:
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not any(parent.is_symlink() for parent in (path, *path.parents))
    }
