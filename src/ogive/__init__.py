"""Ogive: a small, typed language for neural architectures, and its compiler."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ogive.version import VERSION

if TYPE_CHECKING:
    from ogive.api import Block, Model, Program, load, source
    from ogive.grammar.diagnostics import ArchError, Diagnostic
    from ogive.imported import Imported, from_torch
    from ogive.imported_onnx import from_onnx
    from ogive.refusals import ArchWarning

__version__ = VERSION
__all__ = [
    "ArchError",
    "ArchWarning",
    "Block",
    "Diagnostic",
    "Imported",
    "Model",
    "Program",
    "from_onnx",
    "from_torch",
    "load",
    "source",
]

# looked up on first use: `import ogive` alone costs nothing and brings no framework
_HOMES = {
    "ArchError": "ogive.grammar.diagnostics",
    "ArchWarning": "ogive.refusals",
    "Block": "ogive.api",
    "Diagnostic": "ogive.grammar.diagnostics",
    "Imported": "ogive.imported",
    "Model": "ogive.api",
    "Program": "ogive.api",
    "from_onnx": "ogive.imported_onnx",
    "from_torch": "ogive.imported",
    "load": "ogive.api",
    "source": "ogive.api",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'ogive' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def load_ipython_extension(shell: object) -> None:
    """What `%load_ext ogive` calls in a notebook."""
    from ogive.extras import needs

    with needs("notebook"):
        from ogive.notebook.magic import load as taught

    taught(shell)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
