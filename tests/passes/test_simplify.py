"""Simplification and inlining: what they remove, what they keep, and that numbers stay."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ogive.backends.pytorch.module.file import emit
from ogive.backends.pytorch.module.module import load
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ir.model import Model
from ogive.compiler.ir_tools.verify import verify
from ogive.compiler.ops.recipe import Atom, AxisGroup, AxisPattern, Side, atoms_of
from ogive.compiler.passes.cleanup.inline import inline
from ogive.compiler.passes.cleanup.rearrange_composition import after
from ogive.compiler.passes.cleanup.simplify import simplify
from ogive.compiler.passes.infra.dce import dead
from ogive.compiler.passes.infra.driver import Pass, optimized
from ogive.compiler.sizes import size


def model(text: str) -> Model:
    found = check_text(text)
    assert found.ok, found.diagnostics
    return found.models["M"].ir


def operations(of: Model, *passes: Pass) -> list[str]:
    return [node.op for node in optimized(of, passes, verify).definition.graph.walk()]


def same(of: Model, *passes: Pass) -> None:
    x = torch.randn(2, 3, 4, 6, dtype=torch.float64)
    plain, other = (load(emit(of, chosen), "M").M().double()(x) for chosen in ((), passes))
    torch.testing.assert_close(other, plain, rtol=0, atol=0)


STEPS = ["a b c d -> b a c d", "a b c d -> a b d c", "a b c d -> a (b c) d 1", "a b c d -> (a b) (c d) 1 1",
         "a b c d -> d c b a", "a b c d -> a b (c d) 1", "a b c d -> a c (d b) 1"]  # fmt: skip


@given(st.lists(st.sampled_from(STEPS), min_size=2, max_size=4))
def test_rearrangements_after_one_another(steps: list[str]) -> None:
    chain = " |> ".join(f'rearrange["{step}"]' for step in steps)
    of = model(f"block B(x: [2, 3, 4, 6]) -> [p, q, r, s]:\n    return x |> {chain}\nmodel M = B[]\n")
    found = operations(of, simplify, dead)
    assert len(found) <= len(steps)
    same(of, simplify, dead)


ATOMS = [Atom(name, size(prime)) for name, prime in zip("abcd", (2, 3, 5, 7), strict=True)]


@st.composite
def sides(draw: st.DrawFn) -> Side:
    """The atoms in any order, in any groups."""
    order, cuts = draw(st.permutations(ATOMS)), [0, *sorted(draw(st.sets(st.integers(1, 3)))), 4]
    return tuple(AxisGroup((tuple(order[i:j]),)) for i, j in pairwise(cuts))


def arranged(x: torch.Tensor, recipe: AxisPattern) -> torch.Tensor:
    before, behind = (list(atoms_of(side)) for side in (recipe.inputs[0], recipe.outputs[0]))
    x = x.view([atom.size.number for atom in before]).permute([before.index(atom) for atom in behind])
    return x.reshape([place.size.number for place in recipe.outputs[0]])


@given(sides(), sides(), sides())
def test_the_recipe_of_two_moves_is_in_as_few_axes_as_it_can_be(first: Side, middle: Side, last: Side) -> None:
    steps = AxisPattern((first,), (middle,)), AxisPattern((middle,), (last,))
    found = after(*steps)
    assert found is not None
    kept = [{pair for place in side for pair in pairwise(place.atoms)} for side in (*found.inputs, *found.outputs)]
    assert not kept[0] & kept[1], f"{found}: what stays together is one axis"
    x = torch.arange(210).view([place.size.number for place in first])
    assert torch.equal(arranged(x, found), arranged(arranged(x, steps[0]), steps[1]))


def test_a_permutation_and_its_inverse_vanish() -> None:
    text = """
block B(x: [a, b, c, d]) -> [a, b, c, d]:
    y = x |> rearrange["a b c d -> d a (b c)"] |> rearrange["d a (b c) -> a b c d", b=b]
    return y * 1 + 0
model M = B[]
"""
    assert operations(model(text), simplify, dead) == []


def test_equal_computations_are_one_and_random_ones_stay() -> None:
    text = """
block B(x: [b, n]) -> [b, n]:
    y = tanh(x) + tanh(x)
    return y + dropout[0.5](x) + dropout[0.5](x)
model M = B[]
"""
    found = operations(model(text), simplify, dead)
    assert found.count("tanh") == 1
    assert found.count("dropout") == 2


@pytest.mark.parametrize(
    ("pattern", "ones", "gone"),
    [
        ("a b c d, b d -> a b c d", "b, d", True),  # times 1
        ("a b c d, b d -> b a c d", "b, d", False),  # moved
        ("a b c d, b d -> a c", "b, d", False),  # summed
        ("a b c d, k -> a b c d", "3", False),  # times 3
        ("a b c d, b k -> a b c d k", "b, 2", False),  # repeated
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_product_with_ones_vanishes_where_it_does_nothing(pattern: str, ones: str, gone: bool, first: bool) -> None:
    inputs, output = pattern.split(" -> ")
    sides = ", ".join(reversed(inputs.split(", "))) if first else inputs
    operands = f"ones[{ones}], x" if first else f"x, ones[{ones}]"
    text = f'block B(x: [a, b, c, d]) -> [*y]:\n    return einsum["{sides} -> {output}"]({operands})\nmodel M = B\n'
    of = model(text)
    assert ("einsum" not in operations(of, simplify, dead)) == gone
    same(of, simplify, dead)


def test_what_nothing_needs_is_dropped_and_updates_are_not() -> None:
    text = """
block B(x: [b, n]) -> [b, n]:
    state s: [n] = zeros
    unused = exp(x)
    update s = mean[b](x)
    return x
model M = B[]
"""
    found = operations(model(text.replace("= B[]", "= B[n=3]")), simplify, dead)
    assert "exp" not in found
    assert "update" in found
    assert "mean" in found


@pytest.mark.parametrize(("iterations", "inlined"), [(1, True), (8, False)])
def test_small_functions_are_put_in_place(iterations: int, inlined: bool) -> None:
    body = "x"
    for _ in range(iterations):
        body = f"tanh({body})"
    text = f"""
block f(x: [b, n]) -> [b, n]:
    return {body}
block B(x: [b, n]) -> [b, n]:
    return f(x) + 1
model M = B[]
"""
    assert ("call" not in operations(model(text), inline)) == inlined
