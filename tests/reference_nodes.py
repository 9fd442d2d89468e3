"""What the examples of operations become in ONNX, for the reference: `src/ogive/reference/onnx_nodes.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from onnx import ModelProto, NodeProto

import ogive
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.compiler.ops import NAMED
from ogive.compiler.ops.spec import OpSpec
from ogive.reference.operations import example

OPERAND = re.compile(r"(\w+): ((\w*)\[[^]]*\])")
SIZES = ("Shape", "Concat", "Squeeze")  # what a value does with sizes
SETTINGS = Settings({}, {}, "f32", None, False, False, ())


def text() -> str:
    """The file."""
    nodes = {name: nodes_of(spec) for name, spec in NAMED.items()}
    grad = [name for name, spec in NAMED.items() if derives(spec)]
    lines = [f"    {json.dumps(name)}: {json.dumps(found)}" for name, found in nodes.items()]
    return '{\n  "grad": ' + json.dumps(grad) + ',\n  "nodes": {\n' + ",\n".join(lines) + "\n  }\n}\n"


def nodes_of(spec: OpSpec) -> list[str] | str:
    """The kinds of nodes that work on the numbers, in order; why there are none, where it is refused."""
    try:
        proto = exported(ogive.source(example(spec))["example"]().ir, {}, SETTINGS).proto
    except OnnxError as error:
        return f"not supported ({error.code}): {error.text}"
    return kinds(proto, valued=not spec.inputs)


def derives(spec: OpSpec) -> bool:
    """Whether ONNX has `grad` of the example in its first operand of floats or of complex numbers."""
    head, _, result = spec.told.header.partition("\n")[0].partition(" -> ")
    operands = OPERAND.findall(head)
    by = next((each for each in operands if each[2] in ("", "complex")), None)
    if by is None or not spec.inputs:
        return False
    kind = by[1].removeprefix("complex")
    args = [f"{by[0]}: {kind}", *(f"{name}: {type}" for name, type, _ in operands if name != by[0])]
    body = [f"{by[0]} = complex({by[0]}, {by[0]})"] * (by[2] == "complex")
    results = re.findall(r"(\w+):", result) or ["y"]
    body.append(f"{', '.join(results)} = {spec.told.use}")
    real = "real" if result.lstrip("(").removeprefix(f"{results[0]}: ").startswith("complex") else "cast[float]"
    body.append(f"return sum({real}({results[0]}))")
    wheres = "\n" + spec.told.header.partition("\n")[2] if "\n" in spec.told.header else ""
    text = f"block inner({', '.join(args)}) -> []{wheres}:\n    " + "\n    ".join(body)
    names = ", ".join(arg.partition(":")[0] for arg in args)
    text += f"\nblock outer({', '.join(args)}) -> {kind}{wheres}:\n    return grad[inner]({names})\n"
    try:
        exported(ogive.source(text)["outer"]().ir, {}, SETTINGS)
    except OnnxError:
        return False
    return True


def kinds(proto: ModelProto, *, valued: bool) -> list[str]:
    """The kinds of nodes that depend on the numbers of inputs, or of all where there are none."""
    reached = {each.name for each in proto.graph.input}
    found: dict[str, None] = {}
    for node in proto.graph.node:
        if node.op_type not in SIZES if valued else node.op_type != "Shape" and reached & set(read(node)):
            reached.update(node.output)
            found[node.op_type] = None
    made = [kind for kind in found if kind != "Identity"]
    return [kind for kind in made if kind != "Expand"] if valued and len(made) > 1 else made


def read(node: NodeProto) -> Iterator[str]:
    """What a node reads, its regions too."""
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from read(inner)
