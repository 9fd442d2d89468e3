"""Fair comparison on a shared machine: pairs of runs, interleaved, and the ratio of their medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Run = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Result:
    """Medians in seconds; `ratio` is ours over the peer's, so less than 1 is faster."""

    name: str
    ours: float
    peer: float

    @property
    def ratio(self) -> float:
        return self.ours / self.peer

    def __str__(self) -> str:
        return f"{self.name:<44} {self.ours * 1e3:10.2f} ms {self.peer * 1e3:10.2f} ms   ratio {self.ratio:6.3f}"


def compare(name: str, ours: Run, peer: Run, pairs: int = 7, warm: int = 1) -> Result:
    """The medians of `pairs` interleaved pairs; who goes first alternates."""
    for _ in range(warm):
        ours()
        peer()
    times: dict[Run, list[float]] = {ours: [], peer: []}
    for number in range(pairs):
        for run in (ours, peer) if number % 2 else (peer, ours):
            start = time.perf_counter()
            run()
            times[run].append(time.perf_counter() - start)
    return Result(name, statistics.median(times[ours]), statistics.median(times[peer]))


def best(name: str, ours: Run, peer: Run, pairs: int = 5, rounds: int = 3) -> Result:
    """The best median of each side: what a quiet moment of a shared machine shows, the same for both."""
    found = [compare(name, ours, peer, pairs) for _ in range(rounds)]
    return Result(name, min(result.ours for result in found), min(result.peer for result in found))
