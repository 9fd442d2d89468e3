"""What can be wrong with the signature of a block before its body is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ogive.compiler.elaborate.calls import listed
from ogive.compiler.elaborate.rules.statics import names_in
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.ir.types import ELEMENTS
from ogive.grammar import spelling, syntax
from ogive.grammar.diagnostics import Diagnostic, Edit, Label
from ogive.grammar.source import Span

KINDS = ("size", "nat", "int", "float", "bool", "str", "list", "axis", "block")


def faults(ref: BlockRef) -> list[Diagnostic]:
    """Names that appear twice, kinds and element types that do not exist, packs and expressions that bind too much."""
    if wrong := listed.faults(ref.tree):
        return wrong
    if listed.has_lists(ref.tree):
        if twice := list(_twice((each.name, each.span) for each in ref.tree.inputs)):
            return twice
        ref = listed.sample(ref)
    tree = ref.tree
    statics = [(d.name, d.span) for d in tree.statics]
    found = list(_twice([*statics, *((e.name, e.span) for e in tree.inputs)]))
    found += _twice((o.name, o.span) for o in tree.outputs if o.name is not None)
    for decl in tree.statics:
        for kind in decl.kinds:
            if kind not in KINDS:
                help_ = spelling.close(kind, KINDS) or "kinds are " + ", ".join(KINDS)
                found.append(Diagnostic("E0201", f"there is no kind `{kind}`", decl.span, help=help_))
    for type in (*(e.type for e in tree.inputs), *(o.type for o in tree.outputs)):
        found += _type(type)
    found += _inputs(ref)
    return found


_QUOTED = re.compile(r"""\[\w+, *["']([^"']*)["']\]""")
# what peers call element types
_NAMED = {
    "Tensor": "",
    "FloatTensor": "",
    "Float": "",
    "float32": "f32",
    "float64": "f64",
    "double": "f64",
    "float16": "f16",
    "half": "f16",
    "bfloat16": "bf16",
    "int32": "i32",
    "int64": "i64",
    "long": "int",
    "LongTensor": "int",
    "Int": "int",
    "Bool": "bool",
    "BoolTensor": "bool",
}


def _twice(names: Iterable[tuple[str, Span]]) -> Iterator[Diagnostic]:
    seen: dict[str, Span] = {}
    for name, span in names:
        if name in seen:
            yield Diagnostic("E0204", f"`{name}` is defined twice", span, labels=(Label(seen[name], "first here"),))
        seen.setdefault(name, span)


def _type(tree: syntax.TypeExpr) -> Iterator[Diagnostic]:
    if tree.elem not in ELEMENTS:
        sizes = tree.span.text.removeprefix(tree.elem).strip()
        if (quoted := _QUOTED.fullmatch(sizes)) is not None:  # jaxtyping: `Float[Tensor, "b n"]`
            sizes = f"[{', '.join(quoted[1].split())}]"
        meant = f"{_NAMED[tree.elem]}{sizes}" if tree.elem in _NAMED else None
        help_ = f"write `{meant}`" if meant is not None else spelling.close(tree.elem, ELEMENTS)
        help_ = help_ or "element types are " + ", ".join(ELEMENTS)
        edits = (Edit(tree.span, meant),) if meant is not None else ()
        yield Diagnostic("E0201", f"there is no element type `{tree.elem}`", tree.span, help=help_, edits=edits)


def _inputs(ref: BlockRef) -> Iterator[Diagnostic]:
    """A type holds one pack at the most; an expression binds one name at the most."""
    lists = {decl.name for decl in ref.tree.statics}
    bound = (
        lists
        | {dim.id for each in ref.tree.inputs for dim in each.type.dims if isinstance(dim, syntax.Name)}
        | set(ref.module.scope)
    )
    for each in ref.tree.inputs:
        packs = [d for d in each.type.dims if isinstance(d, syntax.StarDim) and d.name not in lists]
        if len(packs) > 1:
            text = f"`{each.name}` has two packs: where one ends and the other begins is open"
            yield Diagnostic("E0303", text, packs[1].span, labels=(Label(packs[0].span, "one pack here"),))
        for dim in each.type.dims:
            if isinstance(dim, (syntax.StarDim, syntax.Name)):
                continue
            free = [name for name in dict.fromkeys(names_in(dim)) if name not in bound]
            if len(free) > 1:
                shown = " and ".join(f"`{name}`" for name in free)
                text = f"{shown} cannot both be inferred from `{dim.span.text}`"
                help_ = "bind one of them by a plain name in another axis, or make it a static"
                yield Diagnostic("E0402", text, dim.span, help=help_)
            bound |= set(free)
