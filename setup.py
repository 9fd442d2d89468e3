"""Shows five top-level folders inside the package, before setuptools looks for packages.

`src/ogive/grammar` and its siblings are links that this file makes, so git holds none and a clone needs no support
for symbolic links: `pip install -e .` runs this file, and `python setup.py links` makes the links alone. On Windows
they are directory junctions, which need no privilege. A source distribution holds real folders in their place.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from setuptools import Command, setup

ROOT = Path(__file__).resolve().parent
FOLDERS = ("grammar", "compiler", "backends", "stdlib", "examples")


def link(folder: str) -> None:
    """Make `src/ogive/<folder>` show `<folder>`, unless it does so already or is a folder of its own."""
    target, place = ROOT / folder, ROOT / "src" / "ogive" / folder
    if place.is_dir() or not target.is_dir():
        return
    if place.is_symlink() or place.is_file():  # it leads nowhere, or an older git wrote the link as text
        place.unlink()
    if sys.platform == "win32":
        import _winapi

        _winapi.CreateJunction(str(target), str(place))
    else:
        place.symlink_to(Path(os.pardir, os.pardir, folder), target_is_directory=True)


class Links(Command):
    """`python setup.py links`: the links are made whenever this file runs, so there is nothing left to do."""

    description = "show the top-level folders in src/ogive"
    user_options: list[tuple[str, str | None, str]] = []  # noqa: RUF012 - the type that setuptools declares

    def initialize_options(self) -> None:
        """Has none."""

    def finalize_options(self) -> None:
        """Has none."""

    def run(self) -> None:
        """Done below, before setuptools looks for packages."""


for name in FOLDERS:
    link(name)
setup(cmdclass={"links": Links})
