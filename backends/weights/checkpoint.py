"""What a path to weights stands for: a file, a folder, or the index of the shards of one checkpoint."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ogive.backends.weights.header import Header, TwiceError, header, once, pickled, unreadable

INDEX = ".index.json"
LARGEST = 256 << 20  # bytes of an index that is read
SHOWN = 4  # names that a fault lists
# what a folder holds, in the order in which it is looked for: as transformers names it, then anything of these endings
USUAL = (
    ("model.safetensors", f"model.safetensors{INDEX}"),
    ("*.safetensors", f"*.safetensors{INDEX}"),
    ("pytorch_model.bin", f"pytorch_model.bin{INDEX}"),
    ("*.bin", "*.pt", "*.pth", "*.ckpt", f"*.bin{INDEX}"),
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The files of a checkpoint. `index` says which of them holds which tensor, where there is one."""

    path: Path
    files: tuple[Path, ...]
    index: Mapping[str, str] | None = None
    index_file: Path | None = None
    pickled: bool = False

    @property
    def read(self) -> tuple[Path, ...]:
        """All files that are read, the index among them."""
        return (*self.files, *([self.index_file] if self.index_file is not None else []))


def checkpoint(path: Path | str) -> Checkpoint:
    """The files that a path stands for. Raises `ArchError` where there are none, or several that it may mean."""
    given = Path(path)
    found = _in_folder(given) if os.path.isdir(given) else given  # pathlib raises for names too long
    if found.suffix != ".json":
        return Checkpoint(given, (found,), pickled=pickled(found))
    index = _index(found)
    files = tuple(found.parent / name for name in dict.fromkeys(index.values()))
    missing = [file.name for file in files if not os.path.isfile(file)]
    if missing:
        help_ = "fetch them into the folder of the index"
        raise unreadable(found, f"names {_listed(missing)}, which {_are(missing)} not there", help_)
    kinds = {pickled(file) for file in files}
    if len(kinds) > 1:
        raise unreadable(found, "names both safetensors and pickles", "give an index of one kind")
    return Checkpoint(given, files, index, found, kinds.pop())


def headed(found: Checkpoint) -> Header:
    """What the safetensors files of a checkpoint say of themselves, together."""
    heads = [header(file) for file in found.files]
    agree(found, [head.entries.keys() - head.ties.keys() for head in heads])
    if len(heads) == 1 and found.index is None:
        return heads[0]
    ties = {name: kept for head in heads for name, kept in head.ties.items()}
    entries = {name: entry for head in heads for name, entry in head.entries.items()}
    kept = {name: entries[ties.get(name, name)] for name in entries}
    metadata = {name: text for head in heads for name, text in head.metadata.items()}
    return Header(found.path, kept, metadata, ties, frozenset().union(*(head.pairs for head in heads)))


def agree(found: Checkpoint, names: Sequence[Collection[str]]) -> None:
    """Raise `ArchError` where shards hold a tensor twice, or something else than the index says."""
    holders: dict[str, list[str]] = defaultdict(list)
    for file, held in zip(found.files, names, strict=True):
        for name in held:
            holders[name].append(file.name)
    place = found.index_file or found.path
    twice = {name: files for name, files in sorted(holders.items()) if len(files) > 1}
    if twice:
        name, files = next(iter(twice.items()))
        more = f" ({len(twice)} such tensors)" if len(twice) > 1 else ""
        raise unreadable(place, f"has `{name}` in {_listed(files)}: which of them counts?{more}", DAMAGED)
    if found.index is None:
        return
    lost = [name for name, file in found.index.items() if file not in holders.get(name, ())]
    if lost:
        name = lost[0]
        where = f", but that holds it not{_beside(lost)}"
        raise unreadable(place, f"says that `{name}` is in `{found.index[name]}`{where}", DAMAGED)
    more_than_said = sorted(holders.keys() - found.index.keys())
    if more_than_said:
        name = more_than_said[0]
        text = f"does not name `{name}`, which `{holders[name][0]}` holds{_beside(more_than_said)}"
        raise unreadable(place, text, DAMAGED)


DAMAGED = "index and shards are of two checkpoints, or one of them was changed: fetch or save them anew"


def _in_folder(folder: Path) -> Path:
    for patterns in USUAL:
        found = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
        indexed = [path for path in found if path.name.endswith(INDEX)]
        if len(indexed) == 1:  # the others may be its shards
            shards = set(_index(indexed[0]).values())
            found = [path for path in found if path.name not in shards]
        if len(found) == 1:
            return found[0]
        if found:
            raise unreadable(folder, f"holds {_listed([path.name for path in found])}", "give one of them")
    raise unreadable(folder, "is a folder without weights", f"there is no *.safetensors, *{INDEX}, *.bin or *.pt in it")


def _index(path: Path) -> dict[str, str]:
    """The map from tensors to files of an index, as transformers writes it: all of them beside the index."""
    names = _json(path).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(file, str) for file in names.values()):
        raise unreadable(path, "is not an index of shards", LAYOUT)
    for name, file in names.items():
        if not _plain(file):
            raise unreadable(path, f"puts `{name}` into `{file[:80]}`", "shards are files in the folder of their index")
    return names


def about_index(path: Path) -> dict[str, str]:
    """The texts among the metadata of an index."""
    _index(path)
    found = _json(path).get("metadata")
    return {name: text for name, text in found.items() if isinstance(text, str)} if isinstance(found, dict) else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST:
            raise unreadable(path, f"is larger than {LARGEST >> 20} MB, which is no index", LAYOUT)
        found = once(path.read_bytes())
    except OSError as error:
        raise unreadable(path, f"cannot be read: {(error.strerror or str(error)).lower()}", "") from None
    except TwiceError as error:
        raise unreadable(path, f"has an entry `{error}` twice", DAMAGED) from None
    except (ValueError, RecursionError):
        raise unreadable(path, "is no JSON", LAYOUT) from None
    if not isinstance(found, dict):
        raise unreadable(path, "is not an index of shards", LAYOUT)
    return found


LAYOUT = 'an index is {"weight_map": {"name of a tensor": "model-00001-of-00002.safetensors", ...}}'


def _plain(name: str) -> bool:
    """Whether a name is that of a file in a folder, in every system: no way out of it, and no stream of Windows."""
    return bool(name) and name not in (".", "..") and name.isprintable() and not set(name) & set('/\\:*?"<>|')


def _listed(names: Sequence[str]) -> str:
    shown = [f"`{name}`" for name in names[:SHOWN]]
    return " and ".join([*shown, f"{len(names) - SHOWN} more"] if len(names) > SHOWN else shown)


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _beside(names: Sequence[str]) -> str:
    return f", nor {len(names) - 1} more" if len(names) > 1 else ""
