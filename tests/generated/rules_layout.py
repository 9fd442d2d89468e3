"""Productions: patterns, slices, joins and what else moves axes."""

from __future__ import annotations

from generated.dims import Dim, Type
from generated.scope import Scope, Var
from generated.shapes import at_least, like, wrapped
from generated.tree import Parts, Ref


def _any(scope: Scope, low: int = 1, high: int = 4) -> Var:
    """A value of any element type, without a pack."""
    if scope.chance(0.25):
        found = scope.find(
            lambda v: v.elem in ("int", "bool", "complex") and low <= v.rank <= high and not v.type.packed
        )
        if found is not None:
            return found
    return scope.real(low, high, plain=True)


def _pattern(op: str, left: str, right: str, more: str = "") -> str:
    return f'{op}["{left} -> {right}"{more}]'


def _applied(scope: Scope, head: str, var: Var) -> Parts:
    return (f"{head}(", var.ref, ")") if scope.chance(0.5) else (var.ref, f" |> {head}")


def turned(scope: Scope) -> None:
    """rearrange: another order, axes merged, taken apart, of size 1."""
    var = _any(scope, 1, 4)
    names = scope.letters(var.rank)
    dims = dict(zip(names, var.type.dims, strict=True))
    left, more = list(names), ""
    for at, name in enumerate(names):
        dim = dims[name]
        n = scope.at(dim)
        divisors = [k for k in range(2, n + 1) if n % k == 0]
        if divisors and scope.chance(0.3):
            k = scope.rng.choice(divisors)
            inner = f"{name}x"
            if dim // k * k != dim:
                scope.require(f"{wrapped(dim)} % {k} == 0")
            left[at] = f"({name} {inner})" if scope.chance(0.5) else f"({inner} {name})"
            dims[name], dims[inner] = _quotient(dim, k), Dim.of(k)
            names.append(inner)
            more = f"{more}, {inner}={k}"
            break
    scope.rng.shuffle(names)
    right, axes = [], []
    while names:
        group = [names.pop()]
        if names and scope.chance(0.3):
            group.append(names.pop())
        right.append(group[0] if len(group) == 1 else f"({' '.join(group)})")
        size = Dim.of(1)
        for name in group:
            size = size * dims[name]
        axes.append(size)
        if len(axes) < 5 and scope.chance(0.12):
            right.append("1")
            axes.append(Dim.of(1))
    head = _pattern("rearrange", " ".join(left), " ".join(right), more)
    scope.let(_applied(scope, head, var), var.type.over(*axes), ("rearrange",), size=var.size)


def _quotient(dim: Dim, k: int) -> Dim:
    """dim / k, which is whole."""
    return dim // k


def dotted(scope: Scope) -> None:
    """rearrange with `...`, also where a pack stands."""
    var = scope.real(1)
    if var.type.packed and var.rank < 2:
        return
    last = var.axes[-1]
    form = scope.rng.choice(("... d -> ... d 1", "... d -> ... 1 d", "... d -> ... d"))
    axes = {
        "... d -> ... d 1": (*var.axes[:-1], last, Dim.of(1)),
        "... d -> ... 1 d": (*var.axes[:-1], Dim.of(1), last),
    }
    found = axes.get(form, var.axes)
    scope.let((f'rearrange["{form}"](', var.ref, ")"), var.type.over(*found), ("rearrange",), size=var.size)


def joined(scope: Scope) -> None:
    """Parts laid end to end by a pattern, and taken apart by one."""
    var = _any(scope, 1, 3)
    names = scope.letters(var.rank)
    z = scope.letters(1, "z")[0]
    at = scope.rng.randrange(var.rank)
    dim = var.type.dims[at]
    if scope.chance(0.5):
        other = scope.find(lambda v: v.type == var.type) or var
        left = " ".join(names)
        second = " ".join(z if i == at else name for i, name in enumerate(names))
        right = " ".join(f"({name} + {z})" if i == at else name for i, name in enumerate(names))
        parts: Parts = (f'rearrange["{left}, {second} -> {right}"](', var.ref, ", ", other.ref, ")")
        axes = [dim + dim if i == at else d for i, d in enumerate(var.type.dims)]
        scope.let(parts, var.type.over(*axes), ("rearrange",), size=max(var.size, other.size))
        return
    n = scope.at(dim)
    if n < 2:
        return turned(scope)
    k = scope.rng.randint(1, n - 1)
    at_least(scope, dim, k)
    left = " ".join(f"({name} + {z})" if i == at else name for i, name in enumerate(names))
    first, second = " ".join(names), " ".join(z if i == at else name for i, name in enumerate(names))
    types = [var.type.over(*(Dim.of(k) if i == at else d for i, d in enumerate(var.type.dims))),
             var.type.over(*(dim - k if i == at else d for i, d in enumerate(var.type.dims)))]  # fmt: skip
    scope.let_several((f'rearrange["{left} -> {first}, {second}", {names[at]}={k}](', var.ref, ")"), types,
                      ("rearrange",), size=var.size)  # fmt: skip


def grown(scope: Scope) -> None:
    """expand: new axes anywhere."""
    var = _any(scope, 0, 3)
    names = scope.letters(var.rank)
    right, axes, more = list(names), list(var.type.dims), ""
    for new in scope.letters(scope.rng.randint(1, 2), "op"):
        at = scope.rng.randint(0, len(right))
        known = scope.sure
        if known and scope.chance(0.4):
            name = scope.rng.choice(known)
            size, text = Dim.of(name), name.text
        else:
            k = scope.rng.randint(1, 3)
            size, text = Dim.of(k), str(k)
        if scope.chance(0.2):
            right.insert(at, "1")
            axes.insert(at, Dim.of(1))
            continue
        right.insert(at, new)
        axes.insert(at, size)
        more += f", {new}={text}"
    head = _pattern("expand", " ".join(names), " ".join(right), more)
    scope.let(_applied(scope, head, var), var.type.over(*axes), ("expand",), size=var.size)


def gridded(scope: Scope) -> None:
    """meshgrid: two or three tensors of one axis."""
    first = scope.find(lambda v: v.rank == 1 and not v.type.packed and v.size < 20)
    if first is None:
        return grown(scope)
    others = [scope.find(lambda v: v.rank == 1 and not v.type.packed and v.size < 20) for _ in range(2)]
    given = [first, *[each for each in others[: scope.rng.randint(1, 2)] if each is not None]]
    axes = [each.type.dims[0] for each in given]
    parts: list[object] = ["meshgrid("]
    for at, each in enumerate(given):
        parts += [", ", each.ref] if at else [each.ref]
    types = [each.type.over(*axes) for each in given]
    scope.let_several((*parts, ")"), types, ("expand",), size=max(each.size for each in given))  # type: ignore[arg-type]


def unpacked(scope: Scope) -> None:
    """split: the parts of an axis as values of their own."""
    var = _any(scope, 1, 4)
    names = scope.letters(var.rank)
    at = scope.rng.randrange(var.rank)
    dim = var.type.dims[at]
    n = scope.at(dim)
    divisors = [k for k in (2, 3) if n % k == 0]
    if not divisors:
        return turned(scope)
    k = scope.rng.choice(divisors)
    if dim // k * k != dim:
        scope.require(f"{wrapped(dim)} % {k} == 0")
    s = scope.letters(1, "s")[0]
    inner = f"({s} {names[at]})" if scope.chance(0.5) else f"({names[at]} {s})"
    left = " ".join(inner if i == at else name for i, name in enumerate(names))
    type = var.type.over(*(_quotient(dim, k) if i == at else d for i, d in enumerate(var.type.dims)))
    head = _pattern("split", left, " ".join([s, *names]), f", {s}={k}")
    scope.let_several(_applied(scope, head, var), [type] * k, ("split",), size=var.size)


def concatenated(scope: Scope) -> None:
    var = _any(scope, 1, 4)
    at, text = scope.axis(var)
    others = [v for v in scope.vars if v.elem == var.elem and v.rank == var.rank and not v.type.packed
              and all(a == b for i, (a, b) in enumerate(zip(v.axes, var.axes, strict=True)) if i != at)]  # fmt: skip
    chosen = [var, *(scope.rng.choice(others) for _ in range(scope.rng.randint(0, 2)))]
    scope.rng.shuffle(chosen)
    size = Dim.of(0)
    for each in chosen:
        size = size + each.type.dims[at]
    axes = [size if i == at else axis for i, axis in enumerate(var.axes)]
    if text.isidentifier():
        text = str(at)
    scope.let(_several(f"concat[{text}]", chosen), var.type.over(*axes), ("concat",), size=max(v.size for v in chosen))


def _several(head: str, chosen: list[Var]) -> Parts:
    parts: list[str | Ref] = [f"{head}("]
    for i, each in enumerate(chosen):
        parts += [", ", each.ref] if i else [each.ref]
    return (*parts, ")")


def stacked(scope: Scope) -> None:
    var = _any(scope, 0, 3)
    others = [v for v in scope.vars if v.type == var.type]
    chosen = [var, *(scope.rng.choice(others) for _ in range(scope.rng.randint(0, 2)))]
    at = scope.rng.randint(0, var.rank)
    text = at if scope.chance(0.6) else at - var.rank - 1
    axes = [*var.axes[:at], Dim.of(len(chosen)), *var.axes[at:]]
    scope.let(_several(f"stack[{text}]", chosen), var.type.over(*axes), ("stack",), size=max(v.size for v in chosen))


def flipped(scope: Scope) -> None:
    var = _any(scope) if scope.chance(0.7) else scope.real(2)
    _, text = scope.axis(var)
    scope.let((f"flip[{text}](", var.ref, ")"), var.type, ("flip",), size=var.size)


def rolled(scope: Scope) -> None:
    var = _any(scope) if scope.chance(0.7) else scope.real(2)
    _, text = scope.axis(var)
    by = scope.rng.choice(("1", "-1", "2", "-3", "5", *(name.text for name in scope.sure)))
    scope.let((f"roll[{text}, {by}](", var.ref, ")"), var.type, ("roll",), size=var.size)


def padded(scope: Scope) -> None:
    var = _any(scope)
    if var.elem in ("bool", "complex"):
        var = scope.real(1, plain=True)
    at, text = scope.axis(var)
    dim, mode = var.type.dims[at], scope.rng.choice(("constant", "constant", "reflect", "replicate", "circular"))
    n = scope.at(dim)
    most = {"reflect": n - 1, "circular": n}.get(mode, 3)
    before, after = (scope.rng.randint(0, max(0, min(most, 3))) for _ in range(2))
    longest = max(before, after)
    if mode in ("reflect", "circular") and longest:
        at_least(scope, dim, longest + (mode == "reflect"))
    more = "" if mode == "constant" else f', mode="{mode}"'
    if mode == "constant" and scope.chance(0.4):
        more = ", value=2" if var.elem == "int" else f", value={scope.number(-1.0, 1.0)}"
    axes = [dim + before + after if i == at else axis for i, axis in enumerate(var.axes)]
    scope.let((f"pad[{text}, {before}, {after}{more}](", var.ref, ")"), var.type.over(*axes), ("pad",), size=var.size)


def sliced(scope: Scope) -> None:
    """Indices and slices, also by steps and from the end."""
    var = scope.real(1) if scope.chance(0.75) else _any(scope)
    dots = var.type.packed
    items, axes, required = [], [], False
    for axis in var.axes[1 if dots else 0 :]:
        assert isinstance(axis, Dim)
        n, roll = scope.at(axis), scope.rng.random()
        if required or roll < 0.4:
            items.append(":")
            axes.append(axis)
        elif roll < 0.6:
            at = scope.rng.choice((0, -1, min(1, n - 1)))
            at_least(scope, axis, at + 1 if at >= 0 else -at)
            items.append(str(at))
        else:
            item, size = _range(scope, axis, n)
            items.append(item)
            axes.append(size)
    if not dots:
        while items and items[-1] == ":" and scope.chance(0.3):
            items.pop()
    if not items:
        if dots:  # the pack may be no axes
            return
        items = [":"]
    text = f"[{'..., ' if dots else ''}{', '.join(items)}]"
    kept = (*((var.axes[0],) if dots else ()), *axes)
    scope.let((var.ref, text), var.type.over(*kept), ("slice",), size=var.size)


def _range(scope: Scope, dim: Dim, n: int) -> tuple[str, Dim]:
    """A slice that keeps something, and how much."""
    start, drop = scope.rng.randint(0, min(2, n - 1)), 0
    if n - start > 1:
        drop = scope.rng.randint(0, min(2, n - start - 1))
    step = scope.rng.choice((1, 1, 1, 2, 3))
    at_least(scope, dim, start + drop + 1)
    length = dim - start - drop
    if scope.chance(0.2) and dim.is_number:
        stop = str(n - drop)
    else:
        stop = f"-{drop}" if drop else ""
    size = (length + (step - 1)) // step
    return f"{start or ''}:{stop}{f':{step}' if step > 1 else ''}", size


def triangle(scope: Scope) -> None:
    var = scope.real(2)
    if var.type.packed and var.rank < 3:
        return
    name = scope.rng.choice(("tril", "triu"))
    k = scope.rng.choice(("", "[1]", "[-1]", "[diagonal=2]"))
    scope.let((f"{name}{k}(", var.ref, ")"), var.type, (name,), size=var.size)


def mirrored(scope: Scope) -> None:
    """A residual around something that keeps the shape."""
    var = scope.real(1)
    other = like(scope, var.type)
    scope.let((var.ref, " + ", other.ref), var.type, ("add",), size=var.size + other.size)


RULES = (
    (turned, 3), (dotted, 0.6), (joined, 1), (grown, 1.5), (unpacked, 1), (concatenated, 1), (stacked, 0.8),
    (flipped, 0.6), (gridded, 0.4),
    (rolled, 0.7), (padded, 1), (sliced, 2), (triangle, 0.8), (mirrored, 1),
)  # fmt: skip
__all__ = ["RULES", "Type"]
