"""ONNX: our export against `torch.onnx.export(dynamo=True)` of the same module: time, nodes, latency.

`python -m bench.onnx_export [NAME ...]` from the root of the tree; NAME is gpt2, resnet, vit, llama or depth.
The status is 1 where a goal is missed: a tenth of the peer's time and that of writing the same bytes, at most as many
nodes, 1.05 of the peer's latency, time in proportion to depth.
"""

from __future__ import annotations

import importlib.util
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
LATENCY, GROWTH = 1.05, 1.5  # of the peer's; and per layer, from the fewest layers to the most


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


def main(names: Sequence[str]) -> int:
    """Print a row for each model, then how our time grows with depth; 1 where a goal is missed."""
    if importlib.util.find_spec("onnxscript") is None:
        print("the exporter of torch needs onnxscript: pip install onnxscript")
        return 2
    torch.set_num_threads(1)
    found, missed = subjects(), 0
    head = ("", "ours s", "raw s", "peer s", "goal", "nodes", "peer", "ms", "peer", "ratio")
    print("".join(f"{text:>9}" for text in head))
    for name in names or [*found, "depth"]:
        if name == "depth":
            missed += not _depth()
        else:
            row, met = _row(found[name]())
            missed += not met
            print("".join(f"{text:>9}" for text in (name, *row)), flush=True)
    return 1 if missed else 0


def _row(subject: Subject) -> tuple[tuple[str, ...], bool]:
    net = subject.model.torch().eval()
    with tempfile.TemporaryDirectory() as folder:
        mine, theirs, raw = (Path(folder) / f"{name}.onnx" for name in ("ours", "peer", "raw"))
        seconds = _timed(lambda: subject.model.onnx(mine, net))
        raw_seconds = _timed(lambda: _write_raw(raw, net))
        peer_seconds = _timed(lambda: _peer(subject, net, theirs))
        nodes, peer_nodes = _nodes(mine), _nodes(theirs)
        gaps, latency, peer_latency = _latencies(mine, theirs, subject.example)
    in_time = seconds <= peer_seconds / 10 + raw_seconds
    met = in_time and nodes <= peer_nodes and latency <= LATENCY * peer_latency
    assert gaps < 1e-3, gaps
    times = (f"{each:.2f}" for each in (seconds, raw_seconds, peer_seconds))
    speed = (f"{latency * 1e3:.1f}", f"{peer_latency * 1e3:.1f}", f"{latency / peer_latency:.3f}")
    return (*times, "met" if met else "missed", str(nodes), str(peer_nodes), *speed), met


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
    """The largest difference, and of each file the best of some medians, the two by iterations."""
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


def _depth() -> bool:
    """Whether our time without that of the weights is in proportion to depth."""
    from ogive.backends.onnx_model.export import Settings, exported

    rows = []
    for depth in DEPTHS:
        model = _llama(depth)
        shapes = {path: slot.shape for path, slot in model.slots.items()}
        arrays = {path: np.broadcast_to(np.float32(0), shape) for path, shape in shapes.items()}
        rows.append(min(_timed(lambda: exported(model.ir, arrays, Settings())) for _ in range(3)))  # noqa: B023
    growth = rows[-1] / rows[0] * DEPTHS[0] / DEPTHS[-1]
    shown = ", ".join(f"{d}: {t * 1e3:.0f} ms" for d, t in zip(DEPTHS, rows, strict=True))
    print(f"graph of Llama at depth {shown}; per layer the last is {growth:.2f} of the first (goal {GROWTH})")
    return growth <= GROWTH


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
