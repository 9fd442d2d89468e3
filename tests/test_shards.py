"""Checkpoints in every form that people have: files, folders, shards, what `torch.save` wrote; and hostile ones."""

from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file, save_model
from torch import Tensor, nn

import ogive
from ogive.backends.onnx_model.serialize.external_data import of_file as arrays_of
from ogive.backends.weights import files
from ogive.cli import cli
from ogive.grammar.diagnostics import ArchError
from test_checkpoints import FOLDED, MODEL, TEXT, state
from test_outputs import contents

INDEX = "model.safetensors.index.json"
Index = dict[str, str]


def shards(folder: Path, tensors: dict[str, Tensor], count: int = 2, ending: str = "safetensors") -> Path:
    """As `save_pretrained` writes them."""
    stem = "model" if ending == "safetensors" else "pytorch_model"
    found: Index = {}
    for number in range(count):
        part = dict(list(tensors.items())[number::count])
        name = f"{stem}-{number + 1:05d}-of-{count:05d}.{ending}"
        save_file(part, folder / name) if ending == "safetensors" else torch.save(part, folder / name)
        found |= dict.fromkeys(part, name)
    path = folder / f"{stem}.{ending}.index.json"
    path.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": found}))
    return path


def one(folder: Path, tensors: dict[str, Tensor], name: str = "model.safetensors") -> Path:
    save_file(tensors, folder / name)
    return folder / name


def saved(folder: Path, found: Any, name: str = "model.pt", **how: Any) -> Path:
    torch.save(found, folder / name, **how)
    return folder / name


def beside(path: Path, *names: str) -> Path:
    """Files that a training leaves in a folder."""
    for name in names:
        (path.parent / name).write_bytes(pickle.dumps({"step": 1}))
    return path


FORMS: dict[str, Callable[[Path, dict[str, Tensor]], Path]] = {
    "a file": one,
    "a folder": lambda f, t: beside(one(f, t), "optimizer.pt", "training_args.bin", "config.json").parent,
    "a folder with one file of another name": lambda f, t: one(f, t, "mine.safetensors").parent,
    "a folder of both kinds": lambda f, t: beside(one(f, t), "pytorch_model.bin").parent,
    "shards": shards,
    "a folder of shards": lambda f, t: shards(f, t, 3).parent,
    "one shard": lambda f, t: shards(f, t, 1).parent,
    "shards of pickles": lambda f, t: shards(f, t, 2, "bin"),
    "a folder of pickles": lambda f, t: beside(shards(f, t, 2, "bin"), "scheduler.pt").parent,
    "a pickle": saved,
    "an old pickle": lambda f, t: saved(f, t, _use_new_zipfile_serialization=False),
    "another ending": lambda f, t: saved(f, t, "model.bin"),
    "a training": lambda f, t: saved(f, {"epoch": 3, "state_dict": t, "optimizer": {"state": {}}}, "last.ckpt"),
    "parameters": lambda f, t: saved(f, {n: nn.Parameter(x, x.is_floating_point()) for n, x in t.items()}),
    "a blob behind a link": lambda f, t: _linked(one(f, t, "blob"), f / "model.safetensors"),
}


def _linked(path: Path, link: Path) -> Path:
    link.symlink_to(path.name)
    return link


def use_all(path: Path, folder: Path) -> dict[str, Callable[[], Any]]:
    """Every way in."""
    program = folder / "m.arch"
    program.write_text(TEXT)

    def run(*args: object) -> Callable[[], Any]:
        texts = [*map(str, args), "--weights", str(path)]
        return lambda: CliRunner().invoke(cli, texts, catch_exceptions=False)

    return {
        "load": lambda: MODEL.load_weights(path),
        "text": lambda: MODEL.load_weights(str(path)),
        "convert": lambda: FOLDED.convert(path),
        "onnx": lambda: MODEL.onnx(folder / "a.onnx", path),
        "recipe": lambda: MODEL.onnx(folder / "b.onnx", path, recipe="fold"),
        "read": lambda: files.read(path),
        "arrays": lambda: dict(arrays_of(path)),
        "build": run("build", f"{program}:M", "-o", folder / "c.py"),
        "build onnx": run("build", f"{program}:M", "-o", folder / "c.onnx"),
        "deploy": run("deploy", f"{program}:M", "-o", folder / "d.py"),
    }


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_weights_on_every_path(form: str, tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    tensors = state()
    path = FORMS[form](theirs, tensors)
    before = contents(theirs)
    for name, use in use_all(path, ours).items():
        found = use()
        if name in ("load", "text", "read"):
            assert all(torch.equal(found[key], tensor) for key, tensor in tensors.items()), name
        elif name == "arrays":
            assert all(np.array_equal(found[key], tensor.numpy()) for key, tensor in tensors.items())
        elif name.startswith(("build", "deploy")):
            assert found.exit_code == 0, found.output
    assert torch.equal(files.read(ours / "c.safetensors")["lin.weight"], tensors["lin.weight"])
    assert contents(theirs) == before


# --- hostile and damaged ones -----------------------------------------------------------------------------------------

HERE = "w-1.safetensors"


def index_of(found: Any) -> Callable[[Path], Path]:
    """An index beside one good file."""

    def make(folder: Path) -> Path:
        one(folder, state(), HERE)
        text = found if isinstance(found, bytes) else json.dumps(found).encode()
        (folder / INDEX).write_bytes(text)
        return folder / INDEX

    return make


def mapped(**changes: str) -> dict[str, Any]:
    return {"weight_map": dict.fromkeys(state(), HERE) | changes}


class Bomb:
    """What makes a folder when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("ran",)


def rezipped(change: Callable[[str, bytes], bytes], kind: int = zipfile.ZIP_STORED) -> Callable[[Path], Path]:
    """A file of `torch.save` with other contents."""

    def make(folder: Path) -> Path:
        buffer = io.BytesIO()
        torch.save({"w": torch.ones(4)}, buffer)
        old = zipfile.ZipFile(buffer)
        with zipfile.ZipFile(folder / "w.pt", "w", kind) as new:
            for name in old.namelist():
                new.writestr(name, change(name, old.read(name)))
        return folder / "w.pt"

    return make


def both(folder: Path) -> Path:
    """A tensor in two shards."""
    tensors = state()
    path = shards(folder, tensors)
    for number, value in enumerate((torch.zeros(3), torch.ones(3))):
        part = dict([*list(tensors.items())[number::2], ("lin.bias", value)])
        save_file(part, folder / f"model-0000{number + 1}-of-00002.safetensors")
    return path


def written(name: str, data: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def mixed(folder: Path) -> Path:
    one(folder, state(), HERE)
    saved(folder, {"more": torch.ones(1)}, "w-2.bin")
    (folder / INDEX).write_text(json.dumps(mapped(more="w-2.bin")))
    return folder


def scripted(folder: Path) -> Path:
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), folder / "w.pt")
    return folder / "w.pt"


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a way out": (index_of(mapped(gain="../outside/w.safetensors")), "puts `gain` into"),
    "an absolute path": (index_of(mapped(gain="/etc/passwd")), "puts `gain` into"),
    "a path of Windows": (index_of(mapped(gain="..\\w.safetensors")), "puts `gain` into"),
    "a drive": (index_of(mapped(gain="C:w.safetensors")), "puts `gain` into"),
    "a zero byte": (index_of(mapped(gain="w\0.safetensors")), "puts `gain` into"),
    "the folder": (index_of(mapped(gain=".")), "puts `gain` into"),
    "no name": (index_of(mapped(gain="")), "puts `gain` into"),
    "a missing shard": (index_of(mapped(gain="w-2.safetensors")), "names `w-2.safetensors`, which is not there"),
    "the index itself": (index_of(mapped(gain=INDEX)), "not a safetensors file"),
    "a tensor that is nowhere": (index_of(mapped(more=HERE)), "says that `more` is in"),
    "a tensor too many": (index_of({"weight_map": {"gain": HERE}}), "does not name"),
    "twice in the index": (index_of(b'{"weight_map": {"gain": "a", "gain": "b"}}'), "an entry `gain` twice"),
    "two maps": (index_of(b'{"weight_map": {}, "weight_map": {}}'), "an entry `weight_map` twice"),
    "no map": (index_of({}), "is not an index"),
    "an empty map": (index_of({"weight_map": {}}), "is not an index"),
    "a list": (index_of([]), "is not an index"),
    "numbers for files": (index_of({"weight_map": {"gain": 3}}), "is not an index"),
    "no JSON": (index_of(b"{"), "is no JSON"),
    "no text": (index_of(b"\xff\xfe{}"), "is no JSON"),
    "deep JSON": (index_of(b"[" * 200_000), "is no JSON"),
    "a damaged shard": (lambda f: _cut(shards(f, state())), "not a safetensors file"),
    "twice in shards": (both, "has `lin.bias` in"),
    "shards of two kinds": (mixed, "both safetensors and pickles"),
    "a pointer of git": (written("w.bin", b"version https://git-lfs.github.com/spec/v1\noid"), "what git keeps"),
    "an archive of numpy": (lambda f: _npz(f / "w.npz"), "cannot be read as tensors"),
    "settings of a training": (lambda f: saved(f, {"model": state(), "args": argparse.Namespace(lr=1)}),
                               "`argparse.Namespace` called"),
    "an empty folder": (lambda f: f, "a folder without weights"),
    "two files": (lambda f: _two(f, "a.safetensors", "b.safetensors"), "holds `a.safetensors` and `b.safetensors`"),
    "a file and shards": (lambda f: one(shards(f, state()).parent, state()).parent, f"`{INDEX}`"),
    "nothing": (lambda f: f / "none", "no such file"),
    "code": (lambda f: saved(f, {"w": torch.ones(1), "x": Bomb()}), "mkdir` called when it is read, which is code"),
    "code in a shard": (lambda f: _spoiled(shards(f, state(), 2, "bin")), "which is code"),
    "code in a plain pickle": (written("w.bin", pickle.dumps(Bomb(), 2)), "which is code"),
    "a module": (lambda f: saved(f, nn.Linear(2, 2)), "`torch.nn.modules.linear.Linear` called"),
    "a script": (scripted, "TorchScript archive, which is code"),
    "an empty archive": (written("w.pt", b"PK\x05\x06" + bytes(18)), "E0822"),
    "a cut archive": (written("w.pt", b"PK\x03\x04" + bytes(40)), "cannot be read as tensors"),
    "marks of a pickle": (written("w.pt", b"\x80\x02" + b"(" * 10_000), "cannot be read as tensors"),
    "a pickle of another kind": (written("w.pt", b"\x80\x04N."), "cannot be read as tensors"),
    "a compressed archive": (rezipped(lambda name, data: data, zipfile.ZIP_DEFLATED), "a compressed archive"),
    "a tensor beyond its bytes": (
        rezipped(lambda name, data: data.replace(b"K\x04\x85", b"J\0\0\0\x7f\x85", 1)), "cannot be read as tensors"
    ),
    "a list of tensors": (lambda f: saved(f, [torch.ones(1)]), "holds list, not a state dict"),
    "a pipe": (lambda f: _pipe(f / "w.safetensors"), "is not a file that could be read twice"),
    "a pipe among shards": (lambda f: _piped(shards(f, state())), "which is not there"),
    "numbers alone": (lambda f: saved(f, {"step": 1}), "holds no state dict: it has `step`"),
    "two state dicts": (lambda f: saved(f, {"model": state(), "net": state()}), "several state dicts"),
}  # fmt: skip


def _cut(index: Path) -> Path:
    shard = index.parent / "model-00002-of-00002.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    return index


def _two(folder: Path, *names: str) -> Path:
    for name in names:
        one(folder, state(), name)
    return folder


def _pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _piped(index: Path) -> Path:
    (index.parent / "model-00002-of-00002.safetensors").unlink()
    _pipe(index.parent / "model-00002-of-00002.safetensors")
    return index


def _npz(path: Path) -> Path:
    np.savez(path, w=np.ones(3))
    return path


def _spoiled(index: Path) -> Path:
    torch.save({"x": Bomb()}, index.parent / "pytorch_model-00002-of-00002.bin")
    return index


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_checkpoints_are_refused_by_every_path(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, said = HOSTILE[name]
    for folder in ("theirs", "ours", "outside"):
        (tmp_path / folder).mkdir()
    one(tmp_path / "outside", state(), "w.safetensors")
    monkeypatch.chdir(tmp_path)
    path = make(tmp_path / "theirs")
    ways = use_all(path, tmp_path / "ours")
    for way in ("load", "onnx", "read", "arrays", "build"):
        use = ways[way]
        if way == "build":
            result = use()
            assert result.exit_code in (1, 2), way  # 2: there is no such path
            assert "E0822" in result.output or not path.exists()
        else:
            with pytest.raises(ArchError, match="E0822") as caught:
                use()
            assert said in str(caught.value), way
    assert [each.name for each in (tmp_path / "ours").iterdir()] == ["m.arch"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("form", ["a file", "shards", "shards of pickles", "a pickle", "an old pickle", "a training"])
def test_what_is_no_weight_is_named_in_every_form(form: str, tmp_path: Path) -> None:
    tensors = state()
    for name, kind in (("complex", torch.complex64), ("whole", torch.int32), ("bool", torch.bool),
                       ("float8", torch.float8_e4m3fn)):  # fmt: skip
        if (form, name) == ("an old pickle", "float8"):
            continue  # older than these, so that torch reads none
        (tmp_path / name).mkdir()
        path = FORMS[form](tmp_path / name, {**tensors, "lin.weight": tensors["lin.weight"].to(kind)})
        for use in (MODEL.load_weights, FOLDED.convert, lambda path: MODEL.onnx(tmp_path / "m.onnx", path)):
            with pytest.raises(ArchError, match=r"E0821.*`lin\.weight` holds \w+, not floats"):
                use(path)
    (tmp_path / "nan").mkdir()
    tensors["lin.weight"][1, 2] = float("nan")
    path = FORMS[form](tmp_path / "nan", tensors)
    with pytest.warns(ogive.ArchWarning, match=r"W0908.*`lin\.weight`"):
        MODEL.load_weights(path)


WORDS = st.sampled_from(["weight_map", "metadata", "gain", HERE, "../x", "", "."])
JSON = st.recursive(WORDS | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(WORDS, inner, max_size=3), max_leaves=8)  # fmt: skip


@given(JSON)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_index_is_one_or_a_diagnostic(tmp_path: Path, found: Any) -> None:
    path = index_of(found)(tmp_path)
    with pytest.raises(ArchError) as caught:
        files.read(path)
    assert [fault.code for fault in caught.value.diagnostics] == ["E0822"]


@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 255))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_of_a_pickle_are_weights_or_a_diagnostic(tmp_path: Path, data: bytes, at: int, byte: int) -> None:
    plain = pickle.dumps({"w": 1.0}, 2)
    buffer = io.BytesIO()
    torch.save({"w": torch.ones(2)}, buffer, _use_new_zipfile_serialization=False)
    changed = bytearray(buffer.getvalue())
    changed[at % len(changed)] = byte
    for made in (b"\x80\x02" + data, plain + data, bytes(changed)):
        (tmp_path / "w.pt").write_bytes(made)
        try:
            files.read(tmp_path / "w.pt")
        except ArchError as error:
            assert [fault.code for fault in error.diagnostics] == ["E0822"]


def test_no_shard_is_an_output(tmp_path: Path) -> None:
    """The files of a folder and of an index are read: nothing is written over them, forced or not."""
    path = shards(tmp_path, state())
    program = tmp_path / "m.arch"
    program.write_text(TEXT)
    (tmp_path / "out.safetensors").symlink_to("model-00002-of-00002.safetensors")
    (tmp_path / "model.safetensors.index.onnx").symlink_to(path.name)
    before = contents(tmp_path)
    for weights in (tmp_path, path):
        for out in ("out.py", "model.safetensors.index.onnx"):
            for command in ("build", "deploy") if out.endswith(".py") else ("build",):
                args = [command, f"{program}:M", "-o", tmp_path / out, "--weights", weights, "--force"]
                result = CliRunner().invoke(cli, [str(arg) for arg in args], catch_exceptions=False)
                assert "E0824" in result.output, result.output
                assert contents(tmp_path) == before


def test_ties_of_other_libraries_are_read(tmp_path: Path) -> None:
    """`safetensors.torch.save_model` names in the metadata what it does not store."""
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    save_model(net, str(tmp_path / "w.safetensors"))
    assert files.read(tmp_path / "w.safetensors").keys() == net.state_dict().keys()
    assert {name: array.tolist() for name, array in arrays_of(tmp_path / "w.safetensors").items()} == {
        name: tensor.tolist() for name, tensor in net.state_dict().items()
    }
