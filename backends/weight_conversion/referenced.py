"""Passes that look at weights, and those whose result is that of other weights: what they ask, how they compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise

from torch import Tensor

from ogive.backends.weight_conversion.run import convert
from ogive.backends.weight_conversion.verify import Deviation, verify
from ogive.compiler.ir.weights import weights
from ogive.compiler.passes.conversion.graph import Conversion
from ogive.compiler.passes.pipelines.registry import Deployed
from ogive.compiler.passes.pruning.prune import Energies


def energies(conversion: Conversion, state: Mapping[str, Tensor]) -> Energies:
    """Sums of squares of the weights that a conversion gives, by path and axis, for each iteration of its loops."""
    made = convert(conversion, state, None)
    infos = {info.path: info for info in weights(conversion.result)}
    squares = cache(lambda name: made[name].square())

    @cache
    def of(path: str, axis: int) -> list[list[float]]:
        return [_along(squares(name), axis) for name in infos[path].paths()]

    return of


def _along(squares: Tensor, axis: int) -> list[float]:
    others = [at for at in range(squares.ndim) if at != axis]
    found: list[float] = (squares.sum(others) if others else squares).tolist()
    return found


def verified(
    passes: Deployed, state: Mapping[str, Tensor], inputs: Sequence[Tensor], sizes: Mapping[str, int]
) -> Deviation:
    """How far the result is from the source; from where a pass has a reference, from that. The largest deviation."""
    found: list[Deviation] = []
    starts = [at for at, step in enumerate(passes.steps) if step.reference is not None]
    bounds = [0, *starts, len(passes.steps)]
    source = passes.source
    for low, high in pairwise(bounds):
        steps = passes.steps[low:high]
        if not steps and len(passes.steps):
            continue
        part = Deployed(source, steps)
        if steps and (reference := steps[0].reference) is not None:
            found.append(verify(part.conversion, convert(reference(), state, None), inputs, sizes))
        else:
            found.append(verify(part.conversion, state, inputs, sizes))
        if high < len(passes.steps):
            state, source = convert(part.conversion, state, None), part.model
    return max(found, key=lambda each: (not each.exact, each.absolute))
