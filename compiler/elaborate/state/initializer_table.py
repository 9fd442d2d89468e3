"""Named initializers: their settings, and their values inside an expression that makes a weight."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.values import is_number, kind_of, whole
from ogive.compiler.ir.attributes import InitialAttrs
from ogive.compiler.ir.model import Attrs
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops import OPS
from ogive.compiler.ops.held import number_of
from ogive.grammar import syntax

# name -> its settings, in the order of the brackets
INITIALIZERS: dict[str, tuple[tuple[str, float | str | None], ...]] = {
    "zeros": (),
    "ones": (),
    "constant": (("v", None),),
    "normal": (("mean", 0.0), ("std", 1.0)),
    "trunc_normal": (("std", 1.0),),
    "uniform": (("lo", 0.0), ("hi", 1.0)),
    "kaiming_uniform": (("a", 0.0), ("mode", "fan_in")),
    "kaiming_normal": (("a", 0.0), ("mode", "fan_in")),
    "xavier_uniform": (("gain", 1.0),),
    "xavier_normal": (("gain", 1.0),),
    "orthogonal": (("gain", 1.0),),
    "eye": (),
}
# for the reference
MEANS = {
    "zeros": "Zeros.",
    "ones": "Ones.",
    "constant": "One number everywhere.",
    "normal": "Numbers of a normal distribution.",
    "trunc_normal": "Numbers of a normal distribution around 0, none of them beyond 2 deviations.",
    "uniform": "Numbers between lo and hi.",
    "kaiming_uniform": "Uniform numbers, scaled by the fan so that layers of leaky relus of slope a keep the variance.",
    "kaiming_normal": "Normal numbers, scaled by the fan so that layers of leaky relus of slope a keep the variance.",
    "xavier_uniform": "Uniform numbers, scaled by both fans.",
    "xavier_normal": "Normal numbers, scaled by both fans.",
    "orthogonal": "A matrix with orthonormal rows or columns, times gain.",
    "eye": "The unit matrix.",
}
MODES = ("fan_in", "fan_out")
# these draw numbers: `seed` makes them the same each time
RANDOM = frozenset(name for name in INITIALIZERS if name not in ("zeros", "ones", "constant", "eye"))


def is_initializer(frame: Frame, name: str) -> bool:
    """Whether a name means an initializer where one may stand."""
    return name in INITIALIZERS and name not in frame.scope.variables and name not in frame.module.scope


def inside(frame: Frame, tree: syntax.Expr) -> Tensor | None:
    """`uniform[lo, hi]` inside the expression of a weight: a tensor of the weight's shape. None for anything else."""
    name, items = named(tree)
    if frame.alloc.initialized is None or not is_initializer(frame, name) or is_operation(frame, name, items):
        return None
    given = settings(frame, name, items, tree)
    type = TensorType(frame.alloc.initialized.elem, tuple(Axis(axis.size) for axis in frame.alloc.initialized.axes))
    return frame.builder.node(InitialAttrs(name, given), (), (type,), span=tree.span)[0]


def is_operation(frame: Frame, name: str, items: tuple[Any, ...]) -> bool:
    """`zeros[d]` and `constant[list]` are operations of a shape of their own; `constant[0.5]` fills the weight."""
    if name == "constant" and len(items) == 1 and isinstance(items[0], syntax.Expr):
        return isinstance(frame.evaluate(items[0]), tuple)
    return name in OPS and bool(items)


def named(tree: syntax.Expr) -> tuple[str, tuple[Any, ...]]:
    """The name that an expression begins with, and its brackets: `normal`, `normal[std=0.02]`."""
    match tree:
        case syntax.Name(id=id):
            return id, ()
        case syntax.Brackets(base=syntax.Name(id=id), items=items):
            return id, items
        case _:
            return "", ()


def settings(frame: Frame, name: str, items: tuple[Any, ...], tree: syntax.Expr) -> Attrs:
    """The settings of a named initializer, in the order of its brackets."""
    wanted = dict(INITIALIZERS[name])
    order = list(wanted)
    given: dict[str, Any] = {}
    for index, item in enumerate(items):
        if isinstance(item, syntax.Keyword):
            key, value_tree = item.name, item.value
        elif index < len(order) and isinstance(item, syntax.Expr):
            key, value_tree = order[index], item
        else:
            help_ = "its settings: " + ", ".join(order) if order else "leave the brackets out"
            raise frame.fail("E0403", f"`{name}` takes {len(order)} settings", item.span, help=help_)
        if key == "seed" and name in RANDOM:
            given[key] = _seed(frame, value_tree)
            continue
        if key not in wanted:
            raise frame.fail(
                "E0403",
                f"`{name}` has no setting `{key}`",
                item.span,
                help="its settings: " + ", ".join(order) if order else "",
            )
        value = frame.evaluate(value_tree)
        given[key] = value
        if key == "mode" and value not in MODES:
            raise frame.fail("E0408", f"`mode` is one of {', '.join(MODES)}", value_tree.span)
        if key != "mode" and not is_number(value):
            raise frame.fail("E0404", f"`{key}` takes a number, this is {kind_of(value)}", value_tree.span)
    for key, default in wanted.items():
        if key not in given:
            if default is None:
                raise frame.fail("E0402", f"`{name}` needs `{key}`", tree.span, help=f"`{name}[{key}=...]`")
            given[key] = default
    _drawable(frame, name, given, tree)
    return tuple((key, given[key]) for key in (*order, "seed") if key in given)


def _drawable(frame: Frame, name: str, given: Mapping[str, Any], tree: syntax.Expr) -> None:
    """Whether numbers can be drawn so, as far as the settings are known here."""
    known = {key: number_of(value) for key, value in given.items() if key not in ("mode", "seed")}
    lo, hi, std = (known.get(key) for key in ("lo", "hi", "std"))
    if std is not None and not std >= 0:
        raise frame.fail("E0404", f"`std` of `{name}` is 0 or more, this is {std:g}", tree.span)
    if name == "uniform" and any(end is not None and not math.isfinite(end) for end in (lo, hi)):
        raise frame.fail("E0404", "`uniform` draws between two numbers that are finite", tree.span)
    if lo is not None and hi is not None and lo > hi:
        what = f"`uniform` draws from `lo` to `hi`, and {lo:g} is above {hi:g}"
        raise frame.fail("E0404", what, tree.span, help=f"uniform[{hi:g}, {lo:g}]")


def _seed(frame: Frame, tree: syntax.Expr) -> int:
    value = whole(frame.evaluate(tree))
    if value is None:
        raise frame.fail("E0404", "`seed` takes a whole number that is known here", tree.span)
    return value
