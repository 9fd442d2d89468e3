"""What holds between steps of the optimizer: constraints, `keep`, at the start too; and the `step` of a definition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ogive.backends.python_text.expr import NONE, Code, binary, call, is_given, name, tuple_of
from ogive.backends.python_text.functions.file_state import EmittedFile
from ogive.backends.python_text.module_tree import ModuleNode, Unit
from ogive.backends.python_text.size_sources import Shapes
from ogive.backends.python_text.statements import Evaluate, For, FunctionDef, If, Parameter, Return, Statement
from ogive.backends.pytorch.module.initial import filled, stepped
from ogive.backends.pytorch.names import MODULE_ATTRIBUTES, SELF, Heads, access, inside, looped
from ogive.compiler.ir.model import Graph, Instance, Weight
from ogive.compiler.sizes import Unknown


def constrain(unit: Unit, file: EmittedFile, stored: dict[Unknown, str]) -> list[FunctionDef]:
    """The method that puts the weights of a class back where they must be; adds to the sizes that it stores."""
    body: list[Statement] = []
    shapes = Shapes(
        (), file.made[unit.definition.name], MODULE_ATTRIBUTES | unit.place.children.keys(), lambda hint: hint
    )
    for heads, target, keep in _kept(unit.place, SELF):
        kept = filled(unit, file, target, keep, shapes.name).body
        body += inside(heads, (If(is_given(target), kept),) if unit.definition.name in file.supplied else kept)
    stored.update(shapes.stored)
    return [_method("constrain", "Put the weights back where they must be.", body)] if body else []


def _stored(unit: Unit, known: frozenset[Unknown]) -> Shapes:
    """The sizes of a method without inputs: those that the class stores."""
    return Shapes((), known, MODULE_ATTRIBUTES | unit.place.children.keys(), lambda hint: hint)


def _method(called: str, doc: str, body: Sequence[Statement]) -> FunctionDef:
    decorators = (call("torch.no_grad"),)
    return FunctionDef(called, (Parameter("self"),), NONE, tuple(body), (doc,), decorators)


def _kept(place: ModuleNode, base: Code) -> Iterator[tuple[Heads, Code, Graph]]:
    """The weights that are constrained here, and how: those of this class, and those below its members."""
    if isinstance(place.member, Weight) and place.member.keep is not None:
        yield (), base, place.member.keep
    if isinstance(place.member, Instance):
        yield from ((*looped(path, base), keep) for path, keep in place.member.keeps)
    if place.repeated is not None:
        for path, keep in place.repeated.keeps:
            heads, target = looped(path, name("layer"))
            yield (("layer", base), *heads), target, keep
    for label, child in place.children.items() if not place.turned else ():
        yield from _kept(child, access(label, base))


def step(unit: Unit, file: EmittedFile, stored: dict[Unknown, str]) -> list[FunctionDef]:
    """The method that moves the weights of a class after a step of the optimizer; adds to the sizes that it stores."""
    graph = unit.definition.step
    if graph is None:
        return []
    shapes = Shapes(
        (), file.known[unit.definition.name], MODULE_ATTRIBUTES | unit.place.children.keys(), lambda hint: hint
    )
    body = stepped(unit, file, graph, shapes.name)
    first = next((each for each in unit.definition.weights if "*" not in each.path), None)
    if unit.definition.name in file.supplied and first is not None:
        absent = binary(access(first.path), "is", NONE)
        body = (If(absent, (Return(),), comment="its weights are those of its calls"), *body)
    stored.update(shapes.stored)
    return [_method("step", "Move the weights, once after each step of the optimizer.", body)]


def after_step(file: EmittedFile) -> FunctionDef:
    """The method of the model that moves weights, then applies all constraints."""
    does = "Move the weights and apply their constraints" if file.stepped else "Apply the constraints of the weights"
    body = (*each(file.stepped, "step"), *each(file.kept, "constrain"))
    doc = f"{does}; call it after every step of the optimizer."
    return FunctionDef("after_step", (Parameter("self"),), NONE, body, (doc,))


def each(classes: list[str], method: str) -> tuple[Statement, ...]:
    """A method of every module of these classes."""
    if not classes:
        return ()
    kinds = name(classes[0]) if len(classes) == 1 else tuple_of(list(map(name, classes)))
    asked = If(call("isinstance", name("module"), kinds), (Evaluate(call(f"module.{method}")),))
    return (For(name("module"), call("self.modules"), (asked,)),)
