"""What a loop carries starts as a value that its iterations may still read: they see it, not what is carried."""

from __future__ import annotations

from functools import cache
from itertools import product

import pytest
import torch
from torch import Tensor

import ogive

FIRST = {"x": lambda x: x, "x * 1.0": lambda x: x, "abs(x)": lambda x: x.abs()}
LOOPS = ("repeat 3 as h:", "repeat 3 as h with i in range(3):", "scan t in rows along 0:", "for h in range(3):")
READS = ("read, rebound", "rebound, read", "rebound alone, read", "both")
BODIES = {
    "read, rebound": ("seen = v + 1", "x = 0.5 * x"),
    "rebound, read": ("x = 0.5 * x", "seen = v + 1"),
    "rebound alone, read": ("x = full[b, v=0.5]", "seen = v + 1"),
    "both": ("y = x + v", "x = 0.5 * y", "seen = y + v"),
}


def block(name: str, first: str, loop: str, reads: str, weight: bool) -> str:
    lines = [f"v: [b] = {first}"]
    scale = ["param w: [] = ones", "seen = seen * w"] if weight else []
    body = [*BODIES[reads], *scale]
    if loop.startswith("for"):
        lines += [loop, *("    " + line for line in body), "return seen, x"]
        result = "([b], [b])"
    else:
        lines += [loop, *("    " + line for line in body), "    yield all = seen", "return all, x"]
        result = "([3, b], [b])" if "rows" not in loop else "([n, b], [b])"
    inner = "\n".join("    " + line for line in lines)
    return f"block {name}Net(x: [b], rows: [n, b]) -> {result}:\n{inner}\n\nmodel {name} = {name}Net\n"


CASES = [
    (first, loop, reads, weight)
    for first, loop, reads, weight in product(FIRST, LOOPS, READS, (False, True))
    if loop.startswith("repeat") or not weight
]
TEXT = "\n".join(block(f"M{at}", *case) for at, case in enumerate(CASES))


@cache
def program() -> ogive.Program:
    return ogive.source(TEXT)


def by_hand(x: Tensor, v: Tensor, reads: str) -> tuple[Tensor, Tensor]:
    seen = []
    for _ in range(3):
        if reads == "both":
            y = x + v
            x, now = 0.5 * y, y + v
        else:
            x, now = (torch.full_like(x, 0.5) if "alone" in reads else 0.5 * x), v + 1
        seen.append(now)
    return torch.stack(seen), x


@pytest.mark.parametrize("at", range(len(CASES)), ids=[" / ".join(map(str, case)) for case in CASES])
def test_every_iteration_reads_the_first_value(at: int) -> None:
    first, loop, reads, _ = CASES[at]
    net = program().models[f"M{at}"].torch()
    x = torch.tensor([1.0, -2.0, 3.0, -0.25])
    seen, last = net(x, torch.zeros(3, 4))
    wanted, end = by_hand(x, FIRST[first](x), reads)
    assert torch.equal(seen, wanted[-1] if loop.startswith("for") else wanted)
    assert torch.equal(last, end)
