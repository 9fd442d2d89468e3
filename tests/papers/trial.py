"""A trial of what a paper promises: stated before it runs, with a baseline of the same size, and three seeds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from papers.data import figures

SEEDS = (0, 1, 2)
PARITY = 0.05  # by which the numbers of weights may differ


def less(ours: float, theirs: float) -> bool:
    """The metric is a loss."""
    return ours < theirs


def more(ours: float, theirs: float) -> bool:
    """The metric is a score."""
    return ours > theirs


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried. `run` trains a module at a learning rate from a seed, and gives the metric."""

    hypothesis: str
    metric: str
    budget: str
    baseline: str
    ours: Callable[[], nn.Module]
    theirs: Callable[[], nn.Module]
    run: Callable[[nn.Module, float, int], float]
    rates: tuple[float, float, float] = (1e-3, 3e-3, 1e-2)
    shown: Callable[[float, float], bool] = less
    better: Callable[[float, float], bool] = less  # by which learning rates are chosen
    dial: str = "learning rate"  # what has three values, where nothing is trained by steps


def trained(
    net: nn.Module, loss: Callable[[torch.Generator], Tensor], rate: float, steps: int, seed: int, decay: float = 0.0
) -> nn.Module:
    """The module after steps of Adam with a rate that falls to 0; `loss` draws a batch by the generator."""
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    after = getattr(net, "after_step", None)
    for _ in range(steps):
        optimizer.zero_grad()
        torch.autograd.backward(loss(draw))
        optimizer.step()
        schedule.step()
        if callable(after):
            after()
    return net.eval()


def told_apart(train: int, steps: int, batch: int, noise: float = 0.3) -> Callable[[nn.Module, float, int], float]:
    """A run on so many figures: the share of wrong answers on 500 that were not seen."""

    def run(net: nn.Module, rate: float, seed: int) -> float:
        x, kind = figures(train, 10 + seed, noise=noise)

        def loss(draw: torch.Generator) -> Tensor:
            rows = torch.randint(train, (batch,), generator=draw)
            return nn.functional.cross_entropy(net(x[rows]), kind[rows])

        trained(net, loss, rate, steps, seed)
        test, wanted = figures(500, 7, noise=noise)
        with torch.no_grad():
            return float((net(test).argmax(1) != wanted).float().mean())

    return run


def weights_of(net: nn.Module) -> int:
    """How many numbers are learned."""
    return sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)


def scores(trial: Trial, make: Callable[[], nn.Module], rate: float) -> list[float]:
    """The metric for each seed."""
    found = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        found.append(trial.run(make(), rate, seed))
    return found


def tried(trial: Trial) -> dict[str, Any]:
    """All runs of a trial, with the verdict: shown where all seeds agree, not shown where none does."""
    begun = time.monotonic()
    sides = {"ours": trial.ours, "baseline": trial.theirs}
    sizes = {name: weights_of(make()) for name, make in sides.items()}
    assert abs(sizes["ours"] - sizes["baseline"]) <= PARITY * sizes["ours"], sizes
    runs = {name: {rate: scores(trial, make, rate) for rate in trial.rates} for name, make in sides.items()}
    chosen = {name: best(trial, found) for name, found in runs.items()}
    agreed = [
        trial.shown(x, y)
        for x, y in zip(runs["ours"][chosen["ours"]], runs["baseline"][chosen["baseline"]], strict=True)
    ]
    return {
        "seconds": round(time.monotonic() - begun, 1),
        "parameters": sizes,
        "runs": {name: {str(rate): values for rate, values in found.items()} for name, found in runs.items()},
        "rates": chosen,
        "verdict": "shown" if all(agreed) else "mixed" if any(agreed) else "not shown",
    }


def best(trial: Trial, found: dict[float, list[float]]) -> float:
    """The learning rate whose runs are best in the mean."""
    chosen = trial.rates[0]
    for rate in trial.rates[1:]:
        if trial.better(sum(found[rate]), sum(found[chosen])):
            chosen = rate
    return chosen
