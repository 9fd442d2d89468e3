"""The server imports no framework, whatever is asked of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FRAMEWORKS = {"torch", "onnx", "onnxruntime", "safetensors", "numpy"}
ASKED = """
import random, sys
from lsp.edited import ask
from ogive.language import pictures
from ogive.language.desk import Desk
from ogive.lsp import start

start.make()
path = "examples/gpt2.arch"
desk, draw = Desk(), random.Random(1)
for _ in range(12):
    ask(desk, path, draw, each=True)
seen = desk.see(path)
assert pictures.svg(seen, "Attention").startswith("<")
assert "class Attention" in pictures.python_source(seen, "Tiny")
print(" ".join({name.partition(".")[0] for name in sys.modules}))
"""


def test_no_framework_is_imported() -> None:
    path = f"{ROOT / 'src'}:{ROOT / 'tests'}"
    done = subprocess.run(
        [sys.executable, "-c", ASKED], cwd=ROOT, env={"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "pygls" in loaded
    assert loaded.isdisjoint(FRAMEWORKS)
