"""What programs hold: operations, statements, nested regions, and how many operations there are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from generated.tree import Let, Plain, Program, Region, Weight, walk
from ogive.compiler.ir.model import Definition, Model
from ogive.compiler.ops import OPS

STATEMENTS = (
    "let", "several", "typed", "param", "state", "update", "tap", "yield", "init", "keep", "require", "assume",
    "return",
    "repeat", "for", "scan", "if", "training", "given", "over", "each", "grad", "custom_grad", "call",
    "weights=", "shared",
    "optional", "pack", "awkward",
)  # fmt: skip


@dataclass
class Coverage:
    """Of one program, or of many together."""

    operations: Counter[str] = field(default_factory=Counter)
    statements: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    sizes: list[int] = field(default_factory=list)

    def note(self, program: Program, model: Model) -> None:
        """What a program holds, each kind once."""
        nodes = [node for definition in definitions(model.definition) for node in definition.graph.walk()]
        self.operations.update({node.op for node in nodes if node.op in OPS})
        self.sizes.append(sum(node.op in OPS for node in nodes))
        self.statements.update(
            _statements(program) | {n.op for n in nodes if n.op in ("over", "each", "grad", "custom_grad", "call")}
        )
        self.pairs.update(program.pairs)

    def add(self, other: Coverage) -> None:
        self.operations += other.operations
        self.statements += other.statements
        self.pairs += other.pairs
        self.sizes += other.sizes


def _statements(program: Program) -> set[str]:
    found = {"return"}
    for block in program.blocks:
        for statement in walk(block.body):
            match statement:
                case Let(targets=targets, typed=typed, tags=tags):
                    found |= {"several"} if len(targets) > 1 else {"let"}
                    found |= {"typed"} if typed else set()
                    found |= {"shared"} if "shared" in tags else set()
                    found |= {"weights="} if "weights" in tags else set()
                case Plain(parts=parts):
                    found.add(str(parts[0]).split()[0])
                case Weight(kind=kind, keep=keep):
                    found |= {kind, "keep"} if keep else {kind}
                case Region(kind=kind):
                    found.add(kind)
        found |= {"optional"} if any(i.optional for i in block.inputs) else set()
        found |= {"pack"} if any(i.type.packed for i in block.inputs) else set()
    return found | ({"awkward"} if program.awkward else set())


def definitions(root: Definition) -> list[Definition]:
    """A definition and all that it uses, each once."""
    found: dict[int, Definition] = {}

    def visit(definition: Definition) -> None:
        if id(definition) not in found:
            found[id(definition)] = definition
            for node in definition.graph.walk():
                if node.callee is not None:
                    visit(node.callee)

    visit(root)
    return list(found.values())
