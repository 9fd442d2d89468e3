"""What a draft of a block is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import sympy
from torch.fx import Node
from torch.fx.node import map_arg

from ogive.backends.from_torch.code import NUMBER
from ogive.backends.from_torch.outside import Outside, is_outside
from ogive.backends.from_torch.trace import ModuleCall, Traced


@dataclass(slots=True)
class BlockDraft:
    """A block of one call. `renamed` says which of its submodules have other names than in the source."""

    call: ModuleCall
    inputs: list[tuple[str, str]]
    outputs: list[str]
    params: list[str]
    lines: list[str]
    library: dict[str, set[str]]
    locals: frozenset[str]
    opened: dict[str, sympy.Expr] = field(default_factory=dict)  # sizes that calls of it give
    given: dict[str, list[str]] = field(default_factory=dict)  # by mark: what the calls in it give
    children: dict[str, BlockDraft] = field(default_factory=dict)  # by the mark in the lines
    renamed: dict[str, str] = field(default_factory=dict)  # new relative paths, by those of the source
    loops: dict[str, str] = field(default_factory=dict)  # the first of the loop that a submodule is in
    height: int = 0
    outside: Outside | None = None  # of one that stays a module of the source


def staying(call: ModuleCall, traced: Traced) -> Outside | None:
    """What is known of a call of a module that stays one of the source."""
    paths = [str(node.args[4]) for node in call.children if isinstance(node, Node) and is_outside(node)]
    return traced.stays.get(paths[0]) if paths == [call.path] else None


def operands(node: Node) -> list[Node]:
    """The nodes that a node reads, in order, as often as it does."""
    found: list[Node] = []
    map_arg((node.args, node.kwargs), found.append)
    return found


def under(path: str, owner: str) -> bool:
    """Whether a weight belongs to a module or one in it."""
    return not owner or path.startswith(f"{owner}.")


def skeleton(draft: BlockDraft, numbers: bool = False) -> str:
    """The text of a draft with or without its numbers, and those of the blocks that it calls."""
    lines = [*(text for _, text in draft.inputs), *draft.outputs, *draft.params, *draft.lines]
    text = "\n".join([*lines, *map(str, draft.opened), *map(str, draft.given.values())])
    text = text if numbers else NUMBER.sub(r"⟪\2⟫", text)
    inner = [skeleton(each, numbers) for each in draft.children.values()]
    return "\n".join([draft.call.kind, _MARKED.sub("⟦⟧", text), *inner])


_MARKED = re.compile("⟦\\d+")
