"""Links of products: what is summed over closes in a cup, what stays runs through or joins."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.backends.diagram.figure.figure import Link
from ogive.backends.diagram.from_ir.joints import Links, Operands, given, joined
from ogive.backends.diagram.from_ir.wires import Wires
from ogive.compiler.ir.model import Node
from ogive.compiler.ops.recipe import AxisGroup


def einsum(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """An axis that stays joins at a dot, one that is summed closes in a cup."""
    recipe = node.attr("recipe")
    left: dict[str, list[str]] = {}
    right: dict[str, list[str]] = {}
    for sides, wires, found in ((recipe.inputs, given(ins), left), (recipe.outputs, outs, right)):
        for side, tensor in zip(sides, wires, strict=False):
            for place, sid in zip(side, tensor.axes, strict=False):
                name = _name(place)
                if name is not None:
                    found.setdefault(name, []).append(sid)
    links = [_contracted(tuple(dict.fromkeys(sids)), tuple(right.get(name, ()))) for name, sids in left.items()]
    return links + [Link("fresh", (), (sid,)) for name, sids in right.items() if name not in left for sid in sids]


def _name(place: AxisGroup) -> str | None:
    return place.atoms[0].name if not place.joined and len(place.atoms) == 1 else None


def _contracted(left: tuple[str, ...], right: tuple[str, ...]) -> Link:
    return joined(left, right) if len(right) == 1 else Link("cup", left, ())


def matmul(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """y[m, n] = sum over k of a[m, k] b[k, n]; what stands before is shared."""
    a, b = given(ins)[:2] if len(given(ins)) > 1 else (given(ins)[0],) * 2
    out = outs[0]
    if len(a.axes) < 2 or len(b.axes) < 2 or a is b:
        return [Link("cup", (a.axes[-1], b.axes[0]), ())] if len(a.axes) == len(b.axes) == 1 and a is not b else []
    links = [Link("cup", (a.axes[-1], b.axes[-2]), ()), Link("through", (a.axes[-2],), (out.axes[-2],)),
             Link("through", (b.axes[-1],), (out.axes[-1],))]  # fmt: skip
    for back in range(3, len(out.axes) + 1):
        left = tuple(w.axes[-back] for w in (a, b) if back <= len(w.axes))
        links.append(joined(left, (out.axes[-back],)))
    return links


def grouped_product(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """y[i, m] = sum over k of x[i, k] w[g, k, m]: the sizes choose the matrix."""
    x, w, sizes = ins
    if x is None or w is None or sizes is None or len({id(each) for each in ins}) < 3:
        return []
    out = outs[0]
    return [Link("cup", (x.axes[1], w.axes[1]), ()), Link("through", (x.axes[0],), (out.axes[0],)),
            Link("through", (w.axes[2],), (out.axes[1],))]  # fmt: skip
