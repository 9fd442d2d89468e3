"""Small programs beside the same in torch: results, and gradients of every input and weight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import ogive
from ogive.api import Model
from ogive.compiler.ir_tools.verify import verify

Weights = dict[str, Tensor]
FOLDER = Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Case:
    """A program and the same in torch: `theirs` gets the weights by path, then the inputs."""

    name: str
    shapes: tuple[tuple[int, ...], ...]
    theirs: Callable[..., Any]
    elems: str = ""  # a letter for each input: f, i, b or c

    def __str__(self) -> str:
        return self.name

    def model(self) -> Model:
        """The model of the block."""
        found = ogive.load(FOLDER / f"{self.name}.arch")["M"]
        assert isinstance(found, Model)
        verify(found.ir)
        return found

    def net(self) -> nn.Module:
        """Its module, with weights of which none is 0."""
        torch.manual_seed(0)
        net = self.model().torch().double()
        with torch.no_grad():
            for weight in net.parameters():
                weight.add_(0.1 * torch.randn_like(weight))
        return net

    def inputs(self) -> list[Tensor]:
        """Random tensors."""
        torch.manual_seed(1)
        return [_random(shape, self.elems[at : at + 1] or "f") for at, shape in enumerate(self.shapes)]


def _random(shape: tuple[int, ...], elem: str) -> Tensor:
    if elem == "i":
        return torch.randint(0, 3, shape)
    if elem == "b":
        return torch.rand(shape) < 0.5
    return torch.randn(shape, dtype=torch.complex128 if elem == "c" else torch.float64)


def flat(made: Any) -> list[Tensor]:
    """The tensors that were returned."""
    return [made] if isinstance(made, Tensor) else [tensor for each in made for tensor in flat(each)]


def total(results: list[Tensor]) -> Tensor:
    """A number that depends on every entry."""
    return torch.stack([y.abs().double().square().sum() + torch.sin(y.real.double()).sum() for y in results]).sum()


def compare(case: Case) -> None:
    """Equal results, and equal gradients."""
    net, given = case.net(), case.inputs()
    leaves = [x.requires_grad_() for x in given if x.is_floating_point() or x.is_complex()]
    leaves += list(net.parameters())
    before = {name: state.clone() for name, state in net.named_buffers()}
    ours = flat(net(*given))
    theirs = flat(case.theirs({**before, **dict(net.named_parameters())}, *given))
    torch.testing.assert_close(ours, theirs)
    left, right = (torch.autograd.grad(total(ys), leaves, allow_unused=True) for ys in (ours, theirs) if leaves)
    for a, b in zip(left, right, strict=True):
        zero = torch.zeros(())
        torch.testing.assert_close(zero if a is None else a, zero if b is None else b, check_dtype=False)
