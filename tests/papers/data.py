"""Small data for trials, made from a seed: images of figures, flow through random ground, sequences of symbols."""

from __future__ import annotations

import torch
from torch import Tensor


def figures(count: int, seed: int, size: int = 16, noise: float = 0.3) -> tuple[Tensor, Tensor]:
    """Images [count, 3, size, size] of bars that lie or stand, discs and rings, somewhere in noise, and their kinds."""
    draw = torch.Generator().manual_seed(seed)
    kind = torch.randint(4, (count,), generator=draw)
    place = (torch.rand(count, 2, 1, 1, generator=draw) * 0.5 + 0.25) * size
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    dy, dx = y - place[:, 0], x - place[:, 1]
    r = (dy**2 + dx**2).sqrt()
    masks = ((dy.abs() < 1) & (dx.abs() < 4), (dx.abs() < 1) & (dy.abs() < 4), r < 2.3, (r > 2) & (r < 3.2))
    drawn = torch.stack(masks, 1)[torch.arange(count), kind].float()
    colour = torch.rand(count, 3, 1, 1, generator=draw) + 0.5
    return drawn[:, None] * colour + noise * torch.randn(count, 3, size, size, generator=draw), kind


def ground(count: int, seed: int, size: int = 33) -> Tensor:
    """Coefficients [count, size, size] of 12 or 3, by the sign of smooth random fields."""
    draw = torch.Generator().manual_seed(seed)
    t = torch.linspace(0, 1, size, dtype=torch.float64)
    waves = torch.cos(torch.pi * torch.arange(8)[:, None] * t)
    k = torch.arange(8, dtype=torch.float64)
    weight = (k[:, None] ** 2 + k**2 + 9 / torch.pi**2).reciprocal()
    weight[0, 0] = 0
    rough = torch.randn(count, 8, 8, generator=draw, dtype=torch.float64) * weight
    field = torch.einsum("b k l, k y, l x -> b y x", rough, waves, waves)
    return torch.where(field > 0, 12.0, 3.0)


def pressure(a: Tensor) -> Tensor:
    """The solution [b, n, n] of -div(a grad u) = 1 with u = 0 at the border, on n points of the unit square.

    Differences between neighbours, with the harmonic mean of a between them; conjugate gradients to 1e-8.
    """
    n = a.shape[-1]
    right = 2 * a[:, 1:-1, 1:] * a[:, 1:-1, :-1] / (a[:, 1:-1, 1:] + a[:, 1:-1, :-1])
    down = 2 * a[:, 1:, 1:-1] * a[:, :-1, 1:-1] / (a[:, 1:, 1:-1] + a[:, :-1, 1:-1])

    def flow(u: Tensor) -> Tensor:
        whole = torch.nn.functional.pad(u, (1, 1, 1, 1))
        across = right * whole[:, 1:-1].diff(dim=2)
        along = down * whole[:, :, 1:-1].diff(dim=1)
        return -(across.diff(dim=2) + along.diff(dim=1)) * (n - 1) ** 2

    u = torch.zeros(len(a), n - 2, n - 2, dtype=a.dtype)
    r = torch.ones_like(u)
    p, rr = r, r.square().sum((1, 2), keepdim=True)
    for _ in range(10 * n):
        q = flow(p)
        step = rr / (p * q).sum((1, 2), keepdim=True)
        u, r = u + step * p, r - step * q
        new = r.square().sum((1, 2), keepdim=True)
        if float(new.max()) < 1e-16 * n**2:
            break
        p, rr = r + new / rr * p, new
    return torch.nn.functional.pad(u, (1, 1, 1, 1))


def symbols(count: int, length: int, kinds: int, seed: int) -> Tensor:
    """Sequences in which each symbol follows from the one two places before, by a table that no seed changes."""
    with torch.random.fork_rng():
        torch.manual_seed(12345)
        chances = torch.distributions.Dirichlet(torch.full((kinds,), 0.15)).sample((kinds,))
    draw = torch.Generator().manual_seed(seed)
    found = [torch.randint(kinds, (count,), generator=draw) for _ in range(2)]
    while len(found) < length:
        found.append(torch.multinomial(chances[found[-2]], 1, generator=draw)[:, 0])
    return torch.stack(found, 1)
