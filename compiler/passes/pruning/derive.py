"""The pass `derive`: of mixtures of operations, weighed by a softmax, the chosen one is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from math import exp
from typing import Any

from ogive.compiler.ir.attributes import WeightAttrs
from ogive.compiler.ir.model import Graph, Init, Model, Node, Weight
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.passes.cleanup.deploy_flatten import flattened, read_members
from ogive.compiler.passes.conversion.graph import Conversion, conversion
from ogive.compiler.passes.conversion.looks import Looks
from ogive.compiler.passes.conversion.result import Note, Passed, PassError
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.infra.dce import dead
from ogive.compiler.passes.outline.block_names import named_after_blocks
from ogive.compiler.passes.outline.driver import in_blocks
from ogive.compiler.passes.pruning.chosen import Chosen
from ogive.compiler.sizes import size
from ogive.grammar.spelling import close

RULES = ("argmax", "darts")
SURE = 1e4  # a logit beside which the softmax of all others is 0 in float64
Rows = list[list[float]]


def derive(
    model: Model, looks: Looks, *, rule: str = "argmax", zero: int = -1, edges: int = 2, of: str = "*"
) -> Passed:
    """Of each mixture Σ softmax(α)[i] · opᵢ the operation of the largest weight; all others go, with their weights.

    `of` is a pattern of paths of α, learned weights that only a softmax over the last axis reads. `zero` is the number
    of the operation that gives 0, where there is one. The `rule` "argmax" takes the best of each row; "darts" (Liu et
    al. 2019, arXiv:1806.09055) never `zero`, and keeps of the rows that are added at one place the `edges` whose best
    weight is largest, the others being `zero`. The result equals the source with logits that leave no doubt.
    """
    if rule not in RULES:
        raise PassError("E0810", f"`rule` of `derive` is argmax or darts, not `{rule}`", close(rule, RULES))
    if edges < 1:
        raise PassError("E0810", f"`edges` is a number from 1 on, not {edges}")
    if rule == "darts" and zero < 0:
        raise PassError("E0810", "`rule=darts` needs the number of the operation that gives 0: `zero=...`")
    flat, origins = flattened(model, trained=True)
    softmaxes = _softmaxes(flat.definition.graph, {w.path for w in flat.definition.weights if w.kind == "param"})
    paths = [path for path in softmaxes if fnmatchcase(path, of)]
    if not paths:
        raise PassError("E0811", f"no learned weight `{of}` of {model.name} is read by a softmax alone: no choices")
    chosen: dict[str, list[list[int]]] = {}
    notes = []
    for path in paths:
        rows = _rows(looks.numbers(path))
        shares = [_softmax(row) for row in rows]
        if zero >= len(rows[0]):
            raise PassError("E0810", f"`zero` is the number of an operation, not {zero}: `{path}` has {len(rows[0])}")
        places = _places(flat.definition.graph, softmaxes[path]) if rule == "darts" else {}
        best = _best(shares, rule, zero, edges, places)
        chosen[path] = [[int(at == each) for at in range(len(row))] for each, row in zip(best, rows, strict=True)]
        notes.append(Note(True, path, f"chosen: {', '.join(map(str, best))}"))
    tables: dict[str, Any] = {}
    ranks = {w.path: len(w.type.axes) for w in flat.definition.weights}
    for path in paths:
        table: Any = chosen[path] if ranks[path] == 2 else chosen[path][0]
        tables.update(dict.fromkeys(softmaxes[path], table))
    graph = dead(replace(flat.definition, graph=Chosen(tables).graph(flat.definition.graph))).graph
    read = {node.path for node in graph.walk() if isinstance(node.structure, WeightAttrs)}
    if any(path in read for path in paths) or _left(graph, tables):
        text = f"what reads the choices of {model.name} is no sum of products with their shares"
        raise PassError("E0811", text, "write `p[0] * f(x) + p[1] * g(x)`, or einsum over a `stack`")
    members = tuple(read_members(graph, flat.definition.members))
    result = replace(flat, definition=replace(flat.definition, graph=graph, members=members))
    shown = in_blocks(result, origins)
    made = conversion(model, shown, Graph((), (), ()), ())
    passed = Passed(shown, made, tuple(notes), reference=lambda: _sure(model, chosen, ranks))
    return named_after_blocks(passed)


def _softmaxes(graph: Graph, learned: set[str]) -> dict[str, list[str]]:
    """The learned weights of one or two axes that only softmaxes over their last axis read; the results of these."""
    found: dict[str, list[str]] = {}
    other: set[str] = set()
    for here in _graphs(graph):
        for node in here.nodes:
            if not isinstance(node.structure, WeightAttrs) or node.path not in learned or "*" in node.path:
                continue
            value = node.outputs[0]
            users = here.users[value.name]
            last = len(value.type.axes) - 1
            fits = 0 <= last <= 1 and all(u.op == "softmax" and u.attr("axis") == last for u in users)
            if not users or not fits or value.name in here.outputs:
                other.add(node.path)
            found.setdefault(node.path, []).extend(user.outputs[0].name for user in users)
    return {path: names for path, names in found.items() if path not in other}


def _graphs(graph: Graph) -> Iterator[Graph]:
    yield graph
    for node in graph.nodes:
        for region in node.regions:
            yield from _graphs(region)


def _rows(numbers: Sequence[Any]) -> Rows:
    return [list(row) for row in numbers] if isinstance(numbers[0], list | tuple) else [list(numbers)]


def _softmax(row: Sequence[float]) -> list[float]:
    top = max(row)
    parts = [exp(each - top) for each in row]
    return [each / sum(parts) for each in parts]


def _best(shares: Rows, rule: str, zero: int, edges: int, places: Mapping[int, str]) -> list[int]:
    """The operation of each row."""
    asked = [[-1.0 if rule == "darts" and at == zero else each for at, each in enumerate(row)] for row in shares]
    best = [max(range(len(row)), key=lambda at: (row[at], -at)) for row in asked]
    if rule == "argmax":
        return best
    nodes: dict[str, list[int]] = {}
    for row in range(len(best)):
        nodes.setdefault(places.get(row, f"row {row}"), []).append(row)
    kept = {
        row for rows in nodes.values() for row in sorted(rows, key=lambda row: (-asked[row][best[row]], row))[:edges]
    }
    return [each if row in kept else zero for row, each in enumerate(best)]


def _places(graph: Graph, softmaxes: Sequence[str]) -> dict[int, str]:
    """For each row where it is added: the last of the sums that its products go through."""
    found: dict[int, str] = {}
    for here in _graphs(graph):
        for node in here.nodes:
            if node.op != "slice" or node.inputs[0] not in softmaxes:
                continue
            items = node.attr("items")
            row = items[0][1].number if len(items) == 2 and items[0][0] == "index" and items[0][1].is_number else None
            for product in here.users[node.outputs[0].name]:
                if row is not None and product.op == "mul" and row not in found:
                    found[row] = _root(here, product)
    return found


def _root(graph: Graph, node: Node) -> str:
    name = node.outputs[0].name
    while True:
        users = graph.users[name]
        if len(users) != 1 or users[0].op != "add" or name in graph.outputs:
            return name
        name = users[0].outputs[0].name


def _left(graph: Graph, tables: Mapping[str, Any]) -> bool:
    """Whether something still reads the shares."""
    return any(name in tables for node in graph.walk() for name in node.operands)


def _sure(model: Model, chosen: Mapping[str, list[list[int]]], ranks: Mapping[str, int]) -> Conversion:
    """The source with logits of which the softmax is 0 and 1."""
    root = ConversionScope("", size(1), Fresh(set()))
    for path, rows in chosen.items():
        numbers = tuple(tuple(SURE * each for each in row) for row in rows)
        name = root.op("constant", list=numbers if ranks[path] == 2 else numbers[0])
        root.targets[path] = (name, Weight(path, root.types[name], "param", Init("zeros")))
    taken, targets = root.close()
    return conversion(model, model, taken, targets)
