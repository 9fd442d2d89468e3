"""The grammar for editors, compiled, and its trees beside those of the language's own parser: kinds and spans."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tree_sitter import Language, Node, Parser, Tree

from ogive.compiler.ops.pattern_parse import Operand, PatternTerm
from ogive.compiler.ops.pattern_parse import parse as parse_pattern
from ogive.compiler.ops.spec import ShapeError
from ogive.grammar import syntax as s
from ogive.grammar.parser import parse

FOLDER = Path(__file__).parents[2] / "editors" / "tree-sitter-ogive"
Found = tuple[str, int, int]  # kind, first byte, byte behind

NAMES = {"ListExpr": "list", "SetExpr": "set", "TupleExpr": "tuple", "TypeExpr": "type", "StaticDecl": "static",
         "Ellipsis_": "ellipsis"}  # fmt: skip
TERMS = {"name": "axis", "number": "axis_size", "pack": "pack", "group": "axis_group", "sum": "axis_sum"}
LEFT_OUT = (("edition", "number"), ("extern", "string"), ("pack", "axis"), ("targets", "tuple"))
# nodes of the grammar for editors that are fields or nothing in the other tree
MORE = frozenset("source_file comment doc_comment identifier module where kind elif else body targets path "
                 "parenthesized pattern".split())  # fmt: skip


@cache
def language(folder: Path) -> Language:
    """The compiled grammar; the test is skipped where no C compiler is to be had."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler")
    library = folder / "ogive.so"
    sources = [str(FOLDER / "src" / name) for name in ("parser.c", "scanner.c")]
    strict = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-but-set-variable"]
    command = [compiler, "-shared", "-fPIC", *strict, "-I", str(FOLDER / "src"), *sources, "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    function = ctypes.CDLL(str(library)).tree_sitter_ogive
    function.restype = ctypes.c_void_p
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype, capsule.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    return Language(capsule(function(), b"tree_sitter.Language", None))


def read(text: str, grammar: Language) -> Tree:
    return Parser(grammar).parse(text.encode())


def same(text: str, grammar: Language) -> None:
    """Both parsers find the same nodes at the same places."""
    expected, opaque = ours(text)
    found = theirs(read(text, grammar).root_node, opaque)
    assert found == expected, (text, sorted((found - expected).items()), sorted((expected - found).items()))


def ours(text: str) -> tuple[Counter[Found], list[tuple[int, int]]]:
    """The nodes of the language's parser, and strings in arrows that are no patterns."""
    parsed = parse(text)
    assert not parsed.diagnostics, (text, parsed.diagnostics)
    found, opaque, start = Counter[Found](), [], 0
    for piece in parsed.pieces:
        declared = nodes(piece.declaration) if piece.declaration else iter(())
        for kind, first, last in declared:
            at = len(text[: start + first].encode()), len(text[: start + last].encode())
            if kind == "opaque":
                opaque.append(at)
            else:
                found[kind, *at] += 1
        start += len(piece.chunk.text)
    return found, opaque


def nodes(tree: object) -> Iterator[Found]:
    """Kind and span of each node, in characters of its chunk."""
    if isinstance(tree, tuple):
        for each in tree:
            yield from nodes(each)
    if not isinstance(tree, s.Tree):
        return
    span = tree.span
    kind = NAMES.get(type(tree).__name__, "_".join(re.findall("[A-Z][a-z]*", type(tree).__name__)).lower())
    if isinstance(tree, s.ParamStmt):
        kind = tree.kind
    bare = isinstance(tree, s.TupleExpr) and not span.text.startswith("(")  # `a, b = c, d`
    if not bare and not isinstance(tree, s.Target):
        yield kind.removesuffix("_stmt"), span.start, span.end
    if isinstance(tree, s.Assign):
        yield from (("name", target.span.start, target.span.end) for target in tree.targets)
    if isinstance(tree, s.String):
        yield from terms(tree.value, span.start)
    for part in fields(tree):
        if part.name != "span":
            yield from nodes(getattr(tree, part.name))


def terms(text: str, start: int) -> Iterator[Found]:
    """What stands in a string that is a pattern."""
    try:
        pattern = parse_pattern(text)
    except ShapeError:
        yield "opaque", start, start + len(text) + 2
        return
    waiting: list[Operand | PatternTerm] = [*pattern.inputs, *pattern.outputs]
    while waiting:
        each = waiting.pop()
        first, last = start + 1 + each.start, start + 1 + each.end
        if isinstance(each, PatternTerm):
            yield TERMS[each.kind], first, last
            waiting += each.items
        else:
            if each.terms:
                yield "operand", first, last
            waiting += each.terms


def theirs(root: Node, opaque: list[tuple[int, int]]) -> Counter[Found]:
    """The nodes of the grammar for editors that the other tree has too."""
    assert not root.has_error, root
    found = Counter[Found]()
    waiting: list[Any] = [root]
    while waiting:
        node = waiting.pop()
        at = node.start_byte, node.end_byte
        parent = node.parent.type if node.parent else ""
        bare = node.type == "tuple" and node.child(0).type != "("
        field = (parent, node.type) in LEFT_OUT
        if node.is_named and node.type not in MORE and not bare and not field:
            found[node.type, *at] += 1
        if node.type != "string" or at not in opaque:
            waiting += node.children
    return found


def indented(tree: Tree) -> str:
    """A tree as `tree-sitter test` writes it, a node a line."""
    lines: list[str] = []
    waiting: list[tuple[Node, str, int]] = [(tree.root_node, "", 0)]
    closed = 0
    while waiting:
        node, field, depth = waiting.pop()
        if lines:
            lines[-1] += ")" * (closed - depth)
        word = node.type if node.is_named else f'"{node.type}"'
        word = f"MISSING {word}" if node.is_missing else word
        lines.append(f"{'  ' * depth}{field and field + ': '}({word}")
        inner = [(child, node.field_name_for_child(at) or "", depth + 1)
                 for at, child in enumerate(node.children) if child.is_named or child.is_missing]  # fmt: skip
        waiting += reversed(inner)
        closed = depth + 1
    return "\n".join(lines) + ")" * closed + "\n"
