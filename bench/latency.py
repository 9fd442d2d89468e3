"""How long an editor waits: findings, hover, completion and inlay hints after a key, on every example.

`python -m bench.latency` from the root of the tree. Each row is a file; after each of some edits of one line the four
answers are asked for, as the server gives them, one after the other. Times are those of the processor. The goal is that
95 of 100 keys have all four within 100 ms on a quiet machine.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from bench.check import EXAMPLES, edited, renumbered
from ogive.language.completion import completions
from ogive.language.desk import Desk
from ogive.language.hints import hints
from ogive.language.hover import hover
from ogive.language.places import Position

GOAL = 0.1  # seconds
KEYS = 20  # of each file
SHARE = 95  # of 100 keys
ANSWERS = ("findings", "hints", "hover", "completion")


def keys(path: Path) -> list[tuple[float, ...]]:
    """The times of the four answers after each key."""
    text, desk, draw = path.read_text(encoding="utf-8"), Desk(), random.Random(path.stem)
    desk.open(str(path), text)
    desk.diagnostics(str(path))
    found = []
    for number in range(KEYS):
        new = (renumbered(text, number) or text) if number % 4 == 3 else edited(text, number)
        lines = new.split("\n")
        places = [i for i, line in enumerate(lines) if line.startswith("    ") and "|>" in line] or [len(lines) // 2]
        line = draw.choice(places)
        place = line, lines[line].find("|>") + 3
        found.append(_times(desk, str(path), new, place))
    return found


def _times(desk: Desk, path: str, text: str, place: Position) -> tuple[float, ...]:
    start = time.process_time()
    desk.open(path, text)
    desk.diagnostics(path)
    times = [time.process_time() - start]
    seen = desk.see(path)
    assert seen is not None
    for ask in (lambda: hints(seen), lambda: hover(seen, place), lambda: completions(desk, path, place)):
        start = time.process_time()
        ask()
        times.append(time.process_time() - start)
    return tuple(times)


def main() -> int:
    """Print the table; the status is 1 where the goal is missed."""
    every: list[tuple[float, ...]] = []
    print(f"{'':24}" + "".join(f"{name:>12}" for name in ANSWERS) + "   95 % of keys, ms")
    for path in EXAMPLES:
        found = keys(path)
        every += found
        print(
            f"{path.name:24}" + "".join(f"{1000 * at(column):12.1f}" for column in zip(*found, strict=True)), flush=True
        )
    slowest = [max(each) for each in every]
    print(f"{len(every)} keys: {SHARE} % have each answer within {1000 * at(slowest):.0f} ms of the processor")
    return int(at(slowest) > GOAL)


def at(times: list[float] | tuple[float, ...]) -> float:
    """The time within which 95 of 100 are done."""
    return sorted(times)[max(0, -(-len(times) * SHARE // 100) - 1)]


if __name__ == "__main__":
    sys.exit(main())
