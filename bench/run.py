"""`python -m bench.run [NAME ...]` from the root of the tree: ours against peers, and whether goals are met."""

from __future__ import annotations

import sys
from importlib import import_module

BENCHES = ("start", "build", "gpt2", "models", "deploy", "scan", "recurrent", "emitted")
# the beginning of a result's name -> the ratio that it may not exceed
GOALS = {"ogive check": 0.25, "check, repeat 12000": 1.2, "the same in a warm": 1.2, "gpt2": 1.02, "text to": 0.1,
         "linear_scan": 1.0, "fold of": 1.0, "lines of": 1.5}  # fmt: skip


def main(names: list[str]) -> int:
    """Run the benches of these names, or all; the status is 1 where a goal is missed."""
    unknown = set(names) - set(BENCHES)
    if unknown:
        print(f"no bench {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
        return 2
    missed = 0
    print(f"{'':<44} {'ours':>13} {'peer':>13}")
    for name in names or BENCHES:
        for result in import_module(f"bench.{name}").results():
            goal = 1.05 if result.name.endswith("deployed / by hand") else None
            goal = next((goal for start, goal in GOALS.items() if result.name.startswith(start)), goal)
            miss = goal is not None and result.ratio > goal
            missed += miss
            print(result, f"(goal {goal}{', missed' if miss else ''})" if goal else "", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
