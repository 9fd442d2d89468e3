"""Conditions of several parts on what is given and on training, in all targets, for everything that they may be."""

from __future__ import annotations

import itertools
import random
import re

import numpy as np
import pytest
import torch

import ogive
from generated.runtimes import session
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.write import whole

BODIES = {
    "if": "    if @:\n        x = 2 * x\n    return x + 1\n",
    "else": "    if @:\n        x = 2 * x\n    else:\n        x = x\n    return x + 1\n",
    "guard": "    if @:\n        return 2 * x + 1\n    return x + 1\n",
    "other guard": "    if not (@):\n        return x + 1\n    else:\n        return 2 * x + 1\n",
    "value": "    return (2 * x if @ else x) + 1\n",
    "name": "    c = @\n    if c:\n        x = 2 * x\n    y = 0 if false else 1\n    return x + y\n",
    "inside": "    if @:\n        if @:\n            x = 2 * x\n        else:\n            x = 5 * x\n"
    "    return x + 1\n",
    "bound": "    if @:\n        h = 2 * x\n    if given(h) and (@):\n        x = h\n    return x + 1\n",
    "twice": "    if @:\n        x = x + 0.5\n    x = x + 0\n    if @:\n        x = x + 0.5\n    return x + 1\n",
    "step": "    scan t in x along 0 carry s = sum(0 * x):\n        if @:\n            t = 2 * t\n        s = s + t\n"
    "        yield ys = t\n    return ys + 1\n",
}
WAYS = list(itertools.product((False, True), repeat=3))


def _drawn(draw: random.Random, depth: int) -> str:
    if depth == 0 or draw.random() < 0.15:
        part = draw.choice(["given(a)", "given(b)", "training"])
        return part if draw.random() < 0.7 else f"not {part}"
    sign = draw.choice([" and ", " or "])
    text = f"({_drawn(draw, depth - 1)}{sign}{_drawn(draw, depth - 1)})"
    return text if draw.random() < 0.8 else f"not {text}"


def _holds(text: str, a: bool, b: bool, training: bool) -> bool:
    return bool(eval(re.sub(r"given\((\w)\)", r"\1", text), {"a": a, "b": b, "training": training}))


@pytest.mark.parametrize("body", BODIES)
def test_a_condition_holds_where_its_parts_say_so(body: str) -> None:
    draw = random.Random(body)
    x, other = torch.ones(2), torch.zeros(2)
    for round in range(6):
        condition = "given(a) and given(b)" if round == 0 else _drawn(draw, 2)
        text = f"block F(x: [n], a: [n]?, b: [n]?) -> [n]:\n{BODIES[body].replace('@', condition)}model M = F\n"
        model = ogive.source(text).models["M"]
        net, source = model.torch(), model.torch_source(checks=False)
        assert "= True" not in source, source
        for a, b, training in WAYS:
            wanted = 2 * _holds(condition, a, b, training) + (not _holds(condition, a, b, training)) + 1
            found = net.train(training)(x, other if a else None, other if b else None)
            assert found.tolist() == [wanted, wanted], (text, a, b, training)
        for optional in ((), ("a",), ("a", "b")) if round < 2 else ():
            runs = session(whole(exported(model.ir, {}, Settings(optional=optional))))
            given = {name: np.zeros(2, np.float32) for name in optional} | {"x": np.ones(2, np.float32)}
            names = {value.name for value in runs.get_inputs()}
            (found,) = runs.run(None, {name: value for name, value in given.items() if name in names})
            holds = _holds(condition, "a" in optional, "b" in optional, False)
            assert found.tolist() == [holds + 2, holds + 2], (text, optional)


NARROW = {
    "both": ("given(a) and given(b)", "a * b"),
    "neither missing": ("not (not given(a) or not given(b))", "a * b"),
    "one": ("training and given(a) or given(a)", "a"),
    "either bound": ("given(h)", "h"),
}


@pytest.mark.parametrize("case", NARROW)
def test_what_a_condition_implies_is_there_inside(case: str) -> None:
    condition, value = NARROW[case]
    text = (
        "block F(x: [n], a: [n]?, b: [n]?) -> [n]:\n    if given(a) or given(b):\n        h = a if given(a) else b\n"
        f"    if {condition}:\n        x = x + {value}\n    return x\nmodel M = F\n"
    )
    net = ogive.source(text).models["M"].torch()
    x, a, b = torch.ones(2), torch.full((2,), 3.0), torch.full((2,), 5.0)
    assert torch.equal(net(x, a, b), x + {"a * b": a * b}.get(value, a))
    assert torch.equal(net(x), x)
    weaker = text.replace(condition, condition.replace(" and ", " or ").replace("(h)", "(a) or not given(a)"))
    if "not" not in condition and "training" not in condition:
        with pytest.raises(ogive.ArchError, match="E0502"):
            ogive.source(weaker)


def test_sizes_beside_what_is_given_are_decided_at_compile_time() -> None:
    body = "    if k > 2 and given(a):\n        x = x + a\n    return x\n"
    text = f"block F[k](x: [n], a: [n]?) -> [n]:\n{body}model M = F[k=@]\n"
    for k, wanted in ((2, 1.0), (3, 4.0)):
        net = ogive.source(text.replace("@", str(k))).models["M"].torch()
        assert net(torch.ones(1), torch.full((1,), 3.0)).item() == wanted
        assert net(torch.ones(1)).item() == 1
    with pytest.raises(ogive.ArchError, match="E0602"):
        ogive.source(text.replace("k > 2", "n > 2").replace("@", "3"))
