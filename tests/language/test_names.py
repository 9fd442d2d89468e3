"""Any name that the language takes works in every role and in every backend, or is refused by a diagnostic."""

from __future__ import annotations

import ast
import builtins
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ogive
from language.names import NAMES, ROLES
from ogive.api import Model
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.write import whole
from ogive.backends.pytorch.module.module import load
from ogive.backends.pytorch.names import MODULE_DATA, RESERVED, fresh
from onnx_model.harness import session

# what the program of a role uses itself, so that it means another program with this name
REFUSED = {
    *((role, "Net", "E0204") for role in ("model", "block", "constant", "function")),
    *((role, "Net", "E0407") for role in ("size", "part of a size")),
    ("instance", "sum", "E0301"),
    ("value", "sum", "E0405"),
    ("operand of a derivative", "sum", "E0405"),
    ("function", "max", "E0701"),
}


def flat(made: Any) -> list[Tensor]:
    """The tensors that were returned."""
    if made is None:
        return []
    return [made] if isinstance(made, Tensor) else [tensor for each in made for tensor in flat(each)]


def filled(net: nn.Module) -> nn.Module:
    """The module with the same numbers whatever its weights are called."""
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in net.state_dict().values():
            weight.copy_(torch.randn(weight.shape, generator=source))
    return net


def in_onnx(model: Model, net: nn.Module, xs: list[Tensor], *, functions: bool) -> list[np.ndarray]:
    """The outputs of ONNX Runtime."""
    definition = model.ir.definition
    optional = tuple(v.hint for v, o in zip(definition.graph.inputs, definition.optional, strict=True) if o)
    arrays = {path: weight.detach().numpy() for path, weight in net.state_dict().items()}
    proto = whole(exported(model.ir, arrays, Settings(optional=optional, functions=functions)))
    runs = session(proto)
    given = {each.name: x.numpy() for each, x in zip(runs.get_inputs(), xs, strict=True)}
    return list(runs.run(None, given))


def made(role: str, name: str) -> tuple[Model, list[Tensor]]:
    """The program of a role with this name, and inputs."""
    text, shapes = ROLES[role]
    (model,) = ogive.source(text.replace("NAME", name)).models.values()
    source = torch.Generator().manual_seed(0)
    return model, [torch.randn(shape, generator=source) for shape in shapes]


def results(role: str, name: str) -> list[Tensor]:
    """What the program of a role with this name computes, the same in all backends."""
    model, xs = made(role, name)
    net = filled(model.torch())
    assert list(net.state_dict()) == list(model.weights)
    net.eval()
    with torch.no_grad():
        found = flat(net(*xs))
        tap = "everything" in role or "tap" in role or role == "model"
        if tap:
            (path,) = [name] if role == "tap" else ["t0"]
            plain, seen = net(*xs, taps=[path])
            assert list(seen) == [path]
            torch.testing.assert_close(flat(plain), found)
            found = [*found, seen[path]]
        twin = getattr(load(model.torch_source(), "names"), fresh(model.name))()
        twin.load_state_dict(net.state_dict(), assign=True)
        torch.testing.assert_close(flat(twin.eval()(*xs)), found[: len(found) - tap])
    for functions in (False, True):
        theirs = in_onnx(model, net, xs, functions=functions)
        for ours, y in zip(found, theirs, strict=False):
            np.testing.assert_allclose(ours.numpy(), y, rtol=1e-4, atol=1e-5)
    net.train()
    with torch.no_grad():
        net(*xs)
    if hasattr(type(net), "after_step"):
        step: Any = net.after_step
        step()
    model.diagram().text("svg")
    return [*found, *(weight.clone() for weight in net.state_dict().values())]


plain = cache(lambda role: results(role, "zzz"))


def check(role: str, name: str) -> None:
    """The same as with a plain name; a name of torch's own data in the tree of weights is refused."""
    try:
        found = results(role, name)
    except ogive.ArchError as error:
        told = error.diagnostics[0]
        if told.code == "E0801":
            assert name in MODULE_DATA
            assert f"`{name}`" in told.message
        else:
            assert (role, name, told.code) in REFUSED
        return
    torch.testing.assert_close(found, plain(role), equal_nan=True)


@pytest.mark.parametrize("role", ROLES)
def test_a_few_names(role: str) -> None:
    at = list(ROLES).index(role)
    for name in NAMES[at % 31 :: 31]:
        check(role, name)


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_every_name(role: str) -> None:
    for name in NAMES:
        check(role, name)


ALIKE = (
    "class",
    "class_",
    "class__",
    "x'",
    "x_prime",
    "X_prime",
    "_",
    "y",
    "Y",
    "__z",
    "_z",
    "z",
    "Z",
    "taps",
    "taps_2",
)


def test_names_that_would_be_one_identifier_stay_apart() -> None:
    body = "".join(f"    param {name}: [d] = constant[{at}]\n" for at, name in enumerate(ALIKE))
    shown = ", ".join(f"{name}: [n{name}]" for name in ALIKE)
    sums = ", ".join(f"{name} * n{name} + sum(p.{name})" for name in ALIKE)
    text = (
        f"block P[d](i0: [d]) -> [d]:\n{body}    return i0 * {' * '.join(ALIKE)}\n"
        f"block Net({shown}) -> ({shown}, more: [2]):\n    p = P[2]\n    return {sums}, p(zeros[2])\nmodel M = Net\n"
    )
    model = ogive.source(text).models["M"]
    net = model.torch()
    assert list(net.state_dict()) == [f"p.{name}" for name in ALIKE]
    xs = [torch.full((at + 1,), float(at + 2)) for at in range(len(ALIKE))]
    found = flat(net(*xs))
    for at, y in enumerate(found[:-1]):
        assert y.tolist() == [(at + 2) * (at + 1) + 2.0 * at] * (at + 1)
    theirs = in_onnx(model, net, xs, functions=False)
    for y, z in zip(found, theirs, strict=True):
        np.testing.assert_array_equal(y.detach().numpy(), z)


@pytest.mark.parametrize("name", sorted(MODULE_DATA))
def test_what_a_module_of_torch_needs_itself_is_refused_at_its_line(name: str) -> None:
    model, _ = made("state", name)
    with pytest.raises(ogive.ArchError) as caught:
        model.torch()
    (told,) = caught.value.diagnostics
    assert (told.code, told.span.begin()[0]) == ("E0801", 3)


def test_infinity_is_a_name_that_may_be_bound_again() -> None:
    text = "block F[p=inf, inf=-inf](x: [b, n], pi: [b, n]) -> [b, n]:\n    return maximum(x, inf) + pi\nmodel M = F\n"
    y = ogive.source(text).models["M"].torch()(torch.tensor([[1.0, -2.0]]), torch.ones(1, 2))
    assert y.tolist() == [[2.0, -1.0]]


def test_builtins_that_emitted_code_calls_are_reserved() -> None:
    for path in (Path(__file__).parents[1] / "golden" / "pytorch").glob("*.txt"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        code = [node for node in tree.body if getattr(node, "name", "") not in {*RESERVED, "Group", "_prefix"}]
        names = [node.func for each in code for node in ast.walk(each) if isinstance(node, ast.Call)]
        called = {name.id for name in names if isinstance(name, ast.Name)}
        assert called & set(dir(builtins)) <= RESERVED
