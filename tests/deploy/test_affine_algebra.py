"""Kernels in sequence and in parallel, at random settings: one convolution is two, borders included."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from ogive.backends.weight_conversion.run import convert
from ogive.compiler.ir.attributes import WeightAttrs
from ogive.compiler.ir.model import Definition, Graph, Init, Model, Node, Value, Weight
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.passes.conversion.graph import conversion
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.weight_folding.affine import Affine, ConvTerm, after, identity
from ogive.compiler.passes.weight_folding.affine_sum import merge
from ogive.compiler.passes.weight_folding.binding_time import scope_of_model
from ogive.compiler.sizes import size

SIDES = st.integers(0, 2)


def tensor(*shape: int) -> TensorType:
    """A type whose sizes are numbers."""
    return TensorType("float", tuple(Axis(size(n)) for n in shape))


class Kernels:
    """Random weights of a scope, and what the scope computes of them."""

    def __init__(self, seed: int) -> None:
        self.scope: ConversionScope = scope_of_model()
        self.generator = torch.Generator().manual_seed(seed)
        self.tensors: dict[str, Tensor] = {}

    def weight(self, *shape: int) -> str:
        name = f"w{len(self.tensors)}"
        self.tensors[name] = torch.randn(shape, generator=self.generator, dtype=torch.float64)
        self.scope.add(Node.of(WeightAttrs(name), (), (Value(name, tensor(*shape)),)))
        return name

    def values(self, *names: str | None) -> list[Tensor | None]:
        """The numbers of values of the scope."""
        members = tuple(Weight(n, tensor(*t.shape), "param", Init("zeros")) for n, t in self.tensors.items())
        empty = Definition("S", "", (), (), Graph((), (), ()), (), (), members, ())
        source = Model("S", empty, (), ())
        wanted = [name for name in names if name is not None]
        made = tuple(
            Weight(f"r{i}", tensor(*self.scope.shape(name)), "param", Init("zeros")) for i, name in enumerate(wanted)
        )
        result = Model("R", Definition("R", "", (), (), Graph((), (), ()), (), (), made, ()), (), ())
        graph = Graph((), tuple(self.scope.nodes), tuple(wanted))
        step = conversion(source, result, graph, tuple(weight.path for weight in made))
        found = convert(step, self.tensors, None)
        numbers = iter(found.values())
        return [None if name is None else next(numbers) for name in names]


@st.composite
def terms(draw: st.DrawFn, channels: int) -> ConvTerm:
    """The settings of a convolution; its kernel is filled in later."""
    groups = draw(st.sampled_from([1, 2, 4]))
    out = draw(st.sampled_from([4, 8]))
    window = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    stride, dilation = (draw(st.tuples(st.integers(1, 2), st.integers(1, 2))) for _ in range(2))
    pads = draw(st.tuples(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES)))
    return ConvTerm("x", channels, out, groups, window, stride, dilation, pads)


def filled(term: ConvTerm, numbers: Kernels) -> ConvTerm:
    """The term with a random kernel."""
    return replace(term, kernel=numbers.weight(term.out, term.channels // term.groups, *term.window))


def applied(term: ConvTerm, kernel: Tensor, bias: Tensor | None, border: Tensor | None, x: Tensor) -> Tensor:
    """A term with explicit padding; the border is the kernel of one more channel of ones."""
    (top, bottom), (left, right) = term.pads
    padded = F.pad(x, (left, right, top, bottom))
    y = F.conv2d(padded, kernel, bias, term.stride, 0, term.dilation, term.groups)
    if border is not None:
        ones = F.pad(torch.ones_like(x[:, :1]), (left, right, top, bottom))
        y = y + F.conv2d(ones, border[:, None], None, term.stride, 0, term.dilation)
    return y


@given(terms(4), st.data(), st.booleans(), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_two_convolutions_are_one(first: ConvTerm, data: st.DataObject, biased: bool, seed: int) -> None:
    numbers = Kernels(seed)
    second = data.draw(terms(first.out))
    first, second = filled(first, numbers), filled(second, numbers)
    b1, b2 = numbers.weight(first.out) if biased else None, numbers.weight(second.out)
    inner = after(numbers.scope, first, b1, identity("x", 4, 1, 2))
    assert inner is not None
    both = after(numbers.scope, second, b2, inner)
    if both is None:  # only what reads beyond what the first gives may be refused
        assert second.padded
        return
    x = torch.randn(2, 4, 11, 12, dtype=torch.float64)
    check(numbers, both, x, [(first, b1), (second, b2)])


def check(numbers: Kernels, both: Affine, x: Tensor, steps: list[tuple[ConvTerm, str | None]]) -> None:
    """One term against the steps in turn."""
    (term,) = both.terms
    kernel, border, bias = numbers.values(term.kernel, term.border, both.bias)
    assert kernel is not None
    wanted = x
    for step, offset in steps:
        wanted = applied(step, numbers.tensors[str(step.kernel)], numbers.tensors.get(str(offset)), None, wanted)
    found = applied(term, kernel, bias, border, x)
    assert found.shape == wanted.shape
    torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-11)


def fitting(a: ConvTerm, b: ConvTerm) -> tuple[tuple[int, int], ...]:
    """Paddings of b, as it begins, with which it gives the sizes of a."""
    settings_ = zip(a.window, a.dilation, a.pads, b.window, b.dilation, b.pads, strict=True)
    return tuple(
        (begin, low + high - d * (n - 1) + e * (m - 1) - begin) for n, d, (low, high), m, e, (begin, _) in settings_
    )


@given(terms(4), terms(4), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_sum_of_two_convolutions_is_one(a: ConvTerm, b: ConvTerm, seed: int) -> None:
    b = replace(b, out=a.out, stride=a.stride, pads=fitting(a, b))
    assume(all(end >= 0 for _, end in b.pads))
    x = torch.randn(2, 4, 11, 12, dtype=torch.float64)
    numbers = Kernels(seed)
    a, b = filled(a, numbers), filled(b, numbers)
    ya, yb = (applied(t, numbers.tensors[str(t.kernel)], None, None, x) for t in (a, b))
    assert ya.shape == yb.shape
    merged = merge(numbers.scope, a, b)
    if merged is None:
        return
    (kernel,) = numbers.values(merged.kernel)
    assert kernel is not None
    torch.testing.assert_close(applied(merged, kernel, None, None, x), ya + yb, rtol=1e-11, atol=1e-11)
