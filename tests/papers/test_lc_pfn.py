"""LC-PFN: a transformer over points of a curve, what may see what, and curves that are continued."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from papers.frame import Case, Mutant, Paper, model
from papers.trial import Trial, trained

KNOWN, ASKED, BUCKETS, STEPS = 5, 5, 20, 250
PLACES = torch.linspace(10, 100, KNOWN + ASKED)


class CurveReading(nn.Module):
    """Layers of attention, norm behind: every token looks at the known ones and at itself."""

    def __init__(self, d: int, heads: int, hidden: int, buckets: int) -> None:
        super().__init__()
        layer = {
            "self_attn": nn.MultiheadAttention(d, heads, batch_first=True),
            "norm1": nn.LayerNorm(d),
            "linear1": nn.Linear(d, hidden),
            "linear2": nn.Linear(hidden, d),
            "norm2": nn.LayerNorm(d),
        }
        parts = {"encoder": nn.Linear(1, d), "y_encoder": nn.Linear(1, d), "decoder1": nn.Linear(d, hidden)}
        decoder = {"decoder2": nn.Linear(hidden, buckets), "layers": nn.ModuleList([nn.ModuleDict(layer)])}
        self.net = nn.ModuleDict({**parts, **decoder})

    def part(self, name: str) -> nn.Module:
        return self.get_submodule(f"net.{name}")

    def forward(self, steps: Tensor, accuracy: Tensor) -> Tensor:
        t, m = steps.shape[1], accuracy.shape[1]
        x, y = (steps / 101 - 0.5) / (1 / 12) ** 0.5, (accuracy - 0.5) / (1 / 12) ** 0.5
        z = self.part("encoder")(x)
        z = torch.cat([z[:, :m] + self.part("y_encoder")(y), z[:, m:]], 1)
        hidden = (torch.arange(t)[None] >= m) & ~torch.eye(t, dtype=torch.bool)
        at = "layers.0"
        seen: Tensor = self.part(f"{at}.self_attn")(z, z, z, attn_mask=hidden, need_weights=False)[0]
        z = self.part(f"{at}.norm1")(z + seen)
        widened = nn.functional.gelu(self.part(f"{at}.linear1")(z))
        z = self.part(f"{at}.norm2")(z + self.part(f"{at}.linear2")(widened))
        out: Tensor = self.part("decoder2")(nn.functional.gelu(self.part("decoder1")(z[:, m:])))
        return out


class CurveMLP(nn.Module):
    """The baseline: an MLP of the known accuracies and of the step that is asked for."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        maps = [nn.Linear(KNOWN + 1, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU()]
        self.net = nn.Sequential(*maps, nn.Linear(hidden, BUCKETS))

    def forward(self, steps: Tensor, accuracy: Tensor) -> Tensor:
        asked = steps[:, KNOWN:] / 101 - 0.5
        known = accuracy[:, None, :, 0].expand(-1, asked.shape[1], -1)
        out: Tensor = self.net(torch.cat([known, asked], 2))
        return out


def curves(count: int, draw: torch.Generator) -> Tensor:
    """Power laws that rise to a random height at a random pace, with a little noise, between 0 and 1."""
    top, gain, pace = (torch.rand(count, 1, generator=draw) for _ in range(3))
    top, pace = 0.4 + 0.6 * top, 0.2 + 1.3 * pace
    clean = top - gain * top * (PLACES / 10) ** -pace
    return (clean + 0.01 * torch.randn(count, len(PLACES), generator=draw)).clamp(0, 0.9999)


def learn(net: nn.Module, rate: float, seed: int) -> float:
    """Minus the mean log density of later accuracies, of curves that were not seen."""

    def loss(draw: torch.Generator, count: int = 32) -> Tensor:
        y = curves(count, draw)
        logits = net(PLACES.expand(count, -1)[..., None], y[:, :KNOWN, None])
        bucket = (y[:, KNOWN:] * BUCKETS).long()
        score = nn.functional.cross_entropy(logits.flatten(0, 1), bucket.flatten())
        return score - torch.log(torch.tensor(float(BUCKETS)))

    trained(net, loss, rate, STEPS, seed)
    with torch.no_grad():
        return float(loss(torch.Generator().manual_seed(7), 2000))


PAPER = Paper(
    slug="lc-pfn",
    counts={"LCPFN": 26_785_768, "Small": 12_020},
    source="the authors' sizes, of which the paper says 26.79 M; of the last, counted here",
    cases={
        "Tiny": Case(
            lambda: CurveReading(6, 2, 8, 5), lambda: (100 * torch.rand(2, 7, 1), torch.rand(2, 4, 1)),
        )
    },
    mutant=Mutant("x = (steps / 101 - 0.5)", "x = (steps / 100 - 0.5)"),
    folds="attention and norms depend on what flows",
    tries="Ask for one step or for a hundred: queries do not see one another, so the answers are the same.",
    drawn=("Tiny", 0),
    trial=Trial(
        hypothesis="On curves of its prior it gives later accuracies more likelihood than an MLP of the known ones.",
        metric="minus the mean log density of five later accuracies, on 2000 curves that were not seen",
        budget="250 steps of Adam on 32 fresh curves with five known accuracies, with a rate that falls to 0",
        baseline="an MLP of known accuracies and asked step, 6-97-97-20",
        ours=lambda: model("lc-pfn", "Small").torch(),
        theirs=lambda: CurveMLP(97),
        run=learn,
    ),
)  # fmt: skip


def test_it_starts_blind_and_sees_a_set() -> None:
    """At the start accuracies change nothing; later their order does not, nor do other queries."""
    net = model("lc-pfn", "Tiny").torch(dtype="f64")
    steps, known = 100 * torch.rand(2, 7, 1).double(), torch.rand(2, 4, 1).double()
    torch.testing.assert_close(net(steps, known), net(steps, 1 - known), atol=1e-15, rtol=1e-14)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(std=0.5)
    found = net(steps, known)
    turned = torch.tensor([2, 0, 3, 1])
    mixed = torch.cat([steps[:, turned], steps[:, 4:]], 1)
    torch.testing.assert_close(net(mixed, known[:, turned]), found)
    torch.testing.assert_close(net(steps[:, [0, 1, 2, 3, 5]], known), found[:, [1]])
