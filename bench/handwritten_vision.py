"""Later vision models as they are written by hand, under the names of torchvision's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Unit(nn.Sequential):
    """Convolution, norm, activation."""

    def __init__(
        self, cin: int, c: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: Any = nn.ReLU, eps: float = 1e-5
    ) -> None:
        conv = nn.Conv2d(cin, c, kernel, stride, kernel // 2, groups=groups, bias=False)
        super().__init__(conv, nn.BatchNorm2d(c, eps), act())


class SqueezeExcite(nn.Module):
    """Hu, Shen, Sun 2018, arXiv:1709.01507."""

    def __init__(self, c: int, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(c, width, 1), nn.Conv2d(width, c, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.silu(self.fc1(x.mean((2, 3), keepdim=True)))
        return x * torch.sigmoid(self.fc2(y))


class DenseLayer(nn.Module):
    """Narrow, then 3 × 3."""

    def __init__(self, cin: int, growth: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(cin), nn.Conv2d(cin, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(F.relu(self.norm2(y)))], 1)


class DenseNet(nn.Module):
    """Huang et al. 2017, arXiv:1608.06993."""

    def __init__(self, stem: int, growth: int, depths: Sequence[int], classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential()
        self.features.add_module("conv0", nn.Conv2d(3, stem, 7, 2, 3, bias=False))
        self.features.add_module("norm0", nn.BatchNorm2d(stem))
        self.features.add_module("relu0", nn.ReLU())
        self.features.add_module("pool0", nn.MaxPool2d(3, 2, 1))
        c = stem
        for i, depth in enumerate(depths, 1):
            block = nn.Sequential()
            for j in range(1, depth + 1):
                block.add_module(f"denselayer{j}", DenseLayer(c, growth))
                c += growth
            self.features.add_module(f"denseblock{i}", block)
            if i < len(depths):
                down = nn.Sequential()
                down.add_module("norm", nn.BatchNorm2d(c))
                down.add_module("relu", nn.ReLU())
                down.add_module("conv", nn.Conv2d(c, c // 2, 1, bias=False))
                down.add_module("pool", nn.AvgPool2d(2))
                self.features.add_module(f"transition{i}", down)
                c //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(c))
        self.classifier = nn.Linear(c, classes)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.classifier(F.relu(self.features(x)).mean((2, 3)))
        return y


def drop_path(x: Tensor, p: float, training: bool) -> Tensor:
    """Huang et al. 2016, arXiv:1603.09382."""
    if p == 0 or not training:
        return x
    return x * x.new_empty(x.shape[0], 1, 1, 1).bernoulli_(1 - p).div_(1 - p)


class MBConv(nn.Module):
    """An inverted bottleneck with weighed channels."""

    def __init__(self, cin: int, c: int, expansion: int, kernel: int, stride: int, drop: float) -> None:
        super().__init__()
        self.drop = drop
        wide = cin * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [Unit(cin, wide, 1, act=nn.SiLU)]
        layers += [Unit(wide, wide, kernel, stride, wide, nn.SiLU), SqueezeExcite(wide, cin // 4)]
        self.block = nn.Sequential(*layers, Unit(wide, c, 1, act=nn.Identity))
        self.same = stride == 1 and cin == c

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block(x)
        return x + drop_path(y, self.drop, self.training) if self.same else y


class EfficientNet(nn.Module):
    """Tan, Le 2019, arXiv:1905.11946. Later blocks are dropped more often."""

    def __init__(self, stem: int, stages: Sequence[Sequence[int]], head: int, classes: int = 1000) -> None:
        super().__init__()
        layers: list[nn.Module] = [Unit(3, stem, 3, 2, act=nn.SiLU)]
        cin, done, total = stem, 0, sum(stage[2] for stage in stages)
        for expansion, c, depth, kernel, stride in stages:
            blocks = []
            for i in range(depth):
                blocks.append(MBConv(cin, c, expansion, kernel, stride if i == 0 else 1, 0.2 * done / total))
                cin, done = c, done + 1
            layers.append(nn.Sequential(*blocks))
        self.features = nn.Sequential(*layers, Unit(cin, head, 1, act=nn.SiLU))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(head, classes))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.classifier(self.features(x).mean((2, 3)))
        return y


def efficientnet_b0() -> EfficientNet:
    """The smallest one."""
    stages = (
        (1, 16, 1, 3, 1),
        (6, 24, 2, 3, 2),
        (6, 40, 2, 5, 2),
        (6, 80, 3, 3, 2),
        (6, 112, 3, 5, 1),
        (6, 192, 4, 5, 2),
        (6, 320, 1, 3, 1),
    )
    return EfficientNet(32, stages, 1280)


class MaxViTConv(nn.Module):
    """An inverted bottleneck that normalizes first."""

    def __init__(self, cin: int, c: int, stride: int) -> None:
        super().__init__()
        if stride > 1:
            self.proj = nn.Sequential(nn.AvgPool2d(3, stride, 1), nn.Conv2d(cin, c, 1))
        self.layers = nn.Sequential()
        self.layers.add_module("pre_norm", nn.BatchNorm2d(cin, 1e-3))
        self.layers.add_module("conv_a", Unit(cin, 4 * c, 1, act=nn.GELU, eps=1e-3))
        self.layers.add_module("conv_b", Unit(4 * c, 4 * c, 3, stride, 4 * c, nn.GELU, 1e-3))
        self.layers.add_module("squeeze_excitation", SqueezeExcite(4 * c, c // 4))
        self.layers.add_module("conv_c", nn.Conv2d(4 * c, c, 1))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return y + (self.proj(x) if hasattr(self, "proj") else x)


class RelativeAttention(nn.Module):
    """Attention among the places of a window, with a bias for each offset."""

    relative_position_index: Tensor

    def __init__(self, c: int, head: int, size: int) -> None:
        super().__init__()
        self.heads, self.size = c // head, size
        self.to_qkv, self.merge = nn.Linear(c, 3 * c), nn.Linear(c, c)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * size - 1) ** 2, self.heads))
        at = torch.stack(torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")).flatten(1)
        offset = at[:, :, None] - at[:, None] + size - 1
        self.register_buffer("relative_position_index", offset[0] * (2 * size - 1) + offset[1])

    def forward(self, x: Tensor) -> Tensor:
        b, g, p, c = x.shape
        q, k, v = self.to_qkv(x).view(b, g, p, 3, self.heads, -1).permute(3, 0, 1, 4, 2, 5)
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        y = F.scaled_dot_product_attention(q, k, v, bias, scale=c**-0.5)
        out: Tensor = self.merge(y.transpose(2, 3).reshape(b, g, p, c))
        return out


class PartitionAttention(nn.Module):
    """Places that lie together, or in a grid, meet."""

    def __init__(self, c: int, head: int, size: int, grid: bool) -> None:
        super().__init__()
        self.size, self.grid = size, grid
        self.attn_layer = nn.Sequential(nn.LayerNorm(c), RelativeAttention(c, head, size))
        self.mlp_layer = nn.Sequential(nn.LayerNorm(c), nn.Linear(c, 4 * c), nn.GELU(), nn.Linear(4 * c, c))

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        s = self.size
        if self.grid:
            x = x.view(b, c, s, h // s, s, w // s).permute(0, 3, 5, 2, 4, 1)
        else:
            x = x.view(b, c, h // s, s, w // s, s).permute(0, 2, 4, 3, 5, 1)
        x = x.reshape(b, -1, s * s, c)
        x = x + self.attn_layer(x)
        x = x + self.mlp_layer(x)
        x = x.view(b, h // s, w // s, s, s, c)
        return (
            x.permute(0, 5, 3, 1, 4, 2).reshape(b, c, h, w)
            if self.grid
            else (x.permute(0, 5, 1, 3, 2, 4).reshape(b, c, h, w))
        )


class MaxViTLayer(nn.Module):
    """A convolution, then attention within windows and within a grid."""

    def __init__(self, cin: int, c: int, stride: int, head: int, size: int) -> None:
        super().__init__()
        self.layers = nn.Sequential()
        self.layers.add_module("MBconv", MaxViTConv(cin, c, stride))
        self.layers.add_module("window_attention", PartitionAttention(c, head, size, grid=False))
        self.layers.add_module("grid_attention", PartitionAttention(c, head, size, grid=True))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return y


class MaxViTStage(nn.Module):
    """Layers of one width."""

    def __init__(self, cin: int, c: int, depth: int, head: int, size: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(MaxViTLayer(c if i else cin, c, 1 if i else 2, head, size) for i in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class MaxViT(nn.Module):
    """Tu et al. 2022, arXiv:2204.01697."""

    def __init__(
        self,
        stem: int,
        widths: Sequence[int],
        depths: Sequence[int],
        head: int = 32,
        size: int = 7,
        classes: int = 1000,
    ) -> None:
        super().__init__()
        unit = Unit(3, stem, 3, 2, act=nn.GELU, eps=1e-3)
        self.stem = nn.Sequential(unit, nn.Sequential(nn.Conv2d(stem, stem, 3, padding=1)))
        inputs = (stem, *widths)
        self.blocks = nn.ModuleList(
            MaxViTStage(cin, c, depth, head, size) for cin, c, depth in zip(inputs, widths, depths, strict=False)
        )
        c = widths[-1]
        last = nn.Linear(c, classes, bias=False)
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(c), nn.Linear(c, c), nn.Tanh(), last
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        y: Tensor = self.classifier(x)
        return y


class Darknet(nn.Module):
    """Narrow, then 3 × 3, beside the identity."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.narrow, self.wide = leaky(c, c // 2, 1), leaky(c // 2, c, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.wide(self.narrow(x))
        return x + y


def leaky(cin: int, c: int, kernel: int, stride: int = 1) -> Unit:
    """A unit of YOLO."""
    return Unit(cin, c, kernel, stride, act=lambda: nn.LeakyReLU(0.1))


class Head(nn.Module):
    """A view of c channels, and what is found in it."""

    def __init__(self, cin: int, c: int, found: int) -> None:
        super().__init__()
        self.views = nn.Sequential(
            leaky(cin, c, 1), leaky(c, 2 * c, 3), leaky(2 * c, c, 1), leaky(c, 2 * c, 3), leaky(2 * c, c, 1)
        )
        self.unit, self.conv = leaky(c, 2 * c, 3), nn.Conv2d(2 * c, found, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.views(x)
        return y, self.conv(self.unit(y))


class YOLO(nn.Module):
    """Redmon, Farhadi 2018, arXiv:1804.02767."""

    def __init__(
        self, stem: int = 32, depths: Sequence[int] = (1, 2, 8, 8, 4), anchors: int = 3, classes: int = 80
    ) -> None:
        super().__init__()
        self.stem = leaky(3, stem, 3)
        widths = [stem * 2**i for i in range(6)]
        self.stages = nn.ModuleList(
            nn.Sequential(leaky(cin, c, 3, 2), *(Darknet(c) for _ in range(depth)))
            for cin, c, depth in zip(widths, widths[1:], depths, strict=False)
        )
        found, s = anchors * (5 + classes), stem
        self.head_large, self.up_large = Head(32 * s, 16 * s, found), leaky(16 * s, 8 * s, 1)
        self.head_medium, self.up_medium = Head(24 * s, 8 * s, found), leaky(8 * s, 4 * s, 1)
        self.head_small = Head(12 * s, 4 * s, found)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, maps = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        y, large = self.head_large(maps[4])
        y = torch.cat([F.interpolate(self.up_large(y), scale_factor=2), maps[3]], 1)
        y, medium = self.head_medium(y)
        y = torch.cat([F.interpolate(self.up_medium(y), scale_factor=2), maps[2]], 1)
        return large, medium, self.head_small(y)[1]
