"""What would take without end is refused within seconds."""

from __future__ import annotations

from ogive.compiler.program import check_text


def test_a_recursion_that_doubles_is_refused() -> None:
    """Two uses at each turn, at other numbers each: 2^30 blocks."""
    found = check_text(
        "block F[k: nat, j: nat](x: [b, d]) -> [b, d]:\n    if k == 0:\n        return x\n"
        "    return x |> F[k - 1, 2*j + 1] as first |> F[k - 1, 2*j] as second\n\nmodel M = F[k=30, j=1]\n"
    )
    assert [(d.code, d.span.begin()[0]) for d in found.diagnostics] == [("E0701", 6)]


def test_many_unknown_names_are_all_told() -> None:
    lines = "".join(f"    y{i} = nosuch{i}(x)\n" for i in range(200))
    found = check_text(f"block A(x: [b, d]) -> [b, d]:\n{lines}    return x\n")
    assert [d.code for d in found.diagnostics if d.severity == "error"] == ["E0201"] * 200
