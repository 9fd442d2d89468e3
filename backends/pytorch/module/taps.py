"""Taps: values that a caller of the model may ask to see, by path."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.backends.python_text.expr import (
    NONE,
    Code,
    binary,
    call,
    conditional,
    dict_of,
    dict_of_each,
    formatted,
    is_given,
    method,
    name,
    prefix,
    subscript,
    tuple_of,
)
from ogive.backends.python_text.statements import Assign, Evaluate, FunctionDef, If, Parameter, Return
from ogive.backends.pytorch.module.writer import Writer
from ogive.backends.pytorch.names import fresh
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
    return Taps(
        taps.values, "".join(f"{name}." for name in taps.place.split(".")[: -count - 1])
    )
'''


def tap(writer: Writer, node: Node, label: str) -> None:
    """`if taps is not None: taps.put("p", p)`."""
    scope = writer.scope
    scope.flush(keep=node.operands)
    scope.frames[-1].now = False
    (value,) = writer.args(node)
    scope.consume(node)
    path = node.path or label
    test = is_given(writer.tapping()) if not scope.asked else None
    there = name("taps") if writer.unit.own(path) is not None else outside(writer)
    put = Evaluate(method(there, "put", place(writer, path), value or NONE))
    scope.add(put if test is None else If(test, (put,)))


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


def entry(items: Sequence[Parameter], names: Sequence[str], *, draws: bool) -> FunctionDef:
    """The `forward` of a model with taps; what it does otherwise is `run`."""
    taps, seen = name("taps"), name(fresh("seen", names))
    outputs = name(fresh("outputs", (*names, str(seen))))
    args = list(map(name, names))
    settings = {"generator": name("generator")} if draws else {}
    found = dict_of_each(name("path"), method(seen, "found", name("path")), "path", taps)
    body = (
        If(prefix("not", taps), (Return(call("self.run", *args, **settings)),)),
        Assign(seen, call("Taps", dict_of(()))),
        Assign(outputs, call("self.run", *args, **settings, taps=seen)),
        Return(tuple_of([outputs, found])),
    )
    asked = Parameter("taps", subscript(name("Sequence"), name("str")), tuple_of(()))
    doc = "The outputs; with `taps`, also what stands at these paths (`*` for all iterations of a loop), by path."
    return FunctionDef("forward", (*items, asked, *([GENERATOR] if draws else [])), name("Any"), body, (doc,))


def or_none(kind: str) -> Code:
    """`kind | None`."""
    return binary(name(kind), "|", NONE)


GENERATOR = Parameter("generator", or_none("torch.Generator"), NONE)
TAPS = Parameter("taps", or_none("Taps"), NONE)
