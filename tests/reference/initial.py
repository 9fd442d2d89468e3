"""How weights start: named initializers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ogive.compiler.sizes import Unknown
from reference.world import number

SETTLED = frozenset(("zeros", "ones", "constant", "eye"))  # they draw nothing


def initial(
    attrs: Any, shape: tuple[int, ...], env: Mapping[Unknown, int], rng: np.random.Generator
) -> np.ndarray[Any, Any]:
    """Values of a named initializer."""
    given = dict(attrs)
    name = given["name"]
    settings: dict[str, Any] = {
        key: value if isinstance(value, str) else number(value, env) for key, value in given.items()
    }
    match name:
        case "zeros":
            return np.zeros(shape)
        case "ones":
            return np.ones(shape)
        case "constant":
            return np.full(shape, float(settings["v"]))
        case "eye":
            return np.asarray(np.eye(shape[0], shape[1]))
        case "uniform":
            return rng.uniform(settings["lo"], settings["hi"], shape)
        case "normal":
            return np.asarray(settings["mean"] + settings["std"] * rng.standard_normal(shape))
        case _:
            raise NotImplementedError(name)
