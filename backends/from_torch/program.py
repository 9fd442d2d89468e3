"""A module as the text of a program, with the names that its weights have there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn
from torch.fx import Node

from ogive.backends.from_torch.blocks import BlockText, assemble
from ogive.backends.from_torch.code import plain
from ogive.backends.from_torch.compare import Axes
from ogive.backends.from_torch.draft_parts import BlockDraft, under
from ogive.backends.from_torch.drafts import Drafter
from ogive.backends.from_torch.growing import grow
from ogive.backends.from_torch.layout_ops import VIEWS, name_of
from ogive.backends.from_torch.outside import Outside
from ogive.backends.from_torch.outside_text import outside_text
from ogive.backends.from_torch.patterns import prune, recognized
from ogive.backends.from_torch.refused import Untraceable
from ogive.backends.from_torch.staying import Staying
from ogive.backends.from_torch.trace import Traced, shape, trace
from ogive.backends.from_torch.windows import NEIGHBOURS
from ogive.grammar.formatter import format_text


@dataclass(frozen=True, slots=True)
class ProgramText:
    """The text, and for each weight of the source its name there."""

    text: str
    weights: Mapping[str, str]
    stays: Mapping[str, str]  # for each module that stays one of the source where its weights are
    outside: Mapping[str, Outside]  # and what is known of it
    members: Mapping[str, list[BlockDraft]]  # for each block what became it
    statics: Mapping[str, list[list[tuple[str, int]]]]  # and with which values of its statics
    modules: Mapping[str, str]  # the same for modules whose names differ
    fixed: tuple[tuple[str, int, str], ...]  # sizes that the source fixed, and where it did
    notes: tuple[str, ...]
    inputs: tuple[Axes, ...]
    left_out: int = 0  # results that are no tensors

    def parts(self, program: str, imports: str, body: str, what: str) -> str:
        """The Python file of the modules that stay."""
        return outside_text(program, self.members, self.statics, imports, body, what)


def drafted(
    module: nn.Module,
    args: Sequence[object],
    kwargs: Mapping[str, object],
    sizes: Mapping[str, Sequence[str | int | None]],
    known: Mapping[str, tuple[str, int]],
    strict: bool,
) -> tuple[Drafter, tuple[str, ...]]:
    """The drafts of a module; `known` are paths of modules that stay those of the source, with reasons and
    how many nodes they have.

    What is refused stays a module of the source: the smallest that holds it, or where that cannot be called from
    outside the next around it. With `strict` it raises `Untraceable`, as it does where nothing but the whole is left.
    """
    staying = Staying(module, args, kwargs, sizes, strict)
    for path, (why, nodes) in known.items():
        staying.add(path, Untraceable(why), nodes)
    while True:
        try:
            traced = trace(module, args, kwargs, sizes, staying.found)
        except Untraceable as error:
            staying.add(error.path or "", error)
            continue
        staying.counted(traced)
        notes = recognized(traced)
        prune(traced)
        grow(traced)
        drafter = Drafter(traced)
        drafter.draft(traced.root, traced.inputs)
        if not drafter.failures:
            staying.judged(traced)
            return drafter, notes
        for path, failure in sorted(drafter.failures.items()):
            staying.add(path, failure)


def program_text(
    traced: Traced,
    drafts: list[BlockDraft],
    notes: tuple[str, ...],
    name: str,
    origin: str,
    module: str,
    promote: bool,
    unite: bool = False,
) -> ProgramText:
    """The text of a program of drafts; with `promote` widths and heads are statics."""
    blocks, of = assemble(drafts, promote, unite, module)
    root = drafts[-1]
    library: dict[str, set[str]] = {}
    for draft in drafts:
        for part, names in draft.library.items():
            library.setdefault(part, set()).update(names)
    head = ["ogive 1", *(f"# {line}" for line in origin.splitlines())]
    if traced.stays:
        head.append(f"# {module}.py has the parts that stay modules of the source: commands take --allow-extern.")
    head += [f"use {part} ({', '.join(sorted(names))})" for part, names in sorted(library.items())]
    top = of[id(root)]
    if top.name == name:
        top = BlockText(
            f"{name}Block", top.text.replace(f"block {name}", f"block {name}Block", 1), top.brackets, top.values
        )
        blocks = [top if each.name == name else each for each in blocks]
    values = ", ".join(f"{static}={value}" for static, value in top.values[id(root)])
    model = f"model {name} = {top.name}" + (f"[{values}]" if values else "")
    if any("shifted_windows[" in each.text for each in blocks):
        head.append(f"\n{NEIGHBOURS}")
    text = "\n\n".join(["\n".join(head), *(plain(each.text) for each in blocks), model]) + "\n"
    modules = _modules(root, "", "")
    paths = dict.fromkeys(traced.weights.values())
    renamed = {path: _renamed(path, modules) for path in paths if not any(under(path, each) for each in traced.stays)}
    stays = {path: f"{_renamed(path, modules)}.module.inner" for path in traced.stays}
    members: dict[str, list[BlockDraft]] = {}
    for draft in drafts:
        members.setdefault(of[id(draft)].name, []).append(draft)
    return ProgramText(
        format_text(text), renamed, stays, traced.stays, members,
        {name: [of[id(each)].values[id(each)] for each in held] for name, held in members.items()},
        {old: new for old, new in modules.items() if old != new}, tuple(traced.fixed), notes, inputs(traced),
        traced.left_out,
    )  # fmt: skip


def inputs(traced: Traced) -> tuple[Axes, ...]:
    """What the inputs are: their axes, and below what their integers must be."""
    found = []
    for node, name in traced.inputs.items():
        axes = tuple(int(size) if size.is_Integer else traced.names.get(size, str(size)) for size in shape(node))
        found.append(Axes(name, axes, _below(node)))
    return tuple(found)


def _below(node: Node) -> int:
    """The length of the table that an input of integers looks into; 0 where it looks into none."""
    for user in node.users:
        if name_of(user) == "embedding" and user.args[1] is node:
            return int(shape(user.args[0])[0])  # type: ignore[arg-type]
        if name_of(user) in VIEWS and (below := _below(user)):
            return below
    return 0


def _modules(draft: BlockDraft, old: str, new: str) -> dict[str, str]:
    """The paths of all modules, by those of the source."""
    found: dict[str, str] = {}
    place = len(draft.call.path) + 1 if draft.call.path else 0
    children = {child.call.path[place:]: child for child in draft.children.values()}
    for theirs, ours in draft.renamed.items():
        path = f"{old}.{theirs}" if old else theirs
        here = f"{new}.{ours}" if new else ours
        found[path] = here
        if (child := children.get(draft.loops.get(theirs, theirs))) is not None:
            found.update(_modules(child, path, here))
        elif (child := children.get(f"{theirs}.0")) is not None:  # the first of a loop stands for all
            inner = _modules(child, f"{path}.0", f"{here}.0")
            found.update({_starred(k, f"{path}.0", path): _starred(v, f"{here}.0", here) for k, v in inner.items()})
    return found


def _starred(path: str, first: str, loop: str) -> str:
    return f"{loop}.*{path[len(first) :]}"


def _renamed(path: str, modules: Mapping[str, str]) -> str:
    """The name of a weight of the source in the program."""
    parts = path.split(".")
    exact_first = sorted(modules.items(), key=lambda each: each[0].count("*"))
    for cut in range(len(parts), 0, -1):
        for pattern, ours in exact_first:
            theirs = pattern.split(".")
            if len(theirs) != cut or any(a not in ("*", b) for a, b in zip(theirs, parts, strict=False)):
                continue
            if any(a == "*" and not b.isdigit() for a, b in zip(theirs, parts, strict=False)):
                continue
            indices = iter([b for a, b in zip(theirs, parts, strict=False) if a == "*"])
            head = ".".join(next(indices) if each == "*" else each for each in ours.split("."))
            return ".".join([head, *parts[cut:]])
    return path
