"""What never changes: a copy is the thing itself, and a pickle says how it was made of texts."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, Self

Again = tuple[Callable[..., Any], tuple[Any, ...]]


class Kept:
    """Programs, blocks and models: sizes belong to a process, so a new one reads the texts again."""

    _again: Again | None = None

    def __reduce__(self) -> Again:
        if self._again is None:
            raise pickle.PicklingError(f"{self!r} was made of no text that could be read again")
        return self._again

    def _repr_html_(self) -> str:
        """What notebooks show."""
        from ogive.notebook.views import view  # which a program without a notebook does without

        return view(self)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


def plain(value: Any) -> Any:
    """A static as it was given, for a later call: nothing that may change in between, blocks by their names."""
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return tuple(map(plain, value))
    return getattr(value, "name", value)
