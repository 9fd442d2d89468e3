"""A block for all values of its statics: open matches, and results of blocks of which only the type is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogive.compiler.elaborate.calls import listed, unify
from ogive.compiler.elaborate.calls.unify import InputMatch
from ogive.compiler.elaborate.modules.statics_advice import named_statics, statics_help
from ogive.compiler.elaborate.rules import statics
from ogive.compiler.elaborate.rules.type_exprs import tensor_type
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.values import BROKEN, PackValue, TypedBlock, UnknownStatic
from ogive.compiler.ir.attributes import AbstractCallAttrs
from ogive.compiler.ir.model import Scalar
from ogive.compiler.ir.types import Axis
from ogive.compiler.sizes import Size, Unknown, size
from ogive.grammar import syntax
from ogive.grammar.source import Span


def open_static(decl: syntax.StaticDecl, block: syntax.Block) -> Any:
    """A static of which nothing is known but its kind."""
    if decl.type is not None:
        return TypedBlock(decl.name, decl.type)
    wanted = statics.kinds(decl, block)
    if any(kind in ("size", "nat", "int") for kind in wanted):
        if len(wanted) > 1 and {"list", "str"} & set(wanted):
            return UnknownStatic(decl.name, wanted[0])
        return size(Unknown(decl.name, statics.LOWEST.get(wanted[0]), "size", decl.span))
    if wanted == ("float",):
        return Scalar("static", (decl.name,))
    return UnknownStatic(decl.name, wanted[0])


def all_open(frame: Frame, ref: BlockRef) -> InputMatch:
    """A use of a block of which nothing is known."""
    values = {decl.name: open_static(decl, ref.tree) for decl in ref.tree.statics}
    return _with_sizes(frame, ref, InputMatch(values))


def with_entries(frame: Frame, ref: BlockRef) -> BlockRef:
    """The block itself; one with lists of tensors as it is where its text says how many."""
    open_ = {decl.name: open_static(decl, ref.tree) for decl in ref.tree.statics}
    return listed.known(frame, ref, open_, ref.tree.name_span)


def _with_sizes(frame: Frame, ref: BlockRef, match: InputMatch) -> InputMatch:
    match.env = frame.beside(ref, match.values)
    match.env.diagnostics = frame.diagnostics
    for name in statics.input_sizes(ref.tree):
        if name not in match.sizes and name not in ref.module.scope:
            match.sizes[name] = size(Unknown(name))
    match.env.scope.variables.update(match.sizes)
    for each in ref.tree.inputs:
        for dim in each.type.dims:
            if isinstance(dim, syntax.StarDim):
                name = dim.name or "..."
                if name not in match.packs and not isinstance(match.values.get(name), (tuple, UnknownStatic)):
                    match.packs[name] = (Axis(size(Unknown(name, 1, "pack")), None, name),)
                    match.env.scope.variables[name] = PackValue(name, match.packs[name])
    return match


def open_match(frame: Frame, ref: BlockRef, given: dict[str, Any], span: Span) -> InputMatch | None:
    """A use of a block without arguments: statics are known, sizes of inputs are open."""
    declared = {d.name for d in ref.tree.statics}
    match = InputMatch({n: v for n, v in given.items() if n in declared})
    match.sizes.update({n: v for n, v in given.items() if n not in declared and isinstance(v, Size)})
    env = frame.beside(ref, given)
    env.diagnostics = frame.diagnostics  # what is wrong with a default is said also where it ends the use
    for decl in ref.tree.statics:
        if decl.name in match.values:
            continue
        if decl.default is None:
            open_ = [d.name for d in ref.tree.statics if d.default is None and d.name not in given]
            text = f"{named_statics(open_)} of `{ref.name}` {'is' if len(open_) == 1 else 'are'} not known here"
            frame.report("E0402", text, span, **statics_help(ref, span, open_))
            return None
        value = statics.static_value(env, decl.name, statics.kinds(decl, ref.tree), decl.default)
        match.values[decl.name] = env.scope.variables[decl.name] = value
    if any(value is BROKEN for value in match.values.values()):
        return None
    return _with_sizes(frame, ref, match)


def typed_results(frame: Frame, func: TypedBlock, args: Sequence[Any], span: Span, spans: Sequence[Span]) -> Any:
    """Results of a block of which only the type is known."""
    tree = func.type
    inputs = tuple(syntax.Input(name=f"x{i + 1}", type=t, span=t.span) for i, t in enumerate(tree.inputs))
    outputs = tuple(syntax.Output(name=None, type=t, span=t.span) for t in tree.outputs)
    block = syntax.Block(
        name=func.name,
        name_span=tree.span,
        statics=(),
        inputs=inputs,
        outputs=outputs,
        where=(),
        body=(),
        doc="",
        span=tree.span,
    )
    if any(a is BROKEN for a in args):
        return BROKEN
    operands = [a for a in args if isinstance(a, Tensor)]
    if len(operands) != len(inputs) or len(operands) != len(args):
        raise frame.fail("E0405", f"`{func.name}` takes {len(inputs)} tensors, here are {len(args)}", span)
    known = {n: v for n, v in frame.scope.variables.items() if isinstance(v, (Size, UnknownStatic))}
    ref = BlockRef(block, frame.module)
    match = unify.match_inputs(frame, ref, known, operands, span, spans)
    if match.failed or match.env is None:
        return BROKEN
    for each in outputs:
        for dim in each.type.dims:
            if isinstance(dim, syntax.Name) and dim.id not in match.env.scope.variables:
                own = size(Unknown(dim.id, 1, "size", dim.span))  # the block determines it
                match.env.scope.variables[dim.id] = own
    types = [tensor_type(match.env, each.type) for each in outputs]
    made = frame.builder.node(
        AbstractCallAttrs(func.name),
        tuple(frame.builder.use(t) for t in operands),
        tuple(t for t in types if t is not None),
        span=span,
    )
    return made[0] if len(outputs) == 1 else made
