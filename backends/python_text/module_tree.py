"""Which classes a model becomes: one for each block with weights, and one for each body of a `repeat` with weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ogive.backends.python_text.names import (
    class_name,
    fresh,
    identifier,
    singular,
    snake,
    unnumbered,
)
from ogive.compiler.ir.model import Definition, Graph, Instance, Loop, Member, Model, Weight
from ogive.compiler.ir.signature_lists import SignatureLists, as_declared
from ogive.compiler.ir_tools.effects import Effect, own_effect
from ogive.compiler.ir_tools.maybe import maybe
from ogive.compiler.sizes import Unknown


@dataclass(slots=True)
class ModuleNode:
    """A node of the tree of names below a class: a member, or a name that holds others."""

    path: str
    member: Member | None = None
    children: dict[str, ModuleNode] = field(default_factory=dict)

    @property
    def numbered(self) -> bool:
        """Whether its children are the iterations of an unrolled loop."""
        return bool(self.children) and all(name.isdigit() for name in self.children)

    @property
    def turned(self) -> bool:
        """Whether it is a `repeat` whose iterations have members."""
        return "*" in self.children

    @property
    def repeated(self) -> Instance | None:
        """The instance that each iteration of a `repeat` is, where it is one and holds nothing beside it."""
        member = self.children["*"].member if self.turned else None
        return member if isinstance(member, Instance) else None


def places(definition: Definition) -> ModuleNode:
    """The tree of names of a definition."""
    root = ModuleNode("")
    held = [member.path for member in definition.members if not isinstance(member, Loop)]
    for member in definition.members:
        if isinstance(member, Loop) and not any(path.startswith(f"{member.path}.") for path in held):
            continue  # its iterations hold nothing
        place = root
        for part in member.path.split("."):
            path = f"{place.path}.{part}" if place.path else part
            place = place.children.setdefault(part, ModuleNode(path))
        place.member = member
    return root


@dataclass(frozen=True, slots=True)
class Unit:
    """A class or function of the file. `prefix` is the path of its iteration in the definition ("h.*"), or ""."""

    name: str
    definition: Definition
    graph: Graph
    place: ModuleNode
    prefix: str = ""
    iterations: tuple[Unit, ...] = ()
    function: bool = False  # a function of the file rather than a class
    maybe: frozenset[str] = frozenset()  # values of the definition that may be None where they stand
    uncalled: bool = False  # an iteration of a loop that nothing needs: it holds its weights
    lists: SignatureLists = field(
        default_factory=SignatureLists
    )  # what a user hands over, and gets, as lists: of the root alone

    def own(self, path: str) -> str | None:
        """The path below this unit, or None for one that lies outside of its iteration."""
        if not self.prefix:
            return path
        return path[len(self.prefix) + 1 :] if path.startswith(self.prefix + ".") else None

    def iteration(self, path: str) -> Unit | None:
        """The class of an iteration of the loop at `path`, where the loop has members."""
        return next((unit for unit in self.iterations if unit.prefix == f"{path}.*"), None)


def shadowed(order: Sequence[Definition]) -> dict[str, frozenset[str]]:
    """For each definition that is called, by name, what variables its callers may have: it is not called like one."""
    found: dict[str, set[str]] = {}
    for definition in order:
        variables = _variables(definition)
        for callee in {node.callee.name for graph in definition.graphs for node in graph.walk() if node.callee}:
            found.setdefault(callee, set()).update(variables)
    return {name: frozenset(variables) for name, variables in found.items()}


def _variables(definition: Definition) -> set[str]:
    nodes = [node for graph in definition.graphs for node in graph.walk()]
    graphs = (*definition.graphs, *(region for node in nodes for region in node.regions))
    found = {identifier(value.hint or value.name) for graph in graphs for value in graph.values.values()}
    found |= {identifier(unknown.name) for unknown in definition.sizes}
    found |= {identifier(static.name) for static in definition.statics}
    labels = [part for node in nodes if node.op == "repeat" for part in node.path.split(".")]
    return found | {identifier(name) for label in labels if label for name in (label, singular(label))}


def unit_of(
    definition: Definition, names: set[str], *, root: bool = False, variables: frozenset[str] = frozenset()
) -> Unit:
    """The unit of a definition with those of its loops; takes class names out of `names`.

    `names` are those that are taken or reserved. A function is not called like one of the `variables` of its callers.
    """
    function = definition.stateless and not root
    wanted = snake(definition.name) if function else class_name(definition.name)
    if function and (wanted in variables or unnumbered(wanted) in variables):
        wanted = f"apply_{wanted}"
    lists = definition.lists if root else SignatureLists()
    name = _claim(wanted, names, _named(_output_names(definition, lists)))
    place = places(definition)
    absent = frozenset(maybe(definition).open)
    iterations = _iterations(name, definition, definition.graph, absent, place, names, set())
    iterations += _uncalled(name, definition, place, iterations, names)
    return Unit(name, definition, definition.graph, place, "", iterations, function, absent, lists=lists)


def output_class(unit: Unit) -> str | None:
    """The name of the tuple of a definition whose outputs have names."""
    return _tuple_of(unit.name) if not unit.prefix and _named(output_names(unit)) else None


def output_names(unit: Unit) -> list[str | None]:
    """What outputs are called, a list as one."""
    return _output_names(unit.definition, unit.lists)


def _output_names(definition: Definition, lists: SignatureLists) -> list[str | None]:
    left = iter(lists.outputs)
    names = as_declared(definition.output_names, lists.outputs)
    return [next(left).name if isinstance(each, list) else each for each in names]


def _tuple_of(name: str) -> str:
    return f"{class_name(name)}Output"


def _named(outputs: Sequence[str | None]) -> bool:
    """Whether the outputs are a tuple with names."""
    return len(outputs) > 1 and all(outputs)


def _claim(name: str, names: set[str], outputs: bool = False) -> str:
    """A free name that begins with this one, taken out of `names`; with `outputs` that of their tuple is free too."""

    def free(each: str) -> bool:
        return each not in names and not (outputs and _tuple_of(each) in names)

    found, number = fresh(name, names), 2
    while (found != name and name[:1].isupper()) or not free(found):  # a class: `Stem2`
        found, number = f"{name}{number}" if name[:1].isupper() else f"{name}_{number}", number + 1
        if free(found):
            break
    names |= {found, _tuple_of(found)} if outputs else {found}
    return found


def _iterations(
    owner: str,
    definition: Definition,
    graph: Graph,
    absent: frozenset[str],
    root: ModuleNode,
    names: set[str],
    done: set[str],
) -> tuple[Unit, ...]:
    """The units of the loops of a graph, but for those that are `done`; adds the paths of these."""
    found: list[Unit] = []
    for node in graph.nodes:
        place = find(root, node.path) if node.op == "repeat" else None
        for region in node.regions:
            if place is None or not place.turned or place.repeated is not None:
                found += _iterations(owner, definition, region, absent, root, names, done)
                continue
            if node.path in done:  # it stands in both arms of a choice
                continue
            done.add(node.path)
            label = next(part for part in reversed(node.path.split(".")) if part != "*" and not part.isdigit())
            name = _claim(owner + class_name(singular(label)), names)
            iteration = place.children["*"]
            inner = _iterations(name, definition, region, absent, root, names, done)
            inner += _uncalled(name, definition, iteration, inner, names)
            found.append(Unit(name, definition, region, iteration, f"{node.path}.*", inner, False, absent))
    return tuple(found)


def _uncalled(
    owner: str, definition: Definition, place: ModuleNode, iterations: tuple[Unit, ...], names: set[str]
) -> tuple[Unit, ...]:
    """The units of the loops below a place that no graph has: what they hold has its paths all the same."""
    found: list[Unit] = []
    called = {unit.prefix for unit in iterations}
    for label, child in place.children.items():
        prefix = f"{child.path}.*"
        if child.repeated is not None:
            continue
        if not child.turned:
            found += _uncalled(owner, definition, child, iterations, names) if label != "*" else ()
        elif prefix not in called:
            name = _claim(owner + class_name(singular(label)), names)
            iteration = child.children["*"]
            inner = _uncalled(name, definition, iteration, (), names)
            found.append(Unit(name, definition, Graph((), (), ()), iteration, prefix, inner, uncalled=True))
    return tuple(found)


def find(root: ModuleNode, path: str) -> ModuleNode | None:
    """The place at a path."""
    place: ModuleNode | None = root
    for part in path.split("."):
        place = place.children.get(part) if place and part else None
    return place


def definitions(model: Model) -> list[Definition]:
    """All definitions that the model uses, callees before their users."""
    found: dict[str, Definition] = {}

    def visit(definition: Definition) -> None:
        if definition.name in found:
            return
        for callee in definition.callees:
            visit(callee)
        found[definition.name] = definition

    visit(model.definition)
    return list(found.values())


Known = dict[str, frozenset[Unknown]]


def known_at_start(model: Model, *, numbers: bool = False) -> Known:
    """For each definition the unknowns that are numbers when a module is made, at every use of it.

    With `numbers` the number of an iteration counts too: it is one where the modules of the iterations are made.
    """
    order = definitions(model)
    known: Known = {model.definition.name: frozenset(unknown for unknown, _ in model.bindings)}
    for definition in reversed(order):
        mine = known.setdefault(definition.name, frozenset())
        if numbers:
            mine = known[definition.name] = mine.union(numbers_of(definition).values())
        uses = [(m.definition, m.bindings, "") for m in definition.instances]
        calls = (node for node in definition.graph.walk() if node.path or not numbers)  # a function makes no module
        uses += [(n.callee, n.bindings, n.path) for n in calls if n.callee is not None]
        made = {m.path: dict(m.bindings) for m in definition.instances}
        for callee, bindings, path in uses:
            at_start = made.get(path, {})  # a size that differs from call to call is not that of the instance
            own = [(u, value) for u, value in bindings if u not in callee.sizes or at_start.get(u, value) == value]
            fixed = frozenset(unknown for unknown, value in own if value.unknowns <= mine)
            known[callee.name] = known[callee.name] & fixed if callee.name in known else fixed
    return known


def numbers_of(definition: Definition) -> dict[str, Unknown]:
    """What stands for the number of an iteration, by the path of the loop."""
    loops = ((node.path, node.loop) for node in definition.graph.walk() if node.path)
    return {path: loop.index for path, loop in loops if loop is not None and loop.index is not None}


def memo(function: Callable[[Definition, Callable[[Definition], bool]], bool]) -> Callable[[Definition], bool]:
    """A property of definitions that depends on that of their callees, computed once for each."""
    found: dict[str, bool] = {}

    def ask(definition: Definition) -> bool:
        if definition.name not in found:
            found[definition.name] = function(definition, ask)
        return found[definition.name]

    return ask


def seeded(model: Model) -> bool:
    """Whether anything but dropout draws random numbers when the model runs: then it takes a generator."""

    def draws(definition: Definition, ask: Callable[[Definition], bool]) -> bool:
        return any(
            ask(node.callee)
            if node.callee is not None
            else own_effect(node) & Effect.DRAWS and node.op != "dropout" and node.attr("dropout") is None
            for node in definition.graph.walk()
        )

    return memo(draws)(model.definition)


def unmade(definition: Definition, instance: Instance) -> bool:
    """Whether every call supplies all weights of an instance, and none is left that calls it or a part of it."""
    if not instance.omitted or not {path for path, _ in below(instance.definition)} <= set(instance.omitted):
        return False
    calls = (node for node in definition.graph.walk() if node.op == "call")
    return not any(f"{node.path}.".startswith(f"{instance.path}.") for node in calls)


def below(definition: Definition) -> list[tuple[str, Weight]]:
    """Every weight at or below a definition, by path."""
    found = [(weight.path, weight) for weight in definition.weights]
    for instance in definition.instances:
        found += [(f"{instance.path}.{path}", weight) for path, weight in below(instance.definition)]
    return found
