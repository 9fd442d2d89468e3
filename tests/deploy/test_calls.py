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


@pytest.mark.parametrize(("name", "convolutions"), [("repvgg", 5), ("mobileone", 7), ("diverse_branch", 4)])
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


def test_a_deployed_module_reads_as_one_written_by_hand() -> None:
    text = ogive.load(EXAMPLES / "gpt2.arch").models["Tiny"].torch_source(recipe="fold")
    assert "self.attn = Group(c_attn=nn.Linear(16, 48), c_proj=nn.Linear(16, 16))" in text or "class Attention" in text
    assert "F.linear(self.ln_f(x), self.wte.weight)" in text
    assert "nn.Embedding(64, 16)" in text
