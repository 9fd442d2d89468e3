"""The cases of `bench.peers` as modules of torch, as one writes them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RepVGG(nn.Module):
    """3 × 3, 1 × 1 and identity, each with a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.dense, self.dense_norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.point, self.point_norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.dense_norm(self.dense(x)) + self.point_norm(self.point(x)) + self.norm(x)
        return y


class Twice(nn.Module):
    """One convolution, two norms."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.first, self.second = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.conv(torch.relu(self.first(self.conv(x)))))
        return y


class Lora(nn.Module):
    """W x + 2 B A x."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(6, 6)
        self.a, self.b = nn.Linear(6, 2, bias=False), nn.Linear(2, 6, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.base(x) + 2 * self.b(self.a(x))
        return y


class LayerScale(nn.Module):
    """A linear map, times γ."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.gamma = nn.Linear(6, 4), nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc(x) * self.gamma
        return y


def Square() -> nn.Module:
    """A norm of the axis that the map does not make."""
    return nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5))


def Transposed() -> nn.Module:
    """A depthwise transposed convolution with two channels each."""
    return nn.Sequential(nn.ConvTranspose2d(4, 8, 2, stride=2, groups=4), nn.BatchNorm2d(8))


def Squeeze() -> nn.Module:
    """1 × 1 before 3 × 3."""
    return nn.Sequential(nn.Conv2d(4, 6, 1), nn.Conv2d(6, 4, 3))


class Average(nn.Module):
    """An average before 1 × 1, and a 3 × 3 beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.average, self.point = nn.AvgPool2d(3, stride=1, padding=1), nn.Conv2d(4, 4, 1)
        self.dense = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.point(self.average(x)) + self.dense(x)
        return y


def Before() -> nn.Module:
    """A norm, then a convolution without padding."""
    return nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3))


def Linears() -> nn.Module:
    """Two linear maps."""
    return nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 4))


def Gemm() -> nn.Module:
    """A linear map and a norm."""
    return nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4))


def Scaled() -> nn.Module:
    """A layer norm with scale and shift, then a linear map."""
    return nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 4))
