"""Shows five top-level folders inside the package, before setuptools looks for packages, and README.md to an index.

`src/ogive/grammar` and its siblings are links that this file makes, so git holds none and a clone needs no support
for symbolic links: `pip install -e .` runs this file, and `python setup.py links` makes the links alone. On Windows
they are directory junctions, which need no privilege. A source distribution holds real folders in their place.
"""

from __future__ import annotations

import gzip
import os
import re
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any

from setuptools import Command, setup
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
FOLDERS = ("grammar", "compiler", "backends", "stdlib", "examples")
# a link or a picture; or code, in which brackets and parentheses mean something else
LINK = re.compile(
    r"^```.*?^```$|`[^`\n]+`|(?P<bang>!?)\[(?P<words>[^\]]*)\]\((?P<to>[^)\s]+)\)", re.MULTILINE | re.DOTALL
)


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


def described() -> str:
    """README.md for readers elsewhere: its links and pictures lead into the repository, at the tag of this version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    repository = project["urls"]["Repository"]

    def absolute(found: re.Match[str]) -> str:
        target = found["to"]
        if target is None or re.match(r"[a-z]+:|#", target):
            return found[0]
        form = "raw" if found["bang"] else "blob"
        return f"{found['bang']}[{found['words']}]({repository}/{form}/v{project['version']}/{target})"

    return LINK.sub(absolute, (ROOT / "README.md").read_text(encoding="utf-8"))


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


class SourceArchive(sdist):
    """A source distribution whose bytes depend on its files alone, where `SOURCE_DATE_EPOCH` says when it was made."""

    def make_archive(self, base_name: Any, format: Any, root_dir: Any = None, base_dir: Any = None, **more: Any) -> Any:
        """As setuptools makes it, but in the order of names, at that time, by nobody."""
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch is None or format != "gztar":
            return super().make_archive(base_name, format, root_dir, base_dir, **more)

        def settled(info: tarfile.TarInfo) -> tarfile.TarInfo:
            info.mtime, info.uid, info.gid, info.uname, info.gname = int(epoch), 0, 0, "", ""
            info.mode = 0o755 if info.isdir() else 0o644
            return info

        path = Path(f"{base_name}.tar.gz")
        path.parent.mkdir(parents=True, exist_ok=True)
        top = Path(root_dir or ".")
        with (
            path.open("wb") as file,
            gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=int(epoch)) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for each in sorted((top / base_dir).rglob("*")):
                tar.add(each, each.relative_to(top).as_posix(), recursive=False, filter=settled)
        return str(path)


for name in FOLDERS:
    link(name)
setup(
    cmdclass={"links": Links, "sdist": SourceArchive},
    long_description=described(),
    long_description_content_type="text/markdown",
)
