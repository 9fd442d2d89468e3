"""Operations and ways to write a module that models use: each kind imports whole and computes what its source does."""
# mypy: disable-error-code="no-any-return,operator"
# torch says of a call of a module only that it gives anything; people write it so

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ogive
from importing import networks

Sizes = dict[str, list[str | int | None]]
TOKENS: Sizes = {"x": ["b", "n", 8]}


class Of(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.scale = nn.Parameter(torch.rand(8))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x * self.scale)


def activations(x: Tensor) -> Tensor:
    x = F.leaky_relu(x, 0.2) + F.elu(x) + F.celu(x, 0.5) + F.selu(x) + F.logsigmoid(x) + F.softsign(x)
    x = x + F.hardshrink(x, 0.1) + F.softshrink(x, 0.2) + F.softplus(x, 2.0) + F.threshold(x, 0.1, 0.0)
    return x + F.glu(torch.cat([x, x], -1)) + F.glu(torch.cat([x, x], 1), 1)


def norms(x: Tensor) -> Tensor:
    y = x / torch.linalg.vector_norm(x, dim=-1, keepdim=True) + x.var(-1, keepdim=True) + x.std(1, keepdim=True)
    return y + torch.logsumexp(x, -1, keepdim=True) + x.var(-1, unbiased=False, keepdim=True) + x.norm(1, -1, True)


def copies(x: Tensor) -> Tensor:
    y = torch.cat([x.flip(1), x.repeat(1, 2, 1), x[:, :1].repeat(1, 3, 1), x.repeat_interleave(2, 1)], 1)
    return y + F.pad(y[:, 1:], (0, 0, 0, 1)).roll(1, -1)


def order(x: Tensor) -> Tensor:
    y, places = x.sort(-1, descending=True)
    rows = torch.gather(x, -1, places.flip(-1))
    picked = x[torch.arange(x.shape[0]), x.sum(-1).argmax(-1)]
    return y + rows + picked[:, None] + x.index_select(-1, torch.arange(8).flip(0)) + x[..., [-1]] + F.one_hot(
        x.argmax(-1), 8
    )  # fmt: skip


def products(x: Tensor) -> Tensor:
    scores = torch.softmax(x @ x.transpose(1, 2) / 3, -1)
    y = torch.baddbmm(x, scores, x, beta=0.5, alpha=2.0)
    return (
        torch.addcmul(y, x, x, value=0.5) + torch.outer(x[0, 0], x[0, 1]).tril().sum(0) + 0.5 ** (torch.arange(8) + 1)
    )


class Uncalled(nn.Module):
    """Weights of submodules that are read without a call of them, in lists and of layers; biases put together."""

    def __init__(self) -> None:
        super().__init__()
        self.gates = nn.ParameterList([nn.Parameter(torch.ones(8)) for _ in range(2)])
        self.conv = nn.Conv1d(8, 8, 3, groups=8)
        self.qkv = nn.Linear(8, 24, bias=False)
        self.q, self.v = nn.Parameter(torch.zeros(8)), nn.Parameter(torch.zeros(8))
        self.layer = nn.utils.parametrizations.weight_norm(nn.Linear(8, 8))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = F.linear(x, self.qkv.weight, torch.cat([self.q, torch.zeros(8), self.v])).chunk(3, -1)
        for gate in self.gates:
            x = x + gate * torch.tanh(q + k) * v
        return self.layer(x + F.conv1d(x.mT, self.conv.weight, padding=1, groups=8).mT)


class Positions(nn.Module):
    """A table that is read by sizes alone."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(64, 8)

    def forward(self, count: int) -> Tensor:
        return self.table(torch.arange(count))


class Placed(nn.Module):
    """A module that is given a size, not a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.places = Positions()
        self.lin = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.lin(x) + self.places(x.shape[1])


class Windowed(nn.Module):
    """Attention that looks back a few places."""

    def __init__(self, window: int) -> None:
        super().__init__()
        self.lin = nn.Linear(8, 24)
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (each[:, None] for each in self.lin(x).chunk(3, -1))
        places = torch.arange(x.shape[1])
        ahead = places[None] - places[:, None]
        mask = (ahead <= 0) & (ahead > -self.window)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask[None, None])[:, 0]


CASES: dict[str, Callable[[], nn.Module]] = {
    "activations": lambda: Of(activations), "norms": lambda: Of(norms), "copies": lambda: Of(copies),
    "order": lambda: Of(order), "products": lambda: Of(products), "weights without calls": Uncalled,
    "sizes that are given": Placed, "a short window": lambda: Windowed(4), "a long window": lambda: Windowed(700),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_imports_whole(case: str) -> None:
    torch.manual_seed(0)
    module = CASES[case]().eval()
    found = ogive.from_torch(module, (torch.randn(2, 5, 8),), sizes=TOKENS, strict=True)
    assert found.verified is not None
    assert len(found.verified.sizes) >= 3
    assert found.verified.narrower == []
    assert set(found.model.sizes) == {"b", "n"}
    read = [each for each in module.parameters() if each is not getattr(getattr(module, "conv", None), "bias", None)]
    assert found.verified.gradients == len(read)
    if "window" in case:
        assert f"window={module.window}" in found.text


class Images(nn.Module):
    """Convolutions that go back, norms of images, pixels to channels."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 2, 2)
        self.norm, self.act = nn.InstanceNorm2d(8, affine=True), nn.PReLU(8)
        self.up = nn.ConvTranspose2d(8, 3, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.norm(self.down(x)))
        return self.up(y) + F.pixel_shuffle(torch.cat([y, y[:, :4]], 1), 2) + F.pixel_unshuffle(x, 2).mean()


def test_images() -> None:
    module = Images().eval()
    found = ogive.from_torch(module, (torch.randn(2, 3, 8, 12),), sizes={"x": ["b", 3, "h", "w"]}, strict=True)
    assert "ConvTranspose[" in found.text
    assert found.verified is not None
    assert found.verified.gradients == len(list(module.parameters()))


class Hidden(nn.Module):
    """A bias that is 0 at the start."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(8, 8)
        nn.init.zeros_(self.lin.bias)

    def forward(self, x: Tensor) -> Any:
        return self.lin(x)


def test_what_starts_at_zero_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program without a bias is not what its source is, though the bias is 0."""
    from ogive.backends.from_torch import ops_layers

    def without(m: nn.Linear) -> tuple[str, str, str]:
        return "std.nn", "Linear", f"{m.in_features}, {m.out_features}, bias=false"

    monkeypatch.setitem(ops_layers.LAYERS, nn.Linear, without)
    module = Hidden().eval()
    with pytest.raises(ogive.ArchError, match="not what its source is"):
        ogive.from_torch(module, (torch.randn(2, 5, 8),), sizes=TOKENS)


class Recurrent(nn.Module):
    """Recurrent layers of torch: of one direction and of two, with states that are read and given."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.rnn = getattr(nn, kind)(8, 8, batch_first=True)
        self.deep = getattr(nn, kind)(8, 4, num_layers=2, bidirectional=True, bias=kind != "GRU")
        self.after = getattr(nn, kind)(8, 8, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        y, h = self.rnn(x)
        z, _ = self.deep(y.transpose(0, 1))
        return self.after(z.transpose(0, 1), h)[0]


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_recurrent_layers(kind: str) -> None:
    torch.manual_seed(0)
    module = Recurrent(kind).eval()
    found = ogive.from_torch(module, (torch.randn(2, 5, 8),), sizes=TOKENS, strict=True)
    assert f"multilayer[{kind}[" in found.text
    assert set(found.model.sizes) == {"b", "n"}
    assert found.verified is not None
    assert found.verified.gradients == len(list(module.parameters()))
    assert '"deep.layers.1.behind.weight_ih_l0" = "deep.weight_ih_l1_reverse"' in found.map
    assert not vars(module.rnn).get("forward")


def test_what_is_written_into_parts_is_read() -> None:
    found = ogive.from_torch(networks.Written(True).eval(), (torch.randn(2, 4),), sizes={"x": ["b", 4]}, strict=True)
    assert "put[" in found.text
    assert found.verified is not None


class OwnNorm(nn.LayerNorm):
    """A class derived from a layer, which computes what that does."""

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)


class Shifted(nn.LayerNorm):
    """One that computes more."""

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps) + 1


def test_derived_classes_are_layers_where_they_compute_the_same() -> None:
    module = nn.Sequential(OwnNorm(8), Shifted(8)).eval()
    found = ogive.from_torch(module, (torch.randn(2, 5, 8),), sizes={"input": ["b", "n", 8]}, strict=True)
    assert "LayerNorm[d] as m0" in found.text
    assert "block Shifted" in found.text
