"""A differing program made small: statements, regions, blocks and outputs are taken away while it still differs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

from generated.dims import Type
from generated.tree import Block, Let, Parts, Plain, Program, Ref, Region, Return, Stmt, Weight, walk

Test = Callable[[Program], bool]
ROUNDS = 12


def shrunk(program: Program, test: Test, budget: int = 400) -> Program:
    """The smallest program found for which the test still holds; it holds for the one given."""
    left = [budget]

    def tried(candidate: Program) -> bool:
        if left[0] <= 0:
            return False
        left[0] -= 1
        return test(candidate)

    for _ in range(ROUNDS):
        before = _size(program)
        for step in (_fewer_outputs, _fewer_statements, _fewer_blocks, _fewer_inputs, _fewer_optional):
            program = step(program, tried)
        if _size(program) == before or left[0] <= 0:
            break
    return program


def _size(program: Program) -> int:
    return (
        sum(1 for block in program.blocks for _ in walk(block.body)) + len(program.blocks) + len(program.main.outputs)
    )


def _fewer_outputs(program: Program, test: Test) -> Program:
    """One output, else half of them."""
    for number in range(len(program.blocks)):
        at = 0
        while number == len(program.blocks) - 1 and len(program.blocks[number].outputs) > 1:
            found = _keeping(program, number, at)
            if found is None:
                break
            if test(found):
                program = found
                break
            at += 1
    return program


def _keeping(program: Program, number: int, at: int) -> Program | None:
    made = copy.deepcopy(program)
    block = made.blocks[number]
    if at >= len(block.outputs):
        return None
    block.outputs = [block.outputs[at]]
    block.outputs[0].name = ""
    last = block.body[-1]
    if not isinstance(last, Return):
        return None
    last.parts = [last.parts[at]]
    return made


def _fewer_statements(program: Program, test: Test) -> Program:
    """Statements from the last one on: dropped, where what they bind is replaced by a constant of its type."""
    number = len(program.blocks) - 1
    while number >= 0:
        places = list(_places(program.blocks[number].body))
        for path in reversed(places):
            for change in (_dropped, _replaced, _opened):
                made = copy.deepcopy(program)
                if change(made.blocks[number], path) and test(made):
                    program = made
                    break
        number -= 1
    return program


Path = tuple[tuple[int, int], ...]  # for each region the body and the statement in it; the last one is the statement


def _places(body: list[Stmt], before: Path = (), which: int = 0) -> Iterator[Path]:
    for at, statement in enumerate(body):
        here = (*before, (which, at))
        yield here
        if isinstance(statement, Region):
            for number, inner in enumerate(statement.bodies):
                yield from _places(inner, here, number)


def _at(block: Block, path: Path) -> tuple[list[Stmt], int] | None:
    body = block.body
    for depth, (which, at) in enumerate(path):
        if depth:
            holder = body[path[depth - 1][1]]
            if not isinstance(holder, Region) or which >= len(holder.bodies):
                return None
            body = holder.bodies[which]
        if at >= len(body):
            return None
    return body, path[-1][1]


def _dropped(block: Block, path: Path) -> bool:
    """Without the statement; checking tells whether something still reads it."""
    found = _at(block, path)
    if found is None or isinstance(found[0][found[1]], Return) or len(found[0]) < 2:
        return False
    del found[0][found[1]]
    return True


def _replaced(block: Block, path: Path) -> bool:
    """What a statement binds as a constant."""
    found = _at(block, path)
    if found is None:
        return False
    body, at = found
    statement = body[at]
    if not isinstance(statement, Let) or len(statement.targets) != 1 or "replaced" in statement.tags:
        return False
    type = statement.types[0]
    if not isinstance(type, Type) or type.packed:
        return False
    shape = ", ".join(map(str, type.axes))
    comma = ", " if shape else ""
    text = {
        "float": f"full[{shape}{comma}v=0.5]",
        "int": f"ones[{shape}{comma}type=int]",
        "bool": f"ones[{shape}{comma}type=bool]",
    }
    if type.elem not in text:
        return False
    statement.parts, statement.tags = (text[type.elem],), ("replaced",)
    return True


def _opened(block: Block, path: Path) -> bool:
    """A region as its first body."""
    found = _at(block, path)
    if found is None:
        return False
    body, at = found
    statement = body[at]
    if not isinstance(statement, Region) or statement.kind in ("scan", "for"):
        return False
    body[at : at + 1] = statement.bodies[0]
    return True


def _fewer_blocks(program: Program, test: Test) -> Program:
    at = len(program.blocks) - 2
    while at >= 0:
        made = copy.deepcopy(program)
        del made.blocks[at]
        if test(made):
            program = made
        at -= 1
    made = copy.deepcopy(program)
    made.uses, made.consts = {}, []
    return made if (program.uses or program.consts) and test(made) else program


def _fewer_inputs(program: Program, test: Test) -> Program:
    """Inputs of the main block that nothing reads, conditions, statics."""
    for part in ("inputs", "where", "statics"):
        at = len(getattr(program.main, part)) - 1
        while at >= 0:
            made = copy.deepcopy(program)
            held = getattr(made.main, part)[at]
            del getattr(made.main, part)[at]
            if part == "statics":
                given = [g for g in made.given.strip("[]").split(", ") if g and not g.startswith(f"{held.name}=")]
                made.given = f"[{', '.join(given)}]" if given else ""
            if test(made):
                program = made
            at -= 1
    return program


def _fewer_optional(program: Program, test: Test) -> Program:
    made = copy.deepcopy(program)
    made.awkward, made.optional = False, []
    return made if (program.awkward or program.optional) and test(made) else program


__all__ = ["Parts", "Plain", "Ref", "Weight", "shrunk"]
