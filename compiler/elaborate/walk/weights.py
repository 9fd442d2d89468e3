"""`param`, `state`, `init`, `keep`, `update`: weights of a body and how they start."""

from __future__ import annotations

from typing import Any

from ogive.compiler.elaborate.rules.checker import length, operation, present
from ogive.compiler.elaborate.rules.statics import names_in
from ogive.compiler.elaborate.rules.type_exprs import tensor_type
from ogive.compiler.elaborate.state.allocation import Override
from ogive.compiler.elaborate.state.control import UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.initializer_table import is_initializer, is_operation, named, settings
from ogive.compiler.elaborate.state.partly import seen
from ogive.compiler.elaborate.state.values import BROKEN, Param, Partly, is_number, kind_of
from ogive.compiler.elaborate.walk.apply import apply
from ogive.compiler.ir.attributes import UpdateAttrs
from ogive.compiler.ir.model import Graph, Init, Value, Weight
from ogive.compiler.ir.types import Axis, TensorType
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Label
from ogive.grammar.source import Span

DEFAULT = Init("kaiming_uniform", (("a", 5**0.5), ("mode", "fan_in")))


def declare(frame: Frame, tree: syntax.ParamStmt) -> None:
    """`param w: [d] = init`, `state mean: [c] = zeros`."""
    name = tree.target.name
    taken = frame.scope.fixed.get(name) or (
        frame.scope.bound_at.get(name) if isinstance(frame.scope.variables.get(name), (Tensor, Partly)) else None
    )
    if taken is not None:
        raise frame.fail("E0204", f"`{name}` is defined twice", tree.target.span, labels=(Label(taken, "first here"),))
    type = tensor_type(frame, tree.type)
    if type is None:
        frame.scope.variables[name] = BROKEN
        return
    if any(axis.pack is not None for axis in type.axes):
        raise UnresolvedChoice(f"the number of axes of `{name}`", tree.type.span)
    for axis, place in zip(type.axes, _places(tree.type, type), strict=True):
        if not length(frame, axis.size, f"an axis of `{name}`", place):
            frame.scope.variables[name] = BROKEN
            return
    path = frame.path_for(tree, name, name, tree.target.span)
    init = initializer(frame, tree.init, type) if tree.init is not None else _default(tree, type)
    keep = constraint(frame, tree.keep, type) if tree.keep is not None else None
    frame.alloc.add(Weight(path, type, "state" if tree.kind == "state" else "param", init, keep, tree.span))
    frame.scope.fix(name, Param(path, type, tree.target.span), tree.target.span)


def _places(tree: syntax.TypeExpr, type: TensorType) -> list[Span]:
    """Where each axis of a written type stands; the whole type where a list is spliced."""
    return [dim.span for dim in tree.dims] if len(tree.dims) == len(type.axes) else [tree.span] * len(type.axes)


def _default(tree: syntax.ParamStmt, type: TensorType) -> Init:
    return Init("zeros") if tree.kind == "state" or len(type.axes) < 2 else DEFAULT


def initializer(frame: Frame, tree: syntax.Expr, type: TensorType) -> Init:
    """An initializer: a named one with settings, or any expression without inputs."""
    name, items = named(tree)
    if is_initializer(frame, name) and not is_operation(frame, name, items):
        return Init(name, settings(frame, name, items, tree))
    return Init("expression", (), _constant_graph(frame, tree, type))


def _constant_graph(frame: Frame, tree: syntax.Expr, type: TensorType) -> Graph:
    """The graph of an initializer that is an expression; named initializers inside it take the weight's shape."""
    for used in names_in(tree):
        if _at_run_time(frame.scope.variables.get(used)):
            raise frame.fail(
                "E0407",
                f"an initializer is an expression without inputs: `{used}` is {kind_of(frame.scope.variables[used])}",
                tree.span,
                help="what depends on an input or on another weight is computed in the body",
            )
    with frame.separate_graph(), frame.alloc.initializing(type):
        result = frame.evaluate(tree)
        if is_number(result):
            result = _filled(frame, result, type, tree)
        if not isinstance(result, Tensor):
            if result is BROKEN:
                return Graph((), (), ())
            raise frame.fail(
                "E0407",
                f"an initializer is needed, this is {kind_of(result)}",
                tree.span,
                help="zeros, ones, normal[std=0.02], ... or an expression without inputs",
            )
        _same_shape(frame, result, type, tree)
        return frame.builder.finish((frame.builder.use(result),))


def _at_run_time(value: Any) -> bool:
    parts = value if isinstance(value, tuple) else (value,)
    return any(isinstance(part, Tensor | Param | Partly) for part in parts)


def _filled(frame: Frame, value: Any, type: TensorType, tree: syntax.Expr) -> Any:
    axes = tuple(Axis(a.size) for a in type.axes)
    return operation(frame, "full", (), tree.span, statics={"sizes": axes, "v": value})


def _same_shape(frame: Frame, result: Tensor, type: TensorType, tree: syntax.Expr) -> None:
    same = len(result.type.axes) == len(type.axes) and all(
        frame.proof.facts.equal(a.size, b.size) for a, b in zip(result.type.axes, type.axes, strict=True)
    )
    if not same:
        raise frame.fail("E0301", f"the weight is {type}, its initializer {result.type}", tree.span)


def constraint(frame: Frame, tree: syntax.Expr, type: TensorType) -> Graph:
    """A `keep`: a function of the weight alone, as a graph."""
    with frame.separate_graph():
        weight = frame.builder.input("weight", type, tree.span)
        result = apply(frame, frame.evaluate(tree), (weight,), tree.span, node=tree, spans=(tree.span,))
        if not isinstance(result, Tensor):
            return Graph((Value(weight.name, type),), (), (weight.name,))
        _same_shape(frame, result, type, tree)
        return frame.builder.finish((frame.builder.use(result),))


def update(frame: Frame, tree: syntax.UpdateStmt) -> None:
    """`update mean = e`: writes a state at once, in training only."""
    name = tree.target.name
    held = seen(frame, frame.scope.variables.get(name))
    if not isinstance(held, Param) or not any(
        isinstance(m, Weight) and m.path == held.path and m.kind == "state" for m in frame.alloc.members
    ):
        raise frame.fail(
            "E0407", f"`{name}` is not a state", tree.target.span, help=f"declare it: `state {name}: [...] = zeros`"
        )
    value = present(frame, frame.evaluate(tree.value), tree.value.span)
    if value is BROKEN:
        return
    if not isinstance(value, Tensor):
        raise frame.fail("E0407", f"`update` writes a tensor, this is {kind_of(value)}", tree.value.span)
    _same_shape(frame, value, held.type, tree.value)
    frame.alloc.read.add(held.path)
    frame.builder.node(UpdateAttrs(held.path), (frame.builder.use(value),), (), span=tree.span)
    frame.builder.forget((held.path,))


def override(frame: Frame, tree: syntax.InitStmt) -> None:
    """`init Linear.weight, h.mlp.c_proj.weight = normal[std=0.02]`: noted, resolved when the body is done."""
    name, items = named(tree.value)
    init: Any = tree.value
    if is_initializer(frame, name) and not is_operation(frame, name, items):
        init = Init(name, settings(frame, name, items, tree.value))
    known = dict(frame.scope.variables)  # names mean what they mean here, not at the end of the body
    for target, span in zip(tree.targets, tree.target_spans, strict=True):
        frame.alloc.inits.append(Override(target, init, known, span))


def keep(frame: Frame, tree: syntax.KeepStmt) -> None:
    """`keep lin.weight = relu`: noted, resolved when the body is done."""
    frame.alloc.keeps.append(Override(tree.target, tree.value, dict(frame.scope.variables), tree.target_span))
