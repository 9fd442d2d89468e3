"""Programs made to exhaust the checker: each ends soon, with a diagnostic or with an answer, never with a traceback."""

from __future__ import annotations

import time

import pytest

from counted import HANG
from ogive.compiler.driver.workspace import check_text


def line(text: str) -> str:
    """A block of one statement."""
    return f"block f(x: [b]) -> [b]:\n    y = {text}\n    return x\n"


def grown(statement: str, start: str) -> str:
    """A block that makes a value larger a hundred times."""
    return (
        f"block f(x: [b]) -> [b]:\n    v = {start}\n    for i in range(100):\n        v = {statement}\n    return x\n"
    )


REFUSED = {
    "a power of powers": ("E0701", "const a = 10**10**10\n"),
    "numbers that are squared": ("E0701", grown("v * v * v", "2**60")),
    "sums that are multiplied out": (
        "E0701",
        "block f(x: [n]) -> [n]:\n    v = n + 1\n    for i in range(100):\n        v = v * v\n    return x\n",
    ),
    "lists that are doubled": ("E0701", grown("v + v", "[1]")),
    "lists in lists": ("E0701", grown("[v, v]", "[1]")),
    "strings that are doubled": ("E0701", grown("v + v", '"a"')),
    "a repeated list": ("E0701", "const a = [0] * 10**9\n"),
    "a long range": ("E0701", "const a = range(10**9)\n"),
    "many permutations": ("E0701", "const a = permutations(range(12))\n"),
    "a long comprehension": ("E0701", "const a = [[[i for i in range(99)] for j in range(99)] for k in range(99)]\n"),
    "nested brackets": ("E0701", line("(" * 3000 + "x" + ")" * 3000)),
    "nested signs": ("E0701", line("-" * 3000 + "x")),
    "recursion": ("E0701", "block f[n: nat](x: [b]) -> [b]:\n    return f[n + 1](x)\nmodel M = f[0]\n"),
    "statics that need each other": (
        "E0201",
        "block f[a=b, b=a](x: [n]) -> [n]:\n    return x\nblock g(x: [n]) -> [n]:\n    return f(x)\n",
    ),
    "division by a static that is 0": (
        "E0410",
        "block f[k: int](x: [b, n]) -> [b, n]\nwhere n % k == 0:\n    return x\nmodel M = f[0]\n",
    ),
}
ANSWERED = {
    "choices": "block f[k: nat](x: [b]) -> [b]:\n"
    + "".join(f"    if k == {i}:\n        x = x + {i}\n" for i in range(300))
    + "    return x\nmodel M = f[3]\n",
    "uses of uses": "".join(
        f"block b{i}(x: [n]) -> [m]:\n    return {f'concat[0](b{i + 1}(x), b{i + 1}(x))' if i < 30 else 'x'}\n"
        for i in range(31)
    ),
    "two recursions": "block f[n: nat](x: [b]) -> [b]:\n    if n < 2:\n        return x\n"
    "    return f[n - 1](x) + f[n - 2](x)\nmodel M = f[40]\n",
    "floors of floors": "block f(x: [b, h]) -> [b, k]\nwhere h >= 9:\n"
    + "    x = pad[1, 1, 1](x[:, ::3])\n" * 40
    + "    return x\n",
    "a deep repeat": "use std.nn (Linear)\nblock F[d](x: [b, d]) -> [b, d]:\n    repeat 10**9:\n"
    "        x = x |> Linear[d, d]\n    return x\nmodel M = F[2]\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    code, text = REFUSED[name]
    start = time.monotonic()
    assert {d.code for d in check_text(text).diagnostics if d.severity == "error"} == {code}
    assert time.monotonic() - start < HANG


@pytest.mark.parametrize("name", ANSWERED)
def test_answered(name: str) -> None:
    start = time.monotonic()
    program = check_text(ANSWERED[name])
    assert not [(d.code, d.message) for d in program.diagnostics if d.severity == "error"]
    assert time.monotonic() - start < HANG
