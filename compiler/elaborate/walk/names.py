"""What names mean: variables, what a module declares, operations, weights of instances."""

from __future__ import annotations

from typing import Any

from ogive.compiler.elaborate.calls import weights_read
from ogive.compiler.elaborate.modules import suggest
from ogive.compiler.elaborate.modules.foreign_names import PREFIXES
from ogive.compiler.elaborate.modules.scope import EXTERN_HELP, EXTERN_OFF
from ogive.compiler.elaborate.rules.builtins import BUILTINS, CONSTANTS
from ogive.compiler.elaborate.state.blocks import BlockRef, ConstRef, Module
from ogive.compiler.elaborate.state.control import StatementFailed, UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.initializer_table import INITIALIZERS
from ogive.compiler.elaborate.state.partly import gone, seen, trains
from ogive.compiler.elaborate.state.values import (
    BROKEN,
    Composite,
    Gone,
    InstanceValue,
    OpTemplate,
    Param,
    Partly,
    Template,
    UnknownStatic,
    WeightRef,
    kind_of,
)
from ogive.compiler.elaborate.walk import foreign_calls
from ogive.compiler.ops import NAMED
from ogive.grammar import spelling, syntax
from ogive.grammar.diagnostics import Edit, Label
from ogive.grammar.source import Span

PRELUDE = {"poset_pool": "std.posets"}  # names that need no `use`, and that the library says in the language


def lookup(frame: Frame, name: str, span: Span) -> Any:
    """What a name means here."""
    if name in frame.scope.variables:
        value = seen(frame, frame.scope.variables[name])
        if gone(value):
            raise _of_a_loop(frame, value, span)
        return read(frame, value)
    scope = frame.module.scope
    if name in scope:
        entry = scope[name]
        if entry is None:
            return BROKEN
        if isinstance(entry, ConstRef):
            return entry if entry.tree.statics else frame.session.constant(entry)
        if isinstance(entry, syntax.Extern):
            if any(entry is declared for declared in frame.module.tree.declarations):
                return BROKEN  # said where it is declared
            raise frame.fail("E0202", EXTERN_OFF, span, help=EXTERN_HELP)
        return entry
    if name in PRELUDE:
        return frame.session.library_module(PRELUDE[name]).scope[name]
    if name in BUILTINS:
        return BUILTINS[name]
    if name in NAMED:
        return OpTemplate(NAMED[name], span=span)
    if name in CONSTANTS:
        return CONSTANTS[name]
    if name == "training":
        return trains(frame)
    if frame.module.broken:
        return BROKEN  # it may be what could not be parsed
    raise frame.fail("E0201", f"unknown name `{name}`", span, help=suggest.for_name(name, frame),
                     edits=suggest.edits_for_name(name, frame, span))  # fmt: skip


def means_something(frame: Frame, name: str) -> bool:
    """Whether a name means something that no variable hides."""
    known = (PRELUDE, BUILTINS, NAMED, CONSTANTS, INITIALIZERS, ("training", "given"))
    return name in frame.module.scope or any(name in names for names in known)


def _of_a_loop(frame: Frame, value: Gone | Partly, span: Span) -> StatementFailed:
    """A name of the iterations of a loop is read behind it, on one path at least."""
    text = f"`{value.name}` is bound in the iterations of a loop, and is gone behind it"
    labels = (Label(value.span, "bound here, anew in each iteration"),) if value.span else ()
    return frame.fail("E0201", text, span, labels=labels, help=suggest.for_name(value.name, frame))


def read(frame: Frame, value: Any) -> Any:
    """A value as it is read where we are: a weight becomes a tensor of the current graph."""
    if isinstance(value, InstanceValue):
        value.used = True
    if isinstance(value, Param):
        frame.alloc.read.add(value.path)
        return frame.builder.weight(value.path, value.type, value.span)
    return value


def attribute(frame: Frame, tree: syntax.Attribute) -> Any:
    """`base.name`: an entry of a module, a weight of an instance."""
    if (peer := _peer(frame, tree)) is not None:
        raise foreign_calls.prefixed(frame, tree, peer)
    if isinstance(tree.base, syntax.Name) and tree.base.id == "self" and not means_something(frame, "self"):
        if "self" not in frame.scope.variables:
            raise frame.fail(
                "E0201",
                "unknown name `self`",
                tree.base.span,
                help=f"write `{tree.name}`: weights and instances are names of the body",
                edits=(Edit(tree.span, tree.name),),
            )
    base = frame.evaluate(tree.base)
    match base:
        case Module():
            entry = base.scope.get(tree.name)
            if isinstance(entry, BlockRef) and entry.module is base:
                return entry
            if isinstance(entry, ConstRef) and entry.module is base:
                return entry if entry.tree.statics else frame.session.constant(entry)
            if base.broken:
                return BROKEN
            raise frame.fail(
                "E0201",
                f"`{base.name}` has no `{tree.name}`",
                tree.name_span,
                help=spelling.close(tree.name, [b.name for b in base.blocks()]),
            )
        case InstanceValue():
            return weights_read.weight_of(frame, WeightRef(base, (tree.name,)), tree.span)
        case WeightRef():
            return weights_read.weight_of(frame, WeightRef(base.instance, (*base.path, tree.name)), tree.span)
        case Tensor():
            raise foreign_calls.attribute(frame, tree, base)
        case BlockRef() | Template() if tree.name in NAMED:
            raise frame.fail(
                "E0201",
                f"`{tree.base.span.text}` is a block: it has no `{tree.name}`",
                tree.name_span,
                help=f"operations need no prefix: `{tree.name}(x)`",
            )
        case BlockRef() | Template():
            raise frame.fail(
                "E0201",
                f"`{tree.base.span.text}` is a template: it has no weights to name",
                tree.name_span,
                help="bind an instance first: `f = Block[...]`, then `f.weight`",
            )
        case Composite():
            raise frame.fail("E0201", f"a composition has no `{tree.name}`", tree.name_span)
        case UnknownStatic():
            raise UnresolvedChoice(base.name, tree.span)
        case _ if base is BROKEN:
            return BROKEN
        case _:
            raise frame.fail(
                "E0201", f"{kind_of(base)} has no `{tree.name}`", tree.name_span, help=suggest.for_method(tree.name)
            )


def _peer(frame: Frame, tree: syntax.Attribute) -> syntax.Name | None:
    """The first name of `torch.nn.functional.relu`."""
    base = tree.base
    while isinstance(base, syntax.Attribute) and base.name in PREFIXES:
        base = base.base
    if not isinstance(base, syntax.Name) or base.id not in PREFIXES:
        return None
    return None if base.id in frame.scope.variables or base.id in frame.module.scope or frame.module.broken else base


def block_name(frame: Frame, tree: syntax.Expr) -> str | None:
    """The name of the block that a site would allocate, None where the expression is something else."""
    base = tree
    while isinstance(base, syntax.Brackets):
        base = base.base
    match base:
        case syntax.Name(id=id):
            entry = frame.scope.variables.get(id) or frame.module.scope.get(id)
        case syntax.Attribute(base=syntax.Name(id=id), name=name):
            holder = frame.module.scope.get(id)
            entry = holder.scope.get(name) if isinstance(holder, Module) and id not in frame.scope.variables else None
        case _:
            return None
    match entry:
        case BlockRef():
            return entry.name
        case Template():
            return entry.block.name
        case _:
            return None
