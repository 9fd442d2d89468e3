"""The text of a generated program, names chosen on the way."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from generated.dims import Pack
from generated.tree import Block, Let, Parts, Plain, Program, Ref, Region, Return, Stmt, Weight, walk
from ogive.compiler.ops import NAMED

# legal names that some target could trip over
AWKWARD = (
    *("y'", "z''", "_x", "class_", "lambda_", "self", "torch", "nn", "F", "math", "Tensor", "forward", "taps_",
    "training_"),
    *("state", "scan", "init", "keep", "tap", "repeat", "require", "assume", "along", "carry", "reverse",
    "with", "model"),
    *("weight", "bias", "list", "range_", "print", "int_", "float_", "bool_", "x_1", "y_2", "T", "Any", "Sequence"),
    *("x0", "output", "outputs", "args", "kwargs", "super", "object", "type", "id", "dim", "size", "shape"),
    *("class", "def", "lambda", "import", "global", "None_", "async", "await", "try", "pass", "is", "del",
    "from", "raise"),
)  # fmt: skip


class Names:
    """A name for each reference of a block."""

    def __init__(self, taken: Iterable[str], rng: random.Random | None, renamed: str = "") -> None:
        self.taken, self.rng, self.renamed = set(taken), rng, renamed
        self.known: dict[Ref, str] = {}

    def of(self, ref: Ref) -> str:
        """Its name."""
        if ref not in self.known:
            base = self.renamed or ref.hint
            if self.rng is not None and self.rng.random() < 0.4:
                base = self.rng.choice(AWKWARD)
            name, number = base, 1
            while name in self.taken:
                number += 1
                plain = base.rstrip("'")
                name = f"{plain}{number}{base[len(plain) :]}"
            self.taken.add(name)
            self.known[ref] = name
        return self.known[ref]

    def text(self, parts: Parts) -> str:
        return "".join(part if isinstance(part, str) else self.of(part) for part in parts)


def fixed(ref: Ref, name: str, names: Names) -> None:
    """Give a reference its hint: it is part of a path or of a signature."""
    names.known[ref] = name
    names.taken.add(name)


def block_text(block: Block, names: Names) -> str:
    """A block. Inputs, weights and instances keep their names: they are seen from outside."""
    for each in block.inputs:
        fixed(each.ref, each.ref.hint, names)
    for statement in walk(block.body):
        if isinstance(statement, Weight):
            fixed(statement.target, statement.target.hint, names)
        elif isinstance(statement, Let):
            for ref, type in zip(statement.targets, statement.types, strict=True):
                if type is None:
                    fixed(ref, ref.hint, names)
    statics = f"[{', '.join(static.decl for static in block.statics)}]" if block.statics else ""
    inputs = [f"{names.of(i.ref)}: {i.type}{'?' if i.optional else ''}" for i in block.inputs]
    outputs = [f"{o.name + ': ' if o.name else ''}{o.type}{'?' if o.optional else ''}" for o in block.outputs]
    body = lines(block.body, names, 1)
    at, count = block.taken
    if count:
        inputs[at : at + count] = [f"ws: {block.inputs[at].type} for i_ in range({count})"]
        body.insert(0, f"    {', '.join(names.of(i.ref) for i in block.inputs[at : at + count])} = ws")
    at, count = block.given
    if count:
        outputs[at : at + count] = [f"os: {block.outputs[at].type} for i_ in range({count})"]
    plain = len(outputs) == 1 and not block.given[1] and not block.outputs[0].name and not block.outputs[0].optional
    made = outputs[0] if plain else f"({', '.join(outputs)})"
    where = f"\nwhere {', '.join(block.where)}" if block.where else ""
    head = f"block {block.name}{statics}({', '.join(inputs)}) -> {made}{where}:"
    return "\n".join([head, *body])


def lines(body: Sequence[Stmt], names: Names, depth: int) -> list[str]:
    """The lines of a body."""
    found: list[str] = []
    step = "    " * depth
    for statement in body:
        match statement:
            case Let(targets=targets, parts=parts, types=types, typed=typed):
                right = names.text(parts)
                left = ", ".join(names.of(target) for target in targets)
                found.append(f"{step}{left}{f': {types[0]}' if typed else ''} = {right}")
            case Plain(parts=parts):
                found.append(step + names.text(parts))
            case Weight(kind=kind, target=target, type=type, init=init, keep=keep):
                start = f" = {names.text(init)}" if init else ""
                found.append(f"{step}{kind} {names.of(target)}: {type}{start}{f' keep {keep}' if keep else ''}")
            case Region(heads=heads, bodies=bodies):
                for head, inner in zip(heads, bodies, strict=True):
                    found.append(f"{step}{names.text(head)}:")
                    found += lines(inner, names, depth + 1)
            case Return(parts=results):
                found.append(f"{step}return {', '.join(map(names.text, results))}")
    return found


def program_text(program: Program, *, renamed: str = "") -> str:
    """The whole file. With `renamed`, all names that nothing outside sees are other ones."""
    uses = [f"use {module} ({', '.join(sorted(names))})" for module, names in sorted(program.uses.items())]
    blocks = []
    for block in program.blocks:
        taken = {static.name for static in block.statics} | {name.text for name in block.values}
        taken |= {each.name for each in program.blocks} | {name for names in program.uses.values() for name in names}
        taken |= {axis.text for each in block.inputs for axis in each.type.axes if isinstance(axis, Pack)}
        taken |= {const.split()[1] for const in program.consts} | RESERVED
        rng = random.Random(f"{program.seed}/{block.name}") if program.awkward else None
        blocks.append(block_text(block, Names(taken, rng, renamed)))
    model = f"model M = {program.main.name}{program.given}"
    return "\n\n".join(filter(None, ["\n".join(uses), "\n".join(program.consts), *blocks, model])) + "\n"


RESERVED = frozenset(NAMED) | frozenset(
    "over each grad custom_grad count initial sum min max range enumerate zip reversed len sqrt log exp log2 ceil "
    "floor per_axis ceil_div poset_pool block const use param if elif else for return yield and or not "
    "true false none pi in given training".split()
)
