"""Patterns: how they parse, what their names come to, and that any rearrangement is the one by hand."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ogive.backends.pytorch.ops.permute_reshape import blocks_of, groups
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.pattern_parse import parse
from ogive.compiler.ops.patterns import solve
from ogive.compiler.ops.recipe import atoms_of
from ogive.compiler.ops.spec import Pattern, ShapeError
from ogive.compiler.sizes import size
from ops.harness import Collected, Names, function_of, infer, node_of, refused

Grouped = list[list[str]]


@st.composite
def grouped(draw: st.DrawFn, names: list[str]) -> Grouped:
    """The names in this order, some merged into one axis, with axes of size 1 among them."""
    axes: Grouped = []
    for name in names:
        if axes and axes[-1] and draw(st.booleans()):
            axes[-1].append(name)
        else:
            axes.append([name])
        if draw(st.integers(0, 5)) == 0:
            axes.append([])
    return axes


def text_of(axes: Grouped) -> str:
    return " ".join("1" if not axis else axis[0] if len(axis) == 1 else f"({' '.join(axis)})" for axis in axes)


@dataclass(frozen=True)
class Rearrangement:
    """A pattern, the sizes of its names, and what has to be given of them."""

    left: Grouped
    right: Grouped
    sizes: dict[str, int]

    @property
    def text(self) -> str:
        return f"{text_of(self.left)} -> {text_of(self.right)}"

    @property
    def given(self) -> dict[str, int]:
        """All but the last name of each group."""
        return {name: self.sizes[name] for axis in self.left for name in axis[:-1]}


@st.composite
def rearrangements(draw: st.DrawFn) -> Rearrangement:
    names = list("abcde")[: draw(st.integers(0, 5))]
    sizes = {name: draw(st.integers(1, 3)) for name in names}
    return Rearrangement(draw(grouped(names)), draw(grouped(draw(st.permutations(names)))), sizes)


def by_hand(x: torch.Tensor, case: Rearrangement) -> torch.Tensor:
    """All names apart, in the new order, merged."""
    old, new = ([name for axis in side for name in axis] for side in (case.left, case.right))
    apart = x.reshape([case.sizes[name] for name in old]).permute([old.index(name) for name in new])
    return apart.reshape([prod(case.sizes[name] for name in axis) for axis in case.right])


def tensor_of(case: Rearrangement) -> torch.Tensor:
    shape = [prod(case.sizes[name] for name in axis) for axis in case.left]
    return torch.arange(prod(shape)).reshape(shape)


@settings(max_examples=400, deadline=None)
@given(case=rearrangements())
def test_rearrange_is_the_one_by_hand(case: Rearrangement) -> None:
    x = tensor_of(case)
    type = TensorType("int", tuple(Axis(size(n)) for n in x.shape))
    statics = {"pattern": Pattern(case.text, {name: size(n) for name, n in case.given.items()})}
    checker = Collected()
    node = node_of("rearrange", [type], statics, checker)
    assert checker.holds({})
    y = function_of(node, [type], {})(x)
    assert torch.equal(y, by_hand(x, case))
    assert tuple(axis.size.number for axis in node.outputs[0].type.axes) == y.shape


@settings(max_examples=300, deadline=None)
@given(case=rearrangements(), data=st.data())
def test_rearrange_with_a_pack_of_any_rank(case: Rearrangement, data: st.DataObject) -> None:
    """One name that has an axis to itself on the left becomes a pack; the code is written before its rank is known."""
    alone = [axis[0] for axis in case.left if len(axis) == 1]
    if not alone:
        return
    chosen = data.draw(st.sampled_from(alone))
    inner = data.draw(st.sampled_from([[], [case.sizes[chosen]], [1, case.sizes[chosen]], [case.sizes[chosen], 1]]))
    case = Rearrangement(case.left, case.right, {**case.sizes, **({} if inner else {chosen: 1})})
    names = Names()
    x = tensor_of(case)
    axes = [names.axis("*p") if axis == [chosen] else Axis(size(n)) for axis, n in zip(case.left, x.shape, strict=True)]
    text = case.text.replace(chosen, f"*{chosen}")
    statics = {"pattern": Pattern(text, {name: size(n) for name, n in case.given.items()})}
    node = node_of("rearrange", [TensorType("int", tuple(axes))], statics)

    def opened(side: Grouped, shape: tuple[int, ...]) -> list[int]:
        return [m for axis, n in zip(side, shape, strict=True) for m in (inner if axis == [chosen] else [n])]

    values = names.values({"*p": prod(inner)})
    y = function_of(node, [TensorType("int", tuple(axes))], values)(x.reshape(opened(case.left, tuple(x.shape))))
    # `(*p)` is an axis, `*p` as many as there are
    expected = by_hand(x, case)
    assert torch.equal(y, expected.reshape(opened(case.right, tuple(expected.shape))))


@pytest.mark.parametrize("inner", [[], [4], [4, 1], [2, 3, 4]])
@pytest.mark.parametrize("pattern", ["*p c -> c (*p)", "a *p c -> a (*p) c", "a *p c -> c (*p) a", "a *p -> 1 (*p) a"])
def test_a_pack_moves_and_becomes_one_axis(pattern: str, inner: list[int]) -> None:
    left, right = (side.split() for side in pattern.split(" -> "))
    names, sizes = Names(), {"a": 5, "c": 6, "(*p)": prod(inner), "1": 1}
    axes = [names.axis("*p") if name == "*p" else Axis(size(sizes[name])) for name in left]
    node = node_of("rearrange", [TensorType("int", tuple(axes))], {"pattern": Pattern(pattern, {})})
    recipe = node.attr("recipe")
    for side, layout in zip((*recipe.inputs, *recipe.outputs), groups(*recipe.inputs, *recipe.outputs), strict=True):
        assert all(blocks_of(layout)), "a block has axes"
        assert [atom for block in blocks_of(layout) for atom in block] == list(atoms_of(side))
    x = torch.arange(prod(inner) * prod(sizes[name] for name in left if name != "*p"))
    x = x.view([n for name in left for n in (inner if name == "*p" else [sizes[name]])])
    y = function_of(node, [TensorType("int", tuple(axes))], names.values({"*p": prod(inner)}))(x)
    flat = x.reshape([sizes[name.replace("*p", "(*p)")] for name in left])
    old = [name.replace("*p", "(*p)") for name in left]
    moved = flat.permute([old.index(name) for name in right if name != "1"])
    assert torch.equal(y, moved.reshape([sizes[name] for name in right]))


@settings(max_examples=200, deadline=None)
@given(case=rearrangements(), data=st.data())
def test_reduce_and_expand_undo_each_other(case: Rearrangement, data: st.DataObject) -> None:
    """Sums over names that are dropped, and repeats along names that are new, are those by hand."""
    dropped = data.draw(st.sets(st.sampled_from(sorted(case.sizes)))) if case.sizes else set()
    fewer = [[name for name in axis if name not in dropped] for axis in case.right]
    short = Rearrangement(case.left, fewer, case.sizes)
    x = tensor_of(case)
    type = TensorType("int", tuple(Axis(size(n)) for n in x.shape))
    pattern = Pattern(short.text, {name: size(n) for name, n in case.given.items()})
    node = node_of("reduce", [type], {"pattern": pattern, "op": "sum"})
    y = function_of(node, [type], {})(x)
    old, kept = ([name for axis in side for name in axis] for side in (case.left, fewer))
    apart = x.reshape([case.sizes[name] for name in old])
    summed = apart.sum([old.index(name) for name in dropped], keepdim=True) if dropped else apart
    order = [*[old.index(name) for name in kept], *[old.index(name) for name in dropped]]
    shape = [prod(case.sizes[name] for name in axis) for axis in fewer]
    assert torch.equal(y, summed.permute(order).reshape(shape))

    back = Pattern(f"{text_of(fewer)} -> {text_of(case.left)}", {name: size(n) for name, n in case.sizes.items()})
    narrow = node.outputs[0].type
    node = node_of("expand", [narrow], {"pattern": back})
    z = function_of(node, [narrow], {})(y)
    assert torch.equal(z, summed.expand_as(apart).reshape(x.shape))
    assert tuple(axis.size.number for axis in node.outputs[0].type.axes) == z.shape


def test_names_come_from_axes_keywords_and_division() -> None:
    names, checker = Names(), Collected()
    d, heads = names["d"], names["heads"]
    pattern = Pattern("*b n (t h e) -> t *b h n e", {"t": size(3), "h": heads})
    solved = solve(checker, pattern, [names.type("a b n d")])
    assert solved.recipe.sizes["e"] == d // (3 * heads)
    assert [str(condition) for condition, _, _ in checker.constraints] == ["d % (3*heads) == 0"]
    assert [axis.label for axis in solved.outputs[0]] == ["t", "a", "b", "h", "n", "e"]


def test_an_exact_quotient_has_no_constraint() -> None:
    names, checker = Names(), Collected()
    type = TensorType("float", (Axis(2 * names["h"]),))
    solved = solve(checker, Pattern("(h two) -> h two", {"two": size(2)}), [type])
    assert solved.recipe.sizes["h"] == names["h"]
    assert checker.holds({})


def test_two_groups_may_settle_each_other() -> None:
    names, checker = Names(), Collected()
    solved = solve(checker, Pattern("(a b), b (c a) -> a b c"), [names.type("n"), names.type("k m")])
    assert solved.recipe.sizes == {
        "a": names["n"] // names["k"],
        "b": names["k"],
        "c": names["m"] // (names["n"] // names["k"]),
    }


@pytest.mark.parametrize(
    "text",
    [
        "a b -> b a",
        "... (t d) -> t ... d",
        "*b n -> (*b n)",
        "b (q + k) -> b q, b k",
        "b ((h w) + 1) -> b h w, b 1",
        "-> 1",
    ],
)
def test_a_parsed_pattern_prints_as_it_stands(text: str) -> None:
    assert str(parse(text)).strip() == text
    assert parse(str(parse(text))) is not None


# the pattern, the tensors, and where inside the pattern the mistake is: the characters between the bars
MISTAKES = [
    ("b c h|| b c", "b c h"),
    ("b |?| -> b", "b n"),
    ("b |(|n d -> b", "b n"),
    ("b n|)| -> b", "b n"),
    ("b n -> b |->| n", "b n"),
    ("|b c h| -> b c", "b c h w"),
    ("b n -> b n |d|", "b n"),
    ("b |n| d -> b d", "b n d"),
    ("b |(h e)| -> b h e", "b d"),
    ("b |b| -> b", "n n"),
    ("b n -> n |n| b", "b n"),
    ("*a |*b| n -> n", "b n"),
    ("|b| n d -> d n b", "*b n d"),
    ("b (|(h e)| d) -> b h e d", "b n"),
    ("|b n, b m| -> b (n + m)", "b n"),
    ("b (q + k) -> b q, |b q|", "b n"),
    ("b n |*| -> b", "b n"),
    ("b |0| -> b", "b n"),
    ("b |(q +)| -> b q", "b n"),
]


@pytest.mark.parametrize(("marked", "tensor"), MISTAKES, ids=[marked for marked, _ in MISTAKES])
def test_mistakes_have_a_place_in_the_pattern(marked: str, tensor: str) -> None:
    start, end = marked.index("|"), marked.rindex("|") - 1
    given = {"q": size(1)} if "q" in marked else {}
    error = refused("rearrange", [Names().type(tensor)], {"pattern": Pattern(marked.replace("|", ""), given)})
    assert error.code == "E0303"
    assert error.inside is not None
    if start != end:
        assert error.inside == (start, end)


def test_an_unknown_keyword() -> None:
    error = refused("rearrange", [Names().type("b n")], {"pattern": Pattern("b n -> n b", {"k": size(2)})})
    assert (error.code, error.static) == ("E0403", "k")


def test_a_size_of_nothing() -> None:
    error = refused("rearrange", [Names().type("b n")], {"pattern": Pattern("b (n p) -> b n p", {"p": size(0)})})
    assert (error.code, error.static) == ("E0408", "p")


def test_a_pack_may_be_given_as_one_axis() -> None:
    names = Names()
    (result,), _ = infer("expand", [names.type("d")], {"pattern": Pattern("d -> *b d", {"b": names["b"]})})
    assert [axis.size for axis in result.axes] == [names["b"], names["d"]]


def test_a_group_comes_apart_into_the_pack_that_is_given() -> None:
    names = Names()
    b, n, e = (Axis(names[name]) for name in "bne")
    whole = TensorType("float", (Axis(names["b"] * names["n"]), e))
    given = Pattern("(*s) e -> *s e", {}, {"s": (b, n)})
    (result,), _ = infer("rearrange", [whole], {"pattern": given})
    assert [axis.size for axis in result.axes] == [names["b"], names["n"], names["e"]]
    error = refused("rearrange", [whole], {"pattern": Pattern("s e -> e s", {}, {"s": (b, n)})})
    assert (error.code, error.static) == ("E0403", "s")


def test_two_unknown_names_ask_for_one() -> None:
    error = refused("rearrange", [Names().type("b d")], {"pattern": Pattern("b (h e) -> b h e")})
    assert (error.text, error.help) == ("cannot determine `h` and `e` from `d`", "say how many: `h=...`")


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet="ab1(,)+*->. \n_é", max_size=14))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        parsed = parse(text)
    except ShapeError as error:
        assert error.inside is not None
        assert 0 <= error.inside[0] <= error.inside[1] <= len(text)
        return
    again = parse(str(parsed))
    assert (again.inputs, again.outputs) == (parsed.inputs, parsed.outputs)


def test_names_that_meet_are_required_to_be_equal() -> None:
    names, checker = Names(), Collected()
    infer("einsum", [names.type("b n d"), names.type("v e")], {"pattern": Pattern("b n d, v d -> b n v")}, checker)
    assert [(str(condition), operand) for condition, _, operand in checker.constraints] == [("d == e", 1)]
