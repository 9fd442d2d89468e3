"""Training that shrinks channels until they are 0: HESSO (Chen et al. 2024, arXiv:2409.09085)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import ceil, sqrt
from typing import Any

import torch
from torch import Tensor, nn

from ogive.compiler.analysis.groups.coupled import CoupledGroup, coupled
from ogive.compiler.analysis.provenance.domain import provenance
from ogive.compiler.ir.model import Model
from ogive.compiler.ir.weights import WeightInfo, weights
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.conversion.result import PassError

Part = tuple[nn.Parameter, int, Sequence[Sequence[int]]]  # a parameter, an axis, the places of each channel


@dataclass(slots=True)
class ShrinkingGroup:
    """Channels of one group, in one iteration: their places in parameters, and which are on their way to 0."""

    name: str
    parts: list[Part]
    channels: int
    chosen: set[int] = field(default_factory=set)

    @property
    def entries(self) -> int:
        """How many numbers a channel has."""
        return sum(p.numel() // p.shape[axis] * len(places[0]) for p, axis, places in self.parts)

    def moments(self) -> Tensor:
        """[3, channels]: sums of w², g² and w g over the entries of each channel."""
        total = torch.zeros(3, self.channels, dtype=torch.float64)
        for parameter, axis, places in self.parts:
            w = _by_channel(parameter.detach(), axis)
            g = torch.zeros_like(w) if parameter.grad is None else _by_channel(parameter.grad, axis)
            sums = torch.stack([(w * w).sum(1), (g * g).sum(1), (w * g).sum(1)])
            at = torch.tensor([place for each in places for place in each], device=w.device)
            to = torch.tensor([number for number, each in enumerate(places) for _ in each])
            total.index_add_(1, to, sums[:, at].cpu())
        return total

    def scale(self, channels: Sequence[int], factor: float) -> None:
        """Multiply all entries of some channels."""
        for parameter, axis, places in self.parts:
            at = torch.tensor([place for channel in channels for place in places[channel]], device=parameter.device)
            if len(at):
                parameter.data.movedim(axis, 0)[at] *= factor


def _by_channel(x: Tensor, axis: int) -> Tensor:
    """[entries of an axis, all else], in float64."""
    return x.double().movedim(axis, 0).reshape(x.shape[axis], -1)


class PruningOptimizer:
    """Looks after an optimizer: from the step `start` on, in so many `periods` of so many `steps`.

    A period chooses the channels of least score in all groups, up to its share of those that are to go; each step of
    the optimizer is followed by a product of the chosen with (T - t - 1) / (T - t), which is 0 at the end. From then on
    they stay 0, so `prune[keep=...]` with the `share` that is left takes nothing away that computes.
    """

    def __init__(
        self, model: Model, module: nn.Module, optimizer: torch.optim.Optimizer, keep: float, start: int,
        periods: int, steps: int, round_to: int,
    ) -> None:  # fmt: skip
        if not 0 < keep <= 1:
            raise PassError("E0810", f"`keep` is a share above 0, up to 1, not {keep:g}")
        for name, number, least in (
            ("start", start, 0), ("periods", periods, 1), ("steps", steps, 1), ("round_to", round_to, 1),
        ):  # fmt: skip
            if number < least:
                raise PassError("E0810", f"`{name}` is a number from {least} on, not {number}")
        self.groups = shrinking_groups(model, module)
        if not self.groups:
            raise PassError("E0811", f"no channels of {model.name} may go")
        self.start, self.periods, self.steps, self.round_to = start, periods, steps, round_to
        self.total = sum(group.channels for group in self.groups)
        self.goal = self.total - ceil(keep * self.total)
        self.taken = 0  # steps of the optimizer
        self._shrinking: list[tuple[ShrinkingGroup, list[int]]] = []
        self._before = optimizer.register_step_pre_hook(self._choose)
        self._after = optimizer.register_step_post_hook(self._shrink)

    @property
    def done(self) -> bool:
        """Whether all periods are over."""
        return self.taken >= self.start + self.periods * self.steps

    @property
    def share(self) -> float:
        """Of all channels that may go, those that are not chosen: `prune[keep=...]` keeps just these."""
        left = self.total - sum(len(group.chosen) for group in self.groups)
        return max(left - 0.5, 0.5) / self.total

    def remove(self) -> None:
        """Leave the optimizer alone."""
        self._before.remove()
        self._after.remove()

    def _choose(self, *_: Any) -> None:
        """At the first step of a period, while gradients are there: the channels that it shrinks."""
        at = self.taken - self.start
        if at < 0 or at % self.steps or at >= self.periods * self.steps:
            return
        wanted = self.goal * (at // self.steps + 1) // self.periods - sum(len(group.chosen) for group in self.groups)
        order: list[tuple[float, int, int]] = sorted(
            (score, number, channel)
            for number, row in enumerate(self.scores())
            for channel, score in enumerate(row)
            if channel not in self.groups[number].chosen
        )
        found: list[list[int]] = [[] for _ in self.groups]
        for _score, number, channel in order[: max(wanted, 0)]:
            found[number].append(channel)
        self._shrinking = [
            (group, self._rounded(group, new)) for group, new in zip(self.groups, found, strict=True) if new
        ]
        for group, new in self._shrinking:
            group.chosen.update(new)

    def _rounded(self, group: ShrinkingGroup, new: list[int]) -> list[int]:
        """As many as leave a multiple, and one at least; the weakest first."""
        left = max(group.channels - len(group.chosen) - len(new), 1)
        stays = min(-(-left // self.round_to) * self.round_to, group.channels)
        return new[: max(group.channels - len(group.chosen) - stays, 0)]

    def _shrink(self, *_: Any) -> None:
        """After a step: those of this period by the next factor, those of earlier ones are 0."""
        at = self.taken - self.start
        self.taken += 1
        if at < 0:
            return
        inside = at < self.periods * self.steps
        left = self.steps - at % self.steps
        now = {id(group): new for group, new in self._shrinking} if inside else {}
        for group in self.groups:
            new = now.get(id(group), [])
            group.scale(sorted(group.chosen - set(new)), 0.0)
            group.scale(new, (left - 1) / left)

    def scores(self) -> list[list[float]]:
        """For each channel of each group: five scores, each over its norm over all channels, a fifth each."""
        moments = [group.moments() for group in self.groups]
        ww, gg, wg = torch.cat(moments, 1)
        sizes = torch.cat([torch.full((group.channels,), sqrt(group.entries)) for group in self.groups]).double()
        cosine = wg / (ww * gg).sqrt().clamp(min=1e-300) + 1
        five = (ww.sqrt(), ww.sqrt() / sizes, cosine, wg.abs(), wg.square() / 2)
        total = torch.stack([each / (each.norm() or 1.0) for each in five]).mean(0)
        starts = accumulate((group.channels for group in self.groups), initial=0)
        return [total[at : at + group.channels].tolist() for at, group in zip(starts, self.groups, strict=False)]


def shrinking_groups(model: Model, module: nn.Module) -> list[ShrinkingGroup]:
    """The groups of channels that `prune` may take, each iteration of a loop for itself."""
    flat = flattened(model, trained=True)[0]
    infos = {info.path: info for info in weights(model)}
    parameters = dict(module.named_parameters(remove_duplicate=False))
    learned = [name for info in infos.values() if info.kind == "param" for name in info.paths()]
    missing = [name for name in learned if name not in parameters]
    if missing:
        raise PassError("E0810", f"this module is not one of {model.name}: it has no {missing[0]}")
    groups = [group for group in coupled(provenance(flat)) if group.prunable == "yes" and group.channels.is_number]
    return [each for group in groups for each in _turns(group, infos, parameters)]


def _turns(
    group: CoupledGroup, infos: dict[str, WeightInfo], parameters: dict[str, nn.Parameter]
) -> list[ShrinkingGroup]:
    count = infos[group.places[0].path].count if group.loop else 1
    found = [ShrinkingGroup(group.name, [], group.channels.number) for _ in range(count)]
    for place in group.places:
        info = infos[place.path]
        if info.kind != "param":
            continue
        places = [place.index.indices(channel) for channel in range(group.channels.number)]
        for turn, name in enumerate(info.paths()):
            found[turn if group.loop else 0].parts.append((parameters[name], place.axis, places))
    return found
