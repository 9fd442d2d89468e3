"""Passes whose result is that of other weights, or near the source and no more: how they compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from torch import Tensor

from ogive.backends.compared.inputs import KINDS
from ogive.backends.weight_conversion.run import convert
from ogive.backends.weight_conversion.verify import Deviation, fixed_sizes, verify
from ogive.compiler.passes.conversion.result import Passed, PassError
from ogive.compiler.passes.pipelines.registry import Deployed

REFINED = 2  # how many times as many points a grid has as at the base, where what follows is compared


def verified(
    passes: Deployed, state: Mapping[str, Tensor], inputs: Sequence[Tensor], sizes: Mapping[str, int],
    data: Sequence[Tensor] = (),
) -> Deviation:  # fmt: skip
    """How far the result is from the source; from where a pass has a reference, from that. The largest deviation.

    What a lossy pass loses is measured by itself: on the inputs, else on the data, else on numbers that are centred.
    """
    found: list[Deviation] = []
    source, finer = passes.source, set[str]()
    for low, high in pairwise(_bounds(passes)):
        steps = passes.steps[low:high]
        if not steps and len(passes.steps):
            continue
        part = Deployed(source, steps)
        told = {**{name: REFINED for name in finer if name not in fixed_sizes(source, part.model)}, **sizes}
        if steps and steps[0].compared_at and not inputs:
            told = {**told, **_at(steps[0], sizes)}
        if steps and steps[0].lossy:
            lost = verify(part.conversion, state, inputs or data, told if not data else {}, kinds=KINDS[:1])
            found.append(replace(lost, lossy=steps[0].lossy, tolerance=steps[0].tolerance))
        elif steps and (reference := steps[0].reference) is not None:
            found.append(verify(part.conversion, convert(reference(), state, None), inputs, told))
        else:
            found.append(verify(part.conversion, state, inputs, told))
        if high < len(passes.steps):
            state, source = convert(part.conversion, state, None), part.model
            finer |= dict(steps[-1].compared_at).keys()
            sizes = {name: number for name, number in sizes.items() if name not in finer}
    return max(found, key=lambda each: (not each.within, not each.lossy, each.relative))


def _bounds(passes: Deployed) -> Sequence[int]:
    """Where something else is compared: at a pass with a reference, at a lossy one and behind it."""
    found = {0, len(passes.steps)}
    for at, step in enumerate(passes.steps):
        if step.lossy or step.compared_at:
            found |= {at, at + 1}
        elif step.reference is not None:
            found.add(at)
    return sorted(found)


def _at(step: Passed, sizes: Mapping[str, int]) -> dict[str, int]:
    """The sizes of the source at which a step is compared; raises `PassError` where others are asked for."""
    at = dict(step.compared_at)
    for name, number in at.items():
        if sizes.get(name, number) != number:
            raise PassError("E0810", f"source and result are compared where `{name}` is {number}, not {sizes[name]}")
    return at
