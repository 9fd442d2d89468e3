"""What a trace computes from sizes alone, recognized by its values: masks that hide what comes after."""

from __future__ import annotations

from typing import Any

import sympy
import torch
from torch.fx import Node
from torch.fx.node import map_arg

from ogive.backends.from_torch.layout_ops import name_of
from ogive.backends.from_torch.trace import Traced, expression, shape

TRIED = 4  # choices of sizes at which a mask is looked at


def recognized(traced: Traced) -> tuple[str, ...]:
    """Replace masks of attention that are causal, or hide nothing, by settings; what was found."""
    notes = []
    nodes = traced.root.nodes()
    for node in nodes:
        if name_of(node) != "scaled_dot_product_attention":
            continue
        mask = node.args[3] if len(node.args) > 3 else node.kwargs.get("attn_mask")
        if not isinstance(mask, Node) or not _of_sizes(mask, traced):
            continue
        kinds = {_kind(mask, tried) for tried in range(TRIED)}
        if len(kinds) == 1 and (kind := kinds.pop()) in ("causal", "whole"):
            node.args = tuple(None if each is mask else each for each in node.args)
            node.kwargs = {key: each for key, each in node.kwargs.items() if each is not mask}
            if kind == "causal":
                node.meta["causal"] = True
                notes.append(node.meta["nn_module_stack"] and list(node.meta["nn_module_stack"].values())[-1][0])
    if not notes:
        return ()
    (_graph,) = {node.graph for node in nodes}
    return (f"the mask of {len(notes)} attentions is causal: compared at {TRIED} choices of sizes",)


def prune(traced: Traced) -> None:
    """Take out what nothing reads any more."""
    nodes = traced.root.nodes()
    gone: set[Node] = set()
    for node in reversed(nodes):
        if not [user for user in node.users if user not in gone]:
            gone.add(node)
    for node in gone:
        node.args, node.kwargs = (), {}
    _drop(traced.root, gone)


def _drop(call: Any, gone: set[Node]) -> None:
    call.children = [child for child in call.children if child not in gone] if gone else call.children
    for child in call.children:
        if not isinstance(child, Node):
            _drop(child, gone)
    call.children = [child for child in call.children if isinstance(child, Node) or child.children]


def _of_sizes(node: Node, traced: Traced, seen: dict[Node, bool] | None = None) -> bool:
    """Whether a value depends on sizes alone."""
    seen = {} if seen is None else seen
    if node not in seen:
        if isinstance(node.meta.get("val"), torch.SymInt | int):
            seen[node] = True
        elif node.op == "placeholder":
            seen[node] = node in traced.constants
        else:
            parts: list[Node] = []
            map_arg((node.args, node.kwargs), parts.append)
            seen[node] = all(_of_sizes(each, traced, seen) for each in parts)
    return seen[node]


def _kind(mask: Node, tried: int) -> str:
    """What a mask is at some sizes."""
    symbols = sorted({s for size in _sizes_in(mask) for s in size.free_symbols}, key=str)
    numbers = {symbol: 3 + 2 * ((i + tried) % 5) + tried for i, symbol in enumerate(symbols)}
    try:
        value = _evaluated(mask, numbers, {})
    except (RuntimeError, IndexError, TypeError, NotImplementedError):
        return "unknown"
    if value.dim() < 2:
        return "unknown"
    seen = value if value.dtype == torch.bool else value == 0
    if value.dtype != torch.bool and not bool(((value == 0) | (value <= -1e4)).all()):
        return "unknown"
    q, k = seen.shape[-2:]
    if bool(seen.all()):
        return "whole"
    causal = torch.ones(q, k, dtype=torch.bool).tril(k - q)
    return "causal" if q == k and bool((seen == causal).all()) else "unknown"


def _sizes_in(node: Node) -> list[sympy.Expr]:
    found: list[sympy.Expr] = []
    stack, seen = [node], {node}
    while stack:
        each = stack.pop()
        if isinstance(each.meta.get("val"), torch.Tensor):
            found += shape(each)
        elif isinstance(each.meta.get("val"), torch.SymInt):
            found.append(expression(each))
        parts: list[Node] = []
        map_arg((each.args, each.kwargs), parts.append)
        stack += [part for part in parts if part not in seen]
        seen.update(parts)
    return found


def _evaluated(node: Node, numbers: dict[sympy.Symbol, int], memo: dict[Node, Any]) -> Any:
    """The value of a node at some sizes."""
    if node in memo:
        return memo[node]
    held = node.meta.get("val")
    if isinstance(held, torch.SymInt):
        return int(expression(node).subs(numbers))
    if isinstance(held, int):
        return held
    if node.op == "placeholder":
        raise NotImplementedError
    args, kwargs = map_arg((node.args, node.kwargs), lambda each: _evaluated(each, numbers, memo))
    memo[node] = node.target(*args, **{k: v for k, v in kwargs.items() if k not in ("device", "pin_memory")})  # type: ignore[operator]
    return memo[node]
