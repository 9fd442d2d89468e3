"""After folding, a layer that is all that is left of a block stands under the path of the block."""

from __future__ import annotations

import torch

import ogive
from deploy.folding import folded, model, randomized
from deploy.test_fold_examples import EXAMPLES
from ogive.compiler.ir.weights import weights


def left(body: str, types: str = "(x: [b, 4, h, w]) -> [b, c', h', w']") -> list[str]:
    """The paths of the weights that a folded body has; both forms compute the same."""
    found = folded(model(body, types))
    (x,) = (torch.randn(2, 4, 9, 7, dtype=torch.float64),)
    with torch.no_grad():
        torch.testing.assert_close(found.result(x), found.source(x), rtol=1e-10, atol=1e-12)
    return [info.path for info in weights(found.passed.model)]


def test_branches_of_a_block_are_the_block() -> None:
    assert left("return x |> MobileOneBlock[4, 6] as body") == ["body.weight", "body.bias"]
    assert left("return x |> ConvNorm[4, 6, 3] as stem") == ["stem.weight", "stem.bias"]


def test_a_layer_that_nothing_was_folded_into_keeps_its_path() -> None:
    assert left("return x |> Conv[4, 6, 3] as conv") == ["conv.weight", "conv.bias"]
    kept = left(
        "x = x |> Conv[4, 4, 3, pad=1, bias=false] as conv |> BatchNorm as bn\nreturn x |> Conv[4, 6, 1] as out"
    )
    assert kept == ["conv.weight", "conv.bias", "out.weight", "out.bias"], "the model itself is no block to stand for"


def test_iterations_of_loops_keep_their_place() -> None:
    assert left("for i in range(2) as blocks:\n    x = relu(x |> ConvNorm[4, 4, 3, pad=1] as body)\nreturn x") == [
        "blocks.0.body.weight", "blocks.0.body.bias", "blocks.1.body.weight", "blocks.1.body.bias",
    ]  # fmt: skip
    assert left("repeat 3 as blocks:\n    x = relu(x |> ConvNorm[4, 4, 3, pad=1] as body)\nreturn x") == [
        "blocks.*.body.weight",
        "blocks.*.body.bias",
    ]


def test_a_block_with_two_layers_left_keeps_both_names() -> None:
    text = "x = relu(x |> ConvNorm[4, 4, 3, pad=1] as one)\nreturn x |> ConvNorm[4, 6, 1] as two"
    assert left(text) == ["one.weight", "one.bias", "two.weight", "two.bias"]


def test_depthwise_layers_of_all_widths_are_one_class() -> None:
    used = ogive.load(EXAMPLES / "mobileone.arch").models["MobileOneS0"].deploy("fold")
    source = used.torch_source()
    classes = [line for line in source.splitlines() if line.startswith("class ")]
    assert classes == [
        "class Group(nn.Module):",
        "class Separable(nn.Module):",
        "class Separable2(nn.Module):",
        "class MobileOne(nn.Module):",
    ]
    assert "self.depthwise = nn.Conv2d(cin, cin, 3, padding=1, groups=cin)" in source
    assert "y = F.relu(self.depthwise(x))" in source


def test_a_folded_model_may_be_folded_again() -> None:
    once = ogive.load(EXAMPLES / "mobileone.arch").models["Tiny"].deploy("fold")
    twice = once.deploy("fold")
    net = randomized(once.torch().double().eval())
    other = twice.torch().double().eval()
    other.load_state_dict(twice.convert(net))
    assert list(other.state_dict()) == list(net.state_dict())
