"""Where a source fixes the size of an input: the line that made torch give up a free size while it traced."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.fx.experimental.symbolic_shapes import ShapeEnv

_AXIS = re.compile(r"L\['(\w+)'\](?:\[(\d+)\])?\.size\(\)\[(\d+)\]")
_HOMES = (str(Path(torch.__file__).parent), str(Path(__file__).parent))
Places = dict[tuple[str, int], str]  # for an input and an axis: file:line


@contextmanager
def fixings() -> Iterator[Places]:
    """While a module is traced, note which line of it fixes which axis."""
    found: Places = {}
    original: Any = ShapeEnv._set_replacement

    def noticed(self: Any, a: Any, tgt: Any, *args: Any, **kwargs: Any) -> None:
        original(self, a, tgt, *args, **kwargs)
        if getattr(tgt, "is_Integer", False):
            for source in self.var_to_sources.get(a, ()):
                axis = _AXIS.fullmatch(str(source.name if isinstance(source.name, str) else source.name()))
                if axis is not None:
                    found.setdefault((axis[1], int(axis[3])), _line())

    ShapeEnv._set_replacement = noticed  # type: ignore[method-assign]
    try:
        yield found
    finally:
        ShapeEnv._set_replacement = original  # type: ignore[method-assign]


def _line() -> str:
    """The innermost line that runs now and is neither torch's nor this package's."""
    frames = [each for each in traceback.extract_stack() if not each.filename.startswith(_HOMES)]
    inner = next((each for each in reversed(frames) if "/ogive/" not in each.filename.replace("\\", "/")), None)
    return f"{inner.filename}:{inner.lineno}" if inner is not None else ""
