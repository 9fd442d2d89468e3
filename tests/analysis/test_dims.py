"""Dimensions: what meets is one, index maps say where entries stand, for random trees of products and parts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ogive.compiler.analysis.provenance.dims import Dim, FrozenBy, joined, meet, places, product
from ogive.compiler.sizes import Unknown, size

BY = FrozenBy("test")
trees = st.recursive(
    st.integers(1, 4).map(lambda count: Dim(size(count))),
    lambda below: st.one_of(
        st.lists(below, min_size=2, max_size=3).map(product), st.lists(below, min_size=2, max_size=3).map(joined)
    ),
    max_leaves=6,
)


def entries(dim: Dim) -> list[set[tuple[int, int]]]:
    """For each entry of a dimension the leaves and their entries that it is, one by one."""
    here = dim.found
    if not here.kind:
        return [{(id(here), at)} for at in range(here.size.number)]
    lists = [entries(part) for part in here.parts]
    if here.kind == "joined":
        return [entry for part in lists for entry in part]
    found: list[set[tuple[int, int]]] = [set()]
    for part in lists:
        found = [outer | inner for outer in found for inner in part]
    return found


@given(trees)
def test_index_maps_say_where_each_entry_of_a_leaf_stands(dim: Dim) -> None:
    every = entries(dim)
    assert len(every) == dim.found.size.number
    for leaf in dict.fromkeys(dim.leaves()):
        maps = places(dim, leaf)
        for entry in range(leaf.size.number):
            stated = sorted(place for each in maps for place in each.indices(entry))
            assert stated == [at for at, names in enumerate(every) if (id(leaf), entry) in names]


factors = st.lists(st.sampled_from([2, 3, 4, 6]), min_size=1, max_size=3)


@given(st.sampled_from([24, 36, 48, 72]), factors, factors, st.booleans())
def test_two_ways_to_take_an_axis_apart_are_one_or_it_is_frozen(
    whole: int, a: list[int], b: list[int], sums: bool
) -> None:
    """After they met, both are made of the same leaves in the same order; where they do not fit, none may change."""
    sides = []
    for parts in (a, b):
        rest = whole
        dims = []
        for part in parts:
            if (rest - part < 1) if sums else rest % part:
                break
            dims.append(Dim(size(part)))
            rest = rest - part if sums else rest // part
        dims.append(Dim(size(rest)))
        sides.append(joined(dims) if sums else product(dims))
    one, other = sides
    meet(one, other, BY)
    leaves = [list(side.leaves()) for side in sides]
    if leaves[0] == leaves[1]:
        assert entries(one) == entries(other)
    else:
        assert all(leaf.frozen for side in leaves for leaf in side)


def test_axes_in_symbols() -> None:
    """A fused projection of heads, in sizes that are not known."""
    heads, width = (size(Unknown(name)) for name in ("heads", "width"))
    three, head, inner = Dim(size(3)), Dim(heads), Dim(width)
    whole = Dim(3 * heads * width)
    meet(product((three, head, inner)), whole, BY)
    (at,) = places(whole, head)
    assert (at.offset, at.stride, at.repeats) == (size(0), width, ((size(3), heads * width),))
    (at,) = places(joined((Dim(size(7)), whole)), inner)
    assert (at.offset, at.stride, at.repeats) == (size(7), size(1), ((3 * heads, width),))


def test_what_is_frozen_stays_so_whatever_it_turns_out_to_be() -> None:
    whole, parts = Dim(size(6)), (Dim(size(2)), Dim(size(3)))
    whole.freeze(BY)
    meet(whole, product(parts), BY)
    assert all(part.found.frozen for part in parts)
    later = Dim(size(6))
    meet(later, whole, FrozenBy("another"))
    assert set(next(iter(later.leaves())).frozen) == {BY}
