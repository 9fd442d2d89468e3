"""Analyses on data: identities that their measures must meet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import ogive
from ogive.backends.analysis.measured.collapse import geometry
from ogive.backends.analysis.measured.degeneracy import synchronized
from ogive.backends.analysis.measured.runs import cka

EXAMPLES = Path(__file__).parents[2] / "examples"
NET = (
    "use std.nn (Linear)\nblock Net[k=4](x: [b, 5]) -> [b, 3]:\n"
    "    return x |> Linear[5, k] as a |> relu |> Linear[k, 3] as out\nmodel M = Net\n"
)
MODEL = ogive.source(NET).models["M"]


def data(count: int = 20) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {"x": torch.randn(count, 5, generator=generator), "target": torch.arange(count) % 3}


@pytest.mark.parametrize("classes", [3, 5])
def test_an_exact_simplex_is_collapsed(classes: int) -> None:
    simplex = torch.eye(classes, dtype=torch.double) - 1 / classes
    labels = torch.arange(3 * classes) % classes
    turned = torch.linalg.qr(torch.randn(classes, classes, dtype=torch.double)).Q
    found, _ = geometry((simplex @ turned)[labels] + 7, labels, 2 * simplex @ turned, simplex[labels])
    assert [found[key] for key in ("nc1", "nc2", "nc3")] == pytest.approx([0, 0, 0], abs=1e-9)
    assert found["nc4"] == 1
    noisy, _ = geometry(simplex[labels] + torch.randn(3 * classes, classes).double(), labels, simplex, simplex[labels])
    assert isinstance(noisy["nc1"], float)
    assert noisy["nc1"] > 0.1


def test_cka_sees_no_rotation_and_no_scale() -> None:
    torch.manual_seed(0)
    x = torch.randn(50, 8, dtype=torch.double)
    turn = torch.linalg.qr(torch.randn(8, 8, dtype=torch.double)).Q
    assert cka(x, 3 * x @ turn + 1) == pytest.approx(1)
    assert cka(x, x @ torch.randn(8, 8, dtype=torch.double)) < 0.99
    assert cka(x, torch.randn(50, 8, dtype=torch.double)) < 0.5


def test_the_score_is_that_of_the_dense_formula() -> None:
    module, given = MODEL.torch(), data(6)
    found = MODEL.analyze("expansion_score[damping=0.01]", weights=module, data=given, loss="cross_entropy")
    module = module.double()
    grads = []
    for at in range(6):
        loss = torch.nn.functional.cross_entropy(module(given["x"][at : at + 1].double()), given["target"][at : at + 1])
        grads.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(module.parameters()))]))
    each = torch.stack(grads)
    fisher = torch.diag(each.square().mean(0) + 0.01)
    eta = each.mean(0) @ torch.linalg.solve(fisher, each.mean(0))
    assert found.totals["eta"] == pytest.approx(float(eta), rel=1e-6)
    assert all(isinstance(row.fields["eta"], float) and row.fields["eta"] >= 0 for row in found.rows)


def test_planted_ranks_are_found() -> None:
    module, given = MODEL.torch(), data(40)
    given["x"][:, 3:] = given["x"][:, :2]  # rank 3 of 5
    del given["target"]
    with torch.no_grad():
        module.a.bias.fill_(100.0)  # type: ignore[union-attr, operator]
        module.out.weight[2] = module.out.weight[1]  # type: ignore[index, union-attr, operator]
    first, second = MODEL.analyze("degeneracy", weights=module, data=given).rows
    assert (first.fields["rank_in"], first.fields["rank_gradient"]) == (3, 2)
    assert first.fields["free"] == 5 * 4 - 3 * 2
    assert second.fields["rank_gradient"] == 3
    relu = torch.tensor([[1.0, 2.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    assert synchronized(relu) == 2


def test_a_model_is_its_own_guide(tmp_path: Path) -> None:
    (tmp_path / "net.arch").write_text(NET)
    module = MODEL.torch()
    save_file(module.state_dict(), tmp_path / "net.safetensors")
    options = f'guide="{tmp_path / "net.arch"}:M", guide_weights="{tmp_path / "net.safetensors"}"'
    found = MODEL.analyze(f"guidance[{options}]", weights=module, data=data(), loss="cross_entropy")
    assert [row.fields["guide_layer"] for row in found.rows] == ["a", "out"]
    assert found.totals["guidance_loss"] == pytest.approx(0, abs=1e-9)
    assert isinstance(found.totals["task_loss"], float)
    with pytest.raises(ogive.ArchError, match="has no model `N`"):
        MODEL.analyze(f'guidance[guide="{tmp_path / "net.arch"}:N"]', data=data())


def test_weights_are_connected_with_themselves_and_permuted_ones_are_not(tmp_path: Path) -> None:
    wide = ogive.source(NET.replace("k=4", "k=16")).models["M"]
    torch.manual_seed(0)
    module = wide.torch()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(6)
    given = data(60)
    given["target"] = module(given["x"]).argmax(1)
    turned = {name: value.clone() for name, value in module.state_dict().items()}
    order = torch.randperm(16)
    turned |= {"a.weight": turned["a.weight"][order], "a.bias": turned["a.bias"][order]}
    turned["out.weight"] = turned["out.weight"][:, order].contiguous()
    save_file(module.state_dict(), tmp_path / "same.safetensors")
    save_file(turned, tmp_path / "turned.safetensors")

    def found(name: str) -> dict[str, Any]:
        options = f'other="{tmp_path / name}.safetensors"'
        result = wide.analyze(f"prune_regimes[{options}]", weights=module, data=given, loss="cross_entropy")
        return dict(result.totals)

    same, other = found("same"), found("turned")
    assert (same["regime"], same["cka"]) == ("II-B", pytest.approx(1))
    assert same["barrier"] == pytest.approx(0, abs=1e-9)
    assert (other["regime"], other["cka"]) == ("I", pytest.approx(1))  # the same function, with a barrier between


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("collapse", {}, "needs data"),
        ("collapse", {"data": {"x": torch.zeros(2, 5)}}, "needs target in the data"),
        ("collapse", {"data": {"x": torch.zeros(2, 5), "target": torch.zeros(2)}}, "one class for each example"),
        ("expansion_score", {"data": data()}, "needs a loss"),
        ("expansion_score[damping=0]", {"data": data(), "loss": "mse"}, "above 0"),
        ("expansion_score", {"data": data(), "loss": "mse"}, "mse compares outputs"),
        ("guidance", {"data": data()}, "needs a second model"),
        ('guidance[guide="net"]', {"data": data()}, "FILE:MODEL"),
        ("prune_regimes", {"data": data(), "loss": "mse"}, "needs two sets of weights"),
        ("collapse", {"data": {"x": torch.ones(2, 5), "target": torch.tensor([0, 9])}}, "classes beyond the 3"),
        (
            "expansion_score",
            {"data": {**data(2), "target": torch.tensor([0, 9])}, "loss": "cross_entropy"},
            "from 9 to 9",
        ),
        ("expansion_score", {"data": {**data(3), "target": torch.tensor([0])}, "loss": "cross_entropy"}, "3 examples"),
        ("degeneracy", {"data": {"x": torch.zeros(0, 5)}}, "is empty"),
        ("degeneracy", {"data": {"x": torch.zeros(2, 4)}}, "is 5, not 4"),
        ("degeneracy", {"data": {"x": torch.full((2, 5), float("nan"))}}, "holds NaN"),
        ("degeneracy", {"data": {"x": torch.zeros(2, 5, dtype=torch.long)}}, "is torch.int64"),
        ("kernel[c_w=0.0]", {"data": data()}, "above 0"),
        ("degeneracy", {"data": {"x": torch.zeros(2, 5), "y": torch.zeros(2)}}, "the data has y"),
    ],
)
def test_what_is_missing_is_said(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ogive.ArchError, match=said):
        MODEL.analyze(name, **given)


def test_indices_of_nothing_are_refused() -> None:
    model = ogive.load(EXAMPLES / "gpt2.arch").models["Tiny"]
    with pytest.raises(ogive.ArchError, match="holds 999 to 999: 0 to 63 are indices"):
        model.analyze("degeneracy", data={"ids": torch.full((2, 4), 999)})


def test_infinities_are_texts_in_json() -> None:
    found = ogive.load(EXAMPLES / "mlp.arch").models["Tiny"].analyze("criticality[c_w=1e300]")
    json.dumps(found.json(), allow_nan=False)
    assert found.json()["rows"][-1]["variance"] == "inf"
