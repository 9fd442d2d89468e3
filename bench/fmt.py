"""How long `ogive fmt` takes for 10,000 lines of which few are spelled as they should be, and for these once more.

`python -m bench.fmt` from the root of the tree. Times are those of the processor; the goal is 2 s.
"""

from __future__ import annotations

import sys
import time

from bench.check import generated
from ogive.compiler.driver.interpreter_limits import unpaused
from ogive.grammar.formatter import format_text

GOAL = 2.0  # seconds
LINES = 10_000


def seconds(text: str) -> tuple[float, str]:
    """The time that a text takes, and what it becomes."""
    with unpaused():
        start = time.process_time()
        after = format_text(text)
        return time.process_time() - start, after


def main() -> int:
    """Print both times; the status is 1 where the goal is missed."""
    rough = generated(LINES).replace(", ", ",").replace(" = ", "=")
    first, text = seconds(rough)
    again, _ = seconds(text)
    print(f"{rough.count(chr(10)):,} lines: {first:.2f} s, once more {again:.2f} s (goal {GOAL} s)")
    return int(first > GOAL)


if __name__ == "__main__":
    sys.exit(main())
