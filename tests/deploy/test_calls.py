"""What a deployed model calls: the operations of torch that a model folded by hand calls, and no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
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
