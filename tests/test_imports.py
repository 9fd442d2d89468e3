"""What imports what: layers, and nothing heavy before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FRAMEWORKS = ("torch", "onnx", "onnxruntime", "safetensors", "numpy")
SYMBOLIC = ("sympy", "networkx")


def loaded_by(code: str) -> set[str]:
    """The top-level modules that are loaded after the code ran in a fresh interpreter."""
    probe = "\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code + probe], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import ogive", (*FRAMEWORKS, *SYMBOLIC, "lark", "click", "rich")),
        ("import ogive; ogive.load", (*FRAMEWORKS, *SYMBOLIC, "click", "rich")),
        ("import ogive.cli.check", (*FRAMEWORKS, *SYMBOLIC, "rich")),
        ("import ogive; ogive.load('examples/gpt2.arch')", (*FRAMEWORKS, "rich")),
        ("import ogive; ogive.load('examples/gpt2.arch').models['GPT2'].summary()", (*FRAMEWORKS, "rich")),
    ],
)
def test_nothing_heavy_is_imported(code: str, absent: tuple[str, ...]) -> None:
    assert loaded_by(code).isdisjoint(absent)


def test_the_probe_sees_what_is_imported() -> None:
    assert "sympy" in loaded_by("import sympy")


def test_layers() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_every_public_name_is_there() -> None:
    import ogive

    assert all(getattr(ogive, name) is not None for name in ogive.__all__)
    assert set(ogive.__all__) <= set(dir(ogive))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ogive.nothing  # noqa: B018
