"""Wrong arguments of every type to all that the front for Python offers: refused in our words, never by accident."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import ogive
from ogive.cli import cli
from ogive.refusals import UnknownName, WrongArgument
from ogive.summary import operations

TEXT = """
use std.nn (Linear, BatchNorm)

block Net[d, p: float](x: [b, d]) -> [b, d]:
    tap seen = x
    return x |> Linear[d, d] as lin |> BatchNorm as norm |> dropout[p]

block Plain(x: [b]) -> [b]:
    return 2 * x

model M = Net[4, 0.5]
recipe short for M: fold
"""
PROGRAM: Any = ogive.source(TEXT)
MODEL = PROGRAM.models["M"]
NET = MODEL.torch().eval()
DEPLOYED = MODEL.deploy("fold")
WRONG: list[Any] = [
    None, 0, -1, 1.5, True, "x", "", b"x", [], [1], {}, {"a": 1}, {1: 2}, object(), (1, 2), Path("none"),
    torch.zeros(2), np.zeros(2), int, float("nan"), 10**30, "/", {"lin.weight": 3}, torch.nn.Linear(2, 2), {1},
    np.float32(2), 2j,
]  # fmt: skip
CALLS: dict[str, Callable[[Any], Any]] = {
    "load": ogive.load,
    "source": ogive.source,
    "source, path": lambda wrong: ogive.source(TEXT, wrong),
    "source, extern": lambda wrong: ogive.source(TEXT, allow_extern=wrong),
    "program[]": lambda wrong: PROGRAM[wrong],
    "in program": lambda wrong: wrong in PROGRAM,
    "program.deploy": PROGRAM.deploy,
    "block()": lambda wrong: PROGRAM["Net"](wrong),
    "block(d)": lambda wrong: PROGRAM["Net"](d=wrong, p=0.5),
    "block(p)": lambda wrong: PROGRAM["Net"](d=4, p=wrong),
    "block(other)": lambda wrong: PROGRAM["Net"](d=4, p=0.5, other=wrong),
    "summary": lambda wrong: MODEL.summary(b=wrong),
    "summary, other": lambda wrong: MODEL.summary(other=wrong),
    "text": lambda wrong: MODEL.diagram().text(wrong),
    "bytes": lambda wrong: MODEL.diagram().bytes(wrong),
    "save": lambda wrong: MODEL.diagram().save(wrong),
    "torch": MODEL.torch,
    "torch, recipe": lambda wrong: MODEL.torch(recipe=wrong),
    "torch_source": lambda wrong: MODEL.torch_source(recipe=wrong),
    "load_weights": MODEL.load_weights,
    "load_weights, map": lambda wrong: MODEL.load_weights(NET, wrong),
    "unload_weights": MODEL.unload_weights,
    "unload_weights, map": lambda wrong: MODEL.unload_weights(NET, wrong),
    "save_weights": lambda wrong: MODEL.save_weights(wrong, NET),
    "save_weights, state": lambda wrong: MODEL.save_weights("a.safetensors", wrong),
    "save_weights, map": lambda wrong: MODEL.save_weights("b.safetensors", NET, wrong),
    "onnx": lambda wrong: MODEL.onnx(wrong, NET),
    "onnx, weights": lambda wrong: MODEL.onnx("a.onnx", wrong, force=True),
    "onnx, one size": lambda wrong: MODEL.onnx("c.onnx", NET, sizes={"b": wrong}),
    "onnx, one rank": lambda wrong: MODEL.onnx("c.onnx", NET, ranks={"b": wrong}),
    "deploy": MODEL.deploy,
    "deploy, second": lambda wrong: MODEL.deploy("fold", wrong),
    "deploy, weights": lambda wrong: MODEL.deploy("prune", weights=wrong),
    "analyze": MODEL.analyze,
    "analyze, sizes": lambda wrong: MODEL.analyze("cost", sizes=wrong),
    "analyze, one size": lambda wrong: MODEL.analyze("cost", sizes={"b": wrong}),
    "convert": DEPLOYED.convert,
    "convert, map": lambda wrong: DEPLOYED.convert(NET, wrong),
    "convert, dtype": lambda wrong: DEPLOYED.convert(NET, dtype=wrong),
    "fresh": DEPLOYED.fresh,
    "verify": DEPLOYED.verify,
    "verify, size": lambda wrong: DEPLOYED.verify(NET, b=wrong),
    "verify, other": lambda wrong: DEPLOYED.verify(NET, other=wrong),
    "conversion_diagram": DEPLOYED.conversion_diagram,
}  # fmt: skip
DRAWN = ("view", "depth", "open", "theme", "weights", "fold")
WRITTEN = ("map", "sizes", "ranks", "dtype", "opset", "functions", "taps", "optional", "recipe", "force")


def drawn(key: str) -> Callable[[Any], Any]:
    return lambda wrong: MODEL.diagram(**{key: wrong}).text("txt")


def written(key: str) -> Callable[[Any], Any]:
    return lambda wrong: MODEL.onnx("b.onnx", NET, **{key: wrong})


CALLS |= {f"diagram, {key}": drawn(key) for key in DRAWN} | {f"onnx, {key}": written(key) for key in WRITTEN}


@pytest.mark.parametrize("name", CALLS)
def test_wrong_arguments_are_refused_in_our_words(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for wrong in WRONG:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ogive.ArchWarning)
            try:
                CALLS[name](wrong)
            except (ogive.ArchError, OSError) as error:  # files that are not there are the system's to name
                assert str(error), wrong
                assert not isinstance(error, ogive.ArchError) or error.diagnostics[0].message


@pytest.mark.parametrize("value", [torch.zeros(2), [torch.zeros(2)], "x"])
def test_inputs_that_are_compared_are_tensors(value: Any) -> None:
    if not isinstance(value, torch.Tensor):
        with pytest.raises(WrongArgument):
            DEPLOYED.verify(NET, value)


def test_refusals_are_also_what_python_raises() -> None:
    calls: list[tuple[type[Exception], Callable[[], Any]]] = [
        (KeyError, lambda: PROGRAM["N"]), (ValueError, lambda: MODEL.summary(z=1)), (TypeError, lambda: PROGRAM[3]),
    ]  # fmt: skip
    for kind, call in calls:
        with pytest.raises(kind) as caught:
            call()
        assert isinstance(caught.value, ogive.ArchError)
    with pytest.raises(UnknownName, match="no model or block `Nt`") as found:
        PROGRAM["Nt"]
    assert found.value.diagnostics[0].help == "did you mean `Net`?"


def test_a_block_with_open_statics_names_them() -> None:
    for name in ("torch", "weights", "parameters", "onnx", "save_weights", "summary"):
        with pytest.raises(ogive.ArchError, match=r"the static `\w+` of `Net` is not known") as caught:
            getattr(PROGRAM["Net"], name)
        assert "Net[" in str(caught.value)
    assert PROGRAM["Plain"].weights == {}
    assert PROGRAM["Plain"].torch()(torch.ones(2)).tolist() == [2.0, 2.0]
    with pytest.raises(AttributeError, match="a block has no `nothing`"):
        PROGRAM["Plain"].nothing  # noqa: B018


def test_a_wrong_tap_lists_the_taps() -> None:
    text = """
block Deep(x: [b]) -> [b]:
    repeat 3 as layers:
        tap before = x
        x = 2 * x
    tap last = x
    return x
model M = Deep
"""
    net = ogive.source(text).models["M"].torch()
    _, seen = net(torch.ones(1), taps=["layers.*.before", "layers.1.before", "last"])
    assert [tuple(tensor.shape) for tensor in seen.values()] == [(3, 1), (1,), (1,)]
    for wrong in ("first", "layers.*.after", "layers.7.before", "layers.before", "*", "last.*", ""):
        with pytest.raises(ValueError, match="no tap `") as caught:
            net(torch.ones(1), taps=[wrong])
        assert str(caught.value).endswith("there are layers.*.before, last")


@pytest.mark.parametrize("number", [np.int64, np.int8, np.uint16, int, torch.tensor, np.array])
def test_statics_of_numpy_are_those_of_python(number: Callable[[int], Any]) -> None:
    text = """
use std.nn (Linear)
block Net[d, depth: nat, p: float, on: bool, widths: list](x: [b, d]) -> [b, d]:
    y = dropout[p](x)
    repeat depth as h:
        y = y |> Linear[d, d, bias=on] as l
    for width in widths as ws:
        y = y |> Linear[dout=width]
    return y |> Linear[dout=d] as o
"""
    block: Any = ogive.source(text)["Net"]
    plain = block(d=4, depth=2, p=0.5, on=False, widths=[3, 4])
    made = block(d=number(4), depth=number(2), p=np.float32(0.5), on=np.bool_(False), widths=np.array([3, 4]))
    assert made.weights == plain.weights
    assert made.torch_source() == plain.torch_source()


def test_weights_that_cannot_be_listed_are_refused_on_every_path(tmp_path: Path) -> None:
    """Of a billion iterations: at once, not after they were counted out."""
    body = "    repeat N as h:\n        param w: [3] = zeros\n        x = x + sum(w)\n    return x\n"
    text = f"block f(x: [b, n]) -> [b, n]:\n{body}\nmodel M = f\n"
    model = ogive.source(text.replace("N", "10**9")).models["M"]
    net = ogive.source(text.replace("N", "2")).models["M"].torch()
    ogive.source(text.replace("N", "2")).models["M"].save_weights(tmp_path / "two.safetensors", net)
    calls: tuple[Callable[[], Any], ...] = (
        lambda: model.weights, lambda: model.slots, lambda: model.load_weights(tmp_path / "two.safetensors"),
        lambda: model.unload_weights(net), lambda: model.save_weights(tmp_path / "more.safetensors", net), model.torch,
        lambda: model.deploy("fold").fresh(), lambda: model.onnx(tmp_path / "m.onnx"),
    )  # fmt: skip
    for call in calls:
        with pytest.raises(ogive.ArchError) as caught:
            call()
        assert caught.value.diagnostics[0].code == "E0701"


UNNAMEABLE = ["a\0b", "\ud800x", "x" * 5000]
OF_PATHS: dict[str, Callable[[str, Path], Any]] = {
    "load": lambda path, to: ogive.load(path),
    "load_weights": lambda path, to: MODEL.load_weights(path),
    "load_weights, map": lambda path, to: MODEL.load_weights(NET, path),
    "save_weights": lambda path, to: MODEL.save_weights(path, NET),
    "onnx": lambda path, to: MODEL.onnx(path, NET),
    "onnx, weights": lambda path, to: MODEL.onnx(to / "m.onnx", path),
    "diagram": lambda path, to: MODEL.diagram().save(path),
    "convert": lambda path, to: DEPLOYED.convert(path),
}


@pytest.mark.parametrize("name", OF_PATHS)
def test_names_that_no_file_can_have(name: str, tmp_path: Path) -> None:
    for path in UNNAMEABLE:
        with pytest.raises(ogive.ArchError):
            OF_PATHS[name](path, tmp_path)
    assert list(tmp_path.iterdir()) == []


MANY = """
use std.nn (Linear)
extern block Mix(x: [b, 4]) -> [b, 4] = "torch.nn:Identity"

block Deep[F: block](x: [b, 4]) -> [b, 4]:
    repeat 10**9 as h:
        x = F(x)
    return x
model Lin = Deep[Linear[4, 4, ...]]
model Own = Deep[Mix]
"""


@pytest.mark.parametrize("name", ["Lin", "Own"])
def test_weights_beyond_counting_are_refused_at_once(name: str, tmp_path: Path) -> None:
    model = ogive.source(MANY, allow_extern=True).models[name]
    calls: list[Callable[[], Any]] = [
        lambda: model.weights, lambda: model.load_weights({}), lambda: model.unload_weights({}),
        lambda: model.save_weights(tmp_path / "w.safetensors", {}), lambda: model.onnx(tmp_path / "w.onnx", {}),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(ogive.ArchError, match="E0701"):
            call()


LARGE = {
    "an input": "block F(x: [b, 10**20]) -> [b, 10**20]:\n    return 2 * x\n",
    "an axis": 'block F(x: [b]) -> [b, 10**20]:\n    return expand["b -> b n", n=10**20](x)\n',
    "a place": "block F(x: [b]) -> [b]:\n    return roll[0, 10**25](x)\n",
    "a margin": "block F(x: [b]) -> [b + 10**25]:\n    return pad[0, 0, 10**25](x)\n",
}


@pytest.mark.parametrize("name", LARGE)
def test_sizes_beyond_those_of_onnx_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ogive.ArchError, match=r"E0802.*which is below 2\*\*63"):
        ogive.source(LARGE[name] + "model M = F\n").models["M"].onnx(tmp_path / "m.onnx")


def test_a_size_of_the_command_line_beyond_those_of_onnx(tmp_path: Path) -> None:
    (tmp_path / "m.arch").write_text("block F(x: [b]) -> [b]:\n    return 2 * x\nmodel M = F\n")
    given = ["build", f"{tmp_path / 'm.arch'}:M", "-o", str(tmp_path / "m.onnx"), "-s", f"b={2**63}"]
    result = CliRunner().invoke(cli, given)
    assert result.exit_code == 1
    assert "E0802" in result.output
    assert not (tmp_path / "m.onnx").exists()


def test_blocks_that_call_twice_are_counted_at_once(tmp_path: Path) -> None:
    """2**29 calls of one operation."""
    calls = "".join(f"block B{i + 1}(x: [b]) -> [b]:\n    return B{i}(B{i}(x))\n" for i in range(29))
    model = ogive.source(f"block B0(x: [b]) -> [b]:\n    return x + 1\n{calls}model M = B29\n").models["M"]
    assert operations(model.ir) == {"add": 2**29}
    with pytest.raises(ogive.ArchError, match="E0701"):
        model.onnx(tmp_path / "m.onnx")


OPEN = """
block F[top](x: [b, n, d], past: [b, p, d]?, more: [*s]?) -> [b, n, d]
where n <= top, p >= 0:
    return 2 * x
model M = F[9]
"""


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"n": 0}, "`n` is a size of at least 1"), ({"b": 0, "p": 0}, "`b` is a size of at least 1"),
        ({"n": 10}, "break|conditions"), ({"p": 0}, ""), ({"n": 9}, ""),
    ],
)  # fmt: skip
def test_sizes_that_inputs_never_have(sizes: dict[str, int], said: str, tmp_path: Path) -> None:
    """Of an export, of a table, of a comparison: none is for sizes that the module refuses."""
    model = ogive.source(OPEN).models["M"]
    calls: list[Callable[[], Any]] = [
        lambda: model.onnx(tmp_path / "m.onnx", sizes=sizes, optional=["past"], force=True),
        lambda: model.summary(**sizes), lambda: model.deploy("simplify").verify({}, **sizes),
    ]  # fmt: skip
    for call in calls:
        if said:
            with pytest.raises(ogive.ArchError, match=said):
                call()
        else:
            call()


def test_sizes_and_ranks_of_a_pack_agree(tmp_path: Path) -> None:
    model = ogive.source("block F(x: [*b, n]) -> [*b, n]:\n    return 2 * x\nmodel M = F\n").models["M"]
    with pytest.raises(ogive.ArchError, match="stands for 3 axes by `ranks`, but has 2 sizes"):
        model.onnx(tmp_path / "m.onnx", sizes={"b": [2, 3]}, ranks={"b": 3})
    with pytest.raises(ogive.ArchError, match="`b` is a size of at least 1"):
        model.onnx(tmp_path / "m.onnx", sizes={"b": [2, 0]})
    model.onnx(tmp_path / "m.onnx", sizes={"b": [2, 3]}, ranks={"b": 2})


def test_inputs_that_are_compared_are_those_of_the_model() -> None:
    deployed = ogive.source(OPEN).models["M"].deploy("simplify")
    x, past, more = torch.ones(2, 3, 4), torch.ones(2, 1, 4), torch.ones(3)
    assert deployed.verify({}, x).exact
    assert deployed.verify({}, x, past, more).exact
    for given in ((x, past), (x, past, more, x)):
        with pytest.raises(WrongArgument, match=r"are 1 \(x\), or 3 with past, more, not"):
            deployed.verify({}, *given)
    with pytest.raises(WrongArgument, match="not both"):
        deployed.verify({}, x, n=3)
