"""The language of maps: every form against the same in plain torch, in both directions and both backends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ogive.backends.onnx_model.serialize.external_data import moved
from ogive.backends.weights import tensors
from ogive.backends.weights.map_text import parse_map
from ogive.backends.weights.names import NameFault, alternatives, read_name
from ogive.backends.weights.plan import plan, plan_back
from ogive.backends.weights.step_text import read_step
from ogive.backends.weights.steps import Shape, StepFault
from ogive.grammar.diagnostics import ArchError

State = dict[str, Tensor]
Form = tuple[str, dict[str, Shape], dict[str, Shape], Callable[[State], State]]

FORMS: dict[str, Form] = {
    "all below": ('"layers.*" = "model.layers.*"', {"layers.0.a.w": (2,), "layers.1.b": (3,), "n": (1,)},
                  {"model.layers.0.a.w": (2,), "model.layers.1.b": (3,), "n": (1,)},
                  lambda t: {k.removeprefix("model."): v for k, v in t.items()}),
    "everything": ('"*" = "net.*"', {"a": (2,), "b.c": (1,)}, {"net.a": (2,), "net.b.c": (1,)},
                   lambda t: {k[4:]: v for k, v in t.items()}),
    "all below in iterations": ('"h.*.mlp.*" = "layers.*.ff.*"', {"h.0.mlp.up.w": (2,), "h.11.mlp.b": (1,)},
                                {"layers.0.ff.up.w": (2,), "layers.11.ff.b": (1,)},
                                lambda t: {"h.0.mlp.up.w": t["layers.0.ff.up.w"], "h.11.mlp.b": t["layers.11.ff.b"]}),
    "an offset": ('"l.*.w" = "layer{*+1}.w"', {"l.0.w": (2,), "l.1.w": (1,)}, {"layer1.w": (2,), "layer2.w": (1,)},
                  lambda t: {"l.0.w": t["layer1.w"], "l.1.w": t["layer2.w"]}),
    "every third": ('"l.*.w" = "f.{3*+1}.w"', {"l.0.w": (2,), "l.2.w": (1,)}, {"f.1.w": (2,), "f.7.w": (1,)},
                    lambda t: {"l.0.w": t["f.1.w"], "l.2.w": t["f.7.w"]}),
    "an offset of ours": ('"l{*+2}.w" = "f.*.w"', {"l2.w": (2,), "l3.w": (1,)}, {"f.0.w": (2,), "f.1.w": (1,)},
                          lambda t: {"l2.w": t["f.0.w"], "l3.w": t["f.1.w"]}),
    "the first is another": ('"l.*.w" = "f.{*-1}.w"\n"l.0.w" = "first"', {"l.0.w": (2,), "l.1.w": (1,)},
                             {"first": (2,), "f.0.w": (1,)}, lambda t: {"l.0.w": t["first"], "l.1.w": t["f.0.w"]}),
    "the first line counts": ('"l.0.*" = "a.*"\n"l.*" = "b.*"', {"l.0.w": (2,), "l.1.w": (1,)},
                              {"a.w": (2,), "b.1.w": (1,)}, lambda t: {"l.0.w": t["a.w"], "l.1.w": t["b.1.w"]}),
    "words": ('"{q,k}.{w,b}" = "{query,key}.{weight,bias}"', {"q.w": (2,), "q.b": (1,), "k.w": (3,), "k.b": (4,)},
              {"query.weight": (2,), "query.bias": (1,), "key.weight": (3,), "key.bias": (4,)},
              lambda t: {"q.w": t["query.weight"], "q.b": t["query.bias"], "k.w": t["key.weight"],
                         "k.b": t["key.bias"]}),
    "a transpose of all below": ('"a.*" = "a.* | transpose"', {"a.w": (2, 3), "a.b": (3,)},
                                 {"a.w": (3, 2), "a.b": (3,)}, lambda t: {"a.w": t["a.w"].T, "a.b": t["a.b"]}),
    "a join": ('w = ["a", "b | transpose"]', {"w": (4, 2)}, {"a": (2, 2), "b": (2, 2)},
               lambda t: {"w": torch.cat([t["a"], t["b"].T])}),
    "a join of unequal parts": ('w = { join = ["a", "b"], axis = 1, sizes = [3, 1] }', {"w": (2, 4)},
                                {"a": (2, 3), "b": (2, 1)}, lambda t: {"w": torch.cat([t["a"], t["b"]], 1)}),
    "a join, turned": ('w = { join = ["a", "b"], then = "transpose" }', {"w": (2, 4)}, {"a": (2, 2), "b": (2, 2)},
                       lambda t: {"w": torch.cat([t["a"], t["b"]]).T}),
    "a stack": ('"h.*.w" = { stack = "h.*.e.*.w" }', {"h.0.w": (2, 3)}, {"h.0.e.0.w": (3,), "h.0.e.1.w": (3,)},
                lambda t: {"h.0.w": torch.stack([t["h.0.e.0.w"], t["h.0.e.1.w"]])}),
    "a stack on another axis": ('w = { stack = "e{*+1}", axis = 1 }', {"w": (3, 2)}, {"e1": (3,), "e2": (3,)},
                                lambda t: {"w": torch.stack([t["e1"], t["e2"]], 1)}),
    "a split": ('"{q,k,v}.w" = "qkv.w | part {0,1,2} of 3"', {"q.w": (2, 2), "k.w": (2, 2), "v.w": (2, 2)},
                {"qkv.w": (6, 2)}, lambda t: dict(zip(["q.w", "k.w", "v.w"], t["qkv.w"].chunk(3), strict=True))),
    "a split after a transpose": ('"{q,k}.w" = "c.w | transpose | part {0,1} of 2"', {"q.w": (2, 3), "k.w": (2, 3)},
                                  {"c.w": (3, 4)},
                                  lambda t: dict(zip(["q.w", "k.w"], t["c.w"].T.chunk(2), strict=True))),
    "a split on another axis": ('"{q,k}" = "c | part {0,1} of 2 on 1 | transpose"', {"q": (2, 3), "k": (2, 3)},
                                {"c": (3, 4)}, lambda t: {"q": t["c"][:, :2].T, "k": t["c"][:, 2:].T}),
    "slices": ('q = "c | slice 0:3"\nkv = "c | slice 3:4"', {"q": (3, 2), "kv": (1, 2)}, {"c": (4, 2)},
               lambda t: {"q": t["c"][:3], "kv": t["c"][3:]}),
    "slices after a transpose": ('q = "c | transpose | slice 0:3"\nkv = "c | transpose | slice 3:4"',
                                 {"q": (3, 2), "kv": (1, 2)}, {"c": (2, 4)},
                                 lambda t: {"q": t["c"].T[:3], "kv": t["c"].T[3:]}),
    "entries": ('"h.*.w" = "h.w | entry *"', {"h.0.w": (3,), "h.1.w": (3,)}, {"h.w": (2, 3)},
                lambda t: {"h.0.w": t["h.w"][0], "h.1.w": t["h.w"][1]}),
    "entries of entries": ('"h.*.e.*.w" = "h.*.w | entry *"', {"h.0.e.0.w": (3,), "h.0.e.1.w": (3,)},
                           {"h.0.w": (2, 3)}, lambda t: {"h.0.e.0.w": t["h.0.w"][0], "h.0.e.1.w": t["h.0.w"][1]}),
    "a squeeze": ('w = "w | squeeze 1"', {"w": (2, 3)}, {"w": (2, 1, 3)}, lambda t: {"w": t["w"][:, 0]}),
    "an unsqueeze": ('w = "w | unsqueeze 1"', {"w": (2, 1, 3)}, {"w": (2, 3)}, lambda t: {"w": t["w"][:, None]}),
    "halves": ('"{w,b}" = "{w,b} | interleaved_to_halves 4"', {"w": (8, 3), "b": (8,)}, {"w": (8, 3), "b": (8,)},
               lambda t: {"w": t["w"].view(2, 2, 2, 3).transpose(1, 2).reshape(8, 3),
                          "b": t["b"].view(2, 2, 2).transpose(1, 2).reshape(8)}),
    "interleaved": ('w = "w | halves_to_interleaved 6"', {"w": (12, 1)}, {"w": (12, 1)},
                    lambda t: {"w": t["w"].view(2, 2, 3, 1).transpose(1, 2).reshape(12, 1)}),
    "by heads": ('"qkv.{w,b}" = "qkv.{w,b} | rearrange (h t e) *r -> (t h e) *r, t=3, e=2"',
                 {"qkv.w": (12, 5), "qkv.b": (12,)}, {"qkv.w": (12, 5), "qkv.b": (12,)},
                 lambda t: {"qkv.w": t["qkv.w"].view(2, 3, 2, 5).transpose(0, 1).reshape(12, 5),
                            "qkv.b": t["qkv.b"].view(2, 3, 2).transpose(0, 1).reshape(12)}),
    "another order": ('w = "w | rearrange i o a b -> o i a b"', {"w": (2, 3, 4, 5)}, {"w": (3, 2, 4, 5)},
                      lambda t: {"w": t["w"].transpose(0, 1)}),
    "a flat kernel": ('w = "w | rearrange o (i a b) -> o i a b, a=2, b=2"', {"w": (3, 2, 2, 2)}, {"w": (3, 8)},
                      lambda t: {"w": t["w"].view(3, 2, 2, 2)}),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_what_plain_torch_says(form: str) -> None:
    text, ours, theirs, oracle = FORMS[form]
    mapping = parse_map(f"[weights]\n{text}\n")
    given_tensors = {name: torch.randn(shape) for name, shape in theirs.items()}
    expected = oracle(given_tensors)
    assert {name: tuple(tensor.shape) for name, tensor in expected.items()} == ours
    moves = plan(mapping, ours, theirs)
    made = tensors.forward(moves, given_tensors)
    assert made.keys() == ours.keys()
    assert all(torch.equal(made[name], expected[name]) for name in ours)
    arrays = moved(moves, {name: tensor.numpy() for name, tensor in given_tensors.items()})
    assert all(np.array_equal(arrays[name], expected[name].numpy()) for name in ours)
    for back in (moves, plan_back(mapping, ours)):
        again = tensors.backward(back, expected)
        assert again.keys() == given_tensors.keys()
        assert all(torch.equal(again[name], tensor) for name, tensor in given_tensors.items())


SIZES = st.lists(st.integers(1, 3), min_size=1, max_size=4)


@given(SIZES, st.data())
def test_any_rearrangement_can_be_undone(sizes: list[int], data: st.DataObject) -> None:
    """Against einops in words: groups of both sides drawn at random."""
    names = "abcd"[: len(sizes)]

    def side(order: list[str]) -> tuple[str, list[list[str]]]:
        cuts = [data.draw(st.booleans()) for _ in order[1:]]
        groups = [[order[0]]]
        for name, cut in zip(order[1:], cuts, strict=True):
            if cut:
                groups.append([])
            groups[-1].append(name)
        return " ".join(f"({' '.join(group)})" for group in groups), groups

    (first, ins), (last, outs) = side(list(names)), side(data.draw(st.permutations(list(names))))
    known = dict(zip(names, sizes, strict=True))
    step = read_step(f"rearrange {first} -> {last}, " + ", ".join(f"{name}={size}" for name, size in known.items()))
    shape = tuple(int(np.prod([known[name] for name in group])) for group in ins)
    x = torch.randn(shape)
    order = [name for group in outs for name in group]
    expected = x.reshape(sizes).permute([names.index(name) for name in order])
    expected = expected.reshape([int(np.prod([known[name] for name in group])) for group in outs])
    view = step.view(shape)
    assert torch.equal(tensors.viewed(x, [view]), expected)
    assert step.view(view.after, back=True) == view
    assert torch.equal(tensors.viewed(expected, [view.inverse]), x)


FAULTS = [
    ('w = "w | part 3 of 3"', "counted from 0, and there are 3"),
    ('w = "w | part 0 of 0"', "counted from 0"),
    ('w = "w | slice 3:3"', "takes nothing"),
    ('w = "w | part 0 of 2 | entry 1"', "only one of its steps takes a part"),
    ('w = "w | turn"', "unknown step `turn`; there are `transpose`"),
    ('w = "w | transpose | "', "unknown step ``"),
    ('w = "w | squeeze 100"', "no tensor has so many axes"),
    ('w = "w | interleaved_to_halves 3"', "even size"),
    ('w = "w | rearrange a b"', "a pattern has `->`"),
    ('w = "w | rearrange a b -> b"', "both sides have the same axes, each once"),
    ('w = "w | rearrange a a -> a a"', "both sides have the same axes, each once"),
    ('w = "w | rearrange (a 2) -> a 2"', "an axis of a size has a name"),
    ('w = "w | rearrange ... a -> a ..."', "one `*rest`"),
    ('w = "w | rearrange (a + b) -> (b + a)"', "groups in parentheses"),
    ('w = "w | rearrange a b -> b a, c=3"', "there is no axis `c`"),
    ('w = "w | rearrange a b -> b a, a=x"', "`a=x` is not the size of an axis"),
    ('w = "w | rearrange ((a -> a"', "is not closed"),
    ('"{a,b}" = "{a,b,c}"', "equally many words"),
    ('"{a,b}" = "c"', "equally many words"),
    ('"l.{*+}.w" = "l.*.w"', "in braces stand `*`"),
    ('"l.{x}.w" = "l.w"', "in braces stand `*`"),
    ('"l.{0*+3}.w" = "l.*.w"', "the same for every number"),
    ('"l.**.w" = "l.**.w"', "something between two `*`"),
    ('"l.*" = "l.{*+1}"', "cannot be counted otherwise"),
    ('"l.*.w" = "l.w"', "as many `*`"),
    ('w = { stack = "w" }', "one more that counts the entries"),
    ('w = { stack = ["w"] }', "or `stack`, a name"),
    ('w = { stack = "w.*", sizes = [1] }', "or `stack`, a name"),
    ('w = { join = ["a"], then = 3 }', "`then` is what is done"),
    ('w = { join = ["a"], then = "part 0 of 2" }', "unknown step"),
    ('"" = "a"', "a name"),
    ('w = ""', "a name"),
    ('"{%s}" = "{%s}"' % ((",".join("x" * 10_001),) * 2), "at most 10,000"),
]


@pytest.mark.parametrize(("line", "said"), FAULTS, ids=[line[:40] for line, _ in FAULTS])
def test_what_is_no_line_is_a_diagnostic(line: str, said: str) -> None:
    with pytest.raises(ArchError) as caught:
        parse_map(f"[weights]\n{line}\n")
    (found,) = caught.value.diagnostics
    assert (found.code, found.span.begin()[0]) == ("E0820", 2) or said == "a name"
    assert said in found.message


MISFITS = [
    ('w = "w"', {"w": (2, 3)}, {"w": (2, 1, 3)}, "add `| squeeze 1`"),
    ('w = "w"', {"w": (1, 2, 3)}, {"w": (2, 3)}, "add `| unsqueeze 0`"),
    ('w = "w | unsqueeze 0"', {"w": (2, 3)}, {"w": (3, 2)}, "the checkpoint has `w` [3, 2]"),
    ('w = "w | squeeze 0"', {"w": (2,)}, {"w": (3, 2)}, "`1` does not fit an axis of 3"),
    ('w = "w | rearrange a b -> b a"', {"w": (2,)}, {"w": (2,)}, "`a b` has 2 axes, not 1"),
    ('w = "w | rearrange (a b) -> a b"', {"w": (2, 2)}, {"w": (4,)}, "the sizes of `a` and `b` in"),
    ('w = "w | part 0 of 3"', {"w": (2,)}, {"w": (4,)}, "has no 3 equal parts"),
    ('w = "w | part 0 of 2 on 3"', {"w": (2,)}, {"w": (4,)}, "there is no axis 3"),
    ('w = "w | slice 3:5"', {"w": (2,)}, {"w": (4,)}, "ends before 5"),
    ('"{q,k}" = "c | part {0,1} of 3"', {"q": (2,), "k": (2,)}, {"c": (6,)}, "no weight of the model takes 4:6"),
    ('q = "c | slice 1:3"', {"q": (2,)}, {"c": (3,)}, "no weight of the model takes 0:1"),
    ('q = "c | slice 0:2"\nk = "c | slice 1:3"', {"q": (2,), "k": (2,)}, {"c": (3,)}, "do not lie side by side"),
    ('q = "c | slice 0:2"\nk = "c"', {"q": (2,), "k": (3,)}, {"c": (3,)}, "do not lie side by side"),
    ('q = "c | part 0 of 2"\nk = "c | transpose | part 1 of 2"', {"q": (1, 2), "k": (1, 2)}, {"c": (2, 2)},
     "after the same steps"),
    ('"a" = "c"\n"a.*" = "b.*"', {"a.w": (1,)}, {"b.w": (1,)}, "the model has no weight `a`"),
    ('"a" = "c"', {"a.w": (1,)}, {"c.w": (1,)}, "`a.*` moves all below"),
    ('"*" = "n.*"\n"a.*" = "b.*"', {"a.w": (1,)}, {"n.a.w": (1,)}, "earlier lines take all that `a.*` names"),
    ('w = { stack = "e.*" }', {"w": (3, 2)}, {"e.0": (2,), "e.1": (2,)}, "has no `e.2`"),
    ('w = { stack = "e.*" }', {"w": (2, 2)}, {"e.0": (2,), "e.1": (2,), "e.2": (2,)}, "no weight of the model takes"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "ours", "theirs", "said"), MISFITS)
def test_what_does_not_fit_is_a_diagnostic(
    line: str, ours: dict[str, Shape], theirs: dict[str, Shape], said: str
) -> None:
    with pytest.raises(ArchError) as caught:
        plan(parse_map(f"[weights]\n{line}\n"), ours, theirs)
    assert said in " ".join(found.message + found.help for found in caught.value.diagnostics)


@pytest.mark.parametrize(
    ("line", "ours", "said"),
    [
        ('"{q,k}" = "c | part {0,1} of 3"', {"q": (2,), "k": (2,)}, "gives 4:6 of axis 0 of `c`"),
        ('"k" = "c | transpose | part 1 of 2 on 1"', {"k": (2, 2)}, "gives 0:2 of axis 1 of `c`"),
        ('q = "c | slice 1:3"', {"q": (2,)}, "gives 0:1 of axis 0 of `c`"),
        ('q = "c | slice 0:2"\nk = "c | slice 3:4"', {"q": (2,), "k": (1,)}, "gives 2:3 of axis 0 of `c`"),
        ('"h.{*}" = "c | entry {*+1}"', {"h.0": (2,), "h.1": (2,)}, "gives 0:1 of axis 0 of `c`"),
        ('q = "c | slice 0:3"', {"q": (2,)}, "axis 0 of [2] is not 3 long"),
        ('q = "c | squeeze 0 | slice 0:2"', {"q": ()}, "there is no axis 0"),
        ('q = ["a", "b"]', {"q": (3,)}, "cannot be cut into 2 equal parts"),
        ('q = { join = ["a", "b"], sizes = [1, 3] }', {"q": (3,)}, "do not add up"),
        ('q = "c | rearrange (a b) -> a b, a=3"', {"q": (2, 2)}, "does not fit an axis of 2"),
        ('q = { stack = "e.*", axis = 2 }', {"q": (3, 2)}, "the model has no weight `q`"),
    ],
)
def test_what_cannot_be_written_is_a_diagnostic(line: str, ours: dict[str, Shape], said: str) -> None:
    """No tensor of theirs is written in part."""
    with pytest.raises(ArchError) as caught:
        plan_back(parse_map(f"[weights]\n{line}\n[ignore]\nnames = ['c']\n"), ours)
    assert said in " ".join(found.message for found in caught.value.diagnostics)


def test_many_iterations_are_one_message() -> None:
    ours: dict[str, Shape] = {f"h.{i}.w": (2,) for i in range(12)}
    theirs: dict[str, Shape] = {f"h.{i}.{name}": (1, 1, 4, 4) for i in range(12) for name in ("mask", "bias")}
    with pytest.raises(ArchError) as caught:
        plan(parse_map('[weights]\n"h.*.w" = "h.*.weight"\n'), ours, {**theirs, "other": (1,)})
    assert [found.message for found in caught.value.diagnostics] == [
        "no weight of the model takes `h.*.bias` [1, 1, 4, 4] (12)",
        "no weight of the model takes `h.*.mask` [1, 1, 4, 4] (12)",
        "no weight of the model takes `other` [1]",
        "the checkpoint has no `h.*.weight`, for `h.*.w` [2] (12)",
    ]


PATTERNS = st.lists(st.sampled_from(["h", ".", "*", "{*+1}", "{2*}", "{*-1}", "x", "w."]), min_size=1, max_size=5)


@given(PATTERNS.map("".join), st.lists(st.integers(0, 12), min_size=5, max_size=5))
def test_what_a_pattern_makes_it_reads(text: str, numbers: list[int]) -> None:
    try:
        pattern = read_name(text)
    except NameFault:
        return
    values = tuple(numbers[: len(pattern.stars)])
    name = pattern.filled(values)
    if name is not None and not (pattern.stars and pattern.stars[-1].rest):
        read = pattern.match(name)
        assert read is not None
        assert pattern.filled(read) == name


@given(st.text("{},*ab+1|", max_size=8))
def test_any_text_is_a_name_or_a_fault(text: str) -> None:
    for use in (read_name, lambda text: alternatives([text, text]), read_step):
        try:
            use(text)
        except (NameFault, StepFault):
            pass


@pytest.mark.parametrize("side", ["(" * 5000 + "a" + ")" * 5000 + " b", "(" * 5000, "a " + "1" * 5000, "(a " * 400])
def test_a_pattern_of_any_length_is_refused_in_our_words(side: str) -> None:
    for text in (f"rearrange {side} -> a b", f"rearrange a b -> {side}"):
        with pytest.raises(NameFault, match="rearrange"):
            read_step(text)
