"""Productions: complex numbers, Fourier transforms, linear systems, recurrences; values and random numbers."""

from __future__ import annotations

from generated.dims import Dim, Type
from generated.scope import Scope, Var
from generated.shapes import beside, fits, like, wrapped


def _complex(scope: Scope, low: int = 0) -> Var:
    found = scope.find(lambda v: v.elem == "complex" and v.rank >= low and not v.type.packed and v.size < 100)
    if found is not None and scope.chance(0.7):
        return found
    re = scope.tame(scope.real(low, 3, plain=True))
    im = like(scope, re.type)
    return scope.let(
        ("complex(", re.ref, ", ", im.ref, ")"), re.type.of("complex"), ("complex",), size=re.size + im.size
    )


def complex_numbers(scope: Scope) -> None:
    """Arithmetic and functions of complex numbers."""
    z = _complex(scope)
    roll = scope.rng.random()
    if roll < 0.3:
        other = scope.find(lambda v: v.elem == "complex" and fits(v.type, z.type) and v.size < 100) or z
        sign, tag = scope.rng.choice(((" + ", "add"), (" - ", "sub"), (" * ", "mul")))
        scope.let((z.ref, sign, other.ref), z.type, (tag,), size=z.size * (other.size if tag == "mul" else 2))
    elif roll < 0.5:
        form, tag = scope.rng.choice(((" * 0.5", "mul"), (" ** 2", "pow"), (" + 1.5", "add"), (" / 2", "div")))
        scope.let((z.ref, form), z.type, (tag,), size=z.size**2)
    elif roll < 0.65:
        name = scope.rng.choice(("exp", "sin", "cos", "tanh", "neg", "conj"))
        before, after = {"neg": ("-", ""), "conj": ("conj(", ")")}.get(name, (f"{name}(0.1 * ", ")"))
        small = z if z.size < 9 else scope.let((z.ref, " / ", f"{z.size:.0f}"), z.type, ("div",), size=1)
        scope.let((before, small.ref, after), z.type, (name, "mul") if ")" in after else (name,), size=z.size + 3)
    elif roll < 0.72:
        safe = scope.let(
            ("complex(abs(real(", z.ref, ")) + 0.6, imag(", z.ref, "))"),
            z.type,
            ("real", "abs", "add", "imag", "complex"),
        )
        name = scope.rng.choice(("sqrt", "log", "rsqrt"))
        scope.let((f"{name}(", safe.ref, ")"), z.type, (name,), size=3)
    elif roll < 0.8:
        scope.let((z.ref, " / complex(abs(", z.ref, ") + 1.0, 0.5)"), z.type, ("abs", "add", "complex", "div"), size=2)
    else:
        name = scope.rng.choice(("real", "imag", "abs"))
        scope.let((f"{name}(", z.ref, ")"), z.type.of("float"), (name,), size=z.size)


def complex_moves(scope: Scope) -> None:
    """Complex numbers through layout, reductions and products."""
    z = _complex(scope, 1)
    at, text = scope.axis(z)
    if text.isidentifier():
        text = str(at)
    kept = z.type.over(*(axis for i, axis in enumerate(z.axes) if i != at))
    roll = scope.rng.randrange(8)
    if roll == 0:
        scope.let((f"sum[{text}](", z.ref, ")"), kept, ("sum",), size=z.size * 4)
    elif roll == 1:
        scope.let((f"mean[{text}](", z.ref, ")"), kept, ("mean",), size=z.size)
    elif roll == 2:
        scope.let((f"flip[{text}](", z.ref, ")"), z.type, ("flip",), size=z.size)
    elif roll == 3:
        scope.let((f"roll[{text}, 1](", z.ref, ")"), z.type, ("roll",), size=z.size)
    elif roll == 4:
        scope.let((f"cumsum[{text}](", z.ref, ")"), z.type, ("cumsum",), size=z.size * 4)
    elif roll == 5:
        names = scope.letters(z.rank)
        head = f'einsum["{" ".join(names)}, {" ".join(names)} -> {" ".join(names[:-1])}"]('
        scope.let(
            (head, z.ref, ", conj(", z.ref, "))"), z.type.over(*z.axes[:-1]), ("einsum", "conj"), size=z.size**2 * 4
        )
    elif roll == 6:
        shape = z.type.dims
        axes = tuple(dim * 2 if i == at else dim for i, dim in enumerate(shape))
        scope.let(
            (f"concat[{text}](", z.ref, ", conj(", z.ref, "))"), z.type.over(*axes), ("conj", "concat"), size=z.size
        )
    else:
        scope.let(
            ("select(abs(", z.ref, ") > 0.3, ", z.ref, ", conj(", z.ref, "))"),
            z.type,
            ("abs", "gt", "conj", "select"),
            size=z.size,
        )


def transformed(scope: Scope) -> None:
    """fft ifft rfft irfft, over one axis or two."""
    name = scope.rng.choice(("fft", "ifft", "rfft", "irfft"))
    norm = scope.rng.choice(("", "", ', norm="ortho"', ', norm="forward"'))
    if name == "irfft":
        z = _complex(scope, 1)
        at, _ = scope.axis(z)
        n = scope.rng.randint(1, 5)
        dim = z.type.dims[at]
        if scope.chance(0.5) or scope.at(dim) < 2:
            more, out = f", sizes=[{n}]", Dim.of(n)
        else:
            more, out = "", (dim - 1) * 2
            if not dim.is_number:
                scope.require(f"{wrapped(dim)} >= 2")
        axes = tuple(out if i == at else d for i, d in enumerate(z.type.dims))
        scope.let(
            (f"irfft[axes=[{at - z.rank}]{more}{norm}](", z.ref, ")"), Type("float", axes), (name,), size=z.size * 2
        )
        return
    x = scope.tame(scope.real(1, 3, plain=True)) if name == "rfft" or scope.chance(0.4) else _complex(scope, 1)
    count = 1 if x.rank < 2 or scope.chance(0.7) else 2
    chosen = scope.rng.sample(range(x.rank), count)
    axes_ = list(x.type.dims)
    if name == "rfft":
        axes_[chosen[-1]] = axes_[chosen[-1]] // 2 + 1
    text = f"axes=[{', '.join(str(i if scope.chance(0.5) else i - x.rank) for i in chosen)}]"
    scope.let((f"{name}[{text}{norm}](", x.ref, ")"), Type("complex", tuple(axes_)), (name,), size=x.size * 5)


def _matrix(scope: Scope) -> Var | None:
    """A square matrix that is far from singular."""
    x = scope.tame(scope.real(1, 3, plain=True))
    *batch, n = x.type.dims
    shape = Type("float", (*batch, n, n))
    names = " ".join(scope.letters(len(batch)))
    i, j = scope.letters(2, "ij")
    outer = f'einsum["{names} {i}, {names} {j} -> {names} {i} {j}"](tanh('
    return scope.let(
        (outer, x.ref, "), sin(", x.ref, f")) + 3 * eye[{n}]"),
        shape,
        ("tanh", "sin", "einsum", "eye", "mul", "add"),
        size=4,
    )


def solved(scope: Scope) -> None:
    """solve solve_triangular cholesky inverse det."""
    a = _matrix(scope)
    if a is None:
        return
    *batch, n, _ = a.type.dims
    name = scope.rng.choice(("solve", "solve", "solve_triangular", "cholesky", "inverse", "det"))
    if name == "solve" and scope.chance(0.5):
        b = like(scope, Type("float", (*batch, n)))
        scope.let(("solve(", a.ref, ", ", b.ref, ")"), b.type, (name,), size=b.size)
    elif name in ("solve", "solve_triangular"):
        b = like(scope, Type("float", (*batch, n, Dim.of(scope.rng.randint(1, 2)))))
        more = scope.rng.choice(("", "[upper=true]", "[unitriangular=true]")) if name == "solve_triangular" else ""
        scope.let((f"{name}{more}(", a.ref, ", ", b.ref, ")"), b.type, (name,), size=b.size * 4)
    elif name == "cholesky":
        names = " ".join(scope.letters(len(batch)))
        i, j, k = scope.letters(3, "ijk")
        pair = f'einsum["{names} {i} {k}, {names} {j} {k} -> {names} {i} {j}"]('
        spd = scope.let((pair, a.ref, ", ", a.ref, f") + eye[{n}]"), a.type, ("einsum", "eye", "add"), size=20)
        scope.let(("cholesky(", spd.ref, ")"), a.type, (name,), size=5)
    elif name == "inverse":
        scope.let(("inverse(", a.ref, ")"), a.type, (name,), size=2)
    else:
        scope.let(("det(", a.ref, ") * 0.1"), a.type.over(*batch), (name, "mul"), size=20)


def complex_systems(scope: Scope) -> None:
    """Systems of complex numbers, which ONNX refuses."""
    a = _matrix(scope)
    if a is None:
        return
    z = scope.let(("complex(", a.ref, ", 0.1 * ", a.ref, ")"), a.type.of("complex"), ("mul", "complex"), size=5)
    name = scope.rng.choice(("inverse", "det", "solve"))
    *batch, n, _ = a.type.dims
    if name == "solve":
        b = like(scope, Type("float", (*batch, n, Dim.of(1))))
        right = scope.let(("complex(", b.ref, ", ", b.ref, ")"), b.type.of("complex"), ("complex",), size=b.size)
        scope.let(("abs(solve(", z.ref, ", ", right.ref, "))"), b.type, ("solve", "abs"), size=b.size)
    else:
        kept = a.type.over(*batch) if name == "det" else a.type
        scope.let((f"abs({name}(", z.ref, "))"), kept, (name, "abs"), size=20)


def recurrent(scope: Scope) -> None:
    """linear_scan."""
    b = scope.tame(scope.real(1, 3, plain=True))
    at, text = scope.axis(b)
    if text.isidentifier():
        text = str(at)
    gate = like(scope, b.type) if scope.chance(0.7) else None
    parts: list[object] = [f"linear_scan[{text}](", "sigmoid(", (gate or b).ref, "), ", b.ref]
    if scope.chance(0.4):
        start = like(scope, b.type.over(*(axis for i, axis in enumerate(b.axes) if i != at)))
        parts += [", ", start.ref]
    scope.let((*parts, ")"), b.type, ("sigmoid", "linear_scan"), size=b.size * 4)  # type: ignore[arg-type]


# --- values -----------------------------------------------------------------------------------------------------------


def _shape(scope: Scope, low: int = 0, high: int = 3) -> tuple[tuple[Dim, ...], str]:
    names = scope.sure
    axes = tuple(
        Dim.of(scope.rng.choice(names)) if names and scope.chance(0.5) else Dim.of(scope.rng.randint(1, 3))
        for _ in range(scope.rng.randint(low, high))
    )
    return axes, ", ".join(map(str, axes))


def values(scope: Scope) -> None:
    """zeros ones full arange linspace eye constant."""
    name = scope.rng.choice(("zeros", "ones", "full", "arange", "linspace", "eye", "constant"))
    names = scope.sure
    n = Dim.of(scope.rng.choice(names)) if names and scope.chance(0.6) else Dim.of(scope.rng.randint(1, 4))
    if name in ("zeros", "ones"):
        axes, shape = _shape(scope)
        elem = scope.rng.choice(("float", "float", "int", "bool"))
        more = "" if elem == "float" else f"{', ' if shape else ''}type={elem}"
        scope.let((f"{name}[{shape}{more}]",), Type(elem, axes), (name,))
    elif name == "full":
        axes, shape = _shape(scope)
        scope.let(
            (f"full[{shape}{', ' if shape else ''}v={scope.number(-2.0, 2.0)}]",), Type("float", axes), (name,), size=2
        )
    elif name == "arange":
        if scope.chance(0.5):
            scope.let((f"arange[{n}]",), Type("int", (n,)), (name,), size=6)
        else:
            scope.let((f"cast[float](arange[{n}]) * 0.3",), Type("float", (n,)), (name, "cast", "mul"), size=3)
    elif name == "linspace":
        scope.let(
            (f"linspace[{scope.number(-1.0, 0.0)}, {scope.number(0.5, 2.0)}, {n}]",),
            Type("float", (n,)),
            (name,),
            size=2,
        )
    elif name == "eye":
        scope.let((f"eye[{n}]",), Type("float", (n, n)), (name,))
    else:
        kind = scope.rng.choice(("float", "float", "int", "bool"))
        rows, columns = scope.rng.randint(1, 3), scope.rng.randint(1, 3)

        def entry() -> str:
            if kind == "float":
                return repr(round(scope.rng.uniform(-2, 2), 2))
            return str(scope.rng.randint(0, 5)) if kind == "int" else scope.rng.choice(("true", "false"))

        if scope.chance(0.5):
            text, axes = f"[{', '.join(entry() for _ in range(columns))}]", (Dim.of(columns),)
        else:
            text = "[" + ", ".join(f"[{', '.join(entry() for _ in range(columns))}]" for _ in range(rows)) + "]"
            axes = (Dim.of(rows), Dim.of(columns))
        scope.let((f"constant[{text}]",), Type(kind, axes), (name,), size=5)


def drawn(scope: Scope) -> None:
    """Random numbers."""
    if "draw" not in scope.allow:
        return values(scope)
    name = scope.rng.choice(("randn", "rand", "randint", "permutation", "bernoulli", "dropout"))
    scope.block.facts.add("draws" if name != "dropout" else "drops")
    axes, shape = _shape(scope, 1)
    if name in ("randn", "rand"):
        scope.let((f"{name}[{shape}]",), Type("float", axes), (name,), pure=False, size=3)
    elif name == "randint":
        scope.let((f"randint[{shape}, n={scope.rng.randint(1, 5)}]",), Type("int", axes), (name,), pure=False, size=5)
    elif name == "permutation":
        scope.let((f"permutation[{axes[0]}]",), Type("int", axes[:1]), (name,), pure=False, size=5)
    elif name == "bernoulli":
        scope.let((f"bernoulli[{shape}, p={scope.number(0.1, 0.9)}]",), Type("float", axes), (name,), pure=False)
    else:
        var = scope.real(1)
        scope.let(
            (f"dropout[{scope.number(0.1, 0.7)}](", var.ref, ")"), var.type, (name,), pure=False, size=var.size * 2
        )


def added(scope: Scope) -> None:
    var = scope.real()
    scope.let((var.ref, " + ", *beside(scope, var)), var.type, ("add",), size=var.size + 2)


RULES = (
    (complex_numbers, 1.6), (complex_moves, 1), (transformed, 1.2), (solved, 1), (complex_systems, 0.03),
    (recurrent, 0.8),
    (values, 2), (drawn, 5),
)  # fmt: skip
__all__ = ["RULES", "added"]
