"""Where a body is being written: what is known, what may be used, and how statements are added."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from generated.dims import Dim, Name, Pack, Type
from generated.tree import Block, Let, Parts, Program, Ref, Static, Stmt

LARGE = 30.0  # beyond this a value is tamed before it enters what grows fast


@dataclass(eq=False)
class Var:
    """A value that may be read: its name, its type, about how large it is, its labels where it has some."""

    ref: Ref
    type: Type
    size: float = 1.0
    labels: tuple[str | None, ...] | None = None
    fixed: bool = False  # a weight or a state: it is not bound again

    @property
    def elem(self) -> str:
        return self.type.elem

    @property
    def axes(self) -> tuple[Dim | Pack, ...]:
        return self.type.axes

    @property
    def rank(self) -> int:
        return len(self.type.axes)


@dataclass
class Maker:
    """One program in the making."""

    rng: random.Random
    program: Program
    left: int  # about how many operations are still to come
    taken: set[str] = field(default_factory=set)
    allow: frozenset[str] = frozenset()  # "complex", "draw", "state", "low", ...: what the program may hold
    patterns: int = 0  # how many patterns there are
    wanted: list[str] = field(default_factory=list)  # regions to come, the next one first

    def fresh(self, base: str) -> str:
        """A name that no block, constant or import has."""
        name, number = base, 1
        while name in self.taken:
            number += 1
            name = f"{base}{number}"
        self.taken.add(name)
        return name

    def use(self, module: str, name: str) -> str:
        """A name of the library."""
        self.program.uses.setdefault(module, set()).add(name)
        return name

    def chance(self, p: float) -> bool:
        return self.rng.random() < p


@dataclass
class Scope:
    """A body in the making, in a block."""

    maker: Maker
    block: Block
    body: list[Stmt]
    vars: list[Var]
    depth: int = 0  # of blocks and regions around it
    regions: tuple[str, ...] = ()  # around it, outermost first, through the blocks that are applied
    names: dict[str, int] = field(default_factory=dict)  # of instances and weights, in this place
    allow: frozenset[str] = frozenset()  # what may stand here: "weights", "state", "draw", "tap", "region", "return"
    instances: list[tuple[Ref, Callable[[Scope], Var | None]]] = field(default_factory=list)

    @property
    def rng(self) -> random.Random:
        return self.maker.rng

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def pick(self, items: Sequence[object]) -> object:
        return self.rng.choice(items)

    # --- what is known ------------------------------------------------------------------------------------------------

    def at(self, dim: Dim) -> int:
        """A size as the block is tried."""
        return dim.at(self.block.values)

    def find(self, test: Callable[[Var], bool]) -> Var | None:
        """Some value; late ones more often."""
        found = [var for var in self.vars if test(var)]
        if not found:
            return None
        return found[-1] if self.chance(0.35) else self.rng.choice(found)

    def real(self, low: int = 0, high: int = 9, *, plain: bool = False) -> Var:
        """A float value of so many axes; made where there is none."""
        test: Callable[[Var], bool] = lambda v: (  # noqa: E731
            v.elem == "float" and low <= v.rank <= high and not (plain and v.type.packed)
        )
        return self.find(test) or self.made(low)

    def made(self, rank: int) -> Var:
        """A float value of a rank out of nothing else."""
        axes = tuple(Dim.of(self.rng.randint(1, 3)) for _ in range(rank))
        shape = ", ".join(map(str, axes))
        value = self.rng.choice((f"full[{shape}{', ' if shape else ''}v=0.5]", f"ones[{shape}]"))
        return self.let((value,), Type("float", axes), ("full" if value.startswith("full") else "ones",))

    def number(self, low: float, high: float) -> str:
        """A float literal: as it is, a static of the block, or a constant of the file."""
        value = round(self.rng.uniform(low, high), 2)
        text = repr(float(value))
        roll = self.rng.random()
        if roll < 0.12 and low >= 0:
            name = self.maker.fresh(self.rng.choice(("p", "rate", "scale", "s")))
            given = text if self.chance(0.5) else ""
            default = text if not given or self.chance(0.3) else repr(float(round(self.rng.uniform(low, high), 2)))
            typed = f"{name}: float = {default}" if self.chance(0.3) else f"{name}={default}"
            self.block.statics.append(Static(name, typed, f"{name}={given}" if given else ""))
            return name
        if roll < 0.18:
            name = self.maker.fresh("c")
            self.maker.program.consts.append(f"const {name} = {text}")
            return name
        if roll < 0.22:
            return f"({text} if {self.rng.choice(('true', '1 < 2', '3 % 2 == 1'))} else 0.125)"
        return text if value >= 0 else f"({text})"

    # --- writing ------------------------------------------------------------------------------------------------------

    def let(
        self,
        parts: Parts,
        type: Type,
        tags: Sequence[str] = (),
        *,
        size: float = 1.0,
        pure: bool = True,
        hint: str = "v",
    ) -> Var:
        """`v = e`."""
        ref = Ref(hint)
        self.body.append(Let([ref], parts, [type], tuple(tags), pure=pure))
        var = Var(ref, type, size)
        self.vars.append(var)
        self.maker.left -= max(1, len(tags))
        return var

    def let_several(
        self, parts: Parts, types: Sequence[Type], tags: Sequence[str] = (), *, size: float = 1.0, pure: bool = True
    ) -> list[Var]:
        """`a, b = e`."""
        refs = [Ref("v") for _ in types]
        self.body.append(Let(refs, parts, list(types), tuple(tags), pure=pure))
        made = [Var(ref, type, size) for ref, type in zip(refs, types, strict=True)]
        self.vars.extend(made)
        self.maker.left -= max(1, len(tags))
        return made

    def tame(self, var: Var) -> Var:
        """A value that is not large."""
        if var.size <= LARGE:
            return var
        form, tag = self.rng.choice((("tanh(", "tanh"), ("sin(", "sin"), ("hardtanh[-2.0, 2.0](", "hardtanh"),
                                     ("erf(", "erf")))  # fmt: skip
        return self.let((form, var.ref, ")"), var.type, (tag,), size=2.0)

    def letters(self, count: int, base: str = "acijorvy") -> list[str]:
        """Names for a pattern that no other pattern has: labels that meet by chance would look transposed."""
        self.maker.patterns += 1
        return [f"{base[i]}{self.maker.patterns}" for i in range(count)]

    def place(self, name: str) -> str:
        """A name for a weight or an instance in this place."""
        count = self.names[name] = self.names.get(name, 0) + 1
        known = any(size.text == name for size in self.block.values)
        return name if count == 1 and not known else f"{name}_{count}x"

    def axis(self, var: Var) -> tuple[int, str]:
        """One axis that is no pack: its place, and how it is written."""
        first = 1 if var.type.packed else 0
        at = self.rng.randrange(first, var.rank)
        label = var.labels[at] if var.labels is not None else None
        if label is not None and var.labels is not None and var.labels.count(label) == 1 and self.chance(0.4):
            return at, label
        return at, str(at - var.rank if first or self.chance(0.5) else at)

    @property
    def sure(self) -> list[Name]:
        """The sizes of the block that are 1 at least."""
        return [name for name in self.block.values if f"{name.text} >= 0" not in self.block.where]

    def require(self, condition: str) -> None:
        """A condition on sizes, in the header."""
        if condition not in self.block.where:
            self.block.where.append(condition)

    def size_name(self, base: str, value: int, *, static: bool) -> Name:
        """A new size of the block."""
        taken = {name.text for name in self.block.values} | {static_.name for static_ in self.block.statics}
        text, number = base, 1
        while text in taken:
            number += 1
            text = f"{base}{number}"
        name = Name(text, static)
        self.block.values[name] = value
        return name


def labels_of(type: Type) -> tuple[str | None, ...]:
    """The names of axes that are one name each."""
    return tuple(a.name.text if isinstance(a, Dim) and a.name is not None else None for a in type.axes)
