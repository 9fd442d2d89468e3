"""Mutants that no test can kill, each with the reason: `equivalent.txt`, in which a key's reason is the next line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

_LINES = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines()
EQUIVALENT: Mapping[str, str] = MappingProxyType(
    {key: reason.strip() for key, reason in zip(_LINES[::2], _LINES[1::2], strict=True)}
)
