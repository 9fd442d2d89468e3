"""Random programs by the thousand: `python -m tests.generated.run --count 10000 --seed 1`.

Prints what differs, made small, and tables of what the programs held, what was compared and what was refused.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))


def main() -> int:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="how many programs")
    parser.add_argument("--seed", default="1", help="the programs are those of SEED/0, SEED/1, ...")
    parser.add_argument("--first", type=int, default=0, help="the number of the first one")
    parser.add_argument("--show", type=int, default=10, help="how many differences are made small and shown")
    parser.add_argument("--seconds", type=float, default=1e9, help="no program is begun after so many seconds")
    parser.add_argument("--text", action="store_true", help="print the programs, and compare nothing")
    asked = parser.parse_args()
    seeds = [f"{asked.seed}/{number}" for number in range(asked.first, asked.first + asked.count)]
    if asked.text:
        from generated.program import program
        from generated.text import program_text

        for seed in seeds:
            print(f"# {seed}\n{program_text(program(seed))}")
        return 0
    return run(seeds, asked.show, asked.seconds)


def run(seeds: list[str], show: int, seconds: float) -> int:
    """Examine the programs; 1 where one differs or is refused by the checker."""
    import torch

    from generated.coverage import Coverage
    from generated.examine import examine

    torch.set_num_threads(1)
    whole, kinds, stages = Coverage(), Counter[str](), Counter[tuple[str, str]]()
    bad: dict[str, list[tuple[str, str]]] = {}
    started = time.monotonic()
    for number, seed in enumerate(seeds):
        if time.monotonic() - started > seconds:
            print(f"stopped before {seed}")
            break
        found = examine(seed)
        kinds[f"unfit: {found.text}" if found.kind == "unfit" else found.kind] += 1
        whole.add(found.coverage)
        stages.update(found.report.done.items())
        if found.kind in ("differs", "refused"):
            if found.mark not in bad:
                print(f"{seed}  {found.mark}", flush=True)
            bad.setdefault(found.mark, []).append((seed, found.text))
        if number % 500 == 499:
            print(f"... {number + 1} programs, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    report(whole, kinds, stages)
    tell(bad, show)
    return 1 if bad else 0


def report(whole: object, kinds: Counter[str], stages: Counter[tuple[str, str]]) -> None:
    """The tables."""
    from generated.coverage import STATEMENTS, Coverage
    from generated.regions import KINDS
    from ogive.compiler.ops import OPS

    assert isinstance(whole, Coverage)
    print("\nwhat became of them")
    for kind, count in kinds.most_common():
        print(f"{count:>7}  {kind}")
    print("\nwhat was compared, what was refused")
    for (stage, what), count in sorted(stages.items(), key=lambda item: (item[0][0], -item[1])):
        print(f"{count:>7}  {stage}: {what}")
    print(f"\noperations in a program: {median(whole.sizes) if whole.sizes else 0:.0f} in the median")
    _table("operations", {name: whole.operations[name] for name in OPS})
    _table("statements", {name: whole.statements[name] for name in STATEMENTS})
    print("\nnested regions, the outer one on the left")
    print(" " * 12 + "".join(f"{kind:>12}" for kind in KINDS))
    for outer in KINDS:
        print(f"{outer:<12}" + "".join(f"{whole.pairs[outer, inner]:>12}" for inner in KINDS))


def _table(title: str, counts: dict[str, int]) -> None:
    print(f"\n{title}: programs that hold each")
    cells = [f"{name} {count}" for name, count in sorted(counts.items(), key=lambda item: item[1])]
    for at in range(0, len(cells), 6):
        print("  " + "".join(f"{cell:<22}" for cell in cells[at : at + 6]).rstrip())


def tell(bad: dict[str, list[tuple[str, str]]], show: int) -> None:
    """What differs, the most frequent first, some made small."""
    from generated.examine import small

    for number, (mark, found) in enumerate(sorted(bad.items(), key=lambda item: -len(item[1]))):
        seed, text = found[0]
        print(f"\n{len(found)} × {mark}, first {seed}\n{text.strip()}")
        if number < show and "Error[" not in mark and not mark.startswith("E"):
            print(f"made small:\n{small(seed)}")


if __name__ == "__main__":
    sys.exit(main())
