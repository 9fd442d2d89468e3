"""One specialization of a block: run the body, meet the declared outputs, solve what was required, define it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ogive.compiler.elaborate.calls import listed
from ogive.compiler.elaborate.calls.instances import allocate
from ogive.compiler.elaborate.calls.specializations import fill, size_unknowns, static_members, vacant
from ogive.compiler.elaborate.modules.peer_settings import plain
from ogive.compiler.elaborate.rules import constraints as constraints
from ogive.compiler.elaborate.rules.checker import absent, callable_kind
from ogive.compiler.elaborate.rules.statics import counted, names_in
from ogive.compiler.elaborate.rules.type_exprs import tensor_type
from ogive.compiler.elaborate.state import weight_paths as places
from ogive.compiler.elaborate.state.allocation import WeightScope
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.control import StatementFailed
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.partly import seen
from ogive.compiler.elaborate.state.returns import for_each_output, omitted
from ogive.compiler.elaborate.state.specialization import Abstract, Specialization
from ogive.compiler.elaborate.state.values import (
    BROKEN,
    Absent,
    Composite,
    Handed,
    PackValue,
    Partly,
    Template,
    kind_of,
)
from ogive.compiler.elaborate.walk.declared import declared_type
from ogive.compiler.elaborate.walk.inits import finish_inits, finish_keeps
from ogive.compiler.elaborate.walk.statements import state
from ogive.compiler.ir.attributes import ExternAttrs
from ogive.compiler.ir.model import Definition, Instance, Operand, Weight
from ogive.compiler.ir.presence import atom, given
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ir_tools.unread import without_unread
from ogive.compiler.sizes import Size, eq, size
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Label
from ogive.grammar.syntax import Expr


def elaborate(frame: Frame, specialization: Specialization, found: Abstract) -> None:
    """Elaborate a specialization in its frame. Raises UnresolvedChoice where a choice depends on what nobody knows."""
    ref, tree = specialization.ref, specialization.ref.tree
    _running_outputs(frame, specialization, found)
    _bind_signature(frame, specialization, found)
    frame.alloc.enter(WeightScope("", places.plan(tree.body, frame.session.block_names(frame))))
    frame.proof.input_sizes = frozenset(size_unknowns(found, specialization.holes))
    for name, value in list(frame.scope.variables.items()):
        if isinstance(value, Handed):
            _allocate_handed(frame, name, value, tree)
    try:
        gone = vacant(ref, found.key[-1])
        for condition in tree.where:
            if gone.isdisjoint(names_in(condition)):
                state(frame, condition, "where")
        inputs = _inputs(frame, tree, found)
        frame.scope.variables.update({name: Absent(name) for name in gone if name not in frame.module.scope})
    except StatementFailed:
        inputs = None
    if inputs is not None:
        if ref.target:
            _extern(frame, ref, inputs)
        else:
            frame.execute(tree.body)
        try:
            with frame.bounded(tree.name_span):
                _finish(frame, specialization, ref, found)
        except StatementFailed:
            specialization.definition = None
    specialization.handed = [] if ref.standard else frame.missing_axes
    elsewhere = {id(found) for _, found in specialization.handed}
    specialization.diagnostics = [found for found in frame.diagnostics if id(found) not in elsewhere]
    specialization.uses = list(dict.fromkeys(frame.uses))
    specialization.open = any(each.open for each in specialization.uses) or (
        frame.session.recursive[ref] and not specialization.pinned
    )
    specialization.ok = not frame.failed
    if not specialization.ok:
        specialization.sketch = frame.builder.finish(())


def _extern(frame: Frame, ref: BlockRef, inputs: list[Any]) -> None:
    """A class of the user's computes it: its declared outputs are believed."""
    try:
        types = [tensor_type(frame, each.type) for each in ref.tree.outputs]
    except StatementFailed:
        frame.flow.returned = ()
        return
    settings = tuple((decl.name, frame.scope.header[decl.name]) for decl in ref.tree.statics)
    made = frame.builder.node(
        ExternAttrs(ref.target, settings),
        tuple(frame.builder.use(value) for value in inputs),
        tuple(type for type in types if type is not None),
        span=ref.tree.name_span,
    )
    frame.flow.returned = tuple((value, ref.tree.name_span) for value in made)


def _bind_signature(frame: Frame, specialization: Specialization, found: Abstract) -> None:
    own = [size(hole) for hole in specialization.holes]
    for name, value in found.values.items():
        frame.scope.variables[name] = fill(value, own)
    for name, value in found.bound.items():
        frame.scope.variables[name] = fill(value, own)
    for name, axes in found.packs.items():
        frame.scope.variables[name] = PackValue(name, fill(axes, own))
    frame.scope.close_header()


def _running_outputs(frame: Frame, specialization: Specialization, found: Abstract) -> None:
    """What a recursive use sees: the declared outputs, where they are known."""
    scratch = Frame(frame.session, frame.module, frame.block, frame.proof.facts, frame.outer)
    _bind_signature(scratch, specialization, found)
    try:
        types = [tensor_type(scratch, each.type) for each in specialization.ref.tree.outputs]
    except StatementFailed:
        return
    if all(t is not None for t in types):
        specialization.outputs = tuple(t for t in types if t is not None)


def _allocate_handed(frame: Frame, name: str, value: Handed, tree: syntax.Block) -> None:
    """An instance that was handed in as a static stands under the static's name."""
    node = next(d for d in tree.statics if d.name == name)
    anchor = syntax.Name(id=name, span=node.span)
    match value.value:
        case Template() as template:
            frame.scope.variables[name] = allocate(frame, template, anchor, node.span, name)
        case Composite(parts=parts):
            with frame.alloc.inside(WeightScope(name, {})):
                made = tuple(
                    allocate(frame, part, syntax.Name(id=f"{name}{i}", span=node.span), node.span)
                    if isinstance(part, (Template, BlockRef))
                    else part
                    for i, part in enumerate(parts)
                )
            frame.scope.variables[name] = Composite(made)
        case other:
            frame.scope.variables[name] = other


def _inputs(frame: Frame, tree: syntax.Block, found: Abstract) -> list[Any] | None:
    presence = found.key[-1]
    made: list[Any] = []
    for each, present in zip(tree.inputs, presence, strict=True):
        if each.name in frame.scope.bound_at:
            frame.report("E0204", f"`{each.name}` is defined twice", each.span)
        frame.scope.bound_at[each.name] = each.span
        type = tensor_type(frame, each.type)
        if type is None:
            return None
        if present is None:
            frame.scope.variables[each.name] = Absent(each.name, each.span)
            frame.builder.input(each.name, type, each.span)
            continue
        tensor = frame.builder.input(each.name, type, each.span)
        made.append(tensor)
        frame.scope.variables[each.name] = tensor
        if present:
            frame.scope.optional[given(each.name)] = tensor
            frame.scope.variables[each.name] = Partly(each.name, ((atom(given(each.name)), tensor),), each.span)
    return made


def _finish(frame: Frame, specialization: Specialization, ref: BlockRef, found: Abstract) -> None:
    tree = ref.tree
    said = len(frame.diagnostics)
    results = _results(frame, tree)
    if len(frame.diagnostics) > said and results is None:
        specialization.outputs = None  # what it gives is not what it declares; else its users go by what is declared
    finish_inits(frame)
    finish_keeps(frame)
    conditions = constraints.settle(frame, specialization.holes)
    _warn_unused(frame)
    specialization.conditions = tuple(conditions)
    specialization.derived = tuple(dict.fromkeys(size for size in frame.proof.derived if not size.is_number))
    if results is None or frame.failed:
        return
    for instance in frame.alloc.instances:
        member = frame.alloc.members[instance.member]
        gone = (instance.supplied or set()) - instance.stored
        if isinstance(member, Instance) and gone:
            frame.alloc.members[instance.member] = replace(member, omitted=tuple(sorted(gone)))
    specialization.outputs = tuple(_outside(frame, v.type, t) for v, t in results if t is not None)
    specialization.absent_outputs = tuple(i for i, (_, t) in enumerate(results) if t is None)
    specialization.omitted_outputs = tuple(i for i, (value, _) in enumerate(results) if omitted(value))
    specialization.presence = tuple(value.when for value, t in results if t is not None)
    outputs: tuple[Operand, ...] = tuple(frame.builder.use(v) for v, t in results if t is not None)
    stated = [c for c, _ in frame.proof.stated]
    specialization.definition = Definition(
        name=ref.name,
        block=ref.qualified,
        statics=static_members(ref, found, specialization.holes),
        sizes=size_unknowns(found, specialization.holes),
        graph=without_unread(frame.builder.finish(outputs)),
        output_names=tuple(e.name for i, e in enumerate(tree.outputs) if i not in specialization.absent_outputs),
        optional=tuple(present is not False for present in found.key[-1]),
        members=tuple(m for m in frame.alloc.members if m is not None),
        conditions=tuple(dict.fromkeys((*stated, *conditions))),
        facts=tuple(c if outcome else c.negate() for c, outcome in specialization.decisions),
        doc=tree.doc,
        span=tree.name_span,
        output_labels=tuple(tuple(axis.label for axis in t.axes) for _, t in results if t is not None),
        named=tuple((n, s) for n, s in frame.scope.sizes.items() if s is not None and not s.is_number),
        lists=listed.signature_lists(ref, specialization.absent_outputs),
    )
    _warn_apart(frame, specialization.definition, tree)


def _results(frame: Frame, tree: syntax.Block) -> list[tuple[Any, TensorType | None]] | None:
    """The returned values, met with the declared outputs."""
    if frame.flow.returned is None:
        if not frame.flow.lost and not frame.failed:
            frame.report(
                "E0601",
                f"`{tree.name}` does not return on every path",
                tree.name_span,
                help="end the body with `return ...`",
            )
        return None
    if not frame.flow.returned:
        return None
    values = for_each_output(tree, frame.flow.returned)
    if len(values) != len(tree.outputs):
        frame.report(
            "E0301",
            f"`{tree.name}` declares {counted(len(tree.outputs), 'output')}, here are {len(values)}",
            frame.flow.returned_at or tree.name_span,
            labels=(Label(tree.outputs[0].span, "declared here"),),
            help=_outputs_help(tree, values),
        )
        return None
    found: list[tuple[Any, TensorType | None]] = []
    broken = False
    named = {name for each in tree.outputs for dim in each.type.dims if isinstance(dim, Expr) for name in names_in(dim)}
    frame.scope.variables.update({n: v for n, v in frame.scope.header.items() if n in named and isinstance(v, Size)})
    for each, (value, span) in zip(tree.outputs, values, strict=True):
        try:
            found.append(_result(frame, each, value, span))
        except StatementFailed:
            broken = True
        if found and found[-1][1] is None and found[-1][0] is BROKEN:
            broken = True
    return None if broken else found


def _outputs_help(tree: syntax.Block, values: Sequence[Any]) -> str:
    """A header for what is returned, or a `return` for what is declared."""
    types = [value.type for value, _ in values if isinstance(value, Tensor)]
    if len(types) > len(tree.outputs) and len(types) == len(values):
        shown = ", ".join(f"y_{at}: {type}" for at, type in enumerate(types, 1))
        return f"declare each with a name: `-> ({shown})`"
    names = ", ".join(each.name or f"y_{at}" for at, each in enumerate(tree.outputs, 1))
    return f"return each: `return {names}`" if len(values) < len(tree.outputs) else ""


def _result(frame: Frame, each: syntax.Output, value: Any, span: Any) -> tuple[Any, TensorType | None]:
    what = f"the output `{each.name}`" if each.name else "the output"
    if value is BROKEN:
        return BROKEN, None
    value = seen(frame, value)
    if isinstance(value, Absent) and each.type.optional:
        return value, None
    if isinstance(value, Partly) and value.tensor is not None and each.type.optional:
        value = value.tensor
    if isinstance(value, (Absent, Partly)):
        raise absent(frame, value, span)
    if not isinstance(value, Tensor):
        help_ = f"apply it to a tensor: `{plain(span.text)}(x)`" if callable_kind(value) else ""
        raise frame.fail("E0407", f"{what} is a tensor, this is {kind_of(value)}", span, help=help_)
    type = declared_type(frame, each.type, value.type, span, what)
    return (BROKEN, None) if type is None else (value, type)


def _outside(frame: Frame, inner: TensorType, declared: TensorType) -> TensorType:
    """The type of a result as its users see it: a name that the inputs do not bind labels nothing out there, but an
    axis that came from one of an input is still that axis.
    """
    pairs = zip(inner.axes, declared.axes, strict=True)
    axes = (out if out.pack or out.label in frame.scope.header else out.labelled(own.label) for own, out in pairs)
    return TensorType(declared.elem, tuple(axes))


def _warn_apart(frame: Frame, definition: Definition, tree: syntax.Block) -> None:
    """W0910: taps at one path that show tensors of several types."""

    def same(a: TensorType, b: TensorType) -> bool:
        sizes = zip(a.sizes, b.sizes, strict=False)
        return a.elem == b.elem and len(a.axes) == len(b.axes) and all(frame.peek(eq(m, n)) is True for m, n in sizes)

    shown = frame.session.shown
    for first, second in shown.apart(definition.graph, same) if shown.of_definition(definition) else ():
        frame.report(
            "W0910",
            f"the tap `{second.path}` shows {second.type} here and {first.type} before",
            second.span or tree.name_span,
            labels=(Label(first.span, "before"),) if first.span not in (None, second.span) else (),
            help="what is seen at one path is stacked, which these cannot be: give one of them another name or place",
        )


def _warn_unused(frame: Frame) -> None:
    """W0901: weights that nothing reads; W0902: instances never applied; H0905: weights whose path is not steady."""
    if frame.failed:
        return  # what is not used may be what could not be understood
    for member in frame.alloc.members:
        if isinstance(member, Weight) and member.path not in frame.alloc.read and member.span is not None:
            frame.report("W0901", f"the weight `{member.path}` is never used", member.span)
    for instance in frame.alloc.instances:
        named = instance.path.rpartition(".")[2] in frame.scope.fixed  # a name is seen without this
        if not instance.used and not named:
            frame.report("W0902", f"`{instance.path}` is allocated, but never applied", instance.span)
    for member in frame.alloc.members:
        named = isinstance(member, Instance) and not member.definition.stateless
        if member is not None and member.path in frame.alloc.order_dependent and (named or isinstance(member, Weight)):
            frame.report(
                "H0905",
                f"the path `{member.path}` depends on source order",
                frame.alloc.order_dependent[member.path],
                help="give it a name with `as`",
            )
