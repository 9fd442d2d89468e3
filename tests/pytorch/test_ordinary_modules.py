"""Modules of a model are ordinary modules: one class for a text, and pickles that load in a new process."""

from __future__ import annotations

import copy
import inspect
import linecache
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounter

import ogive
from ogive.backends.pytorch.module.loaded import load

TEXT = """
use std.nn (Linear)

block Two[d](x: [b, d]) -> (low: [b, d], high: [b, d]):
    param w: [d, d] = normal[std=0.5]
    y = (x @ w) |> Linear[d, d]
    return y, -y

block Net[d, depth](x: [b, d]) -> (low: [b, d], high: [b, d]):
    state mean: [d] = zeros
    y = x
    repeat depth as layers:
        y = y |> Linear[d, d]
    return (y + mean) |> Two[d]

model M = Net[d=4, depth=2]
"""
LOADS = """
import pickle, sys, torch
for path in sys.argv[1:]:
    net, x, kept = pickle.load(open(path, "rb"))
    assert torch.equal(net(x).high, kept.high), "numbers"
    assert type(net(x)) is type(kept), "classes"
    again = pickle.loads(pickle.dumps(net))
    assert type(again) is type(net) and torch.equal(again(x).low, kept.low)
    print("loaded", len([name for name in sys.modules if name.startswith("ogive_model_")]))
"""


@pytest.fixture(scope="module")
def small() -> ogive.Model:
    return ogive.source(TEXT).models["M"]


def run(
    code: str, *args: object, path: str | None = None, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """A new process, with this Ogive unless the path of imports is given."""
    told = {**os.environ, "PYTHONPATH": path or ""}
    flags = [] if path is None else ["-S"]
    return subprocess.run(
        [sys.executable, *flags, "-c", code, *map(str, args)], capture_output=True, text=True, env=told, cwd=folder
    )


def entries() -> set[str]:
    return {name for name in sys.modules if name.startswith("ogive_model_")}


def test_one_class_and_one_entry_for_a_text(small: ogive.Model) -> None:
    first = small.torch()
    before = entries()
    nets = [small.torch(), ogive.source(TEXT)["M"].torch(), small.torch(device="meta"), small.torch(recipe=None)]
    assert {type(net) for net in nets} == {type(first)}
    assert entries() == before
    assert type(small.torch(checks=False)) is not type(first)  # another text
    assert len(entries() - before) == 1


def test_stacked_states_of_several_modules(small: ogive.Model) -> None:
    nets = [small.torch() for _ in range(3)]
    params, buffers = torch.func.stack_module_state(nets)
    x = torch.randn(2, 4)

    def one(params: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
        found: Tensor = torch.func.functional_call(nets[0], (params, buffers), (x,)).low
        return found

    found = torch.vmap(one)(params, buffers)
    torch.testing.assert_close(found, torch.stack([net(x).low for net in nets]))


def test_it_is_compiled_once_for_all_instances(small: ogive.Model) -> None:
    torch._dynamo.reset()
    counter = CompileCounter()
    x = torch.randn(2, 4)
    for net in (small.torch(), small.torch(), ogive.source(TEXT)["M"].torch()):
        made = torch.compile(net, backend=counter)
        torch.testing.assert_close(made(x).low, net(x).low)
    assert counter.frame_count == 1


def test_a_pickle_loads_in_a_new_process(small: ogive.Model, tmp_path: Path) -> None:
    net, x = small.torch(), torch.randn(3, 4)
    held = (net, x, net(x))
    paths = [tmp_path / f"{protocol}.pkl" for protocol in (0, 2, pickle.HIGHEST_PROTOCOL)]
    for path in paths:
        path.write_bytes(pickle.dumps(held, int(path.stem)))
    done = run(LOADS, *paths, folder=tmp_path)
    assert done.stdout == "loaded 1\n" * 3, done.stderr


def test_torch_save_and_load(small: ogive.Model, tmp_path: Path) -> None:
    net, x = small.torch(), torch.randn(3, 4)
    torch.save(net, tmp_path / "net.pt")
    torch.save((x, net(x).low), tmp_path / "x.pt")
    code = """
import torch
x, y = torch.load("x.pt")
print(torch.equal(torch.load("net.pt", weights_only=False)(x).low, y))
try:
    torch.load("net.pt")
except Exception as error:
    print(type(error).__name__)
"""
    done = run(code, folder=tmp_path)
    assert done.stdout == "True\nUnpicklingError\n", done.stderr  # weights alone: nothing is called


def test_without_ogive_the_error_says_so(small: ogive.Model, tmp_path: Path) -> None:
    (tmp_path / "net.pkl").write_bytes(pickle.dumps(small.torch()))
    code = "import pickle; pickle.load(open('net.pkl', 'rb'))"
    done = run(code, path=str(Path(torch.__file__).parent.parent), folder=tmp_path)
    assert "No module named 'ogive'" in done.stderr


def test_the_text_is_stored_once(small: ogive.Model) -> None:
    text = small.torch_source().encode()
    data = pickle.dumps([small.torch() for _ in range(3)])
    assert data.count(text[:200]) == 1
    deep = ogive.source(TEXT.replace("depth=2", "depth=40"))["M"].torch()
    assert pickle.dumps(deep).count(b"\nclass ") == 5


def test_other_classes_are_pickled_as_ever(small: ogive.Model, tmp_path: Path) -> None:
    """A file of the user's stays one, and so does a class that inherits from an emitted one."""
    (tmp_path / "emitted.py").write_text(small.torch_source())
    (tmp_path / "mine.py").write_text(
        "import ogive\nBase = type(ogive.load('m.arch')['M'].torch())\nclass Mine(Base):\n    extra = 3\n"
    )
    (tmp_path / "m.arch").write_text(TEXT)
    code = """
import sys; sys.path.insert(0, ".")
import pickle, emitted, torch
net = emitted.M()
data = pickle.dumps(net)
assert b"emitted" in data and b"ogive" not in data and "ogive" not in sys.modules
assert "__reduce_ex__" not in vars(type(net))
x = torch.randn(2, 4)
assert torch.equal(pickle.loads(data)(x).low, net(x).low)
from mine import Mine
net = Mine(d=4, depth=2)
data = pickle.dumps(net)
found = pickle.loads(data)
assert type(found) is Mine and torch.equal(found(x).low, net(x).low)
print("done")
"""
    done = run(code, folder=tmp_path)
    assert done.stdout == "done\n", done.stderr


def test_a_spawned_process_takes_a_module(small: ogive.Model, tmp_path: Path) -> None:
    code = """
import torch, torch.multiprocessing as mp, ogive, sys
def work(rank, net, x, wanted):
    assert torch.equal(net(x).low, wanted.low)
if __name__ == "__main__":
    net, x = ogive.load("m.arch")["M"].torch(), torch.randn(2, 4)
    with torch.no_grad():
        wanted = net(x)
    mp.spawn(work, (net, x, wanted), nprocs=1)
    print("spawned")
"""
    (tmp_path / "m.arch").write_text(TEXT)
    (tmp_path / "main.py").write_text(code)
    done = subprocess.run([sys.executable, "main.py"], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "spawned\n", done.stderr


def test_copies_and_hooks(small: ogive.Model) -> None:
    net, x = small.torch(), torch.randn(2, 4)
    net.register_buffer("mine", torch.ones(3))
    net.note = ["kept"]  # type: ignore[assignment]
    for twin in (copy.deepcopy(net), copy.copy(net), pickle.loads(pickle.dumps(net))):
        assert type(twin) is type(net)
        assert twin.note == ["kept"]
        torch.testing.assert_close(twin(x).low, net(x).low)
    twin = copy.deepcopy(net)
    assert not {p.data_ptr() for p in twin.parameters()} & {p.data_ptr() for p in net.parameters()}
    with torch.no_grad():
        out = copy.deepcopy(net(x))
    assert type(out) is type(net(x))
    assert out._fields == ("low", "high")


def test_a_text_that_fails_leaves_nothing() -> None:
    before = entries()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            load("1 / 0\n", "Broken")
    assert entries() == before


def test_a_pickle_cannot_give_a_text_another_name(small: ogive.Model) -> None:
    """What a pickle holds is found by its own hash: it does not stand for the text of a model."""
    net = small.torch()
    data = pickle.dumps(net, 2)
    other = data.replace(b"import torch\n", b"import torch;", 1)
    assert other != data
    assert type(pickle.loads(other)) is not type(net)
    assert type(small.torch()) is type(net)


def test_tools_find_the_source(small: ogive.Model) -> None:
    small.torch()
    linecache.clearcache()
    kind = type(small.torch())
    assert inspect.getsource(kind) in small.torch_source()
    module = sys.modules[kind.__module__]
    assert inspect.getsource(module) == small.torch_source()
    assert module.__spec__ is not None
    assert module.__spec__.loader is module.__loader__


def test_a_class_that_took_over_the_names_is_not_taken_for_the_emitted_one(small: ogive.Model) -> None:
    kind = type(small.torch())
    other = type(kind.__name__, (kind,), {"__module__": kind.__module__, "__qualname__": kind.__qualname__})
    with pytest.raises(pickle.PicklingError, match="not the same object"):
        pickle.dumps(other(d=4, depth=2))
    assert type(copy.deepcopy(other(d=4, depth=2))) is other


def test_annotations_are_those_of_the_file(small: ogive.Model) -> None:
    """How this package itself is compiled does not reach into the text, so tools of torch read the types."""
    net = small.torch(checks=False)
    assert type(net).forward.__annotations__["x"] is Tensor
    text = "block B[d](x: [b, d]) -> [b, d]:\n    param w: [d] = ones\n    return x * w\nmodel M = B[3]\n"
    net, x = ogive.source(text)["M"].torch(checks=False), torch.randn(2, 3)
    traced = torch.fx.symbolic_trace(net)
    torch.testing.assert_close(pickle.loads(pickle.dumps(traced))(x), net(x))
