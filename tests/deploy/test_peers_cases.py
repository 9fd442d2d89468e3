"""The cases in which other tools are wrong or stop short (core-passes.md 3.4), on our side: exact, or left alone."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from deploy.folding import folded, image, loaded, model

IMAGE = "(x: [b, 4, h, w]) -> [b, c', h', w']"
SQUARE = "(x: [b, 5, 5]) -> [b, 5, 5]"
TOKENS = "(x: [b, n, 6]) -> [b, n, d]"

# what, types, body, what is left
CASES = [
    ("a convolution that is used twice, each time with a norm of its own", IMAGE,
     "c = Conv[4, 4, 3, pad=1]\nreturn relu(x |> c |> BatchNorm) |> c |> BatchNorm",
     {"conv": 2, "batch_norm": 2, "relu": 1}),
    ("a convolution that is read raw too", IMAGE,
     "y = x |> Conv[4, 4, 3, pad=1]\nreturn relu(y |> BatchNorm) + exp(y)",
     {"conv": 1, "batch_norm": 1, "relu": 1, "exp": 1, "add": 1}),
    ("one norm after two convolutions", IMAGE,
     "n = BatchNorm[4]\nreturn relu(x |> Conv[4, 4, 3] |> n) |> Conv[4, 4, 3] |> n",
     {"conv": 2, "relu": 1}),
    ("Linear[F] and a norm of axis 1 on [b, F, F]", SQUARE, "return x |> Linear[5, 5] |> BatchNorm",
     {"linear": 1, "batch_norm": 1}),
    ("grouped transposed convolution", IMAGE,
     "return x |> ConvTranspose[4, 6, 3, stride=2, pad=1, groups=2] |> BatchNorm", {"conv_transpose": 1}),
    ("depthwise transposed convolution, two channels each", IMAGE,
     "return x |> ConvTranspose[4, 8, 2, stride=2, groups=4] |> BatchNorm", {"conv_transpose": 1}),
    ("two norms on one convolution", IMAGE, "return x |> Conv[4, 6, 3] |> BatchNorm |> BatchNorm", {"conv": 1}),
    ("a bias that is there already", IMAGE, "return x |> Conv[4, 6, 3, bias=true] |> BatchNorm", {"conv": 1}),
    ("1 × 1 with a bias before padding", IMAGE, "return x |> Conv[4, 6, 1] |> Conv[6, 4, 3, pad=1]", {"conv": 2}),
    ("a norm before padding", IMAGE, "return x |> BatchNorm |> Conv[4, 4, 3, pad=1]", {"batch_norm": 1, "conv": 1}),
    ("dilation in one branch", IMAGE,
     "return (x |> Conv[4, 4, 3, pad=2, dilation=2] |> BatchNorm) + (x |> Conv[4, 4, 1]) + x", {"conv": 1}),
    ("padding by replication", IMAGE,
     'return x |> BatchNorm |> Conv[4, 4, 3, pad=1, pad_mode="replicate"] |> BatchNorm',
     {"conv": 1}),
    ("Gemm after Gemm, then a norm", "(x: [n, 6]) -> [n, d]",
     "return x |> Linear[6, 8] |> Linear[8, 4] |> BatchNorm", {"linear": 1}),
    ("average, then 1 × 1", IMAGE,
     "return (x |> avg_pool[3, stride=1, pad=1] |> Conv[4, 4, 1]) + (x |> Conv[4, 4, 3, pad=1])", {"conv": 1}),
    ("scale of a norm, layer scale, low rank", TOKENS,
     "y = x |> LayerNorm\ny = (y |> Linear[6, 6]) + 2 * (y |> Linear[6, 2, bias=false] |> Linear[2, 6, bias=false])\n"
     "return x + (y |> LayerScale)", {"layer_norm": 1, "linear": 1, "add": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("types", "body", "left"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_it_is_exact(types: str, body: str, left: dict[str, int]) -> None:
    found = folded(model(body, types))
    shape = {IMAGE: (2, 4, 9, 7), SQUARE: (3, 5, 5), TOKENS: (2, 3, 6)}.get(types, (5, 6))
    assert found.ops == Counter(left), [str(note) for note in found.passed.notes]
    assert found.error(image(*shape)) < 1e-12


def test_a_block_shared_by_two_parents_is_folded_once() -> None:
    body = (
        "shared = ConvNorm[4, 4, 3, pad=1]\n"
        "return relu(x |> shared) + (exp(x) |> Conv[4, 4, 1] |> relu |> shared)"
    )  # fmt: skip
    found = folded(model(body, IMAGE))
    assert found.error(image(2, 4, 6, 5)) < 1e-12
    twice = folded(found.passed.model)
    assert twice.passed.conversion.is_identity


def test_a_tied_embedding_keeps_its_table() -> None:
    """The scale of the last norm would go into the head, which is the table of words too."""
    types = "(ids: int[b, n]) -> [b, n, 7]"
    body = (
        "wte = Embedding[7, 6]\nx = wte(ids)\ny = x |> LayerNorm as inner |> Linear[6, 6] as fc\n"
        "return linear(y |> LayerNorm as last, wte.weight)"
    )
    found = folded(model(body, types))
    ids = torch.arange(7).reshape(1, 7)
    with torch.no_grad():
        torch.testing.assert_close(found.result(ids), found.source(ids), rtol=1e-12, atol=1e-12)
    state = found.result.state_dict()
    assert {"last.weight", "wte.weight"} <= state.keys()
    assert "inner.weight" not in state
    torch.testing.assert_close(state["wte.weight"], found.source.state_dict()["wte.weight"], rtol=0, atol=0)
    assert any("wte.weight has other users" in note.text for note in found.passed.notes if not note.done)


def test_a_norm_of_no_variance() -> None:
    """γ / sqrt(σ² + ε) of up to 316: the relative error stays."""
    found = folded(model("return x |> Conv[4, 6, 3] |> BatchNorm", IMAGE))
    state = dict(found.source.state_dict())
    next(tensor for name, tensor in state.items() if name.endswith("running_var")).zero_()
    result = loaded(found.passed, state)
    x = image(2, 4, 6, 6)
    with torch.no_grad():
        gap = (result(x) - found.source(x)).abs().max() / found.source(x).abs().max()
    assert float(gap) < 1e-12
