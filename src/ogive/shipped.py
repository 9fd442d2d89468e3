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
    """All of them by name, in alphabetical order."""
    found = {}
    for path in sorted(FOLDER.glob("*.arch")):
        maps = (*sorted(FOLDER.glob(f"{path.stem}.map.toml")), *sorted(FOLDER.glob(f"{path.stem}.*.map.toml")))
        found[path.stem] = Example(path.stem, path, _about(path.read_text(encoding="utf-8")), maps)
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
