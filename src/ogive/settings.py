"""What a project says once: the section `[tool.ogive]` of its `pyproject.toml`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ogive.grammar.diagnostics import Diagnostic

FILE = "pyproject.toml"
SECTION = "tool.ogive"
LARGE = 10_000_000  # bytes


class SettingsError(Exception):
    """The section says something that it cannot: the file, the key, and what fits."""


@dataclass(frozen=True)
class ProjectSettings:
    """`paths`: what is checked and formatted where no file is named. `ignore`: codes that are not shown, with reasons.

    `sizes`: numbers for sizes of inputs where a command needs some and is given none.
    """

    file: Path | None = None
    paths: tuple[Path, ...] = ()
    ignore: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)

    def shown(self, diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
        """The findings whose codes are not ignored."""
        return [found for found in diagnostics if found.code not in self.ignore]


NOTHING = ProjectSettings()


def settings_of(path: Path) -> ProjectSettings:
    """The settings for a file, or for what is in a folder: of the nearest `pyproject.toml` above that has the section.

    Raises `SettingsError` where that says something that it cannot.
    """
    start = path.absolute()
    for folder in (start, *start.parents):
        found = _held(folder / FILE)
        if found is not None:
            return found
    return NOTHING


def _held(file: Path) -> ProjectSettings | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return _read(file, status.st_mtime_ns, status.st_size)


@lru_cache(256)
def _read(file: Path, changed: int, length: int) -> ProjectSettings | None:
    """The section of a file, read again once it has changed; None where there is none."""
    try:
        data = file.read_bytes() if length < LARGE else b""
    except OSError:
        return None
    if SECTION.encode() not in data:
        return None  # most projects say nothing, and reading TOML takes longer than a small check
    import tomllib

    try:
        whole = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from None
    section = whole.get("tool", {}).get("ogive")
    return None if section is None else _settings(file, section)


def _settings(file: Path, section: Any) -> ProjectSettings:
    if not isinstance(section, dict):
        raise _wrong(file, "", "is a table")
    for key in section.keys() - {"paths", "ignore", "sizes"}:
        raise _wrong(file, f".{key}", "is no setting: there are paths, ignore and sizes")
    paths, ignore, sizes = section.get("paths", []), section.get("ignore", {}), section.get("sizes", {})
    if not isinstance(paths, list) or not all(isinstance(each, str) and each for each in paths):
        raise _wrong(file, ".paths", 'is a list of files and folders: ["models"]')
    for each in paths:
        if not (file.parent / each).exists():
            raise _wrong(file, ".paths", f"names `{each}`, which is not there")
    return ProjectSettings(
        file, tuple(_beside(file.parent / each) for each in paths), _ignored(file, ignore), _numbers(file, sizes)
    )


def _ignored(file: Path, ignore: Any) -> dict[str, str]:
    from ogive.codes import sections

    if not isinstance(ignore, dict):
        raise _wrong(file, ".ignore", 'is a table of codes with reasons: { W0901 = "..." }')
    for code, reason in ignore.items():
        if code not in sections():
            raise _wrong(file, f".ignore.{code}", "is no code")
        if code[0] == "E":
            raise _wrong(file, f".ignore.{code}", "is an error: only warnings and hints are ignored")
        if not isinstance(reason, str) or not reason.strip():
            raise _wrong(file, f".ignore.{code}", "needs a reason: a text")
    return dict(ignore)


def _numbers(file: Path, sizes: Any) -> dict[str, int]:
    if not isinstance(sizes, dict):
        raise _wrong(file, ".sizes", "is a table of numbers: { b = 1, n = 128 }")
    for name, number in sizes.items():
        if type(number) is not int or number < 0:
            raise _wrong(file, f".sizes.{name}", "is a whole number")
    return dict(sizes)


def _wrong(file: Path, key: str, said: str) -> SettingsError:
    return SettingsError(f"{file}: {SECTION}{key} {said}")


def _beside(path: Path) -> Path:
    """A path as a user would write it from where the command runs."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
