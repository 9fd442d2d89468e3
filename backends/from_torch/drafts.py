"""Modules as drafts of blocks: bodies whose numbers and whose calls of other blocks are still open."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn
from torch.fx import Node
from torch.fx.node import map_arg

from ogive.backends.from_torch.builder import BlockBody
from ogive.backends.from_torch.calls import CallWalk
from ogive.backends.from_torch.code import VALUE, BodyLine, TracedCode, value
from ogive.backends.from_torch.draft_parts import BlockDraft, operands, staying, under
from ogive.backends.from_torch.layout_ops import channels_last
from ogive.backends.from_torch.naming import clean, resolved
from ogive.backends.from_torch.ops_layers import OPERATIONS, activation, derived, layer
from ogive.backends.from_torch.ops_table import element
from ogive.backends.from_torch.outside import Outside, is_outside
from ogive.backends.from_torch.refused import Untraceable
from ogive.backends.from_torch.sizes import LocalSizes
from ogive.backends.from_torch.trace import ModuleCall, Traced, dtype, owner_of, shape, source_names
from ogive.backends.from_torch.units import unit

INPUT_HINTS = {0: "", 1: "n", 2: "nd", 3: "bnd", 4: "bchw", 5: "bcthw"}


def _is_tensor(node: Node) -> bool:
    return isinstance(node.meta.get("val"), torch.Tensor)


class Drafter:
    """Makes the drafts of a trace."""

    def __init__(self, traced: Traced, spelled: bool = False) -> None:
        self.traced, self.spelled = traced, spelled
        self.drafts: list[BlockDraft] = []
        self.failures: dict[str, Untraceable] = {}  # by the path of the smallest module that holds what is refused
        self._marks = 0

    def again(self, spelled: bool) -> Drafter:
        """The drafts once more, in another form."""
        other = Drafter(self.traced, spelled)
        other.draft(self.traced.root, self.traced.inputs)
        return other

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
            if each in self.traced.constants and self.traced.constants[each].numel() <= 64:
                held = self.traced.constants[each]
                return f"{held.dtype}{held.tolist()}"
            return str(each.meta.get("val")) if not _is_tensor(each) else each.name

        for i, node in enumerate(call.nodes()):
            if is_outside(node):
                path = str(node.args[4])
                known = self.traced.stays.get(path)
                given = [*node.args[:4], path.removeprefix(call.path), known.key if known else ""]
                parts.append(f"outside{map_arg(given, shown)}")
            else:
                parts.append(f"{node.target}{map_arg((node.args, node.kwargs), shown)}")
            place[node] = f"v{i}"
        return f"{call.kind}({'; '.join(parts)})"

    def draft(self, call: ModuleCall, names: dict[Node, str] | None = None) -> BlockDraft:
        """The draft of a call, after those of the calls in it."""
        flattened = ModuleCall(call.path, call.key, call.module, list(self._flat(call)))
        sizes = LocalSizes(self.traced.names, closed=not call.path)
        entering, leaving = self.external(call), self.results(call)
        if not call.path:
            entering, leaving = list(self.traced.inputs), list(self.traced.outputs)
        inputs = [(node.name, _type(node, [sizes.declare(s, h) for s, h in _hinted(node)])) for node in entering]
        body = BlockBody(self.traced, flattened, OPERATIONS, sizes, self._uses(flattened, leaving))
        for node in entering:
            body.bound[node] = value(node.name)
        made = BlockDraft(call, inputs, [], [], [], body.library, frozenset())
        body.spelled = self.spelled
        walk = CallWalk(self, body, made)
        walk.walk()
        try:
            codes = [body.first(node) for node in leaving]
        except Untraceable as error:
            self.refuse(error, call)
        if self.failures:
            return made  # what is refused is all that is asked for now
        fresh: list[str] = []

        def primed(hint: str) -> str:
            name = hint
            while name in sizes.names.values() or name in fresh:
                name += "'"
            fresh.append(name)
            return name

        made.outputs = [
            _type(
                node,
                [walk.grown.get((node, i)) or sizes.result(s, h, primed) for i, (s, h) in enumerate(_hinted(node))],
            )
            for node in leaving
        ]
        made.params = list(body.params.values())
        made.opened = dict(sizes.opened)
        made.renamed.update(body.renamed)
        avoid = {
            *sizes.names.values(),
            *map(clean, body.params),
            *walk.instances.values(),
            *(name for used in body.library.values() for name in used),
        }
        by_name = {node.name: node for node in (*entering, *call.nodes())}

        def wanted(key: str) -> str:
            if "·" in key:
                return key.rpartition("·")[2]
            node = by_name[key]
            if names is not None and node in names:
                return names[node]
            if entering and node is entering[0]:
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
        made.lines = [line for line in made.lines if not _STAYING.fullmatch(line)]
        made.inputs = [(table[name], text) for name, text in inputs]
        made.locals = frozenset({*table.values(), *sizes.names.values(), *map(clean, body.params)})
        made.height = 1 + max((child.height for child in made.children.values()), default=0)
        self.drafts.append(made)
        return made

    def refuse(self, error: Untraceable, call: ModuleCall) -> None:
        """Note what is refused in a call, to go on with the next."""
        path = error.path
        if path is None:
            path = call.path if error.node is None else owner_of(error.node, self.traced.root.module)
        self.failures.setdefault(path, error)

    def kept(self, call: ModuleCall, told: Outside) -> BlockDraft:
        """The draft of a module that stays one of the source."""
        sizes = LocalSizes(self.traced.names)
        entering, leaving = self.external(call), self.results(call)
        (node,) = [each for each in call.nodes() if is_outside(each)]
        given = dict(zip(told.inputs, node.args[0], strict=True))  # type: ignore[arg-type]
        if set(given.values()) != set(entering):
            raise Untraceable("it reads weights of other modules", path=call.path)
        returned = [told.results[int(each.args[1])] for each in leaving]  # type: ignore[arg-type]
        if told.returned and told.returned != returned:
            raise Untraceable("its calls are read in several ways", path=call.path)
        told.returned = returned
        named = {each: name for name, each in reversed(given.items())}
        inputs = [(clean(named[e]), _type(e, [sizes.declare(s, h) for s, h in _hinted(e)])) for e in entering]
        made = BlockDraft(call, inputs, [], [], [], {}, frozenset(), height=1, outside=told)
        try:
            made.outputs = [_type(e, [sizes.code(s, h).text for s, h in _hinted(e)]) for e in leaving]
        except Untraceable as error:
            raise Untraceable(str(error), path=call.path) from error
        made.locals = frozenset({*(name for name, _ in inputs), *sizes.names.values()})
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
        if staying(call, self.traced) is not None:
            return False
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
        found = None if staying(call, self.traced) is not None else layer(call.module) or derived(call)
        if found is None and staying(call, self.traced) is None and (told := unit(call, self.traced)) is not None:
            found = told.module, told.name, told.brackets
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


_STAYING = re.compile(r"(\w+) = \1")  # a value that keeps its name


def _parameter(module: nn.Module) -> str:
    """What a module calls its first input."""
    first = next(iter(inspect.signature(module.forward).parameters), "x")
    return "x" if first in ("input", "args", "kwargs", "inputs") else first


def _hinted(node: Node) -> list[tuple[Any, str]]:
    sizes = shape(node)
    hints = INPUT_HINTS.get(len(sizes), "nmlkjitsrqp"[: len(sizes)])
    hints = "bhwd" if len(sizes) == 4 and channels_last(node) else hints
    if element(dtype(node)) != "float" and len(sizes) < 4:
        hints = "bnmk"[: len(sizes)] if len(sizes) > 1 else "n" * len(sizes)
    # how high and wide images are is no number of heads
    roles = [
        hint if not size.is_Integer or hint not in "hw" else "side" for size, hint in zip(sizes, hints, strict=True)
    ]
    return list(zip(sizes, roles, strict=True))


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
