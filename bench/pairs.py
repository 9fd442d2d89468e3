"""Fair comparison on a shared machine: pairs of runs, interleaved, and the ratio of their medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Run = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Result:
    """Two times in seconds, and ours over the peer's: of pairs the median ratio. Less than 1 is better."""

    name: str
    ours: float
    peer: float
    of_pairs: float | None = None

    @property
    def ratio(self) -> float:
        return self.ours / self.peer if self.of_pairs is None else self.of_pairs

    def __str__(self) -> str:
        return f"{self.name:<44} {self.ours * 1e3:10.2f} ms {self.peer * 1e3:10.2f} ms   ratio {self.ratio:6.3f}"


@dataclass(frozen=True, slots=True)
class Count:
    """Two numbers of things: operations, nodes, bytes. Less is better."""

    name: str
    ours: int
    peer: int

    @property
    def ratio(self) -> float:
        return self.ours / self.peer

    def __str__(self) -> str:
        return f"{self.name:<44} {self.ours:10,d}    {self.peer:10,d}      ratio {self.ratio:6.3f}"


def compare(name: str, ours: Run, peer: Run, pairs: int = 7, warm: int = 1) -> Result:
    """Interleaved pairs, each within one mood of the machine; who goes first alternates."""
    for _ in range(warm):
        ours()
        peer()
    return alternated(name, lambda: timed(ours), lambda: timed(peer), pairs)


def alternated(name: str, ours: Callable[[], float], peer: Callable[[], float], pairs: int) -> Result:
    """Pairs of two measurements in seconds; who goes first alternates."""
    times: list[tuple[float, float]] = []
    for number in range(pairs):
        if number % 2:
            mine = ours()
            times.append((mine, peer()))
        else:
            theirs = peer()
            times.append((ours(), theirs))
    mine, theirs = (statistics.median(side) for side in zip(*times, strict=True))
    return Result(name, mine, theirs, statistics.median(a / b for a, b in times))


def best(name: str, ours: Run, peer: Run, pairs: int = 5, rounds: int = 3) -> Result:
    """The best of three medians, for goals: other work on a shared machine must not decide them."""
    return min((compare(name, ours, peer, pairs) for _ in range(rounds)), key=lambda result: result.ratio)


def timed(run: Run) -> float:
    """Seconds of one run."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
