"""The library holds the names that its page lists, and nothing else can be read through it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

import ogive
from ogive import stdlib
from ogive.compiler.driver.workspace import check_text
from ogive.grammar.parser import parse
from ogive.grammar.syntax import Block

NAMES = {
    "std.nn": (
        "Linear Embedding LayerNorm RMSNorm BatchNorm GroupNorm InstanceNorm Dropout DropPath LayerScale Residual"
        " identity"
    ),
    "std.vision": (
        "Conv ConvTranspose ConvNormAct SqueezeExcite PatchEmbed pixel_shuffle window_partition window_merge"
    ),
    "std.attention": "MultiHeadAttention causal_mask Rope Alibi SinusoidalPositions",
    "std.recurrent": "RNN GRU LSTM bidirectional",
    "std.experts": "TopKRouter MoE",
    "std.operators": "SpectralConv FNO DeepONet MultigridConv",
    "std.ssm": "S4D S5 Mamba",
}


def blocks(module: str) -> dict[str, Block]:
    found = parse(stdlib.source(module), module).file.declarations
    return {each.name: each for each in found if isinstance(each, Block)}


@pytest.mark.parametrize("module", NAMES)
def test_the_names_are_there(module: str) -> None:
    assert module in stdlib.names()
    assert set(NAMES[module].split()) <= blocks(module).keys()


@pytest.mark.parametrize("module", stdlib.names())
def test_each_module_checks_and_explains_itself(module: str) -> None:
    assert not check_text(stdlib.source(module), module).diagnostics
    assert all(block.doc for block in blocks(module).values())


@pytest.mark.parametrize(
    "name", ["nn", "std.", "std.nothing", "std.../../examples/gpt2", "std.__init__", "std.nn.arch", ""]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(KeyError):
        stdlib.source(name)


def test_activations_may_be_imported_too() -> None:
    text = """use std.nn (relu, gelu as g, softplus, identity)

block many(x: [b, d]) -> [b, d]:
    return (x |> relu |> g |> softplus[beta=2.0]) + g(x) + identity(x)
"""
    assert not check_text(text, "a.arch").diagnostics
    assert [d.code for d in check_text(text.replace("relu", "conv", 1), "a.arch").diagnostics][:1] == ["E0202"]


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (3, 2, 1), (4, 3, 1), (5, 2, 2)])
def test_a_convolution_pads_as_tensorflow_with_any_stride(kernel: int, stride: int, dilation: int) -> None:
    settings = f'{kernel}, stride={stride}, dilation={dilation}, pad="same"'
    head = "use std.vision (Conv)\nblock N(x: [b, 3, h, w]) -> [b, 4, h', w']:\n"
    net: Any = ogive.source(f"{head}    return x |> Conv[3, 4, {settings}] as c\nmodel M = N[]\n")["M"].torch()
    x = torch.randn(2, 3, 9, 11)
    wide = [max((-(-n // stride) - 1) * stride + dilation * (kernel - 1) + 1 - n, 0) for n in (11, 9)]
    padded = F.pad(x, [part for pad in wide for part in (pad // 2, pad - pad // 2)])
    torch.testing.assert_close(net(x), F.conv2d(padded, net.c.weight, net.c.bias, stride, 0, dilation))
    assert isinstance(net.c, torch.nn.Conv2d) is (stride == 1)
