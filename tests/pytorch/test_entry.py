"""What a module says at its entry: exactly the inputs that its declaration allows run, in eager mode and traced."""

from __future__ import annotations

import itertools
import re
import timeit
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.export import Dim
from torch.utils._python_dispatch import TorchDispatchMode

import ogive
from ogive.backends.onnx_model.serialize.contract import Contract
from ogive.cli import cli
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ir_tools.entry import ELEMENTS

TEXTS = """
block image(x: [b, 4, 8, 8]) -> [b]:
    return mean[-1](mean[-1](mean[-1](x)))

block two[c](x: [b, n], y: [b, 2*n, c]) -> [b, n]:
    return x + mean[-1](y)[:, :n]

block multiples(x: [b, 3, 32*m, 32*n]) -> [b, m, n]:
    return x[:, 0, :m, :n]

block odd(x: [2*n + 1], y: [n]) -> [n]:
    return x[:n] + y

block rest(x: [2*n + 1]) -> [n]:
    return x[:n]

block square(x: [b, s, s]) -> [b, s]:
    return sum[-1](x)

block packs[d](x: [*b, d], y: [*b, 2*d]) -> [*b]:
    return sum[-1](x) + sum[-1](y)

block masked(x: [b, n, 4], mask: bool[b, n]?, past: [b, p, 4]?) -> [b, n, 4]
where p >= 0:
    if given(mask):
        x = select(expand["b n -> b n 4"](mask), x, 0.0)
    return x

block bounded[context](ids: int[b, n]) -> int[b, n]
where n <= context, n % 4 in {0, 3}:
    return ids

block product(x: [n], y: [m], z: [n*m]) -> [m]:
    return y + sum(z) + sum(x)

block empty(x: [b, p]) -> [b, p]
where p >= 0:
    return 2 * x

block number(x: []) -> []:
    return 2 * x

block waves(x: complex[n], f: f32[n], i: i32[n]) -> [n]:
    return real(x) + cast[float](f) + cast[float](i)

model Image = image
model Two = two[c=3]
model Multiples = multiples
model Odd = odd
model Rest = rest
model Square = square
model Packs = packs[d=4]
model Masked = masked
model Bounded = bounded[context=1024]
model Product = product
model Empty = empty
model Number = number
model Waves = waves
"""
PROGRAM = ogive.source(TEXTS)

# model, shapes by input, what is said of them
REFUSED: list[tuple[str, dict[str, tuple[int, ...]], str]] = [
    ("Image", {"x": (2, 3, 9)}, "x: [b, 4, 8, 8] got (2, 3, 9): 4 axes, not 3"),
    ("Image", {"x": (2, 3, 8, 8)}, "x: [b, 4, 8, 8] got (2, 3, 8, 8): axis 1 is 4, not 3"),
    ("Image", {"x": (0, 4, 8, 8)}, "x: [b, 4, 8, 8] got (0, 4, 8, 8): b is 1, 2, ..., not 0"),
    ("Two", {"x": (2, 5), "y": (3, 10, 3)}, "y: [b, 2*n, 3] got (3, 10, 3): b is 2, not 3"),
    ("Two", {"x": (2, 5), "y": (2, 9, 3)}, "y: [b, 2*n, 3] got (2, 9, 3): 2*n is 10, not 9"),
    ("Two", {"x": (2, 5), "y": (2, 10, 4)}, "y: [b, 2*n, 3] got (2, 10, 4): axis 2 is 3, not 4"),
    ("Multiples", {"x": (1, 3, 64, 50)}, "x: [b, 3, 32*m, 32*n] got (1, 3, 64, 50): 32*n is 32, 64, ..., not 50"),
    ("Odd", {"x": (8,), "y": (3,)}, "x: [2*n + 1] got (8,): 2*n + 1 is 7, not 8"),
    ("Rest", {"x": (8,)}, "x: [2*n + 1] got (8,): 2*n + 1 is 3, 5, ..., not 8"),
    ("Rest", {"x": (1,)}, "x: [2*n + 1] got (1,): 2*n + 1 is 3, 5, ..., not 1"),
    ("Square", {"x": (2, 5, 6)}, "x: [b, s, s] got (2, 5, 6): s is 5, not 6"),
    ("Bounded", {"ids": (2, 1027)}, "n <= 1024, but n is 1027"),
    ("Bounded", {"ids": (2, 5)}, "n % 4 in {0, 3}, but n is 5"),
    ("Product", {"x": (2,), "y": (3,), "z": (5,)}, "z: [n*m] got (5,): n*m is 6, not 5"),
    ("Empty", {"x": (0, 0)}, "x: [b, p] got (0, 0): b is 1, 2, ..., not 0"),
    ("Number", {"x": (1,)}, "x: [] got (1,): 0 axes, not 1"),
]
PACKS: list[tuple[str, dict[str, tuple[int, ...]], str]] = [
    ("Packs", {"x": (), "y": (8,)}, "x: [*b, 4] got (): at least 1 axis, not 0"),
    ("Packs", {"x": (2, 3, 4), "y": (2, 8)}, "y: [*b, 8] got (2, 8): 3 axes, not 2"),
    ("Packs", {"x": (2, 3, 4), "y": (2, 5, 8)}, "y: [*b, 8] got (2, 5, 8): axis 1 is 3, not 5"),
    ("Packs", {"x": (2, 0, 4), "y": (2, 0, 8)}, "x: [*b, 4] got (2, 0, 4): axis 1 is 1, 2, ..., not 0"),
    ("Packs", {"x": (2, 3, 5), "y": (2, 3, 8)}, "x: [*b, 4] got (2, 3, 5): axis 2 is 4, not 5"),
    ("Masked", {"x": (2, 3, 4), "mask": (2, 4)}, "mask: bool[b, n] got (2, 4): n is 3, not 4"),
    ("Masked", {"x": (2, 3, 4), "past": (2, 0)}, "past: [b, p, 4] got (2, 0): 3 axes, not 2"),
    ("Masked", {"x": (2, 3, 4), "past": (2, 0, 5)}, "past: [b, p, 4] got (2, 0, 5): axis 2 is 4, not 5"),
]
FITTING: list[tuple[str, dict[str, tuple[int, ...]]]] = [
    ("Image", {"x": (1, 4, 8, 8)}),
    ("Two", {"x": (2, 5), "y": (2, 10, 3)}),
    ("Multiples", {"x": (2, 3, 64, 96)}),
    ("Odd", {"x": (7,), "y": (3,)}),
    ("Rest", {"x": (3,)}),
    ("Square", {"x": (2, 5, 5)}),
    ("Packs", {"x": (2, 3, 4), "y": (2, 3, 8)}),
    ("Packs", {"x": (4,), "y": (8,)}),
    ("Masked", {"x": (2, 3, 4), "mask": (2, 3), "past": (2, 0, 4)}),
    ("Masked", {"x": (2, 3, 4)}),
    ("Bounded", {"ids": (2, 1023)}),
    ("Product", {"x": (2,), "y": (3,), "z": (6,)}),
    ("Empty", {"x": (2, 0)}),
    ("Number", {"x": ()}),
    ("Waves", {"x": (3,), "f": (3,), "i": (3,)}),
]
KINDS = {"ids": torch.long, "mask": torch.bool}


def inputs(name: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    kinds = KINDS | ({"x": torch.cfloat, "i": torch.int32} if name == "Waves" else {})
    return {key: torch.ones(shape, dtype=kinds.get(key, torch.float32)) for key, shape in shapes.items()}


@pytest.mark.parametrize(("name", "shapes", "text"), [*REFUSED, *PACKS])
def test_a_module_says_what_does_not_fit(name: str, shapes: dict[str, tuple[int, ...]], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        PROGRAM.models[name].torch()(**inputs(name, shapes))


@pytest.mark.parametrize(("name", "shapes"), FITTING)
def test_what_fits_runs(name: str, shapes: dict[str, tuple[int, ...]]) -> None:
    given = inputs(name, shapes)
    checked, unchecked = (PROGRAM.models[name].torch(checks=checks)(**given) for checks in (True, False))
    assert torch.equal(checked, unchecked)


@pytest.mark.parametrize(("name", "shapes", "text"), REFUSED)
def test_the_contract_of_an_onnx_file_says_the_same(
    name: str, shapes: dict[str, tuple[int, ...]], text: str, contracts: Callable[[str], Contract]
) -> None:
    assert contracts(name).check(shapes)[0] == text
    assert contracts(name).check(inputs(name, shapes))[0] == text


@pytest.mark.parametrize(("name", "shapes"), [each for each in FITTING if each[0] not in ("Packs", "Masked", "Waves")])
def test_the_contract_of_an_onnx_file_takes_what_fits(
    name: str, shapes: dict[str, tuple[int, ...]], contracts: Callable[[str], Contract]
) -> None:
    assert contracts(name).check(shapes) == ()


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Contract]:
    import onnx

    found: dict[str, Contract] = {}

    def of(name: str) -> Contract:
        if name not in found:
            (path,) = PROGRAM.models[name].onnx(tmp_path_factory.mktemp("onnx") / "x.onnx")
            found[name] = Contract.of(onnx.load(path))
        return found[name]

    return of


# random declarations

AXES = ("n", "m", "k", "1", "3", "2*n", "3*m", "n + 1", "2*m + 1", "n + m", "n*m", "2*n*m + k")


def admitted(declared: Sequence[Sequence[str]], shapes: Sequence[Sequence[int]]) -> bool:
    """Whether sizes from 1 on exist with which all axes are as declared: by trying all that are small enough."""
    if any(len(dims) != len(shape) for dims, shape in zip(declared, shapes, strict=True)):
        return False
    axes = [pair for dims, shape in zip(declared, shapes, strict=True) for pair in zip(dims, shape, strict=True)]
    high = max([size for _, size in axes], default=1)
    return any(
        all(eval(dim, {"n": n, "m": m, "k": k}) == size for dim, size in axes)
        for n, m, k in itertools.product(range(1, high + 1), repeat=3)
    )


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_an_input_is_refused_where_no_sizes_make_it_what_is_declared(data: st.DataObject) -> None:
    declared = data.draw(st.lists(st.lists(st.sampled_from(AXES), max_size=3), min_size=1, max_size=3))
    signature = ", ".join(f"x{i}: [{', '.join(dims)}]" for i, dims in enumerate(declared))
    text = f"block f({signature}) -> []:\n    return {' + '.join(f'sum(x{i})' for i in range(len(declared)))}\n"
    checked = check_text(f"{text}\nmodel M = f\n", "<text>")
    if any(found.severity == "error" for found in checked.diagnostics):
        return  # two names that one axis cannot tell
    net = ogive.source(f"{text}\nmodel M = f\n").models["M"].torch()
    for _ in range(12):
        sizes = dict(zip("nmk", data.draw(st.tuples(*[st.integers(1, 3)] * 3)), strict=True))
        shapes = [[eval(dim, dict(sizes)) for dim in dims] for dims in declared]
        for shape in shapes:  # one of a few is off
            for at in range(len(shape)):
                shape[at] = max(0, shape[at] + data.draw(st.sampled_from((0, 0, 0, 0, 1, -1))))
        try:
            net(*(torch.ones(shape) for shape in shapes))
            ran = True
        except ValueError as error:
            assert " got " in str(error)
            ran = False
        assert ran == admitted(declared, shapes), (text, shapes)


# what it costs, and that nothing else sees it


class Counted(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Which operations run."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ops: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.ops.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("name", "shapes"), FITTING)
def test_no_operation_more_runs(name: str, shapes: dict[str, tuple[int, ...]]) -> None:
    ran = []
    for checks in (True, False):
        with Counted() as counted:
            PROGRAM.models[name].torch(checks=checks)(**inputs(name, shapes))
        ran.append(counted.ops)
    assert ran[0] == ran[1]


@pytest.mark.parametrize(("name", "shapes"), [each for each in FITTING if each[0] not in ("Empty", "Number", "Waves")])
def test_export_keeps_free_sizes_and_the_graph(name: str, shapes: dict[str, tuple[int, ...]]) -> None:
    given = {key: x.repeat([2] * x.dim()) if name == "Square" else x for key, x in inputs(name, shapes).items()}
    free = {key: dict.fromkeys(range(x.dim()), Dim.AUTO) for key, x in given.items()}
    graphs = []
    for checks in (True, False):
        net = PROGRAM.models[name].torch(checks=checks)
        program = torch.export.export(net, (), given, dynamic_shapes=free)
        graphs.append([str(node.target) for node in program.graph.nodes if node.op == "call_function"])
        torch.testing.assert_close(program.module()(**given), net(**given))
    assert graphs[0] == graphs[1]


def test_export_takes_the_conditions_of_the_signature_and_no_others() -> None:
    net = PROGRAM.models["Two"].torch()
    free = {"x": {0: Dim("b"), 1: (n := Dim("n"))}, "y": {0: Dim("b"), 1: 2 * n, 2: None}}
    program = torch.export.export(net, (torch.ones(2, 5), torch.ones(2, 10, 3)), dynamic_shapes=free)
    assert program.module()(torch.ones(7, 1), torch.ones(7, 2, 3)).shape == (7, 1)
    assert all(found.lower <= 2 and found.upper > 10**6 for found in program.range_constraints.values())


@pytest.mark.parametrize(("name", "shapes"), FITTING)
def test_nothing_breaks_under_compile(name: str, shapes: dict[str, tuple[int, ...]]) -> None:
    torch._dynamo.reset()
    net = PROGRAM.models[name].torch()
    compiled = torch.compile(net, fullgraph=True, dynamic=True, backend="eager")
    assert torch.equal(compiled(**inputs(name, shapes)), net(**inputs(name, shapes)))


def fastest(call: Callable[[], object]) -> float:
    """Microseconds, of the fastest of many short runs: other work on the machine only adds."""
    return min(timeit.repeat(call, number=100, repeat=200)) / 100 * 1e6


@pytest.mark.parametrize(
    ("inputs", "shapes"),
    [
        ("x: [b, 4, 8, 8]", [(2, 4, 8, 8)]),
        ("x: [b, 3, 32*m, 32*n]", [(2, 3, 64, 32)]),
        ("x: [b, n], y: [b, 2*n, 3], z: [n]", [(2, 5), (2, 10, 3), (5,)]),
        ("x: [*b, 4], y: [*b, 8]", [(2, 3, 4), (2, 3, 8)]),
        ("x: [2*n + 1], y: [n]", [(7,), (3,)]),
        ("x: [b, c, 8, 8, 8]", [(2, 4, 8, 8, 8)]),
    ],
)
def test_an_input_costs_two_microseconds_at_most(inputs: str, shapes: Sequence[tuple[int, ...]]) -> None:
    first = inputs[3 : inputs.index("]") + 1]
    statics = "[c]" if "c" in inputs else ""
    text = f"block f{statics}({inputs}) -> {first}:\n    return x\n\nmodel M = f{'[c=4]' if statics else ''}\n"
    given = [torch.ones(shape) for shape in shapes]
    checked, unchecked = (ogive.source(text).models["M"].torch(checks=checks).forward for checks in (True, False))
    assert fastest(lambda: checked(*given)) - fastest(lambda: unchecked(*given)) <= 2 * len(given)


def test_a_condition_costs_a_microsecond_at_most() -> None:
    text = "block f(x: [n]) -> [n]{}:\n    return x\n\nmodel M = f\n"
    conditions = [f"(n + {i}) % {i + 7} != 3" for i in range(5)]
    x = torch.ones(44)
    plain, bound = (
        ogive.source(text.format(f"\nwhere {', '.join(where)}" if where else "")).models["M"].torch().forward
        for where in ([], conditions)
    )
    assert fastest(lambda: bound(x)) - fastest(lambda: plain(x)) <= len(conditions)


# the text


def test_the_root_alone_checks_and_none_without_checks() -> None:
    source = ogive.load("examples/gpt2.arch").models["Tiny"].torch_source()
    classes = source.split("\nclass ")
    assert [text.split("(")[0] for text in classes[1:] if "expect(" in text] == ["GPT"]
    without = ogive.load("examples/gpt2.arch").models["Tiny"].torch_source(checks=False)
    assert not any(word in without for word in ("expect", "misfit", "raise"))


def test_build_without_checks(tmp_path: Path) -> None:
    out = tmp_path / "tiny.py"
    done = CliRunner().invoke(cli, ["build", "examples/gpt2.arch:Tiny", "--no-checks", "-o", str(out)])
    assert done.exit_code == 0
    assert out.read_text() == ogive.load("examples/gpt2.arch").models["Tiny"].torch_source(checks=False)
    done = CliRunner().invoke(cli, ["build", "examples/gpt2.arch:Tiny", "--no-checks", "-o", str(tmp_path / "x.onnx")])
    assert done.exit_code == 2


CACHE: dict[str, Any] = {}


DTYPES = """bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128 float8_e4m3fn
uint16 uint32 uint64""".split()


@pytest.mark.parametrize("elem", DTYPES)
def test_elements_are_those_declared(elem: str) -> None:
    x = torch.empty(3, dtype=getattr(torch, elem))
    for kind, allowed in ELEMENTS.items():
        block = f"block f(x: {'' if kind == 'float' else kind}[n]) -> int[n]:\n    return arange[n]\n\nmodel M = f\n"
        if kind not in CACHE:
            CACHE[kind] = ogive.source(block).models["M"].torch()
        if elem in allowed:
            assert CACHE[kind](x).shape == (3,)
        else:
            shown = "" if kind == "float" else kind
            with pytest.raises(
                ValueError, match=f"^{re.escape(f'x: {shown}[n] got (3,): {kind} elements, not {elem}')}$"
            ):
                CACHE[kind](x)


@pytest.mark.parametrize("axes", ["b, 4", "*b, 4", "4, ...", "a, *b, 4"])
@pytest.mark.parametrize(
    ("what", "kind"), [(3, "int"), (None, "NoneType"), ([1.0], "list"), (np.zeros((2, 4)), "ndarray"), ("x", "str")]
)
def test_what_is_no_tensor_is_named(what: object, kind: str, axes: str) -> None:
    net = ogive.source(f"block F(x: [{axes}]) -> [{axes}]:\n    return relu(x)\n\nmodel M = F\n").models["M"].torch()
    with pytest.raises(TypeError, match=re.escape(f"x: [{axes}] got {kind}, not a tensor")):
        net(what)
