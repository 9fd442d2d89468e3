"""Where taps stand, and what they show: in torch, in ONNX and in the reference, wherever their block is used."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ogive
from generated.runtimes import session
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.serialize.write import whole
from reference.arrays import Array
from reference.interpreter import Reference
from reference.store import Store
from reference.world import World

BLOCKS = """
use std.nn (Linear)
block part(x: [d]) -> [d]:
    tap seen = x
    return 2 * x
block Weighty(x: [d]) -> [d]:
    param w: [] = constant[0.75]
    tap seen = x
    return 2 * w * x
block Sum(x: [d]) -> []:
    return sum(sin(@(x)))
block Inner(x: [d]) -> [d]:
    repeat 2 as h:
        x = @(x)
    return x
block Pair(x: [2, 3]) -> [2, 3]:
    y = over[0, @](x)
    return solve(einsum["i a, j a -> i j"](y, y) + 9 * eye[2], y)
block Still(x: [3]) -> [3]:
    return sum[0](Pair(full[2, 3, v=0.5]))
block Slope(x: [3]) -> [3]:
    return grad[Sum](full[3, v=0.5])
block Steps(x: [d]) -> []:
    scan t in x along 0 carry h = x:
        h = 0.5 * @(sin(h) + t)
    return sum(h)
"""
VECTOR = {
    "call": "x = @(x)",
    "place": "x = x |> @ as p",
    "twice": "f = @[]\n    x = f(f(x))",
    "loop": "repeat 2 as turn:\n        x = @(x)",
    "loop without a name": "repeat 2:\n        x = @(x)",
    "beside weights": "repeat 2 as turn:\n        x = x |> Linear[3, 3]\n        x = @(x)",
    "loops": "repeat 2 as a:\n        repeat 2 as b:\n            x = @(x)",
    "loops with weights": "repeat 2 as a:\n        repeat 2:\n            x = @(x |> Linear[3, 3])\n        x = @(x)",
    "for": "for i in range(2):\n        x = @(x)",
    "derived": "x = x + grad[Sum](x)",
    "derived loop": "x = x + grad[Steps](x)",
    "block": "x = Inner(x)",
    "read by nothing": "y = cos(x)\n    z = @(y)\n    u = @(y)",
    "read by nothing in a loop": "y = cos(x)\n    for i in range(3) as stage:\n        z = @(y)",
    "blocks in a loop": "repeat 2 as stages:\n        x = Inner(x) |> Linear[3, 3]",
}
ROWS = {
    "steps": "scan t in x along 0 carry h = zeros[3]:\n        h = @(h + t)\n    x = x + h",
    "steps backwards": "scan t in x along 0 reverse carry h = zeros[3]:\n        h = @(h + t)\n    x = x + h",
    "over": "x = over[0, @](x)",
    "each": "x = each[0, @](x)",
    "over of what does not depend on it": "x = x + over[0, Still](x)",
    "over of a derivative that does not": "x = x + over[0, Slope](x)",
    "several in a step": "scan t in x along 0 carry h = zeros[3]:\n        h = @(@(h + t))\n    x = x + h",
    "several in a step backwards": "scan t in x along 0 reverse carry h = x[0]:\n        h = @(@(h))\n    x = x + h",
    "a loop in a step": "scan t in x along 0 carry h = x[0]:\n        repeat 2:\n            h = @(h + t)\n"
    "    x = x + h",
    "steps in a step": "scan t in x along 0 carry h = zeros[3]:\n        scan u in x along 0 carry g = t:\n"
    "            g = @(g + 0.5 * u)\n        h = @(h + g)\n    x = x + h",
    "steps and a call": "scan t in x along 0 carry h = zeros[3]:\n        h = @(h + t)\n    x = x + @(h)",
}


@pytest.mark.parametrize("block", ["part", "Weighty"])
@pytest.mark.parametrize("use", [*VECTOR, *ROWS])
def test_a_tap_shows_the_same_everywhere(use: str, block: str) -> None:
    rows = use in ROWS
    type = "[2, 3]" if use == "each" else "[n, 3]" if rows else "[3]"
    main = f"block Main(x: {type}) -> {type}:\n    {ROWS[use] if rows else VECTOR[use]}\n    return x\nmodel M = Main\n"
    model = ogive.source((BLOCKS + main).replace("@", block)).models["M"]
    x = np.random.default_rng(0).standard_normal((2, 3) if rows else (3,))
    net = model.torch().double().eval()
    weights = {path: tensor.numpy() for path, tensor in net.state_dict().items()}
    world = World()
    sizes = {u: {"n": 2}.get(u.name, 3) for u in model.ir.definition.sizes}
    Reference(model.ir, Store.of(weights)).run([Array(x)], world, sizes)
    wanted = {p: v[0].value if len(v) == 1 else np.stack([y.value for y in v]) for p, v in world.taps.items()}
    assert wanted
    _, found = net(torch.from_numpy(x), taps=list(wanted))
    proto = whole(exported(model.ir, weights, Settings(dtype="f64", taps=True)))
    names = [value.name for value in proto.graph.output]
    given = dict(zip(names, session(proto).run(None, {"x": x}), strict=True))
    assert sorted(names[1:]) == sorted(f"taps/{path}" for path in wanted)
    for path, y in wanted.items():
        assert found[path].shape == y.shape == given[f"taps/{path}"].shape, path
        np.testing.assert_allclose(found[path].detach().numpy(), y, rtol=1e-12)
        np.testing.assert_allclose(given[f"taps/{path}"], y, rtol=1e-12)


USES = {  # what shows `seen` at the place of its block, and what it shows
    "@ = part(x)": "[n, 3]",
    "@ = part(y)": "[m, 3]",
    "@ = part(turned(x))": "[3, n]",
    "@ = part(sum(x))": "[]",
    "@ = over[0, row](x)": "[n, 3]",
    "@ = over[0, row](turned(y))": "[3, m]",
    "if training:\n        @ = part(x)\n    else:\n        @ = 2 * x": "[n, 3]",
    "tap seen = zeros[n, 3]": "[n, 3]",
    "tap seen = complex(x, x)": "complex[n, 3]",
    "tap seen = argsort[0](x)": "int[n, 3]",
}
SHOWING = """
block part(x: [*s]) -> [*s]:
    tap seen = x
    return 2 * x
block turned(x: [a, c]) -> [c, a]:
    return x |> rearrange["a c -> c a"]
block row(x: [k]) -> [k]:
    tap seen = x
    return 2 * x
block Main(x: [n, 3], y: [m, 3]) -> [n, 3]:
    A
    B
    return x
model M = Main
"""


@pytest.mark.parametrize("first", USES)
def test_taps_that_cannot_be_stacked_are_told_when_checked_and_when_asked_for(first: str) -> None:
    x, y = torch.ones(2, 3), torch.ones(5, 3)
    for second in USES:
        text = SHOWING.replace("A\n", first.replace("@", "u") + "\n").replace("B\n", second.replace("@", "v") + "\n")
        program = ogive.source(text)
        model = program.models["M"]
        told = [found for found in program.diagnostics if found.code == "W0910"]
        net, settings = model.torch(), Settings(taps=True)
        if USES[first] == USES[second]:
            assert not told, text
            assert len(net.train()(x, y, taps=["seen"])[1]["seen"]) == 2
            exported(model.ir, {}, settings)
            continue
        assert len(told) == 1, text
        assert USES[first] in told[0].message
        assert USES[second] in told[0].message
        with pytest.raises(ValueError, match=r"the tap `seen` shows .* and .*, which cannot be stacked"):
            net(x, y, taps=["seen"])
        if "training" in first + second:
            exported(model.ir, {}, settings)  # the deployed form shows one of them
            continue
        with pytest.raises(OnnxError, match=r"the tap `seen` shows .* and .*, which cannot be stacked"):
            exported(model.ir, {}, settings)


def test_arms_of_a_choice_do_not_meet() -> None:
    text = SHOWING.replace("A\n    B", "if training:\n        u = sum(part(x))\n    else:\n        u = sum(part(y))")
    program = ogive.source(text)
    assert not [found for found in program.diagnostics if found.code == "W0910"]
    for mode, rows in ((True, 2), (False, 5)):
        net = program.models["M"].torch().train(mode)
        assert net(torch.ones(2, 3), torch.ones(5, 3), taps=["seen"])[1]["seen"].shape == (rows, 3)
