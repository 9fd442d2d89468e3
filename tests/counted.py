"""How much something takes, said so that no other process can change it."""

from __future__ import annotations

from collections.abc import Callable
from cProfile import Profile

HANG = 120  # seconds: what takes so long, on any machine, does not end; a guard, and no measure of speed


def calls(run: Callable[[], object]) -> int:
    """How many functions written in Python are called."""
    profile = Profile(builtins=False)
    profile.runcall(run)
    return sum(entry.callcount for entry in profile.getstats())
