"""`mup`: roles, the three equivalent forms, groups of parameters, the coordinate check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn

import ogive
from ogive.cli import cli
from ogive.compiler.passes.scaling.report import MupResult
from sampled import sampled

EXAMPLES = Path(__file__).parents[2] / "examples"
TEXT = (
    "use std.nn (Linear)\n"
    "block Net[d](x: [b, 5]) -> [b, 3]:\n"
    "    return x |> Linear[5, d] as a |> tanh |> Linear[d, d] as h |> tanh |> Linear[d, 3, bias=false] as out\n"
    "model M = Net[d=64]\n"
)


def scaled(model: ogive.Model, options: str) -> MupResult:
    found = model.analyze(f"mup[{options}]")
    assert isinstance(found, MupResult)
    return found


def fields(found: MupResult, name: str) -> dict[str, Any]:
    return {row.path: row.fields[name] for row in found.rows}


def test_roles_and_the_table_of_the_package() -> None:
    model = ogive.source(TEXT).models["M"]
    found = scaled(model, "width=d, base=16")
    assert fields(found, "role") == {
        "a.weight": "input", "a.bias": "vector", "h.weight": "hidden", "h.bias": "vector", "out.weight": "output",
    }  # fmt: skip
    assert fields(found, "multiplier")["out.weight"] == 1 / 4
    assert fields(found, "lr_factor") == {
        "a.weight": 1, "a.bias": 1, "h.weight": 1 / 4, "h.bias": 1, "out.weight": 1,
    }  # fmt: skip
    sgd = scaled(model, "width=d, base=16, optimizer=sgd")
    assert fields(sgd, "lr_factor") == {"a.weight": 4, "a.bias": 4, "h.weight": 1, "h.bias": 4, "out.weight": 4}
    at_base = 1 / (3 * 16) ** 0.5  # torch's own start of a layer of 16 inputs
    assert fields(found, "init_std")["h.weight"] == pytest.approx(at_base / 2, rel=1e-4)
    assert fields(found, "init_std")["out.weight"] == pytest.approx(at_base, rel=1e-4)


def test_tied_embeddings_are_multiplied_where_they_read_out() -> None:
    model = ogive.load(EXAMPLES / "gpt2.arch").models["Tiny"]
    found = scaled(model, "width=d, base=8")
    (tied,) = [row for row in found.rows if row.path == "wte.weight"]
    assert (tied.fields["role"], tied.fields["multiplier"], tied.fields["lr_factor"]) == ("input", 0.5, 1)
    (logits,) = [row for row in found.rows if row.fields["role"] == "logits"]  # heads stay, their depth grows
    assert logits.fields["multiplier"] == pytest.approx(0.5**0.5)
    with_heads = scaled(model, "width=d, base=8, grow=[heads]")
    assert all(row.fields["role"] != "logits" for row in with_heads.rows)
    with pytest.raises(ogive.ArchError, match="is tied"):
        scaled(model, "width=d, base=8, table=3")


def trajectory(model: ogive.Model, table: int, optimizer: str) -> list[float]:
    """Losses of 20 steps; all forms start from the same draws."""
    options = f"width=d, base=16, optimizer={optimizer}, table={table}"
    found, deployed = scaled(model, options), model.deploy(f"mup[{options}]")
    module = deployed.torch(dtype="f64")
    with torch.no_grad():
        for number, (name, parameter) in enumerate(sorted(module.named_parameters())):
            draws = torch.randn(parameter.shape, dtype=torch.double, generator=torch.Generator().manual_seed(number))
            parameter.copy_(draws * fields(found, "init_std")[name])
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(6, 5, dtype=torch.double, generator=generator)
    y = torch.randn(6, 3, dtype=torch.double, generator=generator)
    groups = found.parameter_groups(module.named_parameters(), 0.05 if optimizer == "sgd" else 0.01)
    made: torch.optim.Optimizer = (
        torch.optim.SGD(groups) if optimizer == "sgd" else torch.optim.Adam(groups, eps=1e-300)
    )
    losses = []
    for _ in range(20):
        made.zero_grad()
        loss = nn.functional.mse_loss(module(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        made.step()
        losses.append(float(loss.detach()))
    return losses


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_three_forms_train_alike(optimizer: str) -> None:
    model = ogive.source(TEXT).models["M"]
    first, *others = (trajectory(model, table, optimizer) for table in (3, 8, 9))
    assert first[-1] < 0.9 * first[0]
    for other in others:
        assert other == pytest.approx(first, rel=1e-12, abs=1e-12)


def test_at_the_base_width_the_program_is_what_it_was() -> None:
    for name, options in (("gpt2", "width=d, base=16"), ("mlp", "width=width, base=8")):
        model = ogive.load(EXAMPLES / f"{name}.arch").models["Tiny"]
        made = model.deploy(f"mup[{options}]")
        assert made.verify(model.torch()).exact
        assert all(each == 1 for each in fields(scaled(model, options), "lr_factor").values())


def test_groups_hold_every_parameter_once() -> None:
    model = ogive.load(EXAMPLES / "gpt2.arch").models["Tiny"]
    module = model.torch()
    found = scaled(model, "width=d, base=4, optimizer=muon")
    groups = found.parameter_groups(module.named_parameters(), 1e-3, weight_decay=0.1)
    assert sorted(id(p) for group in groups for p in group["params"]) == sorted(map(id, module.parameters()))
    assert all(group["lr"] * group["weight_decay"] == pytest.approx(1e-4) for group in groups)
    matrices = found.parameter_groups(module.named_parameters(), 1e-3, "muon")
    others = found.parameter_groups(module.named_parameters(), 1e-3, "adam")
    assert {p.ndim for group in matrices for p in group["params"]} == {2}
    counts = [sum(len(group["params"]) for group in each) for each in (matrices, others)]
    assert sum(counts) == len(list(module.parameters()))
    with pytest.raises(TypeError, match="`cost` has no groups"):
        model.analyze("cost").parameter_groups(module.named_parameters(), 1.0)
    with pytest.raises(KeyError):
        found.parameter_groups([("other", None)], 1.0)


def test_muon_moves_a_matrix_by_its_spectral_norm() -> None:
    """An orthogonalized step of a matrix [out, in], times its factor, has a norm that goes as √(out / in)."""
    text = TEXT.replace("Linear[d, d] as h", "Linear[d, 4 * d] as h").replace("Linear[d, 3", "Linear[4 * d, 3")
    found = scaled(ogive.source(text).models["M"], "width=d, base=16, optimizer=muon")
    assert fields(found, "lr_factor")["h.weight"] == 1  # both sides have grown alike
    assert fields(found, "family") == {
        "a.weight": "adam", "a.bias": "adam", "h.weight": "muon", "h.bias": "adam", "out.weight": "adam",
    }  # fmt: skip


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_coordinate_check_holds_where_the_standard_form_fails(optimizer: str) -> None:
    text = (
        TEXT.replace("tanh", "relu")
        .replace("5", "16")
        .replace("3, bias=false", "16")
        .replace("-> [b, 3]", "-> [b, 16]")
    )
    model = ogive.source(text).models["M"]
    found = model.analyze(
        f"coordinate_check[width=d, base=64, optimizer={optimizer}, widths=[64, 128, 256]]", sizes={"b": 32}
    )
    assert [row.path for row in found.rows] == ["a", "h", "out"]
    largest, standard = found.totals["largest_slope"], found.totals["largest_slope_standard"]
    assert isinstance(largest, float)
    assert isinstance(standard, float)
    assert largest < 0.1
    assert standard > 0.5
    assert found.warnings == ()
    assert all(isinstance(row.fields["update"], float) and row.fields["update"] > 0 for row in found.rows)


def test_the_command_checks_coordinates(tmp_path: Path) -> None:
    (tmp_path / "net.arch").write_text(TEXT)
    target = f"{tmp_path / 'net.arch'}:M"
    args = ["analyze", target, "mup[width=d, base=16]", "--coordinate-check", "16,32", "--steps", "1", "--seeds", "1"]
    found = CliRunner().invoke(cli, args)
    assert (found.exit_code, "slope standard" in found.output) == (0, True), found.output
    for names, widths, said in (
        ("cost", "16,32", "goes with `mup"),
        ("mup[width=d]", "16,x", "takes widths as"),
        ("mup[width=d]", "16", "two widths"),
    ):
        refused = CliRunner().invoke(cli, ["analyze", target, names, "--coordinate-check", widths])
        assert refused.exit_code in (1, 2)
        assert said in refused.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "needs the static that grows"),
        ("width=e", "has no static `e` to grow; M has d"),
        ("width=d, base=0", "a width from 1 on"),
        ("width=d, optimizer=adan", "one of adam, sgd, muon"),
        ("width=d, table=4", "one of 3, 8, 9"),
        ("width=d, base=16, grow=[f]", "has no static `f`"),
    ],
)
def test_options_that_make_no_sense(options: str, said: str) -> None:
    with pytest.raises(ogive.ArchError, match=said):
        scaled(ogive.source(TEXT).models["M"], options)


@pytest.mark.parametrize("path", sampled(sorted(EXAMPLES.glob("*.arch"))), ids=lambda path: path.stem)
def test_every_example_with_a_width_has_an_answer(path: Path) -> None:
    model = ogive.load(path).models["Tiny"]
    for unknown, number in model.ir.bindings:
        if unknown.name in ("d", "width") and number % 2 == 0:
            found = scaled(model, f"width={unknown.name}, base={number}")
            assert found.text()
            assert all(each in (1, None) for each in fields(found, "lr_factor").values())
