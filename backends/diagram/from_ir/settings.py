"""Settings of an operation: those written in its glyph, and those that are written where the reader asks for them.

What a figure draws by its wires, its glyph or the sizes on its labels (`DRAWN`) is not written again. `QUIET` changes
numbers alone and is written by `--settings`. All others are written where they are not what they are by default, so
an operation that gets a new setting shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ogive.backends.diagram.figure.labels import size_label, value_label
from ogive.compiler.elaborate.state.plain import text as plain_text
from ogive.compiler.ir.model import Const, Definition, Node, Scalar
from ogive.compiler.ops import OPS
from ogive.compiler.ops.spec import REQUIRED
from ogive.compiler.sizes import Size

DRAWN = frozenset({
    "axis", "axes", "pattern", "items", "kernel", "stride", "dilation", "size", "sizes", "n", "k", "before", "after",
    "causal", "groups", "type", "lo", "hi", "v", "fill",
})  # fmt: skip
QUIET = frozenset({
    "eps", "scale", "norm", "pad", "pad_mode", "out_pad", "ceil", "align_corners", "count_include_pad", "list",
})  # fmt: skip
# of blocks of the library that are drawn as the operation in them: what their glyph, wires and labels say
IN_GLYPH = frozenset({"kernel", "stride", "dilation", "groups", "p", "n", "d", "c", "cin", "cout", "din", "dout"})
PLUS = ("linear", "conv", "conv_transpose")  # whose glyph tells a bias
Divides = Iterable[tuple[str, str]]


def written(node: Node, divides: Divides, without: frozenset[str] = frozenset()) -> str:
    """What stands behind the name of an operation; `without` some that its glyph writes itself."""
    spec = OPS.get(node.op)
    found = []
    for static in spec.statics if spec else ():
        value = node.attr(static.name)
        if static.name in DRAWN | QUIET | without or value is None or _same(value, static.default):
            continue
        bare = static.default is REQUIRED or isinstance(value, str)
        found.append(_text("" if bare else static.name, value, divides))
    return " ".join(found)


def quiet(node: Node, divides: Divides) -> Iterator[str]:
    """The settings of an operation that its drawing does not write, and literals of which it writes few digits."""
    spec = OPS.get(node.op)
    for static in spec.statics if spec else ():
        value = node.attr(static.name)
        if static.name in QUIET and value is not None:
            yield f"{static.name}={value_text(value, divides)}"
    for value in (*node.inputs, *(value for _, value in node.attrs)):
        number = value.value if isinstance(value, Const) else value
        if isinstance(number, float) and f"{number:.4g}" != f"{number:.17g}" and float(f"{number:.4g}") != number:
            yield repr(number)


def quiet_statics(inner: str, callee: Definition, divides: Divides) -> Iterator[str]:
    """The statics of a block of the library, drawn as the operation `inner`, that its glyph does not write."""
    hidden = IN_GLYPH | {"bias"} if inner in PLUS else IN_GLYPH
    for static in callee.statics:
        if static.name not in hidden and static.unknown is None:
            yield f"{static.name}={value_text(static.value, divides)}"


def _same(value: object, default: object) -> bool:
    return default is not REQUIRED and str(value) == str(default)


def _text(name: str, value: object, divides: Divides) -> str:
    name = name.replace("_", " ")
    if value is True:
        return name
    text = value_text(value, divides)
    return f"{name} {text}" if name else text


def value_text(value: object, divides: Divides) -> str:
    """A setting in writing."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, tuple):
        texts = [value_text(item, divides) for item in value]
        return texts[0] if texts and len(set(texts)) == 1 else f"({', '.join(texts)})"
    if isinstance(value, (Size, int)):
        return size_label(value, divides)
    return value_label(value, divides) if isinstance(value, (Const, Scalar, str)) else plain_text(value)
