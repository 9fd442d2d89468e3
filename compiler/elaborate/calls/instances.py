"""Instances: allocated where brackets of a block stand, applied to tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogive.compiler.elaborate.calls import listed
from ogive.compiler.elaborate.calls.sharing import borrowed
from ogive.compiler.elaborate.modules.statics_advice import whole
from ogive.compiler.elaborate.rules.checker import absent
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.control import StatementFailed, UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.partly import seen
from ogive.compiler.elaborate.state.values import (
    BROKEN,
    Absent,
    InstanceValue,
    Partly,
    Template,
    UnknownStatic,
    is_number,
    kind_of,
)
from ogive.compiler.elaborate.state.weight_paths import snake
from ogive.grammar import syntax
from ogive.grammar.source import Span


def allocate(frame: Frame, func: BlockRef | Template, node: syntax.Expr, span: Span, name: str | None = None) -> Any:
    """Make an instance at a site. A block without inputs is applied at once."""
    template = Template(func) if isinstance(func, BlockRef) else func
    if frame.block is None or not frame.alloc.scopes:  # a constant, or a header
        raise frame.fail("E0411", "a block is not allocated here", span)
    path = frame.path_for(node, snake(template.block.name), name, span)
    shared: dict[str, InstanceValue] = {}
    statics = {key: borrowed(value, key, shared) for key, value in template.statics}
    instance = InstanceValue(template.block, statics, path, span, shared=shared)
    instance.member = frame.alloc.add(None)
    instance.vectorized = frame.alloc.stacked
    frame.alloc.instances.append(instance)
    if not template.block.tree.inputs:
        instance.used = True
        return apply_instance(frame, instance, (), span, (), {})
    return instance


def apply_instance(
    frame: Frame,
    instance: InstanceValue,
    args: Sequence[Any],
    span: Span,
    spans: Sequence[Span],
    supplied: dict[str, Any],
) -> Any:
    """The results of an instance on its inputs, some of them given by name; what else is named are its weights."""
    origin = instance.block.lists.block if instance.block.lists is not None else instance.block
    tree = origin.tree
    named = {each.name: each for each in tree.inputs}
    values: list[Any] = list(args)
    weights: list[tuple[str, Any, Any]] = []
    for name, (value, item) in supplied.items():
        if name in named:
            index = list(named).index(name)
            if index < len(args):
                raise frame.fail("E0403", f"`{name}` is given twice", item.name_span)
            while len(values) <= index:
                values.append(None)
            values[index] = value
        elif name in {s.name for s in tree.statics} and not isinstance(value, Tensor) and value is not BROKEN:
            raise frame.fail(
                "E0403",
                f"`{name}` of `{tree.name}` is a setting, not a tensor",
                item.name_span,
                help=f"settings stand in brackets: `{tree.name}[..., {item.span.text}](x)`",
            )
        else:
            weights.append((name, value, item))
    if any(v is BROKEN for v in values):
        return BROKEN
    least = sum(not each.type.optional for each in tree.inputs)
    if not least <= len(values) <= len(tree.inputs):
        for name, _, item in weights:
            help_ = "its inputs: " + ", ".join(f"`{each}`" for each in named)
            message, details = f"`{tree.name}` has no input `{name}`", (whole(instance.block),)
            raise frame.fail("E0403", message, item.name_span, help=help_, details=details)
        raise frame.fail(
            "E0405",
            f"`{tree.name}` takes {_inputs(tree)}, here are {len(values)}",
            span,
            help=_call_help(tree, values, spans),
            details=(whole(instance.block),),
        )
    if listed.has_lists(tree):
        values, spans = _one_by_one(frame, instance, origin, values, spans, span)
        tree = instance.block.tree
    operands = [_operand(frame, tree, i, v, spans[i] if i < len(spans) else span) for i, v in enumerate(values)]
    operands += [None] * (len(tree.inputs) - len(operands))
    return frame.session.use(frame, instance, operands, span, spans, tuple(weights))


def _one_by_one(
    frame: Frame, instance: InstanceValue, origin: BlockRef, values: Sequence[Any], spans: Sequence[Span], span: Span
) -> tuple[list[Any], list[Span]]:
    """The operands of a block with lists, which becomes the block with an input for each entry."""
    if origin in frame.session.refused:
        raise StatementFailed
    given = instance.bound or instance.statics
    block, more, operands, places = listed.met(frame, origin, given, values, spans, span)
    assert instance.block in (origin, block)  # its statics say how long lists are
    instance.block = block
    instance.statics.update(more)
    return operands, places


def _inputs(tree: syntax.Block) -> str:
    names = ", ".join(f"{e.name}{'?' if e.type.optional else ''}" for e in tree.inputs)
    return f"{len(tree.inputs)} input{'' if len(tree.inputs) == 1 else 's'} ({names})"


def _call_help(tree: syntax.Block, values: Sequence[Any], spans: Sequence[Span]) -> str:
    if not values:
        return f"`{tree.name}(x)`, or `x |> {tree.name}`"
    if any(is_number(v) for v in values):
        texts = ", ".join(s.text for s, v in zip(spans, values, strict=False) if is_number(v))
        return f"sizes and settings stand in brackets: `{tree.name}[{texts}](x)`"
    return ""


def _operand(frame: Frame, tree: syntax.Block, index: int, value: Any, span: Span) -> Tensor | None:
    each, value = tree.inputs[index], seen(frame, value)
    match value:
        case Tensor():
            return value
        case None | Absent() if each.type.optional:
            return None
        case Partly(tensor=Tensor() as tensor) if each.type.optional:
            return tensor
        case Absent() | Partly():
            raise absent(frame, value, span)
        case UnknownStatic():
            raise UnresolvedChoice(value.name, span)
        case _ if is_number(value):
            raise frame.fail(
                "E0405",
                f"`{tree.name}` takes tensors in parentheses, this is {kind_of(value)}",
                span,
                help=f"sizes and settings stand in brackets: `{tree.name}[{span.text}](x)`",
            )
        case _:
            raise frame.fail("E0405", f"`{each.name}` of `{tree.name}` takes a tensor, this is {kind_of(value)}", span)
