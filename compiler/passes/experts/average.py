"""The pass `expert_average`, blocks become experts while training, and `merge_experts`: their mean, the plain model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from ogive.compiler.ir.attributes import WeightAttrs
from ogive.compiler.ir.model import Definition, Init, Model, Node, Value, Weight
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir.weights import WeightInfo, weights
from ogive.compiler.ops.spec import Pattern
from ogive.compiler.passes.conversion.graph import Conversion, conversion
from ogive.compiler.passes.conversion.result import Note, Passed, PassError
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.experts.block import COUNTER, Experts, plain_of
from ogive.compiler.passes.experts.block import experts as expert_block
from ogive.compiler.passes.experts.partition import PARTITIONS
from ogive.compiler.passes.infra.driver import with_callees
from ogive.compiler.passes.infra.instance_paths import changed, instances, matches, turned
from ogive.compiler.sizes import size
from ogive.grammar.spelling import close

Change = Callable[[ConversionScope, str], str]


def expert_average(
    model: Model, *, at: str | tuple[str, ...] = "MLP", experts: int = 4, share: float = 0.3, warmup: int = 0,
    partition: str = "all",
) -> Passed:  # fmt: skip
    """Make experts of the blocks that `at` names, equal copies at first.

    `at` is the name of a block or a path (`blocks.*.mlp`), with `*` for any part, or a list of them. After each step of
    the optimizer `net.after_step()` moves every expert by `share` to the mean of the others; the share grows from 0
    over the first `warmup` steps. `partition` says which tokens are permuted together ("all", "shared", "example").
    """
    options = _options(experts, share, warmup, partition)
    patterns = (at,) if isinstance(at, str) else at
    below = list(instances(model.definition))
    missed = [each for each in patterns if not any(matches(path, i.definition, (each,)) for path, i in below)]
    if not patterns:
        raise PassError("E0810", "`at` is an empty list: it names the blocks of which experts are made")
    if missed:
        raise PassError("E0811", f"{model.name} has no block with weights at {_listed(missed)}", _known(model, missed))
    found = {path: i for path, i in below if matches(path, i.definition, patterns)}
    for path in found:
        _alone(model.definition, path)

    def chosen(path: str, definition: Definition) -> bool:
        return path in found

    result = changed(model, chosen, lambda definition: expert_block(definition, options))
    text = f"{experts} experts, share {share}" + (f" after {warmup} steps" if warmup else "")
    notes = tuple(Note(True, path, f"{found[path].definition.name} became {text}") for path in found)
    return Passed(result, _each_weight(model, result, copies(experts)), notes)


def merge_experts(model: Model) -> Passed:
    """Undo `expert_average`: the mean of the experts of each weight, in the plain model under its plain names."""
    notes = []
    done: dict[int, Definition] = {}  # definitions may share names

    def rewritten(definition: Definition) -> Definition:
        if id(definition) not in done:
            plain = plain_of(definition)
            done[id(definition)] = with_callees(definition, rewritten) if plain is None else plain
            if plain is not None:
                notes.append(Note(True, definition.name, f"became {plain.name}, with the mean of its experts"))
        return done[id(definition)]

    result = replace(model, definition=rewritten(model.definition))
    if not notes:
        raise PassError("E0811", f"{model.name} has no experts to merge", "`expert_average` makes them")
    return Passed(result, _each_weight(model, result, lambda scope, x: scope.op("mean", x, axes=(0,))), tuple(notes))


def _options(experts: int, share: float, warmup: int, partition: str) -> Experts:
    if not _whole(experts) or experts < 2:
        raise PassError("E0810", f"`experts` is a number of at least 2, not {experts}")
    if isinstance(share, str | bool) or not 0 <= share <= 2 * (experts - 1) / experts:
        raise PassError("E0810", f"`share` lies between 0 and 2 (N - 1)/N; beyond that experts fly apart: {share}")
    if not _whole(warmup) or warmup < 0:
        raise PassError("E0810", f"`warmup` is a number of steps, not {warmup}")
    if partition not in PARTITIONS:
        known = ", ".join(PARTITIONS)
        raise PassError("E0810", f"`partition` is one of {known}, not `{partition}`", close(str(partition), PARTITIONS))
    return Experts(experts, float(share), warmup, partition)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _listed(patterns: Iterable[str]) -> str:
    return ", ".join(f"`{pattern}`" for pattern in patterns)


def _known(model: Model, patterns: Iterable[str]) -> str:
    """What may have been meant: the iterations of a loop together, or the nearest name or path."""
    below = list(instances(model.definition))
    for pattern in patterns:
        if any(matches(path, i.definition, (turned(pattern),)) for path, i in below):
            return f"the iterations of a `repeat` share one body: write `{turned(pattern)}`"
    names = {i.definition.block.rpartition(".")[2] for _, i in below} | {path for path, _ in below}
    found = (close(pattern, sorted(names)) for pattern in patterns)
    return next((text for text in found if text), "")


def _alone(definition: Definition, path: str) -> None:
    """Refuse a block below that shares weights with something else, or is vectorized."""
    for instance in definition.instances:
        below = path[len(instance.path) + 1 :] if path.startswith(instance.path + ".") else None
        if path != instance.path and below is None:
            continue
        uses = [node for node in definition.graph.walk() if node.op == "call" and node.path == instance.path]
        inside = f"{path}."
        read = any(node.op in ("weight", "update") and node.path.startswith(inside) for node in definition.graph.walk())
        if instance.omitted or any(node.supplied for node in uses) or read:
            raise PassError("E0811", f"`{path}` has weights that something else holds or reads: tied ones have no mean")
        if instance.keeps:
            raise PassError("E0811", f"`{path}` keeps weights in bounds; averaging would leave them")
        if instance.vectorized is not None:
            raise PassError("E0811", f"`{path}` is vectorized by `each`: experts have no one axis to stack on")
        if below is not None:
            _alone(instance.definition, below)


def copies(count: int) -> Change:
    """Every expert is the source."""

    def copied(scope: ConversionScope, value: str) -> str:
        names = " ".join(f"a{at}" for at in range(len(scope.shape(value))))
        return scope.op("expand", value, pattern=Pattern(f"{names} -> e {names}", {"e": size(count)}))

    return copied


def _each_weight(source: Model, result: Model, change: Change) -> Conversion:
    """The conversion that changes each weight whose shape differs; a count of steps starts at 0."""
    theirs = {info.path: info for info in weights(source)}
    root = ConversionScope("", size(1), Fresh(set()))
    for info in weights(result):
        known = theirs.get(info.path)
        if known is not None and known.shape == info.shape:
            continue
        scope = _scope(root, info)
        new = TensorType(info.elem, tuple(Axis(size(n)) for n in info.shape))
        if known is None:
            assert info.path.endswith(COUNTER), info.path
            made = scope.op("cast", scope.op("zeros", sizes=()), type="int")
        else:
            type = TensorType(known.elem, tuple(Axis(size(n)) for n in known.shape))
            name = scope.fresh.name("weight")
            scope.add(Node.of(WeightAttrs(info.path), (), (Value(name, type),)))
            made = change(scope, name)
        scope.targets[info.path] = (made, Weight(info.path, new, info.weight.kind, Init("zeros")))
    graph, targets = root.close()
    return conversion(source, result, graph, targets)


def _scope(root: ConversionScope, info: WeightInfo) -> ConversionScope:
    """The scope of a weight: a loop for each `*` of its path."""
    parts = info.path.split(".")
    scope = root
    for at, count in zip([i for i, part in enumerate(parts) if part == "*"], info.iterations, strict=True):
        scope = scope.loop(".".join(parts[:at]), size(count))
    return scope
