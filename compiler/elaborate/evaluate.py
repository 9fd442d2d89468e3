"""Expressions: names, lists, attributes, choices. One evaluator for compile time and run time."""

from __future__ import annotations

from typing import Any

from ogive.compiler.elaborate import apply, arithmetic, brackets, choices, initializers, places, suggest, weights_read
from ogive.compiler.elaborate.builtins import BUILTINS, CONSTANTS
from ogive.compiler.elaborate.checker import operation
from ogive.compiler.elaborate.frame import Frame, Place
from ogive.compiler.elaborate.instances import allocate
from ogive.compiler.elaborate.meant import PREFIXES
from ogive.compiler.elaborate.modules import EXTERN_HELP, EXTERN_OFF, Module
from ogive.compiler.elaborate.values import (
    BROKEN,
    BlockRef,
    Choice,
    Composite,
    ConstRef,
    Instance,
    OpTemplate,
    PackValue,
    Param,
    Template,
    Tensor,
    Undecided,
    UnknownStatic,
    WeightRef,
    kind_of,
    whole,
)
from ogive.compiler.ops import OPS
from ogive.compiler.sizes import Condition, all_of, any_of, member, size
from ogive.grammar import syntax
from ogive.grammar.source import Span

PRELUDE = {"poset_pool": "std.posets"}  # names that need no `use`, and that the library says in the language


def evaluate(frame: Frame, tree: syntax.Expr, name: str | None = None) -> Any:
    """The value of an expression. `name` is what it is bound to, for the path of what it allocates."""
    match tree:
        case syntax.Name() | syntax.Brackets() if (made := initializers.inside(frame, tree)) is not None:
            return made
        case syntax.Name(id=id):
            return lookup(frame, id, tree.span)
        case syntax.Number(value=value):
            return size(value) if isinstance(value, int) else value
        case syntax.String(value=value) | syntax.Constant(value=value):
            return value
        case syntax.ListExpr(items=items) | syntax.TupleExpr(items=items):
            return arithmetic.within(frame, tuple(evaluate(frame, item) for item in items), tree.span)
        case syntax.Comprehension():
            return _comprehension(frame, tree)
        case syntax.Attribute():
            return _attribute(frame, tree)
        case syntax.Brackets():
            return brackets.brackets(frame, tree, name)
        case syntax.Call():
            return apply.call(frame, tree)
        case syntax.Pipe():
            return apply.pipe(frame, tree)
        case syntax.Compose():
            return compose(frame, tree, name)
        case syntax.Conditional():
            return _conditional(frame, tree, name)
        case syntax.Unary(op="not", operand=operand):
            return _negated(frame, evaluate(frame, operand), tree.span)
        case syntax.Unary(operand=operand):
            return arithmetic.negative(frame, evaluate(frame, operand), tree.span)
        case syntax.Binary(op="and" | "or"):
            return _logical(frame, tree)
        case syntax.Binary(op=op, left=left, right=right):
            spans = (left.span, right.span)
            return arithmetic.binary(frame, op, evaluate(frame, left), evaluate(frame, right), tree.span, spans)
        case syntax.Compare():
            return _compare(frame, tree)
        case syntax.SetExpr():
            raise frame.fail("E0101", "a set stands on the right of `in` only", tree.span)
        case _:
            raise AssertionError(tree)


def lookup(frame: Frame, name: str, span: Span) -> Any:
    """What a name means here."""
    if name in frame.variables:
        value = frame.variables[name]
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
        return frame.session.library.standard(PRELUDE[name]).scope[name]
    if name in BUILTINS:
        return BUILTINS[name]
    if name in OPS:
        return OpTemplate(OPS[name], span=span)
    if name in CONSTANTS:
        return CONSTANTS[name]
    if name == "training":
        return Choice("training")
    if frame.module.broken:
        return BROKEN  # it may be what could not be parsed
    raise frame.fail("E0201", f"unknown name `{name}`", span, help=suggest.for_name(name, frame),
                     edits=suggest.edits_for_name(name, frame, span))  # fmt: skip


def read(frame: Frame, value: Any) -> Any:
    """A value as it is read: a weight becomes a tensor of the current graph."""
    if isinstance(value, Instance):
        value.used = True
    if isinstance(value, Param):
        frame.read.add(value.path)
        return frame.builder.weight(value.path, value.type, value.span)
    return value


def _attribute(frame: Frame, tree: syntax.Attribute) -> Any:
    if (peer := _peer(frame, tree)) is not None:
        known = suggest.of_peer(tree.name) or suggest.for_name(peer.id, frame)
        raise frame.fail("E0201", f"unknown name `{peer.id}`", peer.span, help=known)
    base = evaluate(frame, tree.base)
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
                help=suggest.close(tree.name, [b.name for b in base.blocks()]),
            )
        case Instance():
            return weights_read.weight_of(frame, WeightRef(base, (tree.name,)), tree.span)
        case WeightRef():
            return weights_read.weight_of(frame, WeightRef(base.instance, (*base.path, tree.name)), tree.span)
        case Tensor():
            raise frame.fail(
                "E0201", f"a tensor has no `{tree.name}`", tree.name_span, help=suggest.for_method(tree.name)
            )
        case BlockRef() | Template() if tree.name in OPS:
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
            raise Undecided(base.name, tree.span)
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
    return None if base.id in frame.variables or base.id in frame.module.scope or frame.module.broken else base


def items_of(frame: Frame, value: Any, span: Span) -> tuple[Any, ...] | None:
    """The elements of a compile-time list; None where it is broken."""
    match value:
        case tuple():
            return value
        case PackValue():
            return value.sizes
        case UnknownStatic():
            raise Undecided(value.name, span)
        case _ if value is BROKEN:
            return None
        case Tensor():
            raise frame.fail(
                "E0602",
                "a tensor cannot be looped over: its length is known at run time alone",
                span,
                help="`repeat n with y in x:` takes slices along the first axis, `scan y in x along n ...:` steps "
                "through an axis in order",
            )
        case _:
            raise frame.fail(
                "E0404",
                f"a list is needed here, this is {kind_of(value)}",
                span,
                help="count with `range(n)`" if whole(value) is not None else "",
            )


def unpack(frame: Frame, value: Any, count: int, span: Span) -> tuple[Any, ...]:
    """The values of a tuple for `count` names."""
    if value is BROKEN:
        return (BROKEN,) * count
    if isinstance(value, (tuple, PackValue, UnknownStatic)):
        items = items_of(frame, value, span) or ()
        if len(items) != count:
            raise frame.fail("E0404", f"{count} names, but {len(items)} values", span)
        return items
    raise frame.fail(
        "E0404",
        f"{count} names, but one value: {kind_of(value)}",
        span,
        help='`split["(t d) -> t d", t=2](x)` unpacks an axis' if isinstance(value, Tensor) else "",
    )


def _comprehension(frame: Frame, tree: syntax.Comprehension) -> Any:
    items = items_of(frame, evaluate(frame, tree.iterable), tree.iterable.span)
    if items is None:
        return BROKEN
    saved = {target: frame.variables.get(target, BROKEN) for target in tree.targets}
    known = {target for target in tree.targets if target in frame.variables}
    found = []
    for item in items:
        frame.session.count()
        values = unpack(frame, item, len(tree.targets), tree.span) if len(tree.targets) > 1 else (item,)
        frame.variables.update(zip(tree.targets, values, strict=True))
        if tree.condition is None or truth(frame, evaluate(frame, tree.condition), tree.condition.span):
            found.append(evaluate(frame, tree.element))
    for target in tree.targets:
        if target in known:
            frame.variables[target] = saved[target]
        else:
            frame.variables.pop(target, None)
    return tuple(found)


def truth(frame: Frame, value: Any, span: Span) -> bool:
    """Settle a compile-time condition."""
    match value:
        case bool():
            return value
        case Condition():
            return frame.decide(value, span)
        case UnknownStatic():
            raise Undecided(value.name, span)
        case Tensor():
            raise frame.fail(
                "E0602",
                "a condition on a tensor is known at run time alone",
                span,
                help="`select(c, a, b)` chooses element by element; `if` chooses at compile time",
            )
        case Choice():
            raise frame.fail("E0602", "this is known when the model runs: it may be asked by an `if` alone", span)
        case _:
            raise frame.fail("E0404", f"a condition is needed here, this is {kind_of(value)}", span)


def _negated(frame: Frame, value: Any, span: Span) -> Any:
    match value:
        case bool():
            return not value
        case Condition():
            return value.negate()
        case Choice(kind=kind, name=name, negated=negated):
            return Choice(kind, name, not negated)
        case UnknownStatic():
            raise Undecided(value.name, span)
        case Tensor():
            return operation(frame, "logical_not", (value,), span, what="not")
        case _ if value is BROKEN:
            return BROKEN
        case _:
            raise frame.fail("E0404", f"`not` needs a condition, this is {kind_of(value)}", span)


def _logical(frame: Frame, tree: syntax.Binary) -> Any:
    left = evaluate(frame, tree.left)
    decisive = tree.op == "or"
    if isinstance(left, bool):
        return left if left is decisive else evaluate(frame, tree.right)
    right = evaluate(frame, tree.right)
    match left, right:
        case _ if left is BROKEN or right is BROKEN:
            return BROKEN
        case Condition(), bool():
            return right if right is decisive else left
        case Condition(), Condition():
            return any_of(left, right) if decisive else all_of(left, right)
        case Tensor(), Tensor():
            name, spans = "logical_or" if decisive else "logical_and", (tree.left.span, tree.right.span)
            return operation(frame, name, (left, right), tree.span, spans=spans, what=tree.op)
        case (UnknownStatic(name=name), _) | (_, UnknownStatic(name=name)):
            raise Undecided(name, tree.span)
        case (Choice(), _) | (_, Choice()):
            raise frame.fail(
                "E0602", "`training` and `given(...)` stand alone in a condition", tree.span, help="nest two `if`s"
            )
        case _:
            raise frame.fail(
                "E0404", f"`{tree.op}` joins conditions, not {kind_of(left)} and {kind_of(right)}", tree.span
            )


def _compare(frame: Frame, tree: syntax.Compare) -> Any:
    left = evaluate(frame, tree.left)
    if tree.op == "in":
        return _member(frame, left, tree)
    right = evaluate(frame, tree.right)
    return arithmetic.compare(frame, tree.op, left, right, tree.span, (tree.left.span, tree.right.span))


def _member(frame: Frame, left: Any, tree: syntax.Compare) -> Any:
    if not isinstance(tree.right, (syntax.SetExpr, syntax.ListExpr)):
        options = items_of(frame, evaluate(frame, tree.right), tree.right.span)
    else:
        options = tuple(evaluate(frame, item) for item in tree.right.items)
    if left is BROKEN or options is None or BROKEN in options:
        return BROKEN
    numbers = [whole(option) for option in options]
    if hasattr(left, "unknowns") and None not in numbers:
        return (
            left.number in numbers if left.is_number else member(left, frozenset(n for n in numbers if n is not None))
        )
    if isinstance(left, UnknownStatic):
        raise Undecided(left.name, tree.span)
    return any(arithmetic.compare(frame, "==", left, o, tree.span, (tree.span, tree.span)) is True for o in options)


def _conditional(frame: Frame, tree: syntax.Conditional, name: str | None) -> Any:
    condition = evaluate(frame, tree.condition)
    if condition is BROKEN:
        return BROKEN
    if isinstance(condition, Choice):
        return choices.choose(frame, condition, tree)
    chosen = tree.then if truth(frame, condition, tree.condition.span) else tree.orelse
    return evaluate(frame, chosen, name)


def compose(frame: Frame, tree: syntax.Compose, name: str | None) -> Any:
    """`A >> B`: templates allocate here, once; members of a named composition stand under its name."""
    if name is None:
        return Composite(tuple(_part(frame, part) for part in tree.parts))
    path = frame.path_for(tree, name, name, tree.span)
    names = places.plan_members(tree.parts, lambda e: block_name(frame, e))
    with frame.inside(Place(path, names)):
        return Composite(tuple(_part(frame, part) for part in tree.parts))


def _part(frame: Frame, tree: syntax.Expr) -> Any:
    value = evaluate(frame, tree)
    if isinstance(value, (BlockRef, Template)):
        return allocate(frame, value, tree, tree.span)
    if isinstance(value, (Instance, OpTemplate, Composite)) or value is BROKEN or apply.applicable(value):
        return value
    raise frame.fail("E0404", f"`>>` composes blocks, this is {kind_of(value)}", tree.span)


def block_name(frame: Frame, tree: syntax.Expr) -> str | None:
    """The name of the block that a site would allocate, None where the expression is something else."""
    base = tree
    while isinstance(base, syntax.Brackets):
        base = base.base
    match base:
        case syntax.Name(id=id):
            entry = frame.variables.get(id) or frame.module.scope.get(id)
        case syntax.Attribute(base=syntax.Name(id=id), name=name):
            holder = frame.module.scope.get(id)
            entry = holder.scope.get(name) if isinstance(holder, Module) and id not in frame.variables else None
        case _:
            return None
    match entry:
        case BlockRef():
            return entry.name
        case Template():
            return entry.block.name
        case _:
            return None
