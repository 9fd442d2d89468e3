"""A mutant in the process at hand: the code of functions that exist already is replaced, wherever they are kept."""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType

from mutants.sites import ROOT, Mutant, mutated

Place = tuple[str, str, int]  # file, qualified name, first line


class Unfit(Exception):
    """A change that makes no difference to the code, or that the function cannot take."""


def functions() -> dict[Place, list[FunctionType]]:
    """The functions of the process by their places, those that stand in tables and closures too."""
    found: dict[Place, list[FunctionType]] = {}
    for each in gc.get_objects():
        if type(each) is FunctionType and "/ogive/" in each.__code__.co_filename:
            found.setdefault(_place(each.__code__), []).append(each)
    return found


def install(mutant: Mutant, known: dict[Place, list[FunctionType]]) -> None:
    """Change the process. Raises `Unfit`."""
    file = str(ROOT / "src" / "ogive" / mutant.path)
    module = next((each for each in sys.modules.values() if getattr(each, "__file__", None) == file), None)
    if module is None:
        raise Unfit(f"{mutant.path} is not imported")
    old = {_place(code): code for code in _codes(compile(ast.parse(_text(file)), file, "exec", dont_inherit=True))}
    new = {_place(code): code for code in _codes(compile(mutated(mutant), file, "exec", dont_inherit=True))}
    changed = [place for place, code in new.items() if place in old and place[1] != "<module>" and code != old[place]]
    there = False
    for place in changed:
        for function in known.get(place, ()):
            if len(function.__code__.co_freevars) != len(new[place].co_freevars):
                raise Unfit("other free variables")
            function.__code__ = new[place]
            there = True
    if not there:
        raise Unfit("the same code")


def _text(file: str) -> str:
    with open(file, encoding="utf-8") as stream:
        return stream.read()


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _codes(const)


def _place(code: CodeType) -> Place:
    return code.co_filename, code.co_qualname, code.co_firstlineno
