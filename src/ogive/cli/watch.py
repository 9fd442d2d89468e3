"""`ogive check --watch`: check again whenever a file changes, and say what is new and what is gone."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from ogive.cli.common import colored
from ogive.formats import concise
from ogive.grammar.diagnostics import Diagnostic

PAUSE = 0.2  # seconds between two looks at the files

Stamp = tuple[int, int] | None


def changes(
    paths: Callable[[], Iterable[Path]], wait: Callable[[], object], listed: Callable[[], Iterable[Path]] = lambda: ()
) -> Iterator[list[Path]]:
    """The files that change from now on, each time that some did; without end. A file may go and come again.

    What `paths` names later is looked at from then on; what `listed` names later is new, which is a change.
    """
    return _changes({path: _stamp(path) for path in paths()}, paths, wait, set(listed()), listed)


def _changes(
    before: dict[Path, Stamp], paths: Callable[[], Iterable[Path]], wait: Callable[[], object], known: set[Path],
    listed: Callable[[], Iterable[Path]],
) -> Iterator[list[Path]]:  # fmt: skip
    while True:
        wait()
        new = set(listed()) - known
        known |= new
        now = {path: _stamp(path) for path in {*before, *paths(), *new}}
        changed = [path for path, stamp in now.items() if path in new or before.get(path, stamp) != stamp]
        before = now
        if changed:
            yield sorted(changed)


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def unhurried(look: Callable[[], tuple[Path, ...]]) -> Callable[[], tuple[Path, ...]]:
    """As `look`, which goes through folders, but for at most a twentieth of the time; what it found last meanwhile."""
    found: list[tuple[Path, ...]] = []
    due = 0.0

    def seen() -> tuple[Path, ...]:
        nonlocal due
        begun = time.monotonic()
        if not found or begun >= due:
            found[:] = [look()]
            ended = time.monotonic()
            due = ended + 19 * (ended - begun)
        return found[0]

    return seen


def difference(before: Iterable[Diagnostic], after: Iterable[Diagnostic]) -> tuple[list[Diagnostic], list[Diagnostic]]:
    """What is gone and what is new; a finding that only moved to another line is neither."""
    before, after = list(before), list(after)
    return _without(before, after), _without(after, before)


def _without(these: list[Diagnostic], others: list[Diagnostic]) -> list[Diagnostic]:
    left = Counter(map(_key, others))
    found = []
    for each in these:
        if left[_key(each)] > 0:
            left[_key(each)] -= 1
        else:
            found.append(each)
    return found


def _key(found: Diagnostic) -> tuple[str, ...]:
    return found.span.path, found.code, found.message, found.help, *found.details


def watch(
    check: Callable[[], list[Diagnostic]],
    paths: Callable[[], Iterable[Path]],
    verdict: Callable[[list[Diagnostic]], str],
    listed: Callable[[], Iterable[Path]] = lambda: (),
) -> None:
    """Check now and after each change, until the user ends it by Ctrl-C."""
    seen = changes(paths, lambda: time.sleep(PAUSE), listed)  # from before the first check: nothing is missed
    known = check()
    _say("", known, verdict(known))
    try:
        for changed in seen:
            found = check()
            gone, new = difference(known, found)
            known = found
            click.echo(f"{', '.join(map(str, changed))} changed")
            _say("- ", gone, "")
            _say("+ ", new, verdict(found))
    except KeyboardInterrupt:
        return


def _say(sign: str, found: list[Diagnostic], verdict: str) -> None:
    for each in found:
        line = sign + concise([each])
        click.echo(click.style(line, fg="green" if sign == "- " else "red") if sign and colored() else line)
    if verdict:
        click.echo(verdict)
