"""Weights written as shards with an index: as Hugging Face writes them, whole or not at all, over nothing of others."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
import torch
from huggingface_hub import split_torch_state_dict_into_shards
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ogive
from ogive.backends.onnx_model.serialize.external_data import of_file as arrays_of
from ogive.backends.weights import files
from ogive.backends.weights.shards import Shards
from ogive.backends.weights.whole import Files
from ogive.grammar.diagnostics import ArchError
from ogive.saving import size_of
from test_outputs import contents, desk, run
from test_whole import _failing

__all__ = ["desk"]

LIMIT = 60  # bytes: `lin.weight` has 36
NAMES = ["w-00001-of-00002.safetensors", "w-00002-of-00002.safetensors", "w.safetensors.index.json"]


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from([torch.float32, torch.float16, torch.int64]), st.booleans()),
        max_size=7,
    ),
    st.integers(1, 60),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
def test_there_and_back(tmp_path: Path, shapes: list[tuple[int, torch.dtype, bool]], limit: int) -> None:
    tensors: dict[str, torch.Tensor] = {}
    for i, (size, dtype, tied) in enumerate(shapes):
        tensors[f"t{i}"] = next(iter(tensors.values())) if tied and tensors else torch.arange(size).to(dtype)
    for path in tmp_path.iterdir():
        path.unlink()
    shards = Shards.of(tmp_path / "w.safetensors", tensors, limit)
    outputs = [*shards.files, *([shards.index] if shards.index else [])]
    with Files(outputs) as opened:
        shards.write(opened, tensors, {"note": "x"})
    path = shards.index or shards.path
    read, seen = files.read(path), dict(arrays_of(path))
    assert read.keys() == seen.keys() == tensors.keys()
    assert all(torch.equal(read[name], tensor) and read[name].dtype == tensor.dtype for name, tensor in tensors.items())
    sizes = [sum(tensors[name].nbytes for name in part) for part in shards.parts]
    assert all(size <= limit or len(part) == 1 for size, part in zip(sizes, shards.parts, strict=True))
    assert all(a + tensors[part[0]].nbytes > limit for a, part in zip(sizes, shards.parts[1:], strict=False))


def test_the_layout_is_that_of_hugging_face(tmp_path: Path) -> None:
    state = {f"layers.{i}.w": torch.ones(10 + i) for i in range(7)}
    theirs = split_torch_state_dict_into_shards(state, max_shard_size=100, filename_pattern="w{suffix}.safetensors")
    shards = Shards.of(tmp_path / "w.safetensors", state, 100)
    with Files([*shards.files, tmp_path / "w.safetensors.index.json"]) as opened:
        shards.write(opened, state, {})
    found = json.loads((tmp_path / "w.safetensors.index.json").read_text())
    assert found["weight_map"] == theirs.tensor_to_filename
    assert found["metadata"] == {"total_parameters": 91, "total_size": theirs.metadata["total_size"]}


@pytest.mark.parametrize(
    ("text", "size"),
    [("5GB", 5 * 10**9), ("2MiB", 2 << 20), ("1.5KB", 1500), ("7B", 7), ("3 TB", 3 * 10**12), ("5", None), ("GB", None),
     ("-1GB", None), ("5iB", None), ("1e9B", None), ("", None), ("nanGB", None)],
)  # fmt: skip
def test_sizes_of_shards(text: str, size: int | None) -> None:
    assert size_of(text) == size


def test_a_training_saves_shards_over_its_own(desk: Path) -> None:
    model = ogive.load("net.arch").models["Small"]
    for _ in range(2):
        net = model.torch()
        written = model.save_weights("w.safetensors", net, max_shard_size=LIMIT)
        assert [str(path) for path in written] == NAMES
        for path in ("w.safetensors.index.json", Path("w.safetensors.index.json")):
            loaded = model.load_weights(path)
            assert all(torch.equal(loaded[name], tensor) for name, tensor in net.state_dict().items())
    (desk / "out").mkdir()
    assert model.save_weights("out", model.torch(), max_shard_size="1GB") == (Path("out/model.safetensors"),)
    model.load_weights("out")
    large = ogive.load("net.arch").models["Large"]
    with pytest.raises(ArchError, match="of another model: Small"):
        large.save_weights("w.safetensors", large.torch(), max_shard_size=100)
    for wrong in ("5", 0, -1, True, 1.5, "5GBs"):
        with pytest.raises(ArchError, match=r"E0413.*a size of files"):
            model.save_weights("x.safetensors", model.torch(), max_shard_size=wrong)  # type: ignore[arg-type]


def test_one_file_and_shards_do_not_stand_beside_each_other(desk: Path) -> None:
    """A folder with both is read as neither."""
    model = ogive.load("net.arch").models["Small"]
    model.save_weights("w.safetensors", model.torch(), max_shard_size=LIMIT)
    with pytest.raises(ArchError, match=r"E0825.*`w.safetensors.index.json` is there"):
        model.save_weights("w.safetensors", model.torch(), force=True)
    model.save_weights("v.safetensors", model.torch())
    with pytest.raises(ArchError, match=r"E0825.*`v.safetensors` is there"):
        model.save_weights("v.safetensors", model.torch(), max_shard_size=LIMIT, force=True)


@pytest.mark.parametrize("name", NAMES)
def test_each_file_of_others_stays(name: str, desk: Path) -> None:
    model = ogive.load("net.arch").models["Small"]
    for data in (b"mine", b'{"metadata": {}, "weight_map": {"a": "w-00001-of-00002.safetensors"}}'):
        (desk / name).write_bytes(data)
        before = contents(desk)
        with pytest.raises(ArchError, match="E0825") as caught:
            model.save_weights("w.safetensors", model.torch(), max_shard_size=LIMIT)
        assert f"`{name}`" in str(caught.value)
        assert contents(desk) == before
    model.save_weights("w.safetensors", model.torch(), max_shard_size=LIMIT, force=True)
    (desk / name).unlink()
    (desk / name).symlink_to("map.toml")
    before = contents(desk)
    with pytest.raises(ArchError, match="E0824"):
        model.save_weights("w.safetensors", model.torch(), "map.toml", max_shard_size=LIMIT, force=True)
    assert contents(desk) == before


@pytest.mark.parametrize("command", ["build", "deploy"])
def test_the_commands_write_shards(command: str, desk: Path) -> None:
    limit = "60B" if command == "build" else "40B"  # a norm is folded away
    args = [command, "net.arch:Small", "-o", "w.py", "--weights", "trained.safetensors", "--max-shard-size"]
    assert f"wrote w.py and {' and '.join(NAMES)}" in run(*args, limit).output
    assert "lin.weight" in files.read("w.safetensors.index.json")
    before = contents(desk)
    assert run(*args, limit).exit_code == 0
    assert contents(desk) == before
    if command == "build":
        many = run(*[arg.replace("w.py", "many.py") for arg in args], "1B").output
        assert re.search(r"wrote many.py and many-00001-of-(\d{5})\S* to many-\1-of-\1\S* and many.safetensors", many)
    assert "expected a size of files" in run(*args, "60").output
    assert "give a checkpoint" in run(command, "net.arch:Small", "-o", "v.py", "--max-shard-size", "60B").output
    for name in ("w.py", *NAMES):
        kept = (desk / name).read_bytes()
        (desk / name).write_text("mine")
        before = contents(desk)
        assert "E0825" in run(*args, limit).output
        assert contents(desk) == before
        (desk / name).write_bytes(kept)


def test_a_full_disk_leaves_all_as_it_was(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every point at which the system may refuse, with shards that are there already and without."""
    model = ogive.load("net.arch").models["Small"]
    for there in (False, True):
        if there:
            model.save_weights("w.safetensors", model.torch(), max_shard_size=LIMIT)
        before, net = contents(desk), model.torch()
        for point in ("fsync", "link", "replace"):
            for count in range(3):
                with monkeypatch.context() as patch:
                    patch.setattr(os, point, _failing(getattr(os, point), count))
                    try:
                        model.save_weights("w.safetensors", net, max_shard_size=LIMIT)
                    except OSError:
                        assert contents(desk) == before, (point, count, there)
                        continue
                for name in NAMES:
                    (desk / name).unlink()
                    if name in before:
                        (desk / name).write_bytes(before[name])
    assert not list(desk.glob(".ogive*"))
