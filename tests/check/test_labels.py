"""Labels of axes: what shows a transposed operand, and what does not."""

from __future__ import annotations

import pytest

from check.programs import check, errors

BLOCKS = """
block same(x: [b, s, s, d]) -> [b, s, s, d]:
    return 2 * x

block flat(x: [*b, s, s]) -> [*b, s, s]:
    return 2 * x

block any_axes(x: [*b]) -> [*b]:
    return 2 * x

block both(x: [b, n, d], y: [b, n, d]) -> [b, n, d]:
    return x + y

block products(x: [n, d], y: [n, d]) -> [n, n]:
    return x @ rearrange["n d -> d n"](y)

block turned(x: [p, q]) -> [q, p]:
    return rearrange["p q -> q p"](x)

"""
MAP = "block f(x: [b, h, w, d]) -> [b, h, w, d]\nwhere h == w:\n"
SQUARE = "block f(x: [n, m], y: [n, m], v: [m, k]) -> [n, m]\nwhere n == m:\n"

FINE = {
    "one name for two axes": MAP + "    return x + same(x)\n",
    "the same on the left": MAP + "    return same(x) + x\n",
    "twice": MAP + "    return x + same(x) * same(x + 1)\n",
    "by name": MAP + '    return concat[0](x, same(x)) |> sum[0] |> expand["h w d -> b h w d", b=b]\n',
    "beside a pack": "block f(x: [h, w]) -> [h, w]\nwhere h == w:\n    return flat(x) + x\n",
    "a pack that two inputs bind": """
block pair(x: [*b], y: [*b]) -> [*b]:
    return y + 0 * x
block f(x: [h, w]) -> [h, w]
where h == w:
    turned_: [w, h] = rearrange["h w -> w h"](x)
    z: [i, j] = x
    return pair(x, z) + x
""",
    "a size that two inputs bind": """
block f(x: [b, i, d], y: [b, j, d], z: [b, j, i]) -> [b, i, d]
where i == j, d == i:
    return both(x, y) + z
""",
    "axes of two operands": "block f(x: [i, d], y: [j, d], z: [i, j]) -> [i, j]\nwhere i == j:\n"
    "    return products(x, y) + z\n",
    "two square matrices": SQUARE + "    return x @ y\n",
    "a power of a matrix": SQUARE + "    return x @ x @ x + x\n",
    "two square matrices of a batch": "block f(x: [b, h, w], y: [b, h, w]) -> [b, h, w]\nwhere h == w:\n"
    "    return x @ y + x\n",
    "an inverse": SQUARE + "    return x @ inverse(x) @ y + y\n",
    "a solution": SQUARE + "    return x @ solve(x, y) - y\n",
    "the rest of a solution": "block f(a: [n, m], y: [n, k]) -> [n, k]\nwhere n == m:\n"
    "    return a @ solve(a, y) - y\n",
    "a solved triangle": "block f(a: [n, m], y: [n, k]) -> [n, k]\nwhere n == m:\n"
    "    return a @ solve_triangular(a, y) - y\n",
    "the same labels twice": "block f(x: [i, d], y: [i, d], z: [i, j]) -> [i, j]\nwhere i == j:\n"
    '    return einsum["i d, k d -> i k"](x, y) + z + x @ rearrange["i d -> d i"](y)\n',
    "a label that a size is named like": "block f(x: [u, e]) -> [2, 2]:\n"
    '    return sum[1](expand["a c -> e a c", e=2](x)) @ full[e, 2, v=0.5]\n',
}
MAPS = "block f(x: [b, n, 4]) -> [b, n, 4]:\n    param w: [4, 4] = normal\n    param g: [4] = ones\n"
IMAGES = "block f(x: [b, 4, h, w]) -> [b, 4, _, _]:\n    param w: [4, 4, 3, 3] = normal\n    param g: [4] = ones\n"
FINE |= {  # maps that follow each other, of the labels that a pattern gave them
    "products": MAPS
    + '    h = matmul(x, einsum["i o, o -> i o"](w, g))\n    return h @ einsum["i o, o -> i o"](w, g)\n',
    "linear maps": MAPS
    + '    h = linear(x, einsum["o i, o -> o i"](w, g))\n'
    + '    return linear(h, einsum["o i, o -> o i"](w, g))\n',
    "kernels": IMAGES.replace("_, _", "h - 4, w - 4")
    + '    y = conv(x, einsum["o i p q, o -> o i p q"](w, g))\n'
    + '    return conv(y, einsum["o i p q, o -> o i p q"](w, g))\n',
    "transposed kernels": IMAGES.replace("_, _", "h + 4, w + 4")
    + '    y = conv_transpose(x, einsum["i o p q, o -> i o p q"](w, g))\n'
    + '    return conv_transpose(y, einsum["i o p q, o -> i o p q"](w, g))\n',
}
TRANSPOSED = {
    "a kernel that is turned": "block f(x: [b, i, h, w], k: [i, o, 1, 1]) -> [b, o, h, w]\nwhere i == o:\n"
    "    return conv(x, k)\n",
    "two axes turned": MAP + '    return x + rearrange["b h w d -> b w h d"](x)\n',
    "turned by a block": "block f(x: [n, m]) -> [n, m]\nwhere n == m:\n    return x + turned(x)\n",
    "turned beside a joined axis": MAP + '    return concat[3](x, rearrange["b h w d -> b w h d"](x)) |> sum[-1] |> '
    'expand["b h w -> b h w d", d=d]\n',
    "a bias along the wrong axis": "block f(x: [b, n, d], y: [n]) -> [b, n, d]\nwhere n == d:\n    return x + y\n",
    "keys that are not turned": "block f(q: [i, d], k: [j, d]) -> [i, d]\nwhere j == d:\n    return q @ k\n",
    "batches of square matrices": "block f(x: [h, w, n, n], y: [w, h, n, n]) -> [h, w, n, n]\nwhere h == w:\n"
    "    return x @ y\n",
    "a block that keeps order": "block f(x: [n, m]) -> [n, m]\nwhere n == m:\n"
    '    return any_axes(x) + rearrange["n m -> m n"](x)\n',
}  # fmt: skip


@pytest.mark.parametrize("name", FINE)
def test_labels_invent_no_transposition(name: str) -> None:
    assert errors(BLOCKS + FINE[name]) == []


@pytest.mark.parametrize("name", TRANSPOSED)
def test_a_transposed_operand_is_seen(name: str) -> None:
    assert errors(BLOCKS + TRANSPOSED[name]) == ["E0305"]


def test_a_name_of_two_labels_gives_none() -> None:
    body = "    return expand['b d -> b h w d', h=h, w=w](mean[w](mean[h](same(x))))\n".replace("'", '"')
    assert errors(BLOCKS + MAP + body) == ["E0305"]  # which of them it would be is not known
    kept = "block f(x: [b, i, d], y: [b, j, d]) -> [b, d]\nwhere i == j:\n    return mean[i](both(x, y))\n"
    assert errors(BLOCKS + kept) == []


def test_where_labels_disagree_they_are_shown() -> None:
    text = """
        block f(x: [b, n]) -> [4, 4]:
            z: [p, q] = zeros[4, 4]
            w: [q, p] = z
            return z + w
    """
    shown = [label.text for d in check(text).diagnostics if d.code == "E0305" for label in d.labels]
    assert shown == ["this is [p = 4, q = 4]", "this is [q = 4, p = 4]"]
