"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write beside the target, then put in its place: a reader sees the old file or the new one, never a part."""
    write_all({path: data})


def write_all(files: dict[Path, bytes]) -> None:
    """Several files: none is put in its place before all are written."""
    ready: list[tuple[str, Path]] = []
    try:
        for path, data in files.items():
            ready.append((_beside(path, data), path))
        for name, path in ready:
            os.replace(name, path)
    finally:
        for name, _ in ready:
            Path(name).unlink(missing_ok=True)


def _beside(path: Path, data: bytes) -> str:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            # a temporary file is private; the result gets the mode that a plain open would give
            os.chmod(file.name, _mode(path))
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    return file.name


def _mode(path: Path) -> int:
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
