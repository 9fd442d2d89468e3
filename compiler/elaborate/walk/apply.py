"""Application: operations, templates, instances and compositions to tensors; pipelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ogive.compiler.elaborate.calls.instances import allocate, apply_instance
from ogive.compiler.elaborate.modules.advice import called_as_method
from ogive.compiler.elaborate.rules import operations
from ogive.compiler.elaborate.rules.checker import absent
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.control import StatementFailed, UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.partly import is_there
from ogive.compiler.elaborate.state.values import (
    BROKEN,
    Absent,
    Builtin,
    Composite,
    Gradient,
    Handed,
    InstanceValue,
    OpTemplate,
    PackValue,
    Param,
    Partly,
    RepeatedBlock,
    Template,
    TypedBlock,
    UnknownStatic,
    VectorizedBlock,
    is_number,
    kind_of,
)
from ogive.compiler.elaborate.walk import foreign_calls
from ogive.compiler.ops import NAMED
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Edit
from ogive.grammar.source import Span


def call(frame: Frame, tree: syntax.Call) -> Any:
    """`func(args)`."""
    if isinstance(tree.func, syntax.Name) and tree.func.id == "given" and "given" not in frame.scope.variables:
        return _given(frame, tree)
    if isinstance(tree.func, syntax.Attribute | syntax.Name):
        if frame.alloc.initialized is not None:
            foreign_calls.initializer(frame, tree)
        foreign_calls.refuse(frame, tree)
    if isinstance(tree.func, syntax.Attribute) and tree.func.name in NAMED:
        _no_method(frame, tree, tree.func)
    func = frame.evaluate(tree.func)
    if not tree.args and _without_inputs(frame, tree.func):
        return func
    args, spans = _arguments(frame, tree)
    supplied = _supplied(frame, tree, func, args, spans)
    if supplied is None:
        return BROKEN
    return apply(frame, func, args, tree.span, node=tree.func, spans=spans, supplied=supplied)


def _no_method(frame: Frame, tree: syntax.Call, func: syntax.Attribute) -> None:
    """`x.mean(1)` of a tensor x is `mean[1](x)`."""
    root = func.base
    while isinstance(root, syntax.Call | syntax.Attribute | syntax.Brackets):
        root = root.func if isinstance(root, syntax.Call) else root.base
    if isinstance(root, syntax.Name) and not isinstance(frame.scope.variables.get(root.id), Tensor | Param):
        return
    base = frame.evaluate(func.base)
    if not isinstance(base, Tensor):
        return
    args, spans = _arguments(frame, tree)
    supplied = _supplied(frame, tree, None, args, spans) or {}
    help_ = called_as_method(NAMED[func.name], [base, *args], [func.base.span, *spans], supplied)
    raise frame.fail("E0201", f"a tensor has no `{func.name}`", func.name_span, help=help_)


def _without_inputs(frame: Frame, tree: syntax.Expr) -> bool:
    """Whether brackets made a value at once: of a block or an operation without inputs, which may have parentheses."""
    if not isinstance(tree, syntax.Brackets) or not isinstance(tree.base, syntax.Name | syntax.Attribute):
        return False
    match frame.evaluate(tree.base):
        case BlockRef(tree=block) | Template(block=BlockRef(tree=block)):
            return not block.inputs
        case OpTemplate(spec=spec):
            return not spec.inputs
        case _:
            return False


def pipe(frame: Frame, tree: syntax.Pipe) -> Any:
    """`x |> f as name |> g`."""
    value = frame.evaluate(tree.head)
    spread = isinstance(tree.head, syntax.TupleExpr)
    span = tree.head.span
    for stage in tree.stages:
        foreign_calls.stage(frame, stage.func, value)
        func = _stage_function(frame, stage)
        args = value if spread and isinstance(value, tuple) else (value,)
        spans = [span] * len(args)
        span = _as_far_as(tree.head.span, stage.span)
        value = apply(frame, func, args, span, node=stage.func, name=stage.label, spans=spans)
        if frame.scope.notes is not None:
            frame.scope.notes.value(stage.span, value)
        spread = False
    return value


def _as_far_as(head: Span, stage: Span) -> Span:
    """The place of a stage: with all before it on one line, by itself on a line of its own."""
    return stage if "\n" in head.chunk.text[head.start : stage.start] else head.to(stage)


def _stage_function(frame: Frame, stage: syntax.Stage) -> Any:
    """The function of a stage; brackets of a block are allocated under the stage's name."""
    if isinstance(stage.func, syntax.Brackets) and stage.label is not None:
        return frame.evaluate(stage.func, stage.label)
    if isinstance(stage.func, syntax.Compose) and stage.label is not None:
        return frame.evaluate(stage.func, stage.label)
    return frame.evaluate(stage.func)


def _arguments(frame: Frame, tree: syntax.Call) -> tuple[list[Any], list[Span]]:
    args: list[Any] = []
    spans: list[Span] = []
    for item in tree.args:
        if isinstance(item, syntax.Keyword):
            continue
        if isinstance(item, syntax.Splice):
            value = frame.evaluate(item.value)
            if isinstance(value, UnknownStatic):
                raise UnresolvedChoice(value.name, item.span)
            if value is BROKEN:
                raise StatementFailed
            if not isinstance(value, (tuple, PackValue)):
                raise frame.fail("E0407", f"`*` splices a list, this is {kind_of(value)}", item.span)
            items = value.sizes if isinstance(value, PackValue) else value
            args.extend(items)
            spans.extend([item.span] * len(items))
        else:
            args.append(frame.evaluate(item))
            spans.append(item.span)
    return args, spans


def _supplied(
    frame: Frame, tree: syntax.Call, func: Any, args: Sequence[Any], spans: Sequence[Span]
) -> dict[str, Any] | None:
    """What a call gives by name. An instance meets its inputs before: `f(x, weight = f.weight + e)` may read it."""
    named = [item for item in tree.args if isinstance(item, syntax.Keyword)]
    if isinstance(func, InstanceValue) and func.use is None and not _bound(frame, func, args, named, tree.span, spans):
        return None
    found: dict[str, Any] = {}
    for item in named:
        if item.name in found:
            raise frame.fail("E0403", f"`{item.name}` is given twice", item.name_span)
        found[item.name] = (frame.evaluate(item.value), item)
    return found


def _bound(
    frame: Frame,
    instance: InstanceValue,
    args: Sequence[Any],
    named: Sequence[syntax.Keyword],
    span: Span,
    spans: Sequence[Span],
) -> bool:
    """Let an instance meet its inputs where they alone do not make the call; False where they do not fit."""
    inputs = instance.block.tree.inputs
    weights = [item for item in named if item.name not in {each.name for each in inputs}]
    if not weights or len(weights) < len(named) or len(args) != len(inputs):
        return True
    if not all(isinstance(arg, Tensor) for arg in args):
        return True
    return frame.session.bind(frame, instance, args, span, spans)


def _given(frame: Frame, tree: syntax.Call) -> Any:
    """`given(mask)`: whether an optional input was handed over, or a name is bound on this path."""
    if len(tree.args) != 1 or not isinstance(tree.args[0], syntax.Name):
        raise frame.fail("E0405", "`given` asks for one name", tree.span)
    return is_there(frame, frame.evaluate(tree.args[0]))


def apply(
    frame: Frame,
    func: Any,
    args: Sequence[Any],
    span: Span,
    *,
    node: syntax.Expr,
    name: str | None = None,
    spans: Sequence[Span] = (),
    supplied: dict[str, Any] | None = None,
) -> Any:
    """Apply a value to values."""
    if isinstance(func, UnknownStatic):
        raise UnresolvedChoice(func.name, span)
    if (
        supplied
        and not isinstance(func, (OpTemplate, BlockRef, Template, InstanceValue, VectorizedBlock))
        and func is not BROKEN
    ):
        (given, (_, item)), *_ = supplied.items()
        raise frame.fail("E0403", f"{kind_of(func)} takes nothing by name, here is `{given}`", item.name_span)
    match func:
        case _ if func is BROKEN:
            return BROKEN
        case OpTemplate():
            return operations.primitive(frame, func, args, span, spans, supplied or {})
        case Builtin():
            return operations.builtin(frame, func, args, span, spans)
        case BlockRef() | Template():
            _no_sizes(frame, func, args, node, spans, span, supplied or {})
            instance = allocate(frame, func, node, span, name)
            if not isinstance(instance, InstanceValue):
                return instance  # a block without inputs is its value
            instance.used = True
            if frame.scope.notes is not None:
                frame.scope.notes.use(node.span, instance)
            return apply_instance(frame, instance, args, span, spans, supplied or {})
        case InstanceValue():
            func.used = True
            if frame.scope.notes is not None:
                frame.scope.notes.use(node.span, func)
            return apply_instance(frame, func, args, span, spans, supplied or {})
        case Composite(parts=parts):
            value: Any = tuple(args)
            for part in parts:
                inputs = value if isinstance(value, tuple) else (value,)
                value = apply(frame, part, inputs, span, node=node, spans=spans if value == tuple(args) else ())
            return value
        case VectorizedBlock():
            handed = replace(func, supplied=tuple((supplied or {}).items()))
            return frame.session.vectorize(frame, handed, args, span, node, name, spans)
        case RepeatedBlock():
            return frame.session.repeated(frame, func, args, span, node, name, spans)
        case Gradient():
            return frame.session.gradient(frame, func, args, span, node, spans)
        case TypedBlock():
            return frame.session.apply_typed(frame, func, args, span, spans)
        case Tensor() if len(args) == 1 and isinstance(args[0], Tensor):
            help_ = "`a * b` multiplies, `x |> f` applies f"
            if isinstance(node, syntax.Call) and node.span.end == span.end:
                help_ = f"write `x |> {node.func.span.text}`: it is given what stands before"
            raise frame.fail("E0405", "a tensor is not a function", node.span, help=help_)
        case Absent() | Partly():
            raise absent(frame, func, node.span)
        case _:
            raise frame.fail("E0405", f"{kind_of(func)} cannot be applied", node.span)


def applicable(value: Any) -> bool:
    """Whether a value may stand where a function does."""
    return isinstance(value, (VectorizedBlock, RepeatedBlock, Gradient, Builtin, TypedBlock, UnknownStatic, Handed))


def _no_sizes(
    frame: Frame,
    func: BlockRef | Template,
    args: Sequence[Any],
    node: syntax.Expr,
    spans: Sequence[Span],
    span: Span,
    supplied: Mapping[str, Any],
) -> None:
    ref = func if isinstance(func, BlockRef) else func.block
    if args and all(is_number(a) for a in args) and ref.tree.inputs:
        texts = ", ".join([*(s.text for s in spans), *(item.span.text for _, item in supplied.values())])
        called = isinstance(node, syntax.Name) and span.text.startswith(f"{node.id}(") and span.text.endswith(")")
        raise frame.fail(
            "E0405",
            f"`{ref.name}` is given sizes in parentheses",
            node.span,
            help=f"sizes and settings stand in brackets, tensors in parentheses: `{ref.name}[{texts}](x)`",
            edits=(Edit(span, f"{node.span.text}[{texts}]"),) if called else (),
        )
