"""The library: `.arch` files by module name."""

from __future__ import annotations

from functools import cache
from importlib import resources

PREFIX = "std."


@cache
def names() -> tuple[str, ...]:
    """The modules of the library, sorted: `("std.attention", "std.nn", ...)`."""
    files = (entry.name for entry in resources.files(__name__).iterdir())
    return tuple(sorted(PREFIX + name.removesuffix(".arch") for name in files if name.endswith(".arch")))


def source(name: str) -> str:
    """The text of `std.nn` and its like. A name that the library does not hold is a KeyError, whatever it spells."""
    if name not in names():
        raise KeyError(name)
    return resources.files(__name__).joinpath(name.removeprefix(PREFIX) + ".arch").read_text(encoding="utf-8")
