"""Which results of operations own memory and which are views of an operand's, and in what order axes lie in memory.

Where torch cannot say an axis by a stride, or a product wants its operands dense, it copies: backward keeps the copy.
"""

from __future__ import annotations

from collections.abc import Sequence

from ogive.compiler.ir.model import Node
from ogive.compiler.ops import OPS
from ogive.compiler.ops.recipe import AxisGroup, AxisPattern, Side, atoms_of
from ogive.compiler.sizes import size

Order = tuple[int | None, ...]  # for each axis how many lie around it; None: every entry is one and the same
PLAIN: Order | None = None  # row-major
SLICES = ("slice", "stop_gradient", "real", "imag")
PATTERNS = ("rearrange", "split", "expand")
ELEMENT_BYTES = {"f16": 2, "bf16": 2, "f32": 4, "f64": 8, "int": 8, "i32": 4, "i64": 8, "bool": 1}


def bytes_each(elem: str, floats: str) -> int:
    """What a number takes where floats of the model are of a type; a complex one is two floats."""
    if elem == "complex":
        return 2 * ELEMENT_BYTES[floats]
    return ELEMENT_BYTES[floats if elem == "float" else elem]


def laid(node: Node, orders: Sequence[Order | None]) -> list[tuple[bool, Order | None]]:
    """For each result whether it is a view of the first operand, and how it lies in memory."""
    if node.op in SLICES:
        kept = orders[0] if node.op != "slice" else _sliced(node, orders[0])
        return [(True, kept)] * len(node.outputs)
    if node.op in PATTERNS and len(node.inputs) == 1:
        recipe: AxisPattern = node.attr("recipe")
        found = [_pattern(recipe.inputs[0], side, orders[0]) for side in recipe.outputs]
        if node.op == "split" and len(node.outputs) > 1 and len(found) == 1:
            view, order = found[0]
            found = [(view, None if order is None else order[1:])] * len(node.outputs)
        return [found[min(at, len(found) - 1)] for at in range(len(node.outputs))]
    if node.op == "attention":  # queries lie around heads
        rank = len(node.outputs[0].type.axes)
        return [(False, (*range(rank - 3), rank - 2, rank - 3, rank - 1) if rank > 2 else PLAIN)]
    kept = PLAIN
    if node.op in OPS and OPS[node.op].kind == "elementwise":
        rank = len(node.outputs[0].type.axes)
        whole = (order for order in orders if order is not None and len(order) == rank and None not in order)
        kept = next(whole, PLAIN)
    return [(False, kept)] * len(node.outputs)


def copied(node: Node, at: int, order: Order | None) -> bool:
    """Whether a product copies the operand at a place before it multiplies."""
    if order is None or order == tuple(range(len(order))):
        return False
    if node.op == "linear":
        return at == 0 and len(order) > 2
    batch = [axis for axis in order[:-2] if axis is not None]
    return node.op == "matmul" and (None in order or (len(order) > 3 and batch != sorted(batch)))


def _sliced(node: Node, order: Order | None) -> Order | None:
    if order is None:
        return None
    kept = [at for at, item in zip(order, node.attr("items"), strict=False) if item[0] != "index"]
    kept += order[len(node.attr("items")) :]
    rank = {at: number for number, at in enumerate(sorted(at for at in kept if at is not None))}
    return tuple(None if at is None else rank[at] for at in kept)


def _pattern(before: Side, after: Side, order: Order | None) -> tuple[bool, Order | None]:
    """Whether a pattern is a view, which merges no axes that do not follow each other in memory; and its order."""
    if any(group.joined for group in (*before, *after)):
        return False, PLAIN
    places = order if order is not None and len(order) == len(before) else tuple(range(len(before)))
    around = sorted((at, index) for index, at in enumerate(places) if at is not None)
    memory = [atom.name for _, index in around for atom in before[index].atoms if atom.size != size(1)]
    if not all(_together(group, memory) for group in after):
        return False, PLAIN
    firsts = [next((memory.index(n) for n in _names(group) if n in memory), None) for group in after]
    ranks = {place: number for number, place in enumerate(sorted(p for p in firsts if p is not None))}
    unit = [not _names(group) for group in after]
    found: Order = tuple(
        (number if unit[number] else None) if place is None else ranks[place] for number, place in enumerate(firsts)
    )
    return True, PLAIN if found == tuple(range(len(found))) or (any(unit) and _ascending(found, unit)) else found


def _ascending(order: Order, unit: Sequence[bool]) -> bool:
    places = [at for at, alone in zip(order, unit, strict=True) if not alone]
    return None not in places and places == sorted(places, key=lambda at: at or 0)


def _names(group: AxisGroup) -> list[str]:
    return [atom.name for atom in group.atoms if atom.size != size(1)]


def _together(group: AxisGroup, memory: Sequence[str]) -> bool:
    names = _names(group)
    if len(names) < 2:
        return True
    if any(name not in memory for name in names):
        return False  # an axis along which all is one, merged with another
    first = memory.index(names[0])
    return list(memory[first : first + len(names)]) == names


def permuted(node: Node, at: int) -> bool:
    """Whether an einsum, as a product of matrices, merges axes of an operand that lie apart: it copies then."""
    recipe: AxisPattern = node.attr("recipe")
    if len(recipe.inputs) != 2:
        return False
    sides = (recipe.inputs[at], recipe.inputs[1 - at], recipe.outputs[0])
    mine, other, out = ([atom.name for atom in atoms_of(side)] for side in sides)
    batch = [name for name in mine if name in other and name in out]
    summed = [name for name in mine if name in other and name not in out]
    own = [name for name in mine if name not in other]
    if not summed:
        return False
    return any(len(run) > 1 and not _run(run, mine) for run in (batch, summed, own)) or (
        len(batch) > 1 and mine[: len(batch)] != batch
    )


def _run(names: Sequence[str], order: Sequence[str]) -> bool:
    first = order.index(names[0])
    return list(order[first : first + len(names)]) == list(names)
