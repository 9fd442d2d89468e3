"""The one place that makes inputs and the one that compares: what passes, what does not, and what is not compared."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ogive.backends.compared.compare import BASE, judged
from ogive.backends.compared.inputs import KINDS, Spec, drawn, in_type, module_in, moved
from ogive.backends.compared.order import FirstFirst

NAN, INF = math.nan, math.inf
TOP = torch.finfo(torch.float16).max


def tensor(*values: float, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).to(dtype)


def told(got: Tensor, expected: Tensor, exact: Tensor | None = None, *moved: Tensor) -> tuple[str, bool]:
    """Where the reference loses nothing, unless that is given."""
    wide = in_type(expected, torch.float64) if exact is None else exact
    found = judged(got, expected, wide, moved, BASE.get(expected.dtype, BASE[torch.float32]))
    return found.fault, found.compared


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ((1.0, 2.0), (1.0, 2.0)),
        ((1.0, 2.000001), (1.0, 2.0)),
        ((1e-7, 2.0), (0.0, 2.0)),  # of the largest number
        ((INF, 2.0), (INF, 2.0)),
        ((-INF, NAN, 2.0), (-INF, NAN, 2.0)),
        ((0.0, -0.0), (-0.0, 0.0)),
    ],
)
def test_rounding_passes(got: tuple[float, ...], expected: tuple[float, ...]) -> None:
    assert told(tensor(*got), tensor(*expected)) == ("", True)


@pytest.mark.parametrize(
    ("got", "expected", "fault"),
    [
        ((1.0, 2.1), (1.0, 2.0), "is off by 1.0e-01, of numbers up to 2.0e+00"),
        ((1.0, 2.001), (1.0, 2.0), "is off by 1.0e-03"),
        ((1.0, NAN), (1.0, 2.0), "is nan at [1], not 2.0"),
        ((1.0, 2.0), (1.0, NAN), "is 2.0 at [1], not nan"),
        ((INF, 2.0), (-INF, 2.0), "is inf at [0], not -inf"),
        ((INF, 2.0), (NAN, 2.0), "is inf at [0], not nan"),
        ((INF, 2.0), (3e38, 2.0), "is inf at [0]"),
        ((3e38, 2.0), (INF, 2.0), "is 3.0"),
        ((NAN, NAN), (0.0, 0.0), "is nan at [0], not 0.0"),
        ((0.001, 0.0), (0.0, 0.0), "is off by"),
        ((1.0,), (1.0, 2.0), "has the shape [1], not [2]"),
    ],
)
def test_anything_else_does_not(got: tuple[float, ...], expected: tuple[float, ...], fault: str) -> None:
    assert fault in told(tensor(*got), tensor(*expected))[0]


@pytest.mark.parametrize("values", [(NAN, NAN), (INF, -INF), ()])
def test_nothing_but_nan_or_infinity_is_not_compared(values: tuple[float, ...]) -> None:
    assert told(tensor(*values), tensor(*values)) == ("", False)
    whole = torch.tensor([math.isnan(x) for x in values])
    assert told(whole, whole) == ("", bool(values))


def test_the_bound_is_that_of_the_type() -> None:
    for dtype, off in ((torch.float64, 1e-5), (torch.float32, 1e-4), (torch.float16, 0.05), (torch.bfloat16, 0.2)):
        there = tensor(1.0, 2.0, dtype=dtype)
        assert told(tensor(1.0, 2.0 + off / 100, dtype=dtype), there) == ("", True)
        assert "is off by" in told(tensor(1.0, 2.0 + off, dtype=dtype), there)[0]


def test_both_may_lose_what_the_reference_loses() -> None:
    exact = tensor(1.0, 2.0, dtype=torch.float64)
    assert told(tensor(1.0, 2.01), tensor(1.0, 1.99), exact) == ("", True)
    assert "is off by" in told(tensor(1.0, 2.03), tensor(1.0, 1.99), exact)[0]
    # what rounding of the inputs makes, as of a difference of large numbers
    assert told(tensor(1.0, 2.03), tensor(1.0, 2.0), exact, exact + 0.01) == ("", True)
    assert told(tensor(9.0, 8.0), tensor(1.0, 2.0), exact, exact + 2.0) == ("", False)


def test_what_rounding_makes_infinite_may_be_so_on_one_side() -> None:
    exact = tensor(TOP * (1 + 2**-12), 1.0, dtype=torch.float64)  # in halves one rounding from infinite
    near = tensor(INF, 1.0, dtype=torch.float64)
    for got in (INF, TOP):
        assert told(tensor(got, 1.0, dtype=torch.float16), tensor(TOP, 1.0, dtype=torch.float16), exact, near) == (
            "",
            True,
        )
    beyond = tensor(4 * TOP, 1.0, dtype=torch.float64)
    there = tensor(INF, 1.0, dtype=torch.float16)
    assert told(there, there, beyond) == ("", True)
    assert "is 1.0 at [0], not inf" in told(tensor(1.0, 1.0, dtype=torch.float16), there, beyond)[0]


def test_complex_numbers_are_compared_wholly() -> None:
    there = torch.tensor([1 + 2j, 3 - 1j])
    assert told(there.clone(), there) == ("", True)
    assert "is off by" in told(there.conj(), there)[0]
    assert "is off by" in told(torch.complex(there.real, torch.zeros(2)), there)[0]
    assert "at [0, 1]" in told(torch.tensor([complex(1, NAN), 3 - 1j]), there)[0]


def test_whole_numbers_and_truths_are_equal() -> None:
    there = torch.tensor([1, 2, 2**62 + 1])
    assert told(there.clone(), there, there) == ("", True)
    assert told(there + torch.tensor([0, 0, 1]), there, there)[0] == "has 1 of 3 whole numbers or truths otherwise"
    other = torch.tensor([1, 3, 2**62 + 1])  # an index that rounding decides
    assert told(other, there, there, other) == ("", True)
    assert told(~torch.tensor([True]), torch.tensor([True]))[0]


def test_inputs_of_floats_are_centred_far_small_large_and_at_boundaries() -> None:
    generator = torch.Generator().manual_seed(0)
    xs = {kind: drawn(Spec((50, 40), "float"), kind, generator) for kind in KINDS}
    assert all(x.dtype is torch.float64 and x.shape == (50, 40) for x in xs.values())
    assert abs(xs["centred"].mean()) < 0.1
    assert xs["offset"].min() > 100
    assert xs["large"].abs().max() > 500
    assert xs["small"].abs().max() < 0.01
    assert (xs["constant"] == xs["constant"][0, 0]).all()
    edges = xs["boundary"]
    assert (edges.signbit() & (edges == 0)).any()
    assert drawn(Spec((999,), "float"), "large", generator, narrow=True).abs().max() ** 2 < TOP
    z = drawn(Spec((9,), "complex"), "centred", generator)
    assert z.is_complex()
    assert (z.imag != 0).all()


@pytest.mark.parametrize("ends", [(0, 9), (-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1), (5, 5), (-3, 2**63 - 1)])
def test_inputs_of_integers_reach_both_ends(ends: tuple[int, int]) -> None:
    generator, low, high = torch.Generator().manual_seed(0), *ends
    for kind in KINDS:
        x = drawn(Spec((500,), "int", ends), kind, generator)
        assert x.dtype is torch.int64
        assert low <= int(x.min()) <= int(x.max()) <= high
        if kind == "boundary":
            assert {int(x.min()), int(x.max())} == {low, high}
    assert drawn(Spec((3,), "i32", (0, 1)), "centred", generator).dtype is torch.int32


def test_masks_have_empty_rows_and_full_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = drawn(Spec((40, 5), "bool"), "boundary", generator)
    assert (~rows).all(1).any()
    assert rows.any()
    assert not drawn(Spec((4, 5), "bool"), "constant", generator).any()
    assert drawn(Spec((4, 5), "bool"), "large", generator).all()


def test_a_module_keeps_its_imaginary_parts() -> None:
    net = torch.nn.Module()
    net.w = torch.nn.Parameter(torch.tensor([1 + 2j]))
    net.b = torch.nn.Buffer(torch.tensor([1j]))
    net.n = torch.nn.Buffer(torch.tensor([3]))
    for dtype, other in ((torch.float64, torch.complex128), (torch.float16, torch.complex64)):
        there = module_in(net, dtype)
        assert there.w.dtype is there.b.dtype is other
        assert complex(there.w.detach()[0]) == 1 + 2j
        assert int(there.n) == 3  # type: ignore[arg-type]
        for weight in (*there.parameters(), *there.buffers()):
            weight.data = torch.zeros_like(weight)
    assert complex(net.b[0]) == 1j  # what shares its numbers with a module does not change it
    assert int(net.n) == 3


def test_an_input_of_a_type_of_its_own_keeps_it() -> None:
    x, generator = torch.ones(9, dtype=torch.float64), torch.Generator().manual_seed(0)
    assert in_type(x, torch.float16, "f32").dtype is torch.float32
    assert in_type(x, torch.float16).dtype is torch.float16
    assert moved(x.bfloat16(), 2.0**-24, generator).equal(x.bfloat16())
    assert not moved(x, 2.0**-52, generator).equal(x)


def test_of_equal_numbers_the_first_is_first() -> None:
    x = torch.tensor([[0.0, -0.0, 1.0, 0.0, 1.0]]).repeat(1, 40)
    with FirstFirst():
        found = [x.topk(90)[1], x.argsort(), x.sort().indices, x.topk(90, largest=False)[1], x.topk(1, dim=0)[1]]
        by_rows = torch.func.vmap(lambda row: row.topk(90)[1])(x)
    places = torch.arange(200)
    ones, zeros = places[x[0] == 1], places[x[0] == 0]
    up, down = torch.cat([zeros, ones]), torch.cat([ones, zeros])
    assert [each[0].tolist() for each in found] == [
        down[:90].tolist(), up.tolist(), up.tolist(), up[:90].tolist(), [0] * 200
    ]  # fmt: skip
    assert by_rows[0].equal(down[:90])
