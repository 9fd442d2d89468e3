"""Which product of torch an einsum is: element-wise, a linear map, a matrix product; else `torch.einsum` itself."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters

from ogive.backends.python_text.errors import LoweringError
from ogive.backends.python_text.expr import Code, attribute, binary, call, literal, method
from ogive.backends.python_text.functions.context import Context
from ogive.backends.pytorch.ops.permute_reshape import Block, Layout, LayoutView, blocks_of, single

Order = tuple[Block, ...]


def contract(ctx: Context, codes: Sequence[Code], orders: Sequence[Order], out: Order) -> Code:
    """The product of tensors whose axes are these blocks, summed over those that `out` lacks."""
    if len(codes) == 2:
        (a, b), (left, right) = codes, orders
        for form in (_elementwise, _linear, _matrices, _dot):
            found = form(ctx, a, left, b, right, out) or form(ctx, b, right, a, left, out)
            if found is not None:
                return found
    return _einsum(codes, orders, out)


def _elementwise(ctx: Context, a: Code, left: Order, b: Code, right: Order, out: Order) -> Code | None:
    """`x * scale[:, :, None]`: nothing is summed, and no axis moves."""
    if set(left) | set(right) != set(out):
        return None
    if not (_subsequence(left, out) and _subsequence(right, out)):
        return None
    return binary(_broadcast(ctx, a, left, out), "*", _broadcast(ctx, b, right, out))


def _subsequence(some: Order, whole: Order) -> bool:
    places = [whole.index(block) for block in some]
    return places == sorted(places)


def _broadcast(ctx: Context, code: Code, order: Order, out: Order) -> Code:
    """The tensor with an axis of size 1 for each that it lacks behind its first one."""
    if not order:
        return code
    first = out.index(order[0])
    wanted: Layout = tuple((block,) if block in order else () for block in out[first:])
    return LayoutView(ctx, code, single(order)).to(wanted).code


def _linear(ctx: Context, a: Code, left: Order, b: Code, right: Order, out: Order) -> Code | None:
    """`F.linear(x, weight)`: y[..., o] = Σ_i x[..., i] weight[o, i]."""
    if len(right) != 2 or len(left) < 1 or _unranked(right):
        return None
    o, i = right
    if i == left[-1] and i not in out and (*left[:-1], o) == out and o not in left:
        return call("F.linear", a, b)
    return None


def _matrices(ctx: Context, a: Code, left: Order, b: Code, right: Order, out: Order) -> Code | None:
    """`a @ b`, `a @ b.mT`: the axes are in the order of a matrix product, but for a transpose of the last two."""
    if len(out) < 2 or len(left) < 2 or len(right) < 2:
        return _vector(a, left, b, right, out)
    *batch, m, n = out
    summed = (set(left) & set(right)) - set(out)
    if len(summed) != 1 or m in right or n in left or _unranked([m, n, *summed]):
        return None
    (k,) = summed
    prefix, other = left[:-2], right[:-2]
    if {m, k} != set(left[-2:]) or {k, n} != set(right[-2:]):
        return None
    longer, shorter = (prefix, other) if len(prefix) >= len(other) else (other, prefix)
    if tuple(batch) != longer or (shorter and longer[-len(shorter) :] != shorter):
        return None
    rows = a if left[-1] == k else _transposed(a)
    columns = b if right[-1] == n else _transposed(b)
    return binary(rows, "@", columns)


def _vector(a: Code, left: Order, b: Code, right: Order, out: Order) -> Code | None:
    """`a @ v` for a vector v."""
    if len(left) >= 2 and len(right) == 1 and left[-1] == right[0] and left[:-1] == out and not _unranked(right):
        return binary(a, "@", b)
    if len(left) == 2 and len(right) == 1 and left[0] == right[0] and left[1:] == out and not _unranked(left):
        return binary(b, "@", a)
    return None


def _dot(ctx: Context, a: Code, left: Order, b: Code, right: Order, out: Order) -> Code | None:
    """`(a * b).sum(-1)`: the last axis alone is summed."""
    if left != right or left[:-1] != out or _unranked(left[-1:]):
        return None
    if len(left) == 1:
        return binary(a, "@", b)
    return method(binary(a, "*", b), "sum", -1)


def _transposed(code: Code) -> Code:
    return attribute(code, "mT")


def _unranked(blocks: Sequence[Block]) -> bool:
    """Whether one of the blocks may be any number of axes."""
    return any(atom.pack is not None for block in blocks for atom in block)


def _einsum(codes: Sequence[Code], orders: Sequence[Order], out: Order) -> Code:
    """`torch.einsum("bqhe,bkhe->bhqk", q, k)`."""
    letters: dict[Block, str] = {}
    used: set[str] = set()
    for block in [block for order in (*orders, out) for block in order]:
        if block not in letters:
            letters[block] = "..." if _unranked([block]) else _letter(block, used)
            used.add(letters[block])
    dots = sum(letter == "..." for letter in letters.values())
    if dots > 1:
        raise LoweringError("`einsum` over two packs whose ranks are not known is not supported in torch")
    sides = ["".join(letters[block] for block in order) for order in orders]
    equation = f"{','.join(sides)}->{''.join(letters[block] for block in out)}"
    return call("torch.einsum", literal(equation), *codes)


def _letter(block: Block, used: set[str]) -> str:
    """The first letter of the axis's name if it is free, else the first free one."""
    wanted = [letter for atom in block for letter in atom.name if letter in ascii_letters]
    found: str | None = next((letter for letter in (*wanted, *ascii_letters) if letter not in used), None)
    if found is None:
        raise LoweringError(f"`einsum` with more than {len(ascii_letters)} axes is not supported in torch")
    return found


def order_of(layout: Layout) -> Order:
    """The blocks of a layout in which each has an axis to itself."""
    return tuple(blocks_of(layout))
