"""What structural operations say of themselves: typed, found by the verifier where it is wrong, read by no string."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ir.structures import BLOCK, INLINED, SAMPLES, N
from ogive.compiler.ir.attributes import EachAttrs, GradAttrs, OverAttrs, RepeatAttrs, ScanAttrs, WeightAttrs
from ogive.compiler.ir.model import STRUCTURES, UNFINISHED, Definition, Graph, Node, Value
from ogive.compiler.ir.structure import HEAD
from ogive.compiler.ir.substitute import in_sizes
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir_tools.mentions import unknowns_of
from ogive.compiler.ir_tools.verify import faults
from ogive.compiler.sizes import Size, Unknown, size

ROOT = Path(__file__).parents[2]
FILES = [path for folder in ("compiler", "backends", "src/ogive", "tests") for path in (ROOT / folder).rglob("*.py")]
COUNTS = frozenset(("carried", "sliced", "mapped", "captured", "stacked"))
SHARED = frozenset(("axis", "axes", "size"))  # names that operations of `compiler.ops` use too
DRAWN = frozenset(("name", "path"))  # names that figures use for attributes of their own operations, which are no nodes
DIAGRAM = ROOT / "backends" / "diagram"


@pytest.mark.parametrize("name", SAMPLES)
def test_a_structure_is_what_its_pairs_say(name: str) -> None:
    structure = SAMPLES[name]
    head = {each.name: getattr(structure, each.name) for each in fields(structure) if each.name in HEAD}
    assert type(structure).of_pairs(structure.pairs, **head) == structure
    assert not {key for key, _ in structure.pairs} & set(HEAD)
    assert structure.op == name


@pytest.mark.parametrize("name", SAMPLES)
def test_sizes_are_put_into_each_field(name: str) -> None:
    m = Unknown("m", 1)
    node = Node.of(SAMPLES[name], (), ())
    found = node.map_settings(lambda value: in_sizes(value, {N: size(m)}))
    before, after = ({u for _, value in each.settings for u in unknowns_of(value)} for each in (node, found))
    assert after == {m if unknown is N else unknown for unknown in before}


def test_a_default_is_not_told() -> None:
    assert WeightAttrs("w").pairs == ()
    assert WeightAttrs("w", 2).pairs == (("stacked", 2),)


@st.composite
def divided(draw: st.DrawFn) -> tuple[Any, int, set[int]]:
    """A structure, how many inputs its node has, and which of them go."""
    first, second, more = (draw(st.integers(0, 3)) for _ in range(3))
    axes = tuple(draw(st.integers(0, 2)) for _ in range(second))
    structure: Any = draw(
        st.sampled_from(
            (
                RepeatAttrs(size(2), first, second, None),
                ScanAttrs(axes, 0, False, first, second, size(2)),
                OverAttrs(size(2), second, axes, ()),
                EachAttrs(size(2), second, axes, ()),
                GradAttrs(second),
            )
        )
    )
    own = first + second if isinstance(structure, RepeatAttrs | ScanAttrs) else second
    count = own + more
    return structure, count, draw(st.sets(st.integers(0, max(count - 1, 0)), max_size=count)) if count else set()


def lengths(structure: Any, items: Sequence[int]) -> list[tuple[int, ...]]:
    parts = structure.parts(items)
    return [getattr(parts, each.name) for each in fields(parts)]


@settings(max_examples=200, deadline=None)
@given(divided())
def test_what_is_left_of_the_inputs_stays_what_it_is(case: tuple[Any, int, set[int]]) -> None:
    structure, count, gone = case
    left = structure.without_inputs(gone)
    wanted = [tuple(x for x in part if x not in gone) for part in lengths(structure, range(count))]
    assert lengths(left, [x for x in range(count) if x not in gone]) == wanted
    axes = getattr(structure, "slice_axes", getattr(structure, "in_axes", ()))
    sliced = getattr(structure.parts(range(count)), "sliced", ())
    kept = tuple(axis for axis, at in zip(axes, sliced, strict=True) if at not in gone)
    assert getattr(left, "slice_axes", getattr(left, "in_axes", ())) == kept


# --- the verifier -----------------------------------------------------------------------------------------------------


def test_the_program_has_every_structure() -> None:
    used = {node.op for node in BLOCK.graph.walk()} & STRUCTURES.keys()
    assert used == STRUCTURES.keys() - UNFINISHED - {"tapped", "extern", "initial"}
    assert not faults(BLOCK)


def changed(graph: Graph, old: Node, new: Node) -> Graph:
    """A graph with another node in the place of one, which may be in a region."""
    nodes = []
    for node in graph.nodes:
        regions = tuple(changed(region, old, new) for region in node.regions)
        nodes.append(new if node is old else replace(node, regions=regions))
    return Graph(graph.inputs, tuple(nodes), graph.outputs)


def retyped(graph: Graph, name: str) -> Graph:
    """A graph in which a value has one more axis, wherever it is made."""

    def value(each: Value) -> Value:
        axes = (Axis(size(7)), *each.type.axes)
        return replace(each, type=TensorType(each.type.elem, axes)) if each.name == name else each

    nodes = tuple(
        replace(
            node,
            outputs=tuple(map(value, node.outputs)),
            regions=tuple(retyped(region, name) for region in node.regions),
        )
        for node in graph.nodes
    )
    return Graph(tuple(map(value, graph.inputs)), nodes, graph.outputs)


def typed_values(block: Definition) -> Iterator[str]:
    """The values whose types a structural operation tells: its results, and what its regions take and give."""
    for node in block.graph.walk():
        if node.structure is None:
            continue
        yield from (value.name for value in node.outputs)
        for region in node.regions:
            yield from (value.name for value in region.inputs)
            yield from (output for output in region.outputs if isinstance(output, str))


@pytest.mark.parametrize("block", [BLOCK, INLINED], ids=["calls", "inlined"])
def test_another_type_is_found(block: Definition) -> None:
    assert not faults(block)
    names = sorted(set(typed_values(block)))
    assert [name for name in names if not faults(replace(block, graph=retyped(block.graph, name)))] == []


@pytest.mark.parametrize("loop", [node for node in BLOCK.graph.walk() if node.loop is not None], ids=lambda n: n.op)
def test_what_is_carried_keeps_its_type(loop: Node) -> None:
    graph = retyped(BLOCK.graph, loop.outputs[0].name)
    graph = retyped(graph, str(loop.regions[0].outputs[0]))
    assert any("it carries" in text for text in faults(replace(BLOCK, graph=graph)))


STRUCTURAL = {f"{node.op} {at}": node for at, node in enumerate(BLOCK.graph.walk()) if node.structure is not None}


@pytest.mark.parametrize("name", STRUCTURAL)
def test_a_structure_that_is_not_of_its_operation_is_found(name: str) -> None:
    node = STRUCTURAL[name]
    other = next(each for each in SAMPLES.values() if each.op != node.op)
    wrong = {
        "its structure is NoneType": replace(node, structure=None),
        "its structure is": replace(node, structure=other),
        "attributes beside": replace(node, attrs=(("axis", 0),)),
    }
    for words, new in wrong.items():
        found = faults(replace(BLOCK, graph=changed(BLOCK.graph, node, new)))
        assert any(words in text for text in found), words


def test_an_operation_with_a_structure_is_found() -> None:
    node = next(node for node in BLOCK.graph.walk() if node.structure is None)
    new = replace(node, structure=WeightAttrs("w"))
    assert any("its structure is" in text for text in faults(replace(BLOCK, graph=changed(BLOCK.graph, node, new))))


CHANGED = [
    (name, each.name, step)
    for name, node in STRUCTURAL.items()
    if node.structure is not None
    for each in fields(node.structure)
    for step in (-1, 1)
    if each.name in COUNTS
]


@pytest.mark.parametrize(("name", "field", "step"), CHANGED)
def test_another_count_is_found(name: str, field: str, step: int) -> None:
    node = STRUCTURAL[name]
    assert node.structure is not None
    told: Any = replace(node.structure, **{field: getattr(node.structure, field) + step})
    assert faults(replace(BLOCK, graph=changed(BLOCK.graph, node, replace(node, structure=told))))


@pytest.mark.parametrize(
    "node", [node for node in BLOCK.graph.walk() if node.op in ("repeat", "scan", "over", "each")], ids=lambda n: n.op
)
def test_another_length_is_found(node: Node) -> None:
    assert node.structure is not None
    told = node.structure.map_values(lambda value: value + 1 if isinstance(value, Size) else value)
    found = faults(replace(BLOCK, graph=changed(BLOCK.graph, node, replace(node, structure=told))))
    assert any("is not of length" in text for text in found)


# --- no strings -------------------------------------------------------------------------------------------------------


def read_by_name(tree: ast.AST, names: frozenset[str]) -> Iterator[int]:
    """The lines where a fact of a structure is read as an attribute, or its counts cut inputs or results apart."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="attr"), args=[ast.Constant(value=str() as name), *_]):
                if name in names:
                    yield node.lineno
            case ast.Subscript(slice=ast.Slice() as part):
                if any(isinstance(x, ast.Attribute) and x.attr in COUNTS for x in ast.walk(part)):
                    yield node.lineno


def test_nothing_reads_a_structural_fact_by_name() -> None:
    names = frozenset(each.name for kind in STRUCTURES.values() for each in fields(kind)) - SHARED
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in FILES
        if path.parent != ROOT / "compiler" / "ir" and path != Path(__file__)
        for line in read_by_name(
            ast.parse(path.read_text(encoding="utf-8")), names - DRAWN if path.is_relative_to(DIAGRAM) else names
        )
    ]
    assert not found
    assert list(read_by_name(ast.parse('node.attr("carried", 0)\nx = inputs[a.carried + a.sliced :]'), names)) == [1, 2]


@pytest.mark.parametrize("name", SAMPLES)
def test_an_attribute_that_is_in_the_structure_is_refused(name: str) -> None:
    node = Node.of(SAMPLES[name], (), ())
    for each in fields(SAMPLES[name]):
        with pytest.raises(AttributeError, match="in its structure"):
            node.attr(each.name)
    assert node.attr("nothing", 1) == 1
