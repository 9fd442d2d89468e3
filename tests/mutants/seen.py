"""Which functions of the compiler each test runs: modules are compiled with a mark at the head of every function."""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import sys
import time
from collections.abc import Generator, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

import pytest

Functions = frozenset[tuple[str, str, int]]
MARK = "__seen__"
SEEN: set[tuple[str, str, int]] = set()  # what ran since it was cleared


class _Marked(ast.NodeTransformer):
    """Puts a mark at the head of every function, named as code objects are."""

    def __init__(self, file: str) -> None:
        self.file, self.prefix = file, ""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        mark = ast.Expr(self._mark(self.prefix + node.name, first))
        inside = self._below(node, f"{self.prefix}{node.name}.<locals>.")
        assert isinstance(inside, ast.FunctionDef)
        documented = isinstance(inside.body[0], ast.Expr) and isinstance(inside.body[0].value, ast.Constant)
        inside.body.insert(int(documented), ast.copy_location(mark, inside.body[0]))
        return inside

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        mark = self._mark(f"{self.prefix}<lambda>", node.lineno)
        self._below(node, f"{self.prefix}<lambda>.<locals>.")
        both = ast.Tuple([mark, node.body], ast.Load())
        node.body = ast.copy_location(ast.Subscript(both, ast.Constant(1), ast.Load()), node.body)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._below(node, f"{self.prefix}{node.name}.")

    def _below(self, node: ast.AST, prefix: str) -> ast.AST:
        outer, self.prefix = self.prefix, prefix
        self.generic_visit(node)
        self.prefix = outer
        return node

    def _mark(self, name: str, line: int) -> ast.expr:
        place = ast.Tuple([ast.Constant(self.file), ast.Constant(name), ast.Constant(line)], ast.Load())
        return ast.Call(ast.Name(MARK, ast.Load()), [place], [])


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree = _Marked(path).visit(ast.parse(self.get_data(path)))
        return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__[MARK] = SEEN.add
        super().exec_module(module)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not name.startswith(("ogive.compiler", "ogive.backends")):
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class Recorder:
    """A plugin of pytest: how long each test took, and what ran; fixtures of a module count for all of its tests."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[float, Functions]] = {}
        self.shared: dict[str, set[tuple[str, str, int]]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        SEEN.clear()
        result = yield
        self.shared.setdefault(item.nodeid.split("::")[0], set()).update(SEEN)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        SEEN.clear()
        start = time.process_time()
        result = yield
        self.found[item.nodeid] = (time.process_time() - start, frozenset(SEEN))
        return result

    def tests(self) -> dict[str, tuple[float, Functions]]:
        """By test, its seconds and the functions that it runs."""
        return {
            name: (seconds, ran | self.shared.get(name.split("::")[0], set()))
            for name, (seconds, ran) in self.found.items()
        }


def recorded(args: Sequence[str]) -> dict[str, tuple[float, Functions]]:
    """Run tests in this process, which must not have imported the compiler yet."""
    assert not any(name.startswith("ogive.compiler") for name in sys.modules)
    sys.meta_path.insert(0, _Finder())
    recorder = Recorder()
    pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:randomly", *args], plugins=[recorder])
    return recorder.tests()
