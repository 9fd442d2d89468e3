"""What would take without end is answered, or refused at its line, in steps that are counted: the same everywhere."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from counted import HANG
from ogive.compiler.driver.workspace import CheckedProgram, Workspace, check_text


def within(text: str) -> CheckedProgram:
    """The check of a text, which ends."""
    start = time.process_time()
    program = check_text(text)
    assert time.process_time() - start < HANG
    return program


def refused(text: str) -> list[tuple[str, int]]:
    """The codes and lines of the errors in a text."""
    return [(d.code, d.span.begin()[0]) for d in within(text).diagnostics if d.severity == "error"]


def block(*lines: str, inputs: str = "x: [b, n]", gives: str = "[b, m]") -> str:
    return f"block f({inputs}) -> {gives}:\n" + "".join(f"    {line}\n" for line in lines)


PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29)
NESTED = "".join("    " * (i + 1) + f"for i{i} in range(2):\n" for i in range(14)) + "    " * 15 + "x = x + 1\n"
EXTREMES = ("v = n", "w = m", "for i in range({n}):", "    v = min({v} + i, w + n)", "    w = max(v, {w} + i)")


def extremes(count: int, v: str = "v", w: str = "w") -> str:
    lines = [line.format(n=count, v=v, w=w) for line in EXTREMES]
    return block(*lines, "return x + sum(zeros[v])", inputs="x: [b, n, m]", gives="[b, n, m]")


def wheres(count: int, joint: str, size: str = "n") -> str:
    parts = joint.join(f"({size} % {p} == 1 or {size} % {p} == {2 % p})" for p in PRIMES[:count])
    return f"block f(x: [b, n, m]) -> [b, n, m]\nwhere {parts}:\n    return x\n"


ANSWERED = {
    "six remainders of two values": wheres(6, " and "),
    "ten remainders of two values": wheres(10, " and "),
    "ten conditions": wheres(10, ", "),
    "ten conditions on two sizes": wheres(10, ", ", "(n + 3*m)"),
    "ten conditions of ten sizes": f"block f(x: [{', '.join(f'n{i}' for i in range(10))}]) -> []\nwhere "
    + ", ".join(f"n{i} % {p} == 1 or n{i} % {p} == 2" for i, p in enumerate(PRIMES, 1) if p > 3 and i < 10)
    + ":\n    return sum(zeros[n0])\n",
    "nested concats of slices": block(
        "return " + "".join(f"concat[1](x[:, ::{i + 2}], " for i in range(12)) + "x" + ")" * 12
    ),
    "slices of nested concats": block(
        "return " + "".join(f"concat[1](x[:, ::{i + 2}], " for i in range(14)) + "x"
        + "".join(f"[:, ::{i + 3}])" for i in range(14))
    ),
    "concats of their own slices": block(
        *(f"x = concat[1](x, x[:, ::{i + 2}])" for i in range(12)), "return x"
    ),
    "nested loops": f"block f(x: [b, n]) -> [b, n]:\n{NESTED}    return x\n",
    "a chain of halves": block(*('x = rearrange["b (t n) -> b n t", t=2](x)[:, :, 0]' for _ in range(8)), "return x")
    .replace(":\n", "\nwhere n % 256 == 0:\n", 1),
    "a sum of many quotients": block(
        "v = sum([n * (i + 1) // (i + 2) for i in range(500)])", "return x + sum(zeros[v])", gives="[b, n]"
    ),
    "thirty choices on one static": "block f[k](x: [b]) -> [b]:\n"
    + "".join(f"    if k % {i + 2} == 0:\n        x = x + {i}\n" for i in range(30))
    + "    return x\nmodel M = f[k=720]\n",
    "three hundred axes": (
        lambda names: f'block f(x: [{", ".join(names)}]) -> [m]:\n'
        f'    return rearrange["{" ".join(names)} -> ({" ".join(names)})"](x)\n'
    )([f"a{i}" for i in range(300)]),
    "weights by the million million": "block F(x: [b, n]) -> [b, n]:\n    param w: [10**12] = zeros\n"
    "    return x + sum(w)\nmodel M = F\n",
    "constants of constants": "const a0 = 1\n" + "".join(f"const a{i + 1} = a{i} + a{i}\n" for i in range(500)),
}  # fmt: skip
REFUSED = {
    "a long loop": (block("for i in range(100000):", "    x = x + 1", "return x", gives="[b, n]"), [("E0701", 2)]),
    "a billion iterations": (
        block(*("    " * i + f"for i{i} in range(2):" for i in range(30)), "    " * 30 + "x = x + 1", "return x",
              gives="[b, n]"),
        [("E0701", 2)],
    ),
    "twenty minima of maxima": (extremes(20), [("E0701", 6)]),
    "forty minima of squares": (extremes(40, "v*v", "w*w"), [("E0701", 5)]),
    "concats that double": (
        block(*("x = concat[1](x[:, ::2], x[:, ::3])" for _ in range(24)), "return x"), [("E0701", 12)]
    ),
    "many conditions that depend on one another": (
        f"block f({', '.join(f'x{i}: [n{i}]' for i in range(100))}) -> [n0]\nwhere "
        + ", ".join(f"n{i} % n{i + 1} == 0" for i in range(99)) + ":\n    return x0\n",
        [("E0701", 2)],
    ),
    "axes by the million": (
        'block f(x: [b, n]) -> [b, n]\nwhere n % 1000000 == 0:\n'
        '    return split["b (t n) -> t b n", t=1000000](x)[0]\n',
        [("E0701", 3)],
    ),
    "a recursion that doubles": (  # two uses at each iteration, at other numbers each: 2^30 blocks
        "block F[k: nat, j: nat](x: [b, d]) -> [b, d]:\n    if k == 0:\n        return x\n"
        "    return x |> F[k - 1, 2*j + 1] as first |> F[k - 1, 2*j] as second\n\nmodel M = F[k=30, j=1]\n",
        [("E0701", 6)],
    ),
    "a power of a power of a static": (
        "block f[k: nat](x: [b, n]) -> [b, n]:\n    return x + sum(zeros[2**2**2**k])\nmodel M = f[k=5]\n",
        [("E0701", 3)],
    ),
    "a list for each axis": (block("v = per_axis(1, 10**9)", "return x", gives="[b, n]"), [("E0701", 2)]),
    "permutations of permutations": (
        block("v = permutations(range(7))", "w = [[permutations(p) for p in v] for q in v]", "return x",
              gives="[b, n]"),
        [("E0701", 3)],
    ),
    "constants that need thousands of others": (
        "".join(f"const a{i} = a{i + 1} + 1\n" for i in range(3000)) + "const a3000 = 1\n", [("E0701", 100)]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERED)
def test_answered(name: str) -> None:
    assert refused(ANSWERED[name]) == []


@pytest.mark.parametrize("name", REFUSED)
def test_refused_at_its_line(name: str) -> None:
    text, found = REFUSED[name]
    assert refused(text)[:1] == found


def test_a_list_counts_as_what_its_entries_hold() -> None:
    """Seven names have 5,040 orders of seven: they take several times the steps of as many numbers."""

    def steps(made: str) -> int:
        workspace = Workspace()
        assert not [
            d for d in workspace.check(block(f"v = {made}", "return x", gives="[b, n]")).diagnostics if d.code[0] == "E"
        ]
        return workspace.facts.tally.effort.spent

    nothing = steps("range(7)")
    assert steps("permutations(range(7))") - nothing > 5 * (steps("range(5040)") - nothing) > 0


def test_a_chain_of_halves_is_solved() -> None:
    lines = [f'x, z{i} = split["b (t n) -> t b n", t=2](x)' for i in range(30)]
    (found,) = [d for d in within(block(*lines, "return x")).diagnostics if d.code == "E0301"]
    assert found.help == f"where n % {2**30} == 0"


def test_many_unknown_names_are_all_told() -> None:
    lines = "".join(f"    y{i} = nosuch{i}(x)\n" for i in range(200))
    found = check_text(f"block A(x: [b, d]) -> [b, d]:\n{lines}    return x\n")
    assert [d.code for d in found.diagnostics if d.severity == "error"] == ["E0201"] * 200


def test_a_longer_text_may_take_more() -> None:
    """Ten blocks of a kind, each of which takes a good part of what a short text may: the check ends at one line
    where they take too long together.
    """
    text = "".join(ANSWERED["nested loops"].replace("block f", f"block f{i}") for i in range(10))
    assert [code for code, _ in refused(text)] == ["E0701"]


def test_what_is_refused_is_refused_again() -> None:
    """The steps of a warm workspace are those of a check from scratch: what it remembers is as dear every time."""
    text, found = REFUSED["many conditions that depend on one another"]
    workspace = Workspace()
    for _ in range(3):
        said = [(d.code, d.span.begin()[0]) for d in workspace.check(text).diagnostics if d.severity == "error"]
        assert said == found


def test_steps_depend_on_nothing_but_the_text() -> None:
    """Not on the order of sets, which changes with the seed of hashes and with addresses."""
    code = (
        "from ogive.compiler.driver.workspace import Workspace\nimport sys\n"
        "w = Workspace()\nw.check(sys.stdin.read())\nprint(w.facts.tally.effort.spent)\n"
    )
    counts = set()
    for text in (ANSWERED["ten conditions of ten sizes"], REFUSED["twenty minima of maxima"][0]):
        for hashes in ("0", "1", "2"):
            env = {"PYTHONHASHSEED": hashes, "PYTHONPATH": ":".join(sys.path)}
            command = [sys.executable, "-c", code]
            done = subprocess.run(command, input=text, capture_output=True, text=True, env=env, check=True)
            counts.add((text, done.stdout))
    assert len(counts) == 2
