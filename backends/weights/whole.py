"""Files that are written whole or not at all, several of them together."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

Check = Callable[[], None]
NAMED = 3  # so many files are named in an error


class Files:
    """Files in folders beside their targets, put in their places when all are written.

        with Files([path], check) as files:
            files[path].write(data)

    `check` says, by an exception, that a target may not be replaced. It is asked at once, and again when all is
    written: by then another program may have put something there. Where anything fails, all is left as it was.
    """

    def __init__(self, paths: Iterable[Path | str], check: Check = lambda: None) -> None:
        self._check = check
        self._check()
        self._targets = {Path(path): _followed(Path(path)) for path in paths}
        self._folders: dict[Path, Path] = {}  # by the folder of a target, the one that is in it for now
        self._open: dict[Path, BinaryIO] = {}
        self._kept: dict[Path, Path | None] = {}  # what stood at a target, by a second name: None for nothing

    def __enter__(self) -> Files:
        try:
            for path, target in self._targets.items():
                if target.parent not in self._folders:
                    self._folders[target.parent] = _folder_in(target.parent)
                self._open[path] = self.made(path).open("xb")
        except BaseException:
            self._drop()
            raise
        return self

    def __getitem__(self, path: Path | str) -> BinaryIO:
        """The open file that will stand at a path."""
        return self._open[Path(path)]

    def made(self, path: Path | str) -> Path:
        """Where the file is for now, under its own name, beside the others of its folder."""
        target = self._targets[Path(path)]
        return self._folders[target.parent] / target.name

    def flush(self) -> None:
        """What was written can be read by others."""
        for file in self._open.values():
            file.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._commit()
        except OSError as failed:
            raise self._named(failed) from None
        finally:
            self._drop()
        if isinstance(error, OSError):
            raise self._named(error) from None

    def _named(self, error: OSError) -> OSError:
        """The error with the files that were to be written, where it names none: a full disk does not say which."""
        if error.filename is not None or error.errno is None:
            return error
        names = [str(path) for path in self._targets]
        told = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
        return OSError(error.errno, f"{error.strerror}; nothing was written", told)

    def _commit(self) -> None:
        for path, file in self._open.items():
            file.flush()
            os.fsync(file.fileno())
            file.close()
            if (mode := _mode(self._targets[path])) is not None:
                self.made(path).chmod(mode)
        self._check()
        done: list[Path] = []
        try:
            for path, target in self._targets.items():
                self._place(self.made(path), target, last=len(done) == len(self._targets) - 1)
                done.append(target)
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
                spare = made.with_name(f"{made.name}.before")
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
        for folder in self._folders.values():
            shutil.rmtree(folder, ignore_errors=True)


def write_whole(path: Path, data: bytes, check: Check = lambda: None) -> None:
    """Write beside the target, then put in its place: a reader sees the old file or the new one, never a part."""
    write_all({path: data}, check)


def write_all(files: Mapping[Path, bytes], check: Check = lambda: None) -> None:
    """Several files: none is put in its place before all are written."""
    with Files(files, check) as opened:
        for path, data in files.items():
            opened[path].write(data)


def _folder_in(folder: Path) -> Path:
    """A new folder in a folder, that nobody else may read. What is refused is said of the outer one."""
    try:
        return Path(tempfile.mkdtemp(dir=folder, prefix=".ogive-"))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None


def _followed(path: Path) -> Path:
    """The file that a path stands for, links followed. Raises OSError where they lead in a circle."""
    found = Path(os.path.realpath(path))
    if found.is_symlink():
        os.stat(found)  # a circle, which the system names
    return found


def _mode(path: Path) -> int | None:
    """The mode of the file that is replaced; a new one has that of any file that is opened."""
    return path.stat().st_mode & 0o777 if path.exists() else None
