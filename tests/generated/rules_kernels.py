"""Productions: products, softmax, attention, normalizations, convolutions, pools, resampling."""

from __future__ import annotations

from generated.dims import Dim, Type
from generated.scope import Scope, Var
from generated.shapes import condition, like, wrapped


def bracketed(settings: list[str]) -> str:
    """Settings in brackets, or nothing."""
    return f"[{', '.join(settings)}]" if settings else ""


def multiplied(scope: Scope) -> None:
    """@: matrices, vectors, batches."""
    a = scope.tame(scope.real(1, 4, plain=True))
    inner = a.type.dims[-1]
    b = scope.find(lambda v: v.elem == "float" and not v.type.packed and v.rank > 0 and v.size < 50
                   and (v.type.dims[-2] if v.rank > 1 else v.type.dims[-1]) == inner and v.rank <= 2)  # fmt: skip
    if b is None:
        b = like(scope, Type("float", (inner, Dim.of(scope.rng.randint(1, 3)))))
    left, right = a.type.dims, b.type.dims
    axes = (*left[:-1], *right[1:])
    scope.let((a.ref, " @ ", b.ref), Type("float", axes), ("matmul",), size=a.size * b.size * 4)


def by_groups(scope: Scope) -> None:
    """grouped_matmul, by the sizes that an index of each row gives."""
    x = scope.tame(scope.real(2, 2, plain=True))
    n, k = x.type.dims
    groups, m = scope.rng.randint(1, 3), Dim.of(scope.rng.randint(1, 3))
    w = like(scope, Type("float", (Dim.of(groups), k, m)))
    index = scope.let((f"arange[{n}] * {scope.rng.randint(1, 3)} % {groups + scope.rng.randint(0, 1)}",),
                      Type("int", (n,)), ("arange", "mul", "mod"))  # fmt: skip
    sizes = scope.let((f"sum[0](one_hot[{groups}](", index.ref, "))"), Type("int", (Dim.of(groups),)),
                      ("one_hot", "sum"))  # fmt: skip
    parts = ("grouped_matmul(", x.ref, ", ", w.ref, ", ", sizes.ref, ")")
    scope.let(parts, Type("float", (n, m)), ("grouped_matmul",), size=x.size * w.size * 4)


def contracted(scope: Scope) -> None:
    """einsum of one, two or three tensors."""
    a = scope.tame(scope.real(1, 3, plain=True))
    first = scope.letters(a.rank)
    names = dict(zip(first, a.type.dims, strict=True))
    operands, sides = [a], [" ".join(first)]
    for _ in range(scope.rng.choice((0, 1, 1, 1, 2))):
        other = scope.find(lambda v: v.elem == "float" and 0 < v.rank < 4 and not v.type.packed and v.size < 50)
        if other is None:
            break
        side: list[str] = []
        for dim in other.type.dims:
            same = [name for name, known in names.items() if known == dim and name not in side]
            if same and scope.chance(0.7):
                side.append(scope.rng.choice(same))
            else:
                new = scope.letters(1, "r")[0]
                names[new] = dim
                side.append(new)
        operands.append(other)
        sides.append(" ".join(side))
    kept = [name for name in names if scope.chance(0.6)][:4]
    scope.rng.shuffle(kept)
    axes = tuple(names[name] for name in kept)
    parts: list[object] = [f'einsum["{", ".join(sides)} -> {" ".join(kept)}"](']
    for i, each in enumerate(operands):
        parts += [", ", each.ref] if i else [each.ref]
    size = 8.0
    for each in operands:
        size *= each.size
    scope.let((*parts, ")"), Type("float", axes), ("einsum",), size=size)  # type: ignore[arg-type]


def softened(scope: Scope) -> None:
    var = scope.real(1)
    if var.rank == (1 if var.type.packed else 0):
        return
    _, text = scope.axis(var)
    name = scope.rng.choice(("softmax", "softmax", "log_softmax"))
    if scope.chance(0.25):  # some places hidden, some rows wholly
        seen = condition(scope, var)
        hidden = scope.let(("select(", seen.ref, ", ", var.ref, ", -inf)"), var.type, ("select",), size=var.size)
        scope.let((f"softmax[{text}](", hidden.ref, ")"), var.type, ("softmax",))
        scope.vars.remove(hidden)
        return
    scope.let((f"{name}[{text}](", var.ref, ")"), var.type, (name,), size=1 if name == "softmax" else var.size + 3)


def attended(scope: Scope) -> None:
    """attention, with masks of both kinds."""
    q = scope.tame(scope.real(2, 4, plain=True))
    *batch, n, d = q.type.dims
    keys = scope.rng.choice((n, Dim.of(3), Dim.of(1)))
    k = like(scope, Type("float", (*batch, keys, d)))
    v = like(scope, Type("float", (*batch, keys, Dim.of(2)) if scope.chance(0.4) else (*batch, keys, d)))
    more, mask = [], ""
    causal = keys == n and scope.chance(0.4)
    if causal:
        more.append("causal=true")
    if scope.chance(0.4):
        more.append(f"scale={scope.number(0.1, 1.0)}")
    parts: list[object] = [f"attention{bracketed(more)}(", q.ref, ", ", k.ref, ", ", v.ref]
    if scope.chance(0.5):
        shape = Type("float", (n, keys))
        bias = like(scope, shape)
        if scope.chance(0.5):
            entries = ("eye" if keys == n else "ones", keys)
            text = f"(eye[{n}] > 0)" if entries[0] == "eye" else f"(ones[{n}, {keys}] > 0)"
            more_seen = f" or {text}" if scope.chance(0.6) else ""  # else some queries see nothing
            seen = scope.let((bias.ref, f" > 0.2{more_seen}"), shape.of("bool"), ("gt", "logical_or", "gt"))
            mask = "bool"
            parts += [", ", seen.ref]
        else:
            mask = "float"
            tamed = scope.tame(bias)
            parts += [", ", tamed.ref]
    scope.let((*parts, ")"), q.type.over(*batch, n, v.type.dims[-1]), ("attention",), size=v.size)  # type: ignore[arg-type]
    del mask


def normalized(scope: Scope) -> None:
    """layer_norm rms_norm group_norm batch_norm, with weights that are values."""
    name = scope.rng.choice(("layer_norm", "rms_norm", "group_norm", "batch_norm", "batch_norm_train"))
    if name in ("layer_norm", "rms_norm"):
        var = scope.real(1)
        if var.rank == (1 if var.type.packed else 0):
            return
        last = var.axes[-1]
        more = scope.rng.choice(("", "[eps=0.01]", "[axes=[-1]]"))
        affine = ""
        parts: list[object] = [var.ref]
        if scope.chance(0.6) and more != "[axes=[-1]]":
            weight = like(scope, Type("float", (last,)))
            parts += [", ", weight.ref]
            if name == "layer_norm" and scope.chance(0.5):
                parts += [", ", weight.ref]
            affine = "w"
        del affine
        scope.let((f"{name}{more}(", *parts, ")"), var.type, (name,), size=4)  # type: ignore[arg-type]
        return
    var = scope.real(2, 4, plain=True)
    channels = var.type.dims[1]
    if name == "batch_norm_train" and not (var.rank > 2 or scope.at(var.type.dims[0]) > 1):
        return
    weight, bias = like(scope, Type("float", (channels,))), like(scope, Type("float", (channels,)))
    affine_parts = ((), (", ", weight.ref), (", ", weight.ref, ", ", bias.ref))[scope.rng.randint(0, 2)]
    if name == "group_norm":
        groups = scope.rng.choice([g for g in (1, 2, 3) if scope.at(channels) % g == 0])
        if groups > 1 and channels // groups * groups != channels:
            scope.require(f"{wrapped(channels)} % {groups} == 0")
        scope.let((f"group_norm[{groups}](", var.ref, *affine_parts, ")"), var.type, (name,), size=4)
    elif name == "batch_norm":
        spread = scope.let(("abs(", weight.ref, ") + 0.5"), weight.type, ("abs", "add"))
        scope.let(
            ("batch_norm(", var.ref, ", ", bias.ref, ", ", spread.ref, *affine_parts, ")"),
            var.type,
            (name,),
            size=var.size * 2,
        )
    else:
        many = [d for i, d in enumerate(var.type.dims) if i != 1]
        if scope.at(many[0]) < 2 and all(scope.at(d) < 2 for d in many):
            return
        big = next(d for d in many if scope.at(d) >= 2)
        if not big.is_number:
            scope.require(f"{wrapped(big)} >= 2")
        types = [var.type, Type("float", (channels,)), Type("float", (channels,))]
        scope.let_several(("batch_norm_train(", var.ref, *affine_parts, ")"), types, (name,), size=4)


# --- with spatial axes ------------------------------------------------------------------------------------------------


def spatial(scope: Scope) -> Var:
    """[b, c, n] or [b, c, h, w], with channels that the model tells."""
    found = scope.find(lambda v: v.elem == "float" and v.rank in (3, 4) and not v.type.packed)
    if found is not None:
        return scope.tame(found)
    var = scope.tame(scope.real(1, 2, plain=True))
    a, b, c = scope.letters(3)
    if var.rank == 1:
        return scope.let(
            (var.ref, f' |> expand["{a} -> 1 {c} {a}", {c}=2]'),
            var.type.over(Dim.of(1), Dim.of(2), *var.axes),
            ("expand",),
            size=var.size,
        )
    return scope.let(
        (var.ref, f' |> expand["{a} {b} -> {a} {c} {b}", {c}=2]'),
        var.type.over(var.axes[0], Dim.of(2), var.axes[1]),
        ("expand",),
        size=var.size,
    )


def _window(scope: Scope, n: int) -> tuple[int, int, int, int]:
    """Kernel, stride, padding and dilation that leave something of n entries."""
    kernel = scope.rng.randint(1, min(3, n + 1))
    stride, dilation = scope.rng.choice((1, 1, 2, 3)), scope.rng.choice((1, 1, 2))
    pad = scope.rng.randint(0, 2)
    if n + 2 * pad < dilation * (kernel - 1) + 1:
        kernel, dilation = 1, 1
    return kernel, stride, pad, dilation


def _out(dim: Dim, kernel: int, stride: int, pad: int, dilation: int) -> Dim:
    return (dim + (2 * pad - dilation * (kernel - 1) - 1)) // stride + 1


def _setting(values: list[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else f"[{', '.join(map(str, values))}]"


def convolved(scope: Scope) -> None:
    var = spatial(scope)
    batch, channels, *axes = var.type.dims
    if not channels.is_number and not channels.static:
        return
    c = scope.at(channels)
    windows = [_window(scope, scope.at(axis)) for axis in axes]
    kernel = [w[0] for w in windows]
    groups = scope.rng.choice([g for g in (1, 1, c) if c % g == 0]) if channels.is_number else 1
    out = groups * scope.rng.randint(1, 2)
    weight_axes = (Dim.of(out), Dim.of(c // groups) if groups > 1 else channels, *map(Dim.of, kernel))
    weight = like(scope, Type("float", weight_axes))
    more, made = [], []
    if scope.chance(0.2):
        more.append('pad="same"')
        made = list(axes)
    else:
        for key, i, default in (("stride", 1, 1), ("pad", 2, 0), ("dilation", 3, 1)):
            values = [w[i] for w in windows]
            if any(v != default for v in values):
                more.append(f"{key}={_setting(values)}")
        made = [_out(axis, *w) for axis, w in zip(axes, windows, strict=True)]
        if (
            all(w[2] < scope.at(a) for a, w in zip(axes, windows, strict=True))
            and any(w[2] for w in windows)
            and scope.chance(0.3)
        ):
            more.append(f'pad_mode="{scope.rng.choice(("reflect", "replicate", "circular"))}"')
            for axis, w in zip(axes, windows, strict=True):
                if not axis.is_number:
                    scope.require(f"{wrapped(axis)} >= {w[2] + 1}")
    if groups > 1:
        more.append(f"groups={groups}")
    parts: list[object] = [var.ref, ", ", weight.ref]
    if scope.chance(0.4):
        parts += [", ", like(scope, Type("float", (Dim.of(out),))).ref]
    head = f"conv{bracketed(more)}("
    scope.let((head, *parts, ")"), var.type.over(batch, Dim.of(out), *made), ("conv",), size=var.size * 6)  # type: ignore[arg-type]


def convolved_back(scope: Scope) -> None:
    var = spatial(scope)
    batch, channels, *axes = var.type.dims
    if not channels.static:
        return
    windows = [_window(scope, scope.at(axis)) for axis in axes]
    pads = [min(w[2], (w[3] * (w[0] - 1)) // 2) for w in windows]
    out = scope.rng.randint(1, 2)
    weight = like(scope, Type("float", (channels, Dim.of(out), *(Dim.of(w[0]) for w in windows))))
    extra = [scope.rng.randint(0, max(w[1], w[3]) - 1) if scope.chance(0.3) else 0 for w in windows]
    made = [
        (axis - 1) * w[1] + (-2 * p + w[3] * (w[0] - 1) + e + 1)
        for axis, w, p, e in zip(axes, windows, pads, extra, strict=True)
    ]
    if any(scope.at(m) < 1 for m in made):
        return
    more = []
    for key, values, default in (("stride", [w[1] for w in windows], 1), ("pad", pads, 0), ("out_pad", extra, 0),
                                 ("dilation", [w[3] for w in windows], 1)):  # fmt: skip
        if any(v != default for v in values):
            more.append(f"{key}={_setting(values)}")
    head = f"conv_transpose{bracketed(more)}("
    scope.let(
        (head, var.ref, ", ", weight.ref, ")"),
        var.type.over(batch, Dim.of(out), *made),
        ("conv_transpose",),
        size=var.size * 6,
    )


def pooled(scope: Scope) -> None:
    var = spatial(scope)
    batch, channels, *axes = var.type.dims
    name = scope.rng.choice(("max_pool", "avg_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool"))
    if name.startswith("adaptive"):
        sizes = [scope.rng.randint(1, 3) for _ in axes]
        type = var.type.over(batch, channels, *map(Dim.of, sizes))
        scope.let((f"{name}[{_setting(sizes)}](", var.ref, ")"), type, (name,), size=var.size)
        return
    windows = [_window(scope, scope.at(axis)) for axis in axes]
    kernel, stride = [w[0] for w in windows], [w[1] for w in windows]
    pad = [min(w[2], w[0] // 2) for w in windows]
    if any(scope.at(a) + 2 * p < k for a, p, k in zip(axes, pad, kernel, strict=True)):
        return
    more = [_setting(kernel)]
    if stride != kernel:
        more.append(f"stride={_setting(stride)}")
    if any(pad):
        more.append(f"pad={_setting(pad)}")
    if name == "avg_pool" and any(pad) and scope.chance(0.5):
        more.append("count_include_pad=false")
    made = [_out(axis, k, s, p, 1) for axis, k, s, p in zip(axes, kernel, stride, pad, strict=True)]
    if scope.chance(0.2) and all(k >= s or k == 1 for k, s in zip(kernel, stride, strict=True)):
        more = [each for each in more if not each.startswith("pad")] + ['pad="same"']
        same = [(axis + (s - 1)) // s for axis, s in zip(axes, stride, strict=True)]
        head = f"{name}[{', '.join(more)}]("
        scope.let((head, var.ref, ")"), var.type.over(batch, channels, *same), (name,), size=var.size)
        return
    if scope.chance(0.2) and all(p + s <= k for p, s, k in zip(pad, stride, kernel, strict=True)):
        more.append("ceil=true")
        made = [(axis + (2 * p - k + s - 1)) // s + 1 for axis, k, s, p in zip(axes, kernel, stride, pad, strict=True)]
    scope.let(
        (f"{name}[{', '.join(more)}](", var.ref, ")"), var.type.over(batch, channels, *made), (name,), size=var.size
    )


def resampled(scope: Scope) -> None:
    var = spatial(scope)
    batch, channels, *axes = var.type.dims
    modes = ["nearest", "nearest-exact", "area", "linear" if len(axes) == 1 else "bilinear"]
    modes += ["bicubic"] if len(axes) == 2 else []
    mode = scope.rng.choice(modes)
    more = [f'mode="{mode}"'] if mode != "nearest" or scope.chance(0.3) else []
    if mode in ("linear", "bilinear", "bicubic") and scope.chance(0.4):
        more.append("align_corners=true")
    if scope.chance(0.5):
        sizes = [scope.rng.randint(1, 5) for _ in axes]
        made = list(map(Dim.of, sizes))
        more.append(f"size={_setting(sizes)}")
    else:
        factor = scope.rng.choice((2, 3))
        made = [axis * factor for axis in axes]
        more.append(f"scale={factor}")
    scope.let(
        (f"interpolate[{', '.join(more)}](", var.ref, ")"),
        var.type.over(batch, channels, *made),
        ("interpolate",),
        size=var.size * 1.5,
    )


def windows(scope: Scope) -> None:
    """unfold, and fold of what it gives."""
    var = spatial(scope)
    batch, channels, *axes = var.type.dims
    if len(axes) > 2:
        return
    settings = [_window(scope, scope.at(axis)) for axis in axes]
    kernel, stride, pad = ([w[i] for w in settings] for i in range(3))
    if any(scope.at(a) + 2 * p < k for a, p, k in zip(axes, pad, kernel, strict=True)):
        return
    more = [f"stride={_setting(stride)}"] if any(s != 1 for s in stride) else []
    more += [f"pad={_setting(pad)}"] if any(pad) else []
    made = [_out(axis, k, s, p, 1) for axis, k, s, p in zip(axes, kernel, stride, pad, strict=True)]
    type = var.type.over(batch, channels, *map(Dim.of, kernel), *made)
    found = scope.let(
        (f"unfold[{', '.join([_setting(kernel), *more])}](", var.ref, ")"), type, ("unfold",), size=var.size
    )
    if scope.chance(0.6):
        sizes = f"[{', '.join(map(str, axes))}]"
        head = f"fold[{', '.join([sizes, _setting(kernel), *more])}]("
        scope.let((head, found.ref, ")"), var.type, ("fold",), size=var.size * 4)


def sampled(scope: Scope) -> None:
    """grid_sample at places that the tensor itself tells."""
    var = spatial(scope)
    batch, _, *axes = var.type.dims
    if len(axes) != 2:
        return
    n = Dim.of(scope.rng.randint(1, 3))
    grid = like(scope, Type("float", (batch, n, Dim.of(2), Dim.of(2))))
    grid = scope.let(("1.3 * sin(", grid.ref, " + 0.37)"), grid.type, ("mul", "sin", "add"), size=1.3)
    more = scope.rng.choice(("", '[pad_mode="border"]', "[align_corners=true]", '["nearest"]'))
    type = var.type.over(batch, var.type.dims[1], n, Dim.of(2))
    scope.let((f"grid_sample{more}(", var.ref, ", ", grid.ref, ")"), type, ("grid_sample",), size=var.size)


RULES = (
    (windows, 0.6), (sampled, 0.5),
    (multiplied, 1.5), (contracted, 2), (softened, 1.2), (attended, 1), (normalized, 1.8), (convolved, 1),
    (convolved_back, 0.8), (by_groups, 0.5),
    (pooled, 1.6), (resampled, 0.8),
)  # fmt: skip
