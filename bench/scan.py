"""`linear_scan` at length 4096 against the loop over tokens: values and gradients equal to 1e-6 of the largest."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

import ogive
from bench.pairs import Result, Run, best
from ogive.api import Model

TEXT = """
block Scan(a: [b, n, d], u: [b, n, d]) -> [b, n, d]:
    return linear_scan[n](a, u)

block Loop(a: [b, n, d], u: [b, n, d]) -> [b, n, d]:
    scan f in a, v in u along n carry h = zeros[b, d]:
        h = f * h + v
        yield ys = h
    return ys

model Parallel = Scan
model Sequential = Loop
"""
LENGTH = 4096


def results() -> Iterator[Result]:
    """Forward, and forward with backward, at two widths."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # on a shared machine threads wait for each other, of many small kernels most of all
    program = ogive.source(TEXT)
    parallel, sequential = (built(program, name) for name in ("Parallel", "Sequential"))
    for width in (1, 64):
        a = torch.rand(4, LENGTH, width, requires_grad=True)
        u = torch.randn(4, LENGTH, width, requires_grad=True)
        for ours, theirs in zip(found(parallel, a, u), found(sequential, a, u), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6 * float(theirs.abs().max()))
        shape = f"4x{LENGTH}x{width}"
        yield best(f"linear_scan forward {shape}", forward(parallel, a, u), forward(sequential, a, u), pairs=3)
        yield best(f"linear_scan with backward {shape}", step(parallel, a, u), step(sequential, a, u), pairs=3)


def built(program: ogive.Program, name: str) -> torch.nn.Module:
    """The module of a model."""
    model = program[name]
    assert isinstance(model, Model)
    return model.torch()


def found(module: torch.nn.Module, a: Tensor, u: Tensor) -> tuple[Tensor, ...]:
    """The results, and the gradients of a product with them that weighs each entry."""
    y: Tensor = module(a, u)
    g = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    return y.detach(), *torch.autograd.grad(y, (a, u), g)


def forward(module: torch.nn.Module, a: Tensor, u: Tensor) -> Run:
    def run() -> None:
        with torch.no_grad():
            module(a, u)

    return run


def step(module: torch.nn.Module, a: Tensor, u: Tensor) -> Run:
    def run() -> None:
        torch.autograd.grad(module(a, u).sum(), (a, u))

    return run
