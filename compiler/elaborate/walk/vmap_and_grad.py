"""`over[axis, f]` and `each[axis, F]`, `grad[f]`, `custom_grad[f, b]`: functions of functions, as regions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ogive.compiler.elaborate.rules import statics
from ogive.compiler.elaborate.rules.checker import RuleChecker, absent, present
from ogive.compiler.elaborate.rules.forms import FORMS
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.control import UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.partly import operand, partly, region_input, seen
from ogive.compiler.elaborate.state.values import (
    BROKEN,
    Absent,
    AxisRef,
    Builtin,
    Composite,
    Gradient,
    InstanceValue,
    OpTemplate,
    Template,
    TypedBlock,
    UnknownStatic,
    VectorizedBlock,
    kind_of,
)
from ogive.compiler.elaborate.walk.apply import apply
from ogive.compiler.ir.attributes import CustomGradAttrs, EachAttrs, GradAttrs, OverAttrs
from ogive.compiler.ir.model import Graph
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir_tools.effects import Effect, Effects
from ogive.compiler.ops import NAMED
from ogive.compiler.ops.empty import some
from ogive.compiler.sizes import Size
from ogive.grammar import syntax
from ogive.grammar.source import Span

NAMES = ("over", "each", "grad", "custom_grad")


def make(frame: Frame, name: str, tree: syntax.Brackets) -> Any:
    """The value of `over[...]`, `each[...]`, `grad[...]`, `custom_grad[...]`."""
    items = [item for item in tree.items if isinstance(item, syntax.Expr)]
    wanted = {"grad": 1}.get(name, 2)
    if len(items) != len(tree.items) or len(items) != wanted:
        raise frame.fail("E0403", f"`{name}` is written `{FORMS[name].written}`", tree.span)
    if name in ("grad", "custom_grad"):
        funcs = [_function(frame, item, name) for item in items]
        if len(funcs) > 1:
            return Gradient(funcs[0], funcs[1], tree.span, items[1])
        return Gradient(funcs[0], None, tree.span)
    axis = statics.axis_value(frame, items[0])
    if isinstance(axis, UnknownStatic):
        raise UnresolvedChoice(axis.name, items[0].span)
    func = _function(frame, items[1], name)
    if not isinstance(axis, AxisRef) or func is BROKEN:
        return BROKEN
    if name == "each" and not isinstance(func, (BlockRef, Template, Composite, TypedBlock)):
        raise frame.fail(
            "E0411",
            f"`each` takes a template, this is {kind_of(func)}",
            items[1].span,
            help="`each[e, Linear[d, d, ...]]`: brackets that end in `...` leave the allocation to `each`; "
            "`over[e, f]` shares the weights",
        )
    return VectorizedBlock(name, axis.where, func, tree.span)


def _function(frame: Frame, tree: syntax.Expr, name: str) -> Any:
    if name == "each":  # brackets and compositions stay templates: `each` allocates them, stacked
        value = frame.session.handed(frame, tree)
    else:
        value = frame.evaluate(tree)
    blocks = (BlockRef, Template, InstanceValue, OpTemplate, Composite, TypedBlock, VectorizedBlock, Gradient)
    if isinstance(value, Builtin) and value.name in NAMED:  # `sqrt` is a function of compile time too
        return OpTemplate(NAMED[value.name], span=tree.span)
    if isinstance(value, UnknownStatic):
        raise UnresolvedChoice(value.name, tree.span)
    if value is BROKEN or isinstance(value, blocks):
        return value
    raise frame.fail("E0411", f"`{name}` takes a block, this is {kind_of(value)}", tree.span)


# --- over and each ----------------------------------------------------------------------------------------------------


def vectorize(
    frame: Frame,
    func: VectorizedBlock,
    args: Sequence[Any],
    span: Span,
    node: syntax.Expr,
    name: str | None,
    spans: Sequence[Span],
) -> Any:
    """Apply a block at every index of an axis, as one region that backends run batched."""
    if any(arg is BROKEN for arg in args):
        return BROKEN
    more = [value for _, (value, _) in func.supplied]
    if any(value is BROKEN for value in more):
        return BROKEN
    values = [seen(frame, value) for value in (*args, *more)]
    tensors = _tensors(frame, func.kind, values, span, (*spans, *(i.span for _, (_, i) in func.supplied)))
    places = [None if tensor is None else _place(frame, func, tensor, span) for tensor in tensors]
    size = _length(frame, func, tensors, places, span)
    label = func.axis if isinstance(func.axis, str) else None
    mapped = [(t, p) for t, p in zip(tensors, places, strict=True) if t is not None and p is not None]
    with frame.region() as inner:
        given: list[Any] = []
        for value, tensor, place in zip(values, tensors, places, strict=True):
            if tensor is None or place is None:
                given.append(value)
            else:
                axes = tuple(a for i, a in enumerate(tensor.type.axes) if i != place)
                given.append(region_input(inner, tensor.name.split(".")[0], tensor, tensor.type.with_axes(*axes)))
        operands, rest = given[: len(args)], given[len(args) :]
        supplied = {n: (value, item) for (n, (_, item)), value in zip(func.supplied, rest, strict=True)}
        with frame.alloc.stacking(size if func.kind == "each" else frame.alloc.stacked):
            result = apply(frame, func.func, operands, span, node=node, name=name, spans=spans, supplied=supplied)
        found = result if isinstance(result, tuple) else (result,)
        there = [operand(r) for r in found]
        if any(r is BROKEN for r in found):
            return BROKEN
        if any(r is None and not isinstance(value, Absent) for r, value in zip(there, found, strict=True)):
            raise frame.fail("E0411", f"`{func.kind}` vectorizes a block that gives tensors", span)
        results = [r for r in there if r is not None]
        graph = inner.finish(tuple(inner.use(r) for r in results))
        captured = inner.captured()
    if func.kind == "each" and _foreign(graph):
        raise frame.fail(
            "E0411",
            "`each` stacks weights, and those of an `extern` block are its own",
            span,
            help="`over` shares one; for one of each, allocate them in a `for` and `stack` what they give",
        )
    if func.kind == "over" and Effects().of_graph(graph) & Effect.WRITES:  # the mean of what the indices make of it
        some(RuleChecker(frame, "", span), Axis(size), "over")
    first = mapped[0][1] if mapped else 0
    outs, types = [], []
    for r in results:
        place = first if first <= len(r.type.axes) else 0
        axis = Axis(size, label if mapped and label else _label(mapped))
        outs.append(place)
        types.append(TensorType(r.type.elem, (*r.type.axes[:place], axis, *r.type.axes[place:])))
    kind = EachAttrs if func.kind == "each" else OverAttrs
    told = kind(size, len(mapped), tuple(p for _, p in mapped), tuple(outs))
    inputs = [frame.builder.use(t) for t, _ in mapped] + [frame.builder.use(t) for t in captured]
    made = iter(frame.builder.node(told, tuple(inputs), tuple(types), regions=(graph,), span=span))
    outer = tuple(_outside(frame, value, r, made) for value, r in zip(found, there, strict=True))
    return outer if isinstance(result, tuple) else outer[0]


def _outside(frame: Frame, value: Any, inner: Tensor | None, made: Iterator[Tensor]) -> Any:
    """A result of a region outside of it: it is there where it is inside."""
    if inner is None:
        return value
    return partly(frame, getattr(value, "name", ""), [(inner.when, next(made))], inner.introduced)


def _foreign(graph: Graph) -> bool:
    """Whether a graph, or a block that it applies, holds a module of the user's own."""
    callees = {id(node.callee): node.callee for node in graph.walk() if node.callee is not None}
    return any(node.op == "extern" for node in graph.walk()) or any(_foreign(d.graph) for d in callees.values())


def _label(mapped: Sequence[tuple[Tensor, int]]) -> str | None:
    return mapped[0][0].type.axes[mapped[0][1]].label if mapped else None


def _tensors(frame: Frame, kind: str, args: Sequence[Any], span: Span, spans: Sequence[Span]) -> list[Tensor | None]:
    """The operands. One that may be absent is for an optional input; None for one that is."""
    for index, arg in enumerate(args):
        if operand(arg) is None and not isinstance(arg, Absent):
            place = spans[index] if index < len(spans) else span
            raise frame.fail("E0405", f"`{kind}` is applied to tensors, this is {kind_of(arg)}", place)
    found = [operand(arg) for arg in args]
    if args and not any(found):
        raise absent(frame, args[0], (*spans, span)[0])
    return found


def _place(frame: Frame, func: VectorizedBlock, tensor: Tensor, span: Span) -> int | None:
    """Where the axis is in an operand; None for an operand that lacks the label: every index sees the whole of it."""
    axes = tensor.type.axes
    if isinstance(func.axis, int):
        place = func.axis + (len(axes) if func.axis < 0 else 0)
        if not 0 <= place < len(axes):
            raise frame.fail("E0304", f"`{func.kind}`: there is no axis {func.axis} in {tensor.type}", span)
    else:
        found = [i for i, axis in enumerate(axes) if axis.label == func.axis]
        if len(found) > 1:
            raise frame.fail("E0305", f"the label `{func.axis}` appears twice in {tensor.type}", span)
        if not found:
            return None
        place = found[0]
    if axes[place].pack is not None:
        raise frame.fail("E0304", f"`{func.kind}` along `{axes[place]}`, any number of axes", span)
    return place


def _length(
    frame: Frame, func: VectorizedBlock, tensors: Sequence[Tensor | None], places: Sequence[int | None], span: Span
) -> Size:
    """The size of the axis: all operands that have it agree; an ensemble over none takes the size of that name."""
    pairs = zip(tensors, places, strict=True)
    sizes = [t.type.axes[p].size for t, p in pairs if t is not None and p is not None]
    if not sizes:
        known = frame.scope.variables.get(func.axis) if func.kind == "each" and isinstance(func.axis, str) else None
        if isinstance(known, Size):
            return known
        raise frame.fail("E0305", f"`{func.kind}`: no operand has an axis labelled `{func.axis}`", span)
    checker = RuleChecker(frame, func.kind, span)
    for other in sizes[1:]:
        checker.equal(sizes[0], other, f"its axis is `{sizes[0]}` in one operand and `{other}` in another")
    return sizes[0]


# --- derivatives ------------------------------------------------------------------------------------------------------


def gradient(
    frame: Frame, func: Gradient, args: Sequence[Any], span: Span, node: syntax.Expr, spans: Sequence[Span]
) -> Any:
    """`grad[f](x, ...)`: the derivative of a scalar block in its first operand, of that operand's type.

    `custom_grad[f, b](x)`: the value of `f(x)`, with the derivative that `b(x, g)` gives.
    """
    if any(arg is BROKEN for arg in args) or func.func is BROKEN or func.backward is BROKEN:
        return BROKEN
    values = [seen(frame, arg) for arg in args]
    values[:1] = [present(frame, value, (*spans, span)[0]) for value in values[:1]]
    operands = _tensors(frame, "grad", values, span, spans)
    if not operands or operands[0] is None or not operands[0].type.floating:
        raise frame.fail("E0405", "`grad` needs a float tensor to derive by", span)
    tensors = [tensor for tensor in operands if tensor is not None]
    built = _region(frame, func.func, values, span, node)
    if built is None:
        return BROKEN
    graph, result, captured = built
    inputs = [*(frame.builder.use(t) for t in tensors), *(frame.builder.use(t) for t in captured)]
    if func.backward is None:
        if result.type.axes:
            raise frame.fail(
                "E0301",
                f"`grad` derives a block that gives a scalar `[]`, this gives {result.type}",
                span,
                help="sum over the axes: `sum(y)`; `over[b, grad[f]]` derives for each element",
            )
        kinds = (tensors[0].type,)
        return frame.builder.node(GradAttrs(len(tensors)), tuple(inputs), kinds, regions=(graph,), span=span)[0]
    return _custom(frame, func, tensors, graph, result, inputs, span, node)


def _region(frame: Frame, func: Any, values: Sequence[Any], span: Span, node: syntax.Expr) -> Any:
    with frame.region() as inner:
        operands = [(value, operand(value)) for value in values]
        given = [
            value if tensor is None else region_input(inner, tensor.name.split(".")[0], tensor, tensor.type)
            for value, tensor in operands
        ]
        result = apply(frame, func, given, span, node=node)
        if not isinstance(result, Tensor):
            if result is BROKEN:
                return None
            raise frame.fail("E0411", "a derivative needs a block that gives one tensor", span)
        graph = inner.finish((inner.use(result),))
        return graph, result, inner.captured()


def _custom(
    frame: Frame,
    func: Gradient,
    tensors: Sequence[Tensor],
    graph: Any,
    result: Tensor,
    inputs: list[str],
    span: Span,
    node: syntax.Expr,
) -> Any:
    if len(tensors) != 1:
        raise frame.fail("E0405", "`custom_grad` takes one tensor", span)
    surrogate = Tensor(result.name, result.type, result.home, result.introduced)
    with frame.region() as inner:
        given = [inner.input("x", tensors[0].type, span), inner.input("g", surrogate.type, span)]
        back = apply(frame, func.backward, given, span, node=func.behind or node)
        if not isinstance(back, Tensor):
            return BROKEN
        if back.type != tensors[0].type:
            raise frame.fail("E0301", f"the derivative is {back.type}, the operand {tensors[0].type}", span)
        backward = inner.finish((inner.use(back),))
        more = inner.captured()
    told = CustomGradAttrs(len(inputs) - 1)
    inputs = [*inputs, *(frame.builder.use(t) for t in more)]
    kinds = (result.type,)
    return frame.builder.node(told, tuple(inputs), kinds, regions=(graph, backward), span=span)[0]
