"""What imports what: layers, and nothing heavy before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import networkx
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


def test_the_command_line_starts_without_the_compiler() -> None:
    loaded = "[name for name in sys.modules if name.startswith(('ogive.compiler', 'ogive.backends'))]"
    probe = f"import sys, ogive.cli; print({loaded})"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_the_probe_sees_what_is_imported() -> None:
    assert "sympy" in loaded_by("import sympy")


def test_layers() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def modules() -> Iterator[tuple[str, Path]]:
    """All modules of the package by their names, and where their text is."""
    roots = [(ROOT / name, f"ogive.{name}") for name in ("grammar", "compiler", "backends", "stdlib")]
    for root, package in (*roots, (ROOT / "src" / "ogive" / "cli", "ogive.cli")):
        for path in root.rglob("*.py"):
            yield ".".join((package, *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__"), path
    for path in (ROOT / "src" / "ogive").glob("*.py"):
        yield f"ogive.{path.stem}".removesuffix(".__init__"), path


def circles(texts: dict[str, str]) -> list[set[str]]:
    """Modules that import one another, anywhere in their texts: for type checking and inside of functions too."""
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    for module, text in texts.items():
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.ImportFrom(module=str(source)):
                    names = [f"{source}.{alias.name}" for alias in node.names]
                    graph.add_edges_from((module, name if name in texts else source) for name in names)
                case ast.Import():
                    graph.add_edges_from((module, alias.name) for alias in node.names)
    found = networkx.strongly_connected_components(graph)
    return [each for each in found if len(each) > 1 or any(graph.has_edge(name, name) for name in each)]


def test_no_circle_of_imports() -> None:
    texts = {name: path.read_text(encoding="utf-8") for name, path in modules()}
    assert len(texts) > 400
    assert [sorted(circle) for circle in circles(texts)] == []


def test_the_search_finds_circles() -> None:
    texts = {
        "a.b": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from a import c",
        "a.c": "def f():\n    from a.d import X",
        "a.d": "from a.b import Y\nfrom a.e import Z",
        "a.e": "import a.f",
        "a.f": "",
    }
    assert circles(texts) == [{"a.b", "a.c", "a.d"}]
    assert circles({**texts, "a.d": ""}) == []


def test_every_public_name_is_there() -> None:
    import ogive

    assert all(getattr(ogive, name) is not None for name in ogive.__all__)
    assert set(ogive.__all__) <= set(dir(ogive))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ogive.nothing  # noqa: B018
