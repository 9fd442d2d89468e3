"""What a graph holds: nothing twice, nothing that nobody asks for, and what iterations yield in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, permutations, product

import numpy as np
import pytest
import torch

import ogive
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.ops.permute_reshape import Layout, arranged, atoms_of
from ogive.backends.onnx_model.serialize.write import whole
from ogive.compiler.ops.recipe import Atom
from ogive.compiler.sizes import size
from onnx_model.harness import array, session


def test_equal_draws_are_two_and_equal_values_one() -> None:
    for draw in ("rand[n]", "randn[n]", "bernoulli[n, p=0.5]", "cos(sin(x))"):
        text = f"block F(x: [n]) -> [n]:\n    a = {draw}\n    c = {draw}\n    return a - c\nmodel M = F\n"
        proto = whole(exported(ogive.source(text).models["M"].ir, {}, Settings()))
        (found,) = session(proto).run(None, {"x": array(torch.randn(64))})
        assert bool((found != 0).any()) is ("cos" not in draw), draw
        assert [node.op_type for node in proto.graph.node].count("Cos") == ("cos" in draw)


def test_what_taps_alone_need_is_not_in_a_graph_without_them() -> None:
    text = "block F(x: [n]) -> [n]:\n    tap seen = sin(cos(x))\n    return 2 * x\nmodel M = F\n"
    plain = text.replace("    tap seen = sin(cos(x))\n", "")
    made = [
        [node.op_type for node in whole(exported(ogive.source(each).models["M"].ir, {}, Settings())).graph.node]
        for each in (text, plain)
    ]
    assert made[0] == made[1] == ["Mul"]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("shape", ["[]", "[n]", "[2, n]"])
def test_what_iterations_yield_is_stacked_first(shape: str, count: int) -> None:
    given = shape.replace("[]", "")
    body = f"    repeat {count} as h:\n        x = sin(x) + 0.5\n        yield ys = x\n    return ys\n"
    whole_shape = f"[{count}, {shape[1:-1]}]" if given else f"[{count}]"
    model = ogive.source(f"block F(x: {shape}) -> {whole_shape}:\n{body}model M = F\n").models["M"]
    x = torch.randn({"[]": (), "[n]": (4,), "[2, n]": (2, 4)}[shape])
    (found,) = session(whole(exported(model.ir, {}, Settings()))).run(None, {"x": array(x)})
    np.testing.assert_allclose(found, array(model.torch()(x)), rtol=1e-5)


def groupings(atoms: Sequence[Atom]) -> Iterator[Layout]:
    """All ways to merge neighbours."""
    for cuts in product((False, True), repeat=len(atoms) - 1):
        at = [0, *(i for i, cut in enumerate(cuts, 1) if cut), len(atoms)]
        yield tuple(tuple(atoms[i:j]) for i, j in pairwise(at))


class Count:
    """A context of lowerings that counts nodes."""

    def __init__(self) -> None:
        self.nodes = 0

    def node(self, op: str, x: str, **attributes: object) -> str:
        self.nodes += 1
        return x

    def reshape(self, x: str, before: object, after: object) -> str:
        return self.node("Reshape", x)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_axes_are_moved_by_as_few_nodes_as_can_be(count: int) -> None:
    """Reshape, transpose, reshape: the axes in between may be any that both layouts keep together."""
    atoms = [Atom("abcd"[i], size(i + 2)) for i in range(count)]
    for order in permutations(atoms):
        for have, want in product(groupings(atoms), groupings(order)):
            few = []
            for pieces in groupings(atoms) if list(order) != atoms else ():
                after = tuple(sorted(pieces, key=lambda piece: order.index(piece[0])))
                if atoms_of(after) == list(order):
                    few.append((pieces != have) + 1 + (after != want))
            made = Count()
            arranged(made, "x", have, want)  # type: ignore[arg-type]
            assert made.nodes == min(few, default=int(have != want)), (have, want)


def test_no_two_nodes_of_a_graph_are_equal() -> None:
    """Sizes are read once, and what they make is made once; what is known is a constant."""
    text = """
block F(x: [b, n, d]) -> [b, n, d]
where n >= 2 and d % 2 == 0:
    y = x |> rearrange["b n (h e) -> b h n e", h=2] |> softmax[-1] |> rearrange["b h n e -> b n (h e)"]
    z = concat[1](y[:, 1:], y[:, :1]) + full[b, n, d, v=0.5] * n
    u = roll[1, 1](z) + pad[1, 1, 0](z)[:, :n] + n * (arange[n] |> cast[float] |> expand["n -> n 1"])
    return u + flip[1](z) + zeros[b, n, d]
model M = F
"""
    graph = whole(exported(ogive.source(text).models["M"].ir, {}, Settings())).graph
    made = [(n.op_type, tuple(n.input), tuple(a.SerializeToString() for a in n.attribute)) for n in graph.node]
    assert len(made) == len(set(made))
    constants = {value.name for value in graph.initializer}
    assert not [n.op_type for n in graph.node if n.input and set(n.input) <= constants]
