"""Weights in and out: checked both ways, on every path; extern blocks, ties, numbers that are none."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

import ogive
from ogive.backends.weights import files
from ogive.backends.weights.header import header
from ogive.cli import cli
from ogive.grammar.diagnostics import ArchError

TEXT = """
use std.nn (Linear, BatchNorm)

block Net[d](x: [b, d]) -> [b, d]:
    param gain: [d] = ones
    return gain * (x |> Linear[d, d] as lin |> BatchNorm as norm)

model M = Net[3]
"""
MODEL = ogive.source(TEXT).models["M"]
State = dict[str, Any]


def state() -> State:
    return dict(MODEL.torch().eval().state_dict())


# --- what does not fit ------------------------------------------------------------------------------------------------


def without(name: str) -> Callable[[State], State]:
    return lambda given: {key: value for key, value in given.items() if key != name}


def with_(name: str, value: Any) -> Callable[[State], State]:
    return lambda given: {**given, name: value}


def of_lin(change: Callable[[Tensor], Any]) -> Callable[[State], State]:
    return lambda given: {**given, "lin.weight": change(given["lin.weight"])}


FAULTS: dict[str, tuple[Callable[[State], State], str]] = {
    "nothing": (lambda given: {}, "has no `gain`"),
    "missing": (without("lin.bias"), "has no `lin.bias`"),
    "left over": (with_("more.weight", torch.ones(2)), "no weight of the model takes `more.weight`"),
    "too wide": (with_("lin.weight", torch.ones(4, 3)), "`lin.weight`"),
    "other rank": (with_("gain", torch.ones(3, 1)), "`gain`"),
    "complex": (of_lin(lambda t: t.to(torch.complex64)), "holds complex64, not floats"),
    "whole": (of_lin(lambda t: t.int()), "holds int32, not floats"),
    "bool": (of_lin(lambda t: t.bool()), "holds bool, not floats"),
    "float8": (of_lin(lambda t: t.to(torch.float8_e4m3fn)), "float8_e4m3fn, not floats"),
    "floats for a count": (with_("norm.num_batches_tracked", torch.ones(())), "holds float32, not whole numbers"),
    "sparse": (of_lin(lambda t: t.to_sparse()), "is sparse"),
    "csr": (of_lin(lambda t: t.to_sparse_csr()), "is sparse"),
    "nested": (of_lin(lambda t: torch.nested.nested_tensor([t[0], t[1]])), "nested"),
    "jagged": (of_lin(lambda t: torch.nested.nested_tensor([t[0], t[1]], layout=torch.jagged)), "nested"),
    "meta": (of_lin(lambda t: t.to("meta")), "holds no numbers: it is on the meta device"),
    "quantized": (of_lin(lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8)), "is quantized"),
    "lazy": (with_("lin.weight", nn.UninitializedParameter()), "has no shape yet"),
    "a list": (of_lin(lambda t: t.tolist()), "is list, not a tensor"),
    "none": (with_("lin.weight", None), "is NoneType, not a tensor"),
}
FOLDED = MODEL.deploy("fold")
PATHS: dict[str, Callable[[Any, Path], Any]] = {
    "load": lambda given, out: MODEL.load_weights(given),
    "unload": lambda given, out: MODEL.unload_weights(given),
    "save": lambda given, out: MODEL.save_weights(out / "w.safetensors", given),
    "onnx": lambda given, out: MODEL.onnx(out / "m.onnx", given),
    "onnx after passes": lambda given, out: MODEL.onnx(out / "m.onnx", given, recipe="fold"),
    "convert": lambda given, out: FOLDED.convert(given),
    "verify": lambda given, out: FOLDED.verify(given, b=2),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_fit_is_refused_on_every_path(fault: str, tmp_path: Path) -> None:
    change, said = FAULTS[fault]
    for path, use in PATHS.items():
        if (fault, path) == ("meta", "convert"):
            continue  # which takes shapes alone, for models that no memory holds
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch's, about its own kinds of tensors
            wrong = change(state())
        with pytest.raises(ArchError) as caught:
            use(wrong, tmp_path)
        assert {found.code for found in caught.value.diagnostics} == {"E0821"}, path
        assert said in str(caught.value), path
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("change", ["layers", "width"])
def test_modules_of_other_models_are_refused(change: str, tmp_path: Path) -> None:
    """A module with a layer too many or too wide is not saved as the smaller one."""
    text = (
        TEXT.replace("Net[3]", "Net[4]")
        if change == "width"
        else TEXT.replace("|> BatchNorm as norm", "|> BatchNorm as norm |> Linear[d, d] as more")
    )
    net = ogive.source(text).models["M"].torch()
    for use in PATHS.values():
        with pytest.raises(ArchError, match="E0821"):
            use(net.eval(), tmp_path)
    assert not list(tmp_path.iterdir())


@given(
    st.dictionaries(
        st.sampled_from(sorted(state())), st.sampled_from(sorted(FAULTS.keys() - {"nothing", "left over"})), min_size=2
    )
)
@settings(max_examples=20, deadline=None)
def test_all_faults_are_named_at_once(faults: dict[str, str]) -> None:
    given_state: State = {"other": torch.ones(1)}
    for name, tensor in state().items():
        kind = faults.get(name, "")
        if kind == "missing":
            continue
        given_state[name] = torch.ones(7, 7) if kind else tensor
    with pytest.raises(ArchError) as caught:
        MODEL.unload_weights(given_state)
    for name in (*faults, "other"):
        assert f"`{name}`" in str(caught.value)


def test_there_and_back_is_the_identity(tmp_path: Path) -> None:
    net = MODEL.torch().eval()
    MODEL.save_weights(tmp_path / "w.safetensors", net)
    arrays = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    for source in (
        net,
        net.state_dict(),
        tmp_path / "w.safetensors",
        f"{tmp_path}/w.safetensors",
        arrays,
        torch.compile(net),
    ):
        loaded = MODEL.load_weights(source)  # type: ignore[arg-type]
        assert list(loaded) == list(net.state_dict()) == list(MODEL.weights)
        assert all(torch.equal(loaded[name], tensor) for name, tensor in net.state_dict().items())
    half = {
        name: tensor.bfloat16() if tensor.is_floating_point() else tensor for name, tensor in net.state_dict().items()
    }
    assert {tensor.dtype for tensor in MODEL.unload_weights(half).values()} == {torch.bfloat16, torch.int64}


# --- NaN and infinities -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_what_is_no_number_is_named(value: float, dtype: torch.dtype, tmp_path: Path) -> None:
    broken = {name: t.to(dtype) if t.is_floating_point() else t for name, t in state().items()}
    broken["lin.weight"][1, 2] = value
    save_file({name: tensor.contiguous() for name, tensor in broken.items()}, tmp_path / "w.safetensors")
    uses: list[Callable[[], object]] = [
        lambda: MODEL.load_weights(broken),
        lambda: MODEL.load_weights(tmp_path / "w.safetensors"),
        lambda: MODEL.unload_weights(broken),
        lambda: MODEL.save_weights(tmp_path / "v.safetensors", broken),
        lambda: MODEL.onnx(tmp_path / "m.onnx", broken),
        lambda: MODEL.onnx(tmp_path / "m.onnx", tmp_path / "w.safetensors"),
        lambda: FOLDED.convert(broken),
    ]
    for use in uses:
        with pytest.warns(ogive.ArchWarning, match=r"W0908.*NaN or infinite numbers in `lin.weight`"):
            use()
    program = tmp_path / "m.arch"
    program.write_text(TEXT)
    args = ["build", f"{program}:M", "--weights", str(tmp_path / "w.safetensors"), "-o"]
    for out in ("a.py", "a.onnx"):
        result = CliRunner().invoke(cli, [*args, str(tmp_path / out)])
        assert result.exit_code == 0, result.output
        assert "W0908" in result.stderr


def test_large_numbers_are_numbers() -> None:
    """A sum that overflows is no sign of an infinity."""
    for dtype, top in ((torch.float32, 3e38), (torch.float16, 6e4), (torch.bfloat16, 3e38), (torch.float64, 1e308)):
        large = {name: t.to(dtype) if t.is_floating_point() else t for name, t in state().items()}
        large["lin.weight"] = torch.full((3, 3), top, dtype=dtype)
        MODEL.load_weights(large)  # warnings are errors here


# --- extern blocks ----------------------------------------------------------------------------------------------------

CLASS = """
import torch
from torch import nn

class Mix(nn.Module):
    def __init__(self, d, wide=1):
        super().__init__()
        self.lin = nn.Linear(d, wide * d)
        self.back = nn.Linear(wide * d, d)
        self.register_buffer("count", torch.zeros((), dtype=torch.long))
        self.start = float(torch.ones(1).sum())  # which a module without numbers cannot say

    def forward(self, x):
        return self.back(self.lin(x))
"""
EXTERN = """
use std.nn (Linear)
extern block Mix[d, wide=1](x: [*b, d]) -> [*b, d] = "mix_of_theirs:Mix"
block Net[d, wide](x: [b, d]) -> [b, d]:
    param gain: [d] = ones
    repeat 2 as layers:
        x = x + (x |> Mix[d, wide] as mix |> Linear[d, d] as down)
    return x * gain
model M = Net[4, 1]
model Wide = Net[4, 2]
"""


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ogive.Program:
    (tmp_path / "mix_of_theirs.py").write_text(CLASS)
    monkeypatch.syspath_prepend(str(tmp_path))
    return ogive.source(EXTERN, allow_extern=True)


def test_modules_of_yours_are_saved_and_loaded_and_compared(theirs: ogive.Program, tmp_path: Path) -> None:
    model = theirs.models["M"]
    assert list(model.weights.items()) == [
        ("gain", (4,)),
        *(entry for i in range(2) for entry in (
            (f"layers.{i}.mix", "opaque"), (f"layers.{i}.down.weight", (4, 4)), (f"layers.{i}.down.bias", (4,)),
        )),
    ]  # fmt: skip
    torch.manual_seed(0)
    drawn = torch.rand(1)
    torch.manual_seed(0)
    net, twin, x = model.torch(), model.torch(), torch.randn(3, 4)
    torch.manual_seed(0)
    model.save_weights(tmp_path / "w.safetensors", net)
    assert torch.equal(torch.rand(1), drawn)  # to look at a module of yours draws no number of the caller's
    assert "layers.1.mix.module.lin.weight" in header(tmp_path / "w.safetensors").entries
    loaded = model.load_weights(tmp_path / "w.safetensors")
    assert list(loaded) == list(net.state_dict())
    twin.load_state_dict(loaded)
    assert torch.equal(twin(x), net(x))
    assert model.unload_weights(net).keys() == net.state_dict().keys()
    some = net.state_dict()
    for change in (without("layers.0.mix.module.lin.bias"), with_("layers.0.mix.module.more", torch.ones(1)),
                   with_("layers.1.mix.module.lin.weight", torch.ones(5, 4)),
                   with_("layers.1.mix.module.count", torch.ones(()))):  # fmt: skip
        for use in (model.load_weights, model.unload_weights):
            with pytest.raises(ArchError, match=r"E0821.*layers\.\d\.mix\.module\."):
                use(change(dict(some)))
    with pytest.raises(ArchError, match=r"`layers.0.mix.module.lin.weight`"):
        theirs.models["Wide"].save_weights(tmp_path / "x.safetensors", net)
    with pytest.raises(ArchError, match=r"`layers.0.mix.module.lin.weight`"):
        theirs.models["Wide"].load_weights(tmp_path / "w.safetensors")


def test_without_leave_their_weights_are_refused_by_name(theirs: ogive.Program, tmp_path: Path) -> None:
    theirs.models["M"].save_weights(tmp_path / "w.safetensors", theirs.models["M"].torch())
    with pytest.raises(ArchError, match=r"E0202.*`extern` blocks are off"):
        ogive.source(EXTERN)
    plain = EXTERN.replace('extern block Mix[d, wide=1](x: [*b, d]) -> [*b, d] = "mix_of_theirs:Mix"', "").replace(
        "Mix[d, wide] as mix |> ", ""
    )
    with pytest.raises(ArchError, match=r"no weight of the model takes `layers.0.mix.module.back.bias`"):
        ogive.source(plain).models["M"].load_weights(tmp_path / "w.safetensors")


def test_a_deployed_model_keeps_modules_of_yours(theirs: ogive.Program) -> None:
    """Folding leaves them where they are, several of them too."""
    text = (
        EXTERN.replace("x |> Mix[d, wide] as mix", "x |> Mix[d, wide] as one |> Mix[d, wide] as two")
        .replace("Linear[d, d] as down", "Linear[d, d] as down |> BatchNorm as norm")
        .replace("(Linear)", "(Linear, BatchNorm)")
    )
    model = ogive.source(text, allow_extern=True).models["M"]
    net = model.torch().eval()
    deployed = model.deploy("fold")
    used = deployed.torch().eval()
    used.load_state_dict(deployed.convert(net))
    x = torch.randn(3, 4)
    torch.testing.assert_close(used(x), net(x))
    assert deployed.verify(net, b=3).exact
    assert "layers.1.two.module.lin.weight" in used.state_dict()
    assert not [name for name in used.state_dict() if "norm" in name]


# --- ties -------------------------------------------------------------------------------------------------------------


class Peer(nn.Module):
    """A module of someone else's, whose last map is its table."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleDict({"wte": nn.Embedding(5, 3)})
        self.lm_head = nn.Linear(3, 5, bias=False)
        self.lm_head.weight = self.body["wte"].get_parameter("weight")


TIED = """
use std.nn (Embedding)
block Net[n, d](ids: int[b]) -> [b, n]:
    wte = Embedding[n, d]
    return einsum["b d, n d -> b n"](wte(ids), wte.weight)
model M = Net[5, 3]
"""
TIED_MAP = """
optional_prefix = "body."
[weights]
"wte.weight" = "body.wte.weight"
[ties]
"lm_head.weight" = "body.wte.weight"
"""


def test_a_map_gives_all_names_of_a_tensor_and_a_file_holds_it_once(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text(TIED_MAP)
    model, peer = ogive.source(TIED).models["M"], Peer()
    net = model.torch()
    theirs = model.unload_weights(net, tmp_path / "map.toml")
    peer.load_state_dict(theirs, strict=True)
    assert torch.equal(peer.lm_head.weight, net.state_dict()["wte.weight"])
    model.save_weights(tmp_path / "w.safetensors", net, tmp_path / "map.toml")
    assert header(tmp_path / "w.safetensors").ties == {"lm_head.weight": "body.wte.weight"}
    peer.load_state_dict(files.read(tmp_path / "w.safetensors"), strict=True)
    for source in (theirs, tmp_path / "w.safetensors", peer):
        assert torch.equal(
            model.load_weights(source, tmp_path / "map.toml")["wte.weight"], net.state_dict()["wte.weight"]
        )
    apart = {**theirs, "lm_head.weight": torch.zeros(5, 3)}
    with pytest.raises(ArchError, match="E0823"):
        model.load_weights(apart, tmp_path / "map.toml")
    (tmp_path / "bad.toml").write_text(
        TIED_MAP.replace('= "body.wte.weight"\n[ties]', '= "body.wte.weight"\n[ties]\n"a" = "none"')
    )
    with pytest.raises(ArchError, match="`a` is tied to `none`"):
        model.unload_weights(net, tmp_path / "bad.toml")
    model.onnx(tmp_path / "m.onnx", tmp_path / "w.safetensors", tmp_path / "map.toml")


def test_weights_that_a_user_tied_come_back_apart_or_tied(tmp_path: Path) -> None:
    text = "block F[d](x: [b, d]) -> [b, d]:\n    return x |> Linear[d, d] as a |> Linear[d, d] as c\nmodel M = F[3]"
    model = ogive.source(f"use std.nn (Linear)\n{text}").models["M"]
    net = model.torch()
    net.get_submodule("c").weight = net.get_submodule("a").weight
    model.save_weights(tmp_path / "w.safetensors", net)
    assert (tmp_path / "w.safetensors").stat().st_size < 1200
    loaded = model.load_weights(tmp_path / "w.safetensors")
    assert torch.equal(loaded["a.weight"], loaded["c.weight"])
    model.torch().load_state_dict(loaded)
