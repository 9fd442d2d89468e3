"""Blocks made where they are needed: their signature from the values at hand, then a body, then what they return."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from generated.dims import Axis, Dim, Name, Pack, Type
from generated.scope import Scope, Var, labels_of
from generated.shapes import like
from generated.tree import Block, Input, Let, Output, Parts, Ref, Region, Return, Static, Stmt, Weight, walk

LETTERS = ("b", "n", "d", "h", "m", "q", "w", "e", "g", "u")
Fill = Callable[[Scope, int], None]


@dataclass(frozen=True)
class Made:
    """A block, and what its sizes are where it is first used."""

    block: Block
    sizes: dict[Name, Dim]
    packs: dict[str, Pack]
    results: tuple[Type, ...]  # in the sizes of the user

    def type(self, type: Type) -> Type:
        """A type of the block in the sizes of the user."""
        axes = tuple(self.packs[a.text] if isinstance(a, Pack) else a.subs(self.sizes) for a in type.axes)
        return Type(type.elem, axes)


def signature(scope: Scope, block: Block, types: Sequence[Type], *, pack: bool) -> Made:
    """Declare inputs of these types, with sizes of the block's own."""
    names: dict[Dim, Dim] = {}
    sizes: dict[Name, Dim] = {}
    inner = Scope(scope.maker, block, [], [])
    packs: dict[str, Pack] = {}

    def axis(dim: Axis) -> Axis:
        if isinstance(dim, Pack):
            packs[dim.text] = dim
            return dim
        if dim.is_number and (dim.number <= 1 or scope.chance(0.4)):
            return dim
        if dim not in names:
            name = inner.size_name(scope.rng.choice(LETTERS), scope.at(dim), static=dim.static)
            names[dim], sizes[name] = Dim.of(name), dim
            if dim.static and scope.chance(0.6):
                block.statics.append(Static(name.text, name.text, f"{name.text}={dim}" if scope.chance(0.6) else ""))
        return names[dim]

    lead: tuple[Axis, ...] = ()
    if pack and types and not types[0].packed and len(types[0].axes) > 1 and scope.chance(0.8):
        lead = types[0].axes[: scope.rng.randint(1, len(types[0].axes) - 1)]
    for number, type in enumerate(types):
        hint = ("x", "y", "z", "u")[number] if number < 4 else f"x{number}"
        if lead and type.axes[: len(lead)] == lead and len(type.axes) > len(lead):
            found: list[Axis] = [Pack("s"), *map(axis, type.axes[len(lead) :])]
        elif lead:
            found = [axis(a) for a in type.axes]
        else:
            found = [axis(a) for a in type.axes]
        block.inputs.append(Input(Ref(hint), Type(type.elem, tuple(found))))
    if lead:
        packs["s"] = _Lead(lead)
    return Made(block, sizes, packs, ())


class _Lead(Pack):
    """The axes that a pack stands for at a use."""

    def __init__(self, axes: tuple[Axis, ...]) -> None:
        super().__init__("s")
        object.__setattr__(self, "axes", axes)


def spread(type: Type) -> Type:
    """A type with the axes of packs in their place."""
    axes: list[Axis] = []
    for axis in type.axes:
        axes += getattr(axis, "axes", (axis,)) if isinstance(axis, _Lead) else (axis,)
    return Type(type.elem, tuple(axes))


def make(
    scope: Scope,
    types: Sequence[Type],
    region: str,
    fill: Fill,
    *,
    steps: int,
    allow: frozenset[str],
    result: Callable[[Scope, list[Var]], list[Var]] | None = None,
    pack: bool = False,
    sizes: Sequence[float] = (),
) -> Made:
    """A new block on inputs of these types."""
    block = Block(scope.maker.fresh(scope.rng.choice(("F", "G", "Layer", "Mix", "step", "Part", "unit", "K"))))
    made = signature(scope, block, types, pack=pack)
    inputs = [
        Var(i.ref, i.type, size, labels_of(i.type))
        for i, size in zip(block.inputs, [*sizes, *[3.0] * len(types)], strict=False)
    ]
    regions = (*scope.regions, region) if region else scope.regions
    body = Scope(scope.maker, block, block.body, list(inputs), scope.depth + 1, regions, {}, allow)
    fill(body, steps)
    results = result(body, inputs) if result is not None else outputs(body, inputs)
    if not region and result is None and scope.chance(0.12):
        _early(body, results)
    block.body.append(Return([(var.ref,) for var in results]))
    block.result = [var.type for var in results]
    named = len(results) > 1 and scope.chance(0.3)
    block.outputs = [Output(var.type, f"o{i}" if named else "") for i, var in enumerate(results)]
    scope.maker.program.blocks.append(block)
    settle(block)
    return Made(block, made.sizes, made.packs, tuple(spread(made.type(type)) for type in block.result))


def _early(scope: Scope, results: list[Var]) -> None:
    """Another `return` under `if training:`; what follows is the other arm."""
    arm: list[Stmt] = []
    made: list[Parts] = []
    for var in results:
        if var.elem == "float":
            ref = Ref("early")
            arm.append(Let([ref], (var.ref, " * 0.5"), [var.type], ("mul",)))
            made.append((ref,))
        else:
            made.append((var.ref,))
    arm.append(Return(made))
    scope.body.append(Region("training", [("if training",)], [arm], tags=("training",)))
    scope.block.facts.add("training")


def settle(block: Block) -> None:
    """Note whether it owns weights."""
    block.weighty = block.weighty or any(
        isinstance(s, Weight) or (isinstance(s, Let) and ("instance" in s.tags or "weighty" in s.tags))
        for s in walk(block.body)
    )


def outputs(scope: Scope, inputs: list[Var]) -> list[Var]:
    """One to three values, late ones first; what nothing reads is likely to be among them."""
    read = {part for s in scope.body for part in _read(s)}
    known = [v for v in scope.vars if v not in inputs] or scope.vars
    unread = [v for v in known if v.ref not in read]
    chosen: list[Var] = []
    for var in reversed([*[v for v in known if v in unread], *(known[-1:])]):
        if var not in chosen and len(chosen) < scope.rng.choice((1, 1, 2, 3)):
            chosen.append(var)
    return chosen or [known[-1]]


def _read(statement: object) -> list[Ref]:
    from generated.tree import reads

    return reads(statement)  # type: ignore[arg-type]


def scalar(scope: Scope, inputs: list[Var]) -> list[Var]:
    """A number that depends on the first input and on most of what was made."""
    first = inputs[0]
    late = [v for v in scope.vars if v.elem == "float" and v not in inputs][-3:]
    form = scope.rng.choice(("sum(tanh(", "sum(sin(", "mean(silu("))
    tags = {"sum(tanh(": ("sum", "tanh"), "sum(sin(": ("sum", "sin"), "mean(silu(": ("mean", "silu")}[form]
    total = scope.let((form, first.ref, "))"), Type("float", ()), tags, size=4)
    for var in late:
        tamed = scope.tame(var)
        total = scope.let((total.ref, " + mean(", tamed.ref, ")"), Type("float", ()), ("mean", "add"), size=8)
    return [total]


def of_type(wanted: Type) -> Callable[[Scope, list[Var]], list[Var]]:
    """One value of a given type."""

    def result(scope: Scope, inputs: list[Var]) -> list[Var]:
        late = [v for v in scope.vars if v.type == wanted and v not in inputs]
        if late:
            return [late[-1]]
        return [merged(scope, like(scope, wanted))]

    return result


def merged(scope: Scope, var: Var) -> Var:
    """A value of the same type that also depends on a late one."""
    late = [v for v in scope.vars if v.elem == "float" and v is not var][-2:]
    small = scope.tame(var)
    if not late:
        return scope.let(("0.5 * ", small.ref, " + 0.1"), var.type, ("mul", "add"), size=2)
    other = scope.tame(scope.rng.choice(late))
    if other.type == var.type:
        return scope.let(
            ("0.5 * ", small.ref, " + sin(", other.ref, ")"), var.type, ("mul", "sin", "add"), size=small.size / 2 + 1
        )
    if other.rank == 0:
        return scope.let(
            ("0.5 * ", small.ref, " + 0.1 * ", other.ref), var.type, ("mul", "mul", "add"), size=small.size
        )
    return scope.let(
        ("0.5 * ", small.ref, " + tanh(mean(", other.ref, "))"),
        var.type,
        ("mul", "mean", "tanh", "add"),
        size=small.size / 2 + 1,
    )


# --- uses -------------------------------------------------------------------------------------------------------------


def brackets(scope: Scope, block: Block, *, open_: bool = False) -> str:
    """What stands in brackets behind the name of a block at a use."""
    given = [static.given for static in block.statics if static.given]
    if open_ and len(given) < len(block.statics):
        given.append("...")
    return f"[{', '.join(given)}]" if given else ""


def instance(scope: Scope, block: Block, name: str) -> Ref:
    """`f = F[...]`: one set of weights."""
    ref = Ref(name)
    text = brackets(scope, block) or "[]"
    scope.body.append(Let([ref], (f"{block.name}{text}",), [None], ("instance",), pure=False))
    scope.block.weighty = True
    return ref


def inherit(scope: Scope, block: Block) -> None:
    """What a block does, its user does."""
    scope.block.facts |= block.facts
    scope.block.weighty = scope.block.weighty or block.weighty


def several(head: Parts, args: Sequence[Var]) -> Parts:
    parts: list[str | Ref] = [*head, "("]
    for number, arg in enumerate(args):
        parts += [", ", arg.ref] if number else [arg.ref]
    return (*parts, ")")


__all__ = ["Region", "Static", "brackets", "inherit", "instance", "make", "merged", "scalar", "several"]
