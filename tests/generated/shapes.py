"""What several productions need of shapes: operands that fit, one beside another."""

from __future__ import annotations

from generated.dims import Dim, Name, Type
from generated.scope import Scope, Var
from generated.tree import Parts


def beside(scope: Scope, var: Var) -> Parts:
    """An operand that broadcasts against a value: another value, part of it, a literal, a size."""
    roll = scope.rng.random()
    if roll < 0.2:
        return (scope.number(-2.0, 2.0),)
    if roll < 0.27:
        names = scope.sure
        if names:
            name = scope.rng.choice(names).text
            return (scope.rng.choice((name, f"(1 / ({name} + 1))", f"sqrt({name})", f"(0.5 * {name})")),)
    other = scope.find(lambda v: v.elem == var.elem and fits(v.type, var.type) and v is not var)
    if other is not None:
        return (other.ref,)
    return (scope.rng.choice(("sin(", "cos(", "tanh(")), var.ref, ")") if var.elem == "float" else (var.ref,)


def fits(small: Type, large: Type) -> bool:
    """Whether one broadcasts to another: equal axes from the right, missing ones, or a literal 1."""
    if len(small.axes) > len(large.axes):
        return False
    start = len(large.axes) - len(small.axes)
    pairs = zip(small.axes, large.axes[start:], strict=True)
    return all(a == b or (a == Dim.of(1) and isinstance(b, Dim)) for a, b in pairs)  # a pack meets only itself


def like(scope: Scope, type: Type) -> Var:
    """A float value of exactly this type: one there is, or one made of what there is."""
    found = scope.find(lambda v: v.type == type)
    if found is not None and scope.chance(0.85):
        return found
    if type.packed and found is None:
        near = scope.find(lambda v: v.elem == "float" and v.type.packed and v.axes == type.axes)
        if near is not None:
            return near
    if found is not None:
        return scope.let(("(", found.ref, " * 0.5 - 0.25)"), type, ("mul", "sub"), size=found.size)
    shape = ", ".join(map(str, type.axes))
    source = scope.find(lambda v: v.elem == "float" and v.rank > 0)
    if source is None:
        return scope.let((f"full[{shape}{', ' if shape else ''}v=0.75]",), type, ("full",))
    return scope.let(
        (f"full[{shape}{', ' if shape else ''}v=0.75]", " * mean(tanh(", source.ref, "))"),
        type,
        ("full", "mul", "mean", "tanh"),
    )


def index_below(scope: Scope, n: Dim, axes: tuple[Dim, ...]) -> Var:
    """Whole numbers in 0 ... n - 1 of a shape."""
    type = Type("int", axes)
    at_least(scope, n, 1)
    known = scope.find(lambda v: v.elem == "int" and v.axes == axes)
    if known is not None:
        return scope.let((known.ref, f" % {wrapped(n)}"), type, ("mod",))
    fits_ = scope.find(lambda v: v.elem == "float" and v.axes == axes)
    if fits_ is not None:
        tamed = scope.tame(fits_)
        return scope.let(
            ("cast[int](floor(", tamed.ref, f" * 3)) % {wrapped(n)}"), type, ("mul", "floor", "cast", "mod")
        )
    if len(axes) == 1:
        return scope.let((f"(arange[{axes[0]}] * 7 + 3) % {wrapped(n)}",), type, ("arange", "mul", "add", "mod"))
    shape = ", ".join(map(str, axes))
    return scope.let((f"full[{shape}{', ' if shape else ''}v=5, type=int] % {wrapped(n)}",), type, ("full", "mod"))


def wrapped(dim: Dim) -> str:
    """A size as an operand."""
    text = str(dim)
    return text if text.isidentifier() or text.isdigit() else f"({text})"


def condition(scope: Scope, var: Var) -> Var:
    """Truth values of the shape of a value."""
    found = scope.find(lambda v: v.elem == "bool" and v.axes == var.axes)
    if found is not None and scope.chance(0.5):
        return found
    sign, tag = scope.rng.choice((("<", "lt"), (">", "gt"), ("<=", "le"), (">=", "ge")))
    bound = scope.number(-1.0, 1.0) if var.elem == "float" else str(scope.rng.randint(0, 3))
    return scope.let((var.ref, f" {sign} {bound}"), var.type.of("bool"), (tag,))


def at_least(scope: Scope, dim: Dim, least: int) -> None:
    """A condition, unless it is sure: names are 1 at least; floors, and names of axes that may be empty, are 0."""
    sure, low = set(scope.sure), 0
    for monomial, factor in dim.terms:
        known = all(isinstance(atom, Name) and atom in sure for atom in monomial)
        if factor < 0 and monomial:
            return scope.require(f"{wrapped(dim)} >= {least}")
        low += factor if known else 0
    if low < least:
        scope.require(f"{wrapped(dim)} >= {least}")
