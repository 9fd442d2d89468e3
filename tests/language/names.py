"""A program for each role that a name can have: `NAME` stands where it is given, and the sizes of its inputs."""

from __future__ import annotations

Shapes = tuple[tuple[int, ...], ...]


def net(body: str, inputs: str = "x0: [b, d]", head: str = "Net[d=4]", gives: str = "[b, d]", before: str = "") -> str:
    """A block with a body, and its model."""
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    return f"use std.nn (Linear)\n{before}block {head}({inputs}) -> {gives}:\n{lines}model M0 = Net\n"


IN = "block In[n](x0: [b, n]) -> [b, n]:\n    param NAME: [n] = normal\n    return x0 * NAME\n"
SCAN = "scan {} in x0 along n carry {} = zeros[b, d]:\n    {} = tanh({} + {})\n    yield {} = {}\nreturn {}"


def scan(x: str, h: str, ys: str) -> str:
    """A scan with these names."""
    return net(SCAN.format(x, h, h, h, x, ys, h, ys), "x0: [b, n, d]", "Net", "[b, n, d]")


ONE: Shapes = ((2, 4),)
TWO: Shapes = ((2, 4), (2, 4))
ROLES: dict[str, tuple[str, Shapes]] = {
    "input": (net("t0 = x0 * NAME\nreturn softmax[-1](t0) + NAME", "x0: [b, d], NAME: [b, d]"), TWO),
    "optional input": (
        net("if given(NAME):\n    x0 = x0 + NAME\nreturn x0 * 2", "x0: [b, d], NAME: [b, d]?"), TWO,
    ),
    "output": (net("return relu(x0), sum[-1](x0)", gives="(NAME: [b, d], other: [b])"), ONE),
    "optional output": (
        net("if given(q0):\n    m0 = q0 * 2\nreturn x0, m0", "x0: [b, d], q0: [b, d]?",
            gives="(o0: [b, d], NAME: [b, d]?)"),
        TWO,
    ),
    "value": (
        net("NAME = exp(x0)\nu0 = NAME * x0 + NAME\nNAME = u0 * NAME + sum(NAME)\nreturn NAME * NAME"), ONE,
    ),
    "tap": (net("tap NAME = exp(x0)\nreturn x0 + 1"), ONE),
    "input beside a tap": (
        net("tap t0 = exp(NAME)\nreturn NAME * x0", "NAME: [b, d], x0: [b, d]"), TWO,
    ),
    "param": (net("param NAME: [d] = normal keep clamp[-1, 1]\nreturn x0 * NAME + NAME"), ONE),
    "state": (net("state NAME: [d] = ones\nupdate NAME = NAME + mean[0](x0)\nreturn x0 * NAME"), ONE),
    "instance": (net("NAME = Linear[d, d]\nreturn NAME(NAME(x0)) * sum(NAME.weight)"), ONE),
    "place": (net("return x0 |> Linear[d, d] as NAME |> relu"), ONE),
    "place of a block": (
        net("return x0 |> In[d] as NAME |> relu", before=IN), ONE,
    ),
    "loop": (net("repeat 2 as NAME:\n    x0 = x0 |> Linear[d, d] as lin |> relu\nreturn x0"), ONE),
    "inner loop": (
        net("repeat 2 as h0:\n    repeat 2 as NAME:\n        x0 = x0 |> Linear[d, d] as lin |> relu\nreturn x0"), ONE,
    ),
    "unrolled loop": (
        net("for i, c in enumerate([1, 2]) as NAME:\n    x0 = c * (x0 |> Linear[d, d] as NAME |> relu)\nreturn x0"),
        ONE,
    ),
    "weight in an unrolled loop": (
        net("for i in range(2) as h0:\n    param NAME: [d] = normal\n    x0 = x0 * NAME\nreturn x0"), ONE,
    ),
    "state in an unrolled loop": (
        net("for i in range(2) as h0:\n    state NAME: [d] = ones\n    update NAME = NAME + mean[0](x0)\n"
            "    x0 = x0 * NAME\nreturn x0"),
        ONE,
    ),
    "number": (
        net("repeat 3 as h0 with NAME in range(3):\n    x0 = (x0 |> Linear[d, d] as lin |> relu) * NAME\nreturn x0"),
        ONE,
    ),
    "number of an unrolled loop": (
        net("for NAME in range(3):\n    x0 = (NAME + 1) * (x0 |> Linear[d, d] as lin |> relu)\nreturn x0"), ONE,
    ),
    "part and yield": (
        net("repeat 3 as h0 with NAME in q0:\n    x0 = (x0 |> Linear[d, d] as lin |> relu) * NAME\n"
            "    yield ysNAME = x0\nreturn x0 + sum[0](ysNAME)", "x0: [b, d], q0: [3, d]"),
        ((2, 4), (3, 4)),
    ),
    "carried": (
        net("NAME = x0\nrepeat 3 as h0:\n    NAME = (NAME |> Linear[d, d] as lin |> relu) + x0\nreturn NAME * 2"), ONE,
    ),
    "step": (scan("NAME", "h0", "ys0"), ((2, 3, 4),)),
    "carried of a scan": (scan("x_t", "NAME", "ys0"), ((2, 3, 4),)),
    "yield of a scan": (scan("x_t", "h0", "NAME"), ((2, 3, 4),)),
    "size": (
        net("return x0 * NAME + cast[float](arange[NAME])", "x0: [b, NAME]", "Net", "[b, NAME]"), ONE,
    ),
    "part of a size": (
        net('return rearrange["b (n t) -> b n t", t=2](x0) * NAME', "x0: [b, 2*NAME]", "Net", "[b, NAME, 2]"), ONE,
    ),
    "pack": (net("return x0 + zeros[*NAME, 1]", "x0: [*NAME, 4]", "Net", "[*NAME, 4]"), ONE),
    "static": (
        net("param w0: [NAME] = log(expm1(uniform[0.1, 0.2])) * NAME\nrepeat 2 as h0:\n"
            "    x0 = x0 |> Linear[NAME, NAME] as lin\nreturn x0 * NAME + w0",
            "x0: [b, NAME]", "Net[NAME=4]", "[b, NAME]"),
        ONE,
    ),
    "count": (
        net("repeat NAME as h0:\n    x0 = x0 |> Linear[4, 4] as lin\nreturn x0 * NAME", "x0: [b, 4]",
            "Net[NAME: nat = 2]", "[b, 4]"),
        ONE,
    ),
    "static of a block inside": (
        net("return x0 |> On[0.5] as a0 |> On[NAME=0.25] as b0",
            before="block On[NAME: float, n](x0: [b, n]) -> [b, n]:\n"
            "    param w0: [n] = normal[std=NAME]\n    return x0 * w0 * NAME\n"),
        ONE,
    ),
    "block handed over": (
        net("return x0 |> On[Linear[d, d]] as a0",
            before="block On[NAME: block](x0: [b, n]) -> [b, n]:\n    return NAME(x0) + x0\n"),
        ONE,
    ),
    "block": (
        net("return x0 |> NAME |> NAME", before="block NAME[n](x0: [b, n]) -> [b, n]:\n"
            "    return x0 |> Linear[n, n] as lin |> relu\n"),
        ONE,
    ),
    "function": (
        net("return x0 |> NAME |> relu |> NAME", before="block NAME(x0: [b, n]) -> [b, n]:\n"
            "    t0 = softmax[-1](x0)\n    return t0 * t0 * max(t0)\n"),
        ONE,
    ),
    "model": (net("tap t0 = x0\nreturn softmax[-1](x0)").replace("model M0", "model NAME"), ONE),
    "constant": (net("return softmax[-1](x0) * NAME", before="const NAME = 3\n"), ONE),
    "operand of a derivative": (
        net("return grad[E](x0)",
            before="block E(NAME: [b, n]) -> []:\n    return sum(NAME * NAME * exp(NAME))\n"), ONE,
    ),
    "operand of a derivative of one's own": (
        net("return custom_grad[Sq, Bk](x0)", before="block Sq(NAME: [b, n]) -> [b, n]:\n    return NAME * NAME\n"
            "block Bk(g0: [b, n], NAME: [b, n]) -> [b, n]:\n    return g0 * NAME * 3\n"),
        ONE,
    ),
    "weight from outside": (
        net("i0 = In[d]\nreturn i0(x0) + i0(x0, NAME=2 * i0.NAME)", before=IN), ONE,
    ),
    "only weight, from outside": (
        net("i0 = In[d]\nreturn i0(x0, NAME=t0)", "x0: [b, d], t0: [d]", before=IN), ((2, 4), (4,)),
    ),
    "flat weight": (
        net("i0 = In[d]\nreturn i0(x0, weights=t0)", "x0: [b, d], t0: [d]", before=IN), ((2, 4), (4,)),
    ),
    "everything at once": (
        net("param w0: [d] = normal\ntap t0 = NAME * w0\nr0 = 0.0 * randn[b, d]\nrepeat 2 as h0:\n"
            "    NAME = NAME |> Drop |> Linear[d, d] as lin\n    tap t1 = NAME\nreturn NAME + r0", "NAME: [b, d]",
            before="block Drop(NAME: [b, d]) -> [b, d]:\n"
            "    return NAME |> dropout[0.0] |> relu\n"),
        ONE,
    ),
}  # fmt: skip

NAMES = """
_ __ _x __x __x__ x_ x__ X x x' x'' x_prime y y_2 v i l O I e pi inf nan class def lambda import is in_ match case
type None_ training _modules _parameters _buffers _call_impl _forward_hooks _version _apply forward train half data
self torch nn F Tensor math Any Callable Sequence NamedTuple importlib __class__ __init__ __dict__ __slots__ __module__
range zip enumerate len min max int float bool list tuple print super object isinstance getattr reversed sum id input
expect misfit FLOATS once Calls Group Taps member CustomGrad linear_scan _prefix masked_softmax empty_rows weights_of
taps generator like seen outputs output path model turn turns layer run constrain after_step weight bias shape size
count index _fields _replace tap state update scan init keep repeat carry along reverse Net net M
""".split()
