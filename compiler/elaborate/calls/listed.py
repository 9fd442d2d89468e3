"""Lists of tensors among the inputs and outputs of a block: `xs: [b, c[i], h[i]] for i in range(n)`.

Lists are of compile time, so a graph has none: a block with lists is elaborated as one that has an input or output for
each entry (`xs_0`, `xs_1`, ... with sizes `h_0`, `h_1`, ...), once it is known how many there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

from ogive.compiler.elaborate.rules import statics
from ogive.compiler.elaborate.state.blocks import BlockRef, ListParts
from ogive.compiler.elaborate.state.control import StatementFailed, UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.partly import seen
from ogive.compiler.elaborate.state.values import BROKEN, Partly, UnknownStatic, kind_of
from ogive.compiler.ir.signature_lists import SignatureLists, TensorList
from ogive.compiler.sizes import Size, size
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.source import Span

T = TypeVar("T", bound=syntax.Tree)
Listed = syntax.Input | syntax.Output
WRITTEN = "a list of tensors is written `xs: [b, d[i]] for i in range(n)`"


def has_lists(tree: syntax.Block) -> bool:
    """Whether a block takes or gives lists of tensors."""
    return any(each.each is not None for each in _entries(tree))


def faults(tree: syntax.Block) -> list[Diagnostic]:
    """Lists over anything but a range, lists of optional tensors, names that entries and their sizes have taken."""
    found = []
    ours = {name for each in _entries(tree) if each.each is not None for name in (each.name, *_sized(tree, each))}
    others = [(decl.name, decl.span) for decl in tree.statics] + [(each.name, each.span) for each in tree.inputs]
    others += [(dim.id, dim.span) for each in tree.inputs for dim in each.type.dims if isinstance(dim, syntax.Name)]
    for name, span in others:
        base, _, number = name.rpartition("_")
        if number.isdigit() and base in ours:
            found.append(Diagnostic("E0204", f"`{name}` is what the entry {number} of `{base}` is called", span))
    for each in _entries(tree):
        if each.each is None:
            continue
        if _counted(each.each) is None:
            found.append(Diagnostic("E0404", "the entries of a list are counted", each.each.span, help=WRITTEN))
        if each.type.optional:
            text = "a list of tensors is there whole: its entries are not optional"
            found.append(Diagnostic("E0404", text, each.type.span))
    return found


def _sized(tree: syntax.Block, each: Listed) -> Iterator[str]:
    """The names of sizes that each entry has of its own; those of statics are none."""
    known_names = {decl.name for decl in tree.statics}
    for dim in each.type.dims:
        for found in (dim, *getattr(dim, "items", ())):
            match found:
                case syntax.Brackets(base=syntax.Name(id=name)) if name not in known_names:
                    yield name
                case _:
                    pass


def _entries(tree: syntax.Block) -> tuple[Listed, ...]:
    return (*tree.inputs, *tree.outputs)


def _counted(clause: syntax.Clause) -> syntax.Expr | None:
    """What stands in the parentheses of `range`."""
    match clause:
        case syntax.Clause(targets=(_,), iterable=syntax.Call(func=syntax.Name(id="range"), args=(count,))) if (
            isinstance(count, syntax.Expr)
        ):
            return count
        case _:
            return None


# --- how many ---------------------------------------------------------------------------------------------------------


def known(frame: Frame, ref: BlockRef, given: Mapping[str, Any], span: Span) -> BlockRef:
    """The block with an input or output for each entry, by its statics. UnresolvedChoice where their number is open."""
    if not has_lists(ref.tree):
        return ref
    if ref in frame.session.refused:  # what is wrong with its signature is said there
        raise StatementFailed
    return _whole(frame, ref, [_length(frame, ref, given, each, span) for each in _entries(ref.tree)], span)


def _whole(frame: Frame, ref: BlockRef, lengths: Sequence[int | None], span: Span) -> BlockRef:
    if not any(length is None or length > 0 for length in lengths[len(ref.tree.inputs) :]):
        raise frame.fail("E0304", f"`{ref.name}` would give no tensor: its lists are empty", span)
    return expanded(ref, tuple(lengths))


def _length(frame: Frame, ref: BlockRef, given: Mapping[str, Any], each: Listed, span: Span) -> int | None:
    if each.each is None:
        return None
    value = _evaluated(frame, ref, given, each.each)
    if isinstance(value, UnknownStatic):
        raise UnresolvedChoice(value.name, each.each.span)
    if value is None:
        missing = ", ".join(f"`{name}`" for name in _missing(ref.tree, given, each.each))
        raise frame.fail("E0402", f"{missing} of `{ref.name}` says how many `{each.name}` there are", span)
    if not isinstance(value, Size):
        raise frame.fail("E0407", f"`range` counts to a whole number, this is {kind_of(value)}", each.each.span)
    number = frame.number(value, each.each.span)
    frame.session.count(max(number, 0))
    return number


def _missing(tree: syntax.Block, given: Mapping[str, Any], clause: syntax.Clause) -> list[str]:
    """The statics that a count reads and that nobody gives."""
    count = _counted(clause)
    assert count is not None
    open_ = {decl.name for decl in tree.statics if decl.default is None} - given.keys()
    return [name for name in statics.names_in(count) if name in open_]


def _evaluated(frame: Frame, ref: BlockRef, given: Mapping[str, Any], clause: syntax.Clause) -> Any:
    """How many entries a clause counts; None where it reads a static that is not given."""
    count = _counted(clause)
    assert count is not None
    if _missing(ref.tree, given, clause):
        return None
    env = frame.beside(ref, given)
    env.diagnostics = frame.diagnostics
    for decl in ref.tree.statics:
        if decl.name not in given and decl.default is not None and decl.name in statics.names_in(count):
            value = statics.static_value(env, decl.name, statics.kinds(decl, ref.tree), decl.default)
            env.scope.variables[decl.name] = value
    return env.evaluate(count)


def met(
    frame: Frame, ref: BlockRef, given: Mapping[str, Any], values: Sequence[Any], spans: Sequence[Span], span: Span
) -> tuple[BlockRef, dict[str, Any], list[Any], list[Span]]:
    """A call of a block with lists: the block with an input for each entry, statics that lists tell, and the operands
    one by one.
    """
    more: dict[str, Any] = {}
    operands: list[Any] = []
    places: list[Span] = []
    lengths: list[int | None] = []
    padded = [*values, *[None] * (len(ref.tree.inputs) - len(values))]
    for at, (each, value) in enumerate(zip(ref.tree.inputs, padded, strict=True)):
        place = spans[at] if at < len(spans) else span
        if each.each is None:
            operands.append(value)
            places.append(place)
            lengths.append(None)
            continue
        entries = seen(frame, value)
        if isinstance(entries, UnknownStatic):
            raise UnresolvedChoice(entries.name, place)
        if not isinstance(entries, tuple):
            text = f"`{each.name}` of `{ref.name}` takes a list of tensors, this is {kind_of(entries)}"
            help_ = f"`{ref.name}([a, b])`, or `[a, b] |> {ref.name}`" if not isinstance(entries, Partly) else ""
            raise frame.fail("E0405", text, place, help=help_)
        _agree(frame, ref, {**given, **more}, each, len(entries), place, more)
        operands += entries
        places += [place] * len(entries)
        lengths.append(len(entries))
    lengths += [_length(frame, ref, {**given, **more}, each, span) for each in ref.tree.outputs]
    return _whole(frame, ref, lengths, span), more, operands, places


def _agree(
    frame: Frame, ref: BlockRef, given: Mapping[str, Any], each: Listed, length: int, span: Span, more: dict[str, Any]
) -> None:
    """A list is as long as the block says; a static that alone says so is told by the list."""
    assert each.each is not None
    count = _counted(each.each)
    if isinstance(count, syntax.Name) and _missing(ref.tree, given, each.each):
        more[count.id] = size(length)
        return
    wanted = _length(frame, ref, given, each, span)
    if wanted is not None and wanted != length:
        text = f"`{each.name}` of `{ref.name}` is a list of {statics.counted(wanted, 'tensor')}, here are {length}"
        raise frame.fail("E0405", text, span)


# --- the block with an input for each entry ---------------------------------------------------------------------------


def sample(ref: BlockRef) -> BlockRef:
    """The block with one entry in each list: what is wrong with its signature is wrong at any number."""
    return expanded(ref, tuple(None if each.each is None else 1 for each in _entries(ref.tree)))


@lru_cache(1024)
def expanded(ref: BlockRef, lengths: tuple[int | None, ...]) -> BlockRef:
    """The block with inputs and outputs for all entries, and in its body lists of them, and of their sizes."""
    tree = ref.tree
    known_names = {decl.name for decl in tree.statics} | ref.module.scope.keys()
    sizes: dict[str, int] = {}
    inputs, outputs, head = [], [], []
    for each, length in zip(tree.inputs, lengths, strict=False):
        inputs += _of_all(each, length, known_names, sizes)
        if length is not None:
            head.append(_list(each.name, length, each.span))
    for out, length in zip(tree.outputs, lengths[len(tree.inputs) :], strict=True):
        outputs += _of_all(out, length, known_names, dict(sizes))
    head += [_list(name, length, tree.name_span) for name, length in sizes.items()]
    made = replace(tree, inputs=tuple(inputs), outputs=tuple(outputs), body=(*head, *tree.body))
    parts = ListParts(ref, lengths[: len(tree.inputs)], lengths[len(tree.inputs) :])
    return BlockRef(made, ref.module, ref.target, parts)


def _of_all(each: Any, length: int | None, known_names: set[str], sizes: dict[str, int]) -> list[Any]:
    """The entry of a signature for each tensor of a list; `sizes` are counted that stand at each of them."""
    if length is None:
        return [each]
    (index,) = each.each.targets
    made = []
    for number in range(length):
        type = replace(each.type, dims=tuple(_at(dim, index, number, known_names, sizes) for dim in each.type.dims))
        name = None if each.name is None else f"{each.name}_{number}"
        made.append(replace(each, name=name, type=type, each=None))
    return made


def _at(tree: T, index: str, number: int, known_names: set[str], sizes: dict[str, int]) -> T:
    """An expression at one entry: `h[i]` is a size of its own, unless `h` is known."""
    match tree:
        case syntax.Brackets(base=syntax.Name(id=name), items=(syntax.Name(id=place),)) if place == index:
            if name not in known_names:
                sizes[name] = max(sizes.get(name, 0), number + 1)
                return syntax.Name(id=f"{name}_{number}", span=tree.span)  # type: ignore[return-value]
        case syntax.Name(id=name) if name == index:
            return syntax.Number(value=number, span=tree.span)  # type: ignore[return-value]
        case _:
            pass
    changes = {part.name: _part(getattr(tree, part.name), index, number, known_names, sizes) for part in fields(tree)}
    return replace(tree, **{name: part for name, part in changes.items() if part is not getattr(tree, name)})


def _part(value: Any, index: str, number: int, known_names: set[str], sizes: dict[str, int]) -> Any:
    if isinstance(value, tuple):
        made = tuple(_part(each, index, number, known_names, sizes) for each in value)
        return value if all(a is b for a, b in zip(made, value, strict=True)) else made
    if is_dataclass(value) and isinstance(value, syntax.Tree):
        return _at(value, index, number, known_names, sizes)
    return value


def _list(name: str, length: int, span: Span) -> syntax.Stmt:
    items = tuple(syntax.Name(id=f"{name}_{number}", span=span) for number in range(length))
    target = syntax.Target(name=name, span=span)
    return syntax.Assign(targets=(target,), type=None, value=syntax.ListExpr(items=items, span=span), span=span)


def signature_lists(ref: BlockRef, absent: Sequence[int]) -> SignatureLists:
    """Where its lists are among the inputs and outputs of a block that has one for each entry, the absent ones gone."""
    if ref.lists is None:
        return SignatureLists()
    tree = ref.lists.block.tree
    return SignatureLists(_places(tree.inputs, ref.lists.inputs, ()), _places(tree.outputs, ref.lists.outputs, absent))


def _places(entries: Sequence[Listed], lengths: Sequence[int | None], absent: Sequence[int]) -> tuple[TensorList, ...]:
    found = []
    at = gone = 0
    for each, length in zip(entries, lengths, strict=True):
        count = 1 if length is None else length
        less = sum(place in absent for place in range(at, at + count))
        if length is not None:
            found.append(TensorList(str(each.name), at - gone, count - less))
        at, gone = at + count, gone + less
    return tuple(found)


# --- results ----------------------------------------------------------------------------------------------------------


def returned(frame: Frame, values: tuple[tuple[Any, Span], ...]) -> tuple[tuple[Any, Span], ...]:
    """What a `return` gives, one by one: each list as the outputs of its entries."""
    parts = frame.block.lists if frame.block is not None else None
    if parts is None or any(value is BROKEN for value, _ in values):
        return values
    if len(values) == 1 and len(parts.outputs) > 1 and isinstance(values[0][0], tuple):
        values = tuple((each, values[0][1]) for each in values[0][0])
    found: list[tuple[Any, Span]] = []
    for at, (value, span) in enumerate(values):
        length = parts.outputs[at] if at < len(parts.outputs) else None
        entries = seen(frame, value)
        if length is None:
            found.append((value, span))
        elif not isinstance(entries, tuple) or len(entries) != length:
            name = parts.block.tree.outputs[at].name or "the output"
            here = f"{len(entries)} values" if isinstance(entries, tuple) else kind_of(entries)
            raise frame.fail(
                "E0301", f"`{name}` is a list of {statics.counted(length, 'tensor')}, here are {here}", span
            )
        else:
            found += [(each, span) for each in entries]
    return tuple(found)


def grouped(ref: BlockRef, values: Sequence[Any]) -> list[Any]:
    """Results of a use, one for each output: those of a list as a list."""
    if ref.lists is None:
        return list(values)
    left = iter(values)
    return [next(left) if length is None else tuple(next(left) for _ in range(length)) for length in ref.lists.outputs]
