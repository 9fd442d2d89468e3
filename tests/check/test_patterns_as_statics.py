"""Operations with patterns are values like others: in lists of statics too."""

from __future__ import annotations

import ogive

TEXT = """
block Each[fs: list](x: [b, c]) -> [b, c]:
    for f in fs:
        x = x |> f
    return x
model M = Each[fs=[tanh, rearrange["b (c e) -> b (e c)", c=1], rearrange["b (c e) -> b (e c)", c=1]]]
"""


def test_a_list_of_operations_with_patterns() -> None:
    assert ogive.source(TEXT)["M"].torch() is not None
