"""Recurrent layers: the emitted module against `torch.nn`, and its ONNX node against the `Scan` of the same layer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

import ogive
from bench.pairs import Result, Run, best
from ogive.api import Model
from ogive.backends.onnx_model.lower import recurrent

KINDS = ("RNN", "GRU", "LSTM")
TEXT = "use std.recurrent (RNN, GRU, LSTM)\n" + "".join(f"model {kind}s = {kind}[din=128, d=128]\n" for kind in KINDS)
BATCH, LENGTH, WIDTH = 16, 128, 128


def results() -> Iterator[Result]:
    """Forward, and forward with backward, in torch; forward in ONNX Runtime."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    program = ogive.source(TEXT)
    x = torch.randn(BATCH, LENGTH, WIDTH)
    for kind in KINDS:
        model = program[f"{kind}s"]
        assert isinstance(model, Model)
        ours, theirs = model.torch(), getattr(nn, kind)(WIDTH, WIDTH, batch_first=True)
        theirs.load_state_dict(ours.state_dict())
        torch.testing.assert_close(ours(x), theirs(x)[0])
        yield best(f"{kind} forward", forward(ours, x), forward(theirs, x), pairs=3)
        yield best(f"{kind} with backward", step(ours, x), step(theirs, x), pairs=3)
        with tempfile.TemporaryDirectory() as folder:
            node, scan = Path(folder) / "node.onnx", Path(folder) / "scan.onnx"
            model.onnx(node, weights=ours)
            with patch.object(recurrent, "layer", return_value=None):
                model.onnx(scan, weights=ours)
            sessions = [session(file) for file in (node, scan)]
        found = [each.run(None, {"x": x.numpy()})[0] for each in sessions]
        np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-5)
        ours_, theirs_ = (runs(each, x) for each in sessions)
        yield best(f"{kind} in ONNX Runtime, as a node and as Scan", ours_, theirs_, pairs=3)


def forward(module: nn.Module, x: Tensor) -> Run:
    def run() -> None:
        with torch.no_grad():
            module(x)

    return run


def step(module: nn.Module, x: Tensor) -> Run:
    def run() -> None:
        made = module(x)
        (made[0] if isinstance(made, tuple) else made).sum().backward()

    return run


def session(file: Path) -> onnxruntime.InferenceSession:
    """On one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options)


def runs(of: onnxruntime.InferenceSession, x: Tensor) -> Run:
    def run() -> None:
        of.run(None, {"x": x.numpy()})

    return run
