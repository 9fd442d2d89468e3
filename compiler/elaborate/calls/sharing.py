"""An instance handed to a block as a static: its weights stay where they are, and are supplied at every call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ogive.compiler.elaborate.calls.call_consistency import open_to_all
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.control import StatementFailed
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.values import Composite, Handed, InstanceValue, Template
from ogive.compiler.elaborate.state.weight_paths import snake
from ogive.compiler.ir.model import Definition
from ogive.compiler.ir.weights import loops_in, weight_types
from ogive.grammar.diagnostics import Label
from ogive.grammar.source import Span


def borrowed(value: Any, place: str, shared: dict[str, InstanceValue]) -> Any:
    """A static without instances: each becomes a block of its kind that the callee allocates at a place below it.

    `shared` is told which instance stands at which place.
    """
    match value:
        case InstanceValue():
            shared[place] = value
            return Handed(_template(value))
        case Handed(value=Composite(parts=parts)) | Composite(parts=parts):
            if not any(isinstance(part, InstanceValue) for part in parts):
                return value
            return Handed(Composite(tuple(_parts(parts, place, shared))))
        case Handed(value=Template(block=block, statics=statics, span=span)):
            given = tuple((name, borrowed(static, f"{place}.{name}", shared)) for name, static in statics)
            return Handed(Template(block, given, span))
        case _:
            return value


def _template(instance: InstanceValue) -> Template:
    known = {**instance.bound, **instance.statics}
    given = [
        (decl.name, known[decl.name])
        for decl in instance.block.tree.statics
        if decl.name in instance.statics or (decl.default is None and decl.name in known)
    ]
    return Template(instance.block, tuple(given), instance.span)


def _parts(parts: tuple[Any, ...], place: str, shared: dict[str, InstanceValue]) -> Iterator[Any]:
    """The members of a composition, at the places that the callee gives them."""
    taken: set[str] = set()
    for part in parts:
        if not isinstance(part, (InstanceValue, Template, BlockRef)):
            yield part
            continue
        base = snake(part.name if isinstance(part, BlockRef) else part.block.name)
        free, number = base, 1
        while free in taken:
            number += 1
            free = f"{base}_{number}"
        taken.add(free)
        if isinstance(part, InstanceValue):
            shared[f"{place}.{free}"] = part
            yield _template(part)
        else:
            yield part


def weights(frame: Frame, instance: InstanceValue, definition: Definition, span: Span) -> dict[str, Tensor]:
    """The weights of the instances that were handed to `instance`, which `definition` has, by their paths below it."""
    found: dict[str, Tensor] = {}
    wanted = [path for path, _ in weight_types(definition, {})]
    for place, held in instance.shared.items():
        use = frame.session.use_of(frame, held, span)
        if use is None:
            raise StatementFailed
        open_to_all(frame, held, held.bound or held.statics, span)  # calls in there may give what those here leave out
        held.used = True
        for path, type in weight_types(use.definition, dict(use.bindings)):
            where = f"{held.path}.{path}"
            held.stored.add(path)
            frame.alloc.read.add(where)
            if f"{place}.{path}" in wanted:  # the calls in there may leave out what needs it
                found[f"{place}.{path}"] = frame.builder.weight(where, type, span, loops_in(path))
        missing = next((path for path in wanted if path.startswith(f"{place}.") and path not in found), None)
        if missing is not None:
            raise frame.fail(
                "E0412",
                f"`{instance.path}` applies `{held.path}` in a way that needs the weight `{missing}`: it has none here",
                span,
                labels=(Label(held.span, "made here"),),
            )
    return found
