"""Texts that must mean the same: other names, another order, loops unrolled, blocks inlined, values written twice."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable, Mapping, Sequence

from generated.dims import Dim, Type
from generated.tree import (
    Block,
    Let,
    Parts,
    Plain,
    Program,
    Ref,
    Region,
    Return,
    Stmt,
    Weight,
    binds,
    reads,
    walk,
)
from ogive.compiler.ops import OPS

ANY = Type("float", ())  # of what is no instance, where nothing asks which
Rewrite = Callable[[Program, random.Random], bool]


def bodies(block: Block) -> list[list[Stmt]]:
    """The body of a block and those of its regions."""
    found = [block.body]
    for statement in walk(block.body):
        if isinstance(statement, Region):
            found += statement.bodies
    return found


# --- another order ----------------------------------------------------------------------------------------------------


def reordered(program: Program, rng: random.Random) -> bool:
    """Pure lines where nothing tells their order; all others stay in theirs."""
    changed = False
    for block in program.blocks:
        for body in bodies(block):
            order = _shuffled(body, rng)
            changed = changed or order != list(range(len(body)))
            body[:] = [body[i] for i in order]
    return changed


def _shuffled(body: Sequence[Stmt], rng: random.Random) -> list[int]:
    before = {i: {j for j in range(i) if _tied(body[j], body[i])} for i in range(len(body))}
    left, order = set(range(len(body))), []
    while left:
        free = sorted(i for i in left if not before[i] & left)
        order.append(rng.choice(free))
        left.remove(order[-1])
    return order


def _tied(a: Stmt, b: Stmt) -> bool:
    """Whether the order of two lines counts."""
    if not (_pure(a) or _pure(b)) or isinstance(a, Return) or isinstance(b, Return):
        return True
    bound, other = set(_bound(a)), set(_bound(b))
    return bool(bound & (set(reads(b)) | other) or other & set(reads(a)))


def _pure(statement: Stmt) -> bool:
    return isinstance(statement, Let) and statement.pure


def _bound(statement: Stmt) -> list[Ref]:
    """What a line binds or changes, a state that it updates too."""
    if isinstance(statement, Plain) and statement.tags[0] == "update":
        return [part for part in statement.parts if isinstance(part, Ref)][:1]
    if not isinstance(statement, Region):
        return binds(statement)
    return [*binds(statement), *(ref for body in statement.bodies for each in body for ref in _bound(each))]


# --- loops unrolled ---------------------------------------------------------------------------------------------------


def unrolled(program: Program, rng: random.Random) -> bool:
    """`repeat` as `for`: what iterations are given is sliced, what they yield is a list that is stacked."""
    changed = False
    for block in program.blocks:
        for body in bodies(block):
            for at, statement in reversed(list(enumerate(body))):
                if isinstance(statement, Region) and statement.kind == "repeat" and _counted(statement):
                    body[at : at + 1] = _unrolled(statement)
                    changed = True
    return changed


def _counted(loop: Region) -> bool:
    """Whether its number is written as one."""
    return loop.count > 0 and str(loop.heads[0][0]).removeprefix("repeat ").strip() == str(loop.count)


def _unrolled(loop: Region) -> list[Stmt]:
    (head,), (body,) = loop.heads, loop.bodies
    text, number = str(head[0]), next((ref for ref in loop.inner if ref.hint == "i"), None)
    count = text.removeprefix("repeat ").strip()
    index = number or Ref("i")
    label = next((str(part) for part in head if isinstance(part, str) and part.startswith(" as ")), "")
    before: list[Stmt] = []
    lists: list[Stmt] = []
    for ref in loop.inner:
        if ref is not number:
            source, whole = next(head[i + 2] for i, part in enumerate(head) if part is ref), Ref("whole")
            lists.append(Let([whole], (source,), [ANY]))  # the body may bind the name again
            before.append(Let([ref], (whole, "[", index, "]"), [ANY], ("slice",)))
    after: list[Stmt] = []
    inside: list[Stmt] = []
    for statement in body:
        if isinstance(statement, Plain) and statement.binds is not None:
            ref = statement.binds[0]
            rows = Ref("rows")
            lists.append(Let([rows], ("[]",), [ANY]))
            inside.append(Let([rows], (rows, " + [", *statement.parts[3:], "]"), [ANY]))
            after.append(Let([ref], ("stack[0](*", rows, ")"), [statement.binds[1]], ("stack",)))
        else:
            inside.append(statement)
    start: Parts = ("for ", index, f" in range({count})", label)
    made = Region("for", [start], [[*before, *inside]], [index], loop.carried)
    return [*lists, made, *after]


# --- values written twice ---------------------------------------------------------------------------------------------


def doubled(program: Program, rng: random.Random) -> bool:
    """A value that is read several times, written at each place."""
    changed = False
    for block in program.blocks:
        again = _bound_again(block)
        for body in bodies(block):
            for at, statement in reversed(list(enumerate(body))):
                if not (isinstance(statement, Let) and statement.pure and len(statement.targets) == 1):
                    continue
                if statement.typed:  # it gives its axes their names
                    continue
                ref = statement.targets[0]
                if ref in again or any(part in again for part in statement.parts if isinstance(part, Ref)):
                    continue
                rest = body[at + 1 :]
                if rng.random() < 0.5 or not any(ref in reads(s) for s in rest) or _spoken_of(ref, rest):
                    continue
                for other in rest:
                    _substitute(other, ref, ("(", *statement.parts, ")"))
                del body[at]
                changed = True
    return changed


def _bound_again(block: Block) -> set[Ref]:
    """References that are bound more than once, or by what is no plain line."""
    seen: set[Ref] = set()
    again: set[Ref] = set()
    for statement in walk(block.body):
        for ref in binds(statement) if not isinstance(statement, Region) else [r for r, _ in statement.carried]:
            if ref in seen or not isinstance(statement, Let):
                again.add(ref)
            seen.add(ref)
    return again | {each.ref for each in block.inputs if each.ref in seen}


def _spoken_of(ref: Ref, rest: Sequence[Stmt]) -> bool:
    """Whether it must stay a name: what `scan` steps through, what a head or a tap names."""
    heads = [part for s in walk(rest) if isinstance(s, Region) for parts in s.heads for part in parts]
    weights = [part for s in walk(rest) if isinstance(s, Weight | Plain | Return) for part in _flat(s)]
    return ref in heads or ref in weights


def _flat(statement: Weight | Plain | Return) -> list[str | Ref]:
    match statement:
        case Weight(init=parts) | Plain(parts=parts):
            return list(parts)
        case Return(parts=results):
            return [part for parts in results for part in parts]


def _substitute(statement: Stmt, ref: Ref, value: Parts) -> None:
    def changed(parts: Parts) -> Parts:
        found: list[str | Ref] = []
        for part in parts:
            found += value if part is ref else (part,)
        return tuple(found)

    match statement:
        case Let(parts=parts):
            statement.parts = changed(parts)
        case Region(bodies=inner):
            for body in inner:
                for other in body:
                    _substitute(other, ref, value)
        case _:
            pass


# --- blocks inlined ---------------------------------------------------------------------------------------------------


def inlined(program: Program, rng: random.Random) -> bool:
    """The use of a block without weights as its body."""
    changed = False
    for block in program.blocks:
        for body in bodies(block):
            for at, statement in reversed(list(enumerate(body))):
                if not isinstance(statement, Let) or statement.use is None or rng.random() < 0.3:
                    continue
                found = _inlined(program, block, statement)
                if found is not None:
                    body[at : at + 1] = found
                    changed = True
    return changed


def _inlined(program: Program, user: Block, statement: Let) -> list[Stmt] | None:
    assert statement.use is not None
    name, args, sizes = statement.use
    callee = next((b for b in program.blocks if b.name == name), None)
    if callee is None or callee.weighty or callee.facts & {"taps", "states", "draws", "drops", "generic"}:
        return None
    own = {size.text for size in callee.values}
    if any(static.name not in own for static in callee.statics) or any(i.optional for i in callee.inputs):
        return None
    if any(i.type.packed for i in callee.inputs) or set(own) != {n.text for n in sizes}:
        return None
    if any(isinstance(each, Return) for each in walk(callee.body[:-1])):  # in an arm of a choice
        return None
    made = copy.deepcopy(callee)
    texts = {size.text: _text(dim) for size, dim in sizes.items()}
    if any(
        _labels(made, label) for label in texts
    ):  # the block gives its inputs these labels; what is handed over keeps its own
        return None
    for each in made.body:
        _resized(each, texts)
    for condition in made.where:
        user.where.append(_in_sizes(condition, texts))
    last = made.body.pop()
    assert isinstance(last, Return)
    start = [Let([i.ref], (arg,), [i.type]) for i, arg in zip(made.inputs, args, strict=True)]
    end = [
        Let([target], parts, [type], ())
        for target, parts, type in zip(statement.targets, last.parts, statement.types, strict=True)
    ]
    return [*start, *made.body, *end]


def _labels(block: Block, label: str) -> bool:
    """Whether an axis is called by its label, which a number is not."""
    parts = [part for each in walk(block.body) for part in getattr(each, "parts", ()) if isinstance(part, str)]
    axes = "|".join(name for name, spec in OPS.items() if any(each.kind in ("axis", "axes") for each in spec.statics))
    return any(re.search(rf"\b({axes}|over|each)\[[^\]]*\b{re.escape(label)}\b", part) for part in parts)


def _text(dim: Dim) -> str:
    text = str(dim)
    return text if text.isidentifier() or text.isdigit() else f"({text})"


def _in_sizes(text: str, texts: Mapping[str, str]) -> str:
    """A piece of text with other sizes; what stands in quotes and names of settings stay."""
    pieces = re.split(r'("[^"]*")', text)
    pattern = re.compile(r"\b[A-Za-z_][A-Za-z0-9_]*'*(?![A-Za-z0-9_'])(?!\s*=[^=])")
    return "".join(
        piece if piece.startswith('"') else pattern.sub(lambda m: texts.get(m[0], m[0]), piece) for piece in pieces
    )


def _resized(statement: Stmt, texts: Mapping[str, str]) -> None:
    def changed(parts: Parts) -> Parts:
        return tuple(part if isinstance(part, Ref) else _in_sizes(part, texts) for part in parts)

    match statement:
        case Let(parts=parts):
            statement.parts, statement.typed = changed(parts), False
        case Plain(parts=parts):
            statement.parts = changed(parts)
        case Region(heads=heads, bodies=inner):
            statement.heads = [changed(parts) for parts in heads]
            for body in inner:
                for other in body:
                    _resized(other, texts)
        case _:
            pass


REWRITES: Mapping[str, Rewrite] = {
    "reordered": reordered, "unrolled": unrolled, "doubled": doubled, "inlined": inlined,
}  # fmt: skip
