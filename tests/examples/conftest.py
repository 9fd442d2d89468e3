"""What the tests of the examples share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch


@pytest.fixture
def on_meta() -> Callable[[str, Any], Any]:
    """Builds a model of transformers without storage."""
    transformers = pytest.importorskip("transformers")

    def build(name: str, config: Any) -> Any:
        with torch.device("meta"):
            return getattr(transformers, name)(config)

    return build
