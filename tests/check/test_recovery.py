"""Several independent errors in one file are all found, in source order, and none that follows from another."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from check.programs import check, errors
from check.test_language_bodies import BAD as BODIES
from check.test_language_expressions import BAD as EXPRESSIONS
from check.test_language_statics import BAD as STATICS

BAD = [*BODIES.values(), *EXPRESSIONS.values(), *STATICS.values()]
# imports are gathered at the head, and a module as a name would be declared twice
PLAIN = [(codes, source) for codes, source in BAD if " as " not in source and "E0101" not in codes]
DECLARED = re.compile(r"^(?:block|model|const) (\w+)", re.MULTILINE)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(PLAIN), min_size=2, max_size=6))
def test_errors_of_independent_blocks(cases: list[tuple[list[str], str]]) -> None:
    uses: dict[str, dict[str, None]] = {}
    bodies = []
    for number, (_, source) in enumerate(cases):
        body = dedent(source).strip("\n")
        for module, items in re.findall(r"^use ([\w.]+) \(([^)]*)\)\n", body, re.MULTILINE):
            uses.setdefault(module, {}).update(dict.fromkeys(item.strip() for item in items.split(",")))
        body = re.sub(r"^use .*\n", "", body, flags=re.MULTILINE)
        for name in dict.fromkeys(DECLARED.findall(body)):
            body = re.sub(rf"\b{name}\b(?!')", f"{name}{number}", body)
        bodies.append(body)
    head = "".join(f"use {module} ({', '.join(items)})\n" for module, items in uses.items())
    assert errors(head + "\n\n".join(bodies)) == [code for codes, _ in cases for code in codes]


def test_errors_of_one_body() -> None:
    assert errors(
        """
        use std.nn (Linear)
        block F[d, k](x: [b, n, d]) -> [b, n, d]:
            a = missing(x)
            c = a + 1
            e = x |> Linear[2*d, d] as first
            f = e * c
            g = x |> rearrange["b n -> n b"]
            h = softmax[q](x)
            i = g + h + f
            return i
        """
    ) == ["E0201", "E0301", "E0303", "E0305"]


def test_a_syntax_error_hides_no_other_block() -> None:
    assert errors(
        """
        block f(x: [b]) -> [b]:
            y = = x
            return y

        block g(x: [b]) -> [b]:
            return f(missing(x))

        block h(x: [b, n], y: [b, m]) -> [b, n]:
            z = f(x)
            return x + y
        """
    ) == ["E0101", "E0201", "E0301"]


def test_a_broken_block_is_not_blamed_on_its_users() -> None:
    program = check(
        """
        block inner(x: [b, n], y: [b, m]) -> [b, n]:
            return x + y

        block outer(x: [b, n]) -> [b, n]:
            return inner(x, x) |> relu

        model M = outer
        """
    )
    assert [d.code for d in program.diagnostics] == ["E0301"]


def test_a_fault_in_a_loop_is_said_once() -> None:
    assert errors(
        """
        block f(x: [b]) -> [b]:
            for i in range(5):
                x = x + missing
            return x
        """
    ) == ["E0201"]


@pytest.mark.parametrize("use", ["concat[1](*parts)", "x + zeros[b, *parts]", "relu(parts[0])", "x + len(parts)"])
def test_nothing_follows_from_a_list_with_a_fault(use: str) -> None:
    text = f"block f[ds: list](x: [b, d]) -> [b, e]:\n    parts = [gone(x) for _ in ds]\n    return {use}\n"
    assert errors(f"{text}\nmodel M = f[ds=[1, 2]]\n") == ["E0201"]


USES = (
    "over[b, f](x)",
    "over[b, grad[f]](x)",
    "each[b, f](x)",
    "x + f(x[0])",
    "over[b, over[1, f]](expand['b d -> 1 b d'](x))",
)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("head", ["repeat 3 as h:", "scan t in x along 0:", "for i in range(3):"])
def test_nothing_follows_from_a_loop_with_a_fault(head: str, use: str) -> None:
    """Wherever the block that holds it is called, and whether its fault was said here or at the head of the file."""
    for start, body in (("", "gone(x)"), ("std std.nn (Linear)\n\n", "x |> Linear[d, d] as lin")):
        text = f"{start}block f[d](x: [d]) -> []:\n    {head}\n        x = tanh({body})\n    return sum(x)\n\n"
        text += f"block A[b, d](x: [b, d]) -> [b, d]:\n    g = f[d]\n    y = {use}\n    return x\n\nmodel M = A[2, 3]\n"
        assert set(errors(text.replace("'", '"'))) <= {"E0101", "E0201", "E0301", "E0402", "E0403", "E0404"}
