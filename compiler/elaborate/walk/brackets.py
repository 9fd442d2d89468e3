"""`base[...]`: statics of blocks and operations, slices of tensors, elements of lists."""

from __future__ import annotations

from typing import Any

from ogive.compiler.elaborate.calls import instances
from ogive.compiler.elaborate.rules import op_statics, operations, statics
from ogive.compiler.elaborate.rules.checker import absent, operate
from ogive.compiler.elaborate.rules.forms import FORMS
from ogive.compiler.elaborate.state.blocks import BlockRef, ConstRef
from ogive.compiler.elaborate.state.control import StatementFailed, UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.values import (
    BROKEN,
    Absent,
    Builtin,
    Handed,
    InstanceValue,
    OpTemplate,
    PackValue,
    Partly,
    Template,
    UnknownStatic,
    kind_of,
)
from ogive.compiler.elaborate.walk import foreign_calls
from ogive.compiler.ops import NAMED
from ogive.compiler.sizes import Size
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Edit

FUNCTIONS_OF = tuple(FORMS)


def brackets(frame: Frame, tree: syntax.Brackets, name: str | None) -> Any:
    """The value of `base[items]`. Brackets of a block allocate, unless they end in `...`."""
    if isinstance(tree.base, syntax.Name) and tree.base.id in FUNCTIONS_OF and not _known(frame, tree.base.id):
        return frame.session.function_of(frame, tree.base.id, tree)
    foreign_calls.sizes(frame, tree)
    base = _base(frame, tree)
    match base:
        case BlockRef() | Template():
            value, opened = with_statics(frame, base, tree)
            return value if opened else instances.allocate(frame, value, tree, tree.span, name)
        case OpTemplate() if base.statics:
            raise frame.fail("E0409", f"`{base.spec.name}` has its brackets already", tree.span)
        case OpTemplate(spec=spec):
            foreign_calls.in_brackets(frame, tree, spec)
            given, pattern = op_statics.of_op(frame, spec, tree.items, tree.span)
            return operations.valueless(frame, OpTemplate(spec, given, tree.span, pattern), tree.span)
        case Tensor():
            return _slice(frame, base, tree)
        case tuple() | PackValue():
            return _element(frame, base, tree)
        case Absent() | Partly():
            raise absent(frame, base, tree.base.span)
        case UnknownStatic():
            raise UnresolvedChoice(base.name, tree.span)
        case InstanceValue() | Handed():
            text = foreign_calls.with_parentheses(frame, tree)
            edits = (Edit(tree.span, text),) if text else ()
            help_ = f"parentheses apply it: `{text or 'f(x)'}`"
            raise frame.fail("E0409", "an instance has its statics already", tree.span, help=help_, edits=edits)
        case ConstRef():
            values, _ = statics.of_block(frame, base, {}, tree.items)
            return frame.session.rule(frame, base, values, tree.span)
        case Builtin():
            raise frame.fail(
                "E0409", f"`{base.name}` is a function of compile time: write `{base.name}(...)`", tree.span
            )
        case _ if base is BROKEN:
            return BROKEN
        case _:
            raise frame.fail("E0409", f"brackets do not fit {kind_of(base)}", tree.span)


def template(frame: Frame, tree: syntax.Brackets) -> Any:
    """As `brackets`, but a block is a template: nothing is allocated."""
    base = _base(frame, tree)
    if isinstance(base, (BlockRef, Template)):
        return with_statics(frame, base, tree)[0]
    return brackets(frame, tree, None)


def _known(frame: Frame, name: str) -> bool:
    return name in frame.scope.variables or name in frame.module.scope


def _base(frame: Frame, tree: syntax.Brackets) -> Any:
    """What stands before the brackets; a name that is a compile-time function and an operation is the operation."""
    if isinstance(tree.base, syntax.Name):
        name = tree.base.id
        if name not in frame.scope.variables and name not in frame.module.scope and name in NAMED:
            return OpTemplate(NAMED[name], span=tree.base.span)
    return frame.evaluate(tree.base)


def with_statics(frame: Frame, base: BlockRef | Template, tree: syntax.Brackets) -> tuple[Template, bool]:
    """The template with these statics, and whether the brackets end in `...`."""
    ref, before = (base, ()) if isinstance(base, BlockRef) else (base.block, base.statics)
    given, opened = statics.of_block(frame, ref, dict(before), tree.items)
    return Template(ref, tuple(given.items()), tree.span), opened


def _element(frame: Frame, base: Any, tree: syntax.Brackets) -> Any:
    items = base.sizes if isinstance(base, PackValue) else base
    if len(tree.items) != 1:
        raise frame.fail("E0409", "a list takes one index", tree.span)
    item = tree.items[0]
    if isinstance(item, syntax.Slice):
        bounds = [None if e is None else _index(frame, e) for e in (item.start, item.stop, item.step)]
        if bounds[2] == 0:
            raise frame.fail("E0409", "the step of a slice is not 0", item.span)
        return items[slice(*bounds)]
    if not isinstance(item, syntax.Expr):
        raise frame.fail("E0409", "a list takes an index or a slice", item.span)
    index = _index(frame, item)
    if not -len(items) <= index < len(items):
        raise frame.fail("E0304", f"index {index} of a list of {len(items)}", item.span)
    return items[index]


def _index(frame: Frame, tree: syntax.Expr) -> int:
    value = frame.evaluate(tree)
    if value is BROKEN:
        raise StatementFailed
    if isinstance(value, UnknownStatic):
        raise UnresolvedChoice(value.name, tree.span)
    if isinstance(value, Size):
        return frame.number(value, tree.span)
    raise frame.fail("E0409", f"a list is indexed by a number, this is {kind_of(value)}", tree.span)


def _slice(frame: Frame, base: Tensor, tree: syntax.Brackets) -> Any:
    foreign_calls.new_axis(frame, tree, base)
    entries = tuple(_entry(frame, item, tree, base) for item in tree.items)
    return operate(frame, NAMED["slice"], {"items": entries}, (base,), tree.span, spans=(tree.base.span,), what="")


def _entry(frame: Frame, item: Any, tree: syntax.Brackets, base: Tensor) -> Any:
    match item:
        case syntax.Ellipsis_():
            return "..."
        case syntax.Slice(start=start, stop=stop, step=step):
            return ("slice", *(None if e is None else _bound(frame, e, tree, base) for e in (start, stop, step)))
        case syntax.Keyword() | syntax.Splice():
            raise frame.fail("E0409", "a tensor is sliced by sizes: `x[:, 0]`, `x[..., :n]`", item.span)
        case _:
            return ("index", _bound(frame, item, tree, base))


def _bound(frame: Frame, tree: syntax.Expr, whole: syntax.Brackets, base: Tensor) -> Size:
    value = frame.evaluate(tree)
    if value is BROKEN:
        raise StatementFailed
    if isinstance(value, Size):
        return value
    if isinstance(value, Tensor):
        raise frame.fail(
            "E0409",
            "a slice goes by sizes, this is a tensor",
            tree.span,
            **foreign_calls.by_data(whole, base, tree, value),
        )
    advice: dict[str, Any] = {}
    if isinstance(tree, syntax.Binary) and tree.op == "/":
        text = f"{tree.left.span.text}//{tree.right.span.text}"
        advice = {"help": f"sizes are divided by `//`: `{text}`", "edits": (Edit(tree.span, text),)}
    raise frame.fail("E0409", f"a slice goes by sizes, this is {kind_of(value)}", tree.span, **advice)
