"""Operations as the reference tells them: read off their declarations, and off what their examples become in ONNX."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ops import NAMED, TOLD, Trait
from ogive.compiler.ops.signature import signature
from ogive.compiler.ops.spec import OpSpec

NODES = "onnx_nodes.json"  # what the examples become in ONNX, and what `grad` there passes; written by a test
TYPE = re.compile(r"(\w+): (\w*)\[")
PROBED = ("float", "int", "bool", "complex")
TITLES = (
    "Axes: rearrange, join, cut",
    "Contractions",
    "Reductions",
    "By index and by order",
    "Element by element",
    "Kernels",
    "Pools",
    "Norms",
    "Values",
    "Random numbers",
    "Fourier transforms",
    "Complex numbers, linear algebra, recurrences, gradients by hand",
)
HEAD = """# Operations

Every operation: its signature in the notation of the language, what it does, the shape of its result, its gradient,
what it is in ONNX, and an example that a test checks. An operation needs no `use`. `ogive explain conv` shows an entry.

`*b` is any number of axes. A static with `= ...` may be left out; `size | list` is one number for all spatial axes or
a list with one for each; `none` means that it is not given. An `axis` is the name of an axis or its position. An input
with `?` may be left out. Signs are operations too: `a + b` is `add`, `a @ b` is `matmul`, `x[...]` is `slice`.

This page is written from the declarations in `compiler/ops` by `pytest --rewrite tests/test_reference_pages.py`.
"""


def page() -> str:
    """The page of all operations."""
    parts = [HEAD, "\n".join(f"- [{title}](#{_anchor(title)}): {_names(family)}" for title, family in _titled()), ""]
    for title, family in _titled():
        parts.append(f"## {title}\n")
        parts += [f"### {spec.name}\n\n{entry(spec)}" for spec in family]
    return "\n".join(parts)


def _titled() -> Iterator[tuple[str, tuple[OpSpec, ...]]]:
    return zip(TITLES, TOLD, strict=True)


def _names(family: tuple[OpSpec, ...]) -> str:
    return " ".join(f"[`{spec.name}`](#{spec.name})" for spec in family)


def _anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")


def entry(spec: OpSpec) -> str:
    """What is said of one operation, in Markdown."""
    rows = [f"- Shape: {spec.told.shape or 'as the signature says'}"]
    rows += [f"- Formula: {spec.formula}", f"- Elements: {', '.join(elements(spec))}"] if spec.inputs else []
    rows += [f"- Gradient: {gradient(spec)}", f"- ONNX: {onnx(spec)}"]
    return (
        f"```text\n{signature(spec)}\n```\n\n{spec.told.means}\n\n"
        + "\n".join(rows)
        + f"\n\n```arch\n{example(spec)}```\n"
    )


def example(spec: OpSpec) -> str:
    """The block of an example, as a user would write it."""
    return f"block example{spec.told.header}:\n    return {spec.told.use}\n"


def elements(spec: OpSpec) -> list[str]:
    """The element types that the example takes where its first operand has its own."""
    operands, _, result = spec.told.header.partition(" -> ")
    kinds = [kind for _, kind in TYPE.findall(operands)]
    own = "" if "" in kinds else kinds[0] if kinds else ""
    found = []
    for elem in PROBED:
        given = TYPE.sub(lambda m, elem=elem: f"{m[1]}: {elem if m[2] == own else m[2]}[", operands)  # type: ignore[misc]
        wheres = result.partition("\n")[2]
        text = (
            f"block example{given} -> [1]{wheres and chr(10) + wheres}:\n    y = {spec.told.use}\n    return zeros[1]\n"
        )
        if not any(each.severity == "error" for each in check_text(text, "<example>").diagnostics):
            found.append(elem)
    return found


def gradient(spec: OpSpec) -> str:
    """Through which operands a gradient flows."""
    if not spec.inputs:
        return "none, it has no operands"
    limit = "" if spec.name in _made()["grad"] else "; `grad` through it is not supported in ONNX"
    if spec.told.gradient:
        return spec.told.gradient + limit * ("in `" in spec.told.gradient)
    if Trait.FLAT in spec.traits:
        return "0"
    operands = TYPE.findall(spec.told.types.partition(" -> ")[0])
    flows = [name for name, kind in operands if kind not in ("int", "bool")]
    said = f"in {_listed(flows)}"
    linear = [name for at, (name, _) in enumerate(operands) if at in spec.linear]
    if linear:
        said += f"; linear in {'it' if linear == flows and len(flows) == 1 else _listed(linear, 'and in ')}"
    return said + limit


def _listed(names: list[str], joint: str = "and ") -> str:
    shown = [f"`{name}`" for name in names]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {joint}{shown[-1]}"


def onnx(spec: OpSpec) -> str:
    """What the example becomes in ONNX."""
    nodes = _made()["nodes"][spec.name]
    return nodes if isinstance(nodes, str) else " ".join(f"`{node}`" for node in nodes) or "no node of its own"


@cache
def _made() -> Mapping[str, Any]:
    made: Mapping[str, Any] = json.loads(files("ogive.reference").joinpath(NODES).read_text(encoding="utf-8"))
    return made


def named(name: str) -> OpSpec | None:
    """The operation of a name or of a sign."""
    return NAMED.get(SIGNS.get(name, name))


SIGNS = {
    "+": "add", "-": "sub", "*": "mul", "/": "div", "//": "floordiv", "%": "mod", "**": "pow", "@": "matmul",
    "==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge", "and": "logical_and", "or": "logical_or",
    "not": "logical_not",
}  # fmt: skip
