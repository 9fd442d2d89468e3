"""After `import ogive.hook`, `from models.gpt2 import GPT2` imports `models/gpt2.arch`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from ogive.api import load


class ArchFinder(MetaPathFinder):
    """Finds `.arch` files on the path of imports, where Python found nothing."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        for folder in sys.path if path is None else path:
            file = Path(folder, fullname.rpartition(".")[2] + ".arch")
            if file.is_file():
                return spec_from_file_location(fullname, file, loader=ArchLoader(file))
        return None


class ArchLoader(Loader):
    """Fills a module with the models and blocks of a file, and with `program`, the whole of it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        program = load(self.file)
        module.__dict__.update({**program.blocks, **program.models}, program=program, __all__=list(program))


# last, so that a Python module of the same name wins
if not any(isinstance(finder, ArchFinder) for finder in sys.meta_path):
    sys.meta_path.append(ArchFinder())
