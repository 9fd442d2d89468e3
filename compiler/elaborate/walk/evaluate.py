"""Expressions: names, lists, attributes, choices. One evaluator for compile time and run time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ogive.compiler.elaborate.calls.instances import allocate
from ogive.compiler.elaborate.rules import arithmetic
from ogive.compiler.elaborate.rules.checker import operation, within_terms
from ogive.compiler.elaborate.state import initializer_table as initializers
from ogive.compiler.elaborate.state import weight_paths as places
from ogive.compiler.elaborate.state.allocation import WeightScope
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.control import UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.partly import joined_choice
from ogive.compiler.elaborate.state.values import (
    BROKEN,
    Absent,
    Choice,
    Composite,
    InstanceValue,
    OpTemplate,
    PackValue,
    Partly,
    Template,
    UnknownStatic,
    kind_of,
    whole,
)
from ogive.compiler.elaborate.walk import apply, brackets, choices
from ogive.compiler.elaborate.walk.names import attribute, block_name, lookup
from ogive.compiler.sizes import Condition, Size, TooComplexError, all_of, any_of, member, size
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Edit
from ogive.grammar.source import Span

LARGE = 200  # a size that weighs more takes longer than an operation


def evaluate(frame: Frame, tree: syntax.Expr, name: str | None = None) -> Any:
    """The value of an expression. `name` is what it is bound to, for the path of what it allocates."""
    try:
        value = _EVALUATE[type(tree)](frame, tree, name)
    except TooComplexError as problem:
        raise frame.too_complex(problem, tree.span) from problem
    if isinstance(value, Size) and value.weight > LARGE:
        within_terms(frame, value, tree.span)
        frame.session.count(value.weight // LARGE)
    if frame.scope.notes is not None:
        frame.scope.notes.value(tree.span, value)
    return value


def _name(frame: Frame, tree: syntax.Name, name: str | None) -> Any:
    if frame.alloc.initialized is not None and (made := initializers.inside(frame, tree)) is not None:
        return made
    return lookup(frame, tree.id, tree.span)


def _number(frame: Frame, tree: syntax.Number, name: str | None) -> Any:
    return size(tree.value) if isinstance(tree.value, int) else tree.value


def _literal(frame: Frame, tree: syntax.String | syntax.Constant, name: str | None) -> Any:
    return tree.value


def _list(frame: Frame, tree: syntax.ListExpr | syntax.TupleExpr, name: str | None) -> Any:
    return arithmetic.within(frame, tuple(evaluate(frame, item) for item in tree.items), tree.span)


def _brackets(frame: Frame, tree: syntax.Brackets, name: str | None) -> Any:
    if frame.alloc.initialized is not None and (made := initializers.inside(frame, tree)) is not None:
        return made
    return brackets.brackets(frame, tree, name)


def _attribute(frame: Frame, tree: syntax.Attribute, name: str | None) -> Any:
    return attribute(frame, tree)


def _call(frame: Frame, tree: syntax.Call, name: str | None) -> Any:
    return apply.call(frame, tree)


def _pipe(frame: Frame, tree: syntax.Pipe, name: str | None) -> Any:
    return apply.pipe(frame, tree)


def _unary(frame: Frame, tree: syntax.Unary, name: str | None) -> Any:
    change = _negated if tree.op == "not" else arithmetic.negative
    return change(frame, evaluate(frame, tree.operand), tree.span)


def _binary(frame: Frame, tree: syntax.Binary, name: str | None) -> Any:
    if tree.op in ("and", "or"):
        return _logical(frame, tree)
    left, right = tree.left, tree.right
    spans = (left.span, right.span)
    return arithmetic.binary(frame, tree.op, evaluate(frame, left), evaluate(frame, right), tree.span, spans)


def _set(frame: Frame, tree: syntax.SetExpr, name: str | None) -> Any:
    raise frame.fail("E0101", "a set stands on the right of `in` only", tree.span)


def items_of(frame: Frame, value: Any, span: Span) -> tuple[Any, ...] | None:
    """The elements of a compile-time list; None where it is broken."""
    match value:
        case tuple():
            return value
        case PackValue():
            return value.sizes
        case UnknownStatic():
            raise UnresolvedChoice(value.name, span)
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
                "E0407",
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
            raise frame.fail("E0407", f"{count} names, but {len(items)} values", span)
        return items
    raise frame.fail(
        "E0407",
        f"{count} names, but one value: {kind_of(value)}",
        span,
        help='`split["(t d) -> t d", t=2](x)` unpacks an axis' if isinstance(value, Tensor) else "",
    )


def _comprehension(frame: Frame, tree: syntax.Comprehension, name: str | None) -> Any:
    targets = {target for clause in tree.clauses for target in clause.targets}
    saved = {target: frame.scope.variables[target] for target in targets if target in frame.scope.variables}
    found: list[Any] = []
    broken = _looped(frame, tree, tree.clauses, found)
    for target in targets:
        frame.scope.variables.pop(target, None)
    frame.scope.variables.update(saved)
    return BROKEN if broken else arithmetic.within(frame, tuple(found), tree.span)


def _looped(frame: Frame, tree: syntax.Comprehension, clauses: Sequence[syntax.Clause], found: list[Any]) -> bool:
    """The elements of what these loops run over; whether a list of theirs is broken."""
    if not clauses:
        found.append(evaluate(frame, tree.element))
        return False
    first, *rest = clauses
    items = items_of(frame, evaluate(frame, first.iterable), first.iterable.span)
    if items is None:
        return True
    for item in items:
        frame.session.count()
        values = unpack(frame, item, len(first.targets), tree.span) if len(first.targets) > 1 else (item,)
        frame.scope.variables.update(zip(first.targets, values, strict=True))
        if first.condition is None or truth(frame, evaluate(frame, first.condition), first.condition.span):
            if _looped(frame, tree, rest, found):
                return True
    return False


def truth(frame: Frame, value: Any, span: Span) -> bool:
    """Settle a compile-time condition."""
    match value:
        case bool():
            return value
        case Condition():
            return frame.decide(value, span)
        case UnknownStatic():
            raise UnresolvedChoice(value.name, span)
        case Tensor():
            raise frame.fail(
                "E0602",
                "a condition on a tensor is known at run time alone",
                span,
                help="`select(c, a, b)` chooses element by element; `if` chooses at compile time",
            )
        case Choice():
            raise frame.fail("E0602", "this is known when the model runs: it may be asked by an `if` alone", span)
        case Absent() | Partly():
            text = f"given({span.text})"
            edits = (Edit(span, text),) if span.text.isidentifier() else ()
            message = f"a condition is needed here, this is {kind_of(value)}"
            raise frame.fail("E0407", message, span, help=f"write `{text}`", edits=edits)
        case _:
            raise frame.fail("E0407", f"a condition is needed here, this is {kind_of(value)}", span)


def _negated(frame: Frame, value: Any, span: Span) -> Any:
    match value:
        case bool():
            return not value
        case Condition():
            return value.negate()
        case Choice(when=when, tested=tested, negated=negated):
            return Choice(when, tested, not negated)
        case UnknownStatic():
            raise UnresolvedChoice(value.name, span)
        case Tensor():
            return operation(frame, "logical_not", (value,), span, what="not")
        case _ if value is BROKEN:
            return BROKEN
        case _:
            raise frame.fail("E0407", f"`not` needs a condition, this is {kind_of(value)}", span)


def _logical(frame: Frame, tree: syntax.Binary) -> Any:
    left = evaluate(frame, tree.left)
    decisive = tree.op == "or"
    if isinstance(left, bool):
        return left if left is decisive else evaluate(frame, tree.right)
    right = (
        _beside(frame, left.negate() if decisive else left, tree.right)
        if isinstance(left, Condition)
        else evaluate(frame, tree.right)
    )
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
            raise UnresolvedChoice(name, tree.span)
        case (Choice(), bool() | Choice() | Condition()) | (Condition(), Choice()):
            sides = ((left, tree.left.span), (right, tree.right.span))
            return joined_choice(
                frame, tree.op, [x if isinstance(x, Choice) else truth(frame, x, span) for x, span in sides]
            )
        case _:
            raise frame.fail(
                "E0407", f"`{tree.op}` joins conditions, not {kind_of(left)} and {kind_of(right)}", tree.span
            )


def _beside(frame: Frame, known: Condition, tree: syntax.Expr) -> Any:
    """The value of the second of two conditions, which counts only where the first leaves it open."""
    with frame.proof.assuming(known):
        return evaluate(frame, tree)


def _compare(frame: Frame, tree: syntax.Compare, name: str | None) -> Any:
    left = evaluate(frame, tree.left)
    right_none = isinstance(tree.right, syntax.Constant) and tree.right.value is None
    if right_none and tree.op in ("==", "!=") and isinstance(left, Absent | Partly):
        text = f"{'not ' if tree.op == '==' else ''}given({tree.left.span.text})"
        edits = (Edit(tree.span, text),)
        raise frame.fail("E0407", "what may be absent is asked for", tree.span, help=f"write `{text}`", edits=edits)
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
        raise UnresolvedChoice(left.name, tree.span)
    spans = (tree.left.span, tree.right.span)
    if isinstance(left, Tensor) or any(isinstance(option, Tensor) for option in options):
        help_ = "`(x == 1) or (x == 3)` compares element by element"
        raise frame.fail("E0407", "`in` asks of values of compile time, not of tensors", tree.span, help=help_)
    found = [arithmetic.compare(frame, "==", left, option, tree.span, spans) for option in options]
    if any(each is True for each in found):
        return True
    open_ = [each for each in found if isinstance(each, Condition)]
    return any_of(*open_) if open_ else False


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
    with frame.alloc.inside(WeightScope(path, names)):
        return Composite(tuple(_part(frame, part) for part in tree.parts))


def _part(frame: Frame, tree: syntax.Expr) -> Any:
    value = evaluate(frame, tree)
    if isinstance(value, (BlockRef, Template)):
        return allocate(frame, value, tree, tree.span)
    if isinstance(value, (InstanceValue, OpTemplate, Composite)) or value is BROKEN or apply.applicable(value):
        return value
    raise frame.fail("E0411", f"`>>` composes blocks, this is {kind_of(value)}", tree.span)


_EVALUATE: dict[type[syntax.Expr], Callable[[Frame, Any, str | None], Any]] = {
    syntax.Name: _name,
    syntax.Number: _number,
    syntax.String: _literal,
    syntax.Constant: _literal,
    syntax.ListExpr: _list,
    syntax.TupleExpr: _list,
    syntax.Comprehension: _comprehension,
    syntax.Attribute: _attribute,
    syntax.Brackets: _brackets,
    syntax.Call: _call,
    syntax.Pipe: _pipe,
    syntax.Compose: compose,
    syntax.Conditional: _conditional,
    syntax.Unary: _unary,
    syntax.Binary: _binary,
    syntax.Compare: _compare,
    syntax.SetExpr: _set,
}
