"""Statics: what stands in brackets, by the kinds that a block or an operation declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.elaborate.modules.peer_layers import STATICS
from ogive.compiler.elaborate.modules.statics_advice import quotient, whole
from ogive.compiler.elaborate.rules.builtins import CONSTANTS
from ogive.compiler.elaborate.rules.forms import APPLIED
from ogive.compiler.elaborate.rules.wholes import settled
from ogive.compiler.elaborate.state.blocks import BlockRef, ConstRef
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.values import (
    BROKEN,
    AxisRef,
    Builtin,
    Composite,
    Handed,
    InstanceValue,
    OpTemplate,
    PackValue,
    Template,
    TypedBlock,
    UnknownStatic,
    kind_of,
)
from ogive.compiler.ir.model import Scalar
from ogive.compiler.sizes import Condition, Size
from ogive.grammar import spelling, syntax
from ogive.grammar.diagnostics import Edit, Label
from ogive.grammar.source import Span

Declared = syntax.Block | syntax.Extern | syntax.Const  # what has statics

LOWEST = {"size": 1, "nat": 0}
REDUCTIONS = ("sum", "mean", "max", "min", "prod", "any", "all", "logsumexp", "var", "std", "norm")


def kinds(decl: syntax.StaticDecl, block: Declared, seen: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The kinds that a static takes: written, or shown by its default."""
    if decl.kinds:
        return decl.kinds
    if decl.type is not None:
        return ("block",)
    match decl.default:
        case None:
            return ("size",)
        case syntax.Number(value=float()):
            return ("float",)
        case syntax.Number(value=value):
            return ("size",) if value >= 1 else ("nat",)
        case syntax.Unary(op="-", operand=syntax.Number(value=float()) | syntax.Name(id="inf" | "pi")):
            return ("float",)
        case syntax.Unary(op="-"):
            return ("int",)
        case syntax.Constant(value=bool()):
            return ("bool",)
        case syntax.String():
            return ("str",)
        case syntax.ListExpr() | syntax.Comprehension():
            return ("list",)
        case syntax.Name(id=id):
            others = (s for s in block.statics if s.name == id and s is not decl and id not in seen)
            other = next(others, None)
            if other is None:
                return ("float",) if id in CONSTANTS else ("block",)
            return kinds(other, block, seen | {decl.name, id})
        case syntax.Brackets() | syntax.Compose():
            return ("block",)
        case syntax.Binary(op="/") | syntax.Call(func=syntax.Name(id="sqrt" | "log" | "exp" | "log2")):
            return ("float",)
        case _:
            return ("size",)


def fits(value: Any, wanted: Sequence[str]) -> bool:
    """Whether a value is of one of the kinds."""
    if isinstance(value, UnknownStatic):
        return value.kind in wanted
    return any(_fits(value, kind) for kind in wanted)


def _fits(value: Any, kind: str) -> bool:
    match kind:
        case "size" | "nat" | "int":
            lowest = LOWEST.get(kind)
            return isinstance(value, Size) and (lowest is None or not value.is_number or value.number >= lowest)
        case "float":
            return isinstance(value, (float, Scalar, Size))
        case "bool":
            return isinstance(value, bool)
        case "str":
            return isinstance(value, str)
        case "list":
            return isinstance(value, (tuple, PackValue))
        case "axis":
            return isinstance(value, AxisRef)
        case "block":
            blocks = (BlockRef, Template, Handed, InstanceValue, OpTemplate, Composite, TypedBlock, Builtin)
            return isinstance(value, blocks)
        case _:
            return True


def check_kind(frame: Frame, name: str, value: Any, wanted: Sequence[str], span: Span, help: str = "") -> Any:
    """The value, or a fault where it is of another kind, with this help."""
    if value is BROKEN:
        return BROKEN
    if "list" not in wanted and wanted == ("float",) and isinstance(value, Size) and value.is_number:
        return float(value.number)
    if isinstance(value, Condition) and "bool" in wanted:
        return frame.decide(value, span)
    if {"size", "nat", "int"} & {*wanted}:
        value = settled(frame, value, span)
    if fits(value, wanted):
        return value
    shown = str(value) if isinstance(value, (Size, float)) else kind_of(value)
    help_ = f"tensors stand in parentheses: `f[...]({span.text})`" if isinstance(value, Tensor) else help
    if {"size", "nat", "int"} & {*wanted}:
        help_ = quotient(value, span) or help_
    raise frame.fail("E0404", f"`{name}` takes {words(wanted)}, this is {shown}", span, help=help_)


def words(wanted: Sequence[str]) -> str:
    """Kinds in a user's words."""
    known = {
        "size": "a size (1 or more)",
        "nat": "a number (0 or more)",
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "str": "a string",
        "list": "a list",
        "axis": "an axis",
        "block": "a block",
    }
    return " or ".join(known.get(kind, kind) for kind in wanted)


# --- brackets of blocks -----------------------------------------------------------------------------------------------


def of_block(
    frame: Frame, ref: BlockRef | ConstRef, before: Mapping[str, Any], items: Sequence[Any]
) -> tuple[dict[str, Any], bool]:
    """The statics that brackets give to a block, and whether they end in `...`."""
    given = dict(before)
    declared = {decl.name: decl for decl in ref.tree.statics}
    order = [name for name in declared if name not in before]
    places: dict[str, Span] = {}
    opened, position = False, 0
    for item in items:
        if isinstance(item, syntax.Ellipsis_):
            if item is not items[-1]:
                raise frame.fail("E0409", "`...` stands last: it leaves the other statics open", item.span)
            opened = True
        elif isinstance(item, syntax.Keyword):
            _keyword(frame, ref, item, given, places, declared)
        elif isinstance(item, syntax.Splice | syntax.Slice):
            raise frame.fail("E0409", f"`{ref.name}` takes statics here", item.span)
        elif position >= len(order):
            raise frame.fail(
                "E0403",
                f"`{ref.name}` takes {counted(len(order), 'static')} in brackets",
                item.span,
                details=(whole(ref),),
            )
        else:
            name = order[position]
            position += 1
            _once(frame, name, item.span, places)
            given[name] = static_value(frame, name, kinds(declared[name], ref.tree), item)
    return given, opened


def _keyword(
    frame: Frame,
    ref: BlockRef | ConstRef,
    item: syntax.Keyword,
    given: dict[str, Any],
    places: dict[str, Span],
    declared: Mapping[str, syntax.StaticDecl],
) -> None:
    _once(frame, item.name, item.name_span, places)
    if item.name in declared:
        wanted = kinds(declared[item.name], ref.tree)
    elif item.name in input_sizes(ref.tree):
        wanted = ("size",)
    else:
        raise frame.fail(
            "E0403",
            f"`{ref.name}` has no static `{item.name}`",
            item.name_span,
            **_renamed(ref, item, declared),
        )
    given[item.name] = static_value(frame, item.name, wanted, item.value)


def _renamed(ref: BlockRef | ConstRef, item: syntax.Keyword, declared: Mapping[str, Any]) -> dict[str, Any]:
    """What a static that there is not may mean: the name that a peer has for it, or one that is close."""
    name = STATICS.get(item.name, "")
    if name in declared:
        edits = (Edit(item.name_span, name),)
        return {"help": f"write `{name}={item.value.span.text}`", "edits": edits, "details": (whole(ref),)}
    close = spelling.rename(item.name, declared, item.name_span)
    return {"help": spelling.close(item.name, declared), "edits": close, "details": (whole(ref),)}


def _once(frame: Frame, name: str, span: Span, places: dict[str, Span]) -> None:
    if name in places:
        raise frame.fail("E0403", f"`{name}` is given twice", span, labels=(Label(places[name], "first here"),))
    places[name] = span


def counted(number: int, noun: str) -> str:
    """`1 static`, `2 statics`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def static_value(frame: Frame, name: str, wanted: Sequence[str], tree: syntax.Expr) -> Any:
    """The value of a static, by its kinds."""
    if "axis" in wanted:
        value = axis_value(frame, tree)
    elif "block" in wanted:
        value = handed(frame, tree)
    else:
        value = frame.evaluate(tree)
    return check_kind(frame, name, value, wanted, tree.span)


def handed(frame: Frame, tree: syntax.Expr) -> Any:
    """A block that is handed over: brackets and compositions are allocated by the block that takes them."""
    match tree:
        case syntax.Brackets(base=syntax.Name(id=form)) if form in APPLIED and not frame.session.block_names(frame)(
            tree
        ):
            raise frame.fail(
                "E0404",
                f"`{form}[...]` is applied where it stands: it is no block that can be handed over",
                tree.span,
                help=f"write a block whose body is `return x |> {form}[...]`, and hand over that one",
            )
        case syntax.Brackets():
            value = frame.session.template(frame, tree)
            closed = not (tree.items and isinstance(tree.items[-1], syntax.Ellipsis_))
            return Handed(value) if isinstance(value, Template) and closed else value
        case syntax.Compose(parts=parts):
            return Handed(Composite(tuple(_part(handed(frame, part)) for part in parts)))
        case _:
            return frame.evaluate(tree)


def _part(value: Any) -> Any:
    if isinstance(value, Handed):
        return value.value
    return Template(value) if isinstance(value, BlockRef) else value


def axis_value(frame: Frame, tree: syntax.Expr) -> Any:
    """An axis: a bare name is a label (or a static of kind `axis`), a number a position."""
    if isinstance(tree, syntax.Name):
        known = frame.scope.variables.get(tree.id)
        axis = frame.scope.header.get(tree.id)
        if isinstance(axis, Size) and isinstance(known, Size) and known.is_number and known != axis:
            raise frame.fail(
                "E0404",
                f"`{tree.id}` is {known} here, and the axis that the header calls `{tree.id}`",
                tree.span,
                help=f"call the number otherwise, so that `{tree.id}` is the axis, or write the position: `{known}`",
            )
        return known if isinstance(known, (AxisRef, UnknownStatic)) else AxisRef(tree.id)
    value = frame.evaluate(tree)
    if isinstance(value, Size) and value.is_number:
        return AxisRef(value.number)
    if isinstance(value, AxisRef) or value is BROKEN:
        return value
    raise frame.fail(
        "E0404",
        f"an axis is a label or a position, this is {kind_of(value)}",
        tree.span,
        help=f"a label stands without quotes: `{value}`" if isinstance(value, str) else "",
        edits=(Edit(tree.span, value),) if isinstance(value, str) and value.isidentifier() else (),
    )


def input_sizes(block: Declared) -> tuple[str, ...]:
    """The plain names in the types of the inputs that no static binds, in order."""
    if isinstance(block, syntax.Const):
        return ()
    statics = {decl.name for decl in block.statics}
    found: dict[str, None] = {}
    for each in block.inputs:
        for dim in each.type.dims:
            if not isinstance(dim, syntax.StarDim):
                for name in names_in(dim):
                    if name not in statics:
                        found[name] = None
    return tuple(found)


def names_in(tree: syntax.Tree) -> tuple[str, ...]:
    """The names that an expression reads, functions of calls left out."""
    match tree:
        case syntax.Name(id=id):
            return (id,)
        case syntax.Call(func=syntax.Attribute(base=syntax.Call() as base), args=args):
            return tuple(n for arg in (base, *args) for n in names_in(arg))
        case syntax.Call(args=args):
            return tuple(n for arg in args for n in names_in(arg))
        case syntax.Brackets(base=syntax.Name(id="count"), items=items):
            return tuple(n for item in items for n in names_in(item))
        case _:
            found: list[str] = []
            for field in type(tree).__dataclass_fields__:
                value = getattr(tree, field)
                for item in value if isinstance(value, tuple) else (value,):
                    if isinstance(item, syntax.Tree):
                        found.extend(names_in(item))
            return tuple(found)
