"""Uses of blocks: arguments meet inputs, what the block demands flows up, results come back in the user's sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from ogive.compiler.elaborate.calls import blame, listed, sharing, unify
from ogive.compiler.elaborate.calls import supplied as weights_at_calls
from ogive.compiler.elaborate.calls.call_consistency import agree
from ogive.compiler.elaborate.calls.specializations import abstract, bindings_of, vacant
from ogive.compiler.elaborate.calls.unify import InputMatch
from ogive.compiler.elaborate.rules.statics import input_sizes, names_in
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.partly import partly
from ogive.compiler.elaborate.state.specialization import Specialization, Use
from ogive.compiler.elaborate.state.values import BROKEN, Absent, Given, InstanceValue, as_written
from ogive.compiler.ir.model import CallAttrs
from ogive.compiler.ir.model import Instance as InstanceMember
from ogive.compiler.ir.presence import ALWAYS, NEVER
from ogive.compiler.ir.presence import given as input_given
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir.weights import weight_types
from ogive.compiler.ir_tools.states import changed
from ogive.compiler.sizes import Answer, Condition, Size, Unknown, ge
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Label
from ogive.grammar.source import Span

S = TypeVar("S", Size, Condition)


def use(
    frame: Frame,
    instance: InstanceValue,
    operands: Sequence[Tensor | None],
    span: Span,
    spans: Sequence[Span],
    supplied: Sequence[Given] = (),
) -> Any:
    """Apply an instance: its results as tensors of the frame's graph."""
    found = bind(frame, instance, operands, span, spans)
    return BROKEN if found is None else _results(frame, instance, *found, operands, span, supplied)


def bind(
    frame: Frame, instance: InstanceValue, operands: Sequence[Tensor | None], span: Span, spans: Sequence[Span]
) -> tuple[Use, tuple[TensorType, ...]] | None:
    """An instance meets its operands: the block at these sizes, and the types of its results."""
    ref = instance.block
    if ref in frame.session.refused:
        return None
    given = instance.bound or instance.statics
    here = tuple(None if t is None else t.when != ALWAYS for t in operands)
    calls = frame.alloc.calls.get(instance.path)
    presence = here if calls is None else calls.joined(here)
    signatures = tuple(None if t is None else signature_of(t) for t in operands)
    key = (ref, tuple(given.items()), as_written(tuple(given.values())), presence, signatures)
    known = frame.proof.applied.get(key) if calls is None or calls.presence == presence else None
    if known is not None:
        match, used, types = known
        agree(frame, instance.path, presence, match.sizes, span)
        _allocated(frame, instance, match, used)
        return (used, types) if _same_weights(frame, instance, used, span) else None
    if calls is not None:  # sizes of inputs that this call leaves out, and another gives
        gone = vacant(ref, here) - vacant(ref, presence)
        given = {**{name: calls.sizes[name] for name in gone if name in calls.sizes}, **given}
    match = unify.match_inputs(frame, ref, given, operands, span, spans)
    if match.failed:
        return None
    if True in presence:  # calls with and without an input bind its sizes in one order
        match.sizes = {name: match.sizes[name] for name in input_sizes(ref.tree) if name in match.sizes}
    own = match.sizes.keys() - vacant(ref, here)
    agree(frame, instance.path, presence, {name: match.sizes[name] for name in own}, span)
    shown = _shown(operands, spans)
    if not _stated(frame, ref, match, span, shown, vacant(ref, presence)):
        return None
    if frame.session.misfit(frame, ref, match.names(), instance.span):
        return None
    found = abstract(ref, match, presence, frame.proof.facts.reduce)
    specialization = frame.session.find(frame, ref, found, span)
    if blame.at_use(frame, specialization, span) or blame.of_handed(frame, specialization, span):
        return None
    bindings = bindings_of(specialization.holes, found.sizes)
    _allocated(frame, instance, match, Use(specialization, bindings))
    if (
        not _large_enough(frame, specialization, bindings, span, shown)
        or not _flow(frame, specialization, bindings, span, shown)
        or not _same_weights(frame, instance, Use(specialization, bindings), span)
        or specialization.outputs is None
    ):
        return None
    used = Use(specialization, bindings)
    try:
        types = types_of(used, match)
    except ZeroDivisionError:  # of a block that uses itself: what its body demands is not known yet
        frame.report("E0410", f"the outputs of `{ref.name}` divide by zero here", span, labels=shown)
        return None
    if not specialization.running:
        frame.proof.applied[key] = (match, used, types)  # what it required is noted: the same use demands nothing new
    return used, types


def _shown(operands: Sequence[Tensor | None], spans: Sequence[Span]) -> tuple[Label, ...]:
    """What the block is given, beside a message that it does not fit."""
    pairs = zip(operands, spans, strict=False)
    return tuple(Label(span, f"this is {operand.type}") for operand, span in pairs if operand is not None)


def _stated(
    frame: Frame, ref: BlockRef, match: InputMatch, span: Span, given: tuple[Label, ...], gone: frozenset[str]
) -> bool:
    """What the block states must be possible here; what is not known flows up; what speaks of nothing holds."""
    assert match.env is not None
    fine = True
    for tree in ref.tree.where:
        if not gone.isdisjoint(names_in(tree)):
            continue
        value = match.env.evaluate(tree)
        if value is True or value is BROKEN:
            continue
        condition = value if isinstance(value, Condition) else None
        if condition is None or not frame.proof.infer(condition, span, f"`{ref.name}` demands"):
            values = ", ".join(f"{n} = {v}" for n, v in _behind(tree, match) if str(v) != n)
            labels = () if ref.standard else (Label(tree.span, "stated here"),)
            shown = f"`{ref.name}` demands {tree.span.text}"
            frame.report(
                "E0401",
                f"{shown}: it never holds here" + (f", with {values}" if values else ""),
                span,
                labels=(*given, *labels),
            )
            fine = False
    return fine


def _behind(tree: syntax.Expr, match: InputMatch) -> list[tuple[str, Any]]:
    known = {**match.values, **match.sizes}
    return [(n, known[n]) for n in dict.fromkeys(names_in(tree)) if isinstance(known.get(n), Size)]


def _large_enough(
    frame: Frame, specialization: Specialization, bindings: Any, span: Span, given: tuple[Label, ...]
) -> bool:
    """What stands behind an unknown of the block must be as large as the block takes it to be."""
    for unknown, behind in bindings:
        low, least = unknown.low, behind.range[0]
        if low is None or (least is not None and least >= low):
            continue
        if not frame.proof.infer(ge(behind, low), span, f"`{specialization.ref.name}` demands"):
            message = f"`{unknown}` of `{specialization.ref.name}` is at least {low}, here it is `{behind}`"
            frame.report("E0304", message, span, labels=given)
            return False
    return True


def _flow(frame: Frame, specialization: Specialization, bindings: Any, span: Span, given: tuple[Label, ...]) -> bool:
    mapping = dict(bindings)
    name = specialization.ref.name
    derived = [size for size in (_here(each, mapping) for each in specialization.derived) if size is not None]
    for size in derived:
        if frame.proof.facts.decide(ge(size, 1)) is Answer.NEVER:
            frame.report("E0304", f"`{name}` would leave `{size}` of an axis: a size is at least 1", span, labels=given)
            return False
    frame.proof.derived += [size for size in derived if not frame.proof.facts.holds(ge(size, 1))]
    for condition in specialization.conditions:
        here = _here(condition, mapping)
        if here is not None and not frame.proof.infer(here, span, f"`{name}` demands"):
            behind = ", ".join(
                f"{u} = {mapping[u]}"
                for u in sorted(condition.unknowns, key=lambda u: u.serial)
                if u in mapping and str(mapping[u]) != u.name
            )
            more = f", with {behind}" if behind else ""
            frame.report("E0401", f"`{name}` demands {condition}: it never holds here{more}", span, labels=given)
            return False
    return True


def _here(of: S, mapping: dict[Unknown, Size]) -> S | None:
    """A size or condition in the sizes of the user; None where it divides by 0, which is a condition's to refuse."""
    try:
        return of.subs(mapping)
    except ZeroDivisionError:
        return None


def _allocated(frame: Frame, instance: InstanceValue, match: InputMatch, use: Use) -> None:
    """Note what the first application says of the instance."""
    if instance.use is None or instance.use.specialization.running:
        instance.use = use
    instance.bound = {**match.values, **{n: s for n, s in instance.statics.items() if n in match.sizes}}
    frame.alloc.define(instance, use.specialization.definition, use.bindings)


def _same_weights(frame: Frame, instance: InstanceValue, use: Use, span: Span) -> bool:
    """One set of weights serves all calls: a choice at compile time that comes out otherwise allocates no others."""
    definition, member = use.specialization.definition, frame.alloc.members[instance.member]
    if definition is None or definition.stateless or not isinstance(member, InstanceMember):
        return True
    if member.definition is definition:
        return True
    before = dict(weight_types(member.definition, dict(member.bindings)))
    here = dict(weight_types(definition, dict(use.bindings)))
    for path in sorted(before.keys() | here.keys()):
        if path in before and path in here and _same_type(frame, before[path], here[path]):
            continue
        frame.report(
            "E0412",
            f"`{instance.path}` is applied in two ways that need different weights: `{path}` is not the same in both",
            span,
            labels=(Label(frame.alloc.calls[instance.path].span, "and applied here"),),
            help="allocate what one of them needs in both, or make two instances",
        )
        return False
    return True


def _same_type(frame: Frame, a: TensorType, b: TensorType) -> bool:
    pairs = zip(a.axes, b.axes, strict=False)
    return (
        a.elem == b.elem
        and len(a.axes) == len(b.axes)
        and all(frame.proof.facts.equal(x.size, y.size) for x, y in pairs)
    )


def _results(
    frame: Frame,
    instance: InstanceValue,
    use: Use,
    types: tuple[TensorType, ...],
    operands: Sequence[Tensor | None],
    span: Span,
    supplied: Sequence[Given],
) -> Any:
    definition = use.specialization.definition
    stateless = definition is None or definition.stateless
    if frame.alloc.initialized is not None and not stateless:
        raise frame.fail(
            "E0411",
            f"an initializer applies no block with weights, such as `{instance.block.name}`",
            span,
            help="it may read a weight: `lin.weight`; what is computed by a block belongs to the body",
        )
    handed: dict[str, Tensor] = {}
    if supplied and definition is not None:
        found = weights_at_calls.resolve(frame, instance, use, supplied, span)
        if found is None:
            return BROKEN
        handed = found
    if instance.shared and definition is not None:
        handed = {**sharing.weights(frame, instance, definition, span), **handed}
    instance.supplied = set(handed) if instance.supplied is None else instance.supplied & set(handed)
    given = tuple((name, frame.builder.use(value)) for name, value in handed.items())
    path = instance.path if definition is None or not stateless else ""  # that of a block with errors is drawn
    told = CallAttrs(definition, use.bindings, path, given)
    made = frame.builder.node(
        told,
        tuple(None if t is None else frame.builder.use(t) for t in operands),
        types,
        span=span,
    )
    if not stateless and definition is not None:
        frame.alloc.read.add(instance.path)
        frame.builder.forget(tuple(f"{instance.path}.{path}" for path in changed(definition.graph)))
    tree = instance.block.tree
    asked = {
        input_given(each.name): NEVER if t is None else t.when for each, t in zip(tree.inputs, operands, strict=True)
    }
    presence = iter(use.specialization.presence)
    left = iter(made)
    values: list[Any] = []
    for index, output in enumerate(tree.outputs):
        if index in use.specialization.omitted_outputs:
            continue
        name = output.name or "output"
        if index in use.specialization.absent_outputs:
            values.append(Absent(name, span))
        else:
            values.append(partly(frame, name, [(next(presence, ALWAYS).put(asked), next(left))], span))
    values = listed.grouped(instance.block, values)
    return values[0] if len(values) == 1 else tuple(values)


def types_of(use: Use, match: InputMatch) -> tuple[TensorType, ...]:
    """The types of the results in the user's sizes."""
    mapping = dict(use.bindings)
    assert use.specialization.outputs is not None
    packs = {a.size: a.pack for axes in match.packs.values() for a in axes if a.pack is not None}
    return tuple(
        TensorType(t.elem, tuple(_seen_from_outside(a, mapping, match, packs) for a in t.axes))
        for t in use.specialization.outputs
    )


def signature_of(tensor: Tensor) -> tuple[Any, ...]:
    """All of a tensor's type that a use can see: labels and presence too."""
    return (tensor.type, tuple((a.label, a.pack) for a in tensor.type.axes), tensor.when != ALWAYS)


def _seen_from_outside(axis: Axis, mapping: dict[Any, Size], match: InputMatch, packs: dict[Size, str]) -> Axis:
    """An axis of a result in the user's sizes, with the label of the input axis that bound its name."""
    size = axis.size.subs(mapping)
    return Axis(size, match.labels.get(axis.label or ""), packs.get(size, axis.pack) if axis.pack else None)
