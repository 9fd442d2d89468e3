"""Inputs that are lists of tensors, and outputs whose number is a static: in torch, in ONNX, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.export import Dim

import ogive
from ogive.api import Model
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ir.signature_lists import as_declared
from ogive.compiler.ir_tools.verify import verify
from ogive.grammar.formatter import format_text

PYRAMID = """
use std.vision (Conv)

block Pyramid[channels: list, d](
    xs: [b, channels[i], h * 2**(len(channels) - 1 - i), w * 2**(len(channels) - 1 - i)] for i in range(
        len(channels))) -> (
    ys: [b, d, h * 2**(len(channels) - 1 - i), w * 2**(len(channels) - 1 - i)] for i in range(len(channels))):
    ys = []
    for i in range(len(channels)) as lateral:
        at = len(channels) - 1 - i
        y = xs[at] |> Conv[channels[at], d, 1] as conv
        if i > 0:
            y = y + interpolate[scale=2](ys[0])
        ys = [y] + ys
    return ys
"""
BLOCKS = """
use std.nn (Linear)

block each_doubled[n: nat](xs: [b, s[i]] for i in range(n)) -> (ys: [b, 2 * s[i]] for i in range(n)):
    return [concat[-1](x, x) for x in xs]

block Heads[classes: list](x: [b, d]) -> (ys: [b, classes[i]] for i in range(len(classes))):
    ys = []
    for c in classes as heads:
        ys = ys + [x |> Linear[d, c] as out]
    return ys

block Mixed[n: nat](xs: [b, d] for i in range(n), c: [b, d], m: bool[b]?) -> (
    total: [b, d], ys: [b, d] for i in range(n), z: [b, d]?):
    total = c
    for x in xs:
        total = total + x
    ys = [(x * c) |> Linear[d, d] for x in xs]
    if given(m):
        return total, ys, select(m |> expand["b -> b 1"], total, 0)
    return total, ys

block sizes_of[n: nat](xs: [s[i]] for i in range(n)) -> [n]:
    return cast[float](constant[[0 for i in range(n)]]) + concat[0](*[full[1, v=len(s) * k] for k in s])
"""


def model_of(text: str) -> Model:
    model = ogive.source(text).models["M"]
    verify(model.ir)
    return model


def flat(made: Any) -> list[Tensor]:
    """The tensors of outputs some of which are lists."""
    return [made] if isinstance(made, Tensor) else [x for each in made if each is not None for x in flat(each)]


def both(model: Model, tmp_path: Path, *given: Tensor) -> list[Tensor]:
    """The results in torch, which are those of ONNX Runtime."""
    net = model.torch().eval()
    made = net(*as_declared(given, model.ir.definition.lists.inputs))
    results = flat(made)
    model.onnx(tmp_path / "m.onnx", net.state_dict(), force=True)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    feeds = {each.name: value.numpy() for each, value in zip(session.get_inputs(), given, strict=True)}
    for ours, theirs in zip(results, session.run(None, feeds), strict=True):
        torch.testing.assert_close(ours, torch.from_numpy(theirs), rtol=1e-4, atol=1e-5)
    return results


@pytest.mark.parametrize("channels", [[3], [3, 5], [2, 4, 6, 8]])
def test_a_pyramid(channels: list[int], tmp_path: Path) -> None:
    model = model_of(f"{PYRAMID}\nmodel M = Pyramid[channels={channels}, d=4]\n")
    count = len(channels)
    xs = [torch.randn(2, c, 3 * 2 ** (count - 1 - at), 2 * 2 ** (count - 1 - at)) for at, c in enumerate(channels)]
    net, found = model.torch().eval(), both(model, tmp_path, *xs)
    net = model.torch().eval()
    found = net(tuple(xs))
    assert isinstance(found, list)
    state, wanted = net.state_dict(), list[Tensor]()
    for at in reversed(range(count)):
        at_path = f"lateral.{count - 1 - at}.conv"
        y = F.conv2d(xs[at], state[f"{at_path}.weight"], state[f"{at_path}.bias"])
        wanted.insert(0, y + F.interpolate(wanted[0], scale_factor=2) if wanted else y)
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs)
    assert [each.name for each in model.ir.definition.graph.inputs] == [f"xs_{at}" for at in range(count)]


def test_the_number_is_that_of_the_list_which_is_given(tmp_path: Path) -> None:
    text = f"""{BLOCKS}
block F(x: [b, 3], y: [b, 4]) -> ([b, 6], [b, 8], [b, 3]):
    p, q = each_doubled([x, y])
    r = [x] |> each_doubled
    return p, q, r[0][:, :3]
model M = F[]
"""
    x, y = torch.randn(2, 3), torch.randn(2, 4)
    p, q, r = both(model_of(text), tmp_path, x, y)
    assert torch.equal(p, torch.cat([x, x], 1))
    assert torch.equal(q, torch.cat([y, y], 1))
    assert torch.equal(r, x)


def test_as_many_outputs_as_a_static_says(tmp_path: Path) -> None:
    model = model_of(f"{BLOCKS}\nmodel M = Heads[classes=[2, 3, 5], d=4]\n")
    x = torch.randn(6, 4)
    found = both(model, tmp_path, x)
    assert [tuple(y.shape) for y in found] == [(6, 2), (6, 3), (6, 5)]
    assert next(iter(model.weights)) == "heads.0.out.weight"
    text = f"""{BLOCKS}
block G(x: [b, 4]) -> [b, 7]:
    ys = x |> Heads[[2, 5]] as parts
    return concat[1](*ys)
model M = G[]
"""
    model = model_of(text)
    assert list(model.weights)[-1] == "parts.heads.1.out.bias"
    assert both(model, tmp_path, x)[0].shape == (6, 7)


def test_lists_stand_beside_tensors_and_options(tmp_path: Path) -> None:
    model = model_of(f"{BLOCKS}\nmodel M = Mixed[n=2, d=3]\n")
    a, b, c = torch.randn(3, 4, 3)
    found = both(model, tmp_path, a, b, c)
    torch.testing.assert_close(found[0], a + b + c)
    assert len(found) == 3
    mask = torch.tensor([True, False, True, True])
    given = model.torch()([a, b], c, mask)
    assert len(given) == 3
    torch.testing.assert_close(given.z, torch.where(mask[:, None], a + b + c, 0))
    text = f"""{BLOCKS}
block G(x: [b, 3], m: bool[b]) -> [b, 3]:
    mixed = Mixed[n=2, d=3]
    t, ys, z = ([x, 2 * x], x, m) |> mixed
    u, vs, left = mixed([x, x], x)
    return t + ys[0] + ys[1] + z + u + vs[1]
model M = G[]
"""
    assert len(model_of(text).weights) == 4


def test_sizes_of_entries_are_a_list(tmp_path: Path) -> None:
    model = model_of(f"{BLOCKS}\nmodel M = sizes_of[n=3]\n")
    (found,) = both(model, tmp_path, torch.zeros(4), torch.zeros(2), torch.zeros(5))
    assert found.tolist() == [12, 6, 15]
    assert [str(each.type) for each in model.ir.definition.graph.inputs] == ["[s_0]", "[s_1]", "[s_2]"]


def test_a_block_with_lists_is_checked_at_its_uses_alone() -> None:
    found = check_text(PYRAMID)
    assert found.ok
    assert found.blocks[0].signature.startswith("(xs: [b, channels[i], ")
    assert "for i in range(len(channels))" in found.blocks[0].signature


def test_the_formatter_keeps_them() -> None:
    for text in (PYRAMID, BLOCKS):
        once = format_text(text)
        assert re.sub(r"[\s()]", "", once) == re.sub(r"[\s()]", "", text)
        assert format_text(once) == once


HEAD = "block F[n: nat](xs: [b, s[i]] for i in range(n)) -> [b]:\n    return sum[1](xs[0])\n"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (f"{HEAD}block G(x: [b, d]) -> [b]:\n    return F(x)\n", "E0405", "takes a list of tensors"),
        (f"{HEAD}block G(x: [b, d]) -> [b]:\n    return F[2]([x])\n", "E0405", "a list of 2 tensors, here are 1"),
        (f"{HEAD}block G(x: [b, d]) -> [b]:\n    return F([x, 3])\n", "E0405", "takes tensors"),
        (f"{HEAD}block G(x: [b, d]) -> [b]:\n    return F([x, relu])\n", "E0405", "`xs_1` of `F` takes a tensor"),
        (f"{HEAD}block G(x: [b, d]) -> [b]:\n    return F([x], [x])\n", "E0405", "takes 1 input"),
        (f"{HEAD}model M = F[]\n", "E0402", "`n` of `F` says how many `xs` there are"),
        (f"{HEAD}block G(x: [b, d]) -> [b]:\n    return over[b, F](x)\n", "E0405", "takes a list of tensors"),
        (f"{HEAD}block G(x: [b, d]) -> [b]:\n    return x |> repeat[2, F]\n", "E0405", "takes a list of tensors"),
        (
            "block F(xs: [b] for i in [1, 2]) -> [b]:\n    return xs[0]\nblock G(x: [b]) -> [b]:\n"
            "    return F([x])\nmodel M = F[]\n",
            "E0404",
            "the entries of a list are counted",
        ),
        ("block F(x: [b]) -> (ys: [b] for i in range(0)):\n    return []\nmodel M = F[]\n", "E0304", "no tensor"),
        ("block F(x: [b], x: [b] for i in range(2)) -> [b]:\n    return x\n", "E0204", "`x` is defined twice"),
        ("block F[n: size](xs: [b] for i in range(n)) -> [b]:\n    return xs[0]\nmodel M = F[n=10**9]\n", "E0701", ""),
        ("block F(xs: [b]? for i in range(2)) -> [b]:\n    return xs[0]\n", "E0404", "is there whole"),
        ("block F(xs: [b] for i in range(2), xs_1: [b]) -> [b]:\n    return xs[0]\n", "E0204", "the entry 1 of `xs`"),
        ("block F[s_1](xs: [s[i]] for i in range(2)) -> [1]:\n    return zeros[1]\n", "E0204", "the entry 1 of `s`"),
        (
            "block F(x: [b]) -> (ys: [b] for i in range(2)):\n    return [x, x, x]\nmodel M = F[]\n",
            "E0301",
            "`ys` is a list of 2 tensors, here are 3 values",
        ),
        ("block F(x: [b]) -> (ys: [b] for i in range(2)):\n    return x\n", "E0301", "a list of 2 tensors"),
        (
            "use std.nn (Linear)\nblock F[n: nat](xs: [b, 2] for i in range(n)) -> (ys: [b, 2] for i in range(n)):\n"
            "    return [x |> Linear[2, 2] for x in xs]\nblock G(x: [b, 2]) -> [b, 2]:\n    f = F[]\n    y = f([x])\n"
            "    z = f([x, x])\n    return y[0] + z[0]\n",
            "E0405",
            "a list of 1 tensor, here are 2",
        ),
    ],
)
def test_what_is_no_list_is_told(text: str, code: str, said: str) -> None:
    found = [each for each in check_text(text).diagnostics if each.severity == "error"]
    assert code in [each.code for each in found], found
    assert any(said in each.message for each in found), [each.message for each in found]


def test_a_module_takes_and_gives_lists() -> None:
    """Among other inputs and outputs, with taps, through `torch.export` at all sizes, by its emitted file."""
    blocks = BLOCKS.replace("    total = c", "    tap seen = c\n    total = c")
    model = model_of(f"{blocks}\nmodel M = Mixed[3, d=4]\n")
    net: Any = model.torch()
    xs, c = [torch.randn(2, 4) for _ in range(3)], torch.randn(2, 4)
    total, ys, z = net(xs, c)
    assert isinstance(ys, list)
    assert net(xs, c).ys[1].shape == (2, 4)
    torch.testing.assert_close(total, sum(xs, c))
    assert z is None
    assert torch.equal(net(tuple(xs), c, taps=["seen"])[1]["seen"], c)
    sizes = {"xs": [{0: Dim.DYNAMIC}] * 3, "c": {0: Dim.DYNAMIC}}
    whole = torch.export.export(net, (xs, c), dynamic_shapes=sizes).module()
    others = [torch.randn(5, 4) for _ in range(4)]
    torch.testing.assert_close(whole(others[:3], others[3])[1], net(others[:3], others[3]).ys)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([torch.zeros(2, 3)], "xs got 1 tensors, not 2"),
        (torch.zeros(2, 2, 3), "xs got Tensor, not a list of 2 tensors"),
        ([torch.zeros(2, 3), torch.zeros(3, 3)], "xs_1: [b, s_1] got (3, 3): b is 2, not 3"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(given: Any, text: str) -> None:
    net = model_of(f"{BLOCKS}\nmodel M = each_doubled[2]\n").torch()
    with pytest.raises((TypeError, ValueError), match=re.escape(text)):
        net(given)
