"""What is not installed: the extra that brings it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.render import render
from ogive.grammar.source import Chunk, Span

# the packages of each extra, by the names under which they are imported
EXTRAS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "torch": ("torch", "safetensors", "numpy"),
        "onnx": ("onnx", "onnxruntime", "ml_dtypes", "numpy", "safetensors"),
        "draw": ("resvg_py", "cairosvg"),
        "notebook": ("IPython",),
        "lsp": ("pygls", "lsprotocol"),
        "plot": ("matplotlib",),
    }
)


class MissingExtra(ArchError, ModuleNotFoundError):
    """An optional library is not installed."""


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Imports of an extra. Raises `MissingExtra`, which names it, where a library is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        found = next((each for each in (extra, *EXTRAS) if name in EXTRAS[each]), None)
        if found is None or isinstance(error, MissingExtra):
            raise
        raise missing(name, found) from None


def missing(name: str, extra: str) -> MissingExtra:
    """The fault of a library that is not there."""
    fault = Diagnostic(
        "E0830", f"`{name}` is not installed", Span(Chunk("", "<python>"), 0, 0), help=f"pip install 'ogive[{extra}]'"
    )
    return MissingExtra((fault,), render((fault,)))
