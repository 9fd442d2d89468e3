"""Modules as people write them: what is imported in the tests."""
# mypy: disable-error-code="no-any-return,operator,index"
# torch says of a call of a module only that it gives anything; people write it so

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Residual(nn.Module):
    """A branch beside the identity."""

    def __init__(self, width: int, times: int = 4) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, times * width)
        self.down = nn.Linear(times * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(F.gelu(self.up(self.norm(x))))


class Perceptron(nn.Module):
    """Equal layers in a list, and a head."""

    def __init__(self, width: int = 16, depth: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(*[Residual(width) for _ in range(depth)])
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.layers(x))
        return out.softmax(-1)


class Unit(nn.Module):
    """A residual block of ResNet, with a shortcut where sizes change."""

    def __init__(self, cin: int, cout: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Sequential(nn.Conv2d(cin, cout, 1, stride), nn.BatchNorm2d(cout)) if stride > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.shortcut is None else self.shortcut(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class Convolutional(nn.Module):
    """Two stages of residual blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.layer1 = nn.Sequential(Unit(8, 8, 1), Unit(8, 8, 1))
        self.layer2 = nn.Sequential(Unit(8, 16, 2), Unit(16, 16, 1))
        self.fc = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.stem(x), 2)
        x = self.layer2(self.layer1(x))
        x = F.adaptive_avg_pool2d(x, 1)
        return self.fc(torch.flatten(x, 1))


class Attention(nn.Module):
    """Heads of attention over tokens, causal."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        qkv = self.qkv(x).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.proj(y.transpose(1, 2).reshape(b, n, d))


class Layer(nn.Module):
    """A layer of a transformer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.mlp = Residual(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.mlp(x + self.attn(self.ln_1(x)))


class Decoder(nn.Module):
    """Words to words, with one table for both."""

    def __init__(self, vocab: int = 23, width: int = 16, heads: int = 2, depth: int = 2) -> None:
        super().__init__()
        self.wte = nn.Embedding(vocab, width)
        self.wpe = nn.Parameter(torch.randn(32, width))
        self.h = nn.ModuleList([Layer(width, heads) for _ in range(depth)])
        self.ln_f = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.wte(ids) + self.wpe[: ids.shape[1]]
        for layer in self.h:
            x = layer(x)
        return self.head(self.ln_f(x))


class Branches(nn.Module):
    """One module used twice, several results, settings that differ."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Linear(8, 8)
        self.wide = Residual(8, 4)
        self.narrow = Residual(8, 2)
        self.scale = nn.Parameter(torch.rand(8))
        self.register_buffer("shift", torch.rand(8))

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        y = self.shared(torch.tanh(self.shared(x)))
        y = torch.where(mask, y, torch.zeros_like(y)) * self.scale + self.shift
        a, b = torch.cat([self.wide(y), self.narrow(y)], dim=-1).chunk(2, dim=-1)
        return a * torch.sigmoid(b), (x > 0).any(-1)


class Odd(nn.Module):
    """A part that has no operation."""

    def __init__(self, width: int, by: float = 1.0) -> None:
        super().__init__()
        self.lin = nn.Linear(width, width)
        self.by = by

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        y = torch.special.i0e(self.lin(x)) * self.by
        return y if scale is None else y * scale


class OddLayer(nn.Module):
    """A layer around one, which is called by keyword."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*[Residual(width) for _ in range(2)])
        self.odd = Odd(width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(x)
        return x + self.odd(x, scale=x.sigmoid())


class Choosing(nn.Module):
    """A layer that looks at what it is given."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lin = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.lin(x) if bool(x.sum() > -1e9) else -x


class Untold(nn.Module):
    """Something that has no operation."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.special.bessel_j0(self.lin(x))


class Moody(nn.Module):
    """Control flow that depends on data."""

    def forward(self, x: Tensor) -> Tensor:
        return x if bool(x.sum() > 0) else -x


class Spoken(nn.Module):
    """Attention of torch.nn, places from a buffer of whole numbers, a list that repeats from its second entry on."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("places", torch.arange(32)[None])
        self.table = nn.Embedding(32, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.layers = nn.Sequential(nn.Linear(8, 8), Residual(8), Residual(8))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.table(self.places[:, : x.shape[1]])
        y, _ = self.attention(x, x, x, need_weights=False)
        return self.layers(x + y)


class Written(nn.Module):
    """What is written into a tensor, or into a part of one, is another one."""

    def __init__(self, part: bool) -> None:
        super().__init__()
        self.lin = nn.Linear(4, 4)
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        y = self.lin(x)
        y.mul_(2)
        if self.part:
            y[:, 0] = 0
        return y + 1


class DenseLayer(nn.Module):
    """A layer that reads all that layers before it gave."""

    def __init__(self, cin: int, growth: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(cin)
        self.conv = nn.Conv2d(cin, growth, 3, padding=1, bias=False)

    def forward(self, features: list[Tensor]) -> Tensor:
        return self.conv(F.relu(self.norm(torch.cat(features, 1))))


class DenseBlock(nn.ModuleDict):
    """Layers by names with numbers, and a list of what they gave."""

    def __init__(self, cin: int, growth: int, depth: int) -> None:
        super().__init__({f"layer{i + 1}": DenseLayer(cin + i * growth, growth) for i in range(depth)})

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.values():
            features.append(layer(features))
        return torch.cat(features, 1)


class Dense(nn.Module):
    """Two of them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = DenseBlock(8, 4, 3), DenseBlock(10, 4, 5)
        self.between = nn.Conv2d(20, 10, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.avg_pool2d(self.between(self.first(x)), 2)).mean((2, 3))


class ConvUnit(nn.Sequential):
    """Convolution, norm and an activation or none."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True) -> None:
        conv = nn.Conv2d(cin, cout, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False)
        super().__init__(conv, nn.BatchNorm2d(cout, eps=1e-3, momentum=0.01), *([nn.SiLU(inplace=True)] if act else []))


class Excite(nn.Module):
    """Weighs channels."""

    def __init__(self, width: int, narrow: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce, self.expand = nn.Conv2d(width, narrow, 1), nn.Conv2d(narrow, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.expand(F.silu(self.reduce(self.pool(x)))))


class Inverted(nn.Module):
    """A wide branch, beside the identity where sizes stay."""

    def __init__(self, cin: int, cout: int, stride: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            ConvUnit(cin, 4 * cin, 1), ConvUnit(4 * cin, 4 * cin, 3, stride, 4 * cin), Excite(4 * cin, 8),
            ConvUnit(4 * cin, cout, 1, act=False),
        )  # fmt: skip
        self.beside = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        y = self.block(x)
        return x + y if self.beside else y


class Mobile(nn.Module):
    """Such layers of several strides."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvUnit(3, 8, 3, 2)
        self.stages = nn.Sequential(
            Inverted(8, 16, 2), Inverted(16, 16, 1), Inverted(16, 16, 1), Inverted(16, 24, 1), Inverted(24, 24, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.stages(self.stem(x)).mean((2, 3))
