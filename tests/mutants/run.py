"""Mutants of the compiler, made by rule: `python -m tests.mutants.run --sample 300 --seed 1`.

Every test is run once to see which functions it runs (`--map FILE` keeps this). Then each mutant is a process that has
everything imported: its change is made to live functions, and the tests that run the function follow, short ones first,
until one fails. Survivors are printed; those that are equivalent stand in `equivalent.py`, each with the reason.
"""

from __future__ import annotations

import argparse
import os
import pickle
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

if TYPE_CHECKING:
    from mutants.sites import Mutant

Tests = dict[str, tuple[float, frozenset[tuple[str, str, int]]]]


def main() -> int:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=300, help="how many mutants; 0 for all")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--area", action="append", help="only these areas: torch, onnx, derivatives, batching, passes")
    parser.add_argument("--only", default="", help="only mutants whose key holds this text")
    parser.add_argument("--keys", type=Path, help="only mutants whose keys stand in this file, each on a line")
    parser.add_argument("--map", type=Path, action="append", default=[], help="what tests run: read, or made and kept")
    parser.add_argument("--tests", action="append", help="only these tests, as pytest takes them: files, folders")
    parser.add_argument("--budget", type=float, default=30.0, help="seconds of tests for one mutant")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write a line for each mutant")
    parser.add_argument("--list", action="store_true", help="name the mutants, and try none")
    asked = parser.parse_args()
    os.environ["CI"] = "1"  # hypothesis tries the same examples each time
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    keys = asked.keys.read_text(encoding="utf-8") if asked.keys else ""
    drawn = sampled(0 if asked.keys else asked.sample, asked.seed, asked.area)
    chosen = [m for m in drawn if asked.only in m.key and (not keys or m.key in keys)]
    if asked.list:
        print("\n".join(mutant.key for mutant in chosen))
        return 0
    from mutants.workers import Workers

    workers = Workers(mapped(asked.map, asked.tests), asked.budget)
    workers.load()
    results: list[tuple[Mutant, str]] = []
    for mutant, result in workers.run(chosen, asked.jobs):
        results.append((mutant, result))
        line = f"{result:<14} {mutant.key}"
        print(f"{len(results):>5} {line}", flush=True)
        if asked.out:
            with asked.out.open("a") as stream:
                stream.write(line + "\n")
    return report(results)


def sampled(count: int, seed: str, areas: Sequence[str] | None) -> list[Mutant]:
    """Mutants of every function in turn, rules in turn too; each function once before any has two."""
    from mutants import tables
    from mutants.areas import files
    from mutants.sites import mutants

    draw = random.Random(seed)
    by_function: dict[tuple[str, str, int], list[Mutant]] = {}
    for path, area in files().items():
        if areas is None or area in areas:
            for mutant in (*mutants(path), *tables.rows(path)):
                by_function.setdefault((path, mutant.function, mutant.line), []).append(mutant)
    if areas is None or "torch" in areas:
        for mutant in tables.helpers():
            by_function.setdefault((mutant.path, mutant.function, mutant.line), []).append(mutant)
    queues = [list(_in_turn(found, draw)) for found in by_function.values()]
    draw.shuffle(queues)
    depth = max(map(len, queues))
    order = [queue[at] for at in range(depth) for queue in queues if at < len(queue)]
    return order[: count or None]


def _in_turn(found: list[Mutant], draw: random.Random) -> Iterator[Mutant]:
    """The mutants of one function, the rules in turn."""
    by_rule: dict[str, list[Mutant]] = {}
    for mutant in found:
        by_rule.setdefault(mutant.rule, []).append(mutant)
    groups = list(by_rule.values())
    draw.shuffle(groups)
    for group in groups:
        draw.shuffle(group)
    for at in range(max(map(len, groups))):
        yield from (group[at] for group in groups if at < len(group))


def mapped(paths: Sequence[Path], chosen: Sequence[str] | None) -> Tests:
    """The tests with what they run, from files, or from a run of these (or all) in a process of its own."""
    if not paths or not all(path.exists() for path in paths):
        path = paths[0] if paths else Path("/tmp") / f"mutants-{os.getpid()}.map"
        code = ("import pickle, sys; from mutants.areas import TESTS; from mutants.seen import recorded; "
                "found = recorded([*(sys.argv[2:] or TESTS), '-m', 'not slow']); "
                "pickle.dump(found, open(sys.argv[1], 'wb'))")  # fmt: skip
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests"), str(ROOT)])}
        subprocess.run([sys.executable, "-c", code, str(path), *(chosen or ())], cwd=ROOT, env=env, check=True)
        paths = [path]
    tests: Tests = {}
    for path in paths:
        tests |= pickle.loads(path.read_bytes())
    return tests


def report(results: Sequence[tuple[Mutant, str]]) -> int:
    """Counts by area and rule, and the survivors; 1 where one of these is not known to be equivalent."""
    from mutants.areas import files
    from mutants.equivalent import EQUIVALENT

    areas = files()
    counts = Counter((areas.get(mutant.path, "torch"), result) for mutant, result in results)
    rules = Counter((mutant.rule, result) for mutant, result in results)
    for title, table in (("areas", counts), ("rules", rules)):
        print(f"\n{title}")
        for (name, result), count in sorted(table.items()):
            print(f"{count:>6}  {name}: {result}")
    alive = [mutant for mutant, result in results if result in ("survived", "unseen", "not made")]
    left = [mutant for mutant in alive if mutant.key not in EQUIVALENT]
    print(f"\n{len(results)} mutants, {len(alive)} survive, {len(alive) - len(left)} of them equivalent")
    for mutant in left:
        print(f"  {mutant.path}:{mutant.line} {mutant.key}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
