"""`muon` and `moe_scale`: spectral norms of steps, and the table of mixtures of experts, entry by entry."""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest
import torch

import ogive
from analysis.measured import EXAMPLES
from ogive.compiler.ir.weights import weights
from ogive.compiler.passes.scaling.moe import Grown

EXPERTS = """use std.nn (Linear, Embedding)
use std.experts (MoE)

block MLP[d, hidden](x: [*b, d]) -> [*b, d]:
    return x |> Linear[d, hidden] as up |> gelu |> Linear[hidden, d] as down

block Net[d, experts, hidden](ids: int[b, n]) -> [b, n, 8]:
    x = ids |> Embedding[8, d] as table
    x = x + (x |> MoE[MLP[hidden={hidden}, ...], experts, 1] as moe)
    return x |> Linear[d, 8, bias=false] as head

model M = Net[d=32, experts=8, hidden=16]
"""
# (regime, hidden, base_experts): (n, m) and the table by role: start, SGD, ε
N, M = 4.0, 2.0
INPUT, ROOT = (1, N, 1 / N), 1 / sqrt(N)
ALL = (ROOT, M, 1 / (N * M))
TABLE = {
    "I": {"input": INPUT, "router": (1 / N, 1 / N, 1), "up": (ROOT, 1, 1 / N), "down": (ROOT, 1, 1 / N)},
    "III": {"input": INPUT, "router": (ROOT, 1, 1 / M), "up": ALL, "down": ALL},
    "II": {
        "input": INPUT, "router": (ROOT, M / N, 1 / M), "up": (ROOT, M / N, 1 / M),
        "down": (sqrt(M), M * N, 1 / (N * M)),
    },
}  # fmt: skip
EXPERT = "moe.experts"
PATHS = {"input": "table.weight", "router": "moe.router.gate.weight"}
PATHS |= {name: f"{EXPERT}.{name}.weight" for name in ("up", "down")}


@pytest.mark.parametrize(("regime", "hidden", "experts"), [("I", "2*d", 8), ("III", "2*d", 4), ("II", "16", 4)])
def test_the_table_of_experts(regime: str, hidden: str, experts: int) -> None:
    model = ogive.source(EXPERTS.replace("{hidden}", hidden)).models["M"]
    for optimizer in ("sgd", "adam"):
        call = f"moe_scale[width=d, base=8, base_experts={experts}, optimizer={optimizer}]"
        found: Any = model.analyze(call)
        assert found.totals["regime"] == regime
        assert found.totals["equal_start"] == (regime == "III")
        assert found.totals["gate"] == (1 if regime == "I" else 0.5)
        rows = {row.path: row.fields for row in found.rows}
        for role, (std, sgd, eps) in TABLE[regime].items():
            fields = rows[PATHS[role]]
            assert fields["init_std"] == pytest.approx(std), role
            if optimizer == "sgd":
                assert fields["lr_factor"] == pytest.approx(sgd), role
                continue
            assert fields["eps_factor"] == pytest.approx(eps), role
            fan_in = 1 if role == "input" or (role == "down" and regime == "II") else N
            assert fields["lr_factor"] == pytest.approx(1 / fan_in), role
        readout = rows["head.weight"]
        assert readout["init_std"] == 1 / N
        assert readout["lr_factor"] == 1 / N
        groups = found.parameter_groups(model.torch().named_parameters(), lr=1.0)
        assert sum(len(group["params"]) for group in groups) == len(list(model.torch().parameters()))


def test_in_every_regime_nothing_changes_at_the_base() -> None:
    for regime in ("I", "II", "III"):
        for role in ("input", "router", "expert", "readout"):
            for second in (False, True):
                assert Grown(1.0, 1.0, regime).factors(role, second) == (1, 1, 1)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("moe_scale", "needs a static for `width`"),
        ("moe_scale[width=d, experts=expert]", "did you mean `experts`?"),
        ("moe_scale[width=d, optimizer=muon]", "is adam or sgd, not `muon`"),
        ("moe_scale[width=d, base=0]", "`base` and `base_experts` are numbers from 1 on"),
        ("moe_scale[width=d, experts=vocab]", "no weights that stand `vocab` times"),
    ],
)
def test_refusals(call: str, said: str) -> None:
    model = ogive.load(EXAMPLES[0].parent / "moe.arch").models["Tiny"]
    with pytest.raises(ogive.ArchError, match=said):
        model.analyze(call)


def test_orthogonal_steps_have_the_spectral_norm_that_is_told() -> None:
    """‖ΔW‖ = η √(out / in) by the exact singular vectors."""
    model = ogive.load(EXAMPLES[0].parent / "gpt2.arch").models["Tiny"]
    found: Any = model.analyze("muon[width=d, base=8]")
    net = model.torch(dtype="f64")
    ids = torch.randint(0, 60, (2, 8))
    torch.autograd.backward(net(ids).square().sum())
    norms = {row.path: row.fields["step_norm"] for row in found.rows if row.fields["family"] == "muon"}
    assert len(norms) == found.totals["matrices"] == 4
    for path, norm in norms.items():
        w = net.get_parameter(path.replace("*", "0"))
        assert w.grad is not None
        u, _, v = torch.linalg.svd(w.grad, full_matrices=False)
        step = 0.02 * norm * u @ v
        assert float(torch.linalg.matrix_norm(step, 2)) == pytest.approx(0.02 * sqrt(w.shape[0] / w.shape[1]), rel=1e-9)
    muon = found.parameter_groups(net.named_parameters(), 0.02, "muon")
    adam = found.parameter_groups(net.named_parameters(), 0.02, "adam")
    held = [sum(len(group["params"]) for group in groups) for groups in (muon, adam)]
    assert held[0] == 8  # two layers
    assert sum(held) == len(list(net.parameters()))


def test_experts_inside_of_blocks_and_loops_have_rows() -> None:
    """Every learned weight has one, wherever it stands."""
    loop = "    repeat 2 as h:\n        x = x + (x |> Linear[d, d] as mix)\n"
    text = EXPERTS.replace("{hidden}", "hidden")
    for line in ("    x = x + (x |> MoE", "    return x |> Linear[d, hidden]"):
        text = text.replace(line, loop + line)
    model = ogive.source(text).models["M"]
    found: Any = model.analyze("moe_scale[width=d, base=8]")
    assert {row.path for row in found.rows} == {info.path for info in weights(model.ir)}
