"""`derive`: of mixtures the chosen operation is left; the result is the source with logits that leave no doubt."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import ogive
from analysis.test_groups import stirred
from ogive.compiler.ir_tools.verify import verify

HEAD = "use std.nn (Linear)\n\nblock Net(x: [b, 4]) -> [b, 4]:\n"
MIXED = HEAD + (
    "    param alpha: [2, 3] = normal\n    p = softmax[-1](alpha)\n"
    "    y = p[0, 0] * (x |> Linear[4, 4] as a) + p[0, 1] * relu(x) + p[0, 2] * x\n"
    "    return y + p[1, 0] * (y |> Linear[4, 4] as c) + p[1, 1] * tanh(y) + p[1, 2] * (0.0 * y)\n\nmodel M = Net\n"
)
STACKED = HEAD + (
    "    param alpha: [3] = normal\n    p = softmax[-1](alpha)\n"
    '    return einsum["k, b k d -> b d"](p, stack[1](x |> Linear[4, 4] as a, tanh(x), x))\n\nmodel M = Net\n'
)
# sharpDARTS: op i is weighed by 1 - max w + w[i], so that the best has 1
SHARP = HEAD + (
    "    param alpha: [2] = normal\n    w = softmax[-1](alpha)\n    top = max[-1](w)\n"
    "    return (1 - top + w[0]) * (x |> Linear[4, 4] as a) + (1 - top + w[1]) * tanh(x)\n\nmodel M = Net\n"
)
# a node with three edges, each of nothing, a map and the identity
CELL = HEAD + (
    "    param alpha: [4, 3] = normal\n    p = softmax[-1](alpha)\n    u = tanh(x)\n    v = sin(x)\n"
    "    n = p[0, 0] * (0.0 * x) + p[0, 1] * (x |> Linear[4, 4] as a) + p[0, 2] * x\n"
    "    n = n + p[1, 0] * (0.0 * u) + p[1, 1] * (u |> Linear[4, 4] as c) + p[1, 2] * u\n"
    "    n = n + p[2, 0] * (0.0 * v) + p[2, 1] * (v |> Linear[4, 4] as d) + p[2, 2] * v\n"
    "    z = relu(n)\n"
    "    return p[3, 0] * (0.0 * z) + p[3, 1] * (z |> Linear[4, 4] as e) + p[3, 2] * z\n\nmodel M = Net\n"
)


def made(text: str, alpha: list[Any], call: str) -> tuple[ogive.Model, Any, Any]:
    model = ogive.source(text).models["M"]
    net: Any = stirred(model).float()
    with torch.no_grad():
        net.alpha.copy_(torch.tensor(alpha))
    found = model.deploy(call, weights=net)
    verify(found.ir)
    deviation = found.verify(net, b=3)
    assert deviation.exact, str(deviation)
    assert deviation.absolute <= 1e-10
    return model, net, found


@pytest.mark.parametrize(
    ("text", "alpha", "left"),
    [
        (MIXED, [[0.0, 1.0, 2.0], [3.0, 0.0, 0.0]], ["c"]),
        (MIXED, [[2.0, 1.0, 0.0], [0.0, 1.0, 0.0]], ["a"]),
        (MIXED, [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], []),
        (STACKED, [1.0, 0.0, 0.0], ["a"]),
        (STACKED, [0.0, 0.0, 2.0], []),
        (SHARP, [1.0, 0.0], ["a"]),
        (SHARP, [0.0, 1.0], []),
    ],
)
def test_the_best_is_left_with_its_weights(text: str, alpha: list[Any], left: list[str]) -> None:
    _, _, found = made(text, alpha, "derive")
    assert sorted({path.split(".")[0] for path in found.weights}) == left
    assert "softmax" not in found.torch_source()


def test_two_edges_of_a_node_are_left_and_never_nothing() -> None:
    """The genotype of a fixed table: edges 0 and 2 of the first node, by their best operation beside `none`."""
    alpha = [[9.0, 2.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 4.0], [5.0, 1.0, 0.0]]
    # shares of the best beside zero: row 0 is nearly all zero, so rows 1 and 2 win
    _, net, found = made(CELL, alpha, "derive[rule=darts, zero=0, edges=2]")
    assert sorted({path.split(".")[0] for path in found.weights}) == ["e"]
    x = torch.randn(5, 4)
    module = found.torch()
    module.load_state_dict(found.convert(net))
    with torch.no_grad():
        assert torch.allclose(module(x), net.e(torch.relu(torch.tanh(x) + torch.sin(x))), atol=1e-6)
    notes = [note.text for note in found.passes.notes]
    assert notes == ["chosen: 0, 2, 2, 1"]
    _, _, whole = made(CELL, alpha, "derive[rule=darts, zero=0, edges=3]")
    assert sorted({path.split(".")[0] for path in whole.weights}) == ["a", "e"]


def test_cells_that_share_a_choice_are_derived_in_a_loop() -> None:
    text = HEAD + (
        "    param alpha: [2] = normal\n    p = softmax[-1](alpha)\n    repeat 3 as h:\n"
        "        x = p[0] * (x |> Linear[4, 4] as a) + p[1] * tanh(x)\n    return x\n\nmodel M = Net\n"
    )
    _, _, found = made(text, [1.0, 0.0], "derive")
    assert "h.2.a.weight" in found.convert(stirred(ogive.source(text).models["M"]).float())


@pytest.mark.parametrize(
    ("text", "call", "code", "said"),
    [
        (MIXED, "derive[rule=dart]", "E0810", "did you mean `darts`?"),
        (MIXED, "derive[rule=darts]", "E0810", "needs the number of the operation that gives 0"),
        (MIXED, "derive[rule=darts, zero=7]", "E0810", "not 7: `alpha` has 3"),
        (MIXED, "derive[edges=0]", "E0810", "`edges` is a number from 1 on"),
        (MIXED, "derive[of=beta]", "E0811", "no learned weight `beta`"),
        (MIXED.replace("p[0, 2] * x\n", "p[0, 2] * x + sum(p)\n"), "derive", "E0811", "is no sum of products"),
    ],
)
def test_refusals(text: str, call: str, code: str, said: str) -> None:
    model = ogive.source(text).models["M"]
    with pytest.raises(ogive.ArchError) as caught:
        model.deploy(call, weights=model.torch())
    assert caught.value.diagnostics[0].code == code
    assert said in str(caught.value)
