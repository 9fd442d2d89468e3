"""Draws programs in which whole regions are needed by nothing, in any of the regions, to any depth."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

TABLE, ROW = "[b, 4]", "[4]"


@dataclass
class Writer:
    """Writes one program."""

    random: Random
    blocks: list[str] = field(default_factory=list)
    count: int = 0

    def fresh(self, base: str) -> str:
        self.count += 1
        return f"{base}{self.count}"

    def block(self, type: str, depth: int, *, scalar: bool = False) -> str:
        """A block of its own, and its name."""
        name, body = self.fresh("B"), self.body("x", type, depth)
        end = "return sum(x * x)" if scalar else "return x"
        lines = "".join(f"    {line}\n" for line in [*body, end])
        self.blocks.append(f"block {name}(x: {type}) -> {'[]' if scalar else type}:\n{lines}")
        return name

    def body(self, var: str, type: str, depth: int) -> list[str]:
        """Statements that go on with a variable, or leave it."""
        kinds = ["layer", "layer", "param", "state"]
        if depth:
            kinds += ["repeat", "repeat", "for", "if", "call", "each", "over", "grad", "custom_grad", "scan"]
        chosen = self.random.choices(kinds, k=self.random.randint(1, 3))
        return [line for kind in chosen for line in self.statement(kind, var, type, depth)]

    def statement(self, kind: str, var: str, type: str, depth: int) -> list[str]:
        needed = self.random.random() < 0.3
        target = var if needed else self.fresh("y")

        def inside(inner: str, of: str = type) -> list[str]:
            return [f"    {line}" for line in self.body(inner, of, depth - 1)]

        lead = [] if needed else [f"{target} = {var}"]
        match kind:
            case "layer":
                return [f"{target} = {var} |> Linear[4, 4] as {self.fresh('l')}"]
            case "param":
                name = self.fresh("w")
                return [f"param {name}: [4] = ones", *([f"{target} = {var} * {name}"] * self.random.randint(0, 1))]
            case "state":
                name = self.fresh("s")
                return [f"state {name}: [4] = ones", *([f"{target} = {var} * {name}"] * self.random.randint(0, 1))]
            case "repeat":
                made = self.random.random() < 0.3
                last = [f"    yield {self.fresh('ys')} = {target}"] if made else []
                return [*lead, f"repeat {self.random.randint(1, 3)} as {self.fresh('h')}:", *inside(target), *last]
            case "for":
                return [*lead, f"for i in range(2) as {self.fresh('f')}:", *inside(target)]
            case "if":
                orelse = ["else:", *inside(target)] if self.random.random() < 0.5 else []
                return [*lead, "if training:", *inside(target), *orelse]
            case "scan" if type == TABLE:
                t, c = self.fresh("t"), self.fresh("c")
                head = [f"scan {t} in {var} along b carry {c} = zeros[4]:", f"    {c} = {c} + {t}", *inside(c, ROW)]
                return [*head, f"{target} = {var} + {c}"]
            case "over" if type == TABLE:
                return [f"{target} = over[b, {self.block(ROW, depth - 1)}]({var})"]
            case "call" | "over" | "scan":
                return [f"{target} = {var} |> {self.block(type, depth - 1)} as {self.fresh('c')}"]
            case "each":
                pattern = "b d -> 3 b d" if type == TABLE else "d -> 3 d"
                block, name = self.block(type, depth - 1), self.fresh("e")
                return [f'{target} = (({var} |> expand["{pattern}"]) |> each[0, {block}] as {name}) |> sum[0]']
            case "grad":
                return [f"{target} = grad[{self.block(type, depth - 1, scalar=True)}]({var})"]
            case _:
                back = self.fresh("B")
                inner = self.block(type, depth - 1)
                self.blocks.append(
                    f"block {back}(x: {type}, g: {type}) -> {type}:\n    return g |> {inner} as {self.fresh('c')}\n"
                )
                return [f"{target} = custom_grad[{self.block(type, depth - 1)}, {back}]({var})"]


def program(seed: int) -> str:
    """The program of a seed."""
    writer = Writer(Random(seed))
    body = writer.body("x", TABLE, 3)
    lines = "".join(f"    {line}\n" for line in [*body, "return x"])
    head = "use std.nn (Linear)\n" + "".join(writer.blocks)
    return f"{head}block Main(x: [b, 4]) -> [b, 4]:\n{lines}\nmodel M = Main\n"
