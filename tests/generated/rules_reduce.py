"""Productions: reductions, and what goes by order or by data."""

from __future__ import annotations

from generated.dims import Dim, Type
from generated.scope import Scope, Var
from generated.shapes import at_least, index_below, like, wrapped

# reductions of floats, their brackets beside the axes, and whether the operand may be large
FLOATS = (
    ("sum", "", True), ("mean", "", True), ("max", "", True), ("min", "", True), ("prod", "", False), ("var", "", True),
    ("var", "unbiased=true", True), ("std", "", True), ("logsumexp", "", True), ("norm", "", True), ("norm",
    "p=1", True),
    ("norm", "p=3", False), ("std", "unbiased=true", True), ("norm", "p=inf", True),
)  # fmt: skip


def reduced(scope: Scope) -> None:
    """Over one axis, several or all."""
    var = scope.real(1)
    name, setting, large = scope.rng.choice(FLOATS)
    if name in ("std", "norm"):
        var = scope.let((var.ref, " + 1.5"), var.type, ("add",), size=var.size + 2) if scope.chance(0.5) else var
    _reduce(scope, var if large else scope.tame(var), name, setting)


def _reduce(scope: Scope, var: Var, name: str, setting: str) -> None:
    first = 1 if var.type.packed else 0
    if var.rank == first:
        return
    count = scope.rng.randint(1, var.rank - first)
    chosen = sorted(scope.rng.sample(range(first, var.rank), count))
    if "unbiased" in setting:
        if all(scope.at(var.axes[i]) < 2 for i in chosen if isinstance(var.axes[i], Dim)):  # type: ignore[arg-type]
            setting = ""
        elif len(chosen) == 1 and not _two(scope, var, chosen[0]):
            setting = ""
    brackets = [str(i - var.rank if first or scope.chance(0.5) else i) for i in chosen]
    if setting == "p=inf":
        setting = "p=1"
    if not first and count == var.rank and scope.chance(0.5):
        brackets = []
    keeps = scope.chance(0.25)
    text = ", ".join([*brackets, *([setting] if setting else []), *(["keepdim=true"] if keeps else [])])
    kept = [Dim.of(1) if i in chosen else axis for i, axis in enumerate(var.axes) if keeps or i not in chosen]
    elem = var.elem
    total = 8 * var.size if name in ("sum", "prod") else var.size + 3
    scope.let((f"{name}{f'[{text}]' if text else ''}(", var.ref, ")"), Type(elem, tuple(kept)), (name,), size=total)


def _two(scope: Scope, var: Var, at: int) -> bool:
    """Whether an axis has two entries at least; a condition says so."""
    axis = var.axes[at]
    if not isinstance(axis, Dim) or scope.at(axis) < 2:
        return False
    if not axis.is_number:
        scope.require(f"{wrapped(axis)} >= 2")
    return True


def counted(scope: Scope) -> None:
    """Reductions of whole numbers, and of truth values."""
    kind = scope.rng.choice(("int", "bool", "bool"))
    var = scope.find(lambda v: v.elem == kind and v.rank > 0 and not v.type.packed and v.size < 50)
    if var is None:
        source = scope.tame(scope.real(1, plain=True))
        if kind == "int":
            var = scope.let(
                ("cast[int](", source.ref, " * 2) % 4"), source.type.of("int"), ("cast", "mul", "mod"), size=4
            )
        else:
            var = scope.let((source.ref, " > 0.1"), source.type.of("bool"), ("gt",))
    name = scope.rng.choice(("any", "all") if kind == "bool" else ("sum", "max", "min", "prod"))
    _reduce(scope, var, name, "")


def by_pattern(scope: Scope) -> None:
    """reduce: also over a part of an axis."""
    var = scope.real(1, 4, plain=True)
    op = scope.rng.choice(("sum", "mean", "max", "min", "prod", "var", "std", "logsumexp", "norm"))
    if op == "prod":
        var = scope.tame(var)
    names = scope.letters(var.rank)
    left, dims, more = list(names), dict(zip(names, var.type.dims, strict=True)), ""
    z = scope.letters(1, "z")[0]
    at = scope.rng.randrange(var.rank)
    dim = var.type.dims[at]
    divisors = [k for k in (2, 3) if scope.at(dim) % k == 0]
    if divisors and scope.chance(0.4):
        k = scope.rng.choice(divisors)
        if dim // k * k != dim:
            scope.require(f"{wrapped(dim)} % {k} == 0")
        left[at] = f"({names[at]} {z})" if scope.chance(0.5) else f"({z} {names[at]})"
        dims[names[at]] = dim // k
        more = f", {z}={k}"
        gone = {z}
    else:
        gone = {names[at]}
    kept = [name for name in names if name not in gone and (len(names) < 2 or scope.chance(0.8))]
    scope.rng.shuffle(kept)
    axes = [dims[name] for name in kept]
    if scope.chance(0.2):
        kept.append("1")
        axes.append(Dim.of(1))
    if op in ("std", "norm"):
        var = scope.let((var.ref, " * 0.5 + 1.25"), var.type, ("mul", "add"), size=var.size + 2)
    pattern = f'"{" ".join(left)} -> {" ".join(kept)}"'
    text = f"reduce[{pattern}, {op}{more}]"
    scope.let((f"{text}(", var.ref, ")"), var.type.over(*axes), ("reduce", op), size=var.size * 8 + 3)


def diagonal(scope: Scope) -> None:
    """einsum with a label twice, and diag."""
    var = scope.tame(scope.real(1, 2, plain=True))
    *lead, last = var.type.dims
    form = scope.rng.choice(('einsum["{b}i i -> {b}i"]({x})', 'einsum["{b}i i -> {b}"]({x})', "diag({x})"))
    before = "b " if lead else ""
    square = scope.let((f'einsum["{before}i, {before}j -> {before}i j"](', var.ref, ", sin(", var.ref, "))"),
                       var.type.over(*lead, last, last), ("einsum", "sin"), size=var.size)  # fmt: skip
    head, tail = form.format(b=before, x="@").split("@")
    axes = lead if '-> {b}"' in form else [*lead, last]
    scope.let((head, square.ref, tail), var.type.over(*axes), ("diag",), size=var.size * 4)


# --- by order ---------------------------------------------------------------------------------------------------------


def ordered(scope: Scope) -> None:
    """sort argsort topk argmax argmin, and what is joined along an axis."""
    var = scope.real(1)
    if scope.chance(0.2):
        var = scope.find(lambda v: v.elem == "int" and v.rank > 0 and v.size < 1000) or var
    first = 1 if var.type.packed else 0
    if var.rank == first:
        return
    at, text = scope.axis(var)
    name = scope.rng.choice(
        ("sort", "argsort", "topk", "argmax", "cumsum", "argmin", "cumprod", "cummax", "cummin"),
    )
    if name == "cumprod":
        var = scope.let(("tanh(", var.ref, ")"), var.type, ("tanh",), size=1) if var.elem == "float" else var
        name = name if var.elem == "float" else "cummax"
    if var.elem == "int" and name in ("argsort", "topk", "argmax", "argmin"):
        name = "sort"
    dim = var.axes[at]
    assert isinstance(dim, Dim)
    if name.startswith("cum"):
        size = var.size * (6 if name == "cumsum" else 1)
        scope.let((f"{name}[{text}](", var.ref, ")"), var.type, (name,), size=size)
    elif name in ("sort", "argsort"):
        more = scope.rng.choice(("", ", descending=true"))
        type = var.type if name == "sort" else var.type.of("int")
        scope.let((f"{name}[{text}{more}](", var.ref, ")"), type, (name,), size=var.size if name == "sort" else 8)
    elif name in ("argmax", "argmin"):
        kept = [axis for i, axis in enumerate(var.axes) if i != at]
        scope.let((f"{name}[{text}](", var.ref, ")"), Type("int", tuple(kept)), (name,), size=8)
    else:
        k = scope.rng.randint(1, max(1, min(3, scope.at(dim))))
        at_least(scope, dim, k)
        axes = tuple(Dim.of(k) if i == at else axis for i, axis in enumerate(var.axes))
        types = [Type(var.elem, axes), Type("int", axes)]
        best, where = scope.let_several((f"topk[{text}, {k}](", var.ref, ")"), types, ("topk",), size=var.size)
        where.size = 8
        del best


def taken(scope: Scope) -> None:
    """take: an index of any shape in the place of an axis."""
    var = scope.real(1, 3)
    if var.rank == 1:  # it may be a pack, which is no axis
        var = scope.real(1, 3, plain=True)
    at, text = scope.axis(var)
    dim = var.axes[at]
    assert isinstance(dim, Dim)
    shape = scope.rng.choice(((Dim.of(2),), (), (Dim.of(3), Dim.of(2)), (dim,)))
    index = index_below(scope, dim, shape)
    axes = (*var.axes[:at], *shape, *var.axes[at + 1 :])
    scope.let((f"take[{text}](", var.ref, ", ", index.ref, ")"), var.type.over(*axes), ("take",), size=var.size)


def gathered(scope: Scope) -> None:
    var = scope.real(1, 3, plain=True)
    at, text = scope.axis(var)
    dim = var.type.dims[at]
    at_least(scope, dim, 1)
    k = Dim.of(scope.rng.randint(1, 3))
    axes = tuple(k if i == at else d for i, d in enumerate(var.type.dims))
    base = scope.let((f"full[{', '.join(map(str, axes))}, v=1.25]",), Type("float", axes), ("full",))
    wave = scope.let(
        (base.ref, " * 3 + cast[float](", *_counting(axes), ")"), Type("float", axes), ("mul", "add", "cast"), size=9
    )
    index = scope.let(
        ("cast[int](floor(abs(", wave.ref, f"))) % {wrapped(dim)}"), Type("int", axes), ("abs", "floor", "cast", "mod")
    )
    scope.let((f"gather[{text}](", var.ref, ", ", index.ref, ")"), var.type.over(*axes), ("gather",), size=var.size)


def _counting(axes: tuple[Dim, ...]) -> tuple[str, ...]:
    return (f"arange[{axes[-1]}]",)


def written(scope: Scope) -> None:
    """put, at a place that is known or one that is computed."""
    var = scope.real(1, 3, plain=True)
    at, text = scope.axis(var)
    dim = var.type.dims[at]
    n = scope.at(dim)
    k = scope.rng.randint(1, min(2, n))
    axes = tuple(Dim.of(k) if i == at else d for i, d in enumerate(var.type.dims))
    value = like(scope, Type("float", axes))
    if scope.chance(0.6):
        start = scope.rng.randint(0, n - k)
        if not dim.is_number:
            scope.require(f"{wrapped(dim)} >= {start + k}")
        more = f", {start}" if start or scope.chance(0.3) else ""
        scope.let(
            (f"put[{text}{more}](", var.ref, ", ", value.ref, ")"), var.type, ("put",), size=max(var.size, value.size)
        )
        return
    if not dim.is_number:
        scope.require(f"{wrapped(dim)} >= {k}")
    place = index_below(scope, dim - (k - 1), ())
    scope.let(
        (f"put[{text}](", var.ref, ", ", value.ref, ", ", place.ref, ")"),
        var.type,
        ("put",),
        size=max(var.size, value.size),
    )


def scattered(scope: Scope) -> None:
    """scatter_add and scatter, with an index for each entry or one for all other axes."""
    var = scope.real(1, 3, plain=True)
    at, text = scope.axis(var)
    dim = var.type.dims[at]
    k = Dim.of(scope.rng.randint(1, 4))
    axes = tuple(k if i == at else d for i, d in enumerate(var.type.dims))
    source = like(scope, Type("float", axes))
    index = index_below(scope, dim, (k,) if scope.chance(0.5) else axes)
    how = scope.rng.choice(("sum", "mean", "max", "min", "prod", ""))
    if how == "prod":
        source = scope.let(("cos(", source.ref, ")"), source.type, ("cos",), size=1)
    own = scope.rng.choice(("", ", include_self=false"))
    name, brackets = ("scatter", f"{text}, {how}{own}") if how else ("scatter_add", text)
    parts = (f"{name}[{brackets}](", var.ref, ", ", index.ref, ", ", source.ref, ")")
    scope.let(parts, var.type, (name,), size=var.size + 4 * source.size)


def encoded(scope: Scope) -> None:
    """one_hot."""
    n = scope.rng.randint(2, 4)
    index = scope.find(lambda v: v.elem == "int" and v.rank < 3)
    if index is None:
        index = index_below(scope, Dim.of(n), (Dim.of(3),))
    type = Type("int", (*index.axes, Dim.of(n)))
    scope.let((f"cast[float](one_hot[{n}](", index.ref, f" % {n}))"), type.of("float"), ("mod", "one_hot", "cast"))


RULES = (
    (reduced, 4), (diagonal, 0.5), (counted, 1), (by_pattern, 1.5), (ordered, 2.5), (taken, 1),
    (gathered, 0.8), (written, 1),
    (scattered, 0.8),
    (encoded, 0.6),
)  # fmt: skip
