"""Activation checkpoints run a forward twice: no state changes twice, and nothing is drawn twice or otherwise."""

from __future__ import annotations

import ast
import copy
import inspect
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

import ogive
from ogive.backends.pytorch.module.file import emit

HEAD = "use std.nn (BatchNorm, Dropout, Linear)\n\n"
BODIES = {
    "batch norm": "return x |> Linear[4, 4] |> BatchNorm[4]",
    "one norm, twice": "n = BatchNorm[4]\nreturn n(relu(n(x)))",
    "norms of a loop": "repeat 3 as h:\n    x = x |> Linear[4, 4] |> BatchNorm[4] |> Dropout[p=0.5]\nreturn x",
    "a norm on one path": "if training:\n    x = x |> BatchNorm[4]\nreturn x * 2",
    "a state": "state s: [4] = zeros\nupdate s = s + mean[0](x)\nreturn x * (1 + s)",
    "a state, read before and after": "state s: [4] = ones\na = x * s\nupdate s = s * 2 + mean[0](x)\nreturn a + x * s",
    "a state of a loop": "state s: [4] = zeros\nrepeat 3 as h:\n    update s = s * 2 + mean[0](x)\n"
    "    x = x |> Linear[4, 4]\n    x = x * (1 + s)\nreturn x",
    "states of iterations": "repeat 2 as h:\n    state s: [4] = ones\n    x = x * s\n    update s = s + mean[0](x)\n"
    "return x",
    "states of stages": "for i in range(2) as h:\n    state s: [4] = ones\n    x = x * s\n"
    "    update s = s + mean[0](x)\n"
    "return x",
    "a state below, read from outside": "f = Counts[4]\ny = f(x)\nreturn f(y) * f.s + y",
    "dropout": "return x |> Linear[4, 4] |> Dropout[p=0.5] |> Linear[4, 4] as two",
    "draws": "y = x |> Linear[4, 4]\nif training:\n    y = y * randn[b, 4]\nreturn y * rand[b, 4]",
    "draws of a loop": "repeat 3 as h:\n    x = x |> Linear[4, 4]\n    x = x * randn[b, 4]\nreturn x * rand[b, 4]",
    "draws and states": "state s: [4] = ones\nu = rand[b, 4]\nx = x * u * s\nupdate s = s + mean[0](u)\n"
    "return x |> Noisy as one |> Noisy as two",
    "over": "return over[b, Row](x)",
    "each": "return (x |> expand[\"b d -> 3 b d\"]) |> each[0, Counts[4, ...]] |> sum[0]",
    "draws under over": "return over[b, NoisyRow](x)",
    "a derivative through a norm": "return grad[Energy](x) + x",
    "a derivative through draws": "return grad[NoisyEnergy](x) * randn[b, 4]",
    "a derivative of one's own": "return custom_grad[Forward, Backward](x |> Linear[4, 4])",
}  # fmt: skip
BLOCKS = """
block Counts[d](x: [b, d]) -> [b, d]:
    state s: [d] = ones
    x = x * s
    update s = s + mean[0](x)
    return x + s
block Noisy(x: [b, 4]) -> [b, 4]:
    return (x |> Linear[4, 4]) * randn[b, 4]
block Row(x: [4]) -> [4]:
    state s: [4] = ones
    x = x * s
    update s = s + x
    return x + s
block NoisyRow(x: [4]) -> [4]:
    return x * randn[4]
block Energy(x: [b, 4]) -> []:
    y = x |> Linear[4, 4] |> BatchNorm[4]
    return sum(y * y * y)
block NoisyEnergy(x: [b, 4]) -> []:
    y = x |> Linear[4, 4] |> Dropout[p=0.5]
    return sum(y * y * y * randn[b, 4])
block Forward(x: [b, 4]) -> [b, 4]:
    state runs: [] = zeros
    update runs = runs + 1
    return relu(x) + runs
block Backward(x: [b, 4], g: [b, 4]) -> [b, 4]:
    state runs: [] = zeros
    update runs = runs + 1
    return g * x * (1 + runs) + (g |> BatchNorm[4]) * randn[b, 4]
"""
Run = Callable[..., Tensor]
WAYS: dict[str, Callable[[nn.Module, Tensor, dict[str, Any]], Tensor]] = {
    "kept": lambda net, x, more: checkpoint(partial(net, **more), x, use_reentrant=False),
    "reentrant": lambda net, x, more: checkpoint(partial(net, **more), x, use_reentrant=True),
    "of a function": lambda net, x, more: checkpoint(lambda y: net(y * 1, **more), x, use_reentrant=False),
    "of a function, reentrant": lambda net, x, more: checkpoint(lambda y: net(y * 1, **more), x, use_reentrant=True),
    "selective": lambda net, x, more: checkpoint(
        partial(net, **more),
        x,
        use_reentrant=False,
        context_fn=partial(create_selective_checkpoint_contexts, [torch.ops.aten.addmm.default]),
    ),
    "nested": lambda net, x, more: checkpoint(
        lambda y: checkpoint(partial(net, **more), y * 1, use_reentrant=False) * 1, x, use_reentrant=False
    ),
    "other parts of it": lambda net, x, more: checkpoint(
        lambda y: checkpoint(partial(net, **more), y * 1, use_reentrant=False) * 1, x, use_reentrant=True
    ),
    "nested, both kinds": lambda net, x, more: checkpoint(
        lambda y: checkpoint(partial(net, **more), y * 1, use_reentrant=True) * 1, x, use_reentrant=False
    ),
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def model(name: str) -> ogive.api.Model:
    body = "".join(f"    {line}\n" for line in BODIES[name].split("\n"))
    return ogive.source(f"{HEAD}{BLOCKS}block Main(x: [b, 4]) -> [b, 4]:\n{body}\nmodel M = Main\n").models["M"]


def steps(net: nn.Module, run: Any, generator: bool) -> list[Tensor]:
    """All that two steps of training leave: results, gradients, states, and where random numbers come from."""
    net = copy.deepcopy(net).double().train()
    torch.manual_seed(1)
    x = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    more = {"generator": torch.Generator().manual_seed(2)} if generator else {}
    found = []
    for _ in range(2):
        y = run(net, x, more)
        y.sin().sum().backward()
        found += [y.detach(), *(more["generator"].get_state() for _ in more), torch.get_rng_state()]
    leaves = [x, *net.parameters()]
    return [*found, *(w.grad for w in leaves if w.grad is not None), *net.buffers()]


@pytest.mark.parametrize("name", BODIES)
def test_a_checkpoint_changes_nothing(name: str) -> None:
    net = model(name).torch()
    takes = "generator" in inspect.signature(net.forward).parameters
    for generator in {False, takes}:
        wanted = steps(net, lambda net, x, more: net(x, **more), generator)
        for way, run in WAYS.items():
            found = steps(net, run, generator)
            assert len(found) == len(wanted)
            for a, b in zip(found, wanted, strict=True):
                assert torch.allclose(a, b), way


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("name", ["norms of a loop", "states of iterations", "draws of a loop"])
def test_a_checkpoint_of_each_layer(name: str, reentrant: bool) -> None:
    net = model(name).torch()
    generator = "generator" in inspect.signature(net.forward).parameters
    wanted = steps(net, lambda net, x, more: net(x, **more), generator)

    def layered(net: Any, x: Tensor, more: dict[str, Any]) -> Tensor:
        def wrapped(run: Any) -> Any:
            return lambda *args, **given: checkpoint(partial(run, **given), *args, use_reentrant=reentrant)

        before = [layer.forward for layer in net.h]
        for layer in net.h:
            layer.forward = wrapped(layer.forward)
        made: Tensor = net(x, **more)
        for layer, run in zip(net.h, before, strict=True):
            layer.forward = run
        return made

    for a, b in zip(steps(net, layered, generator), wanted, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("name", ["draws", "a state, read before and after", "batch norm"])
def test_many_calls_before_the_way_back(name: str, reentrant: bool) -> None:
    """On the same tensor, with one generator, in any order of their ways back."""
    net = model(name).torch()
    generator = "generator" in inspect.signature(net.forward).parameters

    def twice(call: Any, order: int) -> Any:
        def run(net: nn.Module, x: Tensor, more: dict[str, Any]) -> Tensor:
            a, b = call(net, x, more), call(net, x, more)
            first, second = (a, b) if order else (b, a)
            (first * 2).cos().sum().backward()
            made: Tensor = second * 1
            return made

        return run

    def kept(net: nn.Module, x: Tensor, more: dict[str, Any]) -> Any:
        return WAYS["reentrant" if reentrant else "kept"](net, x, more)

    for order in range(2):
        wanted = steps(net, twice(lambda net, x, more: net(x, **more), order), generator)
        for a, b in zip(steps(net, twice(kept, order), generator), wanted, strict=True):
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("name", ["draws and states", "a state, read before and after", "batch norm", "over"])
def test_two_calls_under_one_checkpoint(name: str, reentrant: bool) -> None:
    net = model(name).torch()
    generator = "generator" in inspect.signature(net.forward).parameters

    def twice(net: nn.Module, x: Tensor, more: dict[str, Any]) -> Tensor:
        made: Tensor = net(net(x, **more).sin(), **more)
        return made

    def kept(net: nn.Module, x: Tensor, more: dict[str, Any]) -> Tensor:
        made: Tensor = checkpoint(lambda y: twice(net, y, more), x, use_reentrant=reentrant)
        return made

    for a, b in zip(steps(net, kept, generator), steps(net, twice, generator), strict=True):
        torch.testing.assert_close(a, b)


class Again(torch.autograd.Function):
    """A checkpoint of somebody's own."""

    @staticmethod
    def forward(ctx: Any, run: Any, x: Tensor) -> Tensor:
        ctx.run = run
        ctx.save_for_backward(x)
        with torch.no_grad():
            made: Tensor = run(x)
        return made

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[None, Tensor | None]:
        (x,) = ctx.saved_tensors
        given = x.detach().requires_grad_()
        with torch.enable_grad():
            ctx.run(given).backward(g)
        return None, given.grad


@pytest.mark.parametrize("name", BODIES)
def test_a_checkpoint_of_ones_own_is_right_or_refused(name: str) -> None:
    """Where a forward reads what it changes, or draws from a generator, nothing tells which call is repeated."""
    net = model(name).torch()
    generator = "generator" in inspect.signature(net.forward).parameters
    wanted = steps(net, lambda net, x, more: net(x, **more), generator)
    apply: Any = Again.apply
    try:
        found = steps(net, lambda net, x, more: apply(partial(net, **more), x), generator)
    except RuntimeError as fault:
        assert "which call it repeats is not known" in str(fault)
        assert "class Calls" in emit(model(name).ir)
        return
    if (
        name != "norms of a loop" and "dropout" not in name
    ):  # torch's own draws: such a checkpoint must keep their state
        for a, b in zip(found, wanted, strict=True):
            torch.testing.assert_close(a, b)


def test_a_hook_on_the_way_back_is_refused() -> None:
    net: Any = model("a state, read before and after").torch().train()
    y: Any = torch.randn(5, 4, requires_grad=True) * 2
    y.register_hook(lambda g: net(g))
    with pytest.raises(RuntimeError, match="Main runs in a backward pass, and which call it repeats is not known"):
        y.sum().backward()


def test_checkpoints_inside_of_what_is_compiled() -> None:
    net = model("batch norm").torch().train()
    other = copy.deepcopy(net)
    x = torch.randn(5, 4, requires_grad=True)
    run = torch.compile(lambda x: checkpoint(other, x, use_reentrant=False), backend="aot_eager")
    run(x).sin().sum().backward()
    found, x.grad = x.grad, None
    net(x).sin().sum().backward()
    torch.testing.assert_close(found, x.grad)
    for a, b in zip(other.buffers(), net.buffers(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("name", BODIES)
def test_what_changes_or_draws_itself_is_marked(name: str) -> None:
    """Forwards that only call such ones are not, and a file has the helper where it is needed."""
    tree = ast.parse(emit(model(name).ir))
    classes = [each for each in tree.body if isinstance(each, ast.ClassDef)]
    marked = set()
    for each in classes:
        text = ast.unparse(each)
        forward = next((part for part in each.body if getattr(part, "name", "") == "forward"), None)
        if forward is None or each.name in ("Calls", "CustomGrad"):
            continue
        assert isinstance(forward, ast.FunctionDef)
        body = ast.unparse(forward.body)  # type: ignore[arg-type]
        norms = [part.split(" = ")[0] for part in text.split("\n") if " = nn.BatchNorm" in part]
        itself = (
            ".copy_(",
            "rand",
            "bernoulli",
            "_s.clone",
            "self.s)",
            ".s.clone",
            ".s]",
            *(f"{norm.strip()}(" for norm in norms),
        )
        if forward.decorator_list:
            marked.add(each.name)
            assert any(word in body for word in itself), body
        else:
            assert not re.search(r"self\S*copy_\(", body)  # a state that it is handed is its caller's
            assert "rand" not in body
    assert bool(marked) is any(getattr(part, "name", "") == "once" for part in tree.body)
    assert bool(marked) is (name not in ("dropout",))


def test_a_second_way_back_through_one_checkpoint() -> None:
    net: Any = model("draws and states").torch().double().train()
    x = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    source = torch.Generator().manual_seed(0)
    y = checkpoint(partial(net, generator=source), x, use_reentrant=False).sin().sum()
    before, state = source.get_state(), net.s.clone()
    first = torch.autograd.grad(y, x, retain_graph=True)[0]
    second = torch.autograd.grad(y, x)[0]
    torch.testing.assert_close(first, second)
    assert torch.equal(source.get_state(), before)
    assert torch.equal(net.s, state)


def test_a_derivative_changes_states_once() -> None:
    net: Any = model("a derivative through a norm").torch().train()
    net(torch.randn(5, 4))
    assert net.energy.batch_norm.num_batches_tracked == 1


@pytest.mark.parametrize("name", ["batch norm", "a state, read before and after", "a derivative through a norm"])
def test_nothing_is_asked_for_under_compile(name: str) -> None:
    net = model(name).torch()
    if name == "a derivative through a norm":
        net.eval()
    x = torch.randn(5, 4)
    other = copy.deepcopy(net)
    made = torch.compile(other, fullgraph=True, backend="aot_eager")(x)
    torch.testing.assert_close(made, net(x))
    for a, b in zip(other.buffers(), net.buffers(), strict=True):
        torch.testing.assert_close(a, b)


def test_draws_of_a_module_in_use() -> None:
    """Without training, a checkpoint that hides the gradients is not looked for: it is refused on the way back."""
    net: Any = model("draws").torch().eval()
    x = torch.randn(5, 4, requires_grad=True)
    found = []
    for run in (WAYS["kept"], lambda net, x, more: net(x, **more)):
        y: Any = run(net, x, {"generator": torch.Generator().manual_seed(0)})
        found += [y.detach(), *torch.autograd.grad(y.sin().sum(), x)]
    torch.testing.assert_close(found[:2], found[2:])
    y = WAYS["reentrant"](net, x, {"generator": torch.Generator().manual_seed(0)})
    with pytest.raises(RuntimeError, match="use_reentrant=False"):
        y.sum().backward()
