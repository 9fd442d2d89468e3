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
from ogive.backends.python_text.functions.writer import Writer
from ogive.backends.python_text.names import fresh
from ogive.backends.python_text.statements import Assign, Evaluate, FunctionDef, If, Parameter, Return
from ogive.compiler.ir.model import Node


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
    indices = [name(i) for loop, i in writer.iterations.items() if own.startswith(f"{writer.unit.own(loop) or loop}.*")]
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


def entry(
    items: Sequence[Parameter], names: Sequence[str], generator: Parameter | None, reserved: frozenset[str]
) -> FunctionDef:
    """The `forward` of a model with taps; what it does otherwise is `run`."""
    taps, seen = name("taps"), name(fresh("seen", names, reserved))
    outputs = name(fresh("outputs", (*names, str(seen)), reserved))
    args = list(map(name, names))
    settings = {generator.name: name(generator.name)} if generator is not None else {}
    found = dict_of_each(name("path"), method(seen, "found", name("path")), "path", taps)
    body = (
        If(prefix("not", taps), (Return(call("self.run", *args, **settings)),)),
        Assign(seen, call("Taps", dict_of(()))),
        Assign(outputs, call("self.run", *args, **settings, taps=seen)),
        Return(tuple_of([outputs, found])),
    )
    asked = Parameter("taps", subscript(name("Sequence"), name("str")), tuple_of(()))
    doc = "The outputs; with `taps`, also what stands at these paths (`*` for all iterations of a loop), by path."
    more = [generator] if generator is not None else []
    return FunctionDef("forward", (*items, asked, *more), name("Any"), body, (doc,))


def or_none(kind: Code) -> Code:
    """`kind | None`."""
    return binary(kind, "|", NONE)


TAPS = Parameter("taps", or_none(name("Taps")), NONE)
