"""Productions: lists of compile time, typed lines, statics of every kind, labels, blocks that choose."""

from __future__ import annotations

from generated.dims import Dim, Type
from generated.rules_elementwise import unary
from generated.scope import Scope, Var, labels_of
from generated.shapes import condition, like
from generated.tree import Let, Ref, Static


def listed(scope: Scope) -> None:
    """A list of tensors, spliced into an operation."""
    var = scope.real(1, 3, plain=True)
    others = [v for v in scope.vars if v.type == var.type]
    chosen = [var, *(scope.rng.choice(others) for _ in range(scope.rng.randint(1, 2)))]
    rows = Ref("parts")
    parts: list[str | Ref] = ["["]
    for number, each in enumerate(chosen):
        parts += [", ", each.ref] if number else [each.ref]
    scope.body.append(Let([rows], (*parts, "]"), [Type("float", ())], ("list",)))
    n = len(chosen)
    largest = max(v.size for v in chosen)
    if scope.chance(0.3):
        more = Ref("parts")
        scope.body.append(Let([more], (rows, " + [", var.ref, " * 2]"), [Type("float", ())], ("mul", "list")))
        rows, n, largest = more, n + 1, largest * 2
    roll = scope.rng.random()
    if roll < 0.4:
        axes = (var.type.dims[0] * n, *var.type.dims[1:])
        scope.let(("concat[0](*", rows, ")"), var.type.over(*axes), ("concat",), size=largest)
    elif roll < 0.7:
        scope.let(
            ("stack[0](*reversed(", rows, "))"), var.type.over(Dim.of(n), *var.type.dims), ("stack",), size=largest
        )
    else:
        at = scope.rng.choice(("-1", "0", "1"))
        scope.let((rows, f"[{at}] + ", rows, "[0]"), var.type, ("add",), size=largest * 2)


def typed(scope: Scope) -> None:
    """`y: [b, n] = e`, which names the axes; then operations speak of them by name."""
    var = scope.find(lambda v: v.elem == "float" and v.rank > 0 and not v.type.packed and distinct(v))
    if var is None:
        return unary(scope)
    made = scope.let((var.ref, " * 0.75"), var.type, ("mul",), size=var.size)
    last = scope.body[-1]
    assert isinstance(last, Let)
    last.typed = True
    made.labels = labels_of(made.type)
    label = scope.rng.choice([text for text in made.labels if text is not None])
    at = made.labels.index(label)
    kept = made.type.over(*(a for i, a in enumerate(made.axes) if i != at))
    name = scope.rng.choice(("softmax", "mean", "cumsum", "flip", "sort", "max"))
    type = kept if name in ("mean", "max") else made.type
    scope.let((f"{name}[{label}](", made.ref, ")"), type, (name,), size=made.size * 3)


def distinct(var: Var) -> bool:
    """Whether every axis is a name of its own."""
    if var.type.packed:
        return False
    texts = labels_of(var.type)
    return None not in texts and len(set(texts)) == len(texts)


def settings(scope: Scope) -> None:
    """Statics of other kinds: an axis, a list, a string, a whole number."""
    var = scope.real(1, 3, plain=True)
    kind = scope.rng.choice(("axis", "list", "int", "nat", "str"))
    name = scope.maker.fresh({"axis": "ax", "list": "many", "int": "by", "nat": "times", "str": "way"}[kind])
    if kind == "axis":
        at = scope.rng.randrange(var.rank)
        decl, given = (
            f"{name}: axis = {at - var.rank}",
            scope.rng.choice(("", f"{name}={at}", f"{name}={at - var.rank}")),
        )
        scope.block.statics.append(Static(name, decl, given))
        scope.let((f"softmax[{name}](", var.ref, ")"), var.type, ("softmax",))
    elif kind == "list":
        given = scope.rng.choice(("", f"{name}=[0.25, 1.5]", f"{name}=[1, 2, 3]"))
        scope.block.statics.append(Static(name, f"{name}=[0.5, 2.0]", given))
        scope.let((var.ref, f" * {name}[0] + len({name})"), var.type, ("mul", "add"), size=var.size + 4)
    elif kind == "int":
        scope.block.statics.append(Static(name, f"{name}=-1", scope.rng.choice(("", f"{name}=2", f"{name}=-3"))))
        scope.let((f"roll[0, {name}](", var.ref, ")"), var.type, ("roll",), size=var.size)
    elif kind == "nat":
        scope.block.statics.append(Static(name, f"{name}: nat = 0", scope.rng.choice(("", f"{name}=2"))))
        scope.let(("tanh(", var.ref, f") ** {name}"), var.type, ("tanh", "pow"))
    else:
        scope.block.statics.append(Static(name, f'{name}: str = "sum"', scope.rng.choice(("", f'{name}="other"'))))
        scope.let((var.ref, f' * (2.0 if {name} == "sum" else 0.5)'), var.type, ("mul",), size=var.size * 2)


def ruled(scope: Scope) -> None:
    """A rule for values of compile time."""
    name = scope.maker.fresh("ramp")
    scope.maker.program.consts.append(f"const {name}[n: nat] = [0.5 * i + 0.25 for i in range(n + 1)]")
    var = scope.real()
    scope.let((var.ref, f" * {name}[2][-1] - sum({name}[1])"), var.type, ("mul", "sub"), size=var.size * 2)


def mixed(scope: Scope) -> None:
    """What is written in one line: operations inside of operations."""
    a = scope.tame(scope.real(1, 3, plain=True))
    b = like(scope, a.type)
    where = condition(scope, a)
    form = scope.rng.randrange(4)
    if form == 0:
        scope.let(("relu(sin(", a.ref, ") * (", b.ref, " - tanh(", a.ref, " + 1)))"), a.type,
                  ("sin", "add", "tanh", "sub", "mul", "relu"), size=b.size + 1)  # fmt: skip
    elif form == 1:
        scope.let(("select(", where.ref, ", exp(-abs(", a.ref, ")), ", b.ref, " / (1 + ", b.ref, " ** 2))"), a.type,
                  ("exp", "neg", "abs", "pow", "add", "div", "select"), size=1)  # fmt: skip
    elif form == 2:
        scope.let(("-(", a.ref, " + ", b.ref, ") * (2 - ", a.ref, ") / 3"), a.type, ("add", "neg", "sub", "mul", "div"),
                  size=a.size * (a.size + b.size))  # fmt: skip
    else:
        scope.let(("(", a.ref, " - mean(", b.ref, ")) / (std(", b.ref, ") + 0.5)"), a.type,
                  ("mean", "sub", "std", "add", "div"), size=a.size * 3)  # fmt: skip


RULES = ((listed, 0.6), (typed, 0.8), (settings, 0.6), (ruled, 0.15), (mixed, 1.0))
