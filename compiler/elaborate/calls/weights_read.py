"""Weights of instances read by name: `wte.weight`; and as numbers of a block: `count[F]`, `initial[F]`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ogive.compiler.elaborate.calls.supplied import elements, initial_values
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.control import UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.values import BROKEN, InstanceValue, Template, UnknownStatic, WeightRef, kind_of
from ogive.compiler.ir.weights import loops_in, weight_types
from ogive.grammar import syntax
from ogive.grammar.source import Span


def weight_of(frame: Frame, ref: WeightRef, span: Span) -> Any:
    """`wte.weight`: the weight as a tensor, or the reference where the path is not at a weight yet."""
    instance = ref.instance
    specialization = frame.session.use_of(frame, instance, span)
    if specialization is None:
        return BROKEN
    kinds = dict(weight_types(specialization.definition, dict(specialization.bindings)))
    path = _found(kinds, ref.path)
    if path is not None:
        instance.used = True
        where = f"{instance.path}.{path}"
        frame.alloc.read.add(where)
        instance.stored.add(path)
        return frame.builder.weight(where, kinds[path], span, loops_in(path))
    if any(_named(each)[: len(ref.path)] == ref.path for each in kinds):
        return ref
    known = ", ".join(f"`{w.path}`" for w in specialization.definition.weights)
    raise frame.fail(
        "E0201",
        f"`{instance.block.name}` has no weight `{'.'.join(ref.path)}`",
        span,
        help=f"its weights: {known}" if known else "it has no weights of its own",
    )


def numbers(frame: Frame, name: str, tree: syntax.Brackets) -> Any:
    """`count[F]`: how many learned numbers a block holds, which may depend on sizes. `initial[F]`: how they start."""
    if len(tree.items) != 1 or not isinstance(tree.items[0], syntax.Expr):
        raise frame.fail("E0403", f"`{name}` takes one block: `{name}[F]`", tree.span)
    if name == "initial" and frame.alloc.initialized is None:
        raise frame.fail("E0411", "`initial` stands in the initializer of a `param` or a `state`", tree.span)
    func = frame.session.handed(frame, tree.items[0])
    if isinstance(func, BlockRef):
        func = Template(func)
    if isinstance(func, Template):
        func = InstanceValue(func.block, dict(func.statics), "", tree.span)
    if isinstance(func, UnknownStatic):
        raise UnresolvedChoice(func.name, tree.span)
    if not isinstance(func, InstanceValue):
        raise frame.fail("E0411", f"`{name}` takes a block, this is {kind_of(func)}", tree.span)
    use = frame.session.use_of(frame, func, tree.span)
    if use is None:
        return BROKEN
    if name == "initial":
        return initial_values(frame, use, tree.span)
    return elements(use.definition, dict(use.bindings))


def _found(paths: Iterable[str], wanted: tuple[str, ...]) -> str | None:
    """The path that a name means: iterations are left out, or the numbers of unrolled ones written."""
    exact = next((path for path in paths if _named(path) == wanted), None)
    if exact is not None:
        return exact
    loose = [path for path in paths if tuple(part for part in _named(path) if not part.isdigit()) == wanted]
    return loose[0] if len(loose) == 1 else None


def _named(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split(".") if part != "*")
