"""A structure of each kind, and a program that has those of every program."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ir.model import STRUCTURES, Bindings, Definition
from ogive.compiler.ir.structure import Pairs
from ogive.compiler.passes.cleanup.inline import inline
from ogive.compiler.sizes import Condition, Size, Unknown, ge, size

PROGRAM = """
block energy(x: [n]) -> []:
    return sum(x ** 2)

block hinge(x: [n]) -> [n]:
    return relu(x)

block slope(x: [n], g: [n]) -> [n]:
    return g * x

block total(x: [b, d]) -> []:
    return sum(x ** 2)

block wave(x: [b, d]) -> [b, d]:
    return tanh(x)

block even(x: [b, d], g: [b, d]) -> [b, d]:
    return g + x

block Own[d](x: [b, d]) -> [b, d]:
    param w: [d] = ones
    return x * w

block B[d, depth](x: [b, d], rows: [depth, b, d], t: [k, d], m: [b, d]?) -> ([b, d], [depth, b, d], [k, d], [b, d]):
    param w: [d] = ones
    state seen: [d] = zeros
    update seen = mean[b](x)
    assume b >= 2
    tap first = x
    if training:
        x = x + 1
    if given(m):
        x = x + m
    repeat depth as h with row in rows, i in range(depth):
        x = x + row * w + (x |> Own[d] as f) * i
        yield all = x
    scan r in t along k carry s = w:
        s = s * r
        yield sums = s + w
    y = over[b, grad[energy]](x) + over[b, custom_grad[hinge, slope]](x)
    y = y + over[b, hinge](x) + grad[total](x) + custom_grad[wave, even](x)
    z = rows |> each[0, Own[d]] as own
    return x, all + z, sums, y + s
model M = B[d=4, depth=2]
"""


def sample(kind: Any) -> Any:
    """A value of a field, other than its default, that speaks of `N` where it can."""
    n = size(N)
    samples: dict[Any, Any] = {
        Size: n, int: 3, bool: True, str: "text", tuple[int, ...]: (1, 2), Condition: ge(n, 2), Unknown | None: OWN,
        Pairs: (("std", n),), Definition | None: None, Bindings: ((OWN, n),),
        tuple[tuple[str, str], ...]: (("w", "v"),),
    }  # fmt: skip
    return samples[kind]


N, OWN = Unknown("n", 1), Unknown("i", 0)
SAMPLES = {
    name: kind(**{each.name: sample(get_type_hints(kind)[each.name]) for each in fields(kind)})
    for name, kind in STRUCTURES.items()
}


def block() -> Definition:
    found = check_text(PROGRAM)
    assert found.models, [f"{each.code} {each.message}" for each in found.diagnostics]
    return found.models["M"].ir.definition


BLOCK = block()
INLINED = inline(BLOCK)  # its regions hold operations, which say nothing of types
