"""What all tests share: how properties are tried, and the flag that rewrites golden files."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# a shared machine is slow at times, which is no fault; CI tries the same programs each time
settings.register_profile("usual", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "usual")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rewrite` writes what the golden tests found; read the diff before you commit it."""
    parser.addoption("--rewrite", action="store_true", help="rewrite golden files with what was found")


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten."""
    return bool(request.config.getoption("--rewrite"))
