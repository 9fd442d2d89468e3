"""Drafted maps: applied to the public models that the examples are of, they give modules that compute the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

import ogive
from examples.test_transformers import PAIRS, TOLERANCE, Pair, difference, nets
from examples.test_transformers import given as inputs_of
from ogive.api import Model
from ogive.backends.weights.draft.assignment import assigned
from ogive.backends.weights.draft.drafted import Draft, draft
from ogive.backends.weights.kinds import Found
from ogive.backends.weights.map_text import parse_map
from ogive.backends.weights.plan import plan
from ogive.backends.weights.steps import Shape
from ogive.grammar.diagnostics import ArchError
from peers.names import MAPPED, PEERS, stored
from test_outputs import run

transformers = pytest.importorskip("transformers")
EXAMPLES = Path(__file__).parents[1] / "examples"
GPT2 = {"vocab_size": 97, "n_positions": 16, "n_embd": 32, "n_head": 4, "n_layer": 3, "attn_pdrop": 0.0,
        "embd_pdrop": 0.0, "resid_pdrop": 0.0, "bos_token_id": 0, "eos_token_id": 0}  # fmt: skip


def words() -> dict[str, Tensor]:
    return {"input_ids": torch.randint(1, 30, (3, 11))}


MORE = [
    Pair("gpt2", "GPT", {"vocab": 97, "context": 16, "d": 32, "heads": 4, "depth": 3}, "GPT2LMHeadModel", "GPT2Config",
         GPT2, words),
    Pair("mamba", "MambaLM", {"vocab": 30, "d": 8, "depth": 2}, "MambaForCausalLM", "MambaConfig",
         {"vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 2, "tie_word_embeddings": True}, words),
]  # fmt: skip
FIRST = {(pair.file, pair.block, str(pair.statics)): pair for pair in reversed([*PAIRS, *MORE])}


CASES = [
    pytest.param(pair, alphabetical, id=f"{key[0]}-{i}-{'alphabet' if alphabetical else 'order'}",
                 marks=() if alphabetical and key[0] in ("gpt2", "bert", "llama", "resnet") else pytest.mark.slow)
    for i, (key, pair) in enumerate(FIRST.items()) for alphabetical in (False, True)
]  # fmt: skip


@pytest.mark.parametrize(("pair", "alphabetical"), CASES)
def test_a_draft_applied_gives_what_the_peer_computes(pair: Pair, alphabetical: bool, tmp_path: Path) -> None:
    """In the order of the module, and in that of files of safetensors, which tells nothing."""
    torch.manual_seed(0)
    model, _, theirs = nets(pair, torch.float32)
    state = theirs.state_dict()
    state = dict(sorted(state.items())) if alphabetical else state
    (tmp_path / "m.toml").write_text(model.draft_map(state))
    ours = model.torch().eval()
    ours.load_state_dict(model.load_weights(state, tmp_path / "m.toml"))
    our_inputs, their_inputs = inputs_of(pair, torch.float32)
    y, z = pair.ours(ours(**our_inputs)), pair.theirs(theirs(**their_inputs))
    assert difference(y, z) < TOLERANCE[torch.float32]
    theirs.load_state_dict(model.unload_weights(ours, tmp_path / "m.toml"), strict=True)


def shapes_of(model: Model) -> dict[str, Shape]:
    return {name: slot.shape for name, slot in model.slots.items()}


def drafted(ours: dict[str, Shape], theirs: dict[str, Shape]) -> Draft:
    return draft(ours, {name: Found(shape, "f32") for name, shape in theirs.items()}, {}, str.encode, "a test")


@pytest.mark.parametrize("peer", MAPPED)
@pytest.mark.parametrize("alphabetical", [False, True], ids=["order", "alphabet"])
def test_a_draft_says_what_the_map_of_an_expert_says(peer: str, alphabetical: bool) -> None:
    file, name = PEERS[peer]
    ours, theirs = shapes_of(ogive.load(file.with_suffix(".arch")).models[name]), stored()[peer]
    found = drafted(ours, dict(sorted(theirs.items())) if alphabetical else theirs)
    assert plan(parse_map(found.text), ours, theirs) == plan(
        parse_map(Path(f"{file}.map.toml").read_text()), ours, theirs
    )
    assert (found.missing, found.left_over) == ((), ())
    assert found.lines <= len(theirs) // 6


def test_a_draft_for_torchvisions_resnet() -> None:
    file, name = PEERS["resnet18"]
    ours, theirs = shapes_of(ogive.load(file.with_suffix(".arch")).models[name]), stored()["resnet18"]
    found = drafted(ours, theirs)
    moves = {move.ours: move.pieces[0].name for move in plan(parse_map(found.text), ours, theirs)}
    assert moves["stages.1.blocks.0.shortcut_bn.weight"] == "layer2.0.downsample.1.weight"
    assert moves["stages.3.blocks.1.body.bn2.running_var"] == "layer4.1.bn2.running_var"
    assert found.lines == 3


TEXT = """
use std.nn (Linear, LayerNorm)
block Layer[d](x: [*b, d]) -> [*b, d]:
    return x + (x |> LayerNorm as norm |> Linear[d, 3*d] as up |> Linear[3*d, d] as down)
block Net[d](x: [*b, d]) -> [*b, 2]:
    repeat 3 as layers:
        x = x |> Layer
    return x |> Linear[d, 2, bias=false] as head
model M = Net[4]
"""
MODEL = ogive.source(TEXT).models["M"]


@given(
    st.sampled_from(["", "net.", "module.", "a.b."]),
    st.integers(0, 3),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["layers", "block", "h"]),
    st.sampled_from([("up", "down"), ("fc1", "fc2"), ("wi", "wo")]),
)
@settings(max_examples=15, deadline=None)  # fmt: skip
def test_models_that_are_only_renamed_are_found_again(
    prefix: str, first: int, turned: bool, shuffled: bool, layers: str, names: tuple[str, str]
) -> None:
    state = {name: torch.randn(tensor.shape) for name, tensor in MODEL.torch().state_dict().items()}
    theirs = {}
    for name, tensor in state.items():
        parts = name.split(".")
        if parts[0] == "layers":
            parts[:2] = [layers, str(int(parts[1]) + first)] if layers != "block" else [f"block{int(parts[1]) + first}"]
        parts = [{"up": names[0], "down": names[1]}.get(part, part) for part in parts]
        matrix = tensor.ndim == 2 and "head" not in name
        theirs[prefix + ".".join(parts)] = tensor.T if turned and matrix else tensor
    if shuffled:
        theirs = dict(random.Random(0).sample(list(theirs.items()), len(theirs)))
    mapping = parse_map(MODEL.draft_map(theirs))
    loaded = MODEL.load_weights(theirs, mapping)
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())
    assert len(mapping.rules) <= 6


PARTS = ["a", "b1", "0", "1", "q", "qkv", "k", "v", "weight", "bias", "é|", "*", "a\n"]


@pytest.mark.parametrize("alphabetical", [False, True], ids=["order", "alphabet"])
def test_weights_of_one_module_stay_together(alphabetical: bool) -> None:
    """The names of OPT: two norms and two maps have vectors of one size."""
    pairs = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "out": "self_attn.out_proj",
             "n1": "self_attn_layer_norm", "a": "fc1", "c": "fc2", "n2": "final_layer_norm"}  # fmt: skip
    shapes = {"a": (32, 16), "c": (16, 32), "n1": (16,), "n2": (16,)}
    ours: dict[str, Shape] = {}
    theirs: dict[str, Shape] = {}
    for i in range(3):
        for name in ("n1", "q", "k", "v", "out", "n2", "a", "c"):
            shape = shapes.get(name, (16, 16))
            ours |= {f"blocks.{i}.{name}.weight": shape, f"blocks.{i}.{name}.bias": shape[:1]}
        for name, theirs_name in pairs.items():
            shape = shapes.get(name, (16, 16))
            path = f"model.decoder.layers.{i}.{theirs_name}"
            theirs |= {f"{path}.weight": shape, f"{path}.bias": shape[:1]}
    found = drafted(ours, dict(sorted(theirs.items())) if alphabetical else theirs)
    for move in plan(parse_map(found.text), ours, theirs):
        _, number, name, last = move.ours.split(".")
        assert move.pieces[0].name == f"model.decoder.layers.{number}.{pairs[name]}.{last}"


def test_layers_that_differ_have_lines_of_their_own() -> None:
    """One iteration is transposed there, one is joined: the line with a star says what the others are."""
    ours: dict[str, Shape] = {f"h.{i}.qkv.weight": (6, 3) for i in range(5)}
    theirs: dict[str, Shape] = {f"h.{i}.qkv.weight": (6, 3) if i != 2 else (3, 6) for i in range(5) if i != 3}
    theirs |= {f"h.3.{part}.weight": (2, 3) for part in "qkv"}
    found = drafted(ours, theirs)
    assert len(plan(parse_map(found.text), ours, theirs)) == 5
    assert (found.missing, found.left_over) == ((), ())


NAMES = st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map(".".join)
SIDES = st.dictionaries(NAMES, st.lists(st.integers(1, 3), max_size=3).map(tuple), max_size=8)


@given(SIDES, SIDES)
@settings(max_examples=150, deadline=None)
def test_any_names_and_shapes_have_a_draft_that_says_what_it_matches(
    ours: dict[str, Shape], theirs: dict[str, Shape]
) -> None:
    ours = {name: shape for name, shape in ours.items() if not set(name) & set("*|\n")}  # which no name of ours has
    found = drafted(ours, theirs)
    mapping = parse_map(found.text)
    lost = {text.rpartition(" [")[0] for text in found.missing}
    assert found.count + sum(1 for name in ours) >= len(lost)
    if not found.missing and not found.left_over:
        assert len(plan(mapping, ours, theirs)) == len(ours)


@given(st.integers(1, 5), st.integers(1, 5), st.data())
def test_an_assignment_is_the_best_one(rows: int, columns: int, data: st.DataObject) -> None:
    worth = [[data.draw(st.integers(0, 9)) + 0.0 for _ in range(columns)] for _ in range(rows)]
    found = assigned(worth)
    assert len({i for i, _ in found}) == len({j for _, j in found}) == len(found)

    def best(left: list[int], used: frozenset[int]) -> float:
        if not left:
            return 0.0
        rest = best(left[1:], used)
        return max([rest, *(worth[left[0]][j] + best(left[1:], used | {j}) for j in range(columns) if j not in used)])

    assert sum(worth[i][j] for i, j in found) == best(list(range(rows)), frozenset())


# --- the command ------------------------------------------------------------------------------------------------------


class Peer(nn.Module):
    """Someone else's module: other names, a mask, a tie, a part that is no part of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.ModuleDict({"ln": nn.LayerNorm(4), "fc1": nn.Linear(4, 12), "fc2": nn.Linear(12, 4)}) for _ in range(3)
        )
        self.classifier = nn.Linear(4, 2, bias=False)
        self.again = nn.Linear(4, 2, bias=False)
        self.again.weight = self.classifier.weight
        self.decoder = nn.ModuleList(nn.Linear(7, 7) for _ in range(5))
        for block in self.blocks:
            block.register_buffer("attn_mask", torch.ones(4, 4))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("net.arch").write_text(TEXT)
    torch.save(Peer().state_dict(), "peer.pt")
    return tmp_path


def test_the_command_tells_what_is_left_over_in_groups(desk: Path) -> None:
    result = run("map", "net.arch:M", "--weights", "peer.pt", "-o", "m.toml")
    assert result.exit_code == 0, result.output
    assert "19 of 19 weights in" in result.output
    for line in ("left over: decoder.*.weight [7, 7] (5)", "left over: decoder.*.bias [7] (5)",
                 "ignored, no weights: blocks.*.attn_mask [4, 4] (3)"):  # fmt: skip
        assert line in result.output
    with pytest.raises(ArchError, match=r"no weight of the model takes `decoder\.\*\.weight` \[7, 7\] \(5\)"):
        ogive.load("net.arch").models["M"].load_weights("peer.pt", "m.toml")
    text = Path("m.toml").read_text()
    assert '"again.weight" = "classifier.weight"' in text
    Path("m.toml").write_text(text.replace("names = [", 'names = ["decoder.*", '))
    assert "wrote" in run("build", "net.arch:M", "-o", "net.py", "--weights", "peer.pt", "--map", "m.toml").output
    result = run("map", "net.arch:M", "--weights", "peer.pt", "-o", "m.toml")
    assert (result.exit_code, "was changed since Ogive wrote it" in result.output) == (1, True)
    assert run("map", "net.arch:M", "--weights", "peer.pt", "-o", "m.toml", "--force").exit_code == 0
    for out in ("peer.pt", "net.arch"):
        result = run("map", "net.arch:M", "--weights", "peer.pt", "-o", out, "--force")
        assert (result.exit_code, "E0824" in result.output) == (1, True)


def test_the_command_prints_a_draft(desk: Path) -> None:
    result = run("map", "net.arch:Net", "-D", "d=4", "--weights", "peer.pt")
    assert parse_map(result.stdout).rules
    save_file({"x": torch.ones(3)}, "x.safetensors")
    result = run("map", "net.arch:M", "--weights", "x.safetensors")
    assert "0 of 19 weights in 0 lines" in result.stderr
    assert "found nothing for: layers.*.layer.up.weight [12, 4] (3)" in result.stderr
    assert run("map", "net.arch:M", "--weights", "none").exit_code == 2
    Path("bad.pt").write_bytes(b"\x80\x02(")
    assert "E0822" in run("map", "net.arch:M", "--weights", "bad.pt").output
    assert "\\b" not in run("map", "--help").output


KINDS: list[tuple[Callable[[], Any], str]] = [(lambda: 3, "E0413"), (lambda: {3: torch.ones(1)}, "E0413")]


@pytest.mark.parametrize(("given_weights", "code"), KINDS)
def test_what_has_no_names_has_no_draft(given_weights: Callable[[], Any], code: str) -> None:
    with pytest.raises(ArchError, match=code):
        MODEL.draft_map(given_weights())
