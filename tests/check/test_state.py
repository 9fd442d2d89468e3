"""The state of an elaboration stays small, and what steers one is told in one place."""

from __future__ import annotations

import ast
import builtins
import inspect
from dataclasses import fields
from pathlib import Path

from ogive.compiler.elaborate.state import control
from ogive.compiler.elaborate.state.allocation import Allocation
from ogive.compiler.elaborate.state.block_scope import BlockScope
from ogive.compiler.elaborate.state.control_flow import ControlFlow
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.proof import Proof

ELABORATE = Path(__file__).parents[2] / "compiler" / "elaborate"
PARTS = {"scope": BlockScope, "proof": Proof, "alloc": Allocation, "flow": ControlFlow}
# what more than one field must agree on, or what must be put back: only the part's own methods write it
GUARDED = {
    "scope": {"header"},
    "proof": {"facts", "decisions", "stated", "inferred"},
    "alloc": {"scopes", "taken", "order_dependent", "initialized", "stacked"},
    "flow": {"continuations", "floor", "path", "loops", "lost", "returned_at"},
}
CHANGES = {"append", "add", "update", "pop", "extend", "clear", "setdefault", "insert", "remove"}


def test_a_frame_and_its_parts_are_small() -> None:
    assert len(fields(Frame)) <= 15
    for name, part in PARTS.items():
        assert len(fields(part)) <= 11, name
        assert {f.name for f in fields(part)} >= GUARDED[name]
    names = [f.name for part in PARTS.values() for f in fields(part)]
    assert len(names) == len(set(names))  # one name, one meaning


def _written(tree: ast.AST) -> list[tuple[str, str, int]]:
    """(part, field, line) of each field of a part that is assigned, or changed by a method of what it holds."""
    found = []
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        match node:
            case ast.Assign():
                targets = [t for each in node.targets for t in (each.elts if isinstance(each, ast.Tuple) else [each])]
            case ast.AugAssign() | ast.AnnAssign():
                targets = [node.target]
            case ast.Call(func=ast.Attribute(value=held, attr=name)) if name in CHANGES:
                targets = [held]
        for target in targets:
            inner = target.value if isinstance(target, ast.Subscript) else target
            match inner:
                case ast.Attribute(value=ast.Attribute(attr=part), attr=name) if part in PARTS:
                    found.append((part, name, node.lineno))  # type: ignore[attr-defined]
    return found


def test_what_a_part_keeps_consistent_is_written_by_its_methods() -> None:
    seen = 0
    for path in sorted(ELABORATE.rglob("*.py")):
        for part, name, line in _written(ast.parse(path.read_text())):
            seen += 1
            assert name not in GUARDED[part], f"{path.relative_to(ELABORATE)}:{line} writes {part}.{name}"
    assert seen > 20  # plain bindings are written as dictionaries


def test_the_search_finds_what_writes() -> None:
    lines = [
        "f.proof.facts = a",
        "f.alloc.taken[p] = s",
        "f.flow.lost, y = z",
        "f.proof.stated.append(c)",
        "f.flow.loops += 1",
    ]
    found = sorted(_written(ast.parse("\n".join(lines))), key=lambda each: each[2])
    assert [(part, name) for part, name, _ in found] == [
        ("proof", "facts"),
        ("alloc", "taken"),
        ("flow", "lost"),
        ("proof", "stated"),
        ("flow", "loops"),
    ]


def _exceptions(tree: ast.AST) -> list[str]:
    """The classes that are exceptions, by their bases' names."""
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    known = {
        name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
    }
    return [each.name for each in classes if any(ast.unparse(base) in known for base in each.bases)]


def test_what_steers_an_elaboration_is_in_one_module_that_says_who_raises_and_who_catches() -> None:
    for path in sorted(ELABORATE.rglob("*.py")):
        found = _exceptions(ast.parse(path.read_text()))
        assert not found or path == ELABORATE / "state" / "control.py", f"{path} defines {found}"
    found = _exceptions(ast.parse(inspect.getsource(control)))
    assert {"StatementFailed", "UnresolvedChoice", "GenericProofFailed", "CallSignatureConflict"} <= set(found)
    for name in found:
        text = getattr(control, name).__doc__
        assert "Raised " in text, name
        assert "Caught " in text, name
