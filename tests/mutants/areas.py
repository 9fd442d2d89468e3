"""What is mutated, and the tests that may see it."""

from __future__ import annotations

from fnmatch import fnmatch

from mutants.sites import ROOT

AREAS: dict[str, tuple[str, ...]] = {
    "torch": (
        "backends/pytorch/ops/*.py", "backends/pytorch/module/autograd.py", "backends/python_text/functions/regions.py",
        "backends/pytorch/weights/inits.py", "backends/pytorch/module/constraints.py",
    ),
    "onnx": ("backends/onnx_model/ops/*.py", "backends/onnx_model/lower/*.py", "backends/onnx_model/graph/*.py"),
    "derivatives": ("backends/onnx_model/autodiff/*.py",),
    "batching": ("compiler/passes/vectorize/*.py",),
    "passes": ("compiler/passes/*/*.py",),
}  # fmt: skip
TESTS = (
    "tests/ops", "tests/onnx_model", "tests/vectorize", "tests/passes", "tests/deploy", "tests/pytorch",
    "tests/language", "tests/generated", "tests/reference", "tests/examples/test_reparam.py",
    "tests/examples/test_layers.py", "tests/examples/test_handwritten.py", "tests/examples/test_hyper.py",
    "tests/test_weights.py", "tests/test_cli.py", "tests/analysis/test_mup.py", "tests/analysis/test_muon.py",
)  # fmt: skip


def files() -> dict[str, str]:
    """The area of each file, the first one that names it."""
    found: dict[str, str] = {}
    for path in sorted(
        p.relative_to(ROOT).as_posix() for top in ("backends", "compiler") for p in (ROOT / top).rglob("*.py")
    ):
        area = next((name for name, patterns in AREAS.items() if any(fnmatch(path, each) for each in patterns)), None)
        if area is not None and not path.endswith("__init__.py"):
            found[path] = area
    return found
