"""The library holds the names that its page lists, and nothing else can be read through it."""

from __future__ import annotations

import pytest

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
