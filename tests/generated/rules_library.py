"""Productions: layers of the library."""

from __future__ import annotations

from generated.dims import Dim, Type
from generated.rules_blocks import parameter
from generated.scope import Scope, Var
from generated.tree import Let, Ref


def _tokens(scope: Scope) -> Var | None:
    """[..., n, d] with a width that the model tells."""
    found = scope.find(
        lambda v: v.elem == "float" and v.rank in (2, 3, 4) and not v.type.packed and v.type.dims[-1].static
    )
    return None if found is None else scope.tame(found)


def _image(scope: Scope) -> Var | None:
    """[b, c, h, w] with channels that the model tells."""
    found = scope.find(lambda v: v.elem == "float" and v.rank == 4 and not v.type.packed and v.type.dims[1].static)
    return None if found is None else scope.tame(found)


def _applied(scope: Scope, x: Var, text: str, name: str, type: Type, tags: tuple[str, ...], size: float) -> Var:
    scope.block.weighty = True
    return scope.let((x.ref, f" |> {text} as {scope.place(name)}"), type, (*tags, "weighty"), size=size, pure=False)


def heads(scope: Scope) -> None:
    """Self-attention, with or without a mask."""
    x = _tokens(scope)
    if x is None or x.rank < 2:
        return parameter(scope)
    d = x.type.dims[-1]
    n = x.type.dims[-2]
    wide = 2 if scope.at(d) % 2 == 0 and d.is_number else 1
    name = scope.maker.use("std.attention", "MultiHeadAttention")
    more = ", causal=true" if scope.chance(0.3) else ""
    if x.rank == 3 and scope.chance(0.3):
        ref = Ref(scope.place("attn"))
        scope.body.append(Let([ref], (f"{name}[{d}, {wide}{more}]",), [None], ("instance",), pure=False))
        batch = x.type.dims[0]
        mask = scope.let((f"expand[\"k -> o k k2\", o={batch}, k2={n}](ones[{n}, type=bool])",),
                         Type("bool", (batch, n, n)), ("ones", "expand"))  # fmt: skip
        scope.block.weighty = True
        scope.let((ref, "(", x.ref, ", ", mask.ref, ")"), x.type, ("attention",), size=4, pure=False)
        return
    _applied(scope, x, f"{name}[{d}, {wide}{more}]", "attn", x.type, ("attention", "linear"), 4)


def recurrent(scope: Scope) -> None:
    """RNN, GRU and LSTM, some with their last state."""
    x = scope.find(lambda v: v.elem == "float" and v.rank == 3 and not v.type.packed and v.type.dims[-1].static)
    if x is None:
        return parameter(scope)
    x = scope.tame(x)
    b, n, d = x.type.dims
    k = Dim.of(scope.rng.randint(1, 3))
    name = scope.maker.use("std.recurrent", scope.rng.choice(("RNN", "GRU", "LSTM")))
    if scope.chance(0.3) and name != "LSTM":
        scope.block.weighty = True
        scope.let_several((x.ref, f" |> {name}[{d}, {k}, last=true] as {scope.place('rnn')}"),
                          [x.type.over(b, n, k), x.type.over(b, k)],
                          ("scan", "weighty"), size=2, pure=False)  # fmt: skip
        return
    _applied(scope, x, f"{name}[{d}, {k}]", "rnn", x.type.over(b, n, k), ("scan",), 2)


def images(scope: Scope) -> None:
    """Convolutions and their blocks."""
    x = _image(scope)
    if x is None:
        return parameter(scope)
    b, c, h, w = x.type.dims
    out = Dim.of(scope.rng.randint(1, 3))
    kind = scope.rng.choice(("Conv", "ConvTranspose", "SqueezeExcite", "RepConv", "pixel", "ConvNorm"))
    if kind in ("RepConv", "ConvNorm") and ("state" not in scope.allow or scope.at(b) * scope.at(h) * scope.at(w) < 2):
        kind = "Conv"
    if kind == "Conv":
        name = scope.maker.use("std.vision", "Conv")
        k, pad = scope.rng.choice(((1, 0), (3, 1)))
        _applied(scope, x, f"{name}[{c}, {out}, {k}, pad={pad}]", "conv", x.type.over(b, out, h, w), ("conv",), 6)
    elif kind == "ConvTranspose":
        name = scope.maker.use("std.vision", "ConvTranspose")
        _applied(scope, x, f"{name}[{c}, {out}, 2, stride=2]", "up", x.type.over(b, out, h * 2, w * 2),
                 ("conv_transpose",), 6)  # fmt: skip
    elif kind == "SqueezeExcite":
        name = scope.maker.use("std.vision", "SqueezeExcite")
        _applied(scope, x, f"{name}[{c}, 1]", "se", x.type, ("conv",), x.size)
    elif kind == "pixel":
        twice = scope.let(("concat[1](", x.ref, ", ", x.ref, ", -", x.ref, ", ", x.ref, ")"),
                          x.type.over(b, c * 4, h, w), ("concat", "neg"), size=x.size)  # fmt: skip
        name = scope.maker.use("std.vision", "pixel_shuffle")
        scope.let((f"{name}[2](", twice.ref, ")"), x.type.over(b, c, h * 2, w * 2), ("rearrange",), size=x.size)
    else:
        name = scope.maker.use("std.reparam", kind)
        for axis in (b, h, w):
            if scope.at(axis) >= 2 and not axis.is_number:
                scope.require(f"{axis if axis.name else f'({axis})'} >= 2")
                break
        scope.block.facts.add("states")
        k = 3 if kind == "RepConv" else scope.rng.choice((1, 3))
        more = f", {k}, pad={k // 2}" if kind == "ConvNorm" else ""
        _applied(scope, x, f"{name}[{c}, {out}{more}]", "rep", x.type.over(b, out, h, w), ("conv", "batch_norm"), 6)


def wrapped(scope: Scope) -> None:
    """Blocks around other blocks: LoRA, WeightNorm, Residual, experts."""
    x = scope.find(lambda v: v.elem == "float" and v.rank in (1, 2, 3) and not v.type.packed and v.type.dims[-1].static)
    if x is None:
        return parameter(scope)
    x = scope.tame(x)
    d = x.type.dims[-1]
    scope.maker.use("std.nn", "Linear")
    form = scope.rng.choice(("LoRA", "WeightNorm", "Residual", "LayerScale", "MoE", "PHM"))
    if form == "Residual":
        name = scope.maker.use("std.nn", "Residual")
        _applied(scope, x, f"{name}[Linear[{d}, {d}]]", "res", x.type, ("linear", "add"), x.size + 4)
    elif form == "LayerScale":
        name = scope.maker.use("std.nn", "LayerScale")
        _applied(scope, x, f"{name}[{d}, init=0.5]", "scale", x.type, ("mul",), x.size)
    elif form == "MoE" and x.rank == 2 and d.is_number:
        name = scope.maker.use("std.experts", "MoE")
        _applied(scope, x, f"{name}[Linear[{d}, {d}, ...], experts=2, k=1]", "moe", x.type, ("topk", "linear"), 4)
    elif form in ("LoRA", "WeightNorm"):
        name = scope.maker.use("std.reparam", form)
        more = ", 1" if form == "LoRA" else ""
        _applied(scope, x, f"{name}[Linear[{d}, {d}]{more}]", "wrapped", x.type, ("linear",), x.size * 2)
    else:
        name = scope.maker.use("std.nn", "identity")
        scope.let((x.ref, f" |> {name} |> tanh"), x.type, ("tanh",))


def pooled(scope: Scope) -> None:
    """A pool of a poset."""
    x = scope.find(lambda v: v.elem == "float" and v.rank == 4 and not v.type.packed
                   and scope.at(v.type.dims[2]) > 1 and scope.at(v.type.dims[3]) > 1)  # fmt: skip
    if x is None:
        return parameter(scope)
    b, c, h, w = x.type.dims
    if scope.at(h) % 2 or scope.at(w) % 2:
        return
    for axis in (h, w):
        if not axis.is_number:
            scope.require(f"{axis if axis.name else f'({axis})'} % 2 == 0")
    half = x.type.over(b, c, h // 2, w // 2)
    relation = scope.rng.choice(('"a<b, c<d"', '"a<{b,c}<d"', '"{a,b}<c"', '"zigzag"', '"fork"'))
    scope.let((f"poset_pool[{relation}](", x.ref, ")"), half, ("max", "add"), size=x.size * 4)


RULES = ((heads, 0.6), (recurrent, 0.5), (images, 0.8), (wrapped, 0.8), (pooled, 0.3))
