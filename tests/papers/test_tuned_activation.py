"""Tuned activations: interpolations that all layers share, the identities of the sheet, and a slope that is found."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from papers.frame import Case, Mutant, Paper, model, program
from papers.trial import Trial, trained

STEPS = 250


class TunedReading(nn.Module):
    """α relu + (1 - α) other, with one α for all layers."""

    def __init__(self, absolute: bool) -> None:
        super().__init__()
        self.alpha, self.absolute = nn.Parameter(torch.tensor(0.5)), absolute
        maps = [nn.Linear(3, 5), nn.Linear(5, 4), nn.Linear(4, 2)]
        self.layers = nn.ModuleList([nn.ModuleDict({"linear": each}) for each in maps])

    def forward(self, x: Tensor) -> Tensor:
        for i in range(3):
            x = self.get_submodule(f"layers.{i}.linear")(x)
            if i < 2:
                other = x.abs() if self.absolute else x
                x = self.alpha * x.clamp(min=0) + (1 - self.alpha) * other
        return x


def teacher() -> nn.Module:
    """A random network whose activation bends back: slope 1 above 0, slope -0.4 below."""
    torch.manual_seed(99)
    net = program("tuned-activation")["TunedMLP"](din=8, widths=[32, 32, 1], o2="abs", start=0.6).torch()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith("weight"):
                nn.init.normal_(parameter, std=(2 / parameter.shape[1]) ** 0.5)
    return net.eval()


def learn(net: nn.Module, rate: float, seed: int) -> float:
    """The squared error over the variance of the target, on inputs that were not seen."""
    wanted = teacher()

    def loss(draw: torch.Generator, count: int = 64) -> Tensor:
        x = torch.randn(count, 8, generator=draw)
        with torch.no_grad():
            y = wanted(x)
        share: Tensor = nn.functional.mse_loss(net(x), y) / y.var()
        return share

    torch.manual_seed(seed)
    for each in net.modules():
        if isinstance(each, nn.Linear):
            each.reset_parameters()
    trained(net, loss, rate, STEPS, seed)
    with torch.no_grad():
        return float(loss(torch.Generator().manual_seed(7), 4000))


def frozen() -> nn.Module:
    """The baseline: α stays at 1, which is ReLU."""
    net = program("tuned-activation")["TunedMLP"](din=8, widths=[32, 32, 1], o2="abs", start=1.0).torch()
    net.get_parameter("alpha").requires_grad_(False)
    return net


PAPER = Paper(
    slug="tuned-activation",
    counts={"Leaky": 1_378, "Bent": 1_378},
    source="own reading: an MLP 8-32-32-1 and one number",
    cases={
        "Tiny": Case(lambda: TunedReading(absolute=False), lambda: (torch.randn(4, 3),)),
        "TinyAbs": Case(lambda: TunedReading(absolute=True), lambda: (torch.randn(4, 3),)),
    },
    mutant=Mutant("+ (1 - alpha) * o2(x)", "+ (1.1 - alpha) * o2(x)"),
    folds="activations stay; with ReLU and the identity it is a leaky ReLU of slope 1 - α",
    tries="Other pairs: `TunedMLP[o1=tanh, o2=identity]`; any two blocks of one tensor.",
    trial=Trial(
        hypothesis="With a tuned activation a network learns a teacher of unknown slope better than with ReLU.",
        metric="squared error over the variance of the target, at 4000 inputs that were not seen",
        budget="250 steps of Adam on 64 fresh inputs, with a rate that falls to 0",
        baseline="the same network with α fixed at 1, plain ReLU",
        ours=lambda: model("tuned-activation", "Bent").torch(),
        theirs=frozen,
        run=learn,
    ),
)


def test_between_relu_and_the_identity_it_is_a_leaky_relu() -> None:
    made = program("tuned-activation")["TunedMLP"](din=1, widths=[1, 1]).torch(dtype="f64")
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
    x = torch.randn(40, 1, dtype=torch.float64)
    for alpha in (0.0, 0.3, 0.7, 1.0):
        with torch.no_grad():
            made.get_parameter("alpha").fill_(alpha)
        torch.testing.assert_close(made(x), nn.functional.leaky_relu(x, 1 - alpha))


def test_a_network_is_a_polynomial_in_its_number_where_one_layer_is_tuned() -> None:
    """One hidden layer: affine in α, for fixed weights and inputs."""
    net = program("tuned-activation")["TunedMLP"](din=3, widths=[6, 2]).torch(dtype="f64")
    x = torch.randn(5, 3, dtype=torch.float64)
    found = []
    for alpha in (0.0, 0.5, 1.0):
        with torch.no_grad():
            net.get_parameter("alpha").fill_(alpha)
        found.append(net(x))
    torch.testing.assert_close(found[1], (found[0] + found[2]) / 2)
