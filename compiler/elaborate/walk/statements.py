"""Statements of a body, top to bottom."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from types import NoneType
from typing import Any

from ogive.compiler.elaborate.calls.listed import returned
from ogive.compiler.elaborate.rules.checker import present
from ogive.compiler.elaborate.state import weight_paths as places
from ogive.compiler.elaborate.state.allocation import WeightScope
from ogive.compiler.elaborate.state.control import LimitReached, StatementFailed
from ogive.compiler.elaborate.state.control_flow import Continuation
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.partly import seen
from ogive.compiler.elaborate.state.values import (
    BROKEN,
    Absent,
    Choice,
    Composite,
    Gone,
    Handed,
    InstanceValue,
    Param,
    Partly,
    kind_of,
)
from ogive.compiler.elaborate.walk import choices, weights
from ogive.compiler.elaborate.walk import loops as regions
from ogive.compiler.elaborate.walk.bound import bound_in, lost_in
from ogive.compiler.elaborate.walk.declared import declared_type
from ogive.compiler.elaborate.walk.evaluate import evaluate, items_of, truth, unpack
from ogive.compiler.elaborate.walk.names import means_something
from ogive.compiler.ir.attributes import AssumeAttrs, TapAttrs
from ogive.compiler.ir.presence import PresenceTooLarge
from ogive.compiler.sizes import Answer, Condition, TooComplexError
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Edit, Label
from ogive.grammar.source import Span


def execute(frame: Frame, body: Sequence[syntax.Stmt]) -> None:
    """Run statements. A fault ends its statement; names that it would have bound are broken, so nothing follows."""
    depth = len(frame.alloc.scopes)
    for index, statement in enumerate(body):
        if frame.flow.returned is not None:
            if isinstance(body[index - 1], syntax.Return):
                frame.report("E0601", "nothing after a `return` is reached", statement.span)
            return
        rest = body[index + 1 :]
        try:
            with frame.flow.followed_by(Continuation(rest, depth, partial(execute, frame, rest))):
                _run(frame, statement)
        except StatementFailed:
            for name in lost_in((statement,)):
                if name not in frame.scope.fixed:
                    frame.scope.variables[name] = BROKEN
            if isinstance(statement, (syntax.Return, syntax.If, syntax.For)):
                frame.flow.lose(returned=isinstance(statement, syntax.Return))


def _run(frame: Frame, tree: syntax.Stmt) -> None:
    try:
        frame.session.count()
        _statement(frame, tree)
    except TooComplexError as problem:
        raise frame.too_complex(problem, tree.span) from problem
    except PresenceTooLarge:
        raise frame.fail("E0701", "what is given, and where, is too complex here", tree.span) from None
    except LimitReached as limit:
        if limit.exhausted and limit.span is None and frame.block is not None and not frame.block.standard:
            limit.span = tree.span
        raise


def _statement(frame: Frame, tree: syntax.Stmt) -> None:
    match tree:
        case syntax.Assign():
            _assign(frame, tree)
        case syntax.ParamStmt():
            weights.declare(frame, tree)
        case syntax.UpdateStmt():
            weights.update(frame, tree)
        case syntax.InitStmt():
            weights.override(frame, tree)
        case syntax.KeepStmt():
            weights.keep(frame, tree)
        case syntax.Return():
            _return(frame, tree)
        case syntax.Yield():
            _yield(frame, tree)
        case syntax.Require():
            _require(frame, tree)
        case syntax.Assume():
            _assume(frame, tree)
        case syntax.Tap():
            _tap(frame, tree)
        case syntax.If():
            _if(frame, tree)
        case syntax.For():
            _for(frame, tree)
        case syntax.Repeat():
            regions.repeat(frame, tree)
        case syntax.Scan():
            regions.scan(frame, tree)
        case _:
            raise AssertionError(tree)


# --- names ------------------------------------------------------------------------------------------------------------


def _assign(frame: Frame, tree: syntax.Assign) -> None:
    if len(tree.targets) > 1:
        value = evaluate(frame, tree.value)
        for target, item in zip(tree.targets, unpack(frame, value, len(tree.targets), tree.value.span), strict=True):
            bind(frame, target, item)
        return
    target = tree.targets[0]
    value = evaluate(frame, tree.value, target.name)
    if tree.type is not None:
        value = _asserted(frame, tree.type, value, tree)
    if isinstance(value, tuple) and value and all(isinstance(v, Tensor) for v in value) and _is_call(tree.value):
        pass  # several outputs under one name: a list of tensors
    bind(frame, target, value)


def _is_call(tree: syntax.Expr) -> bool:
    return isinstance(tree, (syntax.Call, syntax.Pipe))


def _rebound(frame: Frame, target: syntax.Target) -> dict[str, Any]:
    """What binding a state again means: `update m = e`."""
    place = frame.scope.fixed[target.name]
    text = place.chunk.text
    if not re.search(r"\bstate\s*$", text[: place.start]):
        return {}
    before = text[: target.span.start]
    alone = before[before.rfind("\n") + 1 :].strip() == ""
    edits = (Edit(Span(place.chunk, target.span.start, target.span.start), "update "),) if alone else ()
    return {"help": f"a state is written by `update {target.name} = ...`", "edits": edits}


def bind(frame: Frame, target: syntax.Target, value: Any) -> None:
    """Bind a name. Tensors, numbers and lists may be bound again; instances and weights may not."""
    name = target.name
    before = seen(frame, frame.scope.variables.get(name))
    if name in frame.scope.fixed:
        if isinstance(before, Absent | Gone | NoneType):  # it is another's name: what it is here is not known
            frame.scope.variables[name] = BROKEN
        raise frame.fail(
            "E0204",
            f"`{name}` is defined twice",
            target.span,
            labels=(Label(frame.scope.fixed[name], "an instance or a weight is bound here"),),
            **_rebound(frame, target),
        )
    if isinstance(value, Handed):
        value = BROKEN
    if isinstance(value, (InstanceValue, Composite)):
        if name in frame.scope.bound_at and not isinstance(before, Absent | Gone | NoneType):
            raise frame.fail(
                "E0204",
                f"`{name}` is defined twice",
                target.span,
                labels=(Label(frame.scope.bound_at[name], "first here"),),
                help=f"an instance has a name of its own: `{name}_map = ...`, then `{name}_map({name})`",
            )
        if isinstance(value, InstanceValue):
            frame.scope.fixed[name] = target.span
    if isinstance(value, Tensor):
        if value.home is frame.builder:
            frame.builder.rename(value, name)
        if value.introduced is not target.span:
            value = Tensor(value.name, value.type, value.home, target.span)
    if isinstance(value, Partly):
        value = Partly(name, value.cases, target.span)
    frame.scope.bind(name, value, target.span)
    if frame.scope.notes is not None:
        frame.scope.notes.value(target.span, value)


def _asserted(frame: Frame, tree: syntax.TypeExpr, value: Any, statement: syntax.Assign) -> Any:
    """`y: [b, n] = e` asserts the type, relabels, and binds its unbound names to the sizes found."""
    if value is BROKEN:
        return BROKEN
    tensor = value.tensor if isinstance(value, Partly) else value
    if not isinstance(tensor, Tensor):
        raise frame.fail("E0407", f"a type is given to {kind_of(value)}", tree.span)
    type = declared_type(frame, tree, tensor.type, statement.value.span, f"`{statement.targets[0].name}`")
    if type is None:
        return BROKEN
    made = Tensor(tensor.name, type, tensor.home, tensor.introduced)
    return Partly(value.name, ((value.when, made),), value.span) if isinstance(value, Partly) else made


# --- results ----------------------------------------------------------------------------------------------------------


def _return(frame: Frame, tree: syntax.Return) -> None:
    if frame.flow.loops:
        raise frame.fail(
            "E0601",
            "a `return` inside a loop: the loop would end at its first iteration",
            tree.span,
            help="bind the value, and return it after the loop",
        )
    values = tuple((evaluate(frame, value), value.span) for value in tree.values)
    frame.flow.leave(returned(frame, values), tree.span)


def _yield(frame: Frame, tree: syntax.Yield) -> None:
    value = evaluate(frame, tree.value)
    if value is BROKEN:
        raise StatementFailed
    if not isinstance(value.tensor if isinstance(value, Partly) else value, Tensor):
        raise frame.fail("E0407", f"`yield` collects tensors, this is {kind_of(value)}", tree.value.span)
    if frame.flow.yields is None:
        raise frame.fail("E0601", "`yield` stands in a `repeat` or a `scan`", tree.span)
    first = next((other for other, _ in frame.flow.yields if other.target.name == tree.target.name), None)
    if first is not None:
        labels = (Label(first.target.span, "first here"),)
        raise frame.fail("E0204", f"`{tree.target.name}` is yielded twice", tree.target.span, labels=labels)
    frame.flow.yields.append((tree, value))


def _tap(frame: Frame, tree: syntax.Tap) -> None:
    value = present(frame, evaluate(frame, tree.value), tree.value.span)
    bind(frame, tree.target, value)
    if isinstance(value, Tensor):
        path = frame.alloc.path_of(tree.target.name)
        frame.builder.node(TapAttrs(tree.target.name, path), (frame.builder.use(value),), (), span=tree.span)


def _require(frame: Frame, tree: syntax.Require) -> None:
    for condition in tree.conditions:
        state(frame, condition, "require")


def state(frame: Frame, tree: syntax.Expr, word: str) -> None:
    """A stated condition: it is known from here on, and every use must meet it."""
    value = evaluate(frame, tree)
    with frame.bounded(tree.span):
        _state(frame, tree, word, value)


def _state(frame: Frame, tree: syntax.Expr, word: str, value: Any) -> None:
    match value:
        case True:
            return
        case False:
            raise frame.fail("E0401", f"`{word} {tree.span.text}` never holds", tree.span)
        case Condition() if frame.proof.facts.decide(value) is Answer.NEVER:
            raise frame.fail("E0401", f"`{word} {tree.span.text}` never holds, with what is stated before", tree.span)
        case Condition():
            frame.proof.state(value, tree.span)
        case _ if value is BROKEN:
            return
        case Choice() | _:
            raise frame.fail("E0407", f"`{word}` needs a condition on sizes, this is {kind_of(value)}", tree.span)


def _assume(frame: Frame, tree: syntax.Assume) -> None:
    for each in tree.conditions:
        value = evaluate(frame, each)
        if value is False or (isinstance(value, Condition) and frame.proof.facts.decide(value) is Answer.NEVER):
            raise frame.fail("E0401", f"`assume {each.span.text}` never holds", each.span)
        if isinstance(value, Condition):
            frame.proof.assume(value)
            frame.builder.node(AssumeAttrs(value, each.span.text), (), (), span=tree.span)
        elif value is not True and value is not BROKEN:
            raise frame.fail("E0407", f"`assume` needs a condition on sizes, this is {kind_of(value)}", each.span)


# --- choices and loops ------------------------------------------------------------------------------------------------


def _if(frame: Frame, tree: syntax.If) -> None:
    for index, (condition, arm) in enumerate(tree.branches):
        value = evaluate(frame, condition)
        if value is BROKEN:
            raise StatementFailed
        if isinstance(value, Choice):
            rest = _rest(tree, index)
            choices.branch(frame, value, arm, rest, tree.span)
            return
        if truth(frame, value, condition.span):
            _take(frame, tree, arm)
            return
    _take(frame, tree, tree.orelse or ())


def _rest(tree: syntax.If, index: int) -> tuple[syntax.Stmt, ...]:
    """The other arms as one body."""
    left = tree.branches[index + 1 :]
    if not left:
        return tree.orelse or ()
    return (syntax.If(branches=left, orelse=tree.orelse, span=tree.span),)


def _take(frame: Frame, tree: syntax.If, taken: Sequence[syntax.Stmt]) -> None:
    """Run one arm. What the others bind, and this path does not, is absent afterwards."""
    others = [arm for _, arm in tree.branches if arm is not taken]
    if tree.orelse is not None and tree.orelse is not taken:
        others.append(tree.orelse)
    here = set(bound_in(taken))
    for arm in others:  # what follows may run as a part of this arm
        for name in bound_in(arm):
            if name not in here and name not in frame.scope.variables and not means_something(frame, name):
                frame.scope.variables[name] = Absent(name, _bound_where(arm, name))
    execute(frame, taken)
    for arm in others:
        params = {s.target.name for s in arm if isinstance(s, syntax.ParamStmt)}
        for name in bound_in(arm):
            if name in here:
                continue
            known = frame.scope.variables.get(name)
            if known is None or (name in params and not isinstance(known, (Param, InstanceValue))):
                frame.scope.variables[name] = Absent(name, _bound_where(arm, name))


def _bound_where(body: Sequence[syntax.Stmt], name: str) -> Span | None:
    for statement in body:
        match statement:
            case syntax.Assign(targets=targets):
                for target in targets:
                    if target.name == name:
                        return target.span
            case syntax.ParamStmt(target=target) if target.name == name:
                return target.span
            case _:
                pass
    return None


def _composes(value: Any) -> bool:
    parts = [each for _, each in value.cases] if isinstance(value, Partly) else [value]
    return any(isinstance(each, Composite) for each in parts)


def _for(frame: Frame, tree: syntax.For) -> None:
    """Unroll over a compile-time list: each iteration is a place of its own, and types may change between them."""
    items = items_of(frame, evaluate(frame, tree.iterable), tree.iterable.span)
    if items is None:
        raise StatementFailed
    path = frame.path_for(tree, tree.label or "layers", None, tree.span)
    names = places.plan(tree.body, frame.session.block_names(frame))
    own = set(bound_in(tree.body))
    if not items:
        for name in own:
            frame.scope.variables.setdefault(name, Absent(name, _bound_where(tree.body, name)))

    def iterations(first: int) -> None:
        for index, item in enumerate(items[first:], first):
            made = {name for name in own if index and _composes(frame.scope.variables.get(name))}
            for name in (own & frame.scope.fixed.keys()) | made:
                frame.scope.unbind(name)  # what an iteration allocates is new in the next one
            values = unpack(frame, item, len(tree.targets), tree.iterable.span) if len(tree.targets) > 1 else (item,)
            for target, value in zip(tree.targets, values, strict=True):
                frame.scope.variables[target.name] = value
                if frame.scope.notes is not None:
                    frame.scope.notes.value(target.span, value)
            said = len(frame.diagnostics)
            place = WeightScope(f"{path}.{index}", names)
            others = Continuation((tree,), len(frame.alloc.scopes), partial(iterations, index + 1))
            with frame.flow.followed_by(others), frame.alloc.inside(place):
                execute(frame, tree.body)
            if len(frame.diagnostics) > said and any(d.severity == "error" for d in frame.diagnostics[said:]):
                raise StatementFailed  # the other iterations would only say it again
            if frame.flow.returned is not None:
                return

    try:
        iterations(0)
    except LimitReached as limit:
        if limit.span is not None:
            limit.span = tree.iterable.span  # the outermost loop, not what it unrolls
        raise
