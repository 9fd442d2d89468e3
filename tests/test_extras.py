"""Without an extra, everything that needs it names it, in Python and on the command line; everything else works."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ogive
from ogive.extras import EXTRAS

ROOT = Path(__file__).parents[1]
SOURCE = """
use std.nn (Linear, BatchNorm)
block Net[d](x: [b, d]) -> [b, d]:
    return x |> Linear[d, d] as lin |> BatchNorm as norm
model M = Net[4]
"""
# what is run, and the libraries of which it needs some
NEEDS: dict[str, tuple[str, ...]] = {
    "cli(['check', 'a.arch'])": (),
    "cli(['show', 'a.arch'])": (),
    "cli(['draw', 'a.arch:M', '-o', 'a.svg'])": (),
    "cli(['draw', 'a.arch:M', '--deploy', '-o', 'b.html'])": (),
    "cli(['diff', 'a.arch:M', 'a.arch:M'])": (),
    "cli(['build', 'a.arch:M', '-o', 'a.py'])": (),
    "cli(['build', 'a.arch:M', '-o', 'b.py', '--recipe', 'fold'])": (),
    "cli(['new', 'first'])": (),
    "cli(['explain', 'E0301'])": (),
    "cli(['explain', 'conv'])": (),
    "cli(['explain', 'std.nn.Linear'])": (),
    "cli(['check', '--json', 'a.arch'])": (),
    "cli(['draw', 'a.arch:M', '-o', 'a.png'])": ("resvg_py",),
    "cli(['draw', 'a.arch:M', '-o', 'a.pdf'])": ("cairosvg",),
    "cli(['diff', 'a.arch:M', 'a.arch:Net', '-o', 'd.png'])": ("resvg_py",),
    "cli(['build', 'a.arch:M', '-o', 'c.py', '--weights', 'w.safetensors'])": ("torch", "safetensors", "numpy"),
    "cli(['build', 'a.arch:M', '-o', 'a.onnx', '--weights', 'w.safetensors'])": (
        "onnx",
        "ml_dtypes",
        "numpy",
        "safetensors",
    ),
    "cli(['build', 'a.arch:M', '-o', 'b.onnx'])": ("onnx", "ml_dtypes", "numpy", "torch", "safetensors"),
    "cli(['build', 'a.arch:M', '-o', 'c.onnx', '--verify'])": tuple(EXTRAS["onnx"] + EXTRAS["torch"]),
    "cli(['deploy', 'a.arch:M', '--report'])": ("torch", "safetensors", "numpy"),
    "cli(['deploy', 'a.arch:M', '-o', 'd.py', '--weights', 'w.safetensors'])": ("torch", "safetensors", "numpy"),
    "model.summary(), model.weights, model.parameters, model.torch_source(), model.deploy('fold').report()": (),
    "model.diagram().save('e.svg'), model.deploy('fold').conversion_source()": (),
    "model.diagram().save('e.png')": ("resvg_py",),
    "model.diagram().bytes('pdf')": ("cairosvg",),
    "model.torch()": ("torch",),
    "model.torch('meta')": ("torch",),
    "model.load_weights('w.safetensors')": ("torch", "safetensors", "numpy"),
    "model.save_weights('v.safetensors', {})": ("torch", "safetensors", "numpy"),
    "model.unload_weights({})": ("torch", "safetensors", "numpy"),
    "model.onnx('e.onnx', 'w.safetensors')": ("onnx", "ml_dtypes", "numpy", "safetensors"),
    "model.onnx('f.onnx')": ("onnx", "ml_dtypes", "numpy", "torch", "safetensors"),
    "model.deploy('fold').convert('w.safetensors')": ("torch", "safetensors", "numpy"),
    "model.deploy('fold').fresh()": ("torch", "safetensors", "numpy"),
    "model.deploy('fold').verify({})": ("torch", "safetensors", "numpy"),
}
RUN = """
import importlib.util, json, sys
looked = importlib.util.find_spec
importlib.util.find_spec = lambda name, *args: None if name.partition('.')[0] in BLOCKED else looked(name, *args)
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Without())
import ogive
from click.testing import CliRunner
from ogive.cli import cli as commands
model = ogive.load('a.arch').models['M']
def cli(args):
    result = CliRunner().invoke(commands, args)
    if isinstance(result.exception, SystemExit) and result.exit_code and 'is not installed' not in result.output:
        if args[0] != 'diff' or '->' not in result.output: raise AssertionError(result.output)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output
found = {}
for call in CALLS:
    try:
        found[call] = ['', str(eval(call))]
    except BaseException as error:
        found[call] = [type(error).__name__, str(error)]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    (folder / "a.arch").write_text(SOURCE)
    model = ogive.load(folder / "a.arch").models["M"]
    model.save_weights(folder / "w.safetensors", model.torch())
    return folder


ALWAYS = ("torch", "onnx", "numpy")  # the others among the slow tests
NAMES = dict.fromkeys([*(name for names in EXTRAS.values() for name in names), "torch onnx"])


@pytest.mark.parametrize(
    "blocked", [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
def test_what_is_missing_is_named(blocked: str, desk: Path, tmp_path: Path) -> None:
    shutil.copytree(desk, tmp_path, dirs_exist_ok=True)
    names = blocked.split()
    code = RUN.replace("BLOCKED", repr(names)).replace("CALLS", repr(list(NEEDS)))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    extras = [extra for extra, held in EXTRAS.items() if set(names) & set(held)]
    for call, (error, text) in json.loads(done.stdout).items():
        if not set(names) & set(NEEDS[call]):
            assert "is not installed" not in text, (call, text)
            # an empty state dict is no module's, which is said once all is there
            assert not error or ("{}" in call and error == "ArchError"), (call, error, text)
        else:
            assert error in ("", "MissingExtra", "DiagramError"), (call, error, text)
            assert any("is not installed" in text and f"pip install 'ogive[{extra}]'" in text for extra in extras), (
                call,
                text,
            )
