"""The Python interface as the reference tells it: signatures and docstrings of what `ogive` exports."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module

import ogive

HEAD = """# The Python interface

What `import ogive` gives, from its docstrings. This page is written by
`pytest --rewrite tests/test_reference_pages.py`.
The package is typed (`py.typed`): mypy and editors know what is below.
"""
MORE = (("ogive.model", "DeployedModel"),)  # what a method gives, and what is not made by its name


def page() -> str:
    """The page of all that is exported."""
    homes = [(ogive._HOMES[name], name) for name in sorted(ogive.__all__, key=_place)]
    return "\n".join([HEAD, *(line for home, name in (*homes, *MORE) for line in _told(home, name))])


def _place(name: str) -> tuple[bool, str]:
    """Functions first, then classes."""
    return name[0].isupper(), name


def _told(home: str, name: str) -> Iterator[str]:
    tree = _tree(home, name)
    if isinstance(tree, ast.ClassDef):
        yield f"## {name}\n\n{_doc(tree)}\n"
        bases = [ast.unparse(base) for base in tree.bases]
        if bases and name != "Block":
            yield f"A kind of `{'` and `'.join(bases)}`.\n"
        for each in tree.body:
            if isinstance(each, ast.FunctionDef) and _shown(each):
                yield _function(each, f"{name}.")
            elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                yield f"- `{name}.{each.target.id}: {ast.unparse(each.annotation)}`\n"
    elif isinstance(tree, ast.FunctionDef):
        yield _function(tree, "ogive.").removeprefix("#")


def _tree(home: str, name: str) -> ast.stmt:
    """The declaration of a name in the text of its module."""
    text = inspect.getsource(import_module(getattr(import_module(home), name).__module__))
    return next(each for each in ast.parse(text).body if getattr(each, "name", None) == name)


def _shown(tree: ast.FunctionDef) -> bool:
    return _doc(tree) != "" and (tree.name == "__call__" or not tree.name.startswith("_"))


def _doc(tree: ast.ClassDef | ast.FunctionDef) -> str:
    return ast.get_docstring(tree) or ""


def _function(tree: ast.FunctionDef, owner: str) -> str:
    """A signature and a docstring."""
    args = ast.unparse(tree.args).removeprefix("self").removeprefix(", ").removeprefix("/, ")
    result = ast.unparse(tree.returns) if tree.returns is not None else "None"
    properties = {getattr(each, "id", "") for each in tree.decorator_list} & {"property", "cached_property"}
    if properties:
        return f"### {owner}{tree.name}\n\n```text\n{owner}{tree.name}: {result}\n```\n\n{_doc(tree)}\n"
    name = "" if tree.name == "__call__" else tree.name
    written = f"{owner}{name}({args})" if name else f"{owner.removesuffix('.')}(...)({args})"
    return f"### {owner}{tree.name}\n\n```text\n{written} -> {result}\n```\n\n{_doc(tree)}\n"
