"""Models in boxes: points that must lie inside of what `bounds` says, and nets of which properties are decided."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

import ogive
from ogive.analyses import fitting
from ogive.backends.analysis.bounds.intervals import BoxState
from ogive.backends.analysis.subject import AnalysisSubject
from ogive.backends.analysis.tape.made import BoxedModel, boxed_model
from ogive.backends.analysis.tape.steps import Tape

ROUND = 1e-12
Box = tuple[Tensor, Tensor]

NET = """
use std.nn (Linear)
block Net[n={inputs}, w={width}](x: [b, n]) -> [b, 2]:
    h = x |> Linear[n, w] as a |> {act}
    g = h |> Linear[w, w] as b |> {act}
    k = x |> Linear[n, w] as c
    return {body} |> Linear[w, 2] as d
model M = Net
"""
BODIES = {"chain": "g", "product": "(g * k)"}


def subject(model: ogive.Model, seed: int = 0, scale: float = 1.0, **sizes: int) -> AnalysisSubject:
    """A model at sizes with drawn weights."""
    torch.manual_seed(seed)
    state = {k: scale * v if v.is_floating_point() and v.ndim > 1 else v for k, v in model.torch().state_dict().items()}
    return AnalysisSubject(model.ir, fitting(model, sizes), state, None, None, model.torch)


def net(act: str, body: str = "product", inputs: int = 3, width: int = 12, seed: int = 0) -> BoxedModel:
    """A small net with two activations, and a product where `body` has one."""
    text = NET.format(inputs=inputs, width=width, act=act, body=BODIES[body])
    return boxed_model(subject(ogive.source(text)["M"], seed, 1.5, b=1), "bounds", "")


def box_of(made: BoxedModel, eps: float) -> list[Box]:
    return [((centre - eps)[None], (centre + eps)[None]) for centre in made.centres]


def drawn(boxes: Sequence[Box], count: int, seed: int = 0) -> list[Tensor]:
    """Points of a box."""
    generator = torch.Generator().manual_seed(seed)
    return [
        low + (high - low) * torch.rand(count, *low.shape[1:], generator=generator, dtype=torch.float64)
        for low, high in boxes
    ]


def corners(boxes: Sequence[Box]) -> list[Tensor]:
    """All corners of a box of one input."""
    ((low, high),) = boxes
    ends = [(float(a), float(b)) for a, b in zip(low.reshape(-1), high.reshape(-1), strict=True)]
    return [torch.tensor(list(product(*ends)), dtype=torch.float64).reshape(-1, *low.shape[1:])]


def outside(tape: Tape, state: BoxState, points: list[Tensor]) -> list[tuple[int, str, float]]:
    """The steps of which a value lies outside at one of the points: number, operation, by how much."""
    found = []
    for at, value in enumerate(tape.values(points)):
        gap = float(torch.maximum(state.low[at] - value, value - state.high[at]).max()) if value.numel() else -1.0
        if gap > ROUND * (1 + float(value.abs().max() if value.numel() else 0)):
            found.append((at, tape.steps[at].origin.op, gap))
    return found


def attacked_ends(made: BoxedModel, boxes: Sequence[Box], count: int = 100, steps: int = 20) -> list[Tensor]:
    """Points that climb to the ends of the outputs by their gradients."""
    points = drawn(boxes, count, seed=1)
    signs = torch.where(torch.arange(count) % 2 == 0, 1.0, -1.0).double()
    for step in range(steps):
        leaves = [point.detach().requires_grad_() for point in points]
        flat = torch.cat([each.reshape(count, -1) for each in made.tape.results(leaves)], 1)
        chosen = flat[torch.arange(count), torch.arange(count) // 2 % flat.shape[1]]
        slopes = torch.autograd.grad((signs * chosen).sum(), leaves, allow_unused=True)
        points = [
            (leaf + 0.3 * 0.85**step * (high - low) * (0 * leaf if slope is None else slope.sign())).clamp(low, high)
            for leaf, slope, (low, high) in zip(leaves, slopes, boxes, strict=True)
        ]
    return [point.detach() for point in points]
