"""Texts of files that were read: a check of them looks at no disk, in whatever process and folder it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ReadTexts:
    """The folder of the file that is checked, texts of others by path, and paths that names of packages mean."""

    folder: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
