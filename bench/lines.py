"""How long the examples of papers are beside plain readings of their formulas: `python -m bench.lines` from the root.

Counted are lines that are neither blank nor comment nor docstring, of files in the one style of their language at 100
columns: the whole example, with all its models, against the module in PyTorch that the test of the paper has, with the
same state dict: its classes and functions, one line for each model, and its two imports.
"""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tokenize
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from papers.frame import EXAMPLES, done, module_of, program  # noqa: E402

RATIO = (1.2, 0.6)  # the worst that may be, and the median
IMPORTS = 2


@dataclass(frozen=True, slots=True)
class Lines:
    """Of an example and of its plain reading."""

    ours: int
    plain: int

    @property
    def ratio(self) -> float:
        return self.ours / self.plain


def example(slug: str) -> int:
    """Lines of a program that are neither blank nor comment."""
    lines = (EXAMPLES / f"{slug}.arch").read_text(encoding="utf-8").splitlines()
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in lines)


@cache
def _formatted(text: str) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--line-length", "100", "--isolated", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def reading(slug: str) -> str:
    """The definitions that the reading of a test consists of: its modules, and what these use."""
    path = ROOT / "tests" / "papers" / f"{module_of(slug)}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    left = [name for name in parts if name.endswith("Reading")]
    found: set[str] = set()
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [n.id for n in ast.walk(parts[name]) if isinstance(n, ast.Name) and n.id in parts]
    return "\n\n".join(ast.unparse(_bare(parts[name])) for name in parts if name in found)


def _bare(node: ast.ClassDef | ast.FunctionDef) -> ast.AST:
    """Without docstrings."""
    for each in ast.walk(node):
        if isinstance(each, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(each) and len(each.body) > 1:
            each.body = each.body[1:]
    return node


def plain(slug: str) -> int:
    """Lines of the reading, formatted."""
    text = _formatted(reading(slug))
    kept = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(kept) + IMPORTS + len(program(slug).models)


@cache
def counted(slug: str) -> Lines:
    """Both numbers of a row."""
    return Lines(example(slug), plain(slug))


def ratios() -> dict[str, Lines]:
    """Of all rows that are done, in the order of the index."""
    return {slug: counted(slug) for slug in done()}


def main() -> int:
    """Print them; the status is 1 where a bound is missed."""
    found = ratios()
    for slug, lines in found.items():
        print(f"{slug:<24} {lines.ours:>4} {lines.plain:>4} {lines.ratio:>6.2f}")
    middle = sorted(lines.ratio for lines in found.values())[len(found) // 2]
    print(f"{'median':<24} {middle:>16.2f}")
    worst, median = RATIO
    return int(middle > median or any(lines.ratio > worst for lines in found.values()))


if __name__ == "__main__":
    sys.exit(main())
