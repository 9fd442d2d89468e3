"""What a vectorized block does besides giving values: states, random numbers, taps, initializers, keeps, sharing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import ogive
from ogive.compiler.ir_tools.verify import verify
from ogive.compiler.passes.pipelines.lowering import lowered
from reference.interpreter import Reference
from reference.store import Store
from reference.world import World

HEAD = """
use std.nn (Linear, LayerNorm, BatchNorm)
use std.vision (Conv)
"""


def built(text: str, name: str = "M", seed: int = 0) -> Any:
    model = ogive.source(HEAD + text).models[name]
    verify(lowered(model.ir))
    torch.manual_seed(seed)
    return model.torch().double()


def randn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.manual_seed(seed))


NORMS = """
block Every[e, c](x: [e, b, c, t]) -> [e, b, c, t]:
    return x |> each[e, BatchNorm[...]] as f
block Shared[c](x: [e, b, c, t]) -> [e, b, c, t]:
    f = BatchNorm[]
    return over[e, f](x)
model Each = Every[e=3, c=4]
model Over = Shared[c=4]
"""


def test_each_index_keeps_statistics_of_its_own() -> None:
    net, x = built(NORMS, "Each"), randn(3, 5, 4, 2)
    torch.testing.assert_close(net(x), torch.stack([torch.nn.BatchNorm1d(4).double()(x[i]) for i in range(3)]))
    for index in range(3):
        alone = torch.nn.BatchNorm1d(4).double()
        alone(x[index])
        torch.testing.assert_close(net.f.running_mean[index], alone.running_mean)
        torch.testing.assert_close(net.f.running_var[index], alone.running_var)


def test_a_shared_state_becomes_the_mean_of_what_the_indices_make_of_it() -> None:
    net, x = built(NORMS, "Over"), randn(3, 5, 4, 2)
    found = net(x)
    means = []
    for index in range(3):
        alone = torch.nn.BatchNorm1d(4).double()
        torch.testing.assert_close(found[index], alone(x[index]))
        assert alone.running_mean is not None
        means.append(alone.running_mean)
    torch.testing.assert_close(net.f.running_mean, torch.stack(means).mean(0))


def test_a_shared_count_becomes_what_the_last_index_makes_of_it() -> None:
    net = built("""
block F(x: [b, d]) -> [b, d]:
    state seen: int[] = zeros
    state most: int[d] = ones
    update seen = sum(x) |> cast[int]
    update most = most + (max[0](x) |> cast[int])
    return x
block G(x: [e, b, d]) -> [e, b, d]:
    f = F[]
    return over[e, f](x)
model M = G[d=4]
""")
    x = torch.arange(24, dtype=torch.float64).view(3, 2, 4)
    net(x)
    assert net.f.seen == x[-1].sum()
    assert torch.equal(net.f.most, 1 + x[-1].amax(0).long())


RANDOM = """
block Noise(x: [b, d]) -> [b, d]:
    return x * dropout[0.5](ones[b, d]) + rand[b, d]
block Mixed(x: [b, d]) -> [b, d]:
    return take[0](x, permutation[b])
block N(x: [e, b, d]) -> [e, b, d]:
    return over[e, Noise](x)
block P(x: [e, b, d]) -> [e, b, d]:
    return over[e, Mixed](x)
model Drawn = N[]
model Order = P[]
"""


def test_every_index_draws_its_own() -> None:
    x = randn(1, 40, 3).expand(2, -1, -1)
    y = built(RANDOM, "Drawn")(x)
    assert not torch.equal(y[0], y[1])
    rows = built(RANDOM, "Order")(x)
    assert not torch.equal(rows[0], rows[1])
    for row in rows:
        torch.testing.assert_close(row.sort(0).values, x[0].sort(0).values)


def test_attention_drops_weights_for_every_index() -> None:
    net = built("""
block Attend(x: [b, h, n, d]) -> [b, h, n, d]:
    p = softmax[-1](einsum["b h q e, b h k e -> b h q k"](x, x)) |> dropout[0.5]
    return einsum["b h q k, b h k e -> b h q e"](p, x)
block A(x: [e, b, h, n, d]) -> [e, b, h, n, d]:
    return over[e, Attend](x)
model M = A[]
""").train()
    x = randn(1, 1, 2, 8, 4).expand(2, -1, -1, -1, -1)
    y = net(x)
    assert not torch.equal(y[0], y[1])


def test_taps_are_seen_at_all_indices() -> None:
    net = built("""
block F[d](x: [b, d]) -> [b, d]:
    y = tanh(x |> Linear[d, d] as lin)
    tap hidden = y
    return y * 2
block G[d](x: [e, b, d]) -> [e, b, d]:
    f = F[d]
    return over[e, f](x)
model M = G[d=4]
""")
    x = randn(3, 2, 4)
    y, taps = net(x, taps=["f.hidden"])
    torch.testing.assert_close(taps["f.hidden"] * 2, y)
    assert taps["f.hidden"].shape == (3, 2, 4)


def test_every_entry_starts_as_it_would_alone() -> None:
    net = built("""
block F[d](x: [n, d]) -> [n, d]:
    param table: [d, d] = orthogonal
    param frozen: [d] = normal[seed=3]
    init Linear.bias = constant[0.25]
    return (x |> Linear[d, 100*d] as up |> relu |> Linear[100*d, d] as down) @ table * frozen
block G[e, d](x: [e, n, d]) -> [e, n, d]:
    return x |> each[e, F[d, ...]] as f
model M = G[e=3, d=4]
""")
    state = dict(net.named_parameters())
    assert tuple(state["f.up.weight"].shape) == (3, 400, 4)
    for table in state["f.table"]:
        torch.testing.assert_close(table @ table.mT, torch.eye(4, dtype=torch.float64), atol=1e-5, rtol=0)
    assert not torch.equal(state["f.table"][0], state["f.table"][1])
    bound = 1 / 400**0.5  # of 400 inputs, whatever the number of indices
    assert 0.9 * bound < state["f.down.weight"].abs().max() <= bound + 1e-6
    assert all((state[f"f.{name}.bias"] == 0.25).all() for name in ("up", "down"))
    assert torch.equal(state["f.frozen"][0], state["f.frozen"][1])


def test_what_a_block_says_of_weights_far_below_holds_at_every_index() -> None:
    net = built("""
block Inner[d](x: [n, d]) -> [n, d]:
    return x |> Linear[d, d] as lin
block F[d](x: [n, d]) -> [n, d]:
    init inner.lin.weight = orthogonal
    return x |> Inner as inner
block G[e, d](x: [e, n, d]) -> [e, n, d]:
    return x |> each[e, F[d, ...]] as f
model M = G[e=3, d=4]
""")
    for table in net.f.inner.lin.weight:
        torch.testing.assert_close(table @ table.mT, torch.eye(4, dtype=torch.float64), atol=1e-5, rtol=0)


def test_on_the_meta_device_nothing_is_allocated() -> None:
    model = ogive.source(HEAD + NORMS).models["Each"]
    net = model.torch(device="meta")
    assert all(weight.is_meta for weight in net.parameters())


def test_a_constraint_holds_at_every_index() -> None:
    net = built("""
block F[d](x: [n, d]) -> [n, d]:
    param w: [d, d] = normal keep relu
    return x @ w
block G[e, d](x: [e, n, d]) -> [e, n, d]:
    return x |> each[e, F[d, ...]] as f
model M = G[e=3, d=4]
""")
    assert (net.f.w >= 0).all()
    with torch.no_grad():
        net.f.w.sub_(1)
    net.after_step()
    assert (net.f.w >= 0).all()


def test_an_instance_is_called_alone_and_at_every_index() -> None:
    net = built("""
block F[d](x: [n, d]) -> [n, d]:
    y = x |> Linear[d, d] as lin |> softmax[0]
    return y + x
block G[d](x: [n, d], xs: [e, n, d], z: [n, d]) -> ([n, d], [e, n, d]):
    f = F[d]
    return f(x) + f(z), over[e, f](xs)
model M = G[d=4]
""")
    x, xs, z = randn(5, 4), randn(3, 5, 4, seed=2), randn(5, 4, seed=3)

    def f(x: Tensor) -> Tensor:
        return torch.nn.functional.linear(x, net.f.lin.weight, net.f.lin.bias).softmax(0) + x

    alone, many = net(x, xs, z)
    torch.testing.assert_close(alone, f(x) + f(z))
    torch.testing.assert_close(many, torch.stack([f(row) for row in xs]))


@pytest.mark.parametrize("optional", ["", "?"])
@pytest.mark.parametrize("axis", ["", "e, "])
def test_operands_of_one_index_are_as_those_of_all(axis: str, optional: str) -> None:
    """An operand takes the axis of the vectorized definition where that has it, and no other."""
    net = built(f"""
block F[d](x: [n, d], m: [n, n]{optional}) -> [n, d]:
    y = x |> Linear[d, d] as lin
    if given(m):
        y = m @ y
    return y
block G[d](x: [e, n, d], m: [{axis}n, n], z: [n, d], o: [n, n]) -> ([e, n, d], [n, d], [n, d]):
    f = F[d]
    return over[e, f](x, m), f(z, o), f(z{"" if optional else ", o"})
model M = G[d=4]
""")
    x, z, o = randn(3, 5, 4), randn(5, 4, seed=2), randn(5, 5, seed=3)
    m = randn(*[3] * bool(axis), 5, 5, seed=4)
    all_of_them, one, bare = net(x, m, z, o)
    torch.testing.assert_close(all_of_them, m @ net.f.lin(x))
    torch.testing.assert_close(one, o @ net.f.lin(z))
    torch.testing.assert_close(bare, net.f.lin(z) if optional else one)


@pytest.mark.parametrize("given", ["x", "m, x", "x, m"])
def test_operands_without_the_axis_are_seen_whole(given: str) -> None:
    names = given.split(", ")
    types = {"x": "[n, d]", "m": "[n, n]"}
    net = built(f"""
block F[d]({", ".join(f"{name}: {types[name]}" for name in names)}) -> [n, d]:
    y = x |> Linear[d, d] as lin
    return {"m @ y" if "m" in names else "y"}
block G[d](x: [e, n, d], m: [n, n]) -> [e, n, d]:
    f = F[d]
    return over[e, f]({given})
model M = G[d=4]
""")
    x, m = randn(3, 5, 4), randn(5, 5, seed=2)
    y = net.f.lin(x)
    torch.testing.assert_close(net(x, m), m @ y if "m" in names else y)


CHOICES = """
block F[d](x: [n, d], mask: bool[n]?, scale: [d]?) -> [n, d]:
    y = x |> Linear[d, d] as lin
    if given(mask):
        y = select(expand["n -> n d", d=d](mask), y, 0)
    if given(scale):
        y = y * scale
    if training:
        y = y + 1
    return y
block G[d](x: [e, n, d], mask: bool[e, n]?, scale: [d]?) -> [e, n, d]:
    f = F[d]
    return over[e, f](x{rest})
model M = G[d=4]
"""


@pytest.mark.parametrize("training", [False, True])
def test_choices_are_made_for_all_indices_alike(training: bool) -> None:
    net = built(CHOICES.replace("{rest}", "")).train(training)
    x = randn(3, 5, 4)
    torch.testing.assert_close(net(x), net.f.lin(x) + training)


def test_carried_values_have_the_axis_where_an_iteration_gives_it() -> None:
    net = built("""
block F(x: [n, d], w: [d, d]) -> [n, d]:
    scan x_t in x along n carry h = zeros[d]:
        h = tanh(x_t + h @ w)
        yield y = h
        yield z = x_t
    total = zeros[d]
    repeat 2:
        total = total + sum[0](y)
        yield t = total
    return y + z + expand["d -> n d", n=n](sum[0](t))
block G(x: [n, d], w: [e, d, d]) -> [e, n, d]:
    return over[e, F](x, w)
model M = G[]
""")
    x, w = randn(5, 4), randn(3, 4, 4, seed=2)
    rows = []
    for one in w:
        h, steps = torch.zeros(4, dtype=torch.float64), []
        for x_t in x:
            h = torch.tanh(x_t + h @ one)
            steps.append(h)
        y = torch.stack(steps)
        rows.append(y + x + 3 * y.sum(0))
    torch.testing.assert_close(net(x, w), torch.stack(rows))


def test_an_operand_may_be_absent() -> None:
    net = built("""
block F[d](x: [n, d], mask: bool[n]?) -> [n, d]:
    if given(mask):
        x = select(expand["n -> n d", d=d](mask), x, 0)
    return x
block G[d](x: [e, n, d], mask: bool[e, n]?) -> [e, n, d]:
    return over[e, F](x, mask)
model M = G[d=4]
""")
    x, mask = randn(3, 5, 4), randn(3, 5, seed=2) > 0
    torch.testing.assert_close(net(x), x)
    torch.testing.assert_close(net(x, mask), torch.where(mask[..., None], x, 0.0))


SHARED = """
block unit(x: [m]) -> []:
    state s: [] = constant[0.5]
    update s = 0.75 * s + 0.25 * mean[0](x)
    y = s * 2
    update s = s - 0.5 * y + x[0]
    return s + y
block Inner(x: [u, m]) -> [u]:
    f = unit[]
    return over[0, f](x)
block Outer(x: [k, u, m]) -> [k, u]:
    f = Inner[]
    return over[0, f](x)
model Flat = Inner
model Nested = Outer
"""


def test_a_state_shared_along_two_axes_is_that_of_one_axis_of_both() -> None:
    """All indices go through a program together, so it makes no difference how they are arranged."""
    program, x = ogive.source(SHARED), torch.randn(3, 2, 4, dtype=torch.double)
    results, states = [], []
    for name, given in (("Flat", x.flatten(0, 1)), ("Nested", x)):
        model, net = program.models[name], program.models[name].torch().double().train()
        (path,) = net.state_dict()
        results.append(net(given).flatten())
        states.append(net.state_dict()[path])
        store, sizes = Store.of({path: 0.5}), dict(zip(model.ir.definition.sizes, given.shape, strict=True))
        (found,) = Reference(model.ir, store).run([given.numpy()], World(training=True), sizes)
        assert found is not None
        results.append(torch.from_numpy(found.value).flatten())
        states.append(torch.as_tensor(store.numbers()[path]))
    for result, state in zip(results[1:], states[1:], strict=True):
        torch.testing.assert_close(result, results[0])
        torch.testing.assert_close(state, states[0])
