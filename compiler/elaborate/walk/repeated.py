"""`repeat[n, F]`: F n times, each with weights of its own; of a list of k blocks, iteration i takes entry i % k."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogive.compiler.elaborate.calls.instances import allocate
from ogive.compiler.elaborate.rules import operations
from ogive.compiler.elaborate.rules.builtins import BUILTINS
from ogive.compiler.elaborate.rules.checker import present
from ogive.compiler.elaborate.rules.forms import FORMS
from ogive.compiler.elaborate.state.allocation import WeightScope
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.control import UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.partly import operand, region_input, same_type, seen
from ogive.compiler.elaborate.state.values import (
    BROKEN,
    Composite,
    InstanceValue,
    OpTemplate,
    RepeatedBlock,
    Template,
    TypedBlock,
    UnknownStatic,
    kind_of,
)
from ogive.compiler.elaborate.walk.apply import apply
from ogive.compiler.ir.attributes import RepeatAttrs
from ogive.compiler.ir.model import Loop
from ogive.compiler.sizes import Size, ge
from ogive.grammar import syntax
from ogive.grammar.source import Span

TEMPLATES = (BlockRef, Template, OpTemplate, Composite, TypedBlock)


def make(frame: Frame, tree: syntax.Brackets) -> Any:
    """The value of `repeat[n, F]` and of `repeat[n, [F, G]]`."""
    items = [item for item in tree.items if isinstance(item, syntax.Expr)]
    if len(items) != len(tree.items) or len(items) != 2:
        raise frame.fail("E0403", f"`repeat` is written `{FORMS['repeat'].written}`", tree.span)
    count = frame.evaluate(items[0])
    if isinstance(count, UnknownStatic):
        raise UnresolvedChoice(count.name, items[0].span)
    cycled = isinstance(items[1], syntax.ListExpr)
    parts = items[1].items if isinstance(items[1], syntax.ListExpr) else (items[1],)
    found = [(frame.session.handed(frame, part), part.span) for part in parts if isinstance(part, syntax.Expr)]
    if len(found) == 1 and isinstance(found[0][0], tuple):  # a list that has a name
        cycled, found = True, [(value, found[0][1]) for value in found[0][0]]
    if count is BROKEN or any(value is BROKEN for value, _ in found):
        return BROKEN
    if not isinstance(count, Size) or not frame.proof.infer(ge(count, 0), items[0].span, "`repeat` demands"):
        shown = count if isinstance(count, Size) else kind_of(count)
        raise frame.fail("E0407", f"`repeat` needs a number of iterations, 0 or more; this is {shown}", items[0].span)
    if not found:
        raise frame.fail("E0411", "`repeat` takes a block, or a list of at least one", items[1].span)
    for value, span in found:
        if isinstance(value, UnknownStatic):
            raise UnresolvedChoice(value.name, span)
        if not isinstance(value, TEMPLATES):
            help_ = "`repeat[n, Layer[d, ...]]`: brackets that end in `...` leave the allocation to `repeat`"
            if isinstance(value, InstanceValue):
                help_ += "; to share the weights of one instance, apply it in the body of `repeat n:`"
            raise frame.fail("E0411", f"`repeat` takes a template, this is {kind_of(value)}", span, help=help_)
    return RepeatedBlock(count, tuple(value for value, _ in found), cycled and len(found) > 1, tree.span)


def repeated(
    frame: Frame, func: RepeatedBlock, args: Sequence[Any], span: Span, node: syntax.Expr, name: str | None,
    spans: Sequence[Span],
) -> Any:  # fmt: skip
    """Apply the blocks to the first operand, which each gives to the next; the others are seen whole by each."""
    if any(arg is BROKEN for arg in args):
        return BROKEN
    if not args:
        raise frame.fail("E0405", "`repeat` is applied to what it carries: `x |> repeat[n, F]`", span)
    first = present(frame, seen(frame, args[0]), (*spans, span)[0])
    if not isinstance(first, Tensor):
        raise frame.fail("E0405", f"`repeat` carries a tensor, this is {kind_of(first)}", (*spans, span)[0])
    hint = first.home.hints.get(first.name) or first.name.split(".")[0]
    hint = "x" if hint == "v" else hint
    path = frame.path_for(node, "layers", name, span)
    if func.cycled:
        numbers = operations.builtin(frame, BUILTINS["range"], [func.count], func.span, [func.span])
        if numbers is BROKEN:
            return BROKEN
        value = first
        with frame.alloc.inside(WeightScope(path, {})):
            for number in range(len(numbers)):
                block = func.blocks[number % len(func.blocks)]
                made = _iteration(frame, block, (value, *args[1:]), str(number), span, node, spans)
                value = _same(frame, first, made, span)
                if value is BROKEN:
                    return BROKEN
                frame.builder.rename(value, hint)
        return value
    frame.alloc.add(Loop(path, func.count))
    with frame.region() as inner:
        carried = region_input(inner, hint, first, first.type)
        with frame.alloc.inside(WeightScope(path, {})):
            made = _iteration(frame, func.blocks[0], (carried, *args[1:]), "*", span, node, spans)
        result = _same(frame, first, made, span)
        if result is BROKEN:
            return BROKEN
        graph = inner.finish((inner.use(result),))
        captured = inner.captured()
    inputs = [frame.builder.use(tensor) for tensor in (first, *captured)]
    told = RepeatAttrs(func.count, 1, 0, None, path)
    return frame.builder.node(told, tuple(inputs), (first.type,), regions=(graph,), span=span, hints=(hint,))[0]


def _iteration(
    frame: Frame, block: Any, args: Sequence[Any], name: str, span: Span, node: syntax.Expr, spans: Sequence[Span]
) -> Any:
    """What one block gives. Its weights stand at the number of the iteration; those of a composition below it."""
    if isinstance(block, Composite):
        with frame.alloc.inside(WeightScope(frame.alloc.path_of(name), {})):
            parts = tuple(
                allocate(frame, part, syntax.Name(id=f"part{at}", span=span), span)
                if isinstance(part, (Template, BlockRef))
                else part
                for at, part in enumerate(block.parts)
            )
            return apply(frame, Composite(parts), args, span, node=node, spans=spans)
    return apply(frame, block, args, span, node=node, name=name, spans=spans)


def _same(frame: Frame, first: Tensor, made: Any, span: Span) -> Any:
    """The result of an iteration, which the next one takes: of the type of the first operand."""
    if made is BROKEN:
        return BROKEN
    result = operand(seen(frame, made)) if not isinstance(made, tuple) else None
    if result is None:
        shown = f"{len(made)} values" if isinstance(made, tuple) else kind_of(made)
        raise frame.fail(
            "E0302",
            f"a block that is repeated gives one tensor, here are {shown}",
            span,
            help="it is the first operand of the next iteration; what carries several is written `repeat n as layers:`",
        )
    if not same_type(frame, first.type, result.type):
        raise frame.fail(
            "E0302",
            f"what `repeat` carries changes its type, from {first.type} to {result.type}",
            span,
            help="each iteration must give what it takes; `for` unrolls a compile-time list, there types may change",
        )
    return result
