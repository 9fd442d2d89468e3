"""Values without inputs: constants and grids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.ir.model import Scalar
from ogive.compiler.ir.types import ELEMENTS, INTS, Axis, TensorType
from ogive.compiler.ops.held import fits, whole
from ogive.compiler.ops.spec import Checker, OpSpec, ShapeError, StaticSpec, Told, Trait
from ogive.compiler.sizes import Size, size

Types = Sequence[TensorType | None]
Statics = Mapping[str, Any]
Result = tuple[tuple[TensorType, ...], Mapping[str, Any]]


def element(statics: Statics) -> str:
    """The element type asked for."""
    elem = str(statics["type"])
    if elem not in ELEMENTS:
        text = f"`{elem}` is no element type; they are {', '.join(f'`{known}`' for known in ELEMENTS)}"
        raise ShapeError(text, code="E0408", static="type")
    return elem


def _filled(checker: Checker, statics: Statics, types: Types) -> Result:
    return (TensorType(element(statics), tuple(statics["sizes"])),), {}


def _full(checker: Checker, statics: Statics, types: Types) -> Result:
    elem, value = element(statics), statics["v"]
    if elem in INTS or elem == "bool":
        value = int(value) if isinstance(value, float) and value.is_integer() else value
        whole(value, elem, f"`full` fills `{elem}` with", static="v")
    fits(value, elem, static="v")
    return (TensorType(elem, tuple(statics["sizes"])),), {"v": value}


def _arange(checker: Checker, statics: Statics, types: Types) -> Result:
    return (TensorType("int", (Axis(size(statics["n"])),)),), {}


def _linspace(checker: Checker, statics: Statics, types: Types) -> Result:
    type = TensorType("float", (Axis(size(statics["n"])),))
    return (type,), {"lo": statics["lo"], "hi": statics["hi"]}


def _eye(checker: Checker, statics: Statics, types: Types) -> Result:
    axis = Axis(size(statics["n"]))
    return (TensorType("float", (axis, axis)),), {}


def _shape(value: Any) -> tuple[int, ...]:
    """The shape of nested tuples; E0408 where they are ragged."""
    if not isinstance(value, tuple | list):
        return ()
    shapes = {_shape(item) for item in value}
    if len(shapes) > 1:
        raise ShapeError("the lists in `constant` differ in length", code="E0408", static="list")
    return (len(value), *(shapes.pop() if shapes else ()))


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, tuple | list) else value


def _constant(checker: Checker, statics: Statics, types: Types) -> Result:
    shape, leaves = _shape(statics["list"]), _leaves(statics["list"])
    wrong = [leaf for leaf in leaves if not isinstance(leaf, bool | int | float | Size | Scalar)]
    if wrong:
        raise ShapeError(f"`constant` holds numbers, not {wrong[0]}", code="E0404", static="list")
    if leaves and all(isinstance(leaf, bool) for leaf in leaves):
        elem = "bool"
    else:
        elem = "int" if leaves and all(isinstance(leaf, int | Size) for leaf in leaves) else "float"
    for leaf in leaves:
        fits(leaf, elem, static="list")
    type = TensorType(elem, tuple(Axis(size(count)) for count in shape))
    return (type,), {"list": _frozen(statics["list"])}


SIZES = StaticSpec("sizes", "sizes", (), axis=True)
TYPE = StaticSpec("type", "elem", "float")
N = StaticSpec("n", "size", axis=True)

OPS = (
    OpSpec(
        "zeros",
        "",
        (SIZES, TYPE),
        _filled,
        "value",
        "0",
        "value",
        told=Told("A tensor of zeros.", "() -> [*sizes]", "(x: [b, d]) -> [b, 4]", "zeros[b, 4]"),
    ),
    OpSpec(
        "ones",
        "",
        (SIZES, TYPE),
        _filled,
        "value",
        "1",
        "value",
        told=Told("A tensor of ones.", "() -> [*sizes]", "(x: [b, d]) -> [b, 4]", "ones[b, 4]"),
    ),
    OpSpec(
        "full",
        "",
        (SIZES, StaticSpec("v", "float"), TYPE),
        _full,
        "value",
        "v",
        "value",
        told=Told("A tensor of one number.", "() -> [*sizes]", "(x: [b, d]) -> [b, 4]", "full[b, 4, v=0.5]"),
    ),
    OpSpec(
        "arange",
        "",
        (N,),
        _arange,
        "value",
        "0, 1, ..., n - 1",
        "value",
        traits=Trait.FINITE,
        told=Told("The numbers 0, 1, ..., n - 1.", "() -> int[n]", "(x: [b, n]) -> int[n]", "arange[n]"),
    ),
    OpSpec(
        "linspace",
        "",
        (StaticSpec("lo", "float"), StaticSpec("hi", "float"), N),
        _linspace,
        "value",
        "n numbers from lo to hi, both included",
        "value",
        told=Told(
            "n numbers at equal distances from lo to hi, both included.",
            "() -> [n]",
            "(x: [b, n]) -> [n]",
            "linspace[0, 1, n]",
        ),
    ),
    OpSpec(
        "eye",
        "",
        (N,),
        _eye,
        "value",
        "1 on the diagonal, else 0",
        "value",
        traits=Trait.FINITE,
        told=Told("The unit matrix.", "() -> [n, n]", "(x: [b, n]) -> [n, n]", "eye[n]"),
    ),
    OpSpec(
        "constant",
        "",
        (StaticSpec("list", "list"),),
        _constant,
        "value",
        "the numbers of a list",
        "value",
        told=Told(
            "The numbers of a list, or of a list of lists: bools, integers or floats.",
            "() -> [*sizes]",
            "() -> [3]",
            "constant[[0.485, 0.456, 0.406]]",
            "one axis for each depth of the list",
        ),
    ),
)
