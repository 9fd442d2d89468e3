"""Reductions: reduce by a pattern, and sum mean max min prod var std logsumexp any all norm over named axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.ir.scalars import value_of
from ogive.compiler.ir.types import FLOATS, INTS, Axis, TensorType
from ogive.compiler.ops.align import require_elem
from ogive.compiler.ops.axes import resolve_all
from ogive.compiler.ops.elems import tensors
from ogive.compiler.ops.empty import some
from ogive.compiler.ops.patterns import misfit, solve
from ogive.compiler.ops.recipe import atoms_of
from ogive.compiler.ops.spec import Checker, OpSpec, Rule, ShapeError, StaticSpec, Told, Trait

Result = tuple[tuple[TensorType, ...], Mapping[str, Any]]

# what a reduction takes; its result has the same elements
ELEMENTS = {
    "sum": (*FLOATS, *INTS, "complex"),
    "mean": (*FLOATS, "complex"),
    "max": (*FLOATS, *INTS),
    "min": (*FLOATS, *INTS),
    "prod": (*FLOATS, *INTS, "complex"),
    "var": FLOATS,
    "std": FLOATS,
    "logsumexp": FLOATS,
    "any": ("bool",),
    "all": ("bool",),
    "norm": FLOATS,
}
FORMULAS = {
    "sum": "y = Σ x",
    "mean": "y = Σ x / n",
    "max": "y = max x",
    "min": "y = min x",
    "prod": "y = Π x",
    "var": "y = Σ (x - mean x)² / n",
    "std": "y = √(var x)",
    "logsumexp": "y = log Σ exp x",
    "any": "y = ∃ x",
    "all": "y = ∀ x",
    "norm": "y = (Σ |x|^p)^(1/p)",
}
MEANS = {
    "sum": "The sum.",
    "mean": "The mean.",
    "max": "The largest entry.",
    "min": "The smallest entry.",
    "prod": "The product.",
    "var": "The variance; `unbiased` divides by n - 1.",
    "std": "The standard deviation; `unbiased` divides by n - 1.",
    "logsumexp": "ln Σ e^x, without overflow.",
    "any": "Whether one entry holds.",
    "all": "Whether every entry holds.",
    "norm": "The p-norm; p may be inf.",
}


def reduce(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """Names that the right lacks are reduced away."""
    operand = tensors(types)[0]
    op = statics["op"]
    if op not in ELEMENTS:
        raise ShapeError(f"`{op}` is no reduction: one of {' '.join(ELEMENTS)}", code="E0408", static="op")
    require_elem(op, operand, ELEMENTS[op])
    solved = solve(checker, statics["pattern"], [operand])
    for operands in (solved.parsed.inputs, solved.parsed.outputs):
        if len(operands) > 1:
            raise misfit("reduce takes one tensor to one tensor", operands[1].inside)
        for term in operands[0].terms:
            if term.kind == "sum":
                raise misfit(f"`{term}`: axes are joined and cut by rearrange", term.inside)
    kept = {atom.name for atom in atoms_of(solved.recipe.outputs[0])}
    for atom in atoms_of(solved.recipe.inputs[0]) if _of_some(op, {}) else ():
        if atom.name not in kept:
            some(checker, Axis(atom.size, atom.name), op)
    known = {leaf.text for leaf in solved.parsed.inputs[0].leaves()}
    for leaf in solved.parsed.outputs[0].leaves():
        if leaf.text not in known and leaf.text != "1":
            raise misfit(f"`{leaf}` stands on the right alone", leaf.inside, help="expand makes new axes")
    return (operand.with_axes(*solved.outputs[0]),), {"recipe": solved.recipe, "op": op}


def _of_some(name: str, settings: Mapping[str, Any]) -> bool:
    """Whether it is defined over some entries alone."""
    p = value_of(settings.get("p", 2)) if name == "norm" else None
    return name in ("max", "min", "mean", "var", "std") or (p is not None and (p < 0 or math.isinf(p)))


def over_axes(name: str) -> Rule:
    """The rule of a reduction over the axes in its brackets; over all axes where there are none."""

    def rule(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
        operand = tensors(types)[0]
        require_elem(name, operand, ELEMENTS[name])
        axes = tuple(sorted(resolve_all(operand, statics["axes"]))) or tuple(range(len(operand.axes)))
        if _of_some(name, statics):
            for i in axes:
                some(checker, operand.axes[i], name)
        kept = [axis for i, axis in enumerate(operand.axes) if i not in axes]
        settings = {key: value for key, value in statics.items() if key not in ("axes", "keepdim")}
        return (operand.with_axes(*kept),), {"axes": axes, **settings}

    return rule


AXES = StaticSpec("axes", "axes", ())
KEEPDIM = StaticSpec("keepdim", "bool", False)  # written as `reduce` before anything sees it
SETTINGS = {
    "var": (StaticSpec("unbiased", "bool", False),),
    "std": (StaticSpec("unbiased", "bool", False),),
    "norm": (StaticSpec("p", "float", 2),),
}
LINEAR = ("sum", "mean")
TRAITS = {
    "any": Trait.FLAT,
    "all": Trait.FLAT,
    "var": Trait.FINITE,
    "std": Trait.FINITE,
    "norm": Trait.FINITE,
    "max": Trait.HANDS_ON | Trait.LOWEST_OUT,
    "min": Trait.HANDS_ON | Trait.HIGHEST_OUT,
    "logsumexp": Trait.LOWEST_OUT,
}


def _told(name: str) -> Told:
    elem = "bool" if name in ("any", "all") else ""
    types, header = f"(x: {elem}[*b, *n]) -> {elem}[*b]", f"(x: {elem}[b, n]) -> {elem}[b]"
    return Told(
        MEANS[name],
        types,
        header,
        f"{name}[n](x)",
        "over the axes in brackets, or over all where there are none; `keepdim` leaves axes of 1",
    )


def _over(name: str) -> OpSpec:
    statics = (AXES, *SETTINGS.get(name, ()), KEEPDIM)
    linear = (0,) if name in LINEAR else ()
    return OpSpec(
        name,
        "x",
        statics,
        over_axes(name),
        "reduction",
        FORMULAS[name],
        "shift",
        linear=linear,
        traits=TRAITS.get(name, Trait.NONE),
        told=_told(name),
    )


REDUCE = (StaticSpec("pattern", "pattern"), StaticSpec("op", "op"))

OPS = (
    OpSpec(
        "reduce",
        "x",
        REDUCE,
        reduce,
        "reduction",
        "y[i] = op_j x[i, j]",
        "pattern",
        told=Told(
            "Reduces the axes that the right of the pattern lacks by a reduction such as mean; a 1 there keeps one.",
            "(x: [*a]) -> [*y]",
            "(x: [b, c, h, w]) -> [b, c]",
            'reduce["b c h w -> b c", mean](x)',
            "as the right of the pattern says",
        ),
    ),
    *(_over(name) for name in ELEMENTS),
)
