"""What a trace computes from sizes alone, recognized by its values: masks that hide what comes after."""

from __future__ import annotations

from collections import Counter
from typing import Any

import sympy
import torch
from torch.fx import Node
from torch.fx.node import map_arg

from ogive.backends.from_torch.layout_ops import name_of
from ogive.backends.from_torch.trace import Traced, expression, shape
from ogive.backends.from_torch.windows import shifted_windows

_LIKE = ("new_", "zeros_like", "ones_like")
TRIED = 4  # choices of sizes at which a mask is looked at


def recognized(traced: Traced) -> tuple[str, ...]:
    """Replace what depends on sizes alone by what it is, where its values show that; what was found."""
    seen: dict[Node, bool] = {}
    found = Counter[str]()
    formulated: dict[Node, tuple[str, int | float]] = {}
    for node in traced.root.nodes():
        if name_of(node) == "scaled_dot_product_attention":
            mask = node.args[3] if len(node.args) > 3 else node.kwargs.get("attn_mask")
            if isinstance(mask, Node) and _of_sizes(mask, traced, seen):
                kinds = {_mask(mask, traced, tried) for tried in (*range(TRIED), *_beyond(mask))}
                if kinds <= {"causal", "whole"} and len(kinds) == 1:
                    node.args = tuple(None if each is mask else each for each in node.args)
                    node.kwargs = {key: each for key, each in node.kwargs.items() if each is not mask}
                    if kinds == {"causal"}:
                        node.meta["causal"] = True
                    found[f"a mask of attention is {'causal' if kinds == {'causal'} else 'true everywhere'}"] += 1
    for node in traced.root.nodes():
        if (
            not isinstance(node.meta.get("val"), torch.Tensor)
            or not _of_sizes(node, traced, seen)
            or name_of(node) == "arange"
        ):
            continue
        if all(_of_sizes(user, traced, seen) for user in node.users if user.op != "output"):
            continue
        if _heavy(node):
            continue
        if _windowed(node, traced):
            formulated[node] = "windows", 0
            found["a mask is one of shifted windows"] += 1
            continue
        formula = _formula_of(node, traced)
        if formula is not None:
            formulated[node] = formula
            kind = {"constant": "whole numbers are equal", "places": "whole numbers are places"}.get(formula[0])
            found[kind or "a mask is a band"] += 1
    for node, formula in formulated.items():
        node.meta["formula"] = formula
        node.args, node.kwargs = (), {}
    for node in traced.whole:
        if node.users and (formula := _formula(node, traced, 0)) is not None:
            node.meta["formula"] = formula
    return tuple(f"{what}, by its values at {TRIED} choices of sizes ({count})" for what, count in found.items())


def _formula_of(node: Node, traced: Traced) -> tuple[str, int | float] | None:
    """What a value is at all choices of sizes that are looked at."""
    tries = [*range(TRIED), *_beyond(node)]
    found = [_formula(node, traced, tried) for tried in tries]
    if None in found:
        return None
    if len(set(found)) == 1:
        return found[0]
    kinds = {each[0] for each in found if each is not None}
    if not all(kind.startswith("band") for kind in kinds) or len(kinds) != 2:
        return None
    # where fewer entries than a window's are looked at, it hides nothing
    last = found[-1]
    assert last is not None
    window = int(last[0].removeprefix("band "))
    narrow = [_places(node, tried) <= window for tried in tries]
    fits = all(each == ("band 0" if low else last[0], last[1]) for each, low in zip(found, narrow, strict=True) if each)
    return last if window and fits else None


def _windowed(node: Node, traced: Traced) -> bool:
    """Whether a mask of known sizes is one of shifted windows, which is noted."""
    sizes = shape(node)
    if len(sizes) < 3 or not all(size.is_Integer for size in sizes) or not node.meta["val"].dtype.is_floating_point:
        return False
    value = _at(node, traced, 0)
    places = [i for i, size in enumerate(sizes[:-2]) if size != 1]
    if value is None or len(places) > 1:
        return False
    at = places[0] if places else 0
    told = shifted_windows(value.reshape(int(sizes[at]), *value.shape[-2:]))
    if told is None or (told.dy == told.dx == 0):
        return False
    node.meta["windows"], node.meta["windows_at"] = told, at
    return True


FARTHEST = 2**13  # entries along an axis of a mask that is looked at


def _beyond(node: Node) -> list[int]:
    """Sizes beyond the whole numbers in a computation, with minus before them: at these something may change."""
    numbers: set[int] = set()
    stack, seen = [node], {node}
    while stack:
        each = stack.pop()
        if isinstance(each.meta.get("val"), torch.Tensor):
            inner = [a for arg in each.args for a in (arg if isinstance(arg, list | tuple) else [arg])]
            numbers |= {abs(a) for a in inner if isinstance(a, int) and not isinstance(a, bool) and 8 <= abs(a) < 2**31}
        parts: list[Node] = []
        map_arg((each.args, each.kwargs), parts.append)
        stack += [part for part in parts if part not in seen]
        seen.update(parts)
    return [-(n + 2) for n in sorted(numbers)]


def _places(node: Node, tried: int) -> int:
    """How long the last axis is at some sizes."""
    numbers = _numbers(node, tried)
    return int(shape(node)[-1].subs(numbers))


def _numbers(node: Node, tried: int) -> dict[sympy.Symbol, int]:
    """A number for each size that a value depends on: another for each try, or beyond some number."""
    symbols = sorted({s for size in _sizes_in(node) for s in size.free_symbols}, key=str)
    inner = {s for size in shape(node)[-2:] for s in size.free_symbols} if len(shape(node)) > 1 else set(symbols)
    if tried < 0:
        return {symbol: -tried if symbol in inner else 2 for symbol in symbols}
    return {symbol: 3 + 2 * ((i + tried) % 5) + tried for i, symbol in enumerate(symbols)}


def _formula(node: Node, traced: Traced, tried: int) -> tuple[str, int | float] | None:
    """What whole numbers or truths are at some sizes: equal, or places along the last axis."""
    value = _at(node, traced, tried)
    if value is None or not value.numel():
        return None
    if (
        value.dim() >= 2
        and (value.dtype == torch.bool or value.is_floating_point())
        and (seen := _seen(value)) is not None
    ):
        low = 0 if value.dtype == torch.bool else float(value.min())
        for window in _windows(seen):
            if seen.shape[0] == seen.shape[1] and torch.equal(seen, _band(len(seen), window)) and not bool(seen.all()):
                return f"band {window}", low
    if value.is_floating_point():
        return None
    first = value.reshape(-1)[0].item()
    if bool((value == first).all()):
        return "constant", first
    if value.dtype != torch.bool and value.dim():
        places = torch.arange(value.shape[-1], dtype=value.dtype) + first
        if bool((value == places).all()):
            return "places", first
    return None


def prune(traced: Traced) -> None:
    """Take out what nothing reads any more."""
    nodes = traced.root.nodes()
    gone: set[Node] = set()
    for node in reversed(nodes):
        if "refused" not in node.meta and not [user for user in node.users if user not in gone]:
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


def _heavy(node: Node) -> bool:
    """Whether a value has too many axes to be looked at."""
    return len(shape(node)) > 5


def _seen(value: torch.Tensor) -> torch.Tensor | None:
    """Which keys a mask lets a query look at, if that is the same for all others of its axes."""
    seen = value if value.dtype == torch.bool else value == 0
    if value.dtype != torch.bool and not bool((seen | (value <= -1e4)).all()):
        return None
    rows = seen.reshape(-1, *seen.shape[-2:])
    return rows[0] if bool((rows == rows[0]).all()) else None


def _windows(seen: torch.Tensor) -> list[int]:
    """Which windows a mask may have: none, or as many places as its last row shows."""
    row = int(seen[-1].sum())
    return [0, row] if row < len(seen) else [0]


def _band(size: int, window: int) -> torch.Tensor:
    """Keys not after a query, and with a window fewer places before it."""
    row = torch.arange(size)
    ahead = row - row[:, None]
    return (ahead <= 0) & ((ahead > -window) if window else torch.ones(size, size, dtype=torch.bool))


def _of_sizes(node: Node, traced: Traced, seen: dict[Node, bool]) -> bool:
    """Whether a value depends on sizes alone. Buffers of whole numbers are what they are."""
    if node not in seen:
        if isinstance(node.meta.get("val"), torch.SymInt | int):
            seen[node] = True
        elif node.op == "placeholder":
            seen[node] = node in traced.constants or node in traced.whole
        else:
            parts: list[Node] = []
            # of what they are like only the type counts
            given = node.args[1:] if name_of(node).startswith(_LIKE) else node.args
            map_arg((given, node.kwargs), parts.append)
            seen[node] = all([_of_sizes(each, traced, seen) for each in parts])
    return seen[node]


def _at(node: Node, traced: Traced, tried: int) -> torch.Tensor | None:
    """The value of a node at some sizes."""
    if -tried > FARTHEST:
        return None
    numbers = _numbers(node, tried)
    try:
        value = _evaluated(node, numbers, {**traced.constants, **traced.whole})
    except (RuntimeError, IndexError, TypeError, NotImplementedError):
        return None
    return value if isinstance(value, torch.Tensor) else None


def _mask(mask: Node, traced: Traced, tried: int) -> str:
    """What a mask is at some sizes."""
    value = _at(mask, traced, tried)
    if value is None or value.dim() < 2:
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
    if name_of(node).startswith(_LIKE) and isinstance(node.args[0], Node) and node.args[0] not in memo:
        # of what they are like only type and shape count
        sizes = [int(size.subs(numbers)) for size in shape(node.args[0])]
        memo = {**memo, node.args[0]: torch.zeros(sizes, dtype=node.args[0].meta["val"].dtype)}
    args: Any
    kwargs: Any
    args, kwargs = map_arg((node.args, node.kwargs), lambda each: _evaluated(each, numbers, memo))
    if name_of(node) in ("view", "_unsafe_view"):
        memo[node] = args[0].reshape(args[1])  # decompositions leave views of what lies otherwise here
        return memo[node]
    memo[node] = node.target(*args, **{k: v for k, v in kwargs.items() if k not in ("device", "pin_memory")})  # type: ignore[operator]
    return memo[node]
