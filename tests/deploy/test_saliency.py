"""What channels are worth by a loss on data: against autograd, against dense matrices, by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import ogive
from analysis.test_groups import model_of, small, stirred
from deploy.test_prune import LOOP, TWO, verified
from deploy.test_quantize import given
from ogive.backends.weight_conversion.fisher import InverseFisher
from ogive.compiler.analysis.groups.coupled import coupled
from ogive.compiler.analysis.provenance.domain import provenance
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.pruning.prune import partition
from ogive.compiler.passes.pruning.saliency import Scored


def labelled(model: ogive.Model, count: int) -> dict[str, Tensor]:
    """Data with classes."""
    data = given(model)
    first = next(iter(data.values()))
    return {**data, "target": torch.arange(len(first)) % count}


@pytest.mark.parametrize("damping", [1e-5, 0.3])
def test_products_with_the_inverse_are_those_of_the_dense_matrix(damping: float) -> None:
    gradients = torch.randn(6, 11, dtype=torch.double)
    dense = damping * torch.eye(11, dtype=torch.double) + gradients.T @ gradients / 6
    found, x = InverseFisher(gradients, damping), torch.randn(11, dtype=torch.double)
    inverse = torch.linalg.inv(dense)
    scale = float(inverse.abs().max())
    assert torch.allclose(found.product(x), inverse @ x, atol=1e-9 * scale)
    assert torch.allclose(found.diagonal, inverse.diagonal(), atol=1e-9 * scale)


def channels(net: Any, data: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """For each of the eight channels of the small model its entries and their gradients, by autograd."""
    net = net.double()
    pairs = [(net.up.weight, 0), (net.up.bias, 0), (net.down.weight, 1)]
    loss = F.cross_entropy(net(data["x"].double()), data["target"])
    found = torch.autograd.grad(loss, [p for p, _ in pairs])
    both = zip(pairs, found, strict=True)
    rows = [(p.movedim(axis, 0).reshape(8, -1), g.movedim(axis, 0).reshape(8, -1)) for (p, axis), g in both]
    return torch.cat([w for w, _ in rows], 1).detach(), torch.cat([g for _, g in rows], 1)


@pytest.mark.parametrize("by", ["taylor", "hesso"])
def test_those_go_whose_score_by_hand_is_least(by: str) -> None:
    model = small(TWO)
    torch.manual_seed(1)
    net: Any = model.torch()
    data = {"x": torch.randn(12, 3), "target": torch.arange(12) % 2}
    w, g = channels(net, data)
    slope, size = (w * g).sum(1), w.norm(dim=1)
    scores = slope.abs()
    if by == "hesso":
        cosine = slope / (size * g.norm(dim=1)).clamp(min=1e-300) + 1  # one is dead
        five = (size, size / math.sqrt(w.shape[1]), cosine, slope.abs(), slope.square() / 2)
        scores = sum(each / each.norm() for each in five) / 5
    kept = sorted(scores.topk(5).indices.tolist())
    net = net.float()
    made = model.deploy(f"prune[by={by}, keep=0.625]", weights=net, data=data, loss="cross_entropy")
    assert torch.equal(made.convert(net)["up.bias"], net.up.bias[kept])


def test_the_second_order_is_that_of_the_dense_matrix_of_each_weight() -> None:
    model = small(TWO)
    torch.manual_seed(2)
    net: Any = model.torch().double()
    data = {"x": torch.randn(9, 3, dtype=torch.double), "target": torch.arange(9) % 2}
    total = torch.zeros(8, dtype=torch.double)
    for path, axis in (("up.weight", 0), ("up.bias", 0), ("down.weight", 1)):
        p = net.get_parameter(path)
        rows = []
        for at in range(9):
            loss = F.cross_entropy(net(data["x"][at : at + 1]), data["target"][at : at + 1])
            rows.append(torch.autograd.grad(loss, p)[0].flatten())
        found = torch.stack(rows)
        dense = 1e-5 * torch.eye(p.numel(), dtype=torch.double) + found.T @ found / 9
        worth = p.square() / (2 * torch.linalg.inv(dense).diagonal().reshape(p.shape))
        total += worth.movedim(axis, 0).reshape(8, -1).sum(1).detach()
    kept = sorted(total.topk(3).indices.tolist())
    made = model.deploy("prune[by=fisher, keep=0.375]", weights=net, data=data, loss="cross_entropy")
    assert torch.equal(made.convert(net)["up.bias"], net.up.bias[kept])


@pytest.mark.parametrize(("name", "by"), [("vit", "hesso"), ("resnet", "fisher"), ("resnet", "taylor")])
def test_what_is_left_computes_what_zeros_would(name: str, by: str) -> None:
    model = model_of(name)
    net = stirred(model)
    data = labelled(model, 5)
    made = model.deploy(f"prune[by={by}, keep=0.6]", weights=net, data=data, loss="cross_entropy")
    assert made.parameters < 0.9 * model.parameters
    at = {"b": 2, "h": 32, "w": 32} if name == "resnet" else {"b": 2}
    deviation = made.verify(net.float(), **at)
    assert deviation.exact
    assert deviation.absolute <= 1e-10


def test_iterations_have_gradients_of_their_own() -> None:
    model = small(LOOP)
    net = stirred(model).float()
    data = {"x": torch.randn(6, 3), "target": torch.arange(6) % 2}
    made = model.deploy("prune[by=taylor, scope=layer]", weights=net, data=data, loss="cross_entropy")
    assert made.verify(net, b=2).exact


def test_groups_of_one_scale_are_compared_with_each_other() -> None:
    """Those of a residual network: three sizes of features, and what has none."""
    model = model_of("unet")
    flat = flattened(model.ir, trained=True)[0]
    found = provenance(flat)
    groups = [group for group in coupled(found) if group.prunable == "yes" and group.channels.is_number]
    scored = [Scored(group, ((1.0,) * group.channels.number,)) for group in groups]
    parts = partition(found, scored, "scale")
    assert 1 < len(parts) < len(groups)
    assert sorted(each.group.name for part in parts for each in part) == sorted(group.name for group in groups)
    net = stirred(model)
    made = verified(model, net, "prune[scope=scale, keep=0.5]")
    assert made.parameters < model.parameters


@pytest.mark.parametrize(
    ("data", "loss", "said"),
    [
        ({"x": torch.ones(4, 3)}, "cross_entropy", "`prune` needs target"),
        ({"x": torch.ones(4, 3), "target": torch.zeros(4, dtype=torch.long)}, None, "`prune` needs a loss"),
        (
            {"x": torch.ones(4, 3), "target": torch.zeros(3, dtype=torch.long)},
            "cross_entropy",
            "for each of 4 examples",
        ),
        ({"x": torch.ones(4, 3), "target": torch.full((4,), 7)}, "cross_entropy", "the target holds classes"),
    ],
)
def test_what_is_missing_or_does_not_fit_is_told(data: dict[str, Tensor], loss: str | None, said: str) -> None:
    model = small(TWO)
    with pytest.raises(ogive.ArchError, match=said):
        model.deploy("prune[by=taylor]", weights=model.torch(), data=data, loss=loss)


@pytest.mark.parametrize(
    ("body", "periods", "multiple"), [(TWO, 1, 1), (TWO, 3, 4), (LOOP, 2, 1)], ids=["one", "rounded", "loop"]
)
def test_channels_shrink_to_0_and_stay_there(body: str, periods: int, multiple: int) -> None:
    """HESSO's schedule: after each period its channels are exactly 0, and what is left is the whole network."""
    model = small(body)
    torch.manual_seed(0)
    net: Any = model.torch()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    schedule = model.pruning_optimizer(
        net, optimizer, keep=0.5, start=2, periods=periods, steps=4, round_to=multiple
    )  # fmt: skip
    x, y = torch.randn(16, 3), torch.arange(16) % 2
    counts, norms = [], []
    for _ in range(2 + 4 * periods + 3):
        optimizer.zero_grad()
        torch.autograd.backward(F.cross_entropy(net(x), y))
        optimizer.step()
        energies = torch.cat([group.moments()[0] for group in schedule.groups])
        counts.append(int((energies == 0).sum()))
        chosen = [energy for group in schedule.groups for energy in group.moments()[0][list(group.chosen)].tolist()]
        norms.append(sum(chosen))
    assert schedule.done
    assert counts[0] == counts[1] == 0
    assert multiple > 1 or counts[2 + 3] >= 1
    assert counts[-1] == counts[1 + 4 * periods] == sum(len(group.chosen) for group in schedule.groups)
    assert norms[-1] == 0
    if multiple > 1:
        assert all((group.channels - len(group.chosen)) % multiple == 0 for group in schedule.groups)
    else:
        assert schedule.total - counts[-1] == math.ceil(0.5 * schedule.total)
    pruned = model.deploy(f"prune[keep={schedule.share}]", weights=net)
    smaller = pruned.torch()
    smaller.load_state_dict(pruned.convert(net))
    with torch.no_grad():
        assert torch.allclose(smaller(x), net(x), atol=1e-6)
    assert pruned.parameters < model.parameters
    schedule.remove()


def test_the_factors_of_a_period_are_those_of_a_line_to_0() -> None:
    """(T - t - 1) / (T - t), so that after t steps (T - t) / T of the start is left where nothing else moves it."""
    model = small(TWO)
    net: Any = model.torch()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
    schedule = model.pruning_optimizer(net, optimizer, keep=0.5, periods=1, steps=5)
    start = net.up.weight.detach().clone()
    torch.autograd.backward(net(torch.randn(4, 3)).sum())
    for t in range(1, 6):
        optimizer.step()
        (group,) = schedule.groups
        gone = sorted(group.chosen)
        assert torch.allclose(net.up.weight[gone], start[gone] * (5 - t) / 5, atol=1e-7)
    assert float(net.up.weight.detach()[gone].abs().max()) == 0


def test_schedules_that_make_no_sense_are_refused() -> None:
    model = small(TWO)
    net = model.torch()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for options, said in (({"keep": 0}, "`keep`"), ({"steps": 0}, "`steps`"), ({"start": -1}, "`start`")):
        with pytest.raises(ogive.ArchError, match=said):
            model.pruning_optimizer(net, optimizer, **options)
    with pytest.raises(ogive.ArchError, match="is not one of M"):
        model.pruning_optimizer(torch.nn.Linear(2, 2), optimizer)
