"""What a check needs of the interpreter: room for nested instances and expressions, and no pauses."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

GARBAGE = 5_000_000  # objects that may wait for a collection: less than a gigabyte
RECURSION = 12_000  # the limits on nesting bound how deep it really goes


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Raise the interpreter's recursion limit for a while."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, RECURSION))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@contextmanager
def unpaused() -> Iterator[None]:
    """Let the garbage collector wait: a full collection of a warm workspace takes longer than a check after an edit.

    Inside of another one what waits is collected at the end where it has become much.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()
        elif gc.get_count()[0] > GARBAGE:
            gc.collect()
