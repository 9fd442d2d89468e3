"""What a deployed model calls: the operations of torch that a model folded by hand calls, and no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import ogive

EXAMPLES = Path(__file__).parents[2] / "examples"


class Calls(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps the names of the operations that run."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def called(run: Callable[[], object]) -> list[str]:
    """The operations that a function runs."""
    calls = Calls()
    with torch.no_grad(), calls:
        run()
    return calls.names


@pytest.mark.parametrize(("name", "convolutions"), [("repvgg", 5), ("mobileone", 7)])
def test_deployed_chains_call_what_a_hand_folded_model_calls(name: str, convolutions: int) -> None:
    net = ogive.load(EXAMPLES / f"{name}.arch").models["Tiny"].deploy("fold").torch().eval()
    x = torch.randn(1, 3, 32, 32)
    weight = torch.randn(4, 4, 3, 3)

    def by_hand() -> Tensor:
        y = torch.randn(1, 4, 8, 8)
        for _ in range(convolutions):
            y = F.relu(F.conv2d(y, weight, weight[0, :, 0, 0].contiguous(), padding=1))
        return F.linear(y.mean((2, 3)), torch.zeros(10, 4), torch.zeros(10))

    wanted = [n for n in called(by_hand) if n.split(".")[1] in ("convolution", "relu", "mean", "t", "addmm")]
    assert called(lambda: net(x)) == wanted


class Plain(nn.Sequential):
    """Convolutions with ReLU, a mean over places, a classifier: what one writes by hand."""

    def forward(self, x: Tensor) -> Tensor:
        *layers, head = self
        for layer in layers:
            x = F.relu(layer(x))
        logits: Tensor = head(x.mean((2, 3)))
        return logits


def test_repvgg_a0_is_22_convolutions_and_the_classifier() -> None:
    net = ogive.load(EXAMPLES / "repvgg.arch").models["RepVGGA0"].torch(recipe="fold").eval()
    layers = [module for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert [type(layer) for layer in layers] == [nn.Conv2d] * 22 + [nn.Linear]
    assert sum(parameter.numel() for layer in layers for parameter in layer.parameters()) == sum(
        tensor.numel() for tensor in net.state_dict().values()
    )
    hand = Plain(*layers).eval()
    x = torch.randn(1, 3, 64, 48)
    assert called(lambda: net(x)) == called(lambda: hand(x))
    with torch.no_grad():
        torch.testing.assert_close(net(x), hand(x), rtol=0, atol=0)


def deployed_text(name: str) -> str:
    return ogive.load(EXAMPLES / f"{name}.arch").models["Tiny"].torch_source(recipe="fold")


def test_a_deployed_module_reads_as_one_written_by_hand() -> None:
    text = deployed_text("gpt2")
    for line in (
        "class Attention(nn.Module):", "self.c_attn = nn.Linear(d, 3 * d)", "self.wte = nn.Embedding(64, 16)",
        "x = x + self.attn(F.layer_norm(x, (16,)))", "return F.linear(self.ln_f(x), self.wte.weight)",
    ):  # fmt: skip
        assert line in text
    assert "Group" not in text


def test_blocks_are_one_class_at_all_widths() -> None:
    """Strides are numbers of the layers after folding, so that each has its class; widths are not."""
    text = deployed_text("resnet")
    assert text.count("class Bottleneck") == 2
    assert "self.conv3 = nn.Conv2d(c, 4 * c, 1)" in text
    assert "body=Bottleneck(4, 4)" in text
    assert "Group(body=Bottleneck(32, 8))" in text
    assert "(x: [b, cin, h, w]) -> [b, 4*c, (h + 1)//2, (w + 1)//2]" in text
    assert "BatchNorm" not in text


TWICE = """use std.nn (Linear, LayerNorm)

block MLP[d](x: [b, n, d]) -> [b, n, d]:
    return x |> LayerNorm as norm |> Linear[d, 2*d] as up |> relu |> Linear[2*d, d] as down

block Shared(x: [b, n, 6]) -> [b, n, 6]:
    f = MLP[6]
    return f(relu(f(x)))

block Once(x: [b, n, 6]) -> [b, n, 6]:
    return x + (x |> MLP as first) + (x |> relu |> MLP as second)

model S = Shared[]
model M = Once[]
"""


@pytest.mark.parametrize(("name", "classes"), [("S", 0), ("M", 1)])
def test_a_block_that_is_called_twice_stays_apart(name: str, classes: int) -> None:
    model = ogive.source(TWICE).models[name]
    deployed = model.deploy("fold")
    assert deployed.torch_source().count("class MLP") == classes
    net = model.torch().eval()
    used = deployed.torch().eval()
    used.load_state_dict(deployed.convert(net))
    x = torch.randn(2, 3, 6)
    with torch.no_grad():
        torch.testing.assert_close(used(x), net(x))


@pytest.mark.parametrize("name", ["repvgg", "mobileone"])
def test_a_deployed_chain_keeps_no_value_longer_than_its_reader_needs_it(name: str) -> None:
    source = ogive.load(EXAMPLES / f"{name}.arch").models["Tiny"].deploy("fold").torch_source()
    forward = source[source.rindex("def forward") : source.rindex("return self.head")]
    assigned = {line.split(" = ")[0].strip() for line in forward.splitlines() if " = " in line}
    assert assigned == {"x"}, forward  # a second variable would hold the memory of an earlier step until the end
