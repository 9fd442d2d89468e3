"""One name, one class: where two folders share a name of the field, the docstrings say which is which."""

from __future__ import annotations

import ast
from collections import defaultdict

from trees import imported, ours

# folder -> what the docstring of a class of it says (its own or its module's), where another folder has that name too
LAYERS = {
    "grammar": "syntax",
    "compiler/ir": "ir",
    "compiler/elaborate": "elaborated",
    "compiler/passes": "passes",
    "backends/python_text": "emitted",
    "backends/pytorch": "pytorch",
    "backends/onnx_model": "onnx",
    "src/ogive": "python",
}


def _shared(modules: dict[str, ast.Module]) -> dict[str, dict[str, str]]:
    """Names of classes of more than one module -> module -> what it says of its class."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for path, tree in modules.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                # the IR says in one place, at the head of its module, that all its classes are the IR's
                said = (ast.get_docstring(tree), ast.get_docstring(node))[not path.startswith("compiler/ir/") :]
                found[node.name][path] = " ".join(text or "" for text in said)
    return {name: homes for name, homes in found.items() if len(homes) > 1}


def test_classes_of_one_name_are_told_apart_by_their_docstrings() -> None:
    shared = _shared(ours())
    assert shared  # syntax, IR and Python each have a `Model`
    for name, homes in shared.items():
        layers = [next((layer for layer in LAYERS if path.startswith(f"{layer}/")), path) for path in homes]
        assert len(set(layers)) == len(layers), (name, "is the name of two classes of one folder", *homes)
        for layer, (path, said) in zip(layers, homes.items(), strict=True):
            words = said.lower().replace(".", " ").replace(":", " ").replace(";", " ").split()
            assert LAYERS.get(layer, layer) in words, f"{path}: say what {name} is here ({LAYERS.get(layer, layer)})"


def test_no_module_imports_two_classes_of_one_name() -> None:
    shared = _shared(ours())
    for path in ours():
        met: dict[str, set[str]] = defaultdict(set)
        for module, name in imported(path):
            inside = module.replace(".", "/")
            homes = shared.get(name, {})
            met[name] |= {home for home in homes if home.removesuffix(".py").removeprefix("src/ogive/") == inside}
        for name, homes in shared.items():
            used = met[name] | ({path} & homes.keys())
            assert len(used) < 2, f"{path} uses `{name}` of {' and '.join(sorted(used))}"
