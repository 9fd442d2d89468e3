"""Initializers that a class sets for all layers of one kind below it: a loop over its modules says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ogive.backends.python_text.expr import Code, attribute, call, is_given, name
from ogive.backends.python_text.module_tree import ModuleNode
from ogive.backends.python_text.statements import For, If, Statement
from ogive.backends.pytorch.names import SELF, access
from ogive.backends.pytorch.weights.inits import Initial, Maker, initialized, target_of
from ogive.backends.pytorch.weights.layers import kind_of
from ogive.compiler.ir.model import Definition, Init, Instance, Weight

FEW = 3  # weights that are better named one by one


@dataclass(frozen=True, slots=True)
class LayerWeight:
    """A weight of a layer of torch. `target` is its expression, None where no expression of the class reaches it."""

    target: Code | None
    kind: str  # nn.Linear
    name: str


def layer_weights(place: ModuleNode, target: Code = SELF) -> Iterator[LayerWeight]:
    """The weights of all layers of torch at a place and below it."""
    if isinstance(place.member, Instance):
        yield from _of_instance(place.member, target)
    for label, child in place.children.items():
        if label == "*":
            yield from (LayerWeight(None, weight.kind, weight.name) for weight in layer_weights(child))
        else:
            yield from layer_weights(child, access(label, target))


def _of_instance(instance: Instance, target: Code) -> Iterator[LayerWeight]:
    reached = not instance.omitted
    for weight in _of_definition(instance.definition, target):
        yield weight if reached else LayerWeight(None, weight.kind, weight.name)


def _of_definition(definition: Definition, target: Code) -> Iterator[LayerWeight]:
    kind = kind_of(definition)
    for member in definition.members:
        if kind is not None and isinstance(member, Weight) and member.kind == "param":
            yield LayerWeight(target_of(target, member.path, definition), kind, member.path)
        elif kind is None and isinstance(member, Instance):
            below = _of_instance(member, access(member.path, target) if "*" not in member.path else target)
            for weight in below:
                yield weight if "*" not in member.path else LayerWeight(None, weight.kind, weight.name)


def whole_kinds(initial: Initial, root: ModuleNode, maker: Maker) -> tuple[Statement, ...]:
    """The loop over modules; what it sets is taken out of `initial`, exceptions stay in it."""
    weights = list(layer_weights(root))
    loop: list[Statement] = []
    for kind in dict.fromkeys(weight.kind for weight in weights):
        mine = [weight for weight in weights if weight.kind == kind]
        names = dict.fromkeys(weight.name for weight in mine)
        most = max(sum(weight.name == each for weight in mine) for each in names)
        body: list[Statement] = []
        for each in names:
            targets = [weight.target for weight in mine if weight.name == each]
            init = _common(initial, targets)
            if init is not None:
                maybe = len(targets) < most or (kind.startswith("nn.Conv") and each == "bias")
                body.append(_statement(init, each, maker, maybe))
        if body:
            loop.append(If(call("isinstance", name("module"), name(kind)), tuple(body)))
    return (For(name("module"), call("self.modules"), tuple(loop)),) if loop else ()


def _common(initial: Initial, targets: list[Code | None]) -> Init | None:
    """The initializer of most of these weights, if the class sets one for each of them."""
    found = [initial.direct.get(target) if target is not None else None for target in targets]
    given = [init for init in found if init is not None]
    if len(given) < len(targets) or len(targets) < FEW:
        return None
    (init, count), *_ = Counter(given).most_common(1)
    if count < 2 or init.graph is not None or dict(init.attrs).keys() & {"seed"}:
        return None
    for target in targets:
        if target is not None and initial.direct[target] == init:
            del initial.direct[target]
    return init


def _statement(init: Init, weight: str, maker: Maker, maybe: bool) -> Statement:
    target = attribute(name("module"), weight)
    made = initialized(target, init, maker.number)
    return If(is_given(target), (made,)) if maybe else made
