"""Programs, blocks and models are pickled as the texts that they are made of."""

from __future__ import annotations

import copy
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ogive
from ogive.compiler.driver.workspace import check_text
from ogive.model import Model

MAIN = """
use std.nn (Linear)
use ./parts/first (First)
use theirs.second (Second)

block Net[d, widths: list, F: block, p: float=0.5](x: [b, d]) -> [b, d]:
    y = x |> First[d] |> F[d] |> Second[d]
    for w in widths:
        y = y |> Linear[d, w] |> Linear[w, d]
    return y * p

block Other[d](x: [b, d]) -> [b, d]:
    return x |> Linear[d, d]

model M = Net[d=4, widths=[3, 5], F=First]
recipe quick for M: fold
"""
PART = """use std.nn (Linear)
block {name}[d](x: [b, d]) -> [b, d]:
    return x |> Linear[d, d]
"""
LOADS = """
import pickle, sys, torch
program, models, wanted = pickle.load(open("all.pkl", "rb"))
for model, text in zip(models, wanted):
    assert model.torch_source() == text, model
assert models[0] is program["M"] and program.deploy("quick").torch_source() == wanted[3]
assert str(program["Other"](d=3)) == str(pickle.loads(pickle.dumps(program))["Other"](d=3))
print(program, *models)
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ogive.Program:
    """A program of three files, which are gone: one beside it, one of a package, asked for by a relative path."""
    home = tmp_path / "home"
    for name, path in (("First", "work/parts/first"), ("Second", "shared/theirs/second")):
        file = home / f"{path}.arch"
        file.parent.mkdir(parents=True)
        file.write_text(PART.format(name=name))
    (home / "work" / "main.arch").write_text(MAIN)
    monkeypatch.setenv("OGIVE_PATH", str(home / "shared"))
    monkeypatch.chdir(home)
    found = ogive.load("work/main.arch")
    monkeypatch.delenv("OGIVE_PATH")
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(home)
    return found


def models(program: ogive.Program) -> list[Model]:
    net, other = program.blocks["Net"], program.blocks["Other"]
    made = net(d=np.int64(2), widths=np.array([3]), F=other, p=0.25)
    return [
        program.models["M"],
        made,
        other(d=3),
        program.deploy("quick"),
        made.deploy("fold").deploy("specialize[b=2]"),
    ]


def test_they_load_in_a_new_process_where_their_files_are_not(program: ogive.Program, tmp_path: Path) -> None:
    made = models(program)
    held = (program, made, [model.torch_source() for model in made])
    (tmp_path / "all.pkl").write_bytes(pickle.dumps(held))
    done = subprocess.run([sys.executable, "-c", LOADS], capture_output=True, text=True, cwd=tmp_path, env=os.environ)
    assert done.stdout == f"{program} {' '.join(map(str, made))}\n", done.stderr


def test_a_copy_is_the_thing_itself(program: ogive.Program) -> None:
    for each in (program, program["Net"], *models(program)):
        assert copy.deepcopy(each) is each
        assert copy.copy(each) is each
    held = {"model": program["M"], "rest": [1]}
    assert copy.deepcopy(held) == held


def test_what_is_pickled_together_stays_together(program: ogive.Program) -> None:
    again, block, model = pickle.loads(pickle.dumps((program, program["Net"], program["M"])))
    assert again["M"] is model
    assert again["Net"] is block
    assert list(again) == list(program)


def test_statics_are_those_of_the_call(program: ogive.Program) -> None:
    widths = [3, 5]
    made = program.blocks["Net"](d=4, widths=widths, F="First")
    widths.append(7)
    assert pickle.loads(pickle.dumps(made)).torch_source() == made.torch_source()


def test_a_text_beside_nothing() -> None:
    found = ogive.source(PART.format(name="A") + "model M = A[d=3]\n")
    assert pickle.loads(pickle.dumps(found["M"])).torch_source() == found["M"].torch_source()


def test_extern_stays_allowed_or_not() -> None:
    text = 'extern block Mix[d](x: [b, d]) -> [b, d] = "theirs_kept:Mix"\nmodel M = Mix[d=3]\n'
    found = pickle.loads(pickle.dumps(ogive.source(text, allow_extern=True)))
    assert list(found) == ["M"]
    assert "theirs_kept" not in sys.modules


def test_a_model_of_no_text_says_so() -> None:
    report = check_text(PART.format(name="A") + "model M = A[d=3]\n").models["M"]
    with pytest.raises(pickle.PicklingError, match="made of no text"):
        pickle.dumps(Model(report))


@pytest.mark.parametrize("name", ["M", "A"])
def test_a_text_that_was_changed_says_so(name: str) -> None:
    program = ogive.source(PART.format(name="A") + "model M = A[d=3]\n")
    whole = pickle.dumps(program[name])
    for old, new in ((b"model M", b"model Q"), (b"block A", b"block B"), (b"A[d=3]", b"B[d=3]")):
        assert old in whole
        whole = whole.replace(old, new)
    with pytest.raises(ogive.ArchError, match=f"`{name}`, which its text does not have"):
        pickle.loads(whole)
