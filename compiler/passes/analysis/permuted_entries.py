"""Which entry of its operand an entry of a rearranged tensor is."""

from __future__ import annotations

from ogive.compiler.ir.model import Node, Operand
from ogive.compiler.ops import Trait, has
from ogive.compiler.ops.recipe import AxisPattern, Part, Side, product
from ogive.compiler.passes.analysis.frames import AnalysisFrame, Index
from ogive.compiler.sizes import FALSE, Condition, Size, all_of, ge, lt, size

# an operand, the entry of it, and where it is not that operand which is asked
Moved = list[tuple[Operand, Index, Condition]]


def aligned(frame: AnalysisFrame, operand: Operand, index: Index) -> Index:
    """The entry of an operand that meets an entry of the result, aligned from the right."""
    if not isinstance(operand, str):
        return ()
    axes = frame.type(operand).axes
    last = index[len(index) - len(axes) :]
    ones = (axis.size.is_number and axis.size.number == 1 for axis in axes)
    return tuple(size(0) if one else at for one, at in zip(ones, last, strict=True))


def moved(frame: AnalysisFrame, node: Node, name: str, index: Index) -> Moved | None:
    """Where the entry comes from; None for what does more than move entries."""
    if node.op == "alias" or has(node.op, Trait.SAME_POLES):
        return [(node.inputs[0], index, FALSE)]
    if node.op in ("rearrange", "expand", "split") and len(node.inputs) == 1:
        at = next(i for i, value in enumerate(node.outputs) if value.name == name)
        recipe: AxisPattern = node.attr("recipe").subs(frame.sizes)
        if node.op == "split" and len(recipe.outputs) == 1:  # the first axis on the right is unpacked
            at, index = 0, (size(at), *index)
        found = _by_recipe(recipe, at, index)
        return None if found is None else [(node.inputs[0], found, FALSE)]
    if node.op == "slice":
        return [(node.inputs[0], _of_slice(node, frame, index), FALSE)]
    if node.op in ("flip", "roll"):
        axis = node.attr("axis")
        length = frame.type(str(node.inputs[0])).axes[axis].size
        if node.op == "roll" and not (length.range[0] or 0) >= 1:
            return None
        there = length - 1 - index[axis] if node.op == "flip" else (index[axis] - _at(node.attr("by"), frame)) % length
        return [(node.inputs[0], (*index[:axis], there, *index[axis + 1 :]), FALSE)]
    if node.op == "concat":
        return _of_concat(node, frame, index)
    return None


def _at(value: Size | int, frame: AnalysisFrame) -> Size:
    return size(value).subs(frame.sizes)


def _of_slice(node: Node, frame: AnalysisFrame, index: Index) -> Index:
    left = list(index)
    found: list[Size] = []
    for item in node.attr("items"):
        if item[0] == "index":
            found.append(_at(item[1], frame))
        elif item[0] == "all":
            found.append(left.pop(0))
        else:
            found.append(_at(item[1], frame) + _at(item[3], frame) * left.pop(0))
    return tuple(found)


def _of_concat(node: Node, frame: AnalysisFrame, index: Index) -> Moved:
    axis: int = node.attr("axis")
    start = size(0)
    found: Moved = []
    for operand in node.inputs:
        length = frame.type(str(operand)).axes[axis].size
        at = index[axis] - start
        inside = all_of(ge(at, 0), lt(at, length))
        found.append((operand, (*index[:axis], at, *index[axis + 1 :]), inside.negate()))
        start = start + length
    return found


def _by_recipe(recipe: AxisPattern, output: int, index: Index) -> Index | None:
    """Through the elementary axes of a pattern."""
    side = recipe.outputs[output]
    atoms: dict[str, Size] = {}
    for place, at in zip(side, index, strict=True):
        if place.joined or not _taken_apart(place.atoms, at, atoms):
            return None
    return _put_together(recipe.inputs[0], atoms)


def _taken_apart(part: Part, at: Size, atoms: dict[str, Size]) -> bool:
    """The indices of atoms that are merged into one axis, row by row."""
    if len(part) == 1:
        atoms[part[0].name] = at
        return True
    for number, atom in enumerate(part):
        behind = product(part[number + 1 :])
        if any(not (each.range[0] or 0) >= 1 for each in (behind, atom.size)):
            return False
        atoms[atom.name] = at // behind if number == 0 else (at // behind) % atom.size
    return True


def _put_together(side: Side, atoms: dict[str, Size]) -> Index | None:
    found = []
    for place in side:
        before = size(0)
        for part in place.parts:
            if all(atom.name in atoms for atom in part) and (part or not place.joined):
                inside = size(0)
                for atom in part:
                    inside = inside * atom.size + atoms[atom.name]
                found.append(before + inside)
                break
            before = before + product(part)
        else:
            return None
    return tuple(found)
