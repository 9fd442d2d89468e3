"""Productions: weights and states, taps, uses of blocks, layers of the library, weights from outside."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from generated import blocks
from generated.dims import Dim, Type
from generated.scope import Scope, Var
from generated.tree import Block, Let, Parts, Plain, Ref, Weight

Fill = Callable[[Scope, int], None]
INITS = ("normal", "normal[std=0.5]", "ones", "zeros", "uniform[-1.0, 1.0]", "constant[0.5]",
"trunc_normal[0.3]", "normal[0.1, 0.2]",
         "normal[seed=3]", "0.1 * normal + 0.5", "log(expm1(uniform[0.01, 0.1]))", "-exp(constant[0.25])")  # fmt: skip
MATRICES = ("xavier_uniform", "xavier_normal[0.5]", "orthogonal", "kaiming_uniform[a=1.0]", "kaiming_normal", "eye",
            'kaiming_uniform[1.0, "fan_out"]', "tril(uniform[0.1, 0.9])", "uniform[0.0, 0.5, seed=7]")  # fmt: skip
KEEPS = ("", "", "", "clamp[-1.0, 1.0]", "relu", "hardtanh", "abs")  # a constraint may run twice


def static_axes(var: Var) -> list[Dim]:
    return [axis for axis in var.axes if isinstance(axis, Dim) and axis.static]


def parameter(scope: Scope) -> None:
    """param, over axes whose sizes the model tells."""
    var = scope.real(1)
    axes: list[Dim] = []
    for axis in reversed(var.axes):
        if not isinstance(axis, Dim) or not axis.static or len(axes) == 2:
            break
        axes.insert(0, axis)
    ref = Ref(scope.place(scope.rng.choice(("w", "gain", "table", "shift"))))
    type = Type("float", tuple(axes))
    init = scope.rng.choice(MATRICES if len(axes) == 2 and scope.chance(0.5) else INITS)
    scope.body.append(Weight("param", ref, type, (init,), scope.rng.choice(KEEPS)))
    scope.block.weighty = True
    made = Var(ref, type, 2.0, fixed=True)
    scope.vars.append(made)
    sign, tag = scope.rng.choice(((" * ", "mul"), (" + ", "add")))
    scope.let((var.ref, sign, ref), var.type, (tag,), size=var.size * 2)


def state(scope: Scope) -> None:
    """state and update."""
    if "state" not in scope.allow:
        return parameter(scope)
    var = scope.tame(scope.real(0, 3, plain=True))
    axes: list[Dim] = []
    for axis in reversed(var.type.dims):
        if not axis.static or len(axes) == 2:
            break
        axes.insert(0, axis)
    ref = Ref(scope.place(scope.rng.choice(("m", "seen_mean", "memory", "old"))))
    type = Type("float", tuple(axes))
    scope.body.append(Weight("state", ref, type, (scope.rng.choice(("zeros", "ones", "constant[0.5]")),)))
    scope.block.weighty = True
    scope.block.facts.add("states")
    gone = len(var.axes) - len(axes)
    rest = f"mean[{', '.join(map(str, range(gone)))}](" if gone else "tanh("
    late = scope.let((var.ref, " + 0.5 * ", ref), var.type, ("mul", "add"), size=var.size + 1)
    parts: Parts = ("update ", ref, " = 0.75 * ", ref, " + 0.25 * ", rest, late.ref, ")")
    scope.body.append(Plain(parts, ("update", "mul", "mul", "add", "mean" if gone else "tanh")))
    scope.vars.append(Var(ref, type, 2.0, fixed=True))
    if scope.chance(0.4):
        scope.let((var.ref, " - ", ref), var.type, ("sub",), size=var.size + 1)


def counter(scope: Scope) -> None:
    """A state of whole numbers."""
    if "state" not in scope.allow:
        return parameter(scope)
    ref = Ref(scope.place("steps"))
    scope.body.append(Weight("state", ref, Type("int", ()), ("zeros",)))
    scope.block.weighty = True
    scope.block.facts.add("states")
    scope.body.append(Plain(("update ", ref, " = ", ref, " + 1"), ("update", "add")))
    scope.vars.append(Var(ref, Type("int", ()), 4.0, fixed=True))


def tap(scope: Scope) -> None:
    var = scope.find(lambda v: v.elem == "float")
    if var is None or "tap" not in scope.allow:
        return parameter(scope)
    scope.body.append(Plain((f"tap {scope.place('seen')} = ", var.ref), ("tap",)))
    scope.block.facts.add("taps")


def assume(scope: Scope) -> None:
    """require and assume: what holds at the sizes that are tried."""
    names = scope.sure
    if not names:
        return
    name = scope.rng.choice(names)
    value = scope.block.values[name]
    text = scope.rng.choice((f"{name.text} >= 1", f"{name.text} <= {value + 40}", f"{name.text} + 1 > 1"))
    scope.body.append(Plain((f"{scope.rng.choice(('require', 'assume'))} {text}",), ("assume",)))


# --- the library ------------------------------------------------------------------------------------------------------


def _static_last(scope: Scope, low: int = 1, high: int = 4) -> Var | None:
    return scope.find(
        lambda v: v.elem == "float" and low <= v.rank <= high and isinstance(v.axes[-1], Dim) and v.axes[-1].static
    )


def linear(scope: Scope) -> None:
    x = _static_last(scope)
    if x is None:
        return parameter(scope)
    x = scope.tame(x)
    d = x.axes[-1]
    assert isinstance(d, Dim)
    k = d if scope.chance(0.5) else Dim.of(scope.rng.randint(1, 3))
    more = ", bias=false" if scope.chance(0.3) else ""
    scope.maker.use("std.nn", "Linear")
    scope.block.weighty = True
    name = scope.place("lin")
    type = x.type.over(*x.axes[:-1], k)
    if scope.chance(0.6):
        scope.let(
            (x.ref, f" |> Linear[{d}, {k}{more}] as {name}"), type, ("linear", "weighty"), size=x.size * 2, pure=False
        )
    else:
        ref = Ref(name)
        scope.body.append(Let([ref], (f"Linear[{d}, {k}{more}]",), [None], ("instance",), pure=False))
        made = scope.let((ref, "(", x.ref, ")"), type, ("linear",), size=x.size * 2, pure=False)
        if k == d and scope.chance(0.4):
            scope.let((ref, "(", made.ref, ")"), type, ("linear", "shared"), size=x.size * 4, pure=False)
        outer = "path" in scope.allow  # loops have paths of their own
        if outer and scope.chance(0.3):
            scope.body.append(
                Plain(
                    (f"init {name}.weight = {scope.rng.choice(('constant[0.25]', 'uniform[-0.5, 0.5]', 'eye'))}",),
                    ("init",),
                )
            )
        if outer and scope.chance(0.3):
            scope.body.append(
                Plain((f"keep {name}.weight = {scope.rng.choice(('relu', 'clamp[-0.5, 0.5]', 'abs'))}",), ("keep",))
            )
        if scope.chance(0.3):
            scope.let(("sum(", ref, ".weight ** 2)"), Type("float", ()), ("pow", "sum"), size=9, pure=False)
        if scope.chance(0.25):
            scope.let(
                (ref, "(", x.ref, ", weight=0.5 * ", ref, ".weight)"), type, ("linear", "mul"), size=x.size, pure=False
            )


def layer(scope: Scope) -> None:
    """A norm, an embedding, a gate, a composition."""
    roll = scope.rng.randrange(8)
    x = _static_last(scope)
    if x is None:
        return parameter(scope)
    d = x.axes[-1]
    assert isinstance(d, Dim)
    if roll == 0:
        name = scope.maker.use("std.nn", scope.rng.choice(("LayerNorm", "RMSNorm")))
        scope.block.weighty = True
        form = scope.rng.choice((f"{name}[{d}]", name))
        scope.let(
            (x.ref, f" |> {form} as {scope.place('ln')}"),
            x.type,
            ("layer_norm" if name == "LayerNorm" else "rms_norm", "weighty"),
            size=4,
            pure=False,
        )
    elif roll == 1:
        ids = scope.find(lambda v: v.elem == "int" and v.rank < 3)
        if ids is None:
            return linear(scope)
        n = scope.rng.randint(2, 5)
        name = scope.maker.use("std.nn", "Embedding")
        scope.block.weighty = True
        scope.let((ids.ref, f" % {n} |> {name}[{n}, {d}]") if False else (f"{name}[{n}, {d}](", ids.ref, f" % {n})"),
                  Type("float", (*ids.axes, d)), ("mod", "take", "weighty"), size=2, pure=False)  # fmt: skip
    elif roll == 2:
        tamed = scope.tame(x)
        name = scope.maker.use("std.nn", "Linear")
        scope.block.weighty = True
        act = scope.rng.choice(("relu", "gelu", "tanh", "silu"))
        ref = Ref(scope.place("mlp"))
        scope.body.append(
            Let([ref], (f"{name}[{d}, 3] >> {act} >> {name}[3, {d}]",), [None], ("instance",), pure=False)
        )
        scope.let((ref, "(", tamed.ref, ")"), x.type, ("linear", act, "linear"), size=4, pure=False)
    elif roll == 3:
        name = scope.maker.use(
            "std.nn",
            scope.rng.choice(("softsign", "tanhshrink", "log_sigmoid", "selu", "celu", "hardshrink", "softshrink")),
        )
        scope.let((f"{name}(", x.ref, ")"), x.type, ("call",), size=x.size * 2)
    elif roll == 4:
        spatial = scope.find(
            lambda v: v.elem == "float" and v.rank in (3, 4) and not v.type.packed and v.type.dims[1].static
        )
        if spatial is None:
            return linear(scope)
        c = spatial.type.dims[1]
        form = scope.rng.choice(("BatchNorm", "GroupNorm", "InstanceNorm", "PReLU"))
        if form == "BatchNorm" and (
            "state" not in scope.allow or all(scope.at(a) < 2 for i, a in enumerate(spatial.type.dims) if i != 1)
        ):
            form = "GroupNorm"
        if form == "BatchNorm":
            wide = next(a for i, a in enumerate(spatial.type.dims) if i != 1 and scope.at(a) > 1)
            if not wide.is_number:
                scope.require(f"{wide if wide.name else f'({wide})'} >= 2")
            scope.block.facts.add("states")
        name = scope.maker.use("std.nn", form)
        text = {"BatchNorm": f"[{c}]", "GroupNorm": f"[1, {c}]", "InstanceNorm": f"[{c}]", "PReLU": f"[{c}]"}[form]
        scope.block.weighty = True
        scope.let(
            (spatial.ref, f" |> {name}{text} as {scope.place('norm')}"),
            spatial.type,
            ("batch_norm" if form == "BatchNorm" else "group_norm", "weighty"),
            size=5,
            pure=False,
        )
    elif roll == 5:
        act = scope.rng.choice(("relu", "tanh", "silu", "sin"))
        scope.let(
            (x.ref, f" |> ({act} >> {scope.rng.choice(('tanh', 'erf', 'sigmoid'))})"), x.type, (act, "tanh"), size=2
        )
    else:
        linear(scope)


def combined(scope: Scope) -> None:
    """A block that takes a block: by name, as brackets, as a composition, as an instance."""
    x = _static_last(scope, 1, 3)
    if x is None:
        return parameter(scope)
    x = scope.tame(x)
    d = x.axes[-1]
    program = scope.maker.program
    name = f"Twice{scope.rng.choice('ABC')}"
    known = next((b for b in program.blocks if b.name == name), None)
    if known is None:
        # its pack may be called as one of the caller's, and be another; drawn apart, so that other draws stay
        pack = Random(f"{program.seed}/{name}").choice(("s", "lead", "q"))
        typed = {"TwiceA": "F: block", "TwiceB": f"F: [*{pack}] -> [*{pack}]", "TwiceC": "F: block = tanh"}[name]
        block = Block(name, [blocks.Static("F", typed, "F")])
        from generated.dims import Pack
        from generated.tree import Input, Output, Return

        ref, made = Ref("x"), Ref("y")
        type = Type("float", (Pack(pack),))
        block.inputs, block.outputs = [Input(ref, type)], [Output(type)]
        block.body = [
            Let([made], ("F(", ref, ")"), [type], ("call",)),
            Return([("F(", made, f") + 0.5 * ones[*{pack}] * ", ref)]),
        ]
        block.result = [type]
        block.facts.add("generic")
        program.blocks.append(block)
        scope.maker.taken.add(name)
    scope.maker.use("std.nn", "Linear")
    choices = ["relu", "sin", "tanh >> erf"]
    if name != "TwiceB":
        choices += [f"Linear[{d}, {d}]", f"Linear[{d}, {d}, ...]", f"Linear[{d}, 2] >> relu >> Linear[2, {d}]"]
    given = scope.rng.choice(choices)
    weighty = "Linear" in given
    if weighty:
        scope.block.weighty = True
        scope.let(
            (x.ref, f" |> {name}[{given}] as {scope.place('twice')}"), x.type, ("call", "weighty"), size=6, pure=False
        )
    else:
        scope.let((f"{name}[F={given}](", x.ref, ")"), x.type, ("call",), size=6)


SIMPLE = (
    (parameter, 1.2), (state, 0.8), (counter, 0.15), (tap, 0.5), (assume, 0.3), (linear, 1.4), (layer, 1.6),
    (combined, 0.5),
)  # fmt: skip
