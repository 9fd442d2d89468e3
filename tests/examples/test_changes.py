"""Twenty small changes that a user would try on the examples: each works, or says what to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from examples.test_tiny import inputs
from ogive.api import Program
from ogive.compiler.driver.workspace import check_text

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Change:
    """A text in an example and what a user writes for it; `says` is the code and the advice where that is wrong."""

    title: str
    example: str
    before: str
    after: str
    says: tuple[str, str] | None = None

    def __str__(self) -> str:
        return f"{self.example}: {self.title}"


MLP_LAYER = "x = x |> Linear[width, width] as linear |> relu"
CHANGES = [
    Change("another activation", "mlp", "as stem |> relu", "as stem |> silu"),
    Change("a residual", "mlp", MLP_LAYER, "x = x + (x |> Linear[width, width] as linear |> relu)"),
    Change(
        "a residual without parentheses",
        "mlp",
        MLP_LAYER,
        "x = x + x |> Linear[width, width] as linear",
        ("E0101", "x + (x |> Linear[width, width] as linear)"),
    ),
    Change(
        "a norm before each layer",
        "mlp",
        "x = x |> Linear[width, width]",
        "x = x |> RMSNorm |> Linear[width, width]",
        ("E0201", "use std.nn (RMSNorm)"),
    ),
    Change(
        "one layer for all iterations",
        "mlp",
        "    repeat depth as hidden:\n        x = x |> Linear[width, width] as linear",
        "    shared = Linear[width, width]\n    repeat depth as hidden:\n        x = x |> shared",
    ),
    Change(
        "a width that does not fit",
        "mlp",
        "Linear[width, dout] as head",
        "Linear[2 * width, dout] as head",
        ("E0301", "2*width"),
    ),
    Change(
        "wider from iteration to iteration",
        "mlp",
        "Linear[width, width] as linear",
        "Linear[width, 2 * width] as linear",
        ("E0302", "for"),
    ),
    Change(
        "sizes in parentheses",
        "mlp",
        "Linear[width, dout] as head",
        "Linear(width, dout) as head",
        ("E0405", "Linear[width, dout]"),
    ),
    Change("a method of a tensor", "vit", "x[:, 0]", "x.mean(1)", ("E0201", "mean[1](x)")),
    Change(
        "dropout after the embedding",
        "gpt2",
        "x = wte(ids) + wpe[:n]",
        "x = wte(ids) + wpe[:n] |> dropout[0.1]",
        ("E0101", "(wte(ids) + wpe[:n]) |> dropout[0.1]"),
    ),
    Change(
        "another gain of the MLP",
        "gpt2",
        "Linear[d, 4*d] as c_fc |> gelu_tanh |> Linear[4*d, d]",
        "Linear[d, 2*d] as c_fc |> gelu |> Linear[2*d, d]",
    ),
    Change(
        "heads that do not divide", "gpt2", "d=16, heads=2, depth=2", "d=16, heads=3, depth=2", ("E0401", "d % heads")
    ),
    Change(
        "a parallel branch",
        "gpt2",
        "x = x + (x |> LayerNorm as ln_2 |> MLP as mlp)",
        "x = x + (x |> LayerNorm as ln_2 |> MLP as mlp) + (x |> LayerNorm as ln_3 |> MLP as mlp2)",
    ),
    Change(
        "a probe",
        "gpt2",
        "    p = scores |> causal_mask |> softmax[k]",
        "    tap p = scores |> causal_mask |> softmax[k]",
    ),
    Change("softmax over a name that is not there", "gpt2", "softmax[k]", "softmax[keys]", ("E0305", "k")),
    Change("deeper", "s4d", "d=8, depth=2, states=4]", "d=8, depth=5, states=4]"),
    Change(
        "an odd number of states", "s4d", "d=8, depth=2, states=4]", "d=8, depth=2, states=5]", ("E0401", "states % 2")
    ),
    Change(
        "one direction",
        "lstm_tagger",
        "directions=2, p=p] as lstm\n    return x |> Dropout[p] |> Linear[2*hidden",
        "p=p] as lstm\n    return x |> Dropout[p] |> Linear[hidden",
    ),
    Change("one direction by half", "lstm_tagger", "directions=2, ", "", ("E0301", "hidden")),
    Change("a GRU", "lstm_tagger", "LSTM", "GRU"),
    Change("more experts than there are", "moe", "experts=4, k=2", "experts=4, k=5", ("E0401", "k <= experts")),
    Change(
        "an expert of another shape",
        "moe",
        "as up |> gelu |> Linear[hidden, d] as down",
        "as up |> gelu",
        ("E0301", "hidden"),
    ),
    Change(
        "attention at no scale",
        "diffusion_unet",
        "attends=[false, true], repeats=1",
        "attends=[false, false], repeats=1",
    ),
    Change(
        "an image of odd sides",
        "diffusion_unet",
        "model Tiny =",
        "model Odd = DiffusionUNet[channels=1, c=4, "
        "widths=[1, 2], attends=[true, true], repeats=1, groups=2] where h % 2 == 1\nmodel Tiny =",
        ("E0401", "h % 2 == 0"),
    ),
    Change(
        "a third neighbourhood",
        "gnn",
        "|> elu |> Dropout[p]\n    return (x,",
        "|> elu |> Dropout[p]\n    x = (x, source, "
        "target) |> GAT[heads * hidden, hidden, heads] as conv3 |> elu\n    return (x,",
    ),
    Change("a division of whole numbers", "gnn", "take[0](x, source))", "take[0](x, source / 2))", ("E0501", "//")),
]


def test_there_are_twenty() -> None:
    assert len(CHANGES) >= 20


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_change_works_or_says_what_to_do(change: Change) -> None:
    path = EXAMPLES / f"{change.example}.arch"
    text = path.read_text(encoding="utf-8")
    assert change.before in text, "the example has moved on"
    checked = check_text(text.replace(change.before, change.after), str(path))
    errors = [found for found in checked.diagnostics if found.severity == "error"]
    if change.says is not None:
        code, advice = change.says
        assert [found.code for found in errors][:1] == [code]
        said = f"{errors[0].message} {errors[0].help}"
        assert advice in said, said
        return
    assert not errors
    model = Program(checked).models["Tiny"]
    torch.manual_seed(0)
    net = model.torch()
    made = inputs(model, change.example)
    outputs = net(*made)
    loss = (outputs[0] if isinstance(outputs, tuple) else outputs).square().mean()
    loss.backward()
    assert torch.isfinite(loss)
