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
import os
os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
net = keras.applications.ResNet50(weights=None)
keras.utils.plot_model(net, to_file={out!r} + ".svg", show_shapes=True)
"""
OURS = "import ogive; ogive.load({file!r})[{name!r}].diagram(view={view!r}, depth={depth}).save({out!r} + '.svg')"


def process(code: str) -> Callable[[], object]:
    """Everything from the start of Python on, as a user meets it."""
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)


Row = tuple[str, float, int] | str  # name, seconds, bytes; or why a peer is left out


def rows(folder: Path) -> Iterator[Row]:
    """Ours in both views, then the peers."""
    for name, (file, _) in MODELS.items():
        for view, depth in (("circuit", 0), ("circuit", 1), ("overview", 0), ("overview", 1)):
            out = str(folder / f"{name}_{view}_{depth}")
            code = OURS.format(file=str(EXAMPLES / file), name=name, view=view, depth=depth, out=out)
            seconds = min(timed(process(code)) for _ in range(3))
            yield f"ogive {name}, {view}, depth {depth}", seconds, _size(out)
        out = str(folder / f"view_{name}")
        yield _peer(f"torchview {name}", TORCHVIEW.format(name=name, out=out), out, ("torchview", "transformers"))
    out = str(folder / "keras")
    yield _peer("Keras plot_model ResNet50", KERAS.format(out=out), out, ("keras", "pydot"))


def _peer(name: str, code: str, out: str, needs: tuple[str, ...]) -> Row:
    missing = [need for need in needs if find_spec(need) is None] + ([] if which("dot") else ["graphviz"])
    if missing:
        return f"{name}: left out, needs {', '.join(missing)}"
    try:
        return name, timed(process(code)), _size(out)
    except subprocess.CalledProcessError as error:
        return f"{name}: left out, it does not run here: {error.stderr.strip().splitlines()[-1]}"


def _size(out: str) -> int:
    return Path(f"{out}.svg").stat().st_size


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(Path(folder)):
            print(row if isinstance(row, str) else f"{row[0]:<36} {row[1]:8.2f} s {row[2] / 1e3:10.1f} kB", flush=True)


if __name__ == "__main__":
    main()
