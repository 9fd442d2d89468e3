"""What holds between steps of the optimizer: constraints, `keep`, at the start too; and the `step` of a definition."""

from __future__ import annotations

from collections.abc import Iterator

from ogive.backends.python_text.module_tree import STEP, ModuleNode, Unit, access, looped
from ogive.backends.python_text.size_sources import Shapes
from ogive.backends.python_text.wrap import signature, spaced, statement
from ogive.backends.pytorch.module.file_state import EmittedFile
from ogive.backends.pytorch.module.functions import filled, stepped
from ogive.compiler.ir.model import Graph, Instance, Weight
from ogive.compiler.sizes import Unknown


def constrain(unit: Unit, file: EmittedFile, stored: dict[Unknown, str]) -> list[str]:
    """The method that puts the weights of a class back where they must be; adds to the sizes that it stores."""
    lines: list[str] = []
    shapes = Shapes((), file.made[unit.definition.name], frozenset(unit.place.children), lambda hint: hint)
    for heads, target, keep in _kept(unit.place, "self"):
        inner = filled(unit, file, target, keep, shapes.name)[1:]
        if unit.definition.name in file.supplied:
            heads = [*heads, f"{STEP * len(heads)}if {target} is not None:"]
        lines += [f"{STEP}{head}" for head in heads] + [f"{STEP * len(heads)}{line}" for line in inner]
    stored.update(shapes.stored)
    if not lines:
        return []
    head = ["@torch.no_grad()", "def constrain(self) -> None:", '    """Put the weights back where they must be."""']
    body = spaced([text for line in lines for text in statement(line.strip(), 4 + len(line) - len(line.lstrip()))])
    return ["", *(f"    {line}" for line in head), *body]


def _kept(place: ModuleNode, base: str) -> Iterator[tuple[list[str], str, Graph]]:
    """The weights that are constrained here, and how: those of this class, and those below its members."""
    if isinstance(place.member, Weight) and place.member.keep is not None:
        yield [], base, place.member.keep
    if isinstance(place.member, Instance):
        yield from ((*looped(path, base), keep) for path, keep in place.member.keeps)
    for name, child in place.children.items() if not place.turned else ():
        yield from _kept(child, access(name, base))


def step(unit: Unit, file: EmittedFile, stored: dict[Unknown, str]) -> list[str]:
    """The method that moves the weights of a class after a step of the optimizer; adds to the sizes that it stores."""
    graph = unit.definition.step
    if graph is None or unit.prefix:
        return []
    shapes = Shapes((), file.known[unit.definition.name], frozenset(unit.place.children), lambda hint: hint)
    lines = stepped(unit, file, graph, shapes.name)
    first = next((each for each in unit.definition.weights if "*" not in each.path), None)
    if unit.definition.name in file.supplied and first is not None:
        absent = f"if {access(first.path)} is None:  # its weights are those of its calls"
        lines = [f"{STEP * 2}{absent}", f"{STEP * 3}return", *lines]
    stored.update(shapes.stored)
    head = [
        "@torch.no_grad()",
        "def step(self) -> None:",
        '    """Move the weights, once after each step of the optimizer."""',
    ]
    return ["", *(f"    {line}" for line in head), *lines]


def after_step(file: EmittedFile) -> list[str]:
    """The method of the model that moves weights, then applies all constraints."""
    does = "Move the weights and apply their constraints" if file.stepped else "Apply the constraints of the weights"
    doc = f'"""{does}; call it after every step of the optimizer."""'
    return [
        "",
        *signature("def after_step", ["self"], " -> None:", 4),
        f"        {doc}",
        *(f"        {line}" for line in (*each(file.stepped, "step"), *each(file.kept, "constrain"))),
    ]


def each(classes: list[str], method: str) -> list[str]:
    """A method of every module of these classes."""
    if not classes:
        return []
    kinds = classes[0] if len(classes) == 1 else f"({', '.join(classes)})"
    return ["for module in self.modules():", f"    if isinstance(module, {kinds}):", f"        module.{method}()"]
