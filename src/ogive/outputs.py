"""What may be written: no output is a file that was read, and nothing is replaced that cannot be made again.

A file of weights is replaced if its metadata say that the same command wrote it from the same source; a text or a
picture if it carries our head, and nobody has changed it since. `force` replaces others too, never an input.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Literal

from ogive.backends.onnx_model.serialize.metadata import metadata as onnx_metadata
from ogive.backends.weights.maps import WeightMap
from ogive.backends.weights.whole import Files
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.render import render
from ogive.grammar.source import Chunk, Span
from ogive.stamp import KEY, Stamp, intact

DATA = f"{KEY}data"  # in the metadata of an ONNX file: the size of the file with its heavy weights
LARGEST = 64 << 20  # bytes of a text or picture that is looked into


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file that is to be written. `model` is the ONNX file that `path` holds the heavy weights of."""

    path: Path
    stamp: Stamp
    kind: Literal["text", "safetensors", "index", "onnx"] = "text"  # pictures are texts here
    model: Path | None = None


def opened(outputs: Collection[OutputFile], inputs: Iterable[Path] = (), force: bool = False) -> Files:
    """The outputs, to be written together. Raises `ArchError` where one may not be."""
    read = tuple(inputs)
    return Files([output.path for output in outputs], lambda: check(outputs, read, force))


def write(files: Mapping[OutputFile, bytes], inputs: Iterable[Path] = (), force: bool = False) -> None:
    """Write all of them, or none."""
    with opened(tuple(files), inputs, force) as ready:
        for output, data in files.items():
            ready[output.path].write(data)


def check(outputs: Collection[OutputFile], inputs: Iterable[Path] = (), force: bool = False) -> None:
    """Raise `ArchError` that names every output that may not be written, and why."""
    found = []
    read = [path for path in inputs if os.path.exists(path)]  # false too for names that no file can have
    before: list[OutputFile] = []
    for output in outputs:
        same = next((path for path in read if same_file(output.path, path)), None)
        twice = next((other for other in before if same_file(output.path, other.path)), None)
        if same is not None:
            found.append(_fault("E0824", output.path, _said("is read by this command", output.path, same), HELP_INPUT))
        elif twice is not None:
            text = _said("is written twice", output.path, twice.path)
            found.append(_fault("E0824", output.path, text, "give each file a name of its own"))
        elif (reason := _foreign(output, force)) is not None:
            found.append(_fault("E0825", output.path, *reason))
        before.append(output)
    if found:
        raise ArchError(tuple(found), render(found))


HELP_INPUT = "write to another name: no output replaces what it is made of, with or without --force"


def same_file(a: Path, b: Path) -> bool:
    """Whether two paths are one file: by links, by hard links, or where the case of letters does not count."""
    try:
        if a.samefile(b):
            return True
    except OSError:
        pass  # one of them is not there yet
    return _plain(a) == _plain(b)


def _plain(path: Path) -> str:
    return unicodedata.normalize("NFC", os.path.realpath(path)).casefold()


def _foreign(output: OutputFile, force: bool) -> tuple[str, str] | None:
    """Why a file that is there may not be replaced, and what to do; None where it may."""
    path = output.path
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        folder = Path(os.path.realpath(path)).parent
        return None if folder.is_dir() else (f"cannot be written: there is no folder `{folder.name}`", "make it first")
    except OSError as error:
        return f"cannot be written: {(error.strerror or str(error)).lower()}", ""
    if not stat.S_ISREG(mode):
        return f"is {'a folder' if stat.S_ISDIR(mode) else 'no file that could be replaced'}", "give the name of a file"
    if not os.access(path, os.W_OK):
        return "may not be written: it is read-only", "give another name, or make it writable"
    if force:
        return None
    reason = _text(path) if output.kind == "text" else _weights(output)
    return (
        None if reason is None else (reason, "give another name, or replace it with --force (in Python `force=True`)")
    )


def _text(path: Path) -> str | None:
    try:
        data = path.read_bytes() if path.stat().st_size <= LARGEST else b""
    except OSError as error:
        return f"cannot be read: {(error.strerror or str(error)).lower()}"
    if intact(data):
        return None
    return "is there, and was changed since Ogive wrote it" if b"sha256 " in data and b"Ogive " in data else FOREIGN


FOREIGN = "is there, and Ogive did not write it"


def _weights(output: OutputFile) -> str | None:
    try:
        found: Mapping[str, str] = (
            onnx_metadata(output.model or output.path) if output.kind == "onnx" else _metadata(output)
        )
    except (OSError, ValueError, ArchError):
        return FOREIGN
    if output.model is not None and found.get(DATA) != str(output.path.stat().st_size):
        return FOREIGN
    return _differs(found, output)


def _metadata(output: OutputFile) -> Mapping[str, str]:
    """The metadata of a safetensors file, or of an index. Raises `ArchError` where it is none."""
    # who writes such a file has the library
    from ogive.backends.weights.checkpoint import about_index
    from ogive.backends.weights.header import header

    return about_index(output.path) if output.kind == "index" else header(output.path).metadata


def _differs(found: Mapping[str, str], output: OutputFile) -> str | None:
    """What a file of weights was made of, where that is something else.

    An ONNX file is made of what is kept elsewhere: the command and the source are enough. Safetensors may be all that
    is left of a training: those of another model of the source stay too.
    """
    if f"{KEY}command" not in found:
        return FOREIGN
    names = {"command": "by another command", "digest": "from another source", "model": "of another model",
             "statics": "with other statics", "passes": "after other passes"}  # fmt: skip
    for name, words in list(names.items())[: 2 if output.kind == "onnx" else None]:
        mine, theirs = output.stamp.identity[KEY + name], found.get(KEY + name, "")
        if mine != theirs:
            theirs = found.get(f"{KEY}source", "") if name == "digest" else theirs
            if name == "digest" and theirs == output.stamp.source:
                return f"holds weights that Ogive wrote from an earlier text of {theirs}"
            shown = f": {theirs}" if name not in ("statics", "passes") and theirs else ""
            return f"holds weights that Ogive wrote {words}{shown}"
    return None


def paths_in(*given: object) -> tuple[Path, ...]:
    """The files among what weights and maps were given as: of a folder or an index, also the shards."""
    found = [file for each in given if isinstance(each, str | PathLike) for file in _read_for(Path(fspath(each)))]
    maps = [Path(each.chunk.path) for each in given if isinstance(each, WeightMap)]
    return (*found, *maps)


def _read_for(path: Path) -> tuple[Path, ...]:
    """What is read where a path is given. A path that cannot be read is refused elsewhere."""
    if path.suffix != ".json" and not os.path.isdir(path):
        return (path,)
    # who reads such files has their library
    from ogive.backends.weights.checkpoint import checkpoint

    try:
        return (path, *checkpoint(path).read)
    except ArchError:
        return (path,)


def _said(what: str, path: Path, other: Path) -> str:
    return what if str(path) == str(other) else f"{what}: it is the same file as `{other}`"


def _fault(code: str, path: Path, text: str, help_: str) -> Diagnostic:
    return Diagnostic(code, f"`{path}` {text}", Span(Chunk("", str(path)), 0, 0), help=help_)
