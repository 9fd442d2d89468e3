"""A convolutional network and a vision transformer, trained and quantized, run by ONNX Runtime: digits, 3 seeds."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnxruntime
import torch
from digits import Split, accuracy, split, train
from torch import Tensor

import ogive

EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 15
FOLDER = Path(__file__).parents[1]
VIT = {"channels": 1, "d": 128, "heads": 4, "depth": 2, "patch": 2, "tokens": 16, "classes": 10}
BLOCKS = {
    "CNN": ("poset_cnn", "MaxCNN", {"channels": 1, "c": 176, "classes": 10}),
    "ViT": ("ewa_vit", "EwaViT", VIT),
}


def made(file: Path, x: Tensor, level: Any) -> Tensor:
    """What ONNX Runtime computes, with so many of its optimizations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])


def measured(model: ogive.Model, data: Split, seed: int, folder: Path) -> list[float]:
    """Accuracies in floats and on steps, error with optimizations over that without, size over that in floats."""
    torch.manual_seed(seed)
    net = model.torch()
    train(net, data, seed, EPOCHS, 2e-3)
    floats, steps = folder / f"floats{seed}.onnx", folder / f"steps{seed}.onnx"
    quantized = model.deploy("quantize", weights=net.eval(), data={"x": data[0]})
    model.onnx(floats, net)
    quantized.onnx(steps, quantized.convert(net))
    levels = onnxruntime.GraphOptimizationLevel
    best, plain = (made(steps, data[2], level) for level in (levels.ORT_ENABLE_ALL, levels.ORT_DISABLE_ALL))
    with torch.no_grad():
        exact = net(data[2])
    lost = [float((y - exact).square().mean().sqrt()) for y in (best, plain)]
    after = 100 * float((best.argmax(1) == data[3]).float().mean())
    return [accuracy(net, data), after, lost[0] / lost[1], steps.stat().st_size, floats.stat().st_size]


def main() -> None:
    """Print the table."""
    print("| network | seed | floats | 8 bits | error, optimized over plain | bytes over floats |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, (file, block, statics) in BLOCKS.items():
        model = ogive.load(FOLDER / f"{file}.arch")[block](**statics)
        with TemporaryDirectory() as folder:
            for seed in range(3):
                before, after, ratio, small, large = measured(model, split(seed), seed, Path(folder))
                cells = f"{before:.2f} | {after:.2f} | {ratio:.3f} | {small / large:.3f} of {large / 1e6:.2f} MB"
                print(f"| {name} | {seed} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
