"""The peers' table of sizes: a five-level U-Net over an unknown height, asked of Ogive, torch.export, Keras, Pyrefly.

`python -m bench.sizes` from the root of the tree. Five 3x3 convolutions of stride 2 down, five 2x2 transposed ones up,
skips that add at levels 1 to 4. The skips fit exactly where `h % 32 in {0, 31}`; with the output as large as the input,
where `h % 32 == 0`. Keras and Pyrefly are asked where they are installed.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ogive.compiler.program import check_text

LEVELS = 5
FITS = [h for h in range(1, 129) if h % 32 in (0, 31)]


def program(output: str) -> str:
    """The network in Ogive."""
    down = "".join(f"    e{i} = e{i - 1} |> Conv[4, 4, 3, stride=2, pad=1] as down{i}\n" for i in range(1, LEVELS + 1))
    up = f"    d{LEVELS} = e{LEVELS}\n" + "".join(
        f"    d{i} = (d{i + 1} |> ConvTranspose[4, 4, 2, stride=2] as up{i}) + e{i}\n" for i in range(LEVELS - 1, 0, -1)
    )
    head = f"block UNet(x: [b, 4, h, 64]) -> [b, 4, {output}, 64]:\n    e0 = x\n"
    last = "    return d1 |> ConvTranspose[4, 4, 2, stride=2] as up0\n"
    return "use std.vision (Conv, ConvTranspose)\n\n" + head + down + up + last


def ogive(output: str) -> str:
    """The help of the one diagnostic."""
    found = [d for d in check_text(program(output)).diagnostics if d.severity == "error"]
    return "; ".join(f"{d.code}: {d.help}" for d in found) or "accepted"


TORCH = """
import torch
from torch import nn

class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(4, 4, 3, stride=2, padding=1) for _ in range(5))
        self.up = nn.ModuleList(nn.ConvTranspose2d(4, 4, 2, stride=2) for _ in range(5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        skips.pop()
        for layer in self.up:
            x = layer(x)
            if skips:
                x = x + skips.pop()
        return x
"""


def export() -> str:
    """What torch.export says of an unknown height, tried at 64."""
    import torch

    names: dict[str, type[torch.nn.Module]] = {}
    exec(TORCH, names)
    try:
        made = torch.export.export(
            names["UNet"](), (torch.randn(1, 4, 64, 64),), dynamic_shapes=({2: torch.export.Dim("h", min=2, max=512)},)
        )
    except Exception as problem:  # whatever it says is the result
        lines = [line.strip() for line in str(problem).split("\n") if line.strip()]
        return f"{type(problem).__name__}: " + " | ".join(lines[:4])[:300]
    ranges = ", ".join(f"{name}: {bounds}" for name, bounds in made.range_constraints.items())
    guards = [str(guard) for guard in getattr(made, "_guards_code", None) or []]
    wrong = [h for h in range(2, 129) if _runs(made.module(), h) != (h in FITS)]
    return f"exported with {ranges}; {len(guards)} guards; wrong about {len(wrong)} of 127 heights"


def _runs(module: Callable[..., object], height: int) -> bool:
    import torch

    try:
        module(torch.randn(1, 4, height, 64))
    except Exception:  # a refusal of any kind
        return False
    return True


KERAS = """
import keras
from keras import layers
x = inputs = keras.Input((None, 64, 4))
skips = []
for _ in range(5):
    x = layers.Conv2D(4, 3, strides=2, padding="same")(x)
    skips.append(x)
skips.pop()
for _ in range(5):
    x = layers.Conv2DTranspose(4, 2, strides=2)(x)
    if skips:
        x = layers.Add()([x, skips.pop()])
print("accepted, output", keras.Model(inputs, x).output.shape)
"""


def keras() -> str:
    """What Keras says of an unknown height."""
    if importlib.util.find_spec("keras") is None:
        return "not installed"
    return _last_line(subprocess.run([sys.executable, "-c", KERAS], capture_output=True, text=True, check=False))


def pyrefly() -> str:
    """What the type checker says of the module: it knows no sizes of a plain one."""
    found = shutil.which("pyrefly")
    if found is None:
        return "not installed"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "unet.py")
        path.write_text(TORCH, encoding="utf-8")
        return _last_line(subprocess.run([found, "check", str(path)], capture_output=True, text=True, check=False))


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stdout.strip() or done.stderr.strip()).split("\n")
    return lines[-1][:200]


ROWS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("Ogive, output not declared", lambda: ogive("k")),
    ("Ogive, output declared `h`", lambda: ogive("h")),
    ("torch.export, Dim h", export),
    ("Keras", keras),
    ("Pyrefly", pyrefly),
)


def main() -> int:
    """Print the table; the status is 1 where Ogive is not exact."""
    for name, run in ROWS:
        start = time.perf_counter()
        said = run()
        print(f"{name:<28} {(time.perf_counter() - start) * 1e3:9.1f} ms  {said}", flush=True)
    exact = (ogive("k"), ogive("h")) == ("E0301: where h % 32 in {0, 31}", "E0301: where h % 32 == 0")
    return 0 if exact else 1


if __name__ == "__main__":
    sys.exit(main())
