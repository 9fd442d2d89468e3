"""Odd corners: what is exported for nobody, fields that nothing reads, names of packages that hide their modules."""

from __future__ import annotations

import ast
from collections import Counter

from trees import ROOT, everything, imported, ours

FRONT = "src/ogive/"  # its names are read by users


def test_no_list_of_exports_silences_an_import() -> None:
    """`__all__` of a module may hand an import on, if somebody takes it from there."""
    taken = {each for path in everything() for each in imported(path)}
    silent, lists = [], 0
    for path, tree in ours().items():
        if path.startswith(FRONT):
            continue
        module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        own = {name for _, name in imported(path)}
        for node in tree.body:
            if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
                exported = set(ast.literal_eval(node.value))
                lists += 1
                silent += [
                    (module, name)
                    for name in sorted(exported & own)
                    if (module, name) not in taken and not _read_as_attribute(module, name)
                ]
    assert lists
    assert silent == []


def _read_as_attribute(module: str, name: str) -> bool:
    """Whether some module imports `module` as a whole and reads the name off it: `syntax.Name`."""
    package, _, last = module.rpartition(".")
    return any(
        isinstance(node, ast.Attribute) and node.attr == name
        for path, tree in everything().items()
        if (package, last) in imported(path)
        for node in ast.walk(tree)
    )


def test_every_field_of_a_dataclass_is_read() -> None:
    reads: Counter[str] = Counter()
    for tree in everything().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                reads[node.attr] += 1
            elif isinstance(node, ast.MatchClass):
                reads.update(node.kwd_attrs)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                reads[node.value] += 1  # colours and widths of a theme are looked up by name
    unread = [
        f"{path}: {node.name}.{line.target.id}"
        for path, tree in ours().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(each) for each in node.decorator_list)
        for line in node.body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and not reads[line.target.id]
    ]
    assert unread == []


def test_no_name_of_a_package_hides_a_module_of_it() -> None:
    hidden = []
    for path, tree in ours().items():
        if not path.endswith("/__init__.py"):
            continue
        folder = (ROOT / path).parent
        modules = {each.stem for each in folder.iterdir() if each.suffix == ".py" or (each / "__init__.py").exists()}
        package = "ogive." + path.removesuffix("/__init__.py").replace("/", ".")
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module != package:
                hidden += [(path, each.asname or each.name) for each in node.names]
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                hidden.append((path, node.name))
        hidden = [(at, name) for at, name in hidden if at != path or name in modules]
    assert hidden == []
