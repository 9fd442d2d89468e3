"""Random programs: whatever type-checks draws, obeys the law and overlaps nowhere."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from diagram.geometry_checks import faults
from diagram.subjects import block
from ogive.backends.diagram.from_ir.invariants import violations
from ogive.backends.diagram.from_ir.make import figure_of
from ogive.backends.diagram.from_ir.options import Options
from ogive.backends.diagram.layout.compose import draw
from ogive.backends.diagram.render.svg import svg
from ogive.backends.diagram.render.text import text
from ogive.backends.diagram.render.tikz import tikz

HEAD = "use std.nn (Linear, LayerNorm)\nblock Sub[d](x: [*b, d]) -> [*b, d]:\n"
HEAD += "    return x |> Linear[d, 2*d] |> relu |> Linear[2*d, d]"
HEAD += "\nblock A[d](x: [b, n, d]) -> [b, n, d]:\n"
# statements that make a [b, n, d] of others
FORMS = (
    "relu({a})",
    "{a} + {b}",
    "{a} * {b} - {c}",
    "Linear[d, d]({a})",
    "LayerNorm({a})",
    "Sub({a})",
    "softmax[-1]({a})",
    "softmax[n]({a})",
    'einsum["b n d, b m d, b m e -> b n e"]({a}, {b}, {c})',
    'rearrange["b n d -> n b d"]({a}) |> rearrange["n b d -> b n d"]',
    'expand["b n -> b n d", d=d](sum[-1]({a}))',
    "concat[-1]({a}, {b}) |> Linear[2*d, d]",
    "{a} / sqrt(d)",
    "{a} @ ones[d, d]",
    "select({a} > 0, {b}, {c})",
    "cumsum[n]({a})",
    "dropout[0.1]({a})",
)


@st.composite
def programs(draw_: st.DrawFn) -> str:
    """A straight program with loops in it, each value made of earlier ones."""
    lines, names = [], ["x"]
    for i in range(draw_(st.integers(1, 9))):
        form = draw_(st.sampled_from(FORMS))
        picks = {key: draw_(st.sampled_from(names)) for key in "abc"}
        line = f"v{i} = {form.format(**picks)}"
        if draw_(st.integers(0, 5)) == 0:
            iteration = form.format(**{**picks, "a": f"v{i}"})
            lines += [f"    v{i} = {picks['a']}", f"    repeat 3 as l{i}:", f"        v{i} = {iteration}"]
        else:
            lines.append(f"    {line}")
        names.append(f"v{i}")
    return HEAD + "\n".join(lines) + f"\n    return {names[-1]}"


@settings(max_examples=40, deadline=None)
@given(programs(), st.integers(0, 2), st.booleans())
def test_every_program_draws(program: str, depth: int, weights: bool) -> None:
    figure = figure_of(block(program), Options(depth=depth, weights=weights))
    assert violations(figure) == []
    drawing = draw(figure)
    assert faults(drawing) == []
    assert svg(drawing)
    assert tikz(drawing)
    assert text(figure)


@settings(max_examples=20, deadline=None)
@given(st.permutations(["p = relu(x)", "q = gelu(x)", "r = Linear[d, d](x)", "s = softmax[-1](x)"]))
def test_the_order_of_independent_statements_changes_places_alone(lines: list[str]) -> None:
    body = "".join(f"    {line}\n" for line in lines)
    figure = figure_of(block(HEAD + body + "    return (p + q) + (r + s)"))
    assert violations(figure) == []
    assert Counter(op.source for op in figure.walk()) == {
        "": 1, "relu": 1, "gelu": 1, "call": 1, "softmax": 1, "add": 3,
    }  # fmt: skip
    assert len(figure.sections[0].columns) == 4
