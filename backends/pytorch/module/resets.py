"""How the weights of a class start: `reset_parameters`, which its constructor calls, and `init_weights` of a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ogive.backends.python_text.expr import NONE, Code, call, name
from ogive.backends.python_text.functions.file_state import EmittedFile
from ogive.backends.python_text.module_tree import ModuleNode, Unit, unmade
from ogive.backends.python_text.size_exprs import scalar_code
from ogive.backends.python_text.size_sources import Shapes
from ogive.backends.python_text.statements import Evaluate, FunctionDef, Parameter, Statement, Within
from ogive.backends.pytorch.module.initial import filled
from ogive.backends.pytorch.names import MODULE_ATTRIBUTES, SELF, access
from ogive.backends.pytorch.weights.init_layers import whole_kinds
from ogive.backends.pytorch.weights.inits import Initial
from ogive.backends.pytorch.weights.layers import is_layer
from ogive.compiler.ir.model import Definition, Graph, Init, Instance, Weight
from ogive.compiler.ir.substitute import Sizes
from ogive.compiler.passes.cleanup.deploy_flatten import init_in_sizes
from ogive.compiler.sizes import Unknown


@dataclass(slots=True)
class Reset:
    """What sets the weights of a class, and the sizes that it reads."""

    unit: Unit
    file: EmittedFile
    shapes: Shapes
    initial: Initial = field(default_factory=Initial)

    def number(self, value: object) -> Code:
        """A number that may depend on sizes."""
        return scalar_code(value, self.shapes.name)

    def expression(self, target: Code, graph: Graph) -> Within:
        """`with torch.no_grad(): self.w.copy_(...)`."""
        return filled(self.unit, self.file, target, graph, self.shapes.name)

    def statements(self, inits: Sequence[tuple[str, Init]]) -> Iterator[Statement]:
        """Those of all places of the class, then `inits`, which come from outside."""
        for label, place in self.unit.place.children.items():
            self._place(place, access(label))
        for path, init in inits:
            self.initial.set(SELF, path, init, self.unit.definition)
        yield from whole_kinds(self.initial, self.unit.place, self)
        yield from self.initial.statements(self)

    def _place(self, place: ModuleNode, target: Code) -> None:
        """The initializers of a place: its own, or those that replace what is below."""
        member = place.member
        if isinstance(member, Weight):
            self.initial.set(target, "", member.init)
        if isinstance(member, Instance) and not unmade(self.unit.definition, member):
            for path, init in (*_left(member), *member.inits):
                self.initial.set(target, path, init, member.definition)
        if place.repeated is not None and not unmade(self.unit.definition, place.repeated):
            iteration = self.unit.own(place.repeated.path)
            for path, init in (*_left(place.repeated), *place.repeated.inits):
                self.initial.set(SELF, f"{iteration}.{path}", init, self.unit.definition)
        for label, child in place.children.items() if not place.turned else ():
            self._place(child, access(label, target))


def _left(instance: Instance) -> Iterator[tuple[str, Init]]:
    """What is stored of layers of torch whose `weight` calls supply: their own method would ask for it."""
    if instance.omitted:
        sizes = dict(instance.bindings)
        yield from _left_below(instance.definition, sizes, frozenset(instance.omitted), frozenset())


def _left_below(
    definition: Definition, sizes: Sizes, omitted: frozenset[str], set_elsewhere: frozenset[str]
) -> Iterator[tuple[str, Init]]:
    if is_layer(definition):
        stored = {weight.path: weight.init for weight in definition.weights if weight.path not in omitted}
        for path, init in stored.items() if "weight" in omitted else ():
            if path not in set_elsewhere:
                yield path, init_in_sizes(init, sizes)
        return
    for member in definition.instances:
        inner = {unknown: value.subs(sizes) for unknown, value in member.bindings}
        gone = below(omitted, member.path) | frozenset(member.omitted)
        other = below(set_elsewhere, member.path) | {path for path, _ in member.inits}
        for path, init in _left_below(member.definition, inner, gone, other) if gone - set(member.omitted) else ():
            yield f"{member.path}.{path}", init


def below(paths: Iterable[str], owner: str) -> frozenset[str]:
    """Those of some paths that are below another one, from there."""
    return frozenset(path[len(owner) + 1 :] for path in paths if path.startswith(f"{owner}."))


def reset_of(
    unit: Unit,
    file: EmittedFile,
    stored: dict[Unknown, str],
    last: Sequence[Statement],
    inits: Sequence[tuple[str, Init]] = (),
) -> list[FunctionDef]:
    """`reset_parameters` of a class, with statements behind all others; adds to the sizes that the class stores."""
    known, taken = file.made[unit.definition.name], MODULE_ATTRIBUTES | unit.place.children.keys()
    shapes = Shapes((), known, taken, lambda hint: hint, stored=stored)
    initial = Initial(maybe=unit.definition.name in file.supplied)
    body = (*Reset(unit, file, shapes, initial).statements(inits), *last)
    return [FunctionDef("reset_parameters", (Parameter("self"),), NONE, body)] if body else []


def init_weights(file: EmittedFile) -> FunctionDef:
    """The method of a model that sets all weights, those of parts first, as constructors do."""
    doc = "Sets all weights as they start: after `to_empty`, or once more."
    body = (Evaluate(call("self.apply", name(file.helper("reset")))),)
    return FunctionDef("init_weights", (Parameter("self"),), NONE, body, (doc,))
