"""Deep linear networks: products of matrices, and features that collapse when they are free."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from papers.frame import Case, Mutant, Paper, model
from papers.trial import Trial, trained

CLASSES, EACH, DECAY = 4, 10, 5e-3
LABELS = torch.arange(CLASSES).repeat_interleave(EACH)


class ChainReading(nn.Module):
    """W_3 W_2 W_1 h + b."""

    def __init__(self) -> None:
        super().__init__()
        maps = [nn.Linear(6, 5, bias=False), nn.Linear(5, 4, bias=False), nn.Linear(4, 3)]
        self.layers = nn.ModuleList([nn.ModuleDict({"map": each}) for each in maps])

    def forward(self, h: Tensor) -> Tensor:
        a, b, c = (self.get_parameter(f"layers.{i}.map.weight") for i in range(3))
        return h @ (c @ b @ a).T + self.get_parameter("layers.2.map.bias")


class FreeReading(nn.Module):
    """Features that are weights, and two maps of them."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Parameter(torch.randn(6, 4))
        maps = [nn.Linear(4, 4, bias=False), nn.Linear(4, 3, bias=False)]
        self.chain = nn.ModuleDict({"layers": nn.ModuleList([nn.ModuleDict({"map": each}) for each in maps])})

    def forward(self) -> tuple[Tensor, Tensor]:
        a, b = (self.get_parameter(f"chain.layers.{i}.map.weight") for i in range(2))
        return self.features, self.features @ a.T @ b.T


class Undecayed(nn.Module):
    """The baseline: the same network, of which no weight decays."""

    def __init__(self) -> None:
        super().__init__()
        self.net = model("deep-linear", "Four").torch()

    def forward(self) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = self.net()
        return found


def descended(net: nn.Module, rate: float, seed: int, decay: float) -> nn.Module:
    """Trained to the one-hot labels by squared error, all weights decaying by a term of the loss."""
    wanted = nn.functional.one_hot(LABELS).float()

    def loss(_: torch.Generator) -> Tensor:
        error = nn.functional.mse_loss(net()[1], wanted, reduction="sum") / (2 * len(wanted))
        # features are as many as examples: theirs is divided, as in the paper's scaling
        size = sum(p.square().sum() / (EACH if name.endswith("features") else 1) for name, p in net.named_parameters())
        return error + decay / 2 * size

    return trained(net, loss, rate, 1500, seed)


def collapse(net: nn.Module) -> tuple[Tensor, Tensor]:
    """The spread within classes over that between them, and the cosines of the class means."""
    h = net()[0].detach().view(CLASSES, EACH, -1)
    means = h.mean(1)
    within = (h - means[:, None]).square().sum() / h.square().sum()
    unit = means / means.norm(dim=1, keepdim=True)
    return within, unit @ unit.T


def learn(net: nn.Module, rate: float, seed: int) -> float:
    """How far features are from collapse: the spread within classes, or the largest cosine of two class means."""
    within, cosines = collapse(descended(net, rate, seed, 0.0 if isinstance(net, Undecayed) else DECAY))
    return float(torch.maximum(within, (cosines - torch.eye(CLASSES)).abs().max()))


PAPER = Paper(
    slug="deep-linear",
    counts={"Four": 1_216, "FourBiased": 1_220},
    source="own reading: four classes of ten free features of 16 numbers; the paper's sizes are free",
    cases={
        "Tiny": Case(ChainReading, lambda: (torch.randn(4, 6),)),
        "TinyFree": Case(FreeReading, tuple),
    },
    mutant=Mutant("return features, features |>", "return features, (1.01 * features) |>", model="TinyFree"),
    folds={"linear": 1},
    tries="`FourBiased`: with a bias behind the chain the class means lean against one another, to cosines of -1/3.",
    trial=Trial(
        hypothesis="With weight decay free features collapse to orthogonal class means; without it they do not.",
        metric="the larger of spread within classes and cosine of two class means; shown below 0.05",
        budget="1500 steps of Adam on all 40 features, with a rate that falls to 0 and a decay of 5e-3",
        baseline="the same network without weight decay",
        ours=lambda: model("deep-linear", "Four").torch(),
        theirs=Undecayed,
        run=learn,
        rates=(3e-3, 1e-2, 3e-2),
        shown=lambda ours, theirs: ours < 0.05 < theirs,
    ),
)


def test_a_chain_folds_to_the_product_of_its_matrices() -> None:
    made = model("deep-linear", "Tiny")
    net = made.torch(dtype="f64")
    folded = made.deploy("fold")
    weights = folded.convert(net)
    a, b, c = (net.get_parameter(f"layers.{i}.map.weight") for i in range(3))
    found = next(w for w in weights.values() if w.shape == (3, 6))
    torch.testing.assert_close(found.double(), (c @ b @ a).detach())
