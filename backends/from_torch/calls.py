"""The calls in a body: layers of the library, blocks, runs of equal ones."""

from __future__ import annotations

import re
from typing import Any, Protocol

from torch import nn
from torch.fx import Node

from ogive.backends.from_torch.builder import BlockBody
from ogive.backends.from_torch.code import BodyLine, TracedCode, number, value
from ogive.backends.from_torch.draft_parts import BlockDraft, operands, skeleton, staying, under
from ogive.backends.from_torch.growing import growing
from ogive.backends.from_torch.naming import clean
from ogive.backends.from_torch.ops_layers import activation, as_linear
from ogive.backends.from_torch.outside import Outside
from ogive.backends.from_torch.recurrent import first_axes, recurrent
from ogive.backends.from_torch.refused import Untraceable
from ogive.backends.from_torch.trace import ModuleCall, Traced, expression, shape
from ogive.backends.from_torch.units import unit
from ogive.grammar.lexer import HARD


class CallDrafter(Protocol):
    """What makes the drafts of calls."""

    traced: Traced
    failures: dict[str, Untraceable]

    def external(self, call: ModuleCall, whole: bool = False) -> list[Node]:
        """What a call reads from outside."""

    def results(self, call: ModuleCall) -> list[Node]:
        """What others read of a call."""

    def signature(self, call: ModuleCall) -> str:
        """Equal for calls that are the same but for their weights."""

    def draft(self, call: ModuleCall) -> BlockDraft:
        """The draft of a call."""

    def kept(self, call: ModuleCall, told: Outside) -> BlockDraft:
        """The draft of a module that stays one of the source."""

    def leaf(self, call: ModuleCall) -> tuple[str, str, str] | None:
        """The layer of the library that a call is."""

    def refuse(self, error: Untraceable, call: ModuleCall) -> None:
        """Note what is refused in a call."""

    def mark(self) -> str:
        """A new mark for a block that is called."""


class CallWalk:
    """Walks the children of one call."""

    def __init__(self, drafter: CallDrafter, body: BlockBody, made: BlockDraft) -> None:
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
        self.drafted: dict[int, BlockDraft] = {}
        self.firsts: dict[str, BlockDraft] = {}  # for what is called several times: the draft of its first call
        self.grown: dict[tuple[Node, int], str] = {}  # sizes of axes that loops made longer
        body.inner = self.instance_of
        body.applied = self.uncalled

    def walk(self) -> None:
        """Write all children."""
        children = self.body.call.children
        at = 0
        while at < len(children):
            child = children[at]
            if taken := self._growing(at):
                at += taken
                continue
            run, period = (1, 1) if isinstance(child, Node) else self.run(at)
            try:
                if isinstance(child, Node):
                    self.body.node(child)
                else:
                    self.call(child, run, period)
            except Untraceable as error:
                self.drafter.refuse(error, self.body.call)
            if self.drafter.failures:
                self._go_on(child)
            at += run

    def _go_on(self, child: Node | ModuleCall) -> None:
        """After what is refused: its results are values like any other."""
        body = self.body
        for node in [child] if isinstance(child, Node) else child.nodes():
            if node not in body.bound and node not in body.waiting:
                body.bound[node] = value(node.name)

    def run(self, at: int) -> tuple[int, int]:
        """How many calls from here on are one loop, and after how many the kinds of them come again."""
        children, drafter = self.body.call.children, self.drafter
        first = children[at]
        assert isinstance(first, ModuleCall)
        stem, index = _numbered(first.path)
        if not stem.endswith(".") and stem and (drafter.leaf(first) or activation(first.module)):
            return 1, 1  # layers of one kind in a row are no stack
        if index < 0 or first.path in self.shared or isinstance(first.module, nn.RNNBase):
            return 1, 1
        row, outer = [first], drafter.external(first)
        while at + len(row) < len(children):
            child, results = children[at + len(row)], drafter.results(row[-1])
            if not isinstance(child, ModuleCall) or child.path != f"{stem}{index + len(row)}":
                break
            entering = drafter.external(child)
            if len(results) != 1 or not entering or entering[0] is not results[0] or entering[1:] != outer[1:]:
                break
            if self.body.uses.get(results[0], 0) != 1 or shape(results[0]) != shape(outer[0]):
                break
            row.append(child)
        signatures = [drafter.signature(each) for each in row]
        plain = all(not drafter.leaf(each) and staying(each, drafter.traced) is None for each in row[:3])
        for period in range(1, 4 if plain else 2):
            same = [i for i, each in enumerate(signatures) if each != signatures[i % period]]
            count = min(same, default=len(row)) // period * period
            if count >= 2 * period:
                return count, period
        return 1, 1

    def call(self, child: ModuleCall, run: int, period: int = 1) -> None:
        """Write a call, or a run of them."""
        drafter, body = self.drafter, self.body
        if isinstance(child.module, nn.RNNBase) and staying(child, drafter.traced) is None:
            self._recurrent(child, child.module)
            return
        told: Outside | None = None
        block: BlockDraft | None = None
        label = self.label(child, run, period)
        entering = drafter.external(child)
        found = drafter.leaf(child)
        if found is not None:
            entering = drafter.external(child, whole=True)
        if (
            staying(child, drafter.traced) is None
            and (act := activation(child.module)) is not None
            and len(entering) == 1
            and run == 1
        ):
            body.bind(drafter.results(child)[0], body.first(entering[0]).then(act))
            return
        if found is not None:
            module, name, brackets = found
            body.use(module, name)
            self._inner(child, label, run)
            inner = ", ".join(each for each in (brackets, "" if run == 1 else "...") if each)
            applied = f"{name}[{inner}]" if inner else name
        else:
            mark = drafter.mark()
            told = staying(child, drafter.traced)
            block = self._drafted(child) if told is None else drafter.kept(child, told)
            self.made.children[mark] = block
            if not drafter.failures:
                self.made.given[mark] = [body.sizes.code(size, "n").text for size in block.opened.values()]
            applied = mark if run == 1 else mark.replace("⟧", "…⟧")
            if period > 1:
                applied = f"[{', '.join([applied, *self._others(child, period)])}]"
        if run > 1:
            applied = f"repeat[{number(run, 'depth')}, {applied}]"
        children = body.call.children
        last = children[children.index(child) + run - 1]
        assert isinstance(last, ModuleCall)
        results = drafter.results(last)
        codes = [body.operand(each, 40) for each in entering[1:]]
        lead = body.first(entering[0]) if entering else None
        if lead is None and [*child.module.parameters(), *child.module.buffers()]:
            self._table(child, results, applied, label)
            return
        if child.path in self.shared:
            step = self.instances[child.path]
            if block is not None and skeleton(self.firsts.setdefault(child.path, block), True) != skeleton(block, True):
                step = f"{applied} as {self._another(child)}"
            elif not any(line.lead == f"{step} = " for line in body.lines):
                body.lines.append(BodyLine((), TracedCode(applied.replace("⟧", "!⟧")), f"{step} = "))
        else:
            bare = (
                found is None
                and told is None
                and not list(child.module.parameters())
                and not list(child.module.buffers())
            )
            step = applied if bare and run == 1 else f"{applied} as {label}"
        if lead is None:
            code = TracedCode(f"{applied}()")
        elif codes:
            code = TracedCode(f"({', '.join(each.text for each in (lead, *codes))})").then(step)
        else:
            code = lead.then(step)
        if len(results) == 1:
            body.bind(results[0], code)
        elif results:
            body.unpack(results, code)

    def _another(self, child: ModuleCall) -> str:
        """The name of a module for a call that computes something else than its first call, with weights of its own."""
        weights = self.drafter.traced.weights
        calls = [each for each in self.body.call.children if isinstance(each, ModuleCall) and each.path == child.path]
        read = [{weights[w] for n in each.nodes() for w in operands(n) if w in weights} for each in calls]
        mine = read[calls.index(child)]
        if any(each & mine for i, each in enumerate(read) if calls[i] is not child):
            raise Untraceable(f"`{child.path}` computes another thing when it is called again", path=child.path)
        theirs = child.path[len(self.body.call.path) :].lstrip(".")
        ours = f"{self.instances[child.path]}_"
        while ours in self.made.renamed.values() or ours in self.instances.values():
            ours += "_"
        self.instances[child.key] = ours
        for path in mine:
            inner = path[len(child.path) + 1 :]
            self.made.renamed[f"{theirs}.{inner}"] = f"{ours}.{inner if '.' in inner else clean(inner)}"
        return ours

    def _inner(self, child: ModuleCall, label: str, run: int) -> None:
        """The layers in a block of the library have its names for them."""
        told = unit(child, self.drafter.traced)
        if told is None:
            return
        for name in told.used:
            self.body.use("std.nn", name)
        relative = child.path[len(self.body.call.path) :].lstrip(".")
        prefix, dot, index = relative.rpartition(".")
        for theirs, ours in told.layers.items():
            for i in range(run):
                place = f"{label}.{i}" if run > 1 else label
                self.made.renamed[f"{f'{prefix}{dot}{int(index) + i}' if run > 1 else relative}.{theirs}"] = (
                    f"{place}.{ours}"
                )

    def _drafted(self, child: ModuleCall) -> BlockDraft:
        if id(child) not in self.drafted:
            self.drafted[id(child)] = self.drafter.draft(child)
        return self.drafted[id(child)]

    def _growing(self, at: int) -> int:
        """A loop over layers that each add to what the next reads: how many children it stands for."""
        drafter, body = self.drafter, self.body
        children = body.call.children
        calls = growing(children, at, drafter.external, lambda node: body.uses.get(node, 0))
        if not calls or any(
            each.path in self.shared or drafter.leaf(each) or staying(each, drafter.traced) for each in calls
        ):
            return 0
        try:
            drafts = [self._drafted(each) for each in calls]
        except Untraceable:
            return 0  # what it is comes again with the call itself
        same = next((i for i, each in enumerate(drafts) if skeleton(each) != skeleton(drafts[0])), len(drafts))
        if drafter.failures or same < 2 or any(each.opened for each in drafts):
            return 0
        calls, drafts = calls[:same], drafts[:same]
        marks = [drafter.mark() for _ in calls]
        self.made.children.update(zip(marks, drafts, strict=True))
        last = children[at + 2 * len(calls) - 1]
        assert isinstance(last, Node)
        stem = clean(re.sub(r"[\W_]*\d+$", "", calls[0].path[len(body.call.path) :].lstrip(".")) or "layers", HARD)
        while stem in self.made.renamed.values():
            stem += "_"
        for i, each in enumerate(calls):
            self.made.renamed[each.path[len(body.call.path) :].lstrip(".")] = f"{stem}.{i}.layer"
        variable = body.sizes.spare("ijk")
        first = drafter.external(calls[0])[0]
        wide, more = (expression(each.meta["val"].shape[1]) for each in (first, drafter.results(calls[0])[0]))
        self.grown[last, 1] = f"{number(int(wide), 'c')} + {number(len(calls), 'depth')}*{number(int(more), 'c')}"
        body.name(last, body.first(first))
        inner = f"⟦{marks[0][1:-1]}*{len(calls)}*{variable}⟧ as layer"
        carried = f"§{last.name}§"
        body.lines += [
            BodyLine((), TracedCode(f"{variable} in range({number(len(calls), 'depth')}) as {stem}:"), "for "),
            BodyLine((), TracedCode(f"{carried} = concat[1]({carried}, {carried} |> {inner})"), "    "),
        ]
        return 2 * len(calls)

    def _recurrent(self, child: ModuleCall, module: nn.RNNBase) -> None:
        """A recurrent layer of torch: its results, and its states where they are read or given."""
        drafter, body = self.drafter, self.body
        if child.path in self.shared or len(shape(drafter.external(child)[0])) != 3:
            raise Untraceable(f"`{child.path}` is called twice, or without a batch", path=child.path)
        entering, results = drafter.external(child), drafter.results(child)
        places = {node: int(node.args[1]) for node in results if isinstance(node.args[1], int)}
        more = len(entering) > 1 or any(places.values())
        names, applied, weights = recurrent(module, child.path, more)
        for name in names:
            body.use("std.recurrent", name)
        label = self.label(child, 1)
        theirs = child.path[len(body.call.path) :].lstrip(".")
        self.made.renamed.update({f"{theirs}.{old}": f"{label}.{new}" for old, new in weights.items()})
        turned = first_axes(module)
        codes = [body.operand(each, 40) for each in entering[1:]]
        lead = body.first(entering[0])
        lead = lead.then(turned) if turned else lead
        if codes:
            lead = TracedCode(f"({', '.join(each.text for each in (lead, *codes))})")
        code = lead.then(f"{applied} as {label}")
        back = 'rearrange["b n d -> n b d"]' if turned else ""
        if not more:
            body.bind(results[0], code.then(back) if back else code)
            return
        count = 3 if module.mode == "LSTM" else 2
        nodes = [next((node for node in results if places[node] == i), None) for i in range(count)]
        body.unpack(nodes, code)
        if back and nodes[0] is not None:
            body.bound[nodes[0]] = body.bound[nodes[0]].then(back)

    def _table(self, child: ModuleCall, results: list[Node], applied: str, label: str) -> None:
        """What takes no operands is its value, under the name of the instance."""
        if len(results) != 1:
            raise Untraceable(f"`{child.path}` takes nothing and gives several values", path=child.path)
        self.instances[child.path] = label
        if not any(line.lead == f"{label} = " for line in self.body.lines):
            self.body.lines.append(BodyLine((), TracedCode(applied.replace("⟧", "!⟧")), f"{label} = "))
        self.body.bound[results[0]] = TracedCode(label)

    def _others(self, child: ModuleCall, period: int) -> list[str]:
        """The other kinds of a loop whose kinds alternate."""
        children = self.body.call.children
        found = []
        for each in children[children.index(child) + 1 :][: period - 1]:
            assert isinstance(each, ModuleCall)
            mark = self.drafter.mark()
            block = self.made.children[mark] = self._drafted(each)
            if not self.drafter.failures:
                self.made.given[mark] = [self.body.sizes.code(size, "n").text for size in block.opened.values()]
            found.append(mark.replace("⟧", "…⟧"))
        return found

    def label(self, child: ModuleCall, run: int, period: int = 1) -> str:
        """The name of a submodule here; where it is another than in the source, that is noted."""
        relative = child.path[len(self.body.call.path) :].lstrip(".")
        if run > 1 and relative.rpartition(".")[2] == "0":
            theirs = relative.rpartition(".")[0]
        else:
            theirs = relative
        stem, index = _numbered(relative)
        if run > 1 and (period > 1 or not stem.endswith(".")):
            named = stem.rstrip("-_.") if index == 0 or not stem.endswith(".") else relative
            ours = clean(named or "layers", HARD)
            while ours in self.made.renamed.values():
                ours += "_"
            self.made.renamed.update({f"{stem}{index + i}": f"{ours}.{i}" for i in range(run)})
            self.made.loops.update({f"{stem}{index + i}": f"{stem}{index + i % period}" for i in range(run)})
            return ours
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

    def uncalled(self, weight: Any, biased: bool) -> str | None:
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
        module_, name, brackets = as_linear(module, biased)
        self.body.use(module_, name)
        label = self.label(ModuleCall(owner, owner, module), 1)
        return f"{name}[{brackets}] as {label}"

    def instance_of(self, path: str) -> str:
        """A weight of a submodule, as this body names it."""
        for owner, name in self.instances.items():
            if under(path, owner):
                return f"{name}.{path[len(owner) + 1 :]}"
        return ""


def _numbered(path: str) -> tuple[str, int]:
    """A path without the number at its end, and that; -1 where there is none."""
    stem = path.rstrip("0123456789")
    return (stem, int(path[len(stem) :])) if len(stem) < len(path) else (path, -1)
