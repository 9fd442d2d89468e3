"""Masks of attention within windows of a map that was shifted: told by their values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

NEIGHBOURS = """block shifted_windows[window, h, w, dy: nat, dx: nat]()
    -> bool[(h // window) * (w // window), window**2, window**2]
where h % window == 0, w % window == 0:
    y = cast[int](arange[h] >= h - window) + cast[int](arange[h] >= h - dy)
    x = cast[int](arange[w] >= w - window) + cast[int](arange[w] >= w - dx)
    region = 3 * (y |> expand["h -> h 1"]) + x
    part = region |> rearrange["(m i) (n j) -> (m n) (i j)", i=window, j=window]
    return (part |> expand["n i -> n i 1"]) == (part |> expand["n j -> n 1 j"])"""  # a block of the program
LARGEST = 2**24  # entries of a mask that is looked at


@dataclass(frozen=True, slots=True)
class ShiftedWindows:
    """Windows of a map of h × w, shifted by dy and dx; what pairs that were no neighbours get."""

    window: int
    h: int
    w: int
    dy: int
    dx: int
    low: float


def shifted_windows(value: torch.Tensor) -> ShiftedWindows | None:
    """What windows a mask is of, whose last three axes are windows, queries and keys."""
    if value.dim() < 3 or value.numel() > LARGEST or not value.is_floating_point():
        return None
    count, n, m = value.shape[-3:]
    window = math.isqrt(n)
    low = float(value.min())
    if n != m or window * window != n or window < 2 or low >= 0 or value.numel() != count * n * m:
        return None
    seen = value.reshape(count, n, m) == 0
    if not bool((seen | (value.reshape(count, n, m) == low)).all()):
        return None
    for rows in (each for each in range(1, count + 1) if count % each == 0):
        h, w = rows * window, count // rows * window
        for dy in range(window):
            for dx in range(window):
                if torch.equal(_neighbours(window, h, w, dy, dx), seen):
                    return ShiftedWindows(window, h, w, dy, dx, low)
    return None


def _neighbours(window: int, h: int, w: int, dy: int, dx: int) -> torch.Tensor:
    y, x = torch.arange(h), torch.arange(w)
    region = (
        3 * ((y >= h - window).int() + (y >= h - dy).int())[:, None] + (x >= w - window).int() + (x >= w - dx).int()
    )
    part = region.reshape(h // window, window, w // window, window).transpose(1, 2).reshape(-1, window * window)
    return part[:, :, None] == part[:, None]
