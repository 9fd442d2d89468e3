"""Moves experts toward their mean after each step of an optimizer, with a share that grows at first."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from ogive.compiler.ir import Model
from ogive.compiler.weights import weights


def stacked_paths(plain: Model, trained: Model) -> tuple[str, ...]:
    """The parameters that hold experts on their first axis."""
    shapes = {path: info.shape for info in weights(plain) for path in info.paths()}
    return tuple(path for info in weights(trained) for path in info.paths() if shapes.get(path) != info.shape)


class Averaging:
    """W_i <- (1 - b) W_i + b/(N-1) Σ_{j≠i} W_j after every step, where b grows to `share` over `warmup` steps.

    The order is: unscale, clip, step, average, and then moving averages of the whole model. With accumulation it acts
    once for each step of the optimizer; parameters stay the same objects. Equal gradients on all ranks keep them equal.
    """

    def __init__(self, net: nn.Module, paths: tuple[str, ...], share: float = 0.3, warmup: int = 0) -> None:
        known = dict(net.named_parameters())
        self.experts = [known[path] for path in paths]
        self.share, self.warmup, self.steps = share, warmup, 0

    def step(self) -> None:
        """Average once."""
        self.steps += 1
        share = self.share if self.warmup == 0 else self.share * min(1.0, self.steps / self.warmup)
        with torch.no_grad():
            for experts in self.experts:
                count = experts.shape[0]
                experts.lerp_(experts.mean(0, keepdim=True), share * count / (count - 1))

    def attach(self, optimizer: Optimizer) -> RemovableHandle:
        """Average after each step of the optimizer from now on."""
        return optimizer.register_step_post_hook(lambda *_: self.step())
