"""Room for the recursion that nested instances and expressions need."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

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
