"""Inception, a feature pyramid and a diffusion transformer as they are written by hand, under their public names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Conv(nn.Module):
    """Convolution, norm, activation."""

    def __init__(
        self, cin: int, c: int, kernel: int | tuple[int, int], stride: int = 1, pad: int | tuple[int, int] = 0
    ) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(cin, c, kernel, stride, pad, bias=False), nn.BatchNorm2d(c, 1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class A(nn.Module):
    """1 × 1, 5 × 5, 3 × 3 twice, and a pool; widths are divided by t, here and below."""

    def __init__(self, cin: int, pool: int, t: int) -> None:
        super().__init__()
        self.branch1x1 = Conv(cin, 64 // t, 1)
        self.branch5x5_1, self.branch5x5_2 = Conv(cin, 48 // t, 1), Conv(48 // t, 64 // t, 5, pad=2)
        self.branch3x3dbl_1 = Conv(cin, 64 // t, 1)
        self.branch3x3dbl_2 = Conv(64 // t, 96 // t, 3, pad=1)
        self.branch3x3dbl_3 = Conv(96 // t, 96 // t, 3, pad=1)
        self.branch_pool = Conv(cin, pool // t, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        pooled = self.branch_pool(F.avg_pool2d(x, 3, 1, 1))
        return torch.cat([self.branch1x1(x), self.branch5x5_2(self.branch5x5_1(x)), y, pooled], 1)


class B(nn.Module):
    """Halves the map."""

    def __init__(self, cin: int, t: int) -> None:
        super().__init__()
        self.branch3x3 = Conv(cin, 384 // t, 3, 2)
        self.branch3x3dbl_1 = Conv(cin, 64 // t, 1)
        self.branch3x3dbl_2 = Conv(64 // t, 96 // t, 3, pad=1)
        self.branch3x3dbl_3 = Conv(96 // t, 96 // t, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), y, F.max_pool2d(x, 3, 2)], 1)


class C(nn.Module):
    """7 × 7 as a row and a column, once and twice."""

    def __init__(self, cin: int, m: int, t: int) -> None:
        super().__init__()
        m, last = m // t, 192 // t
        row, column = (partial(Conv, kernel=k, pad=p) for k, p in (((1, 7), (0, 3)), ((7, 1), (3, 0))))
        self.branch1x1, self.branch_pool = Conv(cin, last, 1), Conv(cin, last, 1)
        self.branch7x7_1, self.branch7x7_2, self.branch7x7_3 = Conv(cin, m, 1), row(m, m), column(m, last)
        self.branch7x7dbl_1 = Conv(cin, m, 1)
        self.branch7x7dbl_2, self.branch7x7dbl_3, self.branch7x7dbl_4 = column(m, m), row(m, m), column(m, m)
        self.branch7x7dbl_5 = row(m, last)

    def forward(self, x: Tensor) -> Tensor:
        y = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        z = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        z = self.branch7x7dbl_5(self.branch7x7dbl_4(z))
        return torch.cat([self.branch1x1(x), y, z, self.branch_pool(F.avg_pool2d(x, 3, 1, 1))], 1)


class D(nn.Module):
    """Halves the map again."""

    def __init__(self, cin: int, t: int) -> None:
        super().__init__()
        c = 192 // t
        self.branch3x3_1, self.branch3x3_2 = Conv(cin, c, 1), Conv(c, 320 // t, 3, 2)
        self.branch7x7x3_1, self.branch7x7x3_2 = Conv(cin, c, 1), Conv(c, c, (1, 7), pad=(0, 3))
        self.branch7x7x3_3, self.branch7x7x3_4 = Conv(c, c, (7, 1), pad=(3, 0)), Conv(c, c, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.branch7x7x3_2(self.branch7x7x3_1(x))
        y = self.branch7x7x3_4(self.branch7x7x3_3(y))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), y, F.max_pool2d(x, 3, 2)], 1)


class E(nn.Module):
    """3 × 3 as a row beside a column."""

    def __init__(self, cin: int, t: int) -> None:
        super().__init__()
        c, thin = 384 // t, 448 // t
        row, column = (partial(Conv, c, c, k, pad=p) for k, p in (((1, 3), (0, 1)), ((3, 1), (1, 0))))
        self.branch1x1, self.branch_pool = Conv(cin, 320 // t, 1), Conv(cin, 192 // t, 1)
        self.branch3x3_1, self.branch3x3_2a, self.branch3x3_2b = Conv(cin, c, 1), row(), column()
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Conv(cin, thin, 1), Conv(thin, c, 3, pad=1)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = row(), column()

    def forward(self, x: Tensor) -> Tensor:
        y, z = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = self.branch_pool(F.avg_pool2d(x, 3, 1, 1))
        sides = [self.branch3x3_2a(y), self.branch3x3_2b(y), self.branch3x3dbl_3a(z), self.branch3x3dbl_3b(z)]
        return torch.cat([self.branch1x1(x), *sides, pooled], 1)


class InceptionV3(nn.Module):
    """Szegedy et al. 2015, arXiv:1512.00567."""

    def __init__(self, thin: int = 1, classes: int = 1000) -> None:
        super().__init__()
        t = thin
        self.Conv2d_1a_3x3, self.Conv2d_2a_3x3 = Conv(3, 32 // t, 3, 2), Conv(32 // t, 32 // t, 3)
        self.Conv2d_2b_3x3 = Conv(32 // t, 64 // t, 3, pad=1)
        self.Conv2d_3b_1x1, self.Conv2d_4a_3x3 = Conv(64 // t, 80 // t, 1), Conv(80 // t, 192 // t, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = A(192 // t, 32, t), A(256 // t, 64, t), A(288 // t, 64, t)
        self.Mixed_6a = B(288 // t, t)
        widths = (128, 160, 160, 192)
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = (C(768 // t, m, t) for m in widths)
        self.Mixed_7a, self.Mixed_7b, self.Mixed_7c = D(768 // t, t), E(1280 // t, t), E(2048 // t, t)
        self.dropout, self.fc = nn.Dropout(), nn.Linear(2048 // t, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, 2))))
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))
        x = self.Mixed_7a(self.Mixed_6e(self.Mixed_6d(x)))
        y: Tensor = self.fc(self.dropout(self.Mixed_7c(self.Mixed_7b(x)).mean((2, 3))))
        return y


class Bottleneck(nn.Module):
    """He et al. 2016, arXiv:1512.03385, with the stride in the middle."""

    def __init__(self, cin: int, c: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(cin, c, 1, bias=False), nn.BatchNorm2d(c)
        self.conv2, self.bn2 = nn.Conv2d(c, c, 3, stride, 1, bias=False), nn.BatchNorm2d(c)
        self.conv3, self.bn3 = nn.Conv2d(c, 4 * c, 1, bias=False), nn.BatchNorm2d(4 * c)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or cin != 4 * c:
            self.downsample = nn.Sequential(nn.Conv2d(cin, 4 * c, 1, stride, bias=False), nn.BatchNorm2d(4 * c))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class FPN(nn.Module):
    """Lin et al. 2016, arXiv:1612.03144."""

    def __init__(self, depths: Sequence[int], widths: Sequence[int] = (64, 128, 256, 512), d: int = 256) -> None:
        super().__init__()
        cin = widths[0]
        self.body = nn.ModuleDict({"conv1": nn.Conv2d(3, cin, 7, 2, 3, bias=False), "bn1": nn.BatchNorm2d(cin)})
        for i, (c, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks = [Bottleneck(4 * c if j else cin, c, 2 if i and not j else 1) for j in range(depth)]
            self.body[f"layer{i + 1}"], cin = nn.Sequential(*blocks), 4 * c
        inner = nn.ModuleList(nn.Sequential(nn.Conv2d(4 * c, d, 1)) for c in widths)
        layer = nn.ModuleList(nn.Sequential(nn.Conv2d(d, d, 3, padding=1)) for _ in widths)
        self.fpn = nn.ModuleDict({"inner_blocks": inner, "layer_blocks": layer})

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x, found = F.max_pool2d(F.relu(self.body["bn1"](self.body["conv1"](x))), 3, 2, 1), []
        for i, inner in enumerate(self.fpn["inner_blocks"].children()):
            x = self.body[f"layer{i + 1}"](x)
            found.append(inner(x))
        for i in (2, 1, 0):
            found[i] = found[i] + F.interpolate(found[i + 1], found[i].shape[2:])
        out = [layer(y) for layer, y in zip(self.fpn["layer_blocks"].children(), found, strict=True)]
        return (*out, out[-1][:, :, ::2, ::2])


class DiTBlock(nn.Module):
    """A layer whose norms and branches are scaled by what it is told."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attn = nn.ModuleDict({"qkv": nn.Linear(d, 3 * d), "proj": nn.Linear(d, d)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(d, 4 * d), "fc2": nn.Linear(4 * d, d)})
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(d, 6 * d))

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        b, n, d = x.shape
        s, t, gate, u, v, way = self.adaLN_modulation(told)[:, None].chunk(6, -1)
        y = F.layer_norm(x, (d,), eps=1e-6) * (1 + t) + s
        q, k, w = self.attn["qkv"](y).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, w).transpose(1, 2).reshape(b, n, d)
        x = x + gate * self.attn["proj"](y)
        y = self.mlp["fc1"](F.layer_norm(x, (d,), eps=1e-6) * (1 + v) + u)
        y = self.mlp["fc2"](F.gelu(y, approximate="tanh"))
        out: Tensor = x + way * y
        return out


class DiT(nn.Module):
    """Peebles, Xie 2022, arXiv:2212.09748."""

    pos_embed: Tensor

    def __init__(
        self, image: int, patch: int, channels: int, d: int, heads: int, depth: int, classes: int = 1000
    ) -> None:
        super().__init__()
        self.patch, self.rows, out = patch, image // patch, 2 * channels * patch**2
        self.x_embedder = nn.ModuleDict({"proj": nn.Conv2d(channels, d, patch, patch)})
        mlp = nn.Sequential(nn.Linear(256, d), nn.SiLU(), nn.Linear(d, d))
        self.t_embedder = nn.ModuleDict({"mlp": mlp})
        self.y_embedder = nn.ModuleDict({"embedding_table": nn.Embedding(classes + 1, d)})
        self.register_buffer("pos_embed", places(self.rows, d))
        self.blocks = nn.ModuleList(DiTBlock(d, heads) for _ in range(depth))
        told = nn.Sequential(nn.SiLU(), nn.Linear(d, 2 * d))
        self.final_layer = nn.ModuleDict({"adaLN_modulation": told, "linear": nn.Linear(d, out)})

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        told = self.t_embedder["mlp"](waves(t, 256)) + self.y_embedder["embedding_table"](y)
        x = self.x_embedder["proj"](x).flatten(2).transpose(1, 2) + self.pos_embed
        for block in self.blocks:
            x = block(x, told)
        shift, scale = self.final_layer["adaLN_modulation"](told)[:, None].chunk(2, -1)
        x = self.final_layer["linear"](F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift)
        x = x.view(len(x), self.rows, self.rows, self.patch, self.patch, -1)
        return x.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


def waves(t: Tensor, d: int) -> Tensor:
    """Waves of t: cos and sin at d / 2 rates, from 1 down to 1 / 10000."""
    angle = t[..., None].float() * torch.exp(-math.log(10000) / (d // 2) * torch.arange(d // 2))
    return torch.cat([angle.cos(), angle.sin()], -1).to(t.dtype)


def places(n: int, d: int) -> Tensor:
    """Waves of the column, then of the row, sines first."""
    cosine, sine = waves(torch.arange(n).float(), d // 2).chunk(2, -1)
    one = torch.cat([sine, cosine], -1)
    return torch.cat([one.repeat(n, 1), one.repeat_interleave(n, 0)], -1)[None]
