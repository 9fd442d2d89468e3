"""Where modules of others come from: folders of `OGIVE_PATH`, and packages that name themselves by an entry point.

A package ships blocks with `[project.entry-points."ogive.blocks"]` and `mylib = "mylib.arch"`: `use mylib.parts (Stem)`
then reads `parts.arch` in the folder `arch` of the package `mylib`. Nothing of the package is imported.
"""

from __future__ import annotations

import os
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

VARIABLE = "OGIVE_PATH"
GROUP = "ogive.blocks"


def files(module: str) -> tuple[Path, ...]:
    """The files that a module's name could mean, each once; more than one is a clash."""
    first, *rest = module.split(".")
    if not all(part.isidentifier() for part in (first, *rest)):
        return ()
    found = [folder.joinpath(first, *rest).with_suffix(".arch") for folder in _folders()]
    if rest:
        found += [folder.joinpath(*rest).with_suffix(".arch") for folder in _packages(first)]
    return tuple(dict.fromkeys(path.resolve() for path in found if path.is_file()))


def known() -> tuple[str, ...]:
    """The names of the packages that ship blocks, sorted."""
    return tuple(sorted({point.name for point in _entry_points()}))


def _entry_points() -> EntryPoints:
    from importlib.metadata import entry_points  # a tenth of a check's start, and the library needs none

    return entry_points(group=GROUP)


def _folders() -> tuple[Path, ...]:
    return tuple(Path(folder) for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder)


def _packages(name: str) -> tuple[Path, ...]:
    """The folders that entry points of this name mean."""
    found: list[Path] = []
    for point in _entry_points().select(name=name):
        top, *below = point.value.split(".")
        spec = PathFinder.find_spec(top)
        roots = (spec.submodule_search_locations if spec is not None else None) or ()
        found += [Path(root).joinpath(*below) for root in roots]
    return tuple(found)
