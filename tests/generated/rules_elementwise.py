"""Productions: element-wise operations, on floats, whole numbers and truth values."""

from __future__ import annotations

from generated.dims import Type
from generated.scope import Scope, Var
from generated.shapes import beside, condition, fits, like, wrapped
from generated.tree import Parts

# any number is fine: (operation, brackets, the largest result; 0: as large as the operand)
ANY = (
    ("sin", "", 1), ("cos", "", 1), ("tanh", "", 1), ("asinh", "", 8), ("erf", "", 1), ("sigmoid", "", 1),
    ("silu", "", 0), ("atan", "", 2), ("ceil", "", 0), ("trunc", "", 0),
    ("gelu", "", 0), ("gelu_tanh", "", 0), ("mish", "", 0), ("softplus", "", 0), ("softplus",
    "[beta=2.0]", 0), ("relu", "", 0),
    ("elu", "", 0), ("elu", "[0.7]", 0), ("leaky_relu", "", 0), ("leaky_relu", "[0.2]", 0), ("hardswish", "", 0),
    ("hardsigmoid", "", 1), ("hardtanh", "", 1), ("hardtanh", "[-0.5, 1.5]", 2), ("relu6", "", 6), ("abs", "", 0),
    ("sign", "", 1), ("floor", "", 0), ("round", "", 0), ("clamp", "[-1.0, 2.5]", 3), ("clamp", "[lo=0.1, hi=9.0]", 9),
)  # fmt: skip
# on a domain alone: what is written around the operand, and about how large the result is
GUARDED = (
    ("exp(", ")", ("exp",), 20), ("exp(-abs(", "))", ("exp", "neg", "abs"), 1), ("expm1(", ")", ("expm1",), 20),
    ("log(abs(", ") + 0.5)", ("log", "abs", "add"), 4), ("log(", " ** 2 + 0.3)", ("log", "pow", "add"), 6),
    ("log1p(abs(", "))", ("log1p", "abs"), 4), ("log1p(relu(", "))", ("log1p", "relu"), 4),
    ("sqrt(abs(", ") + 0.2)", ("sqrt", "abs", "add"), 6), ("sqrt(relu(", ") + 0.01)", ("sqrt", "relu", "add"), 6),
    ("rsqrt(", " ** 2 + 0.5)", ("rsqrt", "pow", "add"), 2), ("atanh(0.8 * tanh(", "))", ("atanh", "mul", "tanh"), 2),
    ("lgamma(abs(", ") + 0.6)", ("lgamma", "abs", "add"), 60), ("digamma(", " ** 2 + 0.4)", ("digamma", "pow",
    "add"), 8),
    ("atanh(clamp[-0.9, 0.9](", "))", ("atanh", "clamp"), 2), ("tan(tanh(", "))", ("tan", "tanh"), 2),
    ("asin(0.9 * tanh(", "))", ("asin", "mul", "tanh"), 2), ("acos(0.9 * tanh(", "))", ("acos", "mul", "tanh"), 3),
    ("acosh(abs(", ") + 1.5)", ("acosh", "abs", "add"), 6), ("sinh(2 * tanh(", "))", ("sinh", "mul", "tanh"), 4),
    ("cosh(2 * tanh(", "))", ("cosh", "mul", "tanh"), 4), ("log2(abs(", ") + 0.5)", ("log2", "abs", "add"), 5),
    ("log10(abs(", ") + 0.5)", ("log10", "abs", "add"), 2), ("atan2(sin(", "), 1.5)", ("atan2", "sin"), 3),
    ("atan2(0.7, abs(", ") + 0.5)", ("atan2", "abs", "add"), 3),
)  # fmt: skip
ROUGH = ("floor", "ceil", "trunc", "round", "sign")  # their derivative is 0


def unary(scope: Scope) -> None:
    var = scope.real()
    name, brackets, size = scope.rng.choice(ANY)
    scope.let((f"{name}{brackets}(", var.ref, ")"), var.type, (name,), size=size or var.size)


def piped(scope: Scope) -> None:
    """`x |> tanh |> relu`."""
    var = scope.real()
    steps = [scope.rng.choice(ANY) for _ in range(scope.rng.randint(2, 3))]
    size = var.size
    for step in steps:
        size = step[2] or size
    text = "".join(f" |> {name}{brackets}" for name, brackets, _ in steps)
    scope.let((var.ref, text), var.type, tuple(step[0] for step in steps), size=size)


def guarded(scope: Scope) -> None:
    var = scope.tame(scope.real())
    before, after, tags, size = scope.rng.choice(GUARDED)
    if tags[0] in ("exp", "expm1") and len(tags) == 1 and var.size > 3:
        var = scope.let(("tanh(", var.ref, ")"), var.type, ("tanh",))
    scope.let((before, var.ref, after), var.type, tags, size=size)


def each_op(scope: Scope) -> None:
    """The operation that the program has used least: so that each has its share."""
    names = [name for name, _, _ in ANY] + [tags[0] for _, _, tags, _ in GUARDED]
    wanted = scope.rng.choice(names)
    var = scope.tame(scope.real())
    if wanted in ("exp", "expm1") and var.size > 3:
        var = scope.let(("tanh(", var.ref, ")"), var.type, ("tanh",))
    known = [item for item in ANY if item[0] == wanted]
    if known:
        name, brackets, size = scope.rng.choice(known)
        scope.let((f"{name}{brackets}(", var.ref, ")"), var.type, (name,), size=size or var.size)
        return
    before, after, tags, size = scope.rng.choice([item for item in GUARDED if item[2][0] == wanted])
    scope.let((before, var.ref, after), var.type, tags, size=size)


def binary(scope: Scope) -> None:
    """a + b and the like, on either side."""
    var = scope.real()
    sign, tag = scope.rng.choice((("+", "add"), ("-", "sub"), ("*", "mul")))
    if tag == "mul":
        var = scope.tame(var)
    other = beside(scope, var)
    sides: Parts = (var.ref, f" {sign} ", *other) if scope.chance(0.6) else (*other, f" {sign} ", var.ref)
    scope.let(sides, var.type, (tag,), size=var.size * (4 if tag == "mul" else 1.5) + 2)


def named_binary(scope: Scope) -> None:
    var = scope.real()
    tag = scope.rng.choice(("minimum", "maximum"))
    other = beside(scope, var)
    sides = (var.ref, ", ", *other) if scope.chance(0.6) else (*other, ", ", var.ref)
    scope.let((f"{tag}(", *sides, ")"), var.type, (tag,), size=var.size + 2)


def divided(scope: Scope) -> None:
    var, below = scope.real(), scope.real(1)
    if fits(below.type, var.type):
        form = scope.rng.choice(((" / (abs(", ") + 0.5)"), (" / (", " ** 2 + 1)")))
        tags = ("div", "abs" if "abs" in form[0] else "pow", "add")
        scope.let((var.ref, form[0], below.ref, form[1]), var.type, tags, size=var.size * 2)
    else:
        scope.let((scope.number(0.5, 3.0), " / (abs(", var.ref, ") + 0.4)"), var.type, ("div", "abs", "add"), size=5)


def floored(scope: Scope) -> None:
    """// and %, by a number or another value."""
    var = scope.real()
    sign, tag = scope.rng.choice(((" // ", "floordiv"), (" % ", "mod")))
    if scope.chance(0.6):
        by = scope.rng.choice(("0.7", "1.5", "(-1.3)", "2", "3"))
        scope.let((var.ref, sign, by), var.type, (tag,), size=var.size * 2)
        return
    other = scope.find(lambda v: v.elem == "float" and fits(v.type, var.type)) or var
    scope.let((var.ref, sign, "(abs(", other.ref, ") + 0.8)"), var.type, (tag, "abs", "add"), size=var.size * 2)


def bare(scope: Scope) -> None:
    """A function on a domain that nothing guards: inputs are searched for it."""
    inputs = [i.ref for i in scope.block.inputs]
    var = scope.find(lambda v: v.elem == "float" and v.ref in inputs and v.size < 20)
    if var is None or "bare" not in scope.allow:
        return guarded(scope)
    name = scope.rng.choice(("log", "sqrt", "rsqrt", "lgamma", "digamma", "atanh", "log1p", "exp"))
    scope.let((f"{name}(", var.ref, ")"), var.type, (name,), size=9)


def power(scope: Scope) -> None:
    var = scope.tame(scope.real())
    roll = scope.rng.random()
    if roll < 0.4:
        n = scope.rng.choice((2, 3, 2, 0, 1, 4))
        scope.let((var.ref, f" ** {n}"), var.type, ("pow",), size=min(var.size ** max(n, 1), 1e6))
    elif roll < 0.7:
        exponent = scope.rng.choice(("0.5", "1.7", "(-1)", "(-0.5)", "(-2)"))
        scope.let(("(abs(", var.ref, f") + 0.3) ** {exponent}"), var.type, ("pow", "abs", "add"), size=50)
    elif roll < 0.85:
        scope.let((scope.rng.choice(("2", "0.5", "1.5")), " ** tanh(", var.ref, ")"), var.type, ("pow", "tanh"), size=3)
    else:
        other = like(scope, var.type)
        scope.let(
            ("(abs(", var.ref, ") + 0.3) ** tanh(", other.ref, ")"), var.type, ("pow", "abs", "add", "tanh"), size=40
        )


def negated(scope: Scope) -> None:
    var = scope.real()
    scope.let(("-", var.ref), var.type, ("neg",), size=var.size)


def compared(scope: Scope) -> None:
    """A comparison, on floats and on whole numbers."""
    var = scope.find(lambda v: v.elem in ("float", "int") and v.rank > 0) or scope.real(1)
    sign, tag = scope.rng.choice((("<", "lt"), ("<=", "le"), (">", "gt"), (">=", "ge"), ("==", "eq"), ("!=", "ne")))
    if var.elem == "int":
        scope.let((var.ref, f" {sign} {scope.rng.randint(0, 3)}"), var.type.of("bool"), (tag,))
        return
    scope.let((var.ref, f" {sign} ", *beside(scope, var)), var.type.of("bool"), (tag,))


def logic(scope: Scope) -> None:
    var = scope.find(lambda v: v.elem == "bool") or condition(scope, scope.real(1))
    roll = scope.rng.random()
    if roll < 0.3:
        scope.let(("not ", var.ref), var.type, ("logical_not",))
        return
    other = scope.find(lambda v: v.elem == "bool" and fits(v.type, var.type) and v is not var)
    word, tag = scope.rng.choice((("and", "logical_and"), ("or", "logical_or")))
    right: Parts = (other.ref,) if other is not None else ("not ", var.ref)
    scope.let((var.ref, f" {word} ", *right), var.type, (tag, *(() if other is not None else ("logical_not",))))


def selected(scope: Scope) -> None:
    var = scope.real(1)
    where = condition(scope, var)
    other = beside(scope, var)
    arms: Parts = (var.ref, ", ", *other) if scope.chance(0.6) else (*other, ", ", var.ref)
    scope.let(("select(", where.ref, ", ", *arms, ")"), var.type, ("select",), size=var.size + 2)


def interpolated(scope: Scope) -> None:
    a = scope.real(1)
    b = like(scope, a.type)
    t: Parts = (scope.number(0.0, 1.0),) if scope.chance(0.5) else ("sigmoid(", b.ref, ")")
    scope.let(("lerp(", a.ref, ", ", b.ref, ", ", *t, ")"), a.type, ("lerp",), size=a.size + b.size)


def finite(scope: Scope) -> None:
    var = scope.real(1)
    name = scope.rng.choice(("isfinite", "isfinite", "isnan", "isinf"))
    found = scope.let((f"{name}(", var.ref, ")"), var.type.of("bool"), (name,))
    if name == "isfinite" and scope.chance(0.5):
        scope.let(("select(", found.ref, ", ", var.ref, ", 0.0)"), var.type, ("select",), size=var.size)


def converted(scope: Scope) -> None:
    """cast: to floats, from floats, between whole numbers and truth values."""
    var = scope.find(lambda v: v.elem in ("int", "bool"))
    if var is not None and scope.chance(0.6):
        scope.let(("cast[float](", var.ref, ")"), var.type.of("float"), ("cast",), size=8)
        return
    source = scope.tame(scope.real())
    target = scope.rng.choice(("int", "int", "bool", "i32"))
    made = scope.let((f"cast[{target}](", source.ref, ")"), source.type.of(target), ("cast",), size=source.size)
    if target == "i32":
        scope.let(("cast[float](", made.ref, " + 1)"), source.type, ("cast", "add"), size=source.size + 1)


def low_precision(scope: Scope) -> None:
    """Through a smaller float type and back."""
    var = scope.tame(scope.real())
    kind = scope.rng.choice(("f32", "f16", "f64", "bf16"))
    scope.let((f"cast[float](sin(cast[{kind}](", var.ref, ")))"), var.type, ("cast", "sin", "cast"), size=1)
    scope.maker.program.low.add(kind)


def whole(scope: Scope) -> None:
    """Arithmetic on whole numbers."""
    var = scope.find(lambda v: v.elem == "int")
    if var is None or var.size > 1000:
        source = scope.tame(scope.real())
        var = scope.let(("cast[int](", source.ref, " * 2)"), source.type.of("int"), ("cast", "mul"), size=50)
    tag, form, grows = scope.rng.choice(
        (
            ("add", ("", " + 2"), 1), ("mul", ("", " * 3"), 3), ("sub", ("5 - ", ""), 1), ("floordiv", ("",
            " // 2"), 1),
            ("mod", ("", " % 3"), 1), ("pow", ("(", " % 4) ** 2"), 1), ("neg", ("-", ""), 1), ("abs", ("abs(", ")"), 1),
            ("sign", ("sign(", ")"), 1), ("relu", ("relu(", ")"), 1), ("clamp", ("clamp[0, 3](", ")"), 1),
            ("minimum", ("minimum(", ", 4)"), 1), ("maximum", ("maximum(", ", -1)"), 1), ("floordiv", ("",
            " // (-3)"), 1),
            ("bitwise_and", ("bitwise_and(", ", 11)"), 1), ("bitwise_or", ("bitwise_or(4, ", ")"), 1),
            ("bitwise_xor", ("bitwise_xor(", ", -3)"), 1), ("bitwise_not", ("bitwise_not(", ")"), 1),
            ("shift_left", ("shift_left(", ", 2)"), 4), ("shift_right", ("shift_right(", ", 1)"), 1),
            ("ceil", ("ceil(", ")"), 1), ("trunc", ("trunc(", ")"), 1),
            ("mod", ("", " % (-3)"), 1), ("floor", ("floor(", ")"), 1), ("round", ("round(", ")"), 1),
        )
    )  # fmt: skip
    tags = (tag, "mod") if tag == "pow" else (tag,)
    made = scope.let((form[0], var.ref, form[1]), var.type, tags, size=var.size * grows + 5)
    other = scope.find(lambda v: v.elem == "int" and fits(v.type, made.type) and v is not made and v.size < 1000)
    if other is not None and scope.chance(0.4):
        sign, tag = scope.rng.choice(((" + ", "add"), (" - ", "sub"), (" * ", "mul")))
        scope.let((made.ref, sign, other.ref), made.type, (tag,), size=made.size * (other.size + 1))


def sized(scope: Scope) -> None:
    """Arithmetic on sizes inside of an expression."""
    var = scope.real()
    names = scope.sure
    if not names:
        return unary(scope)
    a, b = (scope.rng.choice(names).text for _ in range(2))
    form = scope.rng.choice(
        (f"({a} + {b} - 1)", f"({a} * {b} % 5)", f"({a} // 2 - 3 * {b})", f"(min({a}, {b}) / max({a}, {b}))",
         f"(1 / ({a} + {b}))", f"sqrt({a} * {b})", f"(({a} - {b}) % 3)", f"ceil_div({a}, {b})", f"log({a} + {b})",
         f"({a} ** 2 / 7)", f"exp(-1 / {a})", f"(-{a} // 3)", f"(({a} + 5) % ({b} + 1))")
    )  # fmt: skip
    sign, tag = scope.rng.choice(((" * ", "mul"), (" + ", "add"), (" - ", "sub")))
    var = scope.tame(var)
    scope.let((var.ref, sign, form), var.type, (tag,), size=var.size * 20)


def straight(scope: Scope) -> None:
    """stop_gradient and grad_as."""
    var = scope.real()
    if scope.chance(0.5):
        scope.let(
            (var.ref, " + stop_gradient(sin(", var.ref, "))"),
            var.type,
            ("stop_gradient", "add", "sin"),
            size=var.size + 1,
        )
    else:
        scope.let(
            ("grad_as(round(", var.ref, "), 2 * ", var.ref, ")"), var.type, ("grad_as", "round", "mul"), size=var.size
        )
    scope.block.facts.add("cuts")


RULES = (
    (unary, 3), (piped, 1), (guarded, 2), (bare, 0.4), (each_op, 5), (binary, 5), (named_binary, 1), (divided, 1.2),
    (floored, 0.7), (power, 1.2), (negated, 0.4), (compared, 1), (logic, 0.8), (selected, 1.2), (interpolated, 0.7),
    (finite, 0.3),    (converted, 1), (low_precision, 0.03), (whole, 1.5), (sized, 0.8), (straight, 0.5),
)  # fmt: skip
__all__ = ["RULES", "Type", "Var", "wrapped"]
