"""What is said of a name or an expression when somebody points at it, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ogive.compiler.driver import signatures
from ogive.compiler.elaborate.rules.builtins import BUILTINS
from ogive.compiler.elaborate.rules.forms import FORMS
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.initializer_table import MEANS
from ogive.compiler.elaborate.state.values import InstanceValue, Param, Partly
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops import OPS
from ogive.compiler.ops.signature import signature
from ogive.compiler.sizes import Size, TooComplexError
from ogive.grammar import syntax as s
from ogive.grammar.printer import unparse
from ogive.grammar.source import Span
from ogive.language.desk import SeenFile
from ogive.language.facts import fact, instance, parameters, shown, statics_of, work
from ogive.language.names import Occurrence, Symbol, definition
from ogive.language.places import Position, TextRegion, region
from ogive.language.pointing import module_of, occurrence_at, trees_at

WORDS = {
    "given": "`given(x)`: whether an optional input was handed over, or a name is bound on this path.",
    "training": "`training`: true while the model trains; `if training:` keeps both arms.",
}


def hover(seen: SeenFile, place: Position) -> tuple[str, TextRegion] | None:
    """What there is to say at a position, and of which region."""
    trees = trees_at(seen, place)
    found = occurrence_at(seen, place)
    if found is None:
        inner = next((tree for tree in reversed(trees) if isinstance(tree, s.Expr) and _value(seen, tree)), None)
        return None if inner is None else ("\n\n".join(_value(seen, inner)), region(inner.span))
    said = [*_of_symbol(seen, found, trees)]
    return ("\n\n".join(said), region(found.span)) if said else None


def _of_symbol(seen: SeenFile, found: Occurrence, trees: list[s.Tree]) -> Iterator[str]:
    symbol = found.symbol
    match symbol.kind:
        case "block" | "extern":
            yield from _block(seen, symbol)
            yield from _applied(seen, trees)
        case "model":
            yield from _model(seen, symbol)
        case "const":
            yield from _const(seen, symbol)
        case "operation":
            spec = OPS[symbol.name]
            yield _code(signature(spec))
            yield spec.told.means
            yield from _result(seen, trees)
        case "form":
            form = FORMS.get(symbol.name)
            yield f"{_code(form.written)}\n\n{form.means}" if form is not None else WORDS[symbol.name]
        case "function":
            if symbol.name in BUILTINS:
                written, means = BUILTINS[symbol.name].told
                yield f"{_code(written)}\n\n{means}"
        case "initializer":
            yield f"`{symbol.name}`: {MEANS[symbol.name]}"
        case "axis":
            yield from _axis(seen, symbol, trees)
        case "module":
            yield f"module `{symbol.name}`"
        case _:
            yield from _local(seen, found)


def _code(text: str) -> str:
    return f"```arch\n{text}\n```"


def _block(seen: SeenFile, symbol: Symbol) -> Iterator[str]:
    module = module_of(seen, symbol.home)
    tree = None if module is None else next(
        (each for each in module.tree.declarations
         if isinstance(each, s.Block | s.Extern) and each.name == symbol.name), None
    )  # fmt: skip
    if tree is None:
        return
    report = next((each for each in seen.program.blocks if each.name == tree.name), None)
    if symbol.home == seen.path and report is not None:
        said, conditions = report.signature, report.conditions
    else:
        said, conditions = signatures.declared(tree), tuple(" ".join(each.span.text.split()) for each in tree.where)
    head = f"block {tree.name}{brackets(tree)}{said}"
    yield _code("\n".join([head, *(f"where {each}" for each in conditions)]))
    if tree.doc:
        yield tree.doc
    if module is not None and module.name.startswith("std."):
        yield f"from `{module.name}`"


def brackets(tree: s.Block | s.Extern | s.Const) -> str:
    """The statics of a block as its head has them."""
    texts = [" ".join(each.span.text.split()) for each in tree.statics]
    return f"[{', '.join(texts)}]" if texts else ""


def _applied(seen: SeenFile, trees: list[s.Tree]) -> Iterator[str]:
    """What an instance holds and does, where a block is applied."""
    for tree in reversed(trees):
        if isinstance(tree, s.Name | s.Attribute | s.Brackets) and (made := instance(seen, tree.span)) is not None:
            yield from _instance(made)
            return


def _instance(made: InstanceValue) -> Iterator[str]:
    rows = [f"here `{made.block.name}{statics_of(made)}` at `{made.path}`"]
    if made.use is not None and made.use.specialization.definition is not None:
        try:
            rows.append(f"parameters: {_number(parameters(made.use))}")
            rows.append(f"multiply-adds: {_number(work(made.use))}")
        except (TooComplexError, KeyError, ZeroDivisionError):
            rows.append("its sizes are too complex to be counted")
    yield "\n\n".join(rows)


def _number(value: Size) -> str:
    return f"{value.number:,}" if value.is_number else f"`{value}`"


def _model(seen: SeenFile, symbol: Symbol) -> Iterator[str]:
    report = seen.program.models.get(symbol.name)
    if report is None:
        yield f"model `{symbol.name}`, which has errors"
        return
    yield _code("\n".join([f"model {report.name}{report.signature}", *(f"where {each}" for each in report.conditions)]))
    if report.parameters is not None:
        yield f"{report.parameters:,} parameters"
    if report.ir.doc:
        yield report.ir.doc


def _const(seen: SeenFile, symbol: Symbol) -> Iterator[str]:
    module = module_of(seen, symbol.home)
    for tree in () if module is None else module.tree.declarations:
        if isinstance(tree, s.Const) and tree.target.name == symbol.name:
            yield _code(unparse(tree).strip())
            value = module.consts.get(symbol.name) if module is not None else None
            if value is not None and not tree.statics:
                yield f"= {shown(value)}"


def _axis(seen: SeenFile, symbol: Symbol, trees: list[s.Tree]) -> Iterator[str]:
    """The size of an axis that a pattern or brackets name, by the tensors around it."""
    for tree in reversed(trees):
        for span in _around(tree):
            found = fact(seen, span)
            type = _type(None if found is None else found.value)
            axis = None if type is None else next((each for each in type.axes if each.label == symbol.name), None)
            if axis is not None:
                yield f"axis `{symbol.name}` of size `{axis.size}`"
                yield from _introduced(seen, symbol, (axis.size,))
                return
    yield f"axis `{symbol.name}`"


def _around(tree: s.Tree) -> Iterator[Span]:
    match tree:
        case s.Call(args=args):
            yield tree.span
            yield from (each.span for each in args)
        case s.Stage():
            yield tree.span
        case s.Pipe(head=head, stages=stages):
            yield from (each.span for each in stages)
            yield head.span
        case _:
            pass


def _type(value: Any) -> TensorType | None:
    match value:
        case Tensor(type=type) | Param(type=type):
            return type
        case Partly() if value.tensor is not None:
            return value.tensor.type
        case tuple() if value:
            return _type(value[0])
        case _:
            return None


def _local(seen: SeenFile, found: Occurrence) -> Iterator[str]:
    """A name of a block: what it is, and where it comes from."""
    symbol = found.symbol
    known = fact(seen, found.span)
    text = "" if known is None else shown(known.value)
    if isinstance(known.value if known is not None else None, InstanceValue):
        yield _code(f"{symbol.name} = {text}")
        yield from _instance(known.value)  # type: ignore[union-attr]
        return
    declared = _declared(seen, symbol)
    if text and _type(known.value if known is not None else None) is not None:
        yield _code(f"{symbol.name}: {text}")
    elif text and text != symbol.name:
        yield _code(f"{symbol.name} = {text}")
    elif declared:
        yield _code(declared)
    else:
        yield f"{symbol.kind} `{symbol.name}`"
    if known is not None and known.varies:
        yield f"in the last iteration `{shown(known.last)}`"
    yield from _introduced(seen, symbol, _sizes(known.value) if known is not None else ())


def _declared(seen: SeenFile, symbol: Symbol) -> str:
    """How the head of the block declares it."""
    module = module_of(seen, symbol.home)
    for tree in () if module is None else module.tree.declarations:
        if isinstance(tree, s.Block | s.Extern) and tree.name == symbol.owner:
            spans = {each.name: each.span for each in tree.statics} | {each.name: each.span for each in tree.inputs}
            if symbol.name in spans:
                return f"{symbol.kind} {' '.join(spans[symbol.name].text.split())}"
    return ""


def _sizes(value: Any) -> tuple[Size, ...]:
    if isinstance(value, Size):
        return (value,)
    type = _type(value)
    return () if type is None else type.sizes


def _introduced(seen: SeenFile, symbol: Symbol, sizes: tuple[Size, ...]) -> Iterator[str]:
    """Where the unknowns of sizes come from."""
    module = module_of(seen, symbol.home)
    names = dict.fromkeys(unknown.name for each in sizes for unknown in sorted(each.unknowns, key=lambda u: u.name))
    rows = []
    for name in [symbol.name, *names] if symbol.kind in ("size", "static") else names:
        made = None if module is None else definition(Symbol(symbol.home, symbol.owner, name, "size"), module)
        if made is not None:
            rows.append(f"`{name}` from line {made.begin()[0]}")
    if rows:
        yield ", ".join(dict.fromkeys(rows))


def _value(seen: SeenFile, tree: s.Expr) -> list[str]:
    """The value of an expression, where it is known and says something."""
    known = fact(seen, tree.span)
    text = "" if known is None else shown(known.value)
    return [_code(text)] if text and text != tree.span.text else []


def _result(seen: SeenFile, trees: list[s.Tree]) -> Iterator[str]:
    """The type of what an operation makes at this place."""
    for tree in reversed(trees):
        if isinstance(tree, s.Call | s.Stage):
            known = fact(seen, tree.span)
            if known is not None and (text := shown(known.value)):
                yield f"here `{text}`"
            return
