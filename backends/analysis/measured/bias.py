"""The analysis `inductive_bias`: how many bits an architecture, fitted to data, lacks of what generalizes.

Boopathy et al. 2024, "Towards exact computation of inductive bias", arXiv:2406.15941, with hypotheses that are
trained: their losses on held-out data follow a scaled noncentral χ², and the bits are -log₂ of its share below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log, sqrt

import torch
from torch import Tensor

from ogive.backends.analysis.measured.runs import data_run, first_output, loss_of
from ogive.backends.analysis.subject import AnalysisSubject
from ogive.compiler.analysis.frame.result import AnalysisResult, AnalysisRow, Cell
from ogive.compiler.passes.conversion.result import PassError

CONVENTION = "hypotheses: fresh weights, trained on a part of the data; bits: -log2 P(loss on the rest <= target)"
FEWEST = 4  # losses to which three numbers are fitted


@dataclass(frozen=True, slots=True)
class ScaledChiSquare:
    """`scale` times a noncentral χ² of `degrees` and `offset` λ."""

    degrees: float
    offset: float
    scale: float

    def below(self, value: float) -> float:
        """P(X <= value): a mixture of central χ² by a Poisson distribution of λ / 2."""
        x, half = max(value / self.scale, 0.0) / 2, self.offset / 2
        count = int(half + 12 * sqrt(half) + 60)
        j = torch.arange(count, dtype=torch.float64)
        weights = torch.exp(j * log(half) - half - torch.lgamma(j + 1)) if half > 0 else (j == 0).double()
        shares = torch.special.gammainc(self.degrees / 2 + j, torch.full_like(j, x))
        return float((weights * shares).sum())


def fitted(losses: Sequence[float]) -> ScaledChiSquare:
    """By three moments: s (k + λ), 2 s² (k + 2λ), 8 s³ (k + 3λ); without an offset where there is no such one."""
    x = torch.tensor(losses, dtype=torch.float64)
    mean = float(x.mean())
    variance, third = (float((x - mean).pow(n).mean()) for n in (2, 3))
    inside = 64 * variance**2 - 32 * mean * third
    for sign in (-1, 1) if inside >= 0 and mean > 0 else ():
        scale = (8 * variance + sign * sqrt(inside)) / (16 * mean)
        if scale > 0:
            both, twice = mean / scale, variance / (2 * scale**2)
            offset, degrees = twice - both, 2 * both - twice
            if offset >= 0 and degrees > 0:
                return ScaledChiSquare(degrees, offset, scale)
    scale = max(variance / (2 * mean), 1e-300)
    return ScaledChiSquare(mean / scale, 0.0, scale)


def inductive_bias(
    subject: AnalysisSubject, *, target: float, samples: int = 20, steps: int = 200, lr: float = 0.01,
    fit: float = 0.1, held_out: float = 0.5, seed: int = 0,
) -> AnalysisResult:  # fmt: skip
    """A row for each hypothesis with its losses. Needs data with a target, and a loss.

    Those whose loss on the part that is learned stays above `fit` are no hypotheses that fit, and do not count.
    """
    for name, number in (("samples", samples), ("steps", steps)):
        if number < 1:
            raise PassError("E0810", f"`{name}` of `inductive_bias` is a number from 1 on, not {number}")
    for name, value in (("target", target), ("lr", lr), ("fit", fit)):
        if value <= 0:
            raise PassError("E0810", f"`{name}` of `inductive_bias` is above 0, not {value:g}")
    if not 0 < held_out < 1:
        raise PassError("E0810", f"`held_out` of `inductive_bias` is a share between 0 and 1, not {held_out:g}")
    loss = subject.needed_loss("inductive_bias")
    run = data_run(subject, "inductive_bias", target=True)
    assert run.target is not None
    order = torch.randperm(len(run.target), generator=torch.Generator().manual_seed(seed))
    cut = round(held_out * len(order))
    if not 0 < cut < len(order):
        raise PassError("E0810", f"of {len(order)} examples a share of {held_out:g} leaves nothing on one side")
    parts = (order[cut:], order[:cut])
    rows, losses = [], []
    for number in range(samples):
        training = (steps, lr, seed + number)
        learned, rest = _hypothesis(subject, run.inputs, run.target, parts, loss, training)
        fits = learned <= fit
        fields: dict[str, Cell] = {"train_loss": learned, "test_loss": rest, "fits": fits}
        rows.append(AnalysisRow(f"hypothesis {number}", "", fields))
        if fits:
            losses.append(rest)
    if len(losses) < FEWEST:
        text = f"{len(losses)} of {samples} hypotheses fit, with a loss of at most {fit:g}: {FEWEST} are needed"
        raise PassError("E0811", text, "train longer (`steps`), or ask for less (`fit`)")
    found = fitted(losses)
    share = found.below(target)
    totals: dict[str, Cell] = {
        "bits": -log(share, 2) if share > 0 else inf, "hypotheses": len(losses), "mean_loss": sum(losses) / len(losses),
        "degrees": found.degrees, "offset": found.offset, "scale": found.scale,
    }  # fmt: skip
    options: dict[str, Cell] = {
        "target": target, "samples": samples, "steps": steps, "lr": lr, "fit": fit, "held_out": held_out, "seed": seed,
    }  # fmt: skip
    warnings = () if share > 0 else (f"no number of float64 is as small as the share below {target:g}",)
    return AnalysisResult(
        "inductive_bias", subject.model.name, options, CONVENTION, totals, tuple(rows), (), warnings,
        columns=("train_loss", "test_loss", "fits"), chart="test_loss", sizes=subject.sizes,
    )  # fmt: skip


def _hypothesis(
    subject: AnalysisSubject, inputs: Sequence[Tensor], target: Tensor, parts: tuple[Tensor, Tensor], loss: str,
    training: tuple[int, float, int],
) -> tuple[float, float]:  # fmt: skip
    """The losses of a fresh module after training: on what it has learned, and on the rest."""
    steps, lr, seed = training
    assert subject.module is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = subject.module().to(torch.float64)
        optimizer = torch.optim.Adam(module.parameters(), lr=lr)
        for _ in range(steps):
            optimizer.zero_grad()
            value = loss_of(loss, first_output(module(*(x[parts[0]] for x in inputs))), target[parts[0]])
            torch.autograd.backward(value)
            optimizer.step()
    module.eval()
    with torch.no_grad():
        outs = [loss_of(loss, first_output(module(*(x[part] for x in inputs))), target[part]) for part in parts]
    return float(outs[0]), float(outs[1])
