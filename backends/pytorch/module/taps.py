"""Taps: values that a caller of the model may ask to see, by path."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.backends.python_text.expr import NONE, Code, call, conditional, formatted, is_given, method, name
from ogive.backends.python_text.names import fresh
from ogive.backends.python_text.wrap import signature, statement
from ogive.backends.pytorch.module.writer import Writer
from ogive.compiler.ir.model import Node

CLASS = '''
class Taps:
    """Values that a caller asked to see, by path; those of the steps of a loop in a list."""

    def __init__(self, values: dict[str, list[Tensor]], place: str = "") -> None:
        self.values = values
        self.place = place

    def put(self, path: str, value: Tensor) -> None:
        self.values.setdefault(self.place + path, []).append(value)

    def under(self, path: str) -> "Taps":
        return Taps(self.values, f"{self.place}{path}.")

    def found(self, path: str) -> Tensor:
        """The value at a path; `*` stands for all turns of a loop, whose values are stacked."""
        head, star, rest = str(path).partition("*")
        if not star and path in self.values:
            values = self.values[path]
            return values[0] if len(values) == 1 else torch.stack(values)
        under = [name[len(head) :] for name in self.values if name.startswith(head)]
        below = {name.split(".")[0] for name in under if star}
        turns = sorted(int(name) for name in below if name.isdecimal())
        if not turns:
            places = (name.split(".") for name in self.values)
            starred = (["*" if x.isdecimal() else x for x in place] for place in places)
            there = ", ".join(dict.fromkeys(map(".".join, starred)))
            raise ValueError(f"no tap `{path}`; there are {there or 'none'}")
        return torch.stack([self.found(f"{head}{turn}{rest}") for turn in turns])
'''
AROUND = '''
def around(taps: Taps, count: int) -> Taps:
    """The taps of what holds an iteration, whose place has so many names."""
    return Taps(taps.values, "".join(f"{name}." for name in taps.place.split(".")[: -count - 1]))
'''


def tap(writer: Writer, node: Node, label: str) -> None:
    """`if taps is not None: taps.put("p", p)`."""
    scope = writer.scope
    scope.flush(keep=node.operands)
    scope.frames[-1].now = False
    (value,) = writer.args(node)
    scope.consume(node)
    if not scope.asked:
        scope.line(f"if {writer.tapping()} is not None:")
        scope.indent += 4
    path = node.path or label
    there = name("taps") if writer.unit.own(path) is not None else outside(writer)
    scope.line(str(method(there, "put", place(writer, path), value)))
    if not scope.asked:
        scope.indent -= 4


def place(writer: Writer, path: str) -> Code:
    """A path below the unit as a text, with the numbers of the iterations of loops that are written in place."""
    own = writer.unit.own(path) or path
    indices = [name(i) for loop, i in writer.turns.items() if own.startswith(f"{writer.unit.own(loop) or loop}.*")]
    first, *rest = own.split("*", len(indices))
    return formatted([first, *(part for pair in zip(indices, rest, strict=True) for part in pair)])


def under(writer: Writer, path: str) -> Code:
    """What a callee puts its taps under: its path, if it has one (calls of functions have none)."""
    taps = writer.tapping()
    if not path and not writer.unit.prefix:
        return taps
    below = method(taps, "under", place(writer, path)) if path else outside(writer)
    return below if writer.scope.asked else conditional(below, is_given(taps), NONE)


def outside(writer: Writer) -> Code:
    """Where the taps of the definition stand, in a class of an iteration of its loops."""
    return call(writer.helper("around"), name("taps"), len(writer.unit.prefix.split(".")))


def entry(items: Sequence[str], names: Sequence[str], *, draws: bool) -> list[str]:
    """The `forward` of a model with taps; what it does otherwise is `run`."""
    seen = fresh("seen", names)
    outputs = fresh("outputs", (*names, seen))
    args = ", ".join([*names, *(["generator=generator"] if draws else [])])
    body = ["if not taps:", f"    return self.run({args})", f"{seen} = Taps({{}})",
            f"{outputs} = self.run({f'{args}, ' if args else ''}taps={seen})",
            f"return {outputs}, {{path: {seen}.found(path) for path in taps}}"]  # fmt: skip
    doc = '"""The outputs; with `taps`, also what stands at these paths (`*` for all iterations of a loop), by path."""'
    lines = [
        *signature(
            "def forward",
            [*items, "taps: Sequence[str] = ()", *(["generator: torch.Generator | None = None"] if draws else [])],
            " -> Any:",
            4,
        ),
        f"        {doc}",
    ]
    for text in body:
        lines += statement(text.strip(), 8 + len(text) - len(text.lstrip()))
    return [*lines, ""]
