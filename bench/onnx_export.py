"""ONNX: our export against `torch.onnx.export(dynamo=True)` of the same module: time, nodes, latency.

`python -m bench.onnx_export [NAME ...]` from the root of the tree; NAME is gpt2, resnet, vit, llama or depth.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torch.export import Dim

import ogive
from ogive.api import Model

EXAMPLES = Path(__file__).parents[1] / "examples"
LLAMA = {"vocab": 32000, "d": 512, "heads": 8, "ff": 1376}
DEPTHS = (8, 16, 32, 64)
ROUNDS, RUNS = 3, 7  # medians, and runs in each


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, what it is run on, and which axes of its input are left open."""

    model: Model
    example: Tensor
    open: dict[int, str]


def subjects() -> dict[str, Callable[[], Subject]]:
    """The models by name."""
    ids, image = torch.randint(50257, (1, 128)), torch.randn(1, 3, 224, 224)
    both = {0: "b", 1: "n"}
    return {
        "gpt2": lambda: Subject(_model("gpt2", "GPT2"), ids, both),
        "resnet": lambda: Subject(_model("resnet", "ResNet50"), image, {0: "b"}),
        "vit": lambda: Subject(_model("vit", "ViTB16"), image, {0: "b"}),
        "llama": lambda: Subject(_llama(32), ids % LLAMA["vocab"], both),
    }


def _model(file: str, name: str) -> Model:
    return ogive.load(EXAMPLES / f"{file}.arch").models[name]


def _llama(depth: int) -> Model:
    return ogive.load(EXAMPLES / "llama.arch").blocks["Llama"](**LLAMA, depth=depth)


def main(names: Sequence[str]) -> None:
    """Print a row for each model, then how our time grows with depth."""
    torch.set_num_threads(1)
    found = subjects()
    head = ("", "ours s", "raw s", "peer s", "goal", "nodes", "peer", "ms", "peer", "ratio")
    print("".join(f"{text:>9}" for text in head))
    for name in names or [*found, "depth"]:
        if name == "depth":
            _depth()
        else:
            print("".join(f"{text:>9}" for text in (name, *_row(found[name]()))), flush=True)


def _row(subject: Subject) -> tuple[str, ...]:
    net = subject.model.torch().eval()
    with tempfile.TemporaryDirectory() as folder:
        mine, theirs, raw = (Path(folder) / f"{name}.onnx" for name in ("ours", "peer", "raw"))
        seconds = _timed(lambda: subject.model.onnx(mine, net))
        raw_seconds = _timed(lambda: _write_raw(raw, net))
        peer_seconds = _timed(lambda: _peer(subject, net, theirs))
        nodes, peer_nodes = _nodes(mine), _nodes(theirs)
        gaps, latency, peer_latency = _latencies(mine, theirs, subject.example)
    goal = seconds <= peer_seconds / 10 + raw_seconds
    assert gaps < 1e-3, gaps
    times = (f"{each:.2f}" for each in (seconds, raw_seconds, peer_seconds))
    speed = (f"{latency * 1e3:.1f}", f"{peer_latency * 1e3:.1f}", f"{latency / peer_latency:.3f}")
    return (*times, "met" if goal else "missed", str(nodes), str(peer_nodes), *speed)


def _timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _write_raw(path: Path, net: nn.Module) -> None:
    """The bytes of all weights, and nothing else."""
    with path.open("wb") as file:
        for tensor in net.state_dict().values():
            file.write(tensor.numpy().data)
        file.flush()
        os.fsync(file.fileno())


def _peer(subject: Subject, net: nn.Module, path: Path) -> None:
    dims = {axis: Dim(name, min=1, max=1024) if name == "n" else Dim(name) for axis, name in subject.open.items()}
    example = subject.example
    if 0 in dims:  # an axis of size 1 would be taken as fixed
        example = torch.cat([example, example])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (example,), path, dynamo=True, dynamic_shapes=(dims,), verbose=False)


def _nodes(path: Path) -> int:
    return len(onnx.load(path, load_external_data=False).graph.node)


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _latencies(ours: Path, peer: Path, example: Tensor) -> tuple[float, float, float]:
    """The largest difference, and of each file the best of some medians, the two by turns."""
    sessions = [_session(ours), _session(peer)]
    feeds = [{session.get_inputs()[0].name: example.numpy()} for session in sessions]
    first, second = (s.run(None, f)[0] for s, f in zip(sessions, feeds, strict=True))
    found: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        times: list[list[float]] = [[], []]
        for _ in range(RUNS):
            for at, (session, feed) in enumerate(zip(sessions, feeds, strict=True)):
                times[at].append(_timed(lambda session=session, feed=feed: session.run(None, feed)))  # type: ignore[misc]
        for at in range(2):
            found[at].append(median(times[at]))
    return float(np.abs(first - second).max()), min(found[0]), min(found[1])


def _depth() -> None:
    """Our time without that of the weights: the graph alone, written as text would be read."""
    from ogive.backends.onnx_model.export import Settings, exported

    rows = []
    for depth in DEPTHS:
        model = _llama(depth)
        arrays = {path: np.broadcast_to(np.float32(0), shape) for path, shape in model.weights.items()}
        rows.append(min(_timed(lambda: exported(model.ir, arrays, Settings())) for _ in range(3)))  # noqa: B023
    print("graph of Llama at depth", ", ".join(f"{d}: {t * 1e3:.0f} ms" for d, t in zip(DEPTHS, rows, strict=True)))


if __name__ == "__main__":
    main(sys.argv[1:])
