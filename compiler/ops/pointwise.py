"""Short forms of declarations: element-wise operations of one tensor and of two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ogive.compiler.ir.types import FLOATS, INTS, TensorType
from ogive.compiler.ops.align import align, common_elem, require_elem
from ogive.compiler.ops.pointwise_facts import FactsOf
from ogive.compiler.ops.spec import Checker, OpSpec, StaticSpec, Told, Trait

REAL = (*FLOATS, *INTS)
NUMERIC = (*REAL, "complex")
SMOOTH = (*FLOATS, "complex")

ALIGNS = "shapes align from the right; a missing axis or a literal 1 broadcasts; one operand may be a number"

Types = Sequence[Any]  # TensorType, Const or None for each operand
Statics = Mapping[str, Any]
Result = tuple[tuple[TensorType, ...], Mapping[str, Any]]


def unary(
    name: str,
    formula: str,
    *,
    means: str,
    elems: Sequence[str] = FLOATS,
    gives: Callable[[str], str] | None = None,
    linear: bool = False,
    traits: Trait = Trait.NONE,
    facts: FactsOf | None = None,
    **settings: Any,
) -> OpSpec:
    """An operation of one tensor with float settings; `gives` maps the element type where it changes."""

    def rule(checker: Checker, statics: Statics, types: Types) -> Result:
        (x,) = types
        require_elem(name, x, elems)
        return (x.with_elem(gives(x.elem)) if gives else x,), {key: statics[key] for key in settings}

    specs = tuple(StaticSpec(key, "float", default) for key, default in settings.items())
    told = one(name, means, elems, gives)
    linear_in = (0,) if linear else ()
    return OpSpec(
        name, "x", specs, rule, "elementwise", formula, "align", linear=linear_in, traits=traits, told=told,
        pointwise=facts,
    )  # fmt: skip


def one(name: str, means: str, elems: Sequence[str], gives: Callable[[str], str] | None) -> Told:
    """What is said of an operation of one tensor."""
    takes = elems[0] if elems[0] not in FLOATS else ""
    result = gives(elems[0]) if gives else takes
    result = "" if result in FLOATS else result
    use = {"neg": "-x", "logical_not": "not x"}.get(name, f"{name}(x)")
    return Told(means, f"(x: {takes}[*b]) -> {result}[*b]", f"(x: {takes}[b, d]) -> {result}[b, d]", use)


def two(means: str, use: str) -> Told:
    """What is said of an operation of two tensors."""
    takes = "bool" if use.startswith("a ") else ""
    gives = "bool" if takes or any(sign in use for sign in "=<>") else ""
    a, b = "ab" if takes else "xy"
    header = f"({a}: {takes}[b, d], {b}: {takes}[d]) -> {gives}[b, d]"
    return Told(means, f"(a: {takes}[*b], b: {takes}[*b]) -> {gives}[*b]", header, use, ALIGNS)


def binary(
    name: str,
    formula: str,
    verb: str,
    *,
    told: Told,
    elems: Sequence[str] = NUMERIC,
    gives: str | None = None,
    linear: tuple[int, ...] = (),
    traits: Trait = Trait.NONE,
) -> OpSpec:
    """An operation of two operands, of which one may be a literal; `verb` is what a message says of them."""

    def rule(checker: Checker, statics: Statics, types: Types) -> Result:
        elem = common_elem(name, types)
        for operand, type in enumerate(types):
            require_elem(name, type, elems, operand)
        return (TensorType(gives or elem, align(checker, types, verb)),), {}

    return OpSpec(
        name, "a, b", (), rule, "elementwise", formula, "align", linear=linear, traits=traits, literals=True, told=told
    )


def compare(name: str, sign: str, elems: Sequence[str] = REAL, *, told: Told) -> OpSpec:
    """A comparison, whose result is bool."""
    formula, verb = f"a {sign} b", "compares {a} with {b}"
    return binary(name, formula, verb, told=told, elems=elems, gives="bool", traits=Trait.FLAT)
