"""Layers that read all that layers before them gave, put together: each reads one tensor, which grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch.fx import Node

from ogive.backends.from_torch.layout_ops import name_of
from ogive.backends.from_torch.trace import ModuleCall, Traced, shape


def grow(traced: Traced) -> None:
    """What puts together the same tensors and one more goes on from there, outside of the layer that begins with it."""
    inside: dict[Node, tuple[ModuleCall, ModuleCall | None]] = {}
    _places(traced.root, None, inside)
    chains: dict[tuple[Node, ...], list[Node]] = {}
    for node in inside:
        parts = _parts(node)
        if parts:
            chain = chains.pop(parts[:-1], [])
            chains[parts] = [*chain, node]
    for chain in chains.values():
        homes = {id(_home(node, *inside[node])) for node in chain}
        if len(chain) < 2 or len(homes) > 1 or None in homes:
            continue
        for before, node in zip([None, *chain[:-1]], chain, strict=True):
            call, parent = inside[node]
            if parent is not None and _home(node, call, parent) is parent and call.children[0] is node:
                call.children.remove(node)
                parent.children.insert(parent.children.index(call), node)
            if before is not None:
                node.args, node.kwargs = ([before, _parts(node)[-1]], 1), {}


def _places(
    call: ModuleCall, parent: ModuleCall | None, inside: dict[Node, tuple[ModuleCall, ModuleCall | None]]
) -> None:
    for child in call.children:
        if isinstance(child, Node):
            inside[child] = call, parent
        else:
            _places(child, call, inside)


def _home(node: Node, call: ModuleCall, parent: ModuleCall | None) -> ModuleCall:
    """The call that a node is in, or the one around it where it is the first of all."""
    first = parent is not None and call.children[0] is node and len(call.children) > 1
    return parent if first and parent is not None else call


def _parts(node: Node) -> tuple[Node, ...]:
    """The tensors that a node puts together along the axis of channels."""
    if name_of(node) not in ("cat", "concat") or not isinstance(node.args[0], list | tuple):
        return ()
    axis = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
    parts = tuple(each for each in node.args[0] if isinstance(each, Node))
    return parts if axis == 1 and len(parts) == len(node.args[0]) > 1 else ()


def growing(
    children: Sequence[Node | ModuleCall], at: int, external: Callable[[ModuleCall], list[Node]],
    uses: Callable[[Node], int],
) -> list[ModuleCall]:  # fmt: skip
    """The calls from here on each of whose results is put to the one tensor that it read, for the next to read."""
    found: list[ModuleCall] = []
    while at + 1 < len(children):
        child, node = children[at], children[at + 1]
        if not isinstance(child, ModuleCall) or not isinstance(node, Node):
            break
        parts = _parts(node)
        inside = child.nodes()
        if len(parts) != 2 or parts[1] not in inside or uses(parts[1]) != 1 or external(child) != [parts[0]]:
            break
        if not all(shape(each)[1].is_Integer for each in parts):
            break
        before = children[at - 1] if found else None
        if found and (child.kind != found[0].kind or parts[0] is not before or uses(parts[0]) != 2):
            break
        if isinstance(before, Node) and shape(parts[1])[1] != shape(_parts(before)[1])[1]:
            break
        found.append(child)
        at += 2
    return found if len(found) > 1 else []
