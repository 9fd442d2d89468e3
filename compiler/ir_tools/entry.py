"""What a model asks of its inputs, and how it says that one does not fit: the same words in every target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ogive.compiler.ir.model import Model, Value
from ogive.compiler.ir.types import TensorType
from ogive.compiler.sizes import Answer, Condition, Facts, Size

# the types of elements that an input may have, as torch and numpy name them; floats are those of the model
ELEMENTS = MappingProxyType(
    {
        "float": ("float32", "float64", "float16", "bfloat16"),
        "int": ("int64", "int32"),
        "bool": ("bool",),
        "complex": ("complex64", "complex128"),
        "i64": ("int64",),
        "i32": ("int32",),
        "f16": ("float16",),
        "bf16": ("bfloat16",),
        "f32": ("float32",),
        "f64": ("float64",),
    }
)


def conditions_at_entry(model: Model) -> tuple[Condition, ...]:
    """The conditions that depend on sizes of the inputs of a model."""
    bound = {unknown for unknown, _ in model.bindings}
    open_ = (c for c in model.definition.conditions if not c.unknowns <= bound)
    return tuple(c for c in open_ if Facts().decide(c) is not Answer.ALWAYS)


def declared(value: Value, axes: Sequence[str] | None = None) -> str:
    """`ids: int[b, n]`; with other texts for the axes where these are given."""
    elem = "" if value.type.elem == "float" else value.type.elem
    shown = axes_of(value.type) if axes is None else axes
    return f"{value.hint or value.name}: {elem}[{', '.join(shown)}]"


def axis_text(size: Size) -> str:
    """A size among the axes of a declaration, where commas stand between axes alone."""
    return str(size).replace(", ", ",")


def axes_of(type: TensorType) -> list[str]:
    """The axes of a type as they stand in a declaration."""
    return [axis_text(axis.size) if axis.pack is None else str(axis) for axis in type.axes]


def unmet(condition: object, numbers: Mapping[str, object]) -> str:
    """`n <= 1024, but n is 1025`, with the numbers of the sizes in a condition that does not hold."""
    values = [f"{name} is {number}" for name, number in sorted(numbers.items())]
    *first, last = values or [""]
    return f"{condition}, but {', '.join(first)} and {last}" if first else f"{condition}, but {last}"


# Emitted files hold this function as it stands here, so it needs nothing but Python and is no wider than they are.
def misfit(
    declared: str,
    shape: Sequence[int],
    sizes: Sequence[Any],
    elem: str = "",
) -> str:
    """How an input differs: `x: [b, 4, 8, 8] got (2, 3, 9): 4 axes, not 3`.

    `sizes` are what it should have: -n for multiples of n, None for any. `elem` is the
    type of its elements where that is another one.
    """
    kind, _, axes = declared.partition(": ")[2].removesuffix("]").partition("[")
    dims, count = axes.split(", ") if axes else [], len(sizes)
    head = f"{declared} got {tuple(shape)}: "
    if len(shape) != count:
        least = "at least " if len(shape) < count < len(dims) else ""
        axis = "axis" if count == 1 else "axes"
        return f"{head}{least}{count} {axis}, not {len(shape)}"
    if elem:
        return f"{head}{kind or 'float'} elements, not {elem.removeprefix('torch.')}"
    pack = next((at for at, dim in enumerate(dims) if dim[0] in "*."), None)
    if pack is not None:  # its axes have no names
        dims[pack : pack + 1] = ["0"] * (count - len(dims) + 1)
    for at, (dim, size, found) in enumerate(zip(dims, sizes, shape, strict=True)):
        if size in (None, found):
            continue
        if isinstance(size, int) and size < 0:
            if found > 0 and found % -size == 0:
                continue
            size = f"{-size}, {-2 * size}, ..."
        place = f"axis {at}" if dim.isdigit() else dim
        return f"{head}{place} is {size}, not {found}"
    return ""
