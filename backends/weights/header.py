"""The head of a safetensors file, as the library of that format reads it. No tensor is read for it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ogive.backends.weights.kinds import BITS, KINDS
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.source import Chunk, Span

TIES = "ogive.ties"  # a JSON object in the metadata of a file: name -> the name it is stored under
PAIRS = "ogive.pairs"  # a JSON list: complex tensors whose type the format lacks, stored as pairs on a last axis
POINTER = b"version https://git-lfs"  # how files begin that git keeps in the place of large ones
PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """A tensor of a file: its kind (`f32`), its shape, where its bytes are, and the name that it has there."""

    kind: str
    shape: tuple[int, ...]
    start: int
    length: int
    file: Path
    name: str


@dataclass(frozen=True, slots=True)
class Header:
    """What a file, or all files of a checkpoint, say of themselves. Tied names are entries too."""

    path: Path
    entries: Mapping[str, TensorEntry]
    metadata: Mapping[str, str]
    ties: Mapping[str, str]
    pairs: frozenset[str]


def header(path: Path | str) -> Header:
    """Read the head of a file. Raises `ArchError` where it is none that safetensors takes."""
    path = Path(path)
    _refuse_others(path)
    try:
        with safe_open(path, framework="np") as file:
            metadata: dict[str, str] = file.metadata() or {}
            found = [(name, file.get_slice(name)) for name in file.offset_keys()]
            shapes = {name: (str(part.get_dtype()), tuple(part.get_shape())) for name, part in found}
        size = path.stat().st_size
        with path.open("rb") as file:  # of two entries of one name the library takes the last
            once(file.read(int.from_bytes(file.read(8), "little")))
    except TwiceError as error:
        raise unreadable(path, f"has an entry `{error}` twice") from None
    except OSError as error:
        raise unreadable(path, f"cannot be read: {(error.strerror or str(error)).lower()}") from None
    except SafetensorError as error:
        raise unreadable(path, f"is not a safetensors file: {error}") from None
    entries = _placed(path, shapes, size)
    pairs = frozenset(_texts(path, metadata, PAIRS))
    if any(name not in entries or entries[name].shape[-1:] != (2,) for name in pairs):
        raise unreadable(path, f"is damaged: `{PAIRS}` names tensors that are no pairs")
    ties = _named(path, metadata, TIES)
    if any(name in entries or kept not in entries for name, kept in ties.items()):
        raise unreadable(path, f"is damaged: `{TIES}` names tensors that are not there")
    ties = _plain_ties(metadata, entries) | ties
    entries |= {name: _complex(entries[name]) for name in pairs}
    return Header(path, entries | {name: entries[kept] for name, kept in ties.items()}, metadata, ties, pairs)


def _placed(path: Path, shapes: Mapping[str, tuple[str, tuple[int, ...]]], size: int) -> dict[str, TensorEntry]:
    """The tensors lie one behind the other, up to the end of the file: the library has checked that."""
    lengths = {}
    for name, (kind, shape) in shapes.items():
        if kind not in BITS:
            raise unreadable(path, f"holds `{name}` of the type {kind}, which is not known here")
        lengths[name] = prod(shape) * BITS[kind] // 8
    at = size - sum(lengths.values())
    entries = {}
    for name, (kind, shape) in shapes.items():
        entries[name] = TensorEntry(KINDS.get(kind, kind.lower()), shape, at, lengths[name], path, name)
        at += lengths[name]
    return entries


def _plain_ties(metadata: Mapping[str, str], entries: Mapping[str, TensorEntry]) -> dict[str, str]:
    """Ties as `safetensors.torch.save_model` writes them: an entry of the metadata for each name that is not stored."""
    return {
        name: kept
        for name, kept in metadata.items()
        if kept in entries and name not in entries and name != "format" and not name.startswith("ogive.")
    }


def _complex(entry: TensorEntry) -> TensorEntry:
    return replace(entry, kind="c128" if entry.kind == "f64" else "c64", shape=entry.shape[:-1])


def _named(path: Path, metadata: Mapping[str, str], key: str) -> dict[str, str]:
    """A part of the metadata that is an object of texts; empty where it is not there."""
    found = _json(metadata.get(key, "{}"))
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise unreadable(path, f"is damaged: `{key}` in its metadata")
    return found


def _texts(path: Path, metadata: Mapping[str, str], key: str) -> list[str]:
    """A part of the metadata that is a list of texts; empty where it is not there."""
    found = _json(metadata.get(key, "[]"))
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise unreadable(path, f"is damaged: `{key}` in its metadata")
    return found


class TwiceError(Exception):
    """An object of JSON has two entries of this name."""


def once(text: bytes) -> Any:
    """JSON whose objects have each name once. Raises `TwiceError`, and what `json.loads` raises."""

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            raise TwiceError(next(name for name in names if names.count(name) > 1))
        return found

    return json.loads(text, object_pairs_hook=made)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _refuse_others(path: Path) -> None:
    """Name the other kinds of checkpoints, which the library would only call damaged."""
    if os.path.isdir(path):
        raise unreadable(path, "is a folder, not a file of safetensors", "")
    if pickled(path):
        raise unreadable(path, "is a pickled checkpoint, not a safetensors file")
    with path.open("rb") as file:
        if file.read(len(POINTER)) == POINTER:
            raise unreadable(path, "is what git keeps in the place of the weights", "fetch them: `git lfs pull`")


def pickled(path: Path) -> bool:
    """Whether a file begins as a pickle does, or the archive that torch makes of one."""
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe would be waited for
        raise unreadable(path, "is not a file that could be read twice", "")
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise unreadable(path, f"cannot be read: {(error.strerror or str(error)).lower()}", "") from None
    # else these are the size of a head, which begins there
    return start.startswith(PICKLES) and start[8:] != b"{"


CONVERT = "a file of safetensors is meant, or one that `torch.save` wrote of a state dict"


def unreadable(path: Path | str, text: str, help_: str = CONVERT) -> ArchError:
    """The fault of a file of weights."""
    return ArchError((Diagnostic("E0822", f"`{path}` {text}", Span(Chunk("", str(path)), 0, 0), help=help_),))
