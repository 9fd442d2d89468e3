"""The pass `expert_average`: chosen blocks become experts while training; undone, their mean is the plain model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ogive.compiler.ir import Definition, Init, Model, Node, Value, Weight
from ogive.compiler.ops.spec import Pattern
from ogive.compiler.passes.conversion import Conversion, conversion
from ogive.compiler.passes.conversion_scope import Scope
from ogive.compiler.passes.deploy_passed import Note, Passed, PassError
from ogive.compiler.passes.expert_block import experts as expert_block
from ogive.compiler.passes.frame import named_apart, with_callees
from ogive.compiler.passes.substitute import Fresh
from ogive.compiler.sizes import size
from ogive.compiler.types import Axis, TensorType
from ogive.compiler.weights import WeightInfo, weights

Change = Callable[[Scope, str], str]


def expert_average(model: Model, *, at: str = "MLP", experts: int = 4, share: float = 0.3) -> Passed:
    """Make experts of the block named `at`, equal copies at first.

    After each step of the optimizer `net.after_step()` moves every expert by `share` to the mean of the others.
    """
    if isinstance(experts, bool) or experts < 2:
        raise PassError("E0810", f"`experts` is a number of at least 2, not {experts}")
    if not 0 <= share <= 2 * (experts - 1) / experts:
        raise PassError("E0810", f"`share` lies between 0 and 2 (N - 1)/N; beyond that experts fly apart: {share}")
    notes: list[Note] = []
    result = _replaced(model, at, experts, share, notes)
    if not notes:
        raise PassError("E0811", f"{model.name} uses no block `{at}` with weights")
    return Passed(result, _each_weight(model, result, copies(experts)), tuple(notes))


def averaged(trained: Model, plain: Model) -> Conversion:
    """The weights of the plain model from those of its form with experts: the mean of each."""
    return _each_weight(trained, plain, lambda scope, value: scope.op("mean", value, axes=(0,)))


def _replaced(model: Model, at: str, count: int, share: float, notes: list[Note]) -> Model:
    done: dict[str, Definition] = {}

    def rewritten(definition: Definition) -> Definition:
        if definition.name not in done:
            if at in (definition.name, definition.block.rpartition(".")[2]) and not definition.stateless:
                done[definition.name] = expert_block(definition, count, share)
                notes.append(Note(True, definition.name, f"{count} experts, share {share}"))
            else:
                done[definition.name] = with_callees(definition, rewritten)
        return done[definition.name]

    model = named_apart(model)
    return replace(model, definition=rewritten(model.definition))


def copies(count: int) -> Change:
    """Every expert is the source."""

    def copied(scope: Scope, value: str) -> str:
        names = " ".join(f"a{at}" for at in range(len(scope.shape(value))))
        return scope.op("expand", value, pattern=Pattern(f"{names} -> e {names}", {"e": size(count)}))

    return copied


def _each_weight(source: Model, result: Model, change: Change) -> Conversion:
    """The conversion that changes each weight whose shape differs."""
    theirs = {info.path: info for info in weights(source)}
    root = Scope("", size(1), Fresh(set()))
    for info in weights(result):
        known = theirs[info.path]
        if known.shape == info.shape:
            continue
        scope = _scope(root, info)
        type = TensorType(known.elem, tuple(Axis(size(n)) for n in known.shape))
        name = scope.fresh.name("weight")
        scope.add(Node("weight", (), (Value(name, type),), path=info.path))
        new = TensorType(info.elem, tuple(Axis(size(n)) for n in info.shape))
        scope.targets[info.path] = (change(scope, name), Weight(info.path, new, "param", Init("zeros")))
    graph, targets = root.close()
    return conversion(source, result, graph, targets)


def _scope(root: Scope, info: WeightInfo) -> Scope:
    """The scope of a weight: a loop for each `*` of its path."""
    parts = info.path.split(".")
    scope = root
    for at, count in zip([i for i, part in enumerate(parts) if part == "*"], info.turns, strict=True):
        scope = scope.loop(".".join(parts[:at]), size(count))
    return scope
