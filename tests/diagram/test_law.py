"""The diagram IR: the law of wires, every operation of the graph once, axes and sizes as the types say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest

from diagram.subjects import block, definition, subjects
from ogive.backends.diagram.figure.figure import Column, Figure, Link, Op, Section
from ogive.backends.diagram.figure.labels import size_label
from ogive.backends.diagram.from_ir.invariants import violations
from ogive.backends.diagram.from_ir.links import BY_KIND, RULES
from ogive.backends.diagram.from_ir.make import divisions, figure_of
from ogive.backends.diagram.from_ir.numbers import numbered
from ogive.backends.diagram.from_ir.options import Options
from ogive.compiler.ir.model import Definition, Graph, Model
from ogive.compiler.ops import OPS
from sampled import sampled

SUBJECTS = subjects()
ALL = Options(depth=99, open=frozenset({"Linear", "LayerNorm", "Conv", "Embedding", "causal_mask"}), weights=True)
OWN = {"copy", "drop"}  # operations of the diagram itself


def drawn(name: str, options: Options | None = None) -> Figure:
    return figure_of(definition(name), options)


@pytest.mark.parametrize("name", sampled(SUBJECTS, 3))
@pytest.mark.parametrize("options", [Options(), Options(depth=1, weights=True)], ids=["closed", "open"])
def test_every_wire_is_in_one_link(name: str, options: Options) -> None:
    assert violations(drawn(name, options)) == []


def sources(graph: Graph, opened: bool = False) -> Counter[str]:
    found: Counter[str] = Counter()
    for node in graph.walk():
        if node.op != "assume":
            found[node.op] += 1
        if opened and node.callee is not None:
            found.update(sources(node.callee.graph, opened))
    return found


def counted(sections: Iterable[Section]) -> Counter[str]:
    """How often each operation is there, those in a folded run once for each copy."""
    found: Counter[str] = Counter()
    for op in (op for section in sections for column in section.columns for op in column.ops):
        found[op.source] += 1
        for name, count in counted(op.bodies).items():
            found[name] += count * int(op.attr("copies", "1"))
    del found[""]
    return found


@pytest.mark.parametrize("name", sampled(SUBJECTS, 3))
def test_every_operation_is_drawn_once(name: str) -> None:
    """Weights that stand in a glyph are named by its operation; folded or not, none is lost."""
    figure = drawn(name)
    found = counted(figure.sections)
    hidden = {value for op in figure.walk() for key, value in op.attrs if key == "weight"}
    wanted = sources(definition(name).graph)
    wanted["weight"] -= wanted["weight"] - found["weight"] if hidden else 0
    assert found == +wanted
    assert counted(drawn(name, Options(fold=False)).sections) == found


@pytest.mark.parametrize("name", ["gpt2:GPT", "gru:GRU", "vit:Attention"])
def test_opening_all_calls_draws_the_same_operations(name: str) -> None:
    found = Counter(op.source for op in drawn(name, ALL).walk() if op.source)
    assert found == sources(definition(name).graph, opened=True)


def test_a_loop_costs_the_same_however_many_iterations_it_has() -> None:
    text = "use std.nn (Linear)\nblock A[d](x: [b, d]) -> [b, d]:\n    repeat {n}:\n        x = x |> Linear[d, d]\n"
    few, many = (figure_of(block(text.format(n=n) + "    return x")) for n in (1, 12000))
    assert len(list(few.walk())) == len(list(many.walk()))


def test_both_ends_of_a_wire_past_a_glyph_are_one_axis() -> None:
    figure = drawn("gpt2:Attention")
    for section in figure.sections:
        for at, column in enumerate(section.columns):
            axes = {s.sid: s.axis for b in section.boundaries[at : at + 2] for t in b for s in t.slots}
            for op in column.ops:
                for link in op.links:
                    if link.kind in ("through", "join", "split"):
                        assert len({axes[sid] for sid in (*link.left, *link.right)}) == 1


@pytest.mark.parametrize("name", SUBJECTS)
def test_sizes_are_those_of_the_types(name: str) -> None:
    """At the outermost level, every tensor of the figure has the axes of its value."""
    made = definition(name)
    known = list(divisions(made))
    for tensor in (t for b in figure_of(made, Options(fold=False)).sections[0].boundaries for t in b):
        type_ = made.graph.values[tensor.tid.split("'")[0].split("@")[0]].type
        assert [s.size for s in tensor.slots if s.role != "dtype"] == [size_label(str(a), known) for a in type_.axes]
        assert tensor.elem == type_.elem


def test_axes_that_a_block_hands_on_run_past_it() -> None:
    """The batch of an attention block does, the positions do not."""
    call = next(op for op in drawn("gpt2:GPT").walk() if op.text == "Attention")
    kinds = sorted(link.kind for link in call.links)
    assert kinds == ["in", "in", "out", "out", "through"]


def test_the_law_sees_what_breaks_it() -> None:
    """Dropping a link, doubling one, or a wire that changes its axis."""
    figure = drawn("gpt2:MLP")
    section = figure.sections[0]
    op = section.columns[0].ops[0]
    for links in (op.links[1:], (*op.links, op.links[0]), (Link("cup", (), ()), *op.links)):
        broken = _with(figure, section, replace(op, links=links))
        assert violations(broken)


def _with(figure: Figure, section: Section, op: Op) -> Figure:
    columns = (Column((op,)), *section.columns[1:])
    return replace(figure, sections=(replace(section, columns=columns),))


def test_every_operation_has_a_rule_of_links() -> None:
    """An operation without a rule is a box on which all wires end: allowed for those that mix all axes."""
    mixing = {"sort", "argsort", "cumsum", "cumprod", "cummax", "cummin", "topk"}
    without = {name for name, spec in OPS.items() if name not in RULES and spec.kind not in BY_KIND}
    boxes = {"put", "scatter_add", "scatter", "solve", "solve_triangular", "det", *mixing}
    kinds = {OPS[name].kind for name in without}
    assert kinds <= {"random", "kernel", "layout"}
    assert {name for name in without if OPS[name].kind != "random"} <= boxes | {"inverse"}


def test_models_show_their_numbers() -> None:
    model = SUBJECTS["gpt2:Tiny"]
    assert isinstance(model, Model)
    assert isinstance(model.definition, Definition)
    figure = figure_of(model.definition, numbers=numbered(model))
    assert "heads = 2" in figure.notes
