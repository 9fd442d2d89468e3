"""Time and bytes to draw ResNet-50 and GPT-2, beside torchview and Keras, which build or trace first."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from bench.pairs import timed

EXAMPLES = Path(__file__).parents[1] / "examples"
MODELS = {"ResNet50": ("resnet.arch", (1, 3, 224, 224)), "GPT2": ("gpt2.arch", (1, 64))}

TORCHVIEW = """
import torch, transformers, torchview
name, out = {name!r}, {out!r}
if name == "GPT2":
    net = transformers.GPT2LMHeadModel(transformers.GPT2Config(use_cache=False))
    data = torch.zeros(1, 64, dtype=torch.long)
else:
    net = transformers.ResNetForImageClassification(transformers.ResNetConfig())
    data = torch.zeros(1, 3, 224, 224)
torchview.draw_graph(net, input_data=data, device="cpu", depth=3, filename=out, save_graph=False).visual_graph.render(
    out, format="svg")
"""
KERAS = """
import keras
net = keras.applications.ResNet50(weights=None)
keras.utils.plot_model(net, to_file={out!r} + ".svg", show_shapes=True)
"""
OURS = "import ogive; ogive.load({file!r})[{name!r}].diagram(depth={depth}).save({out!r} + '.svg')"


def process(code: str) -> Callable[[], object]:
    """Everything from the start of Python on, as a user meets it."""
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def rows(folder: Path) -> Iterator[tuple[str, float, int]]:
    """Name, seconds, bytes."""
    for name, (file, _) in MODELS.items():
        for depth in (0, 1):
            out = str(folder / f"{name}{depth}")
            code = OURS.format(file=str(EXAMPLES / file), name=name, depth=depth, out=out)
            seconds = min(timed(process(code)) for _ in range(3))
            yield f"ogive {name}, depth {depth}", seconds, Path(f"{out}.svg").stat().st_size
        if which("dot") and all(map(find_spec, ("torchview", "torch", "transformers"))):
            out = str(folder / f"view_{name}")
            yield f"torchview {name}", timed(process(TORCHVIEW.format(name=name, out=out))), _size(out)
    if which("dot") and find_spec("keras"):
        out = str(folder / "keras")
        yield "Keras plot_model ResNet50", timed(process(KERAS.format(out=out))), _size(out)


def _size(out: str) -> int:
    return Path(f"{out}.svg").stat().st_size


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        for name, seconds, size in rows(Path(folder)):
            print(f"{name:<32} {seconds:8.2f} s {size / 1e3:10.1f} kB")


if __name__ == "__main__":
    main()
