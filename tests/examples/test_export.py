"""`torch.export` with all sizes of the inputs free: every example, every block of the library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

import ogive
from examples.exports import choices, exported, fixed, given
from examples.test_blocks import CASES, source
from ogive import stdlib
from ogive.api import Model
from ogive.grammar.parser import parse
from ogive.grammar.syntax import Block

EXAMPLES = Path(__file__).parents[2] / "examples"
SCAN, GRAD = "a `scan` walks along it", "torch.export takes no `grad`: it goes by `make_fx`, as the guide says"
ONE = "at one of the sizes a map has one place, for which torch.export takes another way than for more"
# what has a size that is fixed, or is not exported as it is, and why
FIXED = {
    "lstm_tagger": SCAN,
    "rwkv": SCAN,
    "fpn": ONE,
    "yolo": ONE,
    "RNN": SCAN,
    "GRU": SCAN,
    "LSTM": SCAN,
    "bidirectional": SCAN,
    "multilayer": SCAN,
    "input_convex": GRAD,
    "RisingIntensity": GRAD,
}
IMAGE, LINE = ("x: [b, 4, h, w]", "[b, c', h', w']"), ("x: [b, n, 12]", "[b, n, c']")
MORE: dict[str, tuple[tuple[str, str], str]] = {
    "Linear": (LINE, "x |> Linear[12, 5]"),
    "Embedding": (("x: int[b, n]", "[b, n, 6]"), "x |> Embedding[9, 6]"),
    "LayerNorm": (LINE, "x |> LayerNorm"),
    "RMSNorm": (LINE, "x |> RMSNorm"),
    "BatchNorm": (IMAGE, "x |> BatchNorm"),
    "GroupNorm": (IMAGE, "x |> GroupNorm[2, 4]"),
    "InstanceNorm": (IMAGE, "x |> InstanceNorm[4]"),
    "Dropout": (LINE, "x |> Dropout"),
    "DropPath": (LINE, "x |> DropPath[0.1]"),
    "LayerScale": (LINE, "x |> LayerScale[12]"),
    "Residual": (LINE, "x |> Residual[Linear[12, 12]]"),
    "Conv": (IMAGE, "x |> Conv[4, 6, 3, stride=2, pad=1]"),
    "ConvTranspose": (IMAGE, "x |> ConvTranspose[4, 6, 3, stride=2, pad=1]"),
    "ConvNormAct": (IMAGE, "x |> ConvNormAct[4, 6]"),
    "SqueezeExcite": (IMAGE, "x |> SqueezeExcite[4, 2]"),
    "PatchEmbed": (("x: [b, 3, 8*h, 8*w]", "[b, n, 6]"), "x |> PatchEmbed[3, 6, 8]"),
    "pixel_shuffle": (IMAGE, "x |> pixel_shuffle[2]"),
    "window_partition": (("x: [b, 4*h, 4*w, 6]", "[b, h, w, 16, 6]"), "x |> window_partition[4]"),
    "MultiHeadAttention": (LINE, "x |> MultiHeadAttention[12, 3]"),
    "causal": (LINE, "x |> MultiHeadAttention[12, 3, causal=true]"),
    "Rope": (("x: [b, 2, n, 8]", "[b, 2, n, 8]"), "x |> Rope[8]"),
    "Alibi": (("x: [b, 4, n, n]", "[b, 4, n, n]"), "x |> Alibi[4]"),
    "SinusoidalPositions": (("x: [b, 64, 12]", "[b, 64, 12]"), "x + SinusoidalPositions[64, 12]()"),
    "causal_mask": (("x: [b, n, m]\nwhere m >= n", "[b, n, m]"), "x |> causal_mask"),
    "RNN": (LINE, "x |> RNN[12, 5]"),
    "GRU": (LINE, "x |> GRU[12, 5]"),
    "LSTM": (LINE, "x |> LSTM[12, 5]"),
    "bidirectional": (LINE, "x |> bidirectional[GRU[12, 5, ...]]"),
    "S4D": (LINE, "x |> S4D[12]"),
    "S5": (LINE, "x |> S5[12]"),
    "Mamba": (LINE, "x |> Mamba[12]"),
}
OWN = {
    # what is padded to a multiple, and cut back
    "padded": "block Net(x: [b, 3, h, w]) -> [b, 3, h, w]:\n    y = pad[2, 0, (0 - h) % 8](pad[3, 0, (0 - w) % 8](x))\n"
    "    y = gelu(y |> avg_pool[8] |> interpolate[8])\n    return y[:, :, :h, :w] + x\nmodel M = Net\n",
    "padded_line": "block Net(x: [b, n, 3]) -> [b, n, 3]:\n    y = pad[1, 0, (0 - n) % 4](x)\n"
    '    y = y |> rearrange["b (n p) c -> b n (p c)", p=4] |> softmax[-1]\n'
    '    return (y |> rearrange["b n (p c) -> b (n p) c", p=4])[:, :n]\nmodel M = Net\n',
    "cut_to_a_multiple": "block Net(x: [b, n, 3]) -> [b, m, 3]:\n    y = x[:, :n // 4 * 4]\n"
    '    return y |> rearrange["b (n p) c -> b p n c", p=4] |> cumsum[2] |> rearrange["b p n c -> b (n p) c"]\n'
    "model M = Net\n",
}


def model_of(name: str) -> Model:
    """The model of an example, of a block, or of a text."""
    if name in OWN:
        return ogive.source(OWN[name]).models["M"]
    if name in MORE:
        (inputs, outputs), expression = MORE[name]
        uses = []
        for module in ("nn", "vision", "attention", "recurrent", "ssm"):
            blocks = parse(stdlib.source(f"std.{module}"), module).file.declarations
            found = [b.name for b in blocks if isinstance(b, Block) and re.search(rf"\b{b.name}\b", expression)]
            uses += [f"use std.{module} ({', '.join(found)})"] if found else []
        head, _, where = inputs.partition("\n")
        text = f"\nblock Net({head}) -> {outputs}" + (f"\n{where}" if where else "")
        return ogive.source("\n".join(uses) + f"{text}:\n    return {expression}\nmodel M = Net[]\n").models["M"]
    if name in CASES:
        return ogive.source(source(name)).models["M"]
    models = ogive.load(EXAMPLES / f"{name}.arch").models
    return models.get("Tiny") or min(models.values(), key=lambda each: each.parameters)


def names() -> Iterator[str]:
    """All of them."""
    yield from (path.stem for path in sorted(EXAMPLES.glob("*.arch")) if path.stem != "mlp")
    yield from CASES
    yield from MORE
    yield from OWN


def check(name: str) -> None:
    """It is exported once, and the program is the module at other sizes."""
    model = model_of(name)
    at, *others = choices(model)
    torch.manual_seed(0)
    net = model.torch().eval()
    if FIXED.get(name) == GRAD:
        xs = given(model, at)
        program = torch.export.export(make_fx(net)(*xs), tuple(xs))
        torch.testing.assert_close(program.module()(*xs), net(*xs))
        return
    with torch.no_grad():
        program = exported(net, given(model, at))
        run, failed = program.module(), bool(fixed(model, program))
        for sizes in (at, *others):
            xs = given(model, sizes)
            try:
                found = run(*xs)
            except AssertionError as error:
                assert "Guard" in str(error)
                failed = True
                continue
            torch.testing.assert_close(found, net(*xs), rtol=1e-4, atol=1e-4)
    assert failed == (name in FIXED), name


@pytest.mark.parametrize(
    "name", ["padded", "padded_line", "cut_to_a_multiple", "Mamba", "Conv", "GRU", "causal", "input_convex"]
)
def test_a_sample_is_exported_with_free_sizes(name: str) -> None:
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(names()))
def test_all_are_exported_with_free_sizes(name: str) -> None:
    check(name)
