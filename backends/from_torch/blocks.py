"""Drafts that are equal up to numbers become one block; its numbers become statics."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ogive.backends.from_torch.code import FLAGS, NUMBER, OPTIONAL, number, shown
from ogive.backends.from_torch.draft_parts import BlockDraft

SIZES = frozenset(("d", "c", "vocab", "n"))  # roles of what a network is as wide as
PROMOTED = SIZES | {"heads", "h", "context"}
SMALL = 8  # a smaller size is no width: channels of an image
FACTORS = (2, 3, 4, 6, 8, 16)
_MARK = re.compile("⟦(\\d+)([…!]?)⟧")
_GROWING = re.compile("⟦(\\d+)\\*(\\d+)\\*(\\w)⟧")  # calls in a loop: the first, how many, by which variable
EXTERN = "@extern@"
_TRADITION = {"d": ("d", "hidden", "dout"), "c": ("c", "cout"), "h": ("heads", "groups")}  # by role, in this order


@dataclass(slots=True)
class BlockText:
    """A block, and for each of its drafts the brackets of a call of it."""

    name: str
    text: str
    brackets: dict[int, str]  # by the identity of a draft
    values: dict[int, list[tuple[str, int]]] = field(default_factory=dict)
    statics: tuple[str, ...] = ()


def _roled(text: str) -> list[tuple[int, str]]:
    return [(int(value), role) for value, role in NUMBER.findall(text)]


def assemble(
    drafts: Sequence[BlockDraft], promote: bool = True, unite: bool = False, module: str = ""
) -> tuple[list[BlockText], dict[int, BlockText]]:
    """The blocks of all drafts, those that others call first. `module` has the classes of those of the source."""
    of: dict[int, BlockText] = {}
    blocks: list[BlockText] = []
    names: set[str] = set()
    for height in range(1, 1 + max(draft.height for draft in drafts)):
        groups: dict[str, list[tuple[BlockDraft, str]]] = {}
        for draft in drafts:
            if draft.height == height:
                text = _filled(draft, of)
                key = (
                    draft.call.kind
                    + NUMBER.sub(r"⟪\2⟫", text).replace("'", "")  # new sizes of results are theirs or not
                    + (draft.outside.key if draft.outside else "")
                    + str(list(draft.opened))
                )
                groups.setdefault(key, []).append((draft, text))
        for members in groups.values():
            if len({text.count("'") for _, text in members}) > 1:
                _primed([draft for draft, _ in members])
                members = [(draft, _filled(draft, of)) for draft, _ in members]
            block = _block(members, _name(members[0][0], names), promote, unite)
            if members[0][0].outside is not None:
                block.text = f"extern {block.text}".replace(EXTERN, f'"{module}:{block.name}"')
            blocks.append(block)
            of.update({id(draft): block for draft, _ in members})
    return blocks, of


def _name(draft: BlockDraft, names: set[str]) -> str:
    base = draft.call.kind.lstrip("_")
    name = base
    for again in range(2, 999):
        if name not in names:
            break
        name = f"{base}{again}"
    names.add(name)
    return name


def _template(draft: BlockDraft) -> str:
    inputs = ", ".join(f"{name}: {type_}" for name, type_ in draft.inputs)
    outputs = draft.outputs[0] if len(draft.outputs) == 1 else ""
    if not outputs:
        outputs = f"({', '.join(f'y{i}: {each}' for i, each in enumerate(draft.outputs, 1))})"
    if draft.outside is not None:
        return f"({inputs}) -> {outputs} = {EXTERN}"
    lines = [f"({inputs}) -> {outputs}:", *(f"    {line}" for line in (*draft.params, *draft.lines))]
    return "\n".join(lines)


def _primed(drafts: Sequence[BlockDraft]) -> None:
    """Where one of some drafts gives a new size, all do."""
    for i in range(len(drafts[0].outputs)):
        rows = [draft.outputs[i].split(", ") for draft in drafts]
        new = [next((each[k] for each in rows if "'" in each[k]), "") for k in range(len(rows[0]))]
        for draft, row in zip(drafts, rows, strict=True):
            draft.outputs[i] = ", ".join(a or b for a, b in zip(new, row, strict=True))


def _filled(draft: BlockDraft, of: dict[int, BlockText]) -> str:
    """The text of a draft with the calls of other blocks in it."""
    text = _GROWING.sub(lambda found: _growing(draft, found, of), _template(draft))
    return _MARK.sub(lambda found: _called(draft, found, of), text)


def _growing(draft: BlockDraft, found: re.Match[str], of: dict[int, BlockText]) -> str:
    """Calls of a block in a loop: numbers that grow are counted on by the variable of the loop."""
    first, count, variable = int(found[1]), int(found[2]), found[3]
    children = [draft.children[f"⟦{first + i}⟧"] for i in range(count)]
    block = of[id(children[0])]
    rows = [NUMBER.findall(block.brackets[id(child)]) for child in children]
    told = []
    for column in zip(*rows, strict=True):
        values, role = [int(value) for value, _ in column], column[0][1]
        step = values[1] - values[0]
        if values != [values[0] + i * step for i in range(count)]:
            told.append(f"[{', '.join(number(value, role) for value in values)}][{variable}]")
        elif step:
            told.append(f"{number(values[0], role)} + {variable}*{number(step, role)}")
        else:
            told.append(number(values[0], role))
    return f"{block.name}[{', '.join(told)}]" if told else block.name


def _called(draft: BlockDraft, found: re.Match[str], of: dict[int, BlockText]) -> str:
    """A call of a block, with the numbers that it has here."""
    child = draft.children[f"⟦{found[1]}⟧"]
    block = of[id(child)]
    inner = ", ".join(each for each in (block.brackets[id(child)], *draft.given.get(f"⟦{found[1]}⟧", ())) if each)
    if found[2] == "…":
        inner = f"{inner}, ..." if inner else "..."
    if not inner:
        return f"{block.name}[]" if found[2] == "!" else block.name
    return f"{block.name}[{inner}]"


@dataclass(slots=True)
class _Static:
    name: str
    role: str
    column: tuple[int, ...]


def _block(members: list[tuple[BlockDraft, str]], name: str, promote: bool, unite: bool) -> BlockText:
    """One block of drafts whose texts are equal but for numbers."""
    rows = [_roled(text) for _, text in members]
    columns = list(zip(*rows, strict=True)) if rows[0] else []
    taken = set().union(*(draft.locals for draft, _ in members)) | {name}
    statics: dict[tuple[str, tuple[int, ...]], _Static] = {}
    wanted: dict[tuple[str, tuple[int, ...]], None] = {}
    for column in columns:
        values, role = tuple(value for value, _ in column), column[0][1]
        kind = _kind(role, unite)
        varies = len(set(values)) > 1
        wide = promote and role in PROMOTED and (min(values) >= SMALL or kind != "size") and role != "n"
        if varies or wide or (promote and role == "depth"):
            wanted[kind, values] = None
    names = _roles(columns, unite)
    for kind, values in wanted:
        role = names[kind, values]
        if (
            promote
            and any(_times(values, each.column) for each in statics.values() if each.role in SIZES)
            and kind == "size"
        ):
            continue
        options = [*_TRADITION.get(role, (role,)), *(f"{role}{i}" for i in range(2, 999))]
        chosen = next(each for each in options if each not in taken)
        taken.add(chosen)
        statics[kind, values] = _Static(chosen, role, values)
    texts = []
    for column in columns:
        values, role = tuple(value for value, _ in column), column[0][1]
        texts.append(_shown(values, role, _kind(role, unite), statics))
    body = _with_texts(members[0][1], columns, texts)
    body = re.sub(r"\b(\d+|[a-z]\w*)\*(\d*)(?=\*\*)", r"\g<0>", body)
    declared = [
        f"{each.name}: bool" if each.role in FLAGS else f"{each.name}: nat" if min(each.column) == 0 else each.name
        for each in statics.values()
    ]
    declared += members[0][0].opened
    head = f"[{', '.join(declared)}]" if declared else ""
    brackets = {
        id(draft): ", ".join(f"⟪{each.column[i]}|{each.role}⟫" for each in statics.values())
        for i, (draft, _) in enumerate(members)
    }
    values_ = {
        id(draft): [(each.name, each.column[i]) for each in statics.values()] for i, (draft, _) in enumerate(members)
    }
    return BlockText(
        name, f"block {name}{head}{body}", brackets, values_, tuple(each.name for each in statics.values())
    )


def _with_texts(template: str, columns: Sequence[Sequence[tuple[int, str]]], texts: Sequence[str]) -> str:
    """A template with texts for its numbers, and without the settings that are everywhere what they are by default."""
    places = iter(enumerate(texts))
    done: list[str] = []

    def filled(text: str) -> list[int]:
        used: list[int] = []

        def next_of(_: re.Match[str]) -> str:
            at, shown_ = next(places)
            used.append(at)
            return shown_

        done.append(NUMBER.sub(next_of, text))
        return used

    at = 0
    for found in OPTIONAL.finditer(template):
        filled(template[at : found.start()])
        used = filled(found[2])
        if all(value == int(found[1]) for i in used for value, _ in columns[i]):
            done.pop()
        at = found.end()
    filled(template[at:])
    return "".join(done)


def _roles(columns: Iterable[Sequence[tuple[int, str]]], unite: bool) -> dict[tuple[str, tuple[int, ...]], str]:
    """The role after which a static is called: the one that says most."""
    found: dict[tuple[str, tuple[int, ...]], str] = {}
    for column in columns:
        values, role = tuple(value for value, _ in column), column[0][1]
        kind = _kind(role, unite)
        if found.get((kind, values)) != "vocab":
            found[kind, values] = role if role == "vocab" else found.get((kind, values), role)
    return found


def _kind(role: str, unite: bool) -> str:
    """Numbers of one kind are one static where they are equal; with `unite` all are of one kind."""
    return "size" if role in SIZES or (unite and role not in FLAGS) else role


def _times(values: tuple[int, ...], base: tuple[int, ...]) -> int:
    """The factor between two rows of numbers; 0 where there is none of those that networks have."""
    factor = values[0] // base[0]
    fits = factor in FACTORS and all(value == factor * each for value, each in zip(values, base, strict=True))
    return factor if fits and min(base) >= SMALL else 0


def _shown(values: tuple[int, ...], role: str, kind: str, statics: dict[tuple[str, tuple[int, ...]], _Static]) -> str:
    if (kind, values) in statics:
        return statics[kind, values].name
    if kind == "size":
        for each in statics.values():
            if each.role in SIZES and (factor := _times(values, each.column)):
                return f"({factor}*{each.name})"
    if len(set(values)) > 1:
        raise AssertionError("numbers that differ have a static")
    return shown(values[0], role)
