"""What folding leaves alone, says so, and what a conversion refuses."""

from __future__ import annotations

import pytest
import torch

from deploy.folding import folded, image, model
from ogive.backends.pytorch.module.module import build
from ogive.backends.weight_conversion.run import convert, module_of
from ogive.compiler.passes.weight_folding.driver import fold
from ogive.grammar.diagnostics import ArchError

IMAGE = "(x: [b, 4, h, w]) -> [b, c', h', w']"
TOKENS = "(x: [b, n, 6]) -> [b, n, d]"

# types, body, how many convolutions and linear maps stay beside norms, words of the report
LEFT = [
    (IMAGE,
     "c = Conv[4, 4, 3, pad=1]\nn = BatchNorm[4]\nm = BatchNorm[4]\nreturn n(c(x)) + m(c(relu(x)))", "other users"),
    (IMAGE, "y = x |> Conv[4, 4, 3, pad=1]\nreturn relu(y) + (y |> BatchNorm)", "the conv before it has other readers"),
    (IMAGE, "return x |> BatchNorm |> ConvTranspose[4, 4, 3]", "`conv_transpose` after it"),
    (IMAGE, "return x |> interpolate[scale=2] |> BatchNorm |> relu", "`interpolate` before it and `relu` after it"),
    (IMAGE, "c = Conv[4, 4, 3, pad=1]\nrepeat 2 as h:\n    x = x |> c |> BatchNorm |> relu\nreturn x",
     "c.weight is shared by the iterations"),
    (TOKENS, "c = Linear[6, 6]\nrepeat 2 as h:\n    x = x |> LayerNorm |> c\nreturn x",
     "c.weight is shared by the iterations"),
    (TOKENS, "y = x |> rearrange[\"b n (e d) -> e b n d\", e=3] |> each[0, LayerNorm >> Linear[2, 2]]\n"
     "return y |> rearrange[\"e b n d -> b n (e d)\"]", "`each`"),
    (IMAGE, "return x |> BatchNorm |> Conv[4, 6, 3, pad=1]", "border"),
    (IMAGE, "return x |> Conv[4, 2, 3, pad=1] |> Conv[2, 6, 3, pad=1]", "both are padded"),
    (TOKENS, "c = Linear[6, 6]\nreturn c(x |> LayerNorm) + c(relu(x))", "other users"),
]  # fmt: skip


@pytest.mark.parametrize(("types", "body", "words"), LEFT)
def test_what_cannot_fold_stays_and_the_report_says_why(types: str, body: str, words: str) -> None:
    found = folded(model(body, types))
    shape = (2, 4, 7, 9) if types == IMAGE else (2, 3, 6)
    assert found.error(image(*shape)) < 1e-12
    assert any(words in note.text for note in found.passed.notes if not note.done)


def test_shared_weights_are_never_corrupted() -> None:
    body = "c = Conv[4, 4, 3, pad=1]\nreturn (x |> c |> BatchNorm) + (relu(x) |> c |> BatchNorm) + (x |> c)"
    found = folded(model(body, IMAGE))
    assert found.error(image(2, 4, 7, 9)) < 1e-12


def test_batch_statistics_do_not_fold() -> None:
    body = "y, average, spread = batch_norm_train(x |> Conv[4, 6, 3])\nreturn y"
    found = folded(model(body, IMAGE))
    assert found.ops["batch_norm_train"] == 1
    assert found.error(image(3, 4, 6, 6)) < 1e-12


def test_a_weight_that_is_still_read_keeps_its_path() -> None:
    body = "f = Linear[6, 6]\nreturn f(x, weight = softplus(f.weight)) + f(relu(x)) + x @ exp(f.weight)"
    found = folded(model(body, TOKENS), grow=True)
    assert found.error(image(2, 3, 6)) < 1e-12
    assert found.passed.model.definition.members[0].path == "f.weight"


@pytest.mark.parametrize("body", [
    "f = Linear[6, 5]\nparam a: [2, 6] = normal\nparam c: [5, 2] = normal\nreturn f(x, weight = f.weight + c @ a)",
    "f = Linear[6, 5]\nreturn f(x, weight = softplus(f.weight))",
    "f = Linear[6, 5]\nparam g: [5] = ones\nr = sqrt(sum[1](f.weight * f.weight))\n"
    "return f(x, weight = einsum[\"o i, o -> o i\"](f.weight, g / r))",
])  # fmt: skip
def test_parameterizations_of_weights_are_computed_once(body: str) -> None:
    found = folded(model(body, TOKENS))
    assert found.error(image(2, 3, 6)) < 1e-12
    assert dict(found.ops) == {"linear": 1}
    assert any(note.done and "computed once" in note.text for note in found.passed.notes)


def test_a_loop_of_no_iterations_has_nothing_to_convert() -> None:
    found = folded(model("repeat 0 as h:\n    x = x |> Conv[4, 4, 3, pad=1] |> BatchNorm\nreturn relu(x)", IMAGE))
    assert found.error(image(2, 4, 7, 9)) == 0


@pytest.mark.parametrize("fault", ["missing", "extra", "misshapen"])
def test_a_state_dict_that_does_not_fit_is_refused(fault: str) -> None:
    source = model("return x |> Conv[4, 6, 3] |> BatchNorm", IMAGE)
    passed = fold(source)
    state = dict(build(source).state_dict())
    if fault == "missing":
        del state["conv.bias"]
    elif fault == "extra":
        state["more"] = torch.zeros(1)
    else:
        state["conv.bias"] = torch.zeros(7)
    with pytest.raises(ArchError):
        convert(passed.conversion, state)


@pytest.mark.parametrize(
    ("given", "wanted"), [("source", torch.float16), (None, torch.float64), (torch.float32, torch.float32)]
)
def test_types_of_converted_weights(given: torch.dtype | str | None, wanted: torch.dtype) -> None:
    source = model("return x |> Conv[4, 6, 3] |> BatchNorm", IMAGE)
    state = {name: t.half() if t.is_floating_point() else t for name, t in build(source).state_dict().items()}
    made = convert(fold(source).conversion, state, given)
    assert {tensor.dtype for tensor in made.values()} == {wanted}


def test_gradients_through_the_fold_are_those_through_the_branches() -> None:
    source = model(
        "return relu((x |> Conv[4, 4, 3, pad=1] |> BatchNorm) + (x |> Conv[4, 4, 1] |> BatchNorm) + x)", IMAGE
    )
    passed = fold(source)
    net = build(source).double().eval()
    x = image(2, 4, 6, 6)
    (net(x) ** 2).sum().backward()
    maker = module_of(passed.conversion).double()
    maker.load_state_dict({k: v for k, v in net.state_dict().items() if k in maker.state_dict()})
    weights = dict(zip(passed.conversion.targets, maker(), strict=True))
    y = torch.func.functional_call(build(passed.model).double(), weights, (x,))
    (y**2).sum().backward()
    theirs = dict(net.named_parameters())
    for name, weight in maker.named_parameters():
        if weight.grad is not None:
            torch.testing.assert_close(weight.grad, theirs[name].grad, rtol=1e-10, atol=1e-10)
