"""Maps in use: prefixes that are found, ties both ways, what is written and read again, torchvision's names."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ogive
from ogive.backends.weights.map_text import parse_map
from ogive.backends.weights.plan import plan, plan_back
from ogive.grammar.diagnostics import ArchError
from peers.names import MAPPED, PEERS, stored

TEXT = """
use std.nn (Linear)
block Net[d](x: [b, d]) -> [b, d]:
    repeat 2 as layers:
        x = x |> Linear[d, d] as fc
    return x
model M = Net[3]
"""
MODEL = ogive.source(TEXT).models["M"]


def test_other_names_without_a_map_are_told_of_the_draft() -> None:
    state = {f"net.{name}": tensor for name, tensor in MODEL.torch().state_dict().items()}
    with pytest.raises(ArchError, match="`ogive map FILE:NAME --weights PATH` drafts a map"):
        MODEL.load_weights(state)
    few = dict(list(MODEL.torch().state_dict().items())[:1])
    with pytest.raises(ArchError) as caught:
        MODEL.load_weights(few)
    assert "ogive map" not in str(caught.value)


LINES = [
    '"*" = "net.*"', '"layers.*" = "h.*"', '"layers.*.fc.weight" = "h.{*+1}.w | transpose"',
    '"layers.0.fc.weight" = "z"',
    '"layers.*.fc.bias" = "biases | entry *"', '"layers.*.fc.bias" = { stack = "b.*.*" }',
    '"layers.{0,1}.fc.*" = "{a,b}.*"',
    '"layers.*.fc.weight" = ["x.*", "y.*"]', '"layers.*.fc.weight" = { join = ["x.*", "y.*"], sizes = [1, 2] }',
    '"layers.{0,1}.fc.bias" = "both | part {0,1} of 2"', '"layers.1.fc.bias" = "both | slice 3:6"',
    '"layers.*.fc.weight" = "w.* | squeeze 1"', '"layers.*.fc.*" = "l{*-1}.*"', '"layers.*.fc.weight" = "layers.0.w"',
    '"layers.*.fc.bias" = "b{2*+1}"', '"layers.*.fc.weight" = "w.* | rearrange a b -> (a b)"',
    '"layers.*.fc.weight" = "w.* | rearrange (a b) -> a b, a=3"',
]  # fmt: skip
MORE = ['"t.*" = "net.*"', '"t" = "both"', '"layers.0.fc.bias" = "layers.1.fc.bias"', '"t.*.w" = "h.*.w"']
HEAD = ["", 'optional_prefix = "net."', 'strip = "net."', 'strip = ["h", "net."]', 'optional_prefix = "h."']


@given(
    st.sampled_from(HEAD),
    st.lists(st.sampled_from(LINES), max_size=4, unique_by=lambda line: line.split("=")[0]),
    st.lists(st.sampled_from(MORE), max_size=2, unique=True),
    st.sampled_from(["ties", "also"]),
)
@settings(max_examples=150, deadline=None)  # fmt: skip
def test_what_a_map_writes_it_reads(head: str, lines: list[str], more: list[str], table: str) -> None:
    """Whatever it says: the same weights again, or a diagnostic."""
    text = "\n".join([head, "[weights]", *lines, f"[{table}]", *more])
    state = {name: torch.randn(tensor.shape) for name, tensor in MODEL.torch().state_dict().items()}
    try:
        mapping = parse_map(text)
        theirs = MODEL.unload_weights(state, mapping)
    except ArchError as error:
        assert all(found.code in ("E0820", "E0821", "E0823") for found in error.diagnostics)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ogive.ArchWarning)
        try:
            loaded = MODEL.load_weights(theirs, mapping)
        except ArchError as error:  # ties that say what is not so
            assert table == "ties"
            assert more
            assert {found.code for found in error.diagnostics} <= {"E0821", "E0823"}
            return
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


LLAMA = '[weights]\n"*" = "model.*"\n'
WRAPPED: dict[str, tuple[Callable[[str], str], str]] = {
    "data parallel": (lambda name: f"module.{name}", "module."),
    "compiled": (lambda name: f"_orig_mod.{name}", "_orig_mod."),
    "a trainer's": (lambda name: f"model.{name}", "model."),
    "all of them": (lambda name: f"module._orig_mod.model.{name}", "module._orig_mod.model."),
    "compiled layers": (lambda name: name.replace(".fc", "._orig_mod.fc"), "_orig_mod."),
    "sharded layers": (lambda name: "module." + name.replace(".fc", "._fsdp_wrapped_module.fc"), "_fsdp_wrapped"),
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_what_wrappers_put_before_names_is_left_out_and_told(kind: str, tmp_path: Path) -> None:
    rename, said = WRAPPED[kind]
    state = MODEL.torch().state_dict()
    for text in ("", LLAMA, '[weights]\n"layers.*" = "net.layers.*"\n'):
        (tmp_path / "m.toml").write_text(text)
        own = MODEL.unload_weights(state, tmp_path / "m.toml")
        theirs = {rename(name): tensor for name, tensor in own.items()}
        with pytest.warns(ogive.ArchWarning, match=rf"W0909.*`[a-z_.]*{re.escape(said)}"):
            loaded = MODEL.load_weights(theirs, tmp_path / "m.toml")
        assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())
        with pytest.warns(ogive.ArchWarning, match="W0909"):
            MODEL.onnx(tmp_path / "m.onnx", theirs, tmp_path / "m.toml", force=True)


def test_a_map_says_that_a_prefix_is_meant(tmp_path: Path) -> None:
    state = MODEL.torch().state_dict()
    for prefix in ("module.", "student.", "a.b."):
        (tmp_path / "m.toml").write_text(f'strip = ["x.", "{prefix}"]\n')
        MODEL.load_weights({prefix + name: tensor for name, tensor in state.items()}, tmp_path / "m.toml")
    for name in ("student.more", "layers.0.fc.weight"):  # the second would be one with another
        wrong = {f"student.{key}": tensor for key, tensor in state.items()} | {name: torch.ones(1)}
        (tmp_path / "m.toml").write_text('strip = "student."\n')
        with pytest.raises(ArchError, match=r"E0821.*no weight of the model takes `"):
            MODEL.load_weights(wrong, tmp_path / "m.toml")


TIES = '[weights]\n"layers.{0,1}.fc.*" = "{a,b}.*"\n[ties]\n"{c,d}.{weight,bias}" = "{a,b}.{weight,bias}"\n'


def test_ties_hold_in_both_directions(tmp_path: Path) -> None:
    """A checkpoint may have either name; what is written has all."""
    (tmp_path / "m.toml").write_text(TIES)
    state = MODEL.torch().state_dict()
    theirs = MODEL.unload_weights(state, tmp_path / "m.toml")
    assert theirs.keys() == {f"{n}.{k}" for n in "abcd" for k in ("weight", "bias")}
    for left_out in ("ab", "cd", "ad", "bc", ""):
        some = {name: tensor for name, tensor in theirs.items() if name[0] not in left_out}
        loaded = MODEL.load_weights(some, tmp_path / "m.toml")
        assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())
    with pytest.raises(ArchError, match=r"has no `b\.bias`"):
        MODEL.load_weights({k: t for k, t in theirs.items() if k not in ("b.bias", "d.bias")}, tmp_path / "m.toml")
    (tmp_path / "m.toml").write_text('[ties]\n"x.*.weight" = "layers.*.fc.weight"\n')
    assert {"x.0.weight", "x.1.weight"} < MODEL.unload_weights(state, tmp_path / "m.toml").keys()


def test_older_names_are_read_and_not_written(tmp_path: Path) -> None:
    """As in the published files of BERT."""
    model = ogive.source((PEERS["mobilenet_v2"][0].parent / "bert.arch").read_text()).models["Tiny"]
    map_ = PEERS["mobilenet_v2"][0].parent / "bert.map.toml"
    state = model.torch().state_dict()
    theirs = model.unload_weights(state, map_)
    older = {f"bert.{name}".replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"):
             tensor for name, tensor in theirs.items()} | {"cls.predictions.bias": torch.ones(3)}  # fmt: skip
    loaded = model.load_weights(older, map_)
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())
    assert not [name for name in theirs if "gamma" in name]
    both = older | {"bert.embeddings.LayerNorm.weight": torch.ones(3)}
    with pytest.raises(ArchError, match=r"no weight of the model takes `embeddings\.LayerNorm\.gamma`"):
        model.load_weights(both, map_)


# --- models of torchvision --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("peer", MAPPED)
def test_few_lines_say_how_torchvision_names_its_weights(peer: str) -> None:
    """Names and shapes both ways; tests/peers/names.py runs both modules."""
    file, name = PEERS[peer]
    theirs, model = stored()[peer], ogive.load(file.with_suffix(".arch")).models[name]
    text = Path(f"{file}.map.toml").read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= 15
    mapping = parse_map(text)
    shapes = {key: slot.shape for key, slot in model.slots.items()}
    assert len(plan(mapping, shapes, theirs)) == len(theirs)
    back = {piece.name for move in plan_back(mapping, shapes) for piece in move.pieces}
    assert back == theirs.keys()
