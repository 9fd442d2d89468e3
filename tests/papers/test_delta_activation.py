"""Delta activations: levels in whole steps and their changes, derivatives that pass, and a price on changes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import ogive
from papers.frame import Case, Mutant, Paper, model
from papers.trial import Trial, trained

FRAMES, STEPS, PRICE = 12, 150, 1.0


class DeltaReading(nn.Module):
    """round(relu(x)/θ) θ from frame to frame; the rounding passes derivatives, the outer θ has a negated one."""

    def __init__(self, din: int, d: int, classes: int) -> None:
        super().__init__()
        self.first = nn.Linear(din, d)
        self.delta = nn.ParameterDict({"threshold": torch.full((d,), 0.1)})
        self.second, self.head = nn.Linear(d, d, bias=False), nn.Linear(d, classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        theta = self.delta["threshold"].abs()
        steps = torch.relu(self.first(x)) / theta.detach()
        whole = steps + (steps.round() - steps).detach()
        levels = whole * (2 * theta.detach() - theta)
        changes = torch.cat([levels[:, :1], levels[:, 1:] - levels[:, :-1]], 1)
        out: Tensor = self.head(torch.relu(self.second(levels)).mean(1))
        return out, changes


class Unpriced(nn.Module):
    """The baseline: the same network, in whose loss changes cost nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.net = model("delta-activation", "Video").torch()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = self.net(x)
        return found


def videos(count: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sequences of a pattern that moves slowly, in noise: which of four it is."""
    kind = torch.randint(4, (count,), generator=draw)
    basis = torch.randn(4, 12, generator=torch.Generator().manual_seed(99))
    drift = 0.05 * torch.randn(count, FRAMES, 12, generator=draw).cumsum(1)
    return basis[kind][:, None] + drift + 0.5 * torch.randn(count, 1, 12, generator=draw), kind


def learn(net: nn.Module, rate: float, seed: int) -> float:
    """The share of changes that are not 0, plus the share of wrong answers, on sequences that were not seen."""
    price = 0.0 if isinstance(net, Unpriced) else PRICE

    def loss(draw: torch.Generator) -> Tensor:
        x, kind = videos(32, draw)
        y, changes = net(x)
        total: Tensor = nn.functional.cross_entropy(y, kind) + price * changes.abs().mean()
        return total

    trained(net, loss, rate, STEPS, seed)
    x, kind = videos(1000, torch.Generator().manual_seed(7))
    with torch.no_grad():
        y, changes = net(x)
        return float((changes != 0).float().mean() + (y.argmax(1) != kind).float().mean())


PAPER = Paper(
    slug="delta-activation",
    counts={"Video": 1_604},
    source="own reading: two linear maps of 32 and a head; one threshold more for each channel",
    cases={"Tiny": Case(lambda: DeltaReading(3, 4, 2), lambda: (torch.randn(2, 5, 3),))},
    mutant=Mutant(
        "round(steps), steps) * grad_as(theta, -theta)", "round(steps), steps) * grad_as(theta, theta)", "layers"
    ),
    folds="rounding stands between the maps",
    tries="Start with larger thresholds: `init DeltaActivation.threshold = constant[0.5]`.",
    trial=Trial(
        hypothesis="With a price on changes fewer of them are left, at hardly more errors than without.",
        metric="share of changes that are not 0 plus share of wrong answers, on 1000 sequences that were not seen",
        budget="150 steps of Adam on 32 fresh sequences of 12 frames, with a rate that falls to 0 and a price of 1",
        baseline="the same network without the price",
        ours=lambda: model("delta-activation", "Video").torch(),
        theirs=Unpriced,
        run=learn,
        rates=(3e-3, 1e-2, 3e-2),
    ),
)


def test_the_vector_of_the_sheet() -> None:
    """0, .04, .26, .31 in steps of .1: levels 0, 0, .3, .3, changes 0, 0, .3, 0."""
    text = "use std.layers (DeltaActivation)\nmodel M = DeltaActivation[1]"
    net = ogive.source(text).models["M"].torch(dtype="f64")
    found = net(torch.tensor([0, 0.04, 0.26, 0.31]).double().view(1, 4, 1)).flatten()
    torch.testing.assert_close(found, torch.tensor([0, 0, 0.3, 0]).double())
