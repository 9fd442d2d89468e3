"""Derivatives inside of models: what holds a `grad` trains, `custom_grad` reaches the weights of what it derives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ogive

HEAD = "use std.nn (Linear, LayerNorm)\nuse std.attention (MultiHeadAttention)\n"
TAIL = "\nmodel M = B\n"
GRADS = {
    "attention in a block of its own": """
block energy(x: [b, n, 4]) -> []:
    return x |> MultiHeadAttention[4, 2] |> sin |> sum
block B(x: [b, n, 4]) -> [b, n, 4]:
    return grad[energy](x)
""",
    "attention written out, with dropout": """
block energy(x: [b, n, 4]) -> []:
    scores = matmul(x, x |> rearrange["b n d -> b d n"]) / 2
    weights = select(tril(ones[n, n]) > 0, scores, -inf) |> softmax[-1] |> dropout[0.5]
    return sum(sin(matmul(weights, x)))
block B(x: [b, n, 4]) -> [b, n, 4]:
    return grad[energy](x + 0 * randn[b, n, 4])
""",
    "hard gates below a block": """
block gate[d](x: [*b, d]) -> [*b, d]:
    return hardsigmoid(x) * hardswish(x)
block energy(x: [b, n, 4]) -> []:
    return x |> Linear[4, 4] |> gate[4] |> sum
block B(x: [b, n, 4]) -> [b, n, 4]:
    return x |> gate[4] |> grad[energy]
""",
    "a derivative by hand": """
block square(x: [*b]) -> [*b]:
    return x * x * x
block steep(x: [*b], g: [*b]) -> [*b]:
    return 3 * x * x * g
block energy(x: [b, n, 4]) -> []:
    return sum(sin(custom_grad[square, steep](x)))
block B(x: [b, n, 4]) -> [b, n, 4]:
    return grad[energy](x)
""",
    "steps": """
block energy(x: [b, n, 4]) -> []:
    return sum((x * 3 // 1) * x + (7 % (abs(x) + 1)) * x + 5 // (abs(x) + 1))
block B(x: [b, n, 4]) -> [b, n, 4]:
    return grad[energy](x)
""",
    "a norm in two": """
block inner(x: [n, 4]) -> []:
    return x |> LayerNorm |> sin |> sum
block energy(x: [n, 4]) -> []:
    return sum(grad[inner](x) * x)
block B(x: [b, n, 4]) -> [b, n, 4]:
    return over[b, grad[energy]](x)
""",
    "a scan and a loop": """
block step(h: [b, 4], x: [b, 4]) -> [b, 4]:
    return tanh(h + x)
block energy(x: [b, n, 4]) -> []:
    scan u in x along n carry h = zeros[b, 4]:
        repeat 2 as layers:
            h = step(h |> Linear[4, 4] |> LayerNorm, u)
    return sum(h * h)
block B(x: [b, n, 4]) -> [b, n, 4]:
    return grad[energy](x)
""",
}


def built(text: str) -> nn.Module:
    """The module of a program, in double precision, with weights of which none is 0."""
    torch.manual_seed(0)
    net = ogive.source(HEAD + text + TAIL).models["M"].torch().double()
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return net


@pytest.mark.parametrize("name", GRADS)
def test_what_holds_a_derivative_trains(name: str) -> None:
    """Derivatives of the derivative, in the input and in every weight."""
    net = built(GRADS[name]).eval()
    x = torch.randn(2, 3, 4, dtype=torch.double, requires_grad=True)
    weights = dict(net.named_parameters())

    def run(x: Tensor, *values: Tensor) -> Tensor:
        torch.manual_seed(1)
        result: Tensor = torch.func.functional_call(net, dict(zip(weights, values, strict=True)), (x,))
        return result

    assert torch.autograd.gradcheck(run, (x, *weights.values()), fast_mode=True)
    net.train()(x).square().sum().backward()
    assert x.grad is not None
    assert all(weight.grad is not None for weight in weights.values())


def test_a_derivative_by_hand_reaches_the_weights_of_its_function() -> None:
    """Only in the operand is the derivative another's; in weights and captured values it is as ever."""
    net = built("""
block clipped[d](x: [*b, d]) -> [*b, d]:
    return x |> Linear[d, d] |> tanh
block straight(x: [*b, d], g: [*b, d]) -> [*b, d]:
    return g
block B(x: [b, n, 4]) -> [b, n, 4]:
    f = clipped[4]
    return custom_grad[f, straight](x)
""")
    x = torch.randn(2, 3, 4, dtype=torch.double, requires_grad=True)
    way = torch.randn(2, 3, 4, dtype=torch.double)
    (net(x) * way).sum().backward()
    wanted = nn.Linear(4, 4).double()
    wanted.load_state_dict({name.removeprefix("f.linear."): weight for name, weight in net.state_dict().items()})
    torch.autograd.backward(torch.tanh(wanted(x.detach())), way)
    torch.testing.assert_close(x.grad, way)
    for ours, theirs in zip(net.parameters(), wanted.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
