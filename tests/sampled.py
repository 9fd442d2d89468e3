"""Cases of which some run always, and all with the slow tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def sampled(cases: Iterable[Any], step: int = 3) -> list[Any]:
    """Every so many-th as it is, the others marked slow."""
    return [case if at % step == 0 else pytest.param(case, marks=pytest.mark.slow) for at, case in enumerate(cases)]
