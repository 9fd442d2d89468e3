"""The evaluator of the ONNX standard, with its faults mended one by one (onnx 1.23)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import ModelProto
from onnx.reference import ReferenceEvaluator

from generated.mended import MENDED, Numbers


class Evaluator(ReferenceEvaluator):  # type: ignore[misc]
    """With the mended operations also in functions, which are evaluators of this class."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        settings["new_ops"] = [*(settings.get("new_ops") or ()), *MENDED]
        super().__init__(*args, **settings)


# what it lacks and is not mended: what the words of an error say
WORDS = (("context dependent implementation", "types inside of functions"),)


def words_of(error: Exception) -> str:
    """What the evaluator lacks, where an error says so."""
    return next((what for words, what in WORDS if words in str(error)), "")


def evaluated(proto: ModelProto, feeds: Mapping[str, Numbers]) -> list[Numbers]:
    """The outputs. Raises whatever the evaluator raises."""
    with np.errstate(all="ignore"):
        found = Evaluator(proto).run(None, dict(feeds))
    return [np.asarray(y) for y in found]
