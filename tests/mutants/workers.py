"""Processes that try mutants: copies of one that has the compiler, the backends and all tests imported."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import FunctionType

import pytest

from mutants import tables
from mutants.live import Place, Unfit, functions, install
from mutants.sites import ROOT, Mutant

MEMORY = 12 << 30
CODES = {0: "survived", 1: "killed", 5: "unseen", 8: "not made", 9: "unfit"}


class Chosen:
    """A plugin of pytest: these tests alone, in this order."""

    def __init__(self, names: Sequence[str]) -> None:
        self.ranks = {name: at for at, name in enumerate(names)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        mine = [each for each in items if each.nodeid in self.ranks]
        items[:] = sorted(mine, key=lambda each: self.ranks[each.nodeid])


class Workers:
    """Tries mutants. `tests`: by name, seconds and the functions that they run."""

    def __init__(self, tests: dict[str, tuple[float, frozenset[Place]]], budget: float) -> None:
        self.tests, self.budget = tests, budget
        self.known: dict[Place, list[FunctionType]] = {}
        self.by_place: dict[Place, list[str]] = {}
        for name, (_, places) in tests.items():
            for place in set(map(_kept, places)):
                self.by_place.setdefault(place, []).append(name)

    def load(self) -> None:
        """Import everything that tests import, by collecting them all."""
        files = sorted({name.split("::")[0] for name in self.tests})
        arguments = ["--collect-only", "-qq", "-p", "no:cacheprovider", *files]
        with open(os.devnull, "w") as quiet:
            sys.stdout, shown = quiet, sys.stdout
            pytest.main(arguments)
            sys.stdout = shown
        import torch

        torch.set_num_threads(1)
        self.known = functions()

    def chosen(self, mutant: Mutant) -> list[str]:
        """The tests that may see a mutant, short ones first, as many as the budget allows."""
        ranks: dict[str, bool] = {}  # those whose names say that they are about it come first
        if mutant.rule == tables.ROW:
            words = [f"[{mutant.before}(", f"[{mutant.before}-", f"_{mutant.before}", mutant.before]
            found = [name for name in self.tests if any(word in name for word in words)]
        elif mutant.path.endswith("helpers.py"):
            words = [
                mutant.function.partition("/")[0].split("_")[0],
                "derivative",
                "vectoriz",
                "reparam",
                "small_groups",
            ]
            named = [name for name in self.tests if any(word in name for word in words)]
            found = [*named, *(name for name in self.tests if name.startswith("tests/pytorch/"))]
            ranks = {name: name not in named for name in found}
        else:
            file = str(ROOT / "src" / "ogive" / mutant.path)
            found = self.by_place.get(_kept((file, mutant.function, mutant.line)), [])
            stem = Path(mutant.path).stem  # what is called as the file is about it
            ranks = {name: f"test_{stem}" not in name.split("::")[0] for name in found}
        names: list[str] = []
        total = 0.0
        for name in sorted(set(found), key=lambda each: (ranks.get(each, False), self.tests[each][0])):
            total += self.tests[name][0] + 0.02
            if names and total > self.budget:
                break
            names.append(name)
        return names

    def run(self, mutants: Sequence[Mutant], jobs: int) -> Iterator[tuple[Mutant, str]]:
        """What became of each."""
        waiting, running = list(reversed(mutants)), dict[int, Mutant]()
        while waiting or running:
            while waiting and len(running) < jobs:
                mutant = waiting.pop()
                names = self.chosen(mutant)
                if not names:
                    yield mutant, "unseen"
                    continue
                child = os.fork()
                if child == 0:
                    self.child(mutant, names)
                running[child] = mutant
            if running:
                child, status = os.wait()
                code = os.waitstatus_to_exitcode(status)
                yield running.pop(child), "killed (time)" if code < 0 else CODES.get(code, f"killed ({code})")

    def child(self, mutant: Mutant, names: Sequence[str]) -> None:
        """Run the tests with the change. Does not return."""
        code = 3
        with suppress(BaseException):
            code = self.tried(mutant, names)
        os._exit(code)

    def tried(self, mutant: Mutant, names: Sequence[str]) -> int:
        """The exit status of the tests; 9 where the change cannot be made."""
        limit = int(4 * sum(self.tests[name][0] for name in names) + 30 + time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        try:
            if mutant.rule == tables.ROW:
                tables.exchange(mutant)
            elif mutant.path.endswith("helpers.py"):
                tables.rewrite(mutant)
            else:
                install(mutant, self.known)
        except Unfit:
            return 9
        except Exception:
            return 8  # a fault of these tests, which says nothing of the mutant
        files = list(dict.fromkeys(name.split("::")[0] for name in names))
        return int(pytest.main(["-x", "-qq", "--tb=no", "-p", "no:cacheprovider", *files], plugins=[Chosen(names)]))


def _kept(place: Place) -> Place:
    """A place that stays while other functions change: lines are told where there is no name."""
    file, name, line = place
    return file, name, line if "<lambda>" in name else 0
