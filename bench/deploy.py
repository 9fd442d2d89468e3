"""Deployed models against hand-folded ones and against their train form; folding; experts; poset pools."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

import ogive
from bench.pairs import Result, best, compare, timed
from ogive.compiler.passes.deploy_flat import deployed
from ogive.compiler.passes.fold import fold
from ogive.deployed import DeployedModel

EXAMPLES = Path(__file__).parents[1] / "examples"


def results() -> Iterator[Result]:
    yield from _repvgg()
    yield from _mobileone()
    yield _folding()
    yield _experts()
    yield from _pools()


class Plain(nn.Sequential):
    """Convolutions with ReLU, a mean over places, a classifier: what one writes by hand."""

    def forward(self, x: Tensor) -> Tensor:
        *layers, head = self
        for layer in layers:
            x = torch.relu(layer(x))
        logits: Tensor = head(x.mean((2, 3)))
        return logits


def hand_folded(model: DeployedModel) -> nn.Module:
    """The deployed chain of convolutions as layers of torch, with settings read off the graph."""
    layers: list[nn.Module] = []
    graph = deployed(model.ir).definition.graph
    for node in graph.nodes:
        if node.op == "conv":
            out, inner, *window = graph.values[str(node.inputs[1])].type.sizes
            groups = node.attr("groups").number
            steps = {key: tuple(n.number for n in node.attr(key)) for key in ("stride", "pad")}
            kernel = (window[0].number, window[1].number)
            channels = (inner.number * groups, out.number)
            layers.append(nn.Conv2d(*channels, kernel, steps["stride"], steps["pad"], groups=groups))
        elif node.op == "linear":
            out, inner = graph.values[str(node.inputs[1])].type.sizes
            layers.append(nn.Linear(inner.number, out.number))
    return Plain(*layers).eval()


def _against(name: str, file: str, model: str) -> Iterator[Result]:
    source = ogive.load(EXAMPLES / file).models[model]
    folded = source.deploy("fold")
    trained, used, hand = source.torch().eval(), folded.torch().eval(), hand_folded(folded)
    x = torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        yield best(f"deployed {name} / hand-folded", lambda: used(x), lambda: hand(x))
        yield compare(f"deployed {name} / train form", lambda: used(x), lambda: trained(x))


def _repvgg() -> Iterator[Result]:
    yield from _against("RepVGG-A0", "repvgg.arch", "RepVGGA0")


def _mobileone() -> Iterator[Result]:
    yield from _against("MobileOne-S0", "mobileone.arch", "MobileOneS0")


def _folding() -> Result:
    ir = ogive.load(EXAMPLES / "repvgg.arch").models["RepVGGB1"].ir
    fold(ir)
    return Result("fold of RepVGG-B1 / 2 s", min(timed(lambda: fold(ir)) for _ in range(3)), 2.0)


def _experts() -> Result:
    plain = ogive.load(EXAMPLES / "ewa_vit.arch").models["Digits"]
    nets = [plain.torch(), plain.deploy("expert_average[at=MLP]").torch()]
    x, y = torch.randn(64, 1, 8, 8), torch.randint(0, 10, (64,))

    def step(net: nn.Module) -> None:
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
        torch.autograd.backward(nn.functional.cross_entropy(net(x), y))
        optimizer.step()
        after: Callable[[], None] = getattr(net, "after_step", lambda: None)
        after()
        optimizer.zero_grad()

    return compare("training step, 4 experts / plain", lambda: step(nets[1]), lambda: step(nets[0]))


def _pools() -> Iterator[Result]:
    text = "block pool(x: [b, c, h, w]) -> [b, c, h // 2, w // 2]:\n    return x |> max_pool[2]\n\nmodel M = pool[]\n"
    source = ogive.source(text).models["M"]
    maximum, poset = source.torch(), source.deploy('poset_pool[order="diamond"]').torch()
    x = torch.randn(4, 64, 112, 112, requires_grad=True)

    def both(net: nn.Module) -> None:
        torch.autograd.backward(net(x).sum())
        x.grad = None

    with torch.no_grad():
        yield compare("poset pool / max pool, forward", lambda: poset(x), lambda: maximum(x))
    yield compare("poset pool / max pool, and backward", lambda: both(poset), lambda: both(maximum))
