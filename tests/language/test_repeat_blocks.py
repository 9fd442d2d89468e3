"""`repeat[n, F]` against the loop of statements that it stands for: weights, results, starts, targets; refusals."""

from __future__ import annotations

import re
from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import ogive
from ogive.api import Model
from ogive.compiler.ir_tools.verify import verify

BLOCKS = """
use std.nn (BatchNorm, Dropout, LayerNorm, Linear, Residual)

block Layer[d, ff](x: [b, d], c: [d], m: bool[b]?) -> [b, d]:
    y = x |> LayerNorm as norm |> Linear[d, ff] as up |> silu |> Linear[ff, d] as down
    if given(m):
        y = select(m |> expand["b -> b 1"], y, 0)
    return x + c * y

block Narrow[d](x: [b, d]) -> [b, d]:
    return x + (x |> Linear[d, d] as fc |> relu)

block Wide[d, w](x: [b, d]) -> [b, d]:
    return x + (x |> Linear[d, w] as up |> tanh |> Linear[w, d] as down)

block Averaged[d](x: [b, d]) -> [b, d]:
    return x + (x |> BatchNorm as norm |> Linear[d, d] as fc)

block Kept[d](x: [b, d]) -> [b, d]:
    param w: [d, d] = ones keep clamp[-0.5, 0.5]
    tap seen = x
    return linear(x, w)

block Inner[d, n: nat](x: [b, d]) -> [b, d]:
    return x |> repeat[n, Narrow[d, ...]] as parts

block scaled(x: [b, d]) -> [b, d]:
    return 0.5 * x + 1
"""
CASES = {  # the expression, and statements that do the same with `body` in the path of their weights
    "brackets": ("x |> repeat[3, Narrow[d, ...]] as layers", "repeat 3 as layers:\n    x = x |> Narrow[d] as body"),
    "whole": ("x |> repeat[3, Narrow[d]] as layers", "repeat 3 as layers:\n    x = x |> Narrow[d] as body"),
    "bare": ("x |> repeat[2, Narrow] as h", "repeat 2 as h:\n    x = x |> Narrow as body"),
    "static": ("x |> repeat[depth, Wide[d, 2*d, ...]] as h", "repeat depth as h:\n    x = x |> Wide[d, 2*d] as body"),
    "once": ("x |> repeat[1, Narrow] as h", "repeat 1 as h:\n    x = x |> Narrow as body"),
    "never": ("x |> repeat[0, Narrow] as h", "repeat 0 as h:\n    x = x |> Narrow as body"),
    "unnamed": ("repeat[2, Narrow](x)", "repeat 2 as layers:\n    x = x |> Narrow as body"),
    "others": (
        "(x, c, m) |> repeat[3, Layer[d, 6, ...]] as layers",
        "repeat 3 as layers:\n    x = (x, c, m) |> Layer[d, 6] as body",
    ),
    "made": (
        "(x + 1, 2 * c) |> repeat[3, Layer[d, 6, ...]] as layers",
        "x = x + 1\ny = 2 * c\nrepeat 3 as layers:\n    x = (x, y) |> Layer[d, 6] as body",
    ),
    "states": ("x |> repeat[2, Averaged] as h", "repeat 2 as h:\n    x = x |> Averaged as body"),
    "kept": ("x |> repeat[2, Kept] as h", "repeat 2 as h:\n    x = x |> Kept as body"),
    "nested": ("x |> repeat[2, Inner[d, 2, ...]] as h", "repeat 2 as h:\n    x = x |> Inner[d, 2] as body"),
    "function": ("x |> repeat[3, scaled]", "repeat 3:\n    x = scaled(x)"),
    "operation": ("x |> repeat[3, tanh]", "repeat 3:\n    x = tanh(x)"),
    "starts": (
        "x |> repeat[2, Narrow] as h\ninit Linear.weight = normal[std=0.02]\ninit Linear.bias = ones",
        "repeat 2 as h:\n    x = x |> Narrow as body\ninit Linear.weight = normal[std=0.02]\ninit Linear.bias = ones",
    ),
    "paths": (
        "x |> repeat[2, Narrow] as h\ninit h.fc.bias = ones",
        "repeat 2 as h:\n    x = x |> Narrow as body\ninit h.body.fc.bias = ones",
    ),
    "cycle": (
        "x |> repeat[5, [Narrow[d, ...], Wide[d, 3, ...]]] as layers",
        "for i in range(5) as layers:\n    if i % 2 == 0:\n        x = x |> Narrow[d] as body\n"
        "    else:\n        x = x |> Wide[d, 3] as body",
    ),
    "three": (
        "x |> repeat[depth + 4, [Narrow, Wide[d, 3, ...], scaled]] as layers",
        "for i in range(depth + 4) as layers:\n    if i % 3 == 0:\n        x = x |> Narrow as body\n"
        "    elif i % 3 == 1:\n        x = x |> Wide[d, 3] as body\n    else:\n        x = scaled(x)",
    ),
}


def written(lines: str) -> Model:
    body = "\n    ".join(lines.split("\n"))
    text = f"{BLOCKS}\nblock Net[d, depth](x: [b, d], c: [d], m: bool[b]?) -> [b, d]:\n    {body}\n    return x\n"
    model = ogive.source(f"{text}model M = Net[d=4, depth=3]\n").models["M"]
    verify(model.ir)
    return model


def short(path: str) -> str:
    """A path without the level of `body`."""
    return path.replace(".body.", ".")


def pair(name: str) -> tuple[Model, Model]:
    block, statements = CASES[name]
    first, *rest = block.split("\n")
    return written("\n".join([f"x = {first}", *rest])), written(statements)


def outputs(net: nn.Module, args: tuple[Tensor, ...]) -> Tensor:
    torch.manual_seed(1)
    made: Tensor = net(*args)
    return made


@pytest.mark.parametrize("name", CASES)
def test_a_repeated_block_is_its_loop_without_a_level(name: str, tmp_path: Path) -> None:
    ours, theirs = pair(name)
    assert list(ours.weights) == [short(path) for path in theirs.weights]
    nets = []
    for model in (ours, theirs):
        torch.manual_seed(0)
        nets.append(model.torch())
    one, other = nets
    state = {short(path): value for path, value in other.state_dict().items()}
    assert list(one.state_dict()) == list(state)
    for path, value in one.state_dict().items():
        drawn = name == "starts" and path.endswith("weight")  # by whom, and so in another order
        assert value.shape == state[path].shape
        assert drawn or torch.equal(value, state[path]), path
    if name == "starts":
        assert all(value.std() < 0.1 for path, value in one.state_dict().items() if path.endswith("weight"))
        other.load_state_dict({path: one.state_dict()[short(path)] for path in other.state_dict()})
    with torch.no_grad():
        for value in one.parameters():
            value.add_(0.3 * torch.randn_like(value))
    other.load_state_dict({path: one.state_dict()[short(path)] for path in other.state_dict()})
    for net in nets:
        getattr(net, "after_step", lambda: None)()
    given = (torch.randn(5, 4), torch.randn(4), torch.rand(5) < 0.5)
    args = given if name == "others" else given[:2]
    for training in (True, False):
        assert torch.equal(outputs(one.train(training), args), outputs(other.train(training), args))
    for path, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[path if path in other.state_dict() else _long(path, other)])
    if name == "kept":
        _, taps = one(*args, taps=["h.*.seen"])
        torch.testing.assert_close(taps["h.*.seen"], other(*args, taps=["h.*.body.seen"])[1]["h.*.body.seen"])
    ours.onnx(tmp_path / "m.onnx", one.state_dict())
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    names = [each.name for each in session.get_inputs()]
    feeds = {key: value.numpy() for key, value in zip(("x", "c"), args, strict=False) if key in names}
    (found,) = session.run(None, feeds)
    torch.testing.assert_close(torch.from_numpy(found), one.eval()(*args[:2]), rtol=1e-4, atol=1e-5)


def _long(path: str, net: nn.Module) -> str:
    return next(each for each in net.state_dict() if short(each) == path)


def test_the_layers_are_instances_of_the_block() -> None:
    net = written("x = x |> repeat[depth, Narrow] as layers").torch()
    assert [type(each).__name__ for each in net.layers] == ["Narrow"] * 3  # type: ignore[union-attr]
    text = written("x = (x, c) |> repeat[depth, Layer[d, 6, ...]] as layers").torch_source()
    assert "nn.ModuleList(Layer(d, 6) for _ in range(depth))" in text
    assert "for layer in self.layers:\n            x = layer(x, c)\n" in text


def test_a_cycle_is_one_class_for_each_kind_and_a_loop() -> None:
    text = written("x = x |> repeat[40, [Narrow, Wide[d, 3, ...]]] as layers").torch_source()
    assert re.findall(r"^class (\w+)\(nn", text, re.M) == ["Narrow", "Wide", "Net"]
    assert "Narrow(d) if i % 2 == 0 else Wide(d, 3) for i in range(40)" in text
    assert "for layer in self.layers:\n            x = layer(x)\n" in text


def test_a_list_may_have_a_name() -> None:
    lines = "kinds = [Narrow, Wide[d, 3, ...]]\nx = x |> repeat[4, kinds] as layers"
    assert list(written(lines).weights) == list(
        written("x = x |> repeat[4, [Narrow, Wide[d, 3, ...]]] as layers").weights
    )


@pytest.mark.parametrize(
    ("lines", "code", "said"),
    [
        ("x = x |> repeat[3]", "E0403", "repeat[n, F](x)"),
        ("x = x |> repeat[3, Narrow, Narrow]", "E0403", "repeat[n, F](x)"),
        ("f = Narrow[d]\nx = x |> repeat[3, f]", "E0411", "share the weights"),
        ("x = x |> repeat[3, []]", "E0411", "at least one"),
        ("x = x |> repeat[3, x]", "E0411", "a tensor"),
        ("x = x |> repeat[0.5, Narrow]", "E0407", "a number of iterations"),
        ("x = x |> repeat[-1, Narrow]", "E0407", "0 or more"),
        ("x = x |> repeat[3, Linear[d, d + 1, ...]]", "E0302", "changes its type"),
        ("x = x |> repeat[3, [Narrow, Linear[d, d + 1, ...]]]", "E0302", "changes its type"),
        ("x = 3 |> repeat[3, Narrow]", "E0405", "carries a tensor"),
        ("x = (x, c) |> repeat[3, Narrow]", "E0405", "takes 1 input"),
        ("x = x |> Residual[repeat[3, Narrow]]", "E0404", "write a block whose body is `return x |> repeat[...]`"),
        ("x = x |> Residual[over[b, relu]]", "E0404", "hand over that one"),
    ],
)
def test_what_cannot_be_repeated_is_told(lines: str, code: str, said: str) -> None:
    with pytest.raises(ogive.ArchError) as found:
        written(lines)
    assert f"[{code}]" in str(found.value)
    assert said in str(found.value)
