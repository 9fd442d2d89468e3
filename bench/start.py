"""Start-up: a whole `ogive check` against `import torch`, and `repeat 12000` against `repeat 12`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.pairs import Result, Run, compare
from ogive.compiler.driver.workspace import check_text

GPT2 = Path(__file__).parents[1] / "examples" / "gpt2.arch"
IMPORT_TORCH = [sys.executable, "-c", "import torch"]


def check(path: Path) -> list[str]:
    """The command that checks a file in a process of its own."""
    return [sys.executable, "-m", "ogive", "check", str(path)]


def process(command: list[str]) -> Run:
    """A command as a user runs it: with compiled modules on disk, which some build machines switch off."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return lambda: subprocess.run(command, check=True, capture_output=True, env=env)


def results() -> Iterator[Result]:
    yield compare("ogive check gpt2.arch / import torch", process(check(GPT2)), process(IMPORT_TORCH))
    text = GPT2.read_text(encoding="utf-8").split("model GPT2Medium")[0]
    deep = text.replace("depth=12]", "depth=12000]")
    assert deep != text
    with tempfile.TemporaryDirectory() as folder:
        shallow_file, deep_file = Path(folder, "shallow.arch"), Path(folder, "deep.arch")
        shallow_file.write_text(text, encoding="utf-8")
        deep_file.write_text(deep, encoding="utf-8")
        yield compare("check, repeat 12000 / repeat 12", process(check(deep_file)), process(check(shallow_file)))
    yield compare("the same in a warm process", lambda: check_text(deep, "d"), lambda: check_text(text, "s"))
