"""Views, permutations and expansions, several in a row, as one pattern."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sympy
from torch.fx import Node

from ogive.backends.from_torch.refused import Untraceable
from ogive.backends.from_torch.sizes import ratio
from ogive.backends.from_torch.trace import shape

VIEWS = frozenset(
    ("view", "reshape", "_unsafe_view", "permute", "transpose", "t", "unsqueeze", "squeeze", "flatten", "expand",
     "unflatten", "numpy_T", "mT", "movedim", "expand_as", "view_as", "reshape_as", "swapaxes", "swapdims")
)  # fmt: skip
_RANKS = {0: "", 1: "d", 2: "nd", 3: "bnd", 4: "bhne", 5: "bmnhe", 6: "bmnhij"}
_SPLIT = {"d": "he", "n": "ij", "h": "ij", "w": "kl", "c": "gc"}
_POOL = "hetgrijklmopqsuvxyz"


@dataclass(eq=False, slots=True)
class AxisPart:
    """A factor of an axis."""

    label: str
    size: sympy.Expr
    new: bool = False


def name_of(node: Node) -> str:
    """The name of an operation without its namespace and overload."""
    name = str(node.target).removeprefix("aten.").split(".")[0]
    return name if name.startswith("__") else name.rstrip("_")


def pattern(chain: Sequence[Node], source: Node, size: Callable[[sympy.Expr, str], str], image: bool) -> str | None:
    """The step that does all that a chain of views does to `source`; None if that is nothing."""
    sizes = shape(source)
    labels = "bchw" if image and len(sizes) == 4 else _RANKS.get(len(sizes), _POOL[: len(sizes)])
    before = [[] if each == 1 else [AxisPart(labels[i], each)] for i, each in enumerate(sizes)]
    now = [list(axis) for axis in before]
    for node in chain:
        now = _applied(node, now, before)
    _relabelled(before, now)
    left, right = _side(before), _side(now)
    if left == right:
        return None
    new = [part for axis in now for part in axis if part.new]
    given = [f"{part.label}={size(part.size, part.label)}" for part in new]
    for axis in before:
        if len(axis) > 1:
            # windows of an image have a size of their own, heads a number
            spatial = len(before) == 4 and len(axis) == 2 and axis is not before[-1] and axis is not before[0]
            fallback = axis[0] if spatial else axis[-1]
            left_out = next((part for part in reversed(axis) if not part.size.is_Integer), fallback)
            counted = axis is before[0] and len(axis) > 2
            given += [
                f"{part.label}={size(part.size, 'count' if counted else 'window' if spatial else part.label)}"
                for part in axis
                if part is not left_out
            ]
    operation = "expand" if new else "rearrange"
    return f'{operation}["{left} -> {right}"{"".join(f", {each}" for each in given)}]'


_ON_LAST = frozenset(("linear", "layer_norm", "addmm", "rms_norm"))
_ON_FIRST = ("conv", "batch_norm", "group_norm", "instance_norm", "adaptive_", "max_pool", "avg_pool", "upsample")
_ENTRYWISE = frozenset("add sub mul gelu relu silu dropout roll pad tanh sigmoid div slice".split())
FARTHEST = 24  # values that are looked at


def channels_last(node: Node) -> bool:
    """Whether the last of four axes has the channels: what makes it or reads it works on the last axis."""
    stack, seen = [node], {node}
    while stack and len(seen) < FARTHEST:
        each = stack.pop()
        if each is not node and len(shape(each)) != 4:
            continue
        name = name_of(each)
        if name in _ON_LAST:
            return True
        if name.startswith(_ON_FIRST):
            return False
        if name == "permute":
            return list(each.args[1]) == [0, 2, 3, 1]  # type: ignore[arg-type]
        before = [a for a in each.all_input_nodes if a.op == "call_function"] if name in _ENTRYWISE else []
        for user in each.users:
            reads = name_of(user)
            if reads in _ON_LAST and user.args[0] is each:
                return True
            if reads.startswith(_ON_FIRST):
                return False
            if reads == "permute":
                return list(user.args[1]) == [0, 3, 1, 2]  # type: ignore[arg-type]
        entrywise = [user for user in each.users if name_of(user) in _ENTRYWISE]
        more = [a for a in (*entrywise, *before) if a not in seen and hasattr(a.meta.get("val"), "shape")]
        stack += more
        seen.update(more)
    return False


def _relabelled(before: list[list[AxisPart]], now: list[list[AxisPart]]) -> None:
    """An axis of channels that is cut is one of heads."""
    used = {part.label for axis in (*before, *now) for part in axis}
    for axis in before:
        wanted = {2: "he", 3: "the"}.get(len(axis), "")
        if wanted and len({part.label for part in axis} & set("het")) > 1:
            if not (set(wanted) & (used - {part.label for part in axis})):
                for part, label in zip(axis, wanted, strict=True):
                    part.label = label


def _side(axes: list[list[AxisPart]]) -> str:
    return " ".join("1" if not axis else axis[0].label if len(axis) == 1 else
                    f"({' '.join(part.label for part in axis)})" for axis in axes)  # fmt: skip


def _applied(node: Node, now: list[list[AxisPart]], before: list[list[AxisPart]]) -> list[list[AxisPart]]:
    rank = len(now)
    args = node.args[1:]
    match name_of(node):
        case "permute":
            order = args[0]
            assert isinstance(order, list | tuple)
            return [now[int(i) % rank] for i in order]  # type: ignore[arg-type]
        case "transpose" | "swapaxes" | "swapdims":
            i, j = int(args[0]) % rank, int(args[1]) % rank  # type: ignore[arg-type]
            swapped = list(now)
            swapped[i], swapped[j] = swapped[j], swapped[i]
            return swapped
        case "t" | "mT" | "numpy_T":
            return [*now[:-2], now[-1], now[-2]] if rank > 1 else now
        case "expand" | "expand_as":
            wide = shape(node)
            now = [*([] for _ in range(len(wide) - rank)), *now]
            made: list[list[AxisPart]] = []
            for axis, each in zip(now, wide, strict=True):
                made.append([_new(each, [*now, *made], before)] if not axis and each != 1 else axis)
            return made
    return _viewed(shape(node), now, before)


def _new(size: sympy.Expr, now: list[list[AxisPart]], before: list[list[AxisPart]]) -> AxisPart:
    used = {part.label for axis in (*now, *before) for part in axis}
    return AxisPart(next(label for label in "r" + _POOL if label not in used), size, True)


def _viewed(
    sizes: Sequence[sympy.Expr], now: list[list[AxisPart]], before: list[list[AxisPart]]
) -> list[list[AxisPart]]:
    """The factors in their order, as axes of these sizes."""
    row = [part for axis in now for part in axis]
    at = 0
    result: list[list[AxisPart]] = []
    for size in sizes:
        axis: list[AxisPart] = []
        rest = size
        while rest != 1:
            if at == len(row):
                raise Untraceable("a view that is no regrouping of axes")
            part = row[at]
            if (more := ratio(rest, part.size)) is not None:
                axis.append(part)
                rest, at = more, at + 1
            elif (more := ratio(part.size, rest)) is not None:
                first, second = _halves(part, rest, more, row, before)
                row[at : at + 1] = [first, second]
                axis.append(first)
                rest, at = sympy.Integer(1), at + 1
            else:
                raise Untraceable(f"a view of axes {[str(each.size) for each in row]} as {list(map(str, sizes))}")
        result.append(axis)
    return result


def _halves(
    part: AxisPart, size: sympy.Expr, rest: sympy.Expr, row: list[AxisPart], before: list[list[AxisPart]]
) -> tuple[AxisPart, AxisPart]:
    used = {each.label for axis in (row, *before) for each in axis} - {part.label}
    wanted = _SPLIT.get(part.label, "") + _POOL
    first = next(label for label in wanted if label not in used)
    second = next(label for label in wanted[1:] + _POOL if label not in used | {first})
    halves = AxisPart(first, size, part.new), AxisPart(second, rest, part.new)
    for axis in before:
        for i, each in enumerate(axis):
            if each is part:
                axis[i : i + 1] = halves
    return halves
