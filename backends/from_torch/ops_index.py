"""Parts of tensors, and tensors of parts."""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Node

from ogive.backends.from_torch.builder import BlockBody, Operation
from ogive.backends.from_torch.code import TracedCode, number
from ogive.backends.from_torch.layout_ops import name_of
from ogive.backends.from_torch.ops_table import INTEGERS, argument, axes_of
from ogive.backends.from_torch.refused import Untraceable
from ogive.backends.from_torch.trace import dtype, expression, shape


def _split(body: BlockBody, node: Node) -> TracedCode | None:
    source, axis = node.args[0], argument(node, 2, "dim", 0)
    assert isinstance(source, Node)
    parts = node.meta["val"]
    rank = parts[0].dim()
    axis = axis % rank
    shown = axis - rank if rank - axis <= 2 else axis
    sizes = [body.sizes.code(expression(part.shape[axis]), "d").text for part in parts]
    body.unpack(_items(node, len(parts)), body.first(source).then(f"split[{shown}, [{', '.join(sizes)}]]"))
    return None


def _unbind(body: BlockBody, node: Node) -> TracedCode | None:
    source, axis = node.args[0], argument(node, 1, "dim", 0)
    assert isinstance(source, Node)
    rank = len(shape(source))
    labels = list("bmnhijkl"[:rank])
    labels[axis % rank] = "t"
    rest = [label for i, label in enumerate(labels) if i != axis % rank]
    step = f'split["{" ".join(labels)} -> t {" ".join(rest)}"]'
    code = body.first(source)
    if axis == 0 and code.stages and code.stages[-1].startswith('rearrange["') and "-> (" not in code.stages[-1]:
        code = TracedCode(code.head, code.level, (*code.stages[:-1], code.stages[-1].replace("rearrange", "split", 1)))
    else:
        code = code.then(step)
    body.unpack(_items(node, len(node.meta["val"])), code)
    return None


def _items(node: Node, count: int) -> list[Node | None]:
    found: list[Node | None] = [None] * count
    for user in node.users:
        index = user.args[1]
        assert isinstance(index, int)
        found[index] = user
    return found


def _cat(body: BlockBody, node: Node) -> TracedCode | None:
    tensors, axis = node.args[0], argument(node, 1, "dim", 0)
    operands = [body.operand(each, 40) for each in tensors]  # type: ignore[union-attr]
    return TracedCode(
        f"{'stack' if name_of(node) == 'stack' else 'concat'}[{axis}]({', '.join(o.text for o in operands)})"
    )


def _slice(body: BlockBody, node: Node) -> TracedCode | None:
    """Slices in a row are one."""
    source = node.args[0]
    assert isinstance(source, Node)
    rank = len(shape(source))
    axis, start, stop, step = (argument(node, i, n, d) for i, n, d in
                               ((1, "dim", 0), (2, "start", None), (3, "end", None), (4, "step", 1)))  # fmt: skip
    whole = shape(source)[axis % rank]
    low = _bound(body, start, whole)
    high = "" if stop is None or (isinstance(stop, int) and stop > 2**60) else _bound(body, stop, whole) or "0"
    part = f"{low}:{high}" + (f":{step}" if step != 1 else "")
    items = [":"] * (axis % rank) + [part]
    return TracedCode(f"{body.operand(source).at(10)}[{', '.join(items)}]")


def _bound(body: BlockBody, at: Any, whole: Any) -> str:
    if at is None or at == 0:
        return ""
    size = expression(at)
    if size.is_Integer and int(size) < 0:
        size = whole + size
    return body.sizes.code(size, "at").text


def _select(body: BlockBody, node: Node) -> TracedCode | None:
    source, axis, index = node.args[:3]
    assert isinstance(source, Node)
    assert isinstance(axis, int)
    sizes = shape(source)
    axis, size = axis % len(sizes), expression(index)
    if size.is_Integer and int(size) < 0:
        size = sizes[axis] + size
    text = str(int(size)) if size.is_Integer else body.sizes.code(size).text
    return TracedCode(f"{body.operand(source).at(10)}[{', '.join([':'] * axis + [text])}]")


def _topk(body: BlockBody, node: Node) -> TracedCode | None:
    source, count = node.args[:2]
    assert isinstance(source, Node)
    assert isinstance(count, int)
    if not argument(node, 3, "largest", True):
        raise Untraceable("the smallest of an axis")
    step = f"topk[{axes_of(node, argument(node, 2, 'dim', -1), source)}, {number(count, 'k')}]"
    body.unpack(_items(node, 2), body.first(source).then(step))
    return None


def _index(body: BlockBody, node: Node) -> TracedCode | None:
    """Entries of one axis by their numbers."""
    source, places = node.args
    assert isinstance(source, Node)
    assert isinstance(places, list | tuple)
    given = [(axis, each) for axis, each in enumerate(places) if each is not None]
    if len(given) == 2 and (code := _pairs(body, source, given)) is not None:
        return code
    if len(given) != 1 or not isinstance(given[0][1], Node) or dtype(given[0][1]) not in INTEGERS:
        raise Untraceable(f"`{node.target}` by {len(given)} tensors has no operation here")
    axis, index = given[0]
    held, whole = body.traced.constants.get(index), shape(source)[axis]
    if held is not None and held.numel() and bool((held < 0).any()):
        if not whole.is_Integer or held.numel() > 64:
            raise Untraceable("an index from the end of an axis whose size is free", node)
        counted = torch.where(held < 0, held + int(whole), held).tolist()
        return TracedCode(f"take[{axis}]({body.operand(source).text}, constant[{counted}])")
    return TracedCode(f"take[{axis}]({body.operand(source).text}, {body.operand(index).text})")


def _pairs(body: BlockBody, source: Node, given: list[tuple[int, Any]]) -> TracedCode | None:
    """Entries by their numbers along an axis, for each place of the axis before it."""
    (first, rows), (second, places) = given
    if (first, second) != (0, 1) or not isinstance(rows, Node) or not isinstance(places, Node):
        return None
    if not _counts(rows, shape(source)[0]) or dtype(places) not in INTEGERS or not 1 <= len(shape(places)) <= 2:
        return None
    if len(shape(places)) == 2 and (len(shape(rows)) != 2 or shape(rows)[1] != 1):
        return None
    labels = list("dehij"[: len(shape(source)) - 2])
    sizes = [body.sizes.code(size).text for size in shape(source)[2:]]
    one = len(shape(places)) == 1
    step = f'"{"b" if one else "b m"} -> b {"1" if one else "m"} {" ".join(labels)}"'
    step += "".join(f", {label}={size}" for label, size in zip(labels, sizes, strict=True))
    index = body.operand(places).then(f"{'expand' if labels else 'rearrange'}[{step}]") if labels or one else (
        body.operand(places))  # fmt: skip
    code = TracedCode(f"gather[1]({body.operand(source, 40).text}, {index.text})")
    rest = " ".join(labels)
    return code.then(f'rearrange["b 1 {rest} -> b {rest}"]'.replace(" ->", " ->").replace(' "', '"')) if one else code


def _counts(node: Node, size: Any) -> bool:
    """Whether whole numbers are 0, 1, ... along the axis that an index walks."""
    if name_of(node) in ("unsqueeze", "view", "reshape") and isinstance(node.args[0], Node):
        return _counts(node.args[0], size)
    if shape(node) and shape(node)[0] == size and len(shape(node)) == 1:
        whole = name_of(node) == "arange" and (len(node.args) < 2 or node.args[0] == 0)
        return bool(whole or node.meta.get("formula") == ("places", 0))
    return False


def _roll(body: BlockBody, node: Node) -> TracedCode | None:
    code = body.first(node.args[0])
    for by, axis in zip(node.args[1], node.args[2], strict=True):  # type: ignore[arg-type]
        code = code.then(f"roll[{axis}, {by}]")
    return code


def _pad(body: BlockBody, node: Node) -> TracedCode | None:
    source, pads = node.args[:2]
    assert isinstance(source, Node)
    assert isinstance(pads, list | tuple)
    mode, filled = argument(node, 2, "mode", "constant"), argument(node, 3, "value", 0.0) or 0.0
    code, rank = body.first(source), len(shape(source))
    settings = f', mode="{mode}"' if mode != "constant" else f", value={filled}" if filled else ""
    for i in range(len(pads) // 2):
        low, high = pads[2 * i], pads[2 * i + 1]
        if low or high:
            code = code.then(f"pad[{rank - 1 - i}, {body.operand(low).text}, {body.operand(high).text}{settings}]")
    return code


PARTS: dict[str, Operation] = {
    "split": _split, "split_with_sizes": _split, "chunk": _split, "unbind": _unbind, "cat": _cat, "concat": _cat,
    "stack": _cat, "slice": _slice, "select": _select, "roll": _roll, "pad": _pad, "topk": _topk, "index": _index,
}  # fmt: skip
