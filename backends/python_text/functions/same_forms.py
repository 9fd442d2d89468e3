"""An instance is made once, as one class: where its calls use several forms of a block, these must read the same.

A block over `[*s, d]` has a form for each rank that is applied, most often in the same words.
"""

from __future__ import annotations

from ogive.backends.python_text.errors import LoweringError
from ogive.backends.python_text.expr import renamed
from ogive.backends.python_text.functions.file_state import EmittedFile, WrittenFunction
from ogive.backends.python_text.module_tree import Unit, output_class
from ogive.compiler.ir.model import Definition, Node
from ogive.compiler.ir.weights import instance_at


def must_be_its_class(file: EmittedFile, owner: Definition, node: Node) -> None:
    """Refuse a call whose form is not that of the class which its instance is made of."""
    made = instance_at(owner, node.path)
    assert node.callee is not None
    if made is not None and not leaves_out(file, made, node) and not alike(file, made, node.callee):
        raise LoweringError(
            f"`{node.path}` is applied in two ways, for which `{node.callee.block}` has different code; a module in "
            "torch has one `forward`"
        )


def leaves_out(file: EmittedFile, made: Definition, node: Node) -> bool:
    """Whether a call is one that the class allows as it is, without some optional inputs."""
    callee = node.callee
    assert callee is not None
    if made.block != callee.block or not {str(c) for c in callee.facts} <= {str(c) for c in made.facts}:
        return False
    if made.name not in file.units or _asked(file, made) != _asked(file, callee):
        return False
    pairs = zip(node.inputs, made.graph.inputs, callee.graph.inputs, strict=True)
    return all(
        may_be_none(made, at) if operand is None else len(own.type.axes) == len(other.type.axes)
        for at, (operand, own, other) in enumerate(pairs)
    )


def _asked(file: EmittedFile, definition: Definition) -> tuple[object, ...]:
    """What a caller hands over beside the inputs, and what comes back."""
    written = file.written[file.units[definition.name].name]
    sizes, outputs = [name for _, name in written.sizes], definition.output_names
    return sizes, outputs, written.draws, written.taps, written.like, written.trains


def may_be_none(definition: Definition, at: int) -> bool:
    """Whether an input is asked for (`is not None`) wherever it is read."""
    return definition.optional[at]


def alike(file: EmittedFile, a: Definition, b: Definition) -> bool:
    """Whether two definitions become the same text, up to the names of functions that are alike too."""
    if a.name == b.name:
        return True
    if file.idioms.is_layer(a) or file.idioms.is_layer(b):
        return a.block == b.block
    left, right = (file.units.get(each.name) for each in (a, b))
    if left is None or right is None or len(a.instances) != len(b.instances):
        return False
    pairs = [(x.definition, y.definition) for x, y in zip(a.instances, b.instances, strict=True) if x.path == y.path]
    calls = ([n.callee for n in each.graph.walk() if n.callee is not None and not n.path] for each in (a, b))
    functions = list(zip(*calls, strict=False))
    if len(pairs) != len(a.instances) or not all(alike(file, x, y) for x, y in (*pairs, *functions)):
        return False
    names = {file.units[y.name].name: file.units[x.name].name for x, y in functions}
    return _same(file, left, right, names)


def _same(file: EmittedFile, left: Unit, right: Unit, names: dict[str, str]) -> bool:
    names = {**names, right.name: left.name, str(output_class(right)): str(output_class(left))}
    if _form(file.written[left.name], {}) != _form(file.written[right.name], names):
        return False
    iterations = zip(left.iterations, right.iterations, strict=False)
    return len(left.iterations) == len(right.iterations) and all(_same(file, x, y, names) for x, y in iterations)


def _form(written: WrittenFunction, names: dict[str, str]) -> tuple[object, ...]:
    functions = tuple(function.changed(lambda code: renamed(code, names)) for function in written.functions)
    own = tuple(names.get(function.name, function.name) for function in written.functions)
    bare = tuple(function.but(name="") for function in functions)
    return own, bare, written.draws, written.taps, written.like, written.trains, written.droppers
