"""The peers' table of sizes: a five-level U-Net over an unknown height, asked of Ogive, torch.export, Keras, Pyrefly.

`python -m bench.sizes` from the root of the tree. Five 3x3 convolutions of stride 2 down, five 2x2 transposed ones up,
skips that add at levels 1 to 4. The skips fit exactly where `h % 32 in {0, 31}`; with the output as large as the input,
where `h % 32 == 0`. Peers that are not installed are named at the end; docs/bench.md says how to install them.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ogive.compiler.driver.workspace import check_text

LEVELS = 5
MISSING = "not installed"
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
    """What Keras says of an unknown height, on torch where no other backend is chosen."""
    if not _installed("keras"):
        return MISSING
    settings = {"KERAS_BACKEND": "torch", **os.environ}
    command = [sys.executable, "-c", KERAS]
    return _last_line(subprocess.run(command, capture_output=True, text=True, check=False, env=settings))


def shaped(output: str) -> str:
    """The network with the sizes that Pyrefly's stubs of torch read."""
    body = "".join(f"        e{i} = self.down{i}({f'e{i - 1}' if i > 1 else 'x'})\n" for i in range(1, LEVELS + 1))
    body += f"        d{LEVELS} = e{LEVELS}\n" + "".join(
        f"        d{i} = self.up{i}(d{i + 1}) + e{i}\n" for i in range(LEVELS - 1, 0, -1)
    )
    down = "".join(f"        self.down{i} = nn.Conv2d(4, 4, 3, stride=2, padding=1)\n" for i in range(1, LEVELS + 1))
    up = "".join(f"        self.up{i} = nn.ConvTranspose2d(4, 4, 2, stride=2)\n" for i in range(LEVELS))
    return f"""from shape_extensions import IntVar
from torch import Tensor, nn

class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
{down}{up}
    def forward[H: IntVar](self, x: Tensor[[1, 4, H, 64]]) -> {output}:
{body}        return self.up0(d1)
"""


def pyrefly(output: str) -> str:
    """What Pyrefly says of an unknown height, with its own stubs of torch, which carry sizes."""
    found = shutil.which("pyrefly", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None or not _installed("pyrefly-torch-stubs"):
        return MISSING
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "unet.py")
        path.write_text(shaped(output), encoding="utf-8")
        stubs = importlib.metadata.distribution("pyrefly-torch-stubs").locate_file("")
        # without a file of settings it shows few kinds of errors
        Path(folder, "pyrefly.toml").write_text(
            f'search-path = ["{stubs}"]\npython-version = "3.13"\n', encoding="utf-8"
        )
        done = subprocess.run([found, "check"], capture_output=True, text=True, check=False, cwd=folder)
    errors = [line.strip() for line in done.stdout.split("\n") if line.startswith(("ERROR", "  Shape"))]
    return "; ".join(errors) if errors else "accepted" if done.returncode == 0 else _last_line(done)


def _installed(package: str) -> bool:
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stdout.strip() or done.stderr.strip()).split("\n")
    return lines[-1][:200]


ROWS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("Ogive, output not declared", lambda: ogive("k")),
    ("Ogive, output declared `h`", lambda: ogive("h")),
    ("torch.export, Dim h", export),
    ("Keras", keras),
    ("Pyrefly, output not declared", lambda: pyrefly("Tensor")),
    ("Pyrefly, output declared H", lambda: pyrefly("Tensor[[1, 4, H, 64]]")),
)


def main() -> int:
    """Print the table; the status is 1 where Ogive is not exact."""
    missing = []
    for name, run in ROWS:
        start = time.perf_counter()
        said = run()
        if said == MISSING:
            missing.append(name.split(",")[0])
        print(f"{name:<28} {(time.perf_counter() - start) * 1e3:9.1f} ms  {said}", flush=True)
    print("missing peers:", ", ".join(dict.fromkeys(missing)) or "none")
    exact = (ogive("k"), ogive("h")) == ("E0301: where h % 32 in {0, 31}", "E0301: where h % 32 == 0")
    return 0 if exact else 1


if __name__ == "__main__":
    sys.exit(main())
