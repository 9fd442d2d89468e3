"""Statics of a block's type: a block that does not fit is reported where it is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ogive.compiler.elaborate.rules.statics import names_in
from ogive.compiler.elaborate.rules.type_exprs import tensor_type
from ogive.compiler.elaborate.state.allocation import WeightScope
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.control import LimitReached, StatementFailed, UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.proof import Constraint
from ogive.compiler.elaborate.state.values import (
    BROKEN,
    Handed,
    OpTemplate,
    PackValue,
    Template,
    TypedBlock,
    UnknownStatic,
)
from ogive.compiler.elaborate.walk.apply import apply
from ogive.compiler.elaborate.walk.declared import declared_type
from ogive.compiler.ir.types import Axis
from ogive.compiler.sizes import Unknown, size
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Label
from ogive.grammar.source import Span


def misfit(frame: Frame, ref: BlockRef, names: Mapping[str, Any], span: Span) -> bool:
    """Whether a static of a block's type was given a block of another type; it is reported."""
    for decl in ref.tree.statics:
        value = names.get(decl.name)
        if decl.type is None or isinstance(value, (TypedBlock, UnknownStatic)) or value is BROKEN or value is None:
            continue
        trial = _trial(frame, ref, names)
        try:
            _try(trial, decl, value)
        except (StatementFailed, UnresolvedChoice, LimitReached):
            pass
        what = f"`{decl.name}` of `{ref.name}` is a block {decl.type.span.text}"
        where = _place(value) or span
        labels = () if ref.standard else (Label(decl.type.span, "declared here"),)
        errors = [d for d in trial.diagnostics if d.severity == "error"]
        if errors:
            frame.report(errors[0].code, f"{what}: {errors[0].message}", where, labels=labels)
            return True
        constraints = [Constraint(d.condition, f"{what}: {d.message}", where, labels) for d in trial.proof.constraints]
        if constraints:
            frame.proof.constraints += constraints
            return True
    return False


def _place(value: Any) -> Span | None:
    inner = value.value if isinstance(value, Handed) else value
    return inner.span if isinstance(inner, (Template, OpTemplate)) else None


def _trial(frame: Frame, ref: BlockRef, names: Mapping[str, Any]) -> Frame:
    """A frame of its own in which the block is applied to inputs of the declared types."""
    trial = frame.beside(ref, names, frame.depth + 1)
    trial.alloc.enter(WeightScope("", {}))
    return trial


def _try(trial: Frame, decl: syntax.StaticDecl, value: Any) -> None:
    assert decl.type is not None
    func = value.value if isinstance(value, Handed) else value
    args = []
    for index, tree in enumerate(decl.type.inputs):
        _open(trial, tree)
        type = tensor_type(trial, tree)
        if type is None:
            return
        args.append(trial.builder.input(f"x{index + 1}", type, tree.span))
    span = decl.type.span
    result = apply(trial, func, args, span, node=syntax.Name(id=decl.name, span=span), spans=[span] * len(args))
    results = result if isinstance(result, tuple) else (result,)
    if result is BROKEN:
        return
    if len(results) != len(decl.type.outputs):
        raise trial.fail("E0301", f"this one gives {len(results)} results", span)
    for tree, found in zip(decl.type.outputs, results, strict=True):
        if isinstance(found, Tensor):
            declared_type(trial, tree, found.type, span, "its result")


def _open(trial: Frame, tree: syntax.TypeExpr) -> None:
    """Names that nothing binds stand for every size."""
    for dim in tree.dims:
        if isinstance(dim, syntax.StarDim):
            name = dim.name or "..."
            if name not in trial.scope.variables:
                trial.scope.variables[name] = PackValue(name, (Axis(size(Unknown(name, 1, "pack")), None, name),))
            continue
        for name in names_in(dim):
            if name not in trial.scope.variables and name not in trial.module.scope:
                trial.scope.variables[name] = size(Unknown(name))
