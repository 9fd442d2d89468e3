"""Mutated programs by the hundred thousand: `python -m tests.mutated.run --count 200000 --builds 5000 --seed 1`.

Each is checked, and some that are right are built for PyTorch and ONNX. Prints what ends in a traceback or takes more
than its budget, and how many parsed and were right.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def main() -> int:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many programs are checked")
    parser.add_argument("--builds", type=int, default=0, help="how many are built")
    parser.add_argument("--seed", default="1", help="the programs are those of SEED/0, SEED/1, ...")
    parser.add_argument("--first", type=int, default=0, help="the number of the first one")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after so many")
    parser.add_argument("--text", action="store_true", help="print the programs, and check nothing")
    asked = parser.parse_args()
    from mutated.examine import Found, examine
    from mutated.mutants import mutant

    if asked.text:
        for number in range(asked.first, asked.first + asked.count):
            print(f"# {asked.seed}/{number}\n{mutant(f'{asked.seed}/{number}')}")
        return 0
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
    whole, seen = Found(), set[str]()
    started, number = time.monotonic(), asked.first
    while number < asked.first + asked.count and time.monotonic() - started < asked.seconds:
        seed = f"{asked.seed}/{number}"
        for mark, text in examine(mutant(seed), whole, build=whole.built < asked.builds):
            if mark not in seen:
                seen.add(mark)
                print(f"{seed}  {mark}\n{text}\n", flush=True)
        number += 1
    print(f"{whole}; the next one is {asked.seed}/{number}")
    return 1 if seen else 0


if __name__ == "__main__":
    sys.exit(main())
