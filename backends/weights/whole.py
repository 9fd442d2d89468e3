"""Files that are written whole or not at all, several of them together."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

Check = Callable[[], None]
TRIES = 20  # names for a file beside another


class Files:
    """Files beside their targets, put in their places when all are written.

        with Files([path], check) as files:
            files[path].write(data)

    `check` says, by an exception, that a target may not be replaced. It is asked at once, and again when all is
    written: by then another program may have put something there. Where anything fails, all is left as it was.
    """

    def __init__(self, paths: Iterable[Path | str], check: Check = lambda: None) -> None:
        self._check = check
        self._check()
        self._targets = {Path(path): _followed(Path(path)) for path in paths}
        self._open: dict[Path, BinaryIO] = {}
        self._kept: dict[Path, Path | None] = {}  # what stood at a target, by a second name: None for nothing

    def __enter__(self) -> Files:
        try:
            for path, target in self._targets.items():
                self._open[path] = _beside(target)
        except BaseException:
            self._drop()
            raise
        return self

    def __getitem__(self, path: Path | str) -> BinaryIO:
        """The open file that will stand at a path."""
        return self._open[Path(path)]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._commit()
        finally:
            self._drop()

    def _commit(self) -> None:
        for path, file in self._open.items():
            file.flush()
            os.fsync(file.fileno())
            # a file beside another is private; the result gets the mode that a plain open would give
            os.chmod(file.name, _mode(self._targets[path]))
            file.close()
        self._check()
        done: list[Path] = []
        try:
            for path, file in self._open.items():
                self._place(Path(str(file.name)), self._targets[path], last=len(done) == len(self._open) - 1)
                done.append(self._targets[path])
        except BaseException:
            self._restore(done)
            raise

    def _place(self, made: Path, target: Path, last: bool) -> None:
        """Put a file in its place; where nothing stood there, nothing that came meanwhile is replaced unseen."""
        if not os.path.lexists(target):
            self._kept[target] = None
            try:
                os.link(made, target)
            except FileExistsError:
                self._check()
            except OSError:
                pass  # a file system without links: replaced as a whole all the same
            else:
                return
        elif not last:
            with suppress(OSError):
                spare = _name_beside(target)
                os.link(target, spare)
                self._kept[target] = spare
        os.replace(made, target)

    def _restore(self, done: Iterable[Path]) -> None:
        """Put back what stood at the targets, as far as it was kept."""
        for target in done:
            spare = self._kept.get(target)
            if spare is not None:
                os.replace(spare, target)
            elif target in self._kept:
                target.unlink(missing_ok=True)

    def _drop(self) -> None:
        """Remove what lies beside the targets."""
        for file in self._open.values():
            with suppress(OSError):
                file.close()
            Path(str(file.name)).unlink(missing_ok=True)
        for spare in self._kept.values():
            if spare is not None:
                spare.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes, check: Check = lambda: None) -> None:
    """Write beside the target, then put in its place: a reader sees the old file or the new one, never a part."""
    write_all({path: data}, check)


def write_all(files: Mapping[Path, bytes], check: Check = lambda: None) -> None:
    """Several files: none is put in its place before all are written."""
    with Files(files, check) as opened:
        for path, data in files.items():
            opened[path].write(data)


def _followed(path: Path) -> Path:
    """The file that a path stands for, links followed. Raises OSError where they lead in a circle."""
    found = Path(os.path.realpath(path))
    if found.is_symlink():
        os.stat(found)  # a circle, which the system names
    return found


def _beside(target: Path) -> BinaryIO:
    """A new file in the folder of a target, that nobody else may read."""
    for _ in range(TRIES):
        with suppress(FileExistsError):
            return open(_name_beside(target), "x+b", opener=_private)
    raise FileExistsError(f"no name is free beside `{target}`")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _name_beside(target: Path) -> Path:
    return target.with_name(f".ogive-{secrets.token_hex(8)}")


def _mode(path: Path) -> int:
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
