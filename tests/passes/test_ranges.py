"""Which integers a model may be asked with: those with which no index leaves its axis, and all where none is one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ogive
from ogive.backends.compared.inputs import KINDS, drawn, specs
from ogive.compiler.ir.substitute import type_in_sizes
from ogive.compiler.passes.analysis.ranges import index_ranges
from ogive.compiler.sizes import size

ALL = (-(2**63), 2**63 - 1)
ALL_32 = (-(2**31), 2**31 - 1)
TABLE = "    param w: [10, 4] = normal\n"

# the header, the body, and what its inputs of integers may hold at n = 6
CASES = {
    "of_a_table": ("i: int[n]", TABLE + "    return take[0](w, i)", (0, 9)),
    "of_another_input": (
        "i: int[n], x: [m, n]) -> [1, n]",
        '    return gather[0](x, rearrange["n -> 1 n"](i))',
        (0, 5),
    ),
    "twice": ("i: int[n], x: [m]) -> [n]", TABLE + "    return sum[1](take[0](w, i)) + take[0](x, i)", (0, 5)),
    "moved": ("i: int[n]", TABLE + "    return take[0](w, i + 3)", (-3, 6)),
    "back": ("i: int[n]", TABLE + "    return take[0](w, 9 - i)", (0, 9)),
    "scaled": ("i: int[n]", TABLE + "    return take[0](w, i * 2)", (0, 4)),
    "divided": ("i: int[n]", TABLE + "    return take[0](w, i // 2)", (0, 19)),
    "any_remainder": ("i: int[n]", TABLE + "    return take[0](w, i % 10)", ALL),
    "a_larger_remainder": ("i: int[n]", TABLE + "    return take[0](w, i % 20)", (0, 9)),
    "summed": ("i: int[n]) -> int[]", "    return sum(i)", (-(2**53 // 6), 2**53 // 6)),
    "summed_by_a_pattern": (
        "i: int[n]) -> int[]",
        '    return reduce["n -> ", sum](3 * i)',
        (-(2**53 // 6) // 3 + 1, 2**53 // 6 // 3),
    ),
    "multiplied": ("i: int[n]) -> int[]", "    return prod(i)", (-456, 456)),
    "an_exponent": ("i: int[n]) -> int[n]", "    return 7 ** i", (0, 18)),
    "clamped": ("i: int[n]", TABLE + "    return take[0](w, clamp[0, 9](i))", ALL),
    "with_places": ("i: int[n]", TABLE + "    return take[0](w, i + arange[n])", (0, 4)),
    "by_a_block": ("i: int[n]", "    return i |> Embedding[10, 4]", (0, 9)),
    "one_hot": ("i: int[n]) -> int[n, 7]", "    return one_hot[7](i)", (0, 6)),
    "a_place": ("i: int[], x: [8, n]) -> [8, n]", "    return put[0, 2](x, x[:3], i)", (0, 3)),
    "no_index": ("i: int[n]) -> int[n]", "    return i * 2", ALL),
    "narrow": ("i: i32[n]) -> i32[n]", "    return i * 2", ALL_32),
    "a_number": ("i: int[n]) -> [n]", "    return cast[float](i)", ALL),
    "in_turns": (
        "i: int[n]",
        TABLE + "    x = zeros[n, 4]\n    repeat 3:\n        x = x + take[0](w, i)\n    return x",
        (0, 9),
    ),
    "in_a_scan": (
        "i: int[n]) -> [4]",
        TABLE + "    scan one in i along n carry x = zeros[4]:\n        x = x + take[0](w, one)\n    return x",
        (0, 9),
    ),
    "of_what_a_block_gives": ("i: int[n]", TABLE + "    return take[0](w, three(i))", (-3, 6)),
    "of_what_two_blocks_give": ("i: int[n]", TABLE + "    return take[0](w, three(three(2 * i)))", (-3, 1)),
    "of_what_an_arm_gives": (
        "i: int[n]",
        TABLE + "    if training:\n        j = i + 3\n    else:\n        j = i - 2\n    return take[0](w, j)",
        (2, 6),
    ),
    "of_what_turns_leave": (
        "i: int[n]",
        TABLE + "    scan t in i along n carry j = 0 * i[0]:\n        j = t + 3\n        yield js = j\n"
        "    return take[0](w, js)",
        (-3, 6),
    ),
    "of_a_select": ("i: int[n]", TABLE + "    return take[0](w, select(i > 3, i, 0))", (0, 9)),
}


def model(header: str, body: str) -> ogive.Model:
    outputs = "" if "->" in header else ") -> [n, 4]"
    three = "block three(i: int[*s]) -> int[*s]:\n    return i + 3\n"
    text = f"use std.nn (Embedding)\n{three}block F({header}{outputs}:\n{body}\nmodel M = F\n"
    return ogive.source(text).models["M"]


@pytest.mark.parametrize("name", CASES)
def test_the_range_of_an_index(name: str) -> None:
    header, body, wanted = CASES[name]
    found = model(header, body)
    sizes = {unknown: size(6) for unknown in found.ir.definition.sizes}
    assert index_ranges(found.ir, sizes)[0] == wanted
    torch.manual_seed(0)
    net = found.torch()
    own = [type_in_sizes(value.type, sizes) for value in found.ir.definition.graph.inputs]
    for kind in KINDS:
        generator = torch.Generator().manual_seed(1)
        xs = [drawn(spec, kind, generator) for spec in specs(found.ir, own, {}, sizes)]
        net(*(x.float() if x.is_floating_point() else x for x in xs))
        low, high = int(xs[0].min()), int(xs[0].max())
        assert wanted[0] <= low <= high <= wanted[1]


OTHER = st.sampled_from(["0", "2", "-3", "5", "arange[n]", "(n - arange[n])"])
TERM = st.recursive(
    st.just("i"),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-"]), OTHER).map(lambda t: f"({' '.join(t)})"),
        st.tuples(OTHER, st.sampled_from(["+", "-"]), inner).map(lambda t: f"({' '.join(t)})"),
        st.tuples(inner, st.sampled_from(["// 3", "* 2", "* 3"])).map(lambda t: f"({' '.join(t)})"),
        inner.map(lambda a: f"(-{a})"),
    ),
    max_leaves=6,
)


@given(TERM)
@settings(max_examples=25)
def test_where_a_number_is_inside_all_that_may_be_drawn_are(term: str) -> None:
    found = model("i: int[n]", f"    param w: [10, 4] = normal\n    return take[0](w, {term})")
    sizes = {unknown: size(3) for unknown in found.ir.definition.sizes}
    (ends,) = index_ranges(found.ir, sizes)
    assert ends is not None
    low, high = ends
    places = {"n": 3, "arange": {3: torch.arange(3)}}

    def inside(number: int) -> bool:
        index = torch.as_tensor(eval(term, {**places, "i": torch.full((3,), number)}))
        return bool(((index >= 0) & (index < 10)).all())

    if any(map(inside, range(-60, 60))):
        assert low <= high
        assert all(map(inside, range(low, high + 1)))
