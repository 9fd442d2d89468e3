"""What the tests of editors share."""

from __future__ import annotations

import pytest
from tree_sitter import Language

from editors.syntax_trees import language


@pytest.fixture(scope="session")
def grammar(tmp_path_factory: pytest.TempPathFactory) -> Language:
    """The grammar for editors, compiled once."""
    return language(tmp_path_factory.getbasetemp())
