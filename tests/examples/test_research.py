"""What the research examples promise: laws of their papers, and the same computed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ogive
from ogive.api import Model

EXAMPLES = Path(__file__).parents[2] / "examples"


def model(name: str, of: str = "Tiny") -> Model:
    found = ogive.load(EXAMPLES / f"{name}.arch")[of]
    assert isinstance(found, Model)
    return found


def net(name: str, of: str = "Tiny") -> nn.Module:
    torch.manual_seed(0)
    return model(name, of).torch().double().eval()


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


COUNTS = {
    ("fno", "Darcy"): 4_769_473,
    ("mamba", "Mamba130M"): 129_135_360,
    ("mamba", "Mamba370M"): 371_516_416,
    ("gpt2_cache", "GPT2"): 124_439_808,
    ("diffusion_unet", "CIFAR10"): 35_746_307,
}


@pytest.mark.parametrize(("name", "of"), COUNTS)
def test_published_numbers_of_parameters(name: str, of: str) -> None:
    assert model(name, of).parameters == COUNTS[name, of]


# --- a cache of keys and values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [(9,), (1,) * 9, (4, 1, 1, 3)])
def test_decoding_step_by_step_equals_the_full_pass(steps: tuple[int, ...]) -> None:
    ours, ids = net("gpt2_cache"), torch.randint(64, (2, 9))
    full, _ = ours(ids)
    cache, logits = None, []
    for part in torch.split(ids, list(steps), 1):
        more, cache = ours(part) if cache is None else ours(part, cache)
        logits.append(more)
    torch.testing.assert_close(torch.cat(logits, 1), full)
    assert cache is not None
    assert cache.shape == (2, 2, 2, 2, 9, 8)


def test_an_empty_cache_is_no_cache_and_the_weights_are_those_of_gpt2() -> None:
    ours, plain, ids = net("gpt2_cache"), net("gpt2"), torch.randint(64, (2, 5))
    plain.load_state_dict(ours.state_dict())
    logits, _ = ours(ids)
    torch.testing.assert_close(logits, plain(ids))
    torch.testing.assert_close(logits, ours(ids, randn(2, 2, 2, 2, 0, 8))[0])
    with pytest.raises(ValueError, match=r"^n \+ p <= 16, but n is 5 and p is 12$"):
        ours(ids, randn(2, 2, 2, 2, 12, 8))


# --- derivatives inside a model ---------------------------------------------------------------------------------------


def test_a_learned_proximal_map_has_a_symmetric_positive_jacobian() -> None:
    ours, x = net("input_convex"), randn(4)
    jacobian = torch.func.jacrev(lambda v: ours(v[None])[0])(x)
    torch.testing.assert_close(jacobian, jacobian.mT)
    assert torch.linalg.eigvalsh(jacobian).min() > 0.019  # the quadratic part alone gives 2 · 0.01


def test_constraints_hold_after_a_step() -> None:
    ours = net("input_convex")
    with torch.no_grad():
        for weight in ours.parameters():
            weight.sub_(1)
    ours.after_step()  # type: ignore[operator]
    kept = [w for n, w in ours.named_parameters() if ("layers" in n and "lin" in n) or "last" in n]
    assert len(kept) == 3
    assert all(bool((w >= 0).all()) for w in kept)
    assert ours.get_parameter("potential.layers.0.res.weight").min() < 0


# --- supplied weights -------------------------------------------------------------------------------------------------


def test_a_hypernetwork_gives_each_example_its_own_weights() -> None:
    ours, x, z = net("hypernetwork"), randn(3, 7, 2), randn(3, 5)
    theta = F.linear(
        F.gelu(F.linear(z, *(ours.get_parameter(f"trunk.{n}") for n in ("weight", "bias")))),
        *(ours.get_parameter(f"head.{n}") for n in ("weight", "bias")),
    )
    sizes = {"first": (4, 2), "second": (4, 4), "last": (3, 4)}  # in the order of the state dict
    for i in range(3):
        w, at = {}, 0
        for name, (dout, din) in sizes.items():
            w[name] = theta[i, at:][: dout * din].view(dout, din), theta[i, at + dout * din :][:dout]
            at += dout * din + dout
        y = torch.sin(F.linear(x[i], *w["first"]))
        y = F.linear(torch.sin(F.linear(y, *w["second"])), *w["last"])
        torch.testing.assert_close(ours(x, z)[i], y)
    assert set(dict(ours.named_parameters())) == {f"{a}.{b}" for a in ("trunk", "head") for b in ("weight", "bias")}


def test_a_hypernetwork_takes_any_block() -> None:
    ours, x, z = net("hypernetwork", "Tokens"), randn(3, 7, 16), randn(3, 8)
    y = ours(x, z)
    torch.testing.assert_close(y[1], ours(x[1:2], z[1:2])[0])
    assert not torch.allclose(ours(x, z.flip(0)), y)


# --- experts ----------------------------------------------------------------------------------------------------------

MOE = """
use std.nn (Linear)
use std.experts (MoE)

block MLP[d](x: [*b, d]) -> [*b, d]:
    return x |> Linear[d, 2 * d] as up |> gelu |> Linear[2 * d, d] as down

block M[d, experts, k, slack](x: [b, n, d]) -> [b, n, d]:
    return x |> MoE[MLP[d=d, ...], experts, k, slack=slack] as moe
"""


def moe(experts: int, k: int, slack: int) -> nn.Module:
    torch.manual_seed(0)
    block = ogive.source(MOE)["M"]
    assert not isinstance(block, Model)
    return block(d=6, experts=experts, k=k, slack=slack).torch().double()


def expert(ours: nn.Module, index: int, x: Tensor) -> Tensor:
    up, b1, down, b2 = (
        ours.get_parameter(f"moe.experts.{n}")[index] for n in ("up.weight", "up.bias", "down.weight", "down.bias")
    )
    return F.linear(F.gelu(F.linear(x, up, b1)), down, b2)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_each_token_is_a_mixture_of_its_best_experts(k: int) -> None:
    ours, x = moe(4, k, 400), randn(2, 5, 6)
    p = torch.softmax(F.linear(x, ours.get_parameter("moe.router.gate.weight")), -1)
    best, chosen = p.topk(k)
    best = best / best.sum(-1, keepdim=True)
    every = torch.stack([expert(ours, e, x) for e in range(4)], -2)
    picked = every.gather(-2, chosen[..., None].expand(-1, -1, -1, 6))
    torch.testing.assert_close(ours(x), (picked * best[..., None]).sum(-2))


def test_equal_experts_are_one_and_no_expert_takes_more_than_its_room() -> None:
    ours, x = moe(4, 2, 200), randn(2, 8, 6)
    with torch.no_grad():
        for name, weight in ours.named_parameters():
            if "experts" in name:
                weight.copy_(weight[:1].expand_as(weight))
        torch.testing.assert_close(ours(x), expert(ours, 0, x))
        ours.get_parameter("moe.router.gate.weight").zero_()  # all tokens ask for the same experts
    found = moe(4, 1, 100)
    found.load_state_dict(ours.state_dict())
    served = (found(x) != 0).any(-1).flatten()
    assert served.tolist() == [True] * 4 + [False] * 12  # 16 tokens, 4 experts: the first 4 find room


@pytest.mark.parametrize("shape", [(12, 6), (2, 6, 6), (2, 3, 2, 6)])
def test_tokens_stand_in_any_number_of_axes(shape: tuple[int, ...]) -> None:
    text = MOE.replace("x: [b, n, d]) -> [b, n, d]", "x: [*b, d]) -> [*b, d]")
    block = ogive.source(text)["M"]
    assert not isinstance(block, Model)
    torch.manual_seed(0)
    ours = block(d=6, experts=4, k=2, slack=125).torch().double()
    ours.load_state_dict(moe(4, 2, 125).state_dict())
    x = randn(*shape)
    torch.testing.assert_close(ours(x), moe(4, 2, 125)(x.reshape(2, 6, 6)).reshape(shape))


def test_the_balance_is_a_tap() -> None:
    ours, ids = net("moe"), torch.randint(32, (2, 8))
    outputs, taps = ours(ids, taps=["layers.*.moe.router.balance"])
    (balance,) = taps.values()
    assert balance.shape == (2,)
    assert bool((balance >= 0.5).all())
    torch.testing.assert_close(outputs, ours(ids))
    balance.sum().backward()
    assert ours.get_parameter("layers.0.moe.router.gate.weight").grad is not None


# --- the others -------------------------------------------------------------------------------------------------------


def test_a_vae_draws_in_training_alone_and_offers_its_divergence() -> None:
    ours, x = net("vae"), torch.rand(3, 16, dtype=torch.float64)
    (image, mu, log_var), taps = ours(x, taps=["kl"])
    torch.testing.assert_close(image, ours(x)[0])
    q = torch.distributions.Normal(mu, (0.5 * log_var).exp())
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(torch.zeros_like(mu), 1)).sum(-1).mean()
    torch.testing.assert_close(taps["kl"], kl)
    ours.train()
    assert not torch.allclose(ours(x)[0], ours(x)[0])


def test_a_graph_network_does_not_see_the_order_of_nodes_and_edges() -> None:
    ours, x = net("gnn"), randn(7, 5)
    edges = torch.randint(7, (2, 15))
    y, order, turn = ours(x, *edges), torch.randperm(15), torch.randperm(7)
    torch.testing.assert_close(ours(x, *edges[:, order]), y)
    torch.testing.assert_close(ours(x[turn], *torch.argsort(turn)[edges]), y[turn])


def test_mean_of_neighbours_against_a_matrix() -> None:
    ours, x = net("gnn", "Cora"), randn(4, 1433)
    source, target = torch.tensor([[0, 1, 2, 2], [1, 2, 0, 1]])
    matrix = torch.zeros(4, 4, dtype=torch.float64).index_put((target, source), torch.ones(4, dtype=torch.float64))
    matrix = matrix / matrix.sum(1, keepdim=True).clamp(min=1)

    def conv(name: str, x: Tensor) -> Tensor:
        w: Any = ours.get_submodule(name)
        return F.linear(x, w.own.weight, w.own.bias) + F.linear(matrix @ x, w.neighbours.weight)

    torch.testing.assert_close(ours(x, source, target), conv("conv2", conv("conv1", x).relu()))


@pytest.mark.parametrize("name", ["mamba", "gpt2_cache"])
def test_later_tokens_do_not_reach_back(name: str) -> None:
    ours, ids = net(name), torch.randint(30, (1, 9))
    other = ids.clone()
    other[0, 6] = (ids[0, 6] + 1) % 30
    ys, zs = (y if isinstance(y, Tensor) else y[0] for y in (ours(ids), ours(other)))
    torch.testing.assert_close(ys[:, :6], zs[:, :6])
    assert not torch.allclose(ys[:, 6:], zs[:, 6:])


def test_a_diffusion_network_knows_the_time() -> None:
    ours, x = net("diffusion_unet"), randn(2, 1, 8, 12)
    same, other = ours(x, torch.tensor([3.0, 3.0]).double()), ours(x, torch.tensor([3.0, 500.0]).double())
    assert same.shape == x.shape
    torch.testing.assert_close(same[0], other[0])
    assert not torch.allclose(same[1], other[1])
