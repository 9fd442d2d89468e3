"""Weight companders: bounded odd maps of every weight, what they bound, and what they do with few examples."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from papers.frame import Case, Mutant, Paper, model
from papers.trial import Trial, told_apart

TRAIN, STEPS, BATCH = 80, 150, 16


class CompandedReading(nn.Module):
    """Layers whose weights are a tanh(v / b)."""

    def __init__(self) -> None:
        super().__init__()
        convs = [nn.Conv2d(2, 3, 3), nn.Conv2d(3, 4, 3)]
        self.stages = nn.ModuleList([nn.ModuleDict({"conv": self.mapped(conv)}) for conv in convs])
        self.head = self.mapped(nn.Linear(4, 2))

    def mapped(self, layer: nn.Module) -> nn.ModuleDict:
        psi = nn.ParameterDict({"bound": torch.zeros(()), "width": torch.zeros(())})
        return nn.ModuleDict({"F": layer, "psi": psi})

    def weights(self, place: str) -> tuple[Tensor, Tensor]:
        v, a, b = (self.get_parameter(f"{place}.{name}") for name in ("F.weight", "psi.bound", "psi.width"))
        return a * torch.tanh(v / b), self.get_parameter(f"{place}.F.bias")

    def forward(self, x: Tensor) -> Tensor:
        for i in range(2):
            x = torch.relu(nn.functional.conv2d(x, *self.weights(f"stages.{i}.conv"), stride=i + 1, padding=1))
        return nn.functional.linear(x.mean((2, 3)), *self.weights("head"))


def plain_network() -> nn.Module:
    """The baseline: the same network without companders."""
    stages: list[nn.Module] = []
    for m, n, stride in ((3, 16, 1), (16, 32, 2), (32, 32, 2)):
        stages += [nn.Conv2d(m, n, 3, stride=stride, padding=1), nn.ReLU()]
    return nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 4))


PAPER = Paper(
    slug="weight-compander",
    counts={"Small": 14_476},
    source="own reading, as is the function: two numbers more for each layer; no number of the paper is claimed",
    cases={"Tiny": Case(CompandedReading, lambda: (torch.randn(2, 2, 6, 5),))},
    mutant=Mutant("return bound * tanh(v / width)", "return bound * tanh(1.05 * v / width)", "reparam"),
    folds={"conv": 2, "linear": 1, "tanh": 0},
    tries="Any other odd map: `Mapped[Conv[c, c, 3], psi]` takes every block of one tensor.",
    trial=Trial(
        hypothesis="With few examples, companded weights make fewer errors than plain ones.",
        metric="share of wrong answers on 500 noisy figures of four kinds that were not seen",
        budget="150 steps of Adam on batches of 16 of 80 figures, with a rate that falls to 0",
        baseline="the same network without companders",
        ours=lambda: model("weight-compander", "Small").torch(),
        theirs=plain_network,
        run=told_apart(TRAIN, STEPS, BATCH),
        rates=(3e-3, 1e-2, 3e-2),
    ),
)


def test_weights_are_bounded_and_odd() -> None:
    """As large as one likes, a weight gives no more than the bound, and its negative gives the negative."""
    net = model("weight-compander", "Tiny").torch(dtype="f64")
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.copy_(torch.full_like(parameter, 1e6 if name.endswith("weight") else 0.5))
            if name.endswith("bias"):
                parameter.zero_()
    x = torch.rand(3, 2, 6, 5, dtype=torch.float64)
    up = net(x)
    with torch.no_grad():
        net.get_parameter("head.F.weight").neg_()
    torch.testing.assert_close(net(x), -up)
    torch.testing.assert_close(up[:, 0], up[:, 1])
