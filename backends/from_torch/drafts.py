"""Modules as drafts of blocks: bodies whose numbers and whose calls of other blocks are still open."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.fx import Node
from torch.fx.node import map_arg

from ogive.backends.from_torch.builder import BlockBody
from ogive.backends.from_torch.code import VALUE, BodyLine, TracedCode, number, value
from ogive.backends.from_torch.naming import clean, resolved
from ogive.backends.from_torch.ops_layers import OPERATIONS, activation, as_linear, layer
from ogive.backends.from_torch.ops_table import element
from ogive.backends.from_torch.sizes import LocalSizes
from ogive.backends.from_torch.trace import ModuleCall, Traced, dtype, shape, source_names
from ogive.grammar.lexer import HARD

INPUT_HINTS = {0: "", 1: "n", 2: "nd", 3: "bnd", 4: "bchw", 5: "bcthw"}


@dataclass(slots=True)
class BlockDraft:
    """A block of one call. `renamed` says which of its submodules have other names than in the source."""

    call: ModuleCall
    inputs: list[tuple[str, str]]
    outputs: list[str]
    params: list[str]
    lines: list[str]
    library: dict[str, set[str]]
    locals: frozenset[str]
    children: dict[str, BlockDraft] = field(default_factory=dict)  # by the mark in the lines
    renamed: dict[str, str] = field(default_factory=dict)  # new relative paths, by those of the source
    loops: dict[str, str] = field(default_factory=dict)  # the first of the loop that a submodule is in
    height: int = 0


def operands(node: Node) -> list[Node]:
    """The nodes that a node reads, in order, as often as it does."""
    found: list[Node] = []
    map_arg((node.args, node.kwargs), found.append)
    return found


def _is_tensor(node: Node) -> bool:
    return isinstance(node.meta.get("val"), torch.Tensor)


class Drafter:
    """Makes the drafts of a trace."""

    def __init__(self, traced: Traced) -> None:
        self.traced = traced
        self.drafts: list[BlockDraft] = []
        self._marks = 0

    def external(self, call: ModuleCall, whole: bool = False) -> list[Node]:
        """What a call reads from outside: values, and weights of other modules; if `whole`, known whole numbers too."""
        inside = set(call.nodes())
        found: dict[Node, None] = {}
        for node in call.nodes():
            for each in operands(node):
                if each in inside or not _is_tensor(each) or each in self.traced.constants:
                    continue
                if "formula" in each.meta and each in self.traced.weights:
                    if whole:
                        found[each] = None
                    continue
                if each in self.traced.weights and under(self.traced.weights[each], call.path):
                    continue
                found[each] = None
        values = [each for each in found if each not in self.traced.weights or "formula" in each.meta]
        return values + [each for each in found if each not in values]

    def results(self, call: ModuleCall) -> list[Node]:
        """What others read of a call."""
        inside = set(call.nodes())
        outputs = set(self.traced.outputs)
        return [
            node for node in call.nodes()
            if _is_tensor(node) and (node in outputs or any(u.op != "output" and u not in inside for u in node.users))
        ]  # fmt: skip

    def signature(self, call: ModuleCall) -> str:
        """Equal for calls that are the same but for their weights."""
        place: dict[Node, str] = {each: f"in{i}" for i, each in enumerate(self.external(call))}
        parts: list[str] = []

        def shown(each: Node) -> str:
            if each in place:
                return place[each]
            if each in self.traced.weights:
                return f"w:{self.traced.weights[each].removeprefix(call.path)}{list(shape(each))}"
            return str(each.meta.get("val")) if not _is_tensor(each) else each.name

        for i, node in enumerate(call.nodes()):
            parts.append(f"{node.target}{map_arg((node.args, node.kwargs), shown)}")
            place[node] = f"v{i}"
        return f"{call.kind}({'; '.join(parts)})"

    def draft(self, call: ModuleCall, names: dict[Node, str] | None = None) -> BlockDraft:
        """The draft of a call, after those of the calls in it."""
        flattened = ModuleCall(call.path, call.key, call.module, list(self._flat(call)))
        sizes = LocalSizes(self.traced.names)
        entering, leaving = self.external(call), self.results(call)
        if not call.path:
            leaving = list(self.traced.outputs)
        inputs = [(node.name, _type(node, [sizes.declare(s, h) for s, h in _hinted(node)])) for node in entering]
        body = BlockBody(self.traced, flattened, OPERATIONS, sizes, self._uses(flattened, leaving))
        for node in entering:
            body.bound[node] = value(node.name)
        made = BlockDraft(call, inputs, [], [], [], body.library, frozenset())
        _Calls(self, body, made).walk()
        codes = [body.first(node) for node in leaving]
        fresh: list[str] = []

        def primed(hint: str) -> str:
            name = hint
            while name in sizes.names.values() or name in fresh:
                name += "'"
            fresh.append(name)
            return name

        made.outputs = [_type(node, [sizes.result(s, h, primed) for s, h in _hinted(node)]) for node in leaving]
        made.params = list(body.params.values())
        made.renamed.update(body.renamed)
        avoid = {
            *sizes.names.values(),
            *map(clean, body.params),
            *(name for used in body.library.values() for name in used),
        }
        by_name = {node.name: node for node in (*entering, *call.nodes())}

        def wanted(key: str) -> str:
            node = by_name[key]
            if names is not None and node in names:
                return names[node]
            if node is entering[0]:
                return _parameter(call.module)
            return _wanted(
                node, call.module, next((line.targets for line in body.lines if key in line.targets), ()), key
            )

        last = TracedCode(", ".join(code.text for code in codes))
        rows = [*body.lines, BodyLine((), last, "return ")]
        table = resolved([n.name for n in entering], rows, wanted, avoid)
        made.lines = [
            (row.lead or f"{', '.join(table.get(t, 'unused') for t in row.targets)} = ") + _named(row.code.text, table)
            for row in rows
        ]
        made.inputs = [(table[name], text) for name, text in inputs]
        made.locals = frozenset({*table.values(), *sizes.names.values(), *map(clean, body.params)})
        made.height = 1 + max((child.height for child in made.children.values()), default=0)
        self.drafts.append(made)
        return made

    def mark(self) -> str:
        """A new mark for a block that is called."""
        self._marks += 1
        return f"⟦{self._marks}⟧"

    def _flat(self, call: ModuleCall) -> Iterator[Node | ModuleCall]:
        """The children, those inside of modules that are no blocks among them."""
        for child in call.children:
            if isinstance(child, ModuleCall) and self._transparent(child):
                yield from self._flat(child)
            else:
                yield child

    def _transparent(self, call: ModuleCall) -> bool:
        if self.leaf(call) is not None or activation(call.module) is not None:
            return False
        held = [*call.module.parameters(), *call.module.buffers()]
        own = type(call.module).__module__.startswith("torch.nn")
        if held:
            # a layer whose weights belong to another module is its operation
            return own and any(each in self.traced.weights for each in self.external(call))
        return own or len(call.nodes()) <= 4

    def leaf(self, call: ModuleCall) -> tuple[str, str, str] | None:
        """The layer of the library that a call is."""
        found = layer(call.module)
        if found is None or len(self.results(call)) != 1:
            return None
        outer = self.external(call, whole=True)
        single = len(outer) == 1 and (outer[0] not in self.traced.weights or "formula" in outer[0].meta)
        return found if single else None

    def _uses(self, call: ModuleCall, leaving: Iterable[Node]) -> dict[Node, int]:
        """How often the body of a call names each value."""
        found: dict[Node, int] = {}
        for child in call.children:
            for each in operands(child) if isinstance(child, Node) else self.external(child):
                found[each] = found.get(each, 0) + 1
        for each in leaving:
            found[each] = found.get(each, 0) + 1
        return found


class _Calls:
    """Walks the children of one call."""

    def __init__(self, drafter: Drafter, body: BlockBody, made: BlockDraft) -> None:
        self.drafter, self.body, self.made = drafter, body, made
        children = [child for child in body.call.children if isinstance(child, ModuleCall)]
        paths = [child.path for child in children]
        self.shared = {path for path in paths if paths.count(path) > 1}
        for child in body.call.children:
            for each in operands(child) if isinstance(child, Node) else drafter.external(child):
                path = drafter.traced.weights.get(each)
                if path is not None:
                    self.shared |= {p for p in paths if under(path, p)}
        self.instances: dict[str, str] = {}
        body.inner = self.instance_of
        body.applied = self.uncalled

    def walk(self) -> None:
        """Write all children."""
        children = self.body.call.children
        at = 0
        while at < len(children):
            child = children[at]
            if isinstance(child, Node):
                self.body.node(child)
                at += 1
            else:
                run = self.run(at)
                self.call(child, run)
                at += run

    def run(self, at: int) -> int:
        """How many calls from here on are one loop."""
        children, drafter = self.body.call.children, self.drafter
        first = children[at]
        assert isinstance(first, ModuleCall)
        prefix, _, index = first.path.rpartition(".")
        if not index.isdigit() or first.path in self.shared:
            return 1
        signature, outer = drafter.signature(first), drafter.external(first)
        before, count = first, 1
        while at + count < len(children):
            child = children[at + count]
            if not isinstance(child, ModuleCall) or child.path != f"{prefix}.{int(index) + count}":
                break
            results, entering = drafter.results(before), drafter.external(child)
            if len(results) != 1 or not entering or entering[0] is not results[0] or entering[1:] != outer[1:]:
                break
            if self.body.uses.get(results[0], 0) != 1 or shape(results[0]) != shape(outer[0]):
                break
            if drafter.signature(child) != signature:
                break
            before, count = child, count + 1
        return count

    def call(self, child: ModuleCall, run: int) -> None:
        """Write a call, or a run of them."""
        drafter, body = self.drafter, self.body
        label = self.label(child, run)
        entering = drafter.external(child)
        found = drafter.leaf(child)
        if found is not None:
            entering = drafter.external(child, whole=True)
        if (act := activation(child.module)) is not None and len(entering) == 1 and run == 1:
            body.bind(drafter.results(child)[0], body.first(entering[0]).then(act))
            return
        if found is not None:
            module, name, brackets = found
            body.use(module, name)
            applied = f"{name}[{brackets}]" if run == 1 else f"{name}[{brackets}, ...]"
        else:
            mark = drafter.mark()
            self.made.children[mark] = drafter.draft(child)
            applied = mark if run == 1 else mark.replace("⟧", "…⟧")
        if run > 1:
            applied = f"repeat[{number(run, 'depth')}, {applied}]"
        children = body.call.children
        last = children[children.index(child) + run - 1]
        assert isinstance(last, ModuleCall)
        results = drafter.results(last)
        codes = [body.operand(each, 40) for each in entering[1:]]
        lead = body.first(entering[0]) if entering else None
        if child.path in self.shared:
            step = self.instances[child.path]
            if not any(line.lead == f"{step} = " for line in body.lines):
                body.lines.append(BodyLine((), TracedCode(applied.replace("⟧", "!⟧")), f"{step} = "))
        else:
            bare = found is None and not list(child.module.parameters()) and not list(child.module.buffers())
            step = applied if bare and run == 1 else f"{applied} as {label}"
        if lead is None:
            code = TracedCode(f"{applied}()" if found is None else applied)
        elif codes:
            code = TracedCode(f"({', '.join(each.text for each in (lead, *codes))})").then(step)
        else:
            code = lead.then(step)
        if len(results) == 1:
            body.bind(results[0], code)
        elif results:
            body.unpack(results, code)

    def label(self, child: ModuleCall, run: int) -> str:
        """The name of a submodule here; where it is another than in the source, that is noted."""
        relative = child.path[len(self.body.call.path) :].lstrip(".")
        if run > 1 and relative.rpartition(".")[2] == "0":
            theirs = relative.rpartition(".")[0]
        else:
            theirs = relative
        ours = clean(theirs) if child.path in self.shared else clean(theirs, HARD)
        if run > 1 and theirs == relative:
            prefix, dot, first = relative.rpartition(".")
            self.made.renamed.update({f"{prefix}{dot}{int(first) + i}": f"{ours}.{i}" for i in range(run)})
            self.made.loops.update({f"{prefix}{dot}{int(first) + i}": relative for i in range(run)})
            return ours
        taken = set(self.made.renamed.values())
        while ours in taken and self.made.renamed.get(theirs) != ours:
            ours += "_"
        self.made.renamed[theirs] = ours
        if child.path in self.shared:
            self.instances[child.path] = ours
        return ours

    def uncalled(self, weight: Any) -> str | None:
        """The step of a linear layer whose weights are read without a call of it."""
        path = self.drafter.traced.weights.get(weight, "")
        owner = path.rpartition(".")[0]
        if owner == self.body.call.path or not under(owner, self.body.call.path) or not path.endswith(".weight"):
            return None
        if any(under(path, each) for each in self.shared):
            return None
        module = self.drafter.traced.root.module.get_submodule(owner)
        if not isinstance(module, nn.Linear):
            return None
        module_, name, brackets = as_linear(module)
        self.body.use(module_, name)
        label = self.label(ModuleCall(owner, owner, module), 1)
        return f"{name}[{brackets}] as {label}"

    def instance_of(self, path: str) -> str:
        """A weight of a submodule, as this body names it."""
        for owner, name in self.instances.items():
            if under(path, owner):
                return f"{name}.{path[len(owner) + 1 :]}"
        return ""


def _parameter(module: nn.Module) -> str:
    """What a module calls its first input."""
    first = next(iter(inspect.signature(module.forward).parameters), "x")
    return "x" if first in ("input", "args", "kwargs", "inputs") else first


def under(path: str, owner: str) -> bool:
    """Whether a weight belongs to a module or one in it."""
    return not owner or path.startswith(f"{owner}.")


def _hinted(node: Node) -> list[tuple[Any, str]]:
    sizes = shape(node)
    hints = INPUT_HINTS.get(len(sizes), "nmlkjitsrqp"[: len(sizes)])
    if element(dtype(node)) != "float" and len(sizes) < 4:
        hints = "bnmk"[: len(sizes)] if len(sizes) > 1 else "n" * len(sizes)
    return list(zip(sizes, hints, strict=True))


def _type(node: Node, sizes: list[str]) -> str:
    elem = element(dtype(node))
    return f"{'' if elem == 'float' else elem}[{', '.join(sizes)}]"


def _named(text: str, table: dict[str, str]) -> str:
    return VALUE.sub(lambda found: table[found[1]], text)


def _wanted(node: Node, module: nn.Module, targets: tuple[str, ...], key: str) -> str:
    bound = source_names(node, module)
    if len(bound) == 1:
        return bound[0]
    if len(bound) == len(targets) and key in targets:
        return bound[targets.index(key)]
    return "x"
