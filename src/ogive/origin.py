"""Where a model comes from: the files that were read for it, and what is written into those that it becomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from ogive.compiler.driver.workspace import CheckedProgram, texts_of
from ogive.compiler.elaborate.state.plain import statics_of
from ogive.compiler.ir.attributes import ExternAttrs
from ogive.compiler.ir.model import Definition, Model, Node
from ogive.outputs import OutputFile, write
from ogive.stamp import Stamp


@dataclass(frozen=True, slots=True)
class Origin:
    """The stamp of what is made of a program, and the files of the program."""

    stamp: Stamp
    files: tuple[Path, ...] = ()

    @staticmethod
    def of(program: CheckedProgram) -> Origin:
        """That of a checked file."""
        paths = [path for path, _ in texts_of(program)]
        return Origin(Stamp.of(program, ""), tuple(Path(path) for path in paths if not path.startswith("<")))

    def named(self, name: str, statics: Mapping[str, Any] | None = None) -> Origin:
        """That of a block or a model of the program."""
        return replace(self, stamp=self.stamp.named(name, statics or {}))

    def model(self, ir: Model) -> Origin:
        """That of a model, with its statics."""
        return self.named(ir.name, statics_of(ir))

    @property
    def keeper(self) -> Keeper:
        """How pictures become files."""
        return Keeper(self)


NOWHERE = Origin(Stamp("text", "", ""))


@dataclass(frozen=True, slots=True)
class Keeper:
    """Writes pictures: with a head, over nothing that is not ours."""

    origin: Origin

    def output(self, path: Path) -> OutputFile:
        """A picture that is to be written."""
        return OutputFile(path, self.origin.stamp.by("draw"))

    def write(self, path: Path, data: bytes, format: str, force: bool) -> None:
        """Write one picture."""
        output = self.output(path)
        write({output: output.stamp.signed(data, format)}, self.origin.files, force)


def module_files(ir: Model) -> tuple[Path, ...]:
    """The files of the modules of Python that hold the user's own classes (`extern`), which are not imported for it."""
    told = (node.structure for node in _foreign(ir.definition, set()))
    targets = {each.target.partition(":")[0] for each in told if isinstance(each, ExternAttrs)}
    return tuple(path for target in sorted(targets) if (path := _module_file(target)) is not None)


def _foreign(definition: Definition, seen: set[int]) -> Iterator[Node]:
    if id(definition) in seen:
        return
    seen.add(id(definition))
    if definition.foreign is not None:
        yield definition.foreign
    for member in definition.instances:
        yield from _foreign(member.definition, seen)


def _module_file(name: str) -> Path | None:
    first, *rest = name.split(".")
    spec = PathFinder.find_spec(first)
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin is not None else None
    places = [Path(place, *rest) for place in spec.submodule_search_locations or ()]
    files = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
    return next((file for file in files if file.is_file()), None)


def licence(module: str) -> str:
    """The licence of the package that a class is from, as its metadata tell; nothing where they do not."""
    top = module.partition(".")[0]
    if top in ("ogive", "torch", "__main__"):
        return ""
    try:
        told = metadata.metadata(top).json
    except metadata.PackageNotFoundError:
        return ""  # a file of the user's, or a package of another name
    trove = [
        str(each).rpartition(" :: ")[2] for each in told.get("classifier", ()) if str(each).startswith("License ::")
    ]
    short = str(told.get("license_expression") or told.get("license") or "").strip()
    found = short if short and len(short) < 60 and "\n" not in short else trove[0] if trove else ""
    return f"{found} ({top})" if found else ""
