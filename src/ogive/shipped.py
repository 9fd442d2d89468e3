"""The examples that come with the package: architectures, and maps to the checkpoints of others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "examples"
_SENTENCE = re.compile(r"(?<!\bal)(?<!\d\d\d\d)\.\s+(?=[A-Z])|(?<=\d\d\d\d\d)\.\s+(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Example:
    """An architecture by its name. `about` is the first sentence of its file, `maps` its maps of weights."""

    name: str
    path: Path
    about: str
    maps: tuple[Path, ...]


def examples() -> dict[str, Example]:
    """Those that everyone knows, by name, in alphabetical order."""
    return _those_in(FOLDER, "")


def papers() -> dict[str, Example]:
    """Those of the library of papers, as `papers/NAME`, in alphabetical order."""
    return _those_in(FOLDER / "papers", "papers/")


def _those_in(folder: Path, before: str) -> dict[str, Example]:
    found = {}
    for path in sorted(folder.glob("*.arch")):
        maps = (*sorted(folder.glob(f"{path.stem}.map.toml")), *sorted(folder.glob(f"{path.stem}.*.map.toml")))
        found[before + path.stem] = Example(before + path.stem, path, _about(path.read_text(encoding="utf-8")), maps)
    return found


def _about(text: str) -> str:
    """The first sentence of the comment at the head of a file."""
    lines = []
    for line in text.splitlines():
        if line.startswith("#"):
            lines.append(line.lstrip("# "))
        elif lines:
            break
    return _SENTENCE.split(" ".join(lines), maxsplit=1)[0].rstrip(".")
