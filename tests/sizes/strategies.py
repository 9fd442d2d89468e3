"""Random sizes, conditions and values for the laws of the size algebra."""

from collections.abc import Iterator
from itertools import product

from hypothesis import strategies as st

from ogive.compiler.sizes import (
    Condition,
    Size,
    Unknown,
    all_of,
    any_of,
    ceil_div,
    compare,
    divides,
    maximum,
    member,
    minimum,
    size,
)

UNKNOWNS = tuple(Unknown(name) for name in ("h", "w", "n"))
DEPTH = Unknown("depth", low=0)
BY_NAME = {unknown.name: size(unknown) for unknown in (*UNKNOWNS, DEPTH)}
OPS = ("==", "!=", "<", "<=", ">", ">=")

small = st.integers(-6, 12)
moduli = st.integers(1, 8)


def sizes(*unknowns: Unknown, leaves: int = 6) -> st.SearchStrategy[Size]:
    """Sizes over these unknowns, with floors by numbers and by names, products, minima and maxima."""
    leaf = st.one_of(small.map(size), st.sampled_from([size(u) for u in unknowns]))
    names = st.sampled_from([size(u) for u in unknowns])
    return st.recursive(leaf, lambda part: _larger(part, names), max_leaves=leaves)


def _larger(part: st.SearchStrategy[Size], names: st.SearchStrategy[Size]) -> st.SearchStrategy[Size]:
    pairs = st.tuples(part, part)
    numbered = st.tuples(part, moduli)
    divided = st.tuples(part, names)
    return st.one_of(
        pairs.map(lambda p: p[0] + p[1]),
        pairs.map(lambda p: p[0] - p[1]),
        pairs.map(lambda p: p[0] * p[1]),
        pairs.map(lambda p: minimum(*p)),
        pairs.map(lambda p: maximum(*p)),
        numbered.map(lambda p: p[0] // p[1]),
        numbered.map(lambda p: p[0] % p[1]),
        numbered.map(lambda p: p[0] * p[1]),
        numbered.map(lambda p: ceil_div(*p)),
        divided.map(lambda p: p[0] // p[1]),
        divided.map(lambda p: p[0] % p[1]),
    )


def quasi_linear(*unknowns: Unknown) -> st.SearchStrategy[Size]:
    """Sizes without products of unknowns: sums, nested floors, minima and maxima."""
    leaf = st.one_of(small.map(size), st.sampled_from([size(u) for u in unknowns]))

    def larger(part: st.SearchStrategy[Size]) -> st.SearchStrategy[Size]:
        pairs, numbered = st.tuples(part, part), st.tuples(part, st.integers(1, 4))
        return st.one_of(
            pairs.map(lambda p: p[0] + p[1]),
            pairs.map(lambda p: p[0] - p[1]),
            pairs.map(lambda p: minimum(*p)),
            numbered.map(lambda p: p[0] // p[1]),
            numbered.map(lambda p: p[0] % p[1]),
            numbered.map(lambda p: p[0] * p[1]),
        )

    return st.recursive(leaf, larger, max_leaves=5)


def conditions(part: st.SearchStrategy[Size]) -> st.SearchStrategy[Condition]:
    """Comparisons, remainders, membership, and combinations of two."""
    comparison = st.tuples(st.sampled_from(OPS), part, part).map(lambda p: compare(*p))
    simple = st.one_of(
        comparison,
        st.tuples(moduli, part).map(lambda p: divides(*p)),
        st.tuples(part, st.sets(st.integers(0, 9), min_size=1, max_size=3)).map(lambda p: member(*p)),
    )
    pairs = st.tuples(simple, simple)
    return st.one_of(simple, pairs.map(lambda p: all_of(*p)), pairs.map(lambda p: any_of(*p)))


def grid(*unknowns: Unknown, top: int = 9) -> Iterator[dict[Unknown, int]]:
    """All values of these unknowns up to `top`."""
    for row in product(*(range(u.low or 0, top + 1) for u in unknowns)):
        yield dict(zip(unknowns, row, strict=True))
