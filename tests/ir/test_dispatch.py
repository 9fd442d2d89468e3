"""Walks over the IR go to the method of an operation (`Visitor`): nothing else tells structural operations apart."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from ogive.compiler.ir.attributes import ChoiceAttrs, LoopAttrs, VectorizedAttrs
from ogive.compiler.ir.model import STRUCTURES

ROOT = Path(__file__).parents[2]
GROUPS = {"loop": LoopAttrs, "vectorized": VectorizedAttrs, "choice": ChoiceAttrs}
KINDS = {each.op: group for group, union in GROUPS.items() for each in get_args(union)}
CLASSES = {each.__name__: KINDS.get(name, name) for name, each in STRUCTURES.items()}
CLASSES |= {f"{group.capitalize()}Attrs": group for group in GROUPS}

# functions and tables that tell two kinds of structural operations apart, and why each may
ALLOWED = {
    "src/ogive/lsp/features.py": "names of the language",
    "src/ogive/language/outline.py": "names of the language",
    "compiler/elaborate/rules/forms.py": "names of the language",
    "compiler/elaborate/walk/vmap_and_grad.py": "names of the language",
    "compiler/elaborate/walk/vmap_and_grad.py: make": "names of the language",
    "compiler/ir_tools/interpreter.py: Visitor.node": "the one place: it goes to the methods",
    "backends/diagram/from_ir/build.py: _Scope.section": "what takes no place in a figure is not numbered",
    "backends/pytorch/module/nodes.py: _seen_only": "what the text of a module shows of its values",
    "backends/pytorch/module/nodes.py: write_node": "the table of what is no statement with a region",
    "backends/pytorch/module/nodes.py": "the same table with derivatives",
    "backends/python_text/functions/regions.py": "the table of what is a statement with a region",
    "backends/python_text/functions/states.py: changes.acts": "who reads or changes one state",
    "compiler/passes/cleanup/flatten.py: reads": "who reads one weight",
    "compiler/passes/cleanup/inline.py: _wanted": "whether a body may be inlined, by what it holds",
    "compiler/passes/conversion/text.py: _body": "conversions hold operations, weights and loops alone",
    "compiler/passes/experts/average.py: _alone": "who reads or changes the weights of one instance",
    "compiler/passes/outline/block.py: OutlinedBlock.node": "whether a body reads as one block, by what it holds",
    "compiler/passes/quantization/quantize.py: _Plan.graph": "in which bodies numbers are rounded too",
    "compiler/passes/taps/unasked.py: _apart": "a graph with taps becomes a choice, once",
    "compiler/passes/weight_folding/report.py: left": "what never folds is named, in loops by their paths",
}


def named(node: ast.AST) -> str:
    """The last name of an expression."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def literals(node: ast.AST) -> Iterator[str]:
    """The structural operations among the strings of an expression."""
    strings = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant))
    return (KINDS.get(text, text) for text in strings if isinstance(text, str) and text in STRUCTURES)


def in_structures(node: ast.AST) -> bool:
    """Whether an expression is the name of a structural operation."""
    return isinstance(node, ast.Constant) and node.value in STRUCTURES


def kinds_at(node: ast.AST) -> Iterator[str]:
    """The kinds of structural operations that an expression, or a pattern, asks for."""
    match node:
        case ast.Call(func=ast.Name(id="isinstance"), args=[_, asked]):
            yield from (CLASSES[name] for each in ast.walk(asked) if (name := named(each)) in CLASSES)
        case ast.MatchClass(cls=asked) if named(asked) in CLASSES:
            yield CLASSES[named(asked)]
        case ast.Compare(left=left, comparators=[*others]) if any(named(each) == "op" for each in (left, *others)):
            yield from (kind for each in (left, *others) for kind in literals(each))
        case ast.Compare(left=left, comparators=[other]) if named(left) == "structure" or named(other) in CLASSES:
            yield from (CLASSES[name] for each in ast.walk(node) if (name := named(each)) in CLASSES)
        case ast.Match(subject=subject, cases=cases) if named(subject) == "op":
            yield from (kind for case in cases for kind in literals(case.pattern))
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items) if all(map(in_structures, items)):
            yield from (kind for item in items for kind in literals(item))
        case ast.Dict(keys=keys):
            yield from (kind for key in keys if key is not None for kind in literals(key))
            yield from (CLASSES[named(key)] for key in keys if key is not None and named(key) in CLASSES)
        case ast.Attribute(value=ast.Name(), attr="loop"):
            yield "loop"


def places(tree: ast.AST, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each function, or the module, with each kind that it asks for."""
    for node in ast.iter_child_nodes(tree):
        inner = (*at, node.name) if isinstance(node, ast.FunctionDef | ast.ClassDef) else at
        yield from ((inner, kind) for kind in kinds_at(node))
        yield from places(node, inner)


def found_in(path: str, source: str) -> dict[str, set[str]]:
    """The kinds that each function of a file tells apart, where these are several."""
    found: dict[str, set[str]] = {}
    for at, kind in places(ast.parse(source)):
        found.setdefault(f"{path}: {'.'.join(at)}" if at else path, set()).add(kind)
    return {place: kinds for place, kinds in found.items() if len(kinds) > 1}


def test_structural_operations_are_told_apart_by_visitors() -> None:
    found: dict[str, set[str]] = {}
    for folder in ("compiler", "backends", "src/ogive"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.resolve() == path:
                found |= found_in(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    assert found.keys() - ALLOWED.keys() == set(), "a walk over the IR is a subclass of `Visitor`"
    assert ALLOWED.keys() - found.keys() == set(), "these are gone"


def test_chains_are_found_however_they_are_written() -> None:
    for body in (
        "isinstance(told, RepeatAttrs | CallAttrs)",
        "isinstance(node.structure, (attributes.OverAttrs, GradAttrs))",
        "node.op == 'repeat' or node.op == 'call'",
        "node.op in ('phase', 'each')",
        "{'scan': 1, 'weight': 2}.get(node.op)",
        "node.op in NAMES or ('scan', 'weight')",
        "{ScanAttrs: 1, WeightAttrs: 2}[type(node.structure)]",
        "type(node.structure) is RepeatAttrs or type(node.structure) is TapAttrs",
        "node.loop is not None or node.op == 'grad'",
    ):
        assert found_in("x.py", f"def f(node, told):\n    return {body}\n").keys() == {"x.py: f"}, body
    arms = "        case {}:\n            pass\n"
    for asked, first, second in (("node.structure", "RepeatAttrs()", "CallAttrs()"), ("node.op", "'repeat'", "'call'")):
        body = f"def f(node):\n    match {asked}:\n{arms.format(first)}{arms.format(second)}"
        assert found_in("x.py", body).keys() == {"x.py: f"}
    one = (
        "def f(node):\n    return isinstance(node.structure, RepeatAttrs) or node.loop or node.op in ('add', 'scan')\n"
    )
    assert found_in("x.py", one) == {}
