"""Numerics of folding (core-passes.md 3.3): low precision against float64; weights that are expressions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import ogive
from deploy.folding import folded, image, model, randomized
from ogive.backends.pytorch.module.module import build
from ogive.backends.weight_conversion.run import convert
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.passes.weight_folding.driver import fold

EXAMPLES = Path(__file__).parents[2] / "examples"
IMAGE = "(x: [b, 4, h, w]) -> [b, c', h', w']"


def settled(net: nn.Module, x: Tensor) -> nn.Module:
    """The net with the statistics that it has on an input, so that values neither vanish nor grow over many blocks."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        net.train()(x)
    return net.eval()


def test_many_blocks_lose_at_most_twice_what_they_lose_unfolded() -> None:
    source = ogive.load(EXAMPLES / "repvgg.arch").models["RepVGGA0"]
    folding = source.deploy("fold")
    x = image(2, 3, 32, 40)
    net = settled(source.torch().double(), x)
    used = folding.torch().double().eval()
    used.load_state_dict(folding.convert(net, dtype=None))
    with torch.no_grad():
        exact = net(x)
        assert error(used(x), exact) <= 1e-12
        for dtype, bound in ((torch.float32, 2e-5), (torch.bfloat16, 0.5)):
            unfolded, made = (error(form.to(dtype)(x.to(dtype)), exact) for form in (net, used))
            assert made <= min(bound, max(2 * unfolded, torch.finfo(dtype).eps))


def error(y: Tensor, exact: Tensor) -> float:
    """The largest difference over the largest value."""
    return float((y.double() - exact).abs().max() / exact.abs().max())


def test_one_block_in_single_precision() -> None:
    found = folded(model("return (x |> ConvNorm[4, 6, 3, pad=1]) + (x |> ConvNorm[4, 6, 1])", IMAGE))
    x = image(2, 4, 9, 9)
    with torch.no_grad():
        exact = found.source(x)
        made = found.result.float()(x.float()).double()
    assert float((made - exact).abs().max() / exact.abs().max()) <= 1e-6


def test_an_intermediate_that_is_an_output_stays() -> None:
    text = (
        "use std.nn (BatchNorm)\nuse std.vision (Conv)\n"
        "block B(x: [b, 4, h, w]) -> (raw: [b, 4, h, w], y: [b, 4, h, w]):\n"
        "    raw = x |> Conv[4, 4, 3, pad=1] as conv\n    return raw, raw |> BatchNorm as bn\n\nmodel M = B[]\n"
    )
    source = check_text(text).models["M"].ir
    passed = fold(source)
    net = randomized(build(source).double().eval())
    result = build(passed.model).double().eval()
    result.load_state_dict(convert(passed.conversion, net.state_dict(), None))
    x = image(2, 4, 5, 6)
    with torch.no_grad():
        for mine, theirs in zip(result(x), net(x), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)
    assert passed.model.definition.output_names == ("raw", "y")


# weights that are computed from weights: whatever they are, they are stored
EXPRESSIONS = {
    "standardization": 'm = mean[1, 2, 3](k) |> expand["o -> o i p q", i=4, p=3, q=3]\n'
                       "s = sqrt(mean[1, 2, 3]((k - m)**2))\n"
                       'w = einsum["o i p q, o -> o i p q"](k - m, 1 / s)',
    "weight norm": "param g: [6] = ones\n"
                   'w = einsum["o i p q, o -> o i p q"](k, g / sqrt(sum[1, 2, 3](k**2)))',
    "low rank": "param a: [2, 36] = normal\nparam e: [6, 2] = normal\n"
                'w = k + 0.5 * ((e @ a) |> rearrange["o (i p q) -> o i p q", p=3, q=3])',
    "spectral": "state u: [6] = normal\nstate v: [36] = normal\n"
                'flat = k |> rearrange["o i p q -> o (i p q)"]\nw = k / einsum["o, o i, i -> "](u, flat, v)',
    "symmetric": 'w = k + (k |> rearrange["o i p q -> o i q p"])',
}  # fmt: skip


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expressions_of_weights_are_stored_and_fold_on(name: str) -> None:
    body = f"param k: [6, 4, 3, 3] = normal\n{EXPRESSIONS[name]}\nreturn conv(x, w) |> BatchNorm"
    found = folded(model(body, IMAGE))
    assert dict(found.ops) == {"conv": 1}
    assert found.error(image(2, 4, 6, 7)) < 1e-12
    assert sorted(found.result.state_dict()) == ["k", "k_bias"]
