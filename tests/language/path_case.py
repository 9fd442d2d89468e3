"""Small programs whose names some paths bind only, beside the same in numpy: `m` and `n` are None where absent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Given = Array | None
Weights = Mapping[str, Array]
Theirs = Callable[[Array, Given, Given, bool, Weights], Any]


@dataclass(frozen=True)
class Case:
    """A program over `x`, and `m` and `n` where it has such inputs, of shape [3, 4]."""

    name: str
    text: str
    theirs: Theirs

    def __str__(self) -> str:
        return self.name

    @property
    def optional(self) -> tuple[str, ...]:
        """The optional inputs of its model."""
        head = self.text.rsplit("block Main", 1)[1].split("->")[0]
        return tuple(name for name in ("m", "n") if f" {name}:" in head)


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def lin(x: Array, w: Weights, path: str) -> Array:
    return x @ w[f"{path}.weight"].T + w[f"{path}.bias"]


def attend(q: Array, k: Array, v: Array, mask: Given = None) -> Array:
    scores = q @ k.T / np.sqrt(q.shape[-1])
    scores = scores if mask is None else np.where(mask > 0, scores, -np.inf)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares = shares / shares.sum(-1, keepdims=True)
    return np.asarray(shares @ v)


def case(text: str) -> Callable[[Theirs], Case]:
    """A program with what it means."""

    def made(theirs: Theirs) -> Case:
        head = "use std.nn (Dropout, LayerNorm, Linear)\n\n"
        return Case(theirs.__name__, head + text.strip() + "\nmodel M = Main\n", theirs)

    return made
