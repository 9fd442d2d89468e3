"""scikit-learn's digits, and a training loop: what the experiments share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean, stdev

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

import ogive

Split = tuple[Tensor, Tensor, Tensor, Tensor]
SEEDS = range(5)


def split(seed: int) -> Split:
    """Two thirds to train, one third to test, by a permutation of the seed."""
    data = load_digits()
    x = torch.tensor(data.images, dtype=torch.float32)[:, None] / 8 - 1
    y = torch.tensor(data.target)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    cut = len(y) * 2 // 3
    return x[order[:cut]], y[order[:cut]], x[order[cut:]], y[order[cut:]]


def train(
    net: nn.Module, data: Split, seed: int, epochs: int, rate: float, after: Callable[[], None] = lambda: None
) -> None:
    """AdamW with a cosine schedule; `after` runs after each step."""
    x, y = data[:2]
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        net.train()
        for batch in torch.randperm(len(y), generator=generator).split(64):
            optimizer.zero_grad()
            F.cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()
            after()
        schedule.step()


def accuracy(net: nn.Module, data: Split) -> float:
    """Percent right of the test third."""
    with torch.no_grad():
        return 100 * float((net.eval()(data[2]).argmax(1) == data[3]).float().mean())


def compared(net: nn.Module, model: ogive.Model, passes: str, data: Split) -> tuple[float, float, float]:
    """Accuracies as trained and after these passes, and the largest change of a logit by them."""
    deployed = model.deploy(passes)
    used = deployed.torch()
    used.load_state_dict(deployed.convert(net.eval()))
    with torch.no_grad():
        gap = float((used.eval()(data[2]) - net(data[2])).abs().max())
    return accuracy(net, data), accuracy(used, data), gap


def row(name: str, *columns: Sequence[float]) -> str:
    """A line of a table: mean and deviation over seeds of each column."""
    return " | ".join([f"| {name}", *(f"{mean(found):.2f} | {stdev(found):.2f}" for found in columns)]) + " |"
