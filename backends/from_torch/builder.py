"""The body of one block: the nodes and calls of a module as statements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn
from torch.fx import Node

from ogive.backends.from_torch.code import BodyLine, TracedCode, binary, literal, number, value, width
from ogive.backends.from_torch.layout_ops import VIEWS, name_of, pattern
from ogive.backends.from_torch.naming import clean
from ogive.backends.from_torch.refused import Untraceable
from ogive.backends.from_torch.sizes import LocalSizes
from ogive.backends.from_torch.trace import ModuleCall, Traced, dtype, expression, shape

_BROADCAST = ("scaled_dot_product_attention", "add", "where", "masked_fill", "mul")
LONG = 78  # characters of what is written inside of another expression


class Operation(Protocol):
    """Writes a node as an expression."""

    def __call__(self, body: BlockBody, node: Node) -> TracedCode | None: ...


@dataclass(slots=True)
class BlockBody:
    """A block in the making."""

    traced: Traced
    call: ModuleCall
    operations: Mapping[str, Operation]
    sizes: LocalSizes
    uses: Mapping[Node, int]
    lines: list[BodyLine] = field(default_factory=list)
    waiting: dict[Node, TracedCode] = field(default_factory=dict)
    bound: dict[Node, TracedCode] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)  # of this block: names and declarations
    renamed: dict[str, str] = field(default_factory=dict)  # weights whose names are words of the language
    library: dict[str, set[str]] = field(default_factory=dict)
    inner: Callable[[str], str] = lambda path: ""  # how a weight of a submodule is read
    spelled: bool = False  # products of matrices tell their axes
    # the layer whose weight this is, with its bias or without, as a step
    applied: Callable[[Any, bool], str | None] = lambda node, biased: None

    def use(self, module: str, name: str) -> str:
        """A name of the library."""
        self.library.setdefault(module, set()).add(name)
        return name

    def bind(self, node: Node, code: TracedCode) -> None:
        """A value is known: at its only use, or by a name of its own."""
        if self.uses.get(node, 0) == 1:
            self.waiting[node] = code
        else:
            self.name(node, code)

    def name(self, node: Node, code: TracedCode) -> None:
        """A statement that binds a value."""
        self.lines.append(BodyLine((node.name,), code))
        self.bound[node] = value(node.name)

    def unpack(self, nodes: Sequence[Node | None], code: TracedCode) -> None:
        """A statement that binds several values."""
        targets = tuple(node.name if node is not None else "" for node in nodes)
        self.lines.append(BodyLine(targets, code))
        for node in nodes:
            if node is not None:
                self.bound[node] = value(node.name)

    def split(self, node: Node, hints: Sequence[str], code: TracedCode) -> list[TracedCode]:
        """A statement that binds values which are none of the trace, by hints at their names."""
        targets = tuple(f"{node.name}·{hint}" for hint in hints)
        self.lines.append(BodyLine(targets, code))
        return [value(each) for each in targets]

    def first(self, node: Any) -> TracedCode:
        """An operand that leads a pipeline."""
        return self._taken(node, LONG * 8)

    def operand(self, node: Any, room: int = LONG) -> TracedCode:
        """An operand among others."""
        return self._taken(node, room)

    def _taken(self, node: Any, room: int) -> TracedCode:
        if isinstance(node, bool | int | float):
            return literal(node)
        if not isinstance(node, Node):
            raise Untraceable(f"an operand {node!r}")
        if isinstance(node.meta.get("val"), torch.SymInt | int):
            return self.sizes.code(expression(node))
        if node in self.bound:
            return self.bound[node]
        if node in self.waiting:
            code = self.waiting.pop(node)
            if width(code.text) <= room:
                return code
            self.name(node, code)
            return self.bound[node]
        if node in self.traced.constants:
            return self._constant(self.traced.constants[node])
        if "formula" in node.meta:
            return self.formula(node, *node.meta["formula"])
        if node in self.traced.weights:
            return self.weight(node)
        raise Untraceable(f"`{node.name}` comes from nowhere")

    def _constant(self, held: torch.Tensor) -> TracedCode:
        if held.dim() == 0:
            return literal(held.item())
        if held.numel() > 64:
            raise Untraceable(f"a constant of {held.numel()} numbers")
        return TracedCode(f"constant[{str(held.tolist()).replace('True', 'true').replace('False', 'false')}]")

    def weight(self, node: Node) -> TracedCode:
        """A weight of the module itself."""
        path = self.traced.weights[node]
        prefix, _, name = path.rpartition(".")
        if prefix != self.call.path and (inner := self.inner(path)):
            return TracedCode(inner)
        if prefix != self.call.path:
            if self.call.path and not path.startswith(f"{self.call.path}."):
                raise Untraceable(f"`{path}` is read by {self.call.path or 'the model'}")
            # of a submodule that is not called: a weight of this block, under a name of its own
            name = path[len(self.call.path) :].lstrip(".")
        ours = clean(name)
        if ours != name:
            self.renamed[name] = ours
        if name not in self.params:
            other = "d" if name.rpartition(".")[2] == "weight" else "context"
            roles = ([other] * (node.meta["val"].dim() - 1) + ["d"])[: node.meta["val"].dim()]
            roles = [
                self.sizes.numbers.get(s, "k" if r == "context" and int(s) < 8 else r)
                for s, r in zip(shape(node), roles, strict=True)
            ]
            sizes = ", ".join(self.sizes.declare(size, role) for size, role in zip(shape(node), roles, strict=True))
            kind = "param" if isinstance(dict(self.call.module.named_parameters()).get(name), nn.Parameter) else "state"
            elem = {torch.float32: "", torch.int64: "int", torch.bool: "bool"}.get(dtype(node), "")
            start = "zeros" if kind == "state" else "normal[std=0.02]"
            self.params[name] = f"{kind} {ours}: {elem}[{sizes}] = {start}"
        return TracedCode(ours)

    def node(self, node: Node) -> None:
        """Write a node."""
        if "refused" in node.meta:
            raise Untraceable(node.meta["refused"], node)
        if node in self.bound or node in self.waiting or not node.users:
            return
        name = name_of(node)
        if "formula" in node.meta:
            self.bind(node, self.formula(node, *node.meta["formula"]))
            return
        if name in VIEWS:
            self.view(node)
            return
        if name not in self.operations:
            raise Untraceable(
                f"`{node.target}` has no operation here (`{node.name}` in `{self.call.path}`, {self.call.kind})"
            )
        code = self.operations[name](self, node)
        if code is not None:
            self.bind(node, code)

    def formula(self, node: Node, kind: str, at: int | float | bool) -> TracedCode:
        """What depends on sizes alone: one number everywhere, or places along the last axis from `number` on."""
        sizes = shape(node)
        shown = [self.sizes.code(size, "n").text for size in sizes]
        if kind == "constant":
            if not sizes:
                return literal(at)
            whole = dtype(node).is_floating_point
            typed = "" if whole else ", type=bool" if dtype(node) == torch.bool else ", type=int"
            if at in (0, 1):
                return TracedCode(f"{'ones' if at else 'zeros'}[{', '.join(shown)}{typed}]")
            return TracedCode(f"full[{', '.join(shown)}, v={literal(at).text}{typed}]")
        if "windows" in node.meta:
            windows = node.meta["windows"]
            told = [number(windows.window, "window"), number(windows.h, "side"), number(windows.w, "side")]
            told += [number(windows.dy, "shift"), number(windows.dx, "shift")]
            code = TracedCode(f"select(shifted_windows[{', '.join(told)}](), 0.0, {windows.low!r})")
            ones = " ".join("n" if i == node.meta["windows_at"] else "1" for i in range(len(sizes) - 2))
            return code if len(sizes) == 3 else code.then(f'rearrange["n i j -> {ones} i j"]')
        if kind.startswith("band"):
            window = kind.removeprefix("band ")
            narrow = f", window={window}" if window != "0" else ""
            seen = f"{self.use('std.attention', 'band')}[{', '.join(shown[-2:])}{narrow}]()"
            code = TracedCode(seen if dtype(node) == torch.bool else f"select({seen}, zeros[], {at!r})")
            if len(sizes) == 2 or all(name_of(user) in _BROADCAST and user in self._own for user in node.users):
                return code
            labels = ["1" if size == 1 else "bm"[i % 2] for i, size in enumerate(sizes[:-2])]
            wide = [f"{label}={size}" for label, size in zip(labels, shown, strict=False) if label != "1"]
            step = f'"q k -> {" ".join(labels)} q k"{"".join(f", {each}" for each in wide)}'
            return code.then(f"{'expand' if wide else 'rearrange'}[{step}]")
        code = TracedCode(f"arange[{shown[-1]}]")
        if at:
            code = binary("+", code, literal(at))
        if len(sizes) > 1:
            labels = ["1" if size == 1 else "bmkl"[i] for i, size in enumerate(sizes[:-1])]
            given = "".join(f", {label}={size}" for label, size in zip(labels, shown, strict=False) if label != "1")
            code = code.then(f'{"expand" if given else "rearrange"}["n -> {" ".join([*labels, "n"])}"{given}]')
        return code

    def view(self, node: Node) -> None:
        """Views in a row are one step, written where the last of them is."""
        users = list(node.users)
        if len(users) == 1 and users[0] in self._own and name_of(users[0]) in VIEWS:
            return
        chain, source = [node], node.args[0]
        while isinstance(source, Node) and self._passes(source):
            chain.insert(0, source)
            source = source.args[0]
        assert isinstance(source, Node)
        image = len(shape(source)) == 4 and self._image(source)
        step = pattern(chain, source, lambda size, role: self.sizes.code(size, role).text, image)
        self.bind(node, self.first(source) if step is None else self.first(source).then(step))

    @property
    def _own(self) -> set[Node]:
        return {child for child in self.call.children if isinstance(child, Node)}

    def _passes(self, node: Node) -> bool:
        """Whether a view is part of a longer chain."""
        return (
            node in self._own and len(node.users) == 1 and name_of(node) in VIEWS
            and node not in self.bound and node not in self.waiting
        )  # fmt: skip

    def _image(self, node: Node) -> bool:
        sizes = shape(node)
        return any(word in str(node.target) for word in ("conv", "pool", "norm", "relu", "add")) or (
            not sizes[2].is_Integer and not sizes[3].is_Integer
        )


Leaf = Callable[[BlockBody, ModuleCall], TracedCode | None]
