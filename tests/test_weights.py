"""Maps between names of weights: total, checked, reversible; files that hold tied weights once."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ogive.backends.weights import files, tensors, whole
from ogive.backends.weights.map_text import parse_map
from ogive.backends.weights.maps import WeightMap, identity
from ogive.backends.weights.plan import check_ties, plan, plan_back
from ogive.backends.weights.steps import Shape
from ogive.grammar.diagnostics import ArchError, Diagnostic

MAP = """\
optional_prefix = "net."

[weights]
"h.*.fc.weight" = "net.h.*.fc.weight | transpose"
"h.*.qkv" = ["net.h.*.q", "net.h.*.k", "net.h.*.v"]
"kv" = { join = ["net.k", "net.v | transpose"], axis = 1, sizes = [3, 1] }

[ignore]
names = ["*.mask"]
"""
OURS: dict[str, Shape] = {
    "h.0.fc.weight": (3, 2),
    "h.0.qkv": (6, 2),
    "h.1.fc.weight": (3, 2),
    "h.1.qkv": (6, 2),
    "kv": (2, 4),
    "scale": (),
}
THEIRS: dict[str, Shape] = {
    **{f"net.h.{i}.{name}": (2, 2) for i in range(2) for name in "qkv"},
    **{f"net.h.{i}.fc.weight": (2, 3) for i in range(2)},
    "net.k": (2, 3),
    "net.v": (1, 2),
    "net.h.0.mask": (8, 8),
    "scale": (),
}


def refused(mapping: WeightMap, ours: dict[str, Shape], theirs: dict[str, Shape]) -> tuple[Diagnostic, ...]:
    with pytest.raises(ArchError) as caught:
        plan(mapping, ours, theirs)
    assert all(found.code == "E0821" for found in caught.value.diagnostics)
    return caught.value.diagnostics


def random_tensors(shapes: dict[str, Shape]) -> dict[str, Tensor]:
    return {name: torch.randn(shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("prefix", ["net.", ""])
def test_there_and_back(prefix: str) -> None:
    mapping = parse_map(MAP)
    theirs = random_tensors({name.replace("net.", prefix, 1): shape for name, shape in THEIRS.items()})
    moves = plan(mapping, OURS, {name: tuple(tensor.shape) for name, tensor in theirs.items()})
    ours = tensors.forward(moves, theirs)
    assert {name: tuple(tensor.shape) for name, tensor in ours.items()} == OURS
    back = tensors.backward(moves, ours)
    assert back.keys() == {name for name in theirs if "mask" not in name}
    assert all(torch.equal(back[name], theirs[name]) for name in back)
    assert torch.equal(ours["h.1.fc.weight"], theirs[f"{prefix}h.1.fc.weight"].T)


def test_back_needs_no_checkpoint() -> None:
    mapping = parse_map(MAP)
    ours = random_tensors(OURS)
    theirs = tensors.backward(plan_back(mapping, OURS), ours)
    assert {name: tuple(tensor.shape) for name, tensor in theirs.items()} == {
        name: shape for name, shape in THEIRS.items() if "mask" not in name
    }
    again = tensors.forward(plan(mapping, OURS, {n: tuple(t.shape) for n, t in theirs.items()}), theirs)
    assert all(torch.equal(again[name], ours[name]) for name in ours)


@given(st.sampled_from(sorted(THEIRS.keys() - {"net.h.0.mask"})))
def test_a_missing_tensor_is_named(name: str) -> None:
    found = refused(parse_map(MAP), OURS, {key: shape for key, shape in THEIRS.items() if key != name})
    assert len(found) == 1
    assert f"has no `{name}`" in found[0].message


@given(st.sampled_from(sorted(THEIRS.keys() - {"net.h.0.mask", "scale"})), st.integers(5, 9))
def test_a_misshapen_tensor_is_named(name: str, length: int) -> None:
    found = refused(parse_map(MAP), OURS, THEIRS | {name: (*THEIRS[name][:-1], length)})
    assert len(found) == 1
    assert name in found[0].message or "sizes that the map gives" in found[0].message


def test_all_that_is_wrong_is_said_at_once_and_where() -> None:
    mapping = parse_map(MAP, "m.toml")
    theirs = {name: shape for name, shape in THEIRS.items() if name != "net.k"} | {"extra.bias": (4,)}
    ours = {name: shape for name, shape in OURS.items() if ".qkv" not in name}
    found = refused(mapping, ours, theirs)
    text = "\n".join(f"{diagnostic.span.begin()[0]}: {diagnostic.message}" for diagnostic in found)
    assert "no weight of the model takes `extra.bias` [4]" in text
    assert "5: the model has no weight `h.*.qkv`" in text
    assert "6: the checkpoint has no `net.k`, for `kv` [2, 4]" in text
    assert "no weight of the model takes `net.h.1.q` [2, 2]" in text


def test_a_forgotten_transpose_is_guessed() -> None:
    mapping = parse_map('[weights]\n"w" = "w"\n')
    (found,) = refused(mapping, {"w": (3, 2)}, {"w": (2, 3)})
    assert "add or drop `| transpose`" in found.message


@given(st.dictionaries(st.text("ab.1", min_size=1), st.lists(st.integers(0, 3), max_size=3).map(tuple)))
def test_our_own_names_need_no_map(shapes: dict[str, Shape]) -> None:
    given_tensors = random_tensors(shapes)
    moves = plan(identity(), shapes, shapes)
    for both in (tensors.forward(moves, given_tensors), tensors.backward(moves, given_tensors)):
        assert both.keys() == shapes.keys()
        assert all(torch.equal(both[name], given_tensors[name]) for name in shapes)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[weights]\na = 3\n", 2, "`a`: expected the name of a tensor"),
        ("[weights]\na = []\n", 2, "`a`: expected the name of a tensor"),
        ('[weights]\n"a.*" = "b"\n', 2, "as many `*`"),
        ('[weights]\na = "b | flip"\n', 2, "unknown step `flip`"),
        ('[weights]\na = { join = ["b"], axes = 1 }\n', 2, "a table has `join`"),
        ('[weights]\na = { join = ["b"], sizes = [1, 2] }\n', 2, "1 names, but 2 sizes"),
        ('[weights]\na = { join = ["b"], axis = -1 }\n', 2, "a position from 0"),
        ("[ignore]\nnames = 3\n", 2, "list of strings"),
        ("weights = 3\n", 1, "is a table"),
        ("[wieghts]\n", 1, "unknown entry `wieghts`"),
        ("[weights]\na = \n", 2, "Invalid value"),
        ("[weights", 1, "Expected"),
    ],
)
def test_a_bad_map_is_a_diagnostic(text: str, line: int, said: str) -> None:
    with pytest.raises(ArchError) as caught:
        parse_map(text)
    (found,) = caught.value.diagnostics
    assert found.code == "E0820"
    assert said in found.message
    assert found.span.begin()[0] == line


@given(st.text())
def test_any_text_is_a_map_or_a_diagnostic(text: str) -> None:
    try:
        parse_map(text)
    except ArchError as error:
        assert all(found.code == "E0820" for found in error.diagnostics)


def test_a_tied_weight_is_stored_once(tmp_path: Path) -> None:
    shared = torch.randn(100, 100)
    state = {"wte.weight": shared, "view": shared[:3], "turned": shared.T, "head.weight": shared}
    with (tmp_path / "w.safetensors").open("wb") as file:
        files.dump(file, state)
    assert (tmp_path / "w.safetensors").stat().st_size < 2.2 * shared.nbytes  # wte and turned, not head
    again = files.read(tmp_path / "w.safetensors")
    assert again.keys() == state.keys()
    assert all(torch.equal(again[name], state[name]) for name in state)
    assert again["wte.weight"] is again["head.weight"]


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.mkdir, (str(mark),))

    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ArchError, match="cannot be read as tensors"):
        files.read(path)
    assert not mark.exists()


@given(st.binary(max_size=64))
def test_any_bytes_are_weights_or_a_diagnostic(data: bytes) -> None:
    path = Path(tempfile.mkdtemp(), "w.safetensors")
    path.write_bytes(data)
    try:
        files.read(path)
    except ArchError as error:
        assert [found.code for found in error.diagnostics] == ["E0822"]
    finally:
        path.unlink()
        path.parent.rmdir()


def test_files_are_written_all_or_none(tmp_path: Path) -> None:
    old, blocked = tmp_path / "a.py", tmp_path / "none" / "b"
    old.write_text("old")
    with pytest.raises(FileNotFoundError):
        whole.write_all({old: b"new", blocked: b"new"})
    assert old.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.py"]
    whole.write_all({old: b"new", tmp_path / "c": b"c"})
    assert old.read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.py", "c"]


def test_a_tie_holds_only_for_equal_tensors() -> None:
    mapping = parse_map('optional_prefix = "net."\n[weights]\nw = "net.w"\n[ties]\n"net.v" = "net.w"\n')
    shapes = {"w": (2,), "v": (2,)}
    assert [move.ours for move in plan(mapping, {"w": (2,)}, shapes)] == ["w"]
    check_ties(mapping, {"w": torch.ones(2)}, tensors.equal)
    check_ties(mapping, {"w": torch.ones(2), "v": torch.ones(2)}, tensors.equal)
    with pytest.raises(ArchError) as caught:
        check_ties(mapping, {"net.w": torch.ones(2), "net.v": torch.zeros(2)}, tensors.equal)
    (found,) = caught.value.diagnostics
    assert (found.code, found.span.text) == ("E0823", '"net.v"')
