"""Mutants beside functions: rows of tables in each other's place, and the text of helpers of emitted files."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mutants.live import Unfit
from mutants.sites import Mutant, mutants, mutated, source

TABLES = frozenset(
    ("LOWER", "RULES", "OWN", "KINDS", "STRUCTURE", "COMPLEX", "ROWS", "FUNCTIONS", "METHODS", "REGIONS", "SPELLED")
)
ROW = "row_exchanged"


def rows(path: str) -> Iterator[Mutant]:
    """A row of a table does what the next one does."""
    for node in ast.parse(source(path)).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if not isinstance(target, ast.Name) or target.id not in TABLES:
            continue
        for table in (each for each in ast.walk(node) if isinstance(each, ast.Dict)):
            pairs = [(str(key.value), ast.dump(value)) for key, value in zip(table.keys, table.values, strict=True)
                     if isinstance(key, ast.Constant) and isinstance(key.value, str)]  # fmt: skip
            for at, ((key, value), (after, other)) in enumerate(zip(pairs, pairs[1:] + pairs[:1], strict=True)):
                if value != other:
                    yield Mutant(path, target.id, node.lineno, ROW, key, after, 1, (at, 0))


def exchange(mutant: Mutant) -> None:
    """In every table that holds both rows: so merged tables change with those that they were made of."""
    folder = mutant.path.rpartition("/")[0]
    there = False
    for table in [each for each in gc.get_objects() if type(each) is dict and mutant.before in each]:
        value, other = table[mutant.before], table.get(mutant.after)
        if value is not other and _made_in(value, folder) and callable(other):
            table[mutant.before] = other
            there = True
    if not there:
        raise Unfit("no table holds the row")


def _made_in(value: Any, folder: str) -> bool:
    file = getattr(getattr(value, "__code__", None), "co_filename", "")
    return str(file).rpartition("/")[0].endswith(folder)


def helpers() -> Iterator[Mutant]:
    """The mutants of each helper of emitted files."""
    from ogive.backends.pytorch.ops.helpers import HELPERS

    for name, helper in HELPERS.items():
        for mutant in mutants("backends/pytorch/ops/helpers.py", helper.text):
            yield replace(mutant, function=f"{name}/{mutant.function}")


def rewrite(mutant: Mutant) -> None:
    """Change the text of a helper."""
    from ogive.backends.python_text.statements import fixed
    from ogive.backends.pytorch.ops.helpers import HELPERS

    name = mutant.function.partition("/")[0]
    text = ast.unparse(mutated(mutant, HELPERS[name].text))
    HELPERS[name] = fixed(f"\n{text}\n", " ".join(HELPERS[name].defines), " ".join(HELPERS[name].reads))
