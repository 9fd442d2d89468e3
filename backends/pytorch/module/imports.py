"""Which imports the names that a file reads ask for."""

from __future__ import annotations

from collections.abc import Collection

from ogive.backends.python_text.statements import Import

STANDARD = ("functools", "importlib", "inspect", "math", "sys")
STANDARD_NAMES = (("collections.abc", ("Callable", "Sequence")), ("typing", ("Any", "NamedTuple")))
TORCH = (Import("torch"), Import("torch.nn.functional", "F"))
TORCH_NAMES = ("Tensor", "nn")


def imports(read: Collection[str]) -> tuple[tuple[Import, ...], ...]:
    """Those of the standard library, then those of torch."""
    standard = [Import(module) for module in STANDARD if module in read]
    standard += [made for module, names in STANDARD_NAMES for made in _named(module, names, read)]
    torch = [each for each in TORCH if each.definitions & set(read)]
    return tuple(standard), (*torch, *_named("torch", TORCH_NAMES, read))


def _named(module: str, names: Collection[str], read: Collection[str]) -> list[Import]:
    found = tuple(name for name in names if name in read)
    return [Import(module, names=found)] if found else []
