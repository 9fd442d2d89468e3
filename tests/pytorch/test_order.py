"""Weights have one order, that of the state dict: in `model.weights`, in files, and on flat axes."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils import parameters_to_vector

import ogive
from ogive.api import Model

ROOT = Path(__file__).parents[2]
HEAD = "use std.nn (Linear, BatchNorm)\n"
FLAT = """
block Filled[F: block](x: [b, 2]) -> [b, 2]:
    param theta: [count[F]] = initial[F]
    return F(x, weights=theta)
"""
LEAVES = st.sampled_from((
    "param {name}: [2] = uniform[1, 2]\nx = x * {again}",
    "state {name}: [2] = ones\nx = x * {again}",
    "x = x |> Linear[2, 2] as {name}",
    "x = x |> BatchNorm as {name}",
))  # fmt: skip
LOOPS = ("repeat 2 as {name}:", "for i in range(3) as {name}:", "if 1 == 1:")


def bodies(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Several statements, some under a loop."""
    looped = st.tuples(st.sampled_from(LOOPS), inner).map(lambda pair: f"{pair[0]}\n{indented(pair[1])}")
    return st.lists(LEAVES | looped, min_size=1, max_size=4).map("\n".join)


def indented(text: str) -> str:
    return "\n".join("    " + line for line in text.splitlines())


def named(text: str, letters: list[str]) -> str:
    """The body with a name for each `{name}`; `{again}` is the one before."""
    names: list[str] = []

    def name(found: re.Match[str]) -> str:
        if found[1] == "name":
            names.append(f"{letters[len(names) % len(letters)]}{len(names)}")
        return names[-1]

    return re.sub(r"\{(name|again)\}", name, text)


@settings(max_examples=25, deadline=None)
@given(st.recursive(LEAVES, bodies, max_leaves=6), st.permutations("abcdef"))
def test_weights_stand_in_the_order_of_the_state_dict(body: str, letters: list[str]) -> None:
    block = f"block Net(x: [b, 2]) -> [b, 2]:\n{indented(named(body, letters))}\n    return x\nmodel M = Net\n"
    model = ogive.source(HEAD + block).models["M"]
    assert list(model.weights) == list(model.torch(device="meta").state_dict()), block


def test_the_examples_too() -> None:
    for path in sorted((ROOT / "examples").glob("*.arch")):
        for name, model in ogive.load(path).models.items():
            if "Tiny" in name:
                assert list(model.weights) == list(model.torch(device="meta").state_dict()), f"{path}:{name}"


def test_what_initial_fills_is_what_count_counts_and_weights_takes() -> None:
    text = """
block Odd(x: [b, 2]) -> [b, 2]:
    x = x |> Linear[2, 2] as late
    param zeta: [2] = constant[2]
    param alpha: [] = constant[3]
    init late.weight = constant[5]
    init late.bias = constant[7]
    return x * zeta + alpha
model Plain = Odd
model Theta = Filled[Odd]
"""
    program = ogive.source(HEAD + FLAT + text)
    plain, theta = program["Plain"], program["Theta"]
    assert isinstance(plain, Model)
    assert isinstance(theta, Model)
    assert list(plain.weights) == ["zeta", "alpha", "late.weight", "late.bias"]
    ours, x = theta.torch(), torch.randn(3, 2)
    torch.testing.assert_close(ours.get_parameter("theta").detach(), parameters_to_vector(plain.torch().parameters()))
    torch.testing.assert_close(ours(x), plain.torch()(x))
