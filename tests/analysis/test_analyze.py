"""`Model.analyze` and `ogive analyze`: the form of results, names and options, exit codes, files that are written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator
from safetensors.torch import save_file

import ogive
from ogive.analyses import NAMES
from ogive.cli import cli
from ogive.compiler.analysis.frame.result import AnalysisResult

EXAMPLES = Path(__file__).parents[2] / "examples"
GPT2 = f"{EXAMPLES / 'gpt2.arch'}:Tiny"
SCHEMA = json.loads((files("ogive.compiler.analysis") / "analysis.schema.json").read_text(encoding="utf-8"))
DOCS = Path(__file__).parents[2] / "docs" / "analyses"


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, ["analyze", *args], prog_name="ogive", catch_exceptions=False)


def plain(value: Any) -> Iterator[Any]:
    yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from plain(each)


# what some analyses cannot do without
ASKED = {
    "bounds": 'bounds[eps=0.01, method=ibp, property="y > -1"]',
    "lipschitz": "lipschitz[eps=0.01]",
    "collapse": "collapse",
    "degeneracy": "degeneracy",
    "expansion_score": "expansion_score",
    "guidance": f'guidance[guide="{EXAMPLES / "mlp.arch"}:Tiny"]',
    "prune_regimes": "prune_regimes",
    "inductive_bias": "inductive_bias[target=0.5, samples=4, steps=2, fit=9]",
    "kernel": 'kernel[scale_prior="inv_gamma(2,3)"]',
    "mup": "mup[width=d]",
    "muon": "muon[width=d]",
    "moe_scale": "moe_scale[width=d]",
    "coordinate_check": "coordinate_check[width=d, base=8, widths=[8, 16], steps=1, seeds=1]",
}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ASKED])
@pytest.mark.parametrize("path", ["gpt2", "mamba", "resnet", "fno", "mlp"])
def test_json_is_what_the_schema_says(name: str, path: str) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    model = ogive.load(EXAMPLES / f"{path}.arch").models["Tiny"]
    found = model.analyze(name)
    assert isinstance(found, AnalysisResult)
    for result in (found, found.at(dict.fromkeys(model.ir.definition.sizes, 64))):
        data = json.loads(json.dumps(result.json()))
        Draft202012Validator(SCHEMA).validate(data)
        assert data["analysis"] == name
        assert name != "cost" or data["rows"][0]["file"].endswith(f"{path}.arch")
    assert all(each["value"] is not None for each in plain(data) if isinstance(each, dict) and "expr" in each)


@pytest.mark.parametrize("name", NAMES)
def test_every_analysis_has_a_page_with_its_fields_and_a_line_in_the_help(name: str, tmp_path: Path) -> None:
    page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    numeric = name in ASKED and name not in ("mup", "muon", "moe_scale", "coordinate_check")
    file = "mlp" if numeric else "moe" if name == "moe_scale" else "gpt2"
    model = ogive.load(EXAMPLES / f"{file}.arch").models["Tiny"]
    given: dict[str, Any] = {}
    if numeric:
        target = {} if name == "kernel" else {"target": torch.tensor([0, 1, 2, 0])}
        given = {"data": {"x": torch.randn(4, 4), **target}, "loss": "cross_entropy"}
    asked = ASKED.get(name, name)
    if name == "prune_regimes":
        save_file(model.torch().state_dict(), tmp_path / "other.safetensors")
        asked, given = f'prune_regimes[other="{tmp_path / "other.safetensors"}"]', {**given, "weights": model.torch()}
    result = model.analyze(asked, **given)
    assert isinstance(result, AnalysisResult)
    fields = {*result.totals, *result.options} | {key for row in result.rows for key in row.fields}
    assert {field for field in fields if f"`{field}`" not in page} == set()
    assert f"\n    {name}" in run("--help").output


def test_several_names_give_a_list() -> None:
    result = run(GPT2, "cost, cost[dtype=bf16]", "-s", "b=2", "n=8", "--json")
    assert result.exit_code == 0, result.output
    first, second = json.loads(result.stdout)
    assert (first["options"], second["options"]) == ({"dtype": "f32"}, {"dtype": "bf16"})
    assert first["sizes"] == {"b": 2, "n": 8}


def test_python_and_the_command_say_the_same() -> None:
    found = ogive.load(EXAMPLES / "gpt2.arch").models["Tiny"].analyze("cost", sizes={"b": 2, "n": 8})
    assert isinstance(found, AnalysisResult)
    assert run(GPT2, "cost", "-s", "b=2", "n=8").output == found.text()


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        ((GPT2, "cost"), 0, "matmul flops"),
        ((GPT2, "cots"), 1, "did you mean `cost`?"),
        ((GPT2, "cost[dtpe=f32]"), 1, "did you mean `dtype`?"),
        ((GPT2, "cost[dtype=f3]"), 1, "one of f32, f64, bf16, f16, not `f3`"),
        ((GPT2, "cost[dtype=3]"), 1, "is a name or a text, not 3"),
        ((GPT2, "cost["), 1, "is not a list of analyses"),
        ((GPT2, "cost", "-s", "q=1"), 2, "Tiny has no size q; it has b, n"),
        ((GPT2, "cost", "-s", "d=1"), 2, "a static that has its number: leave it out"),
        ((GPT2, "cost", "-s", "b=-1"), 2, "a size is a whole number"),
        ((GPT2, "cost", "-s", "b=1", "n=1000"), 2, "these sizes break"),
        ((GPT2, "cost", "-o", "a.txt"), 2, "a report ends in .html, .svg, .png"),
        ((GPT2, "features", "-o", "a.svg"), 2, "`features` has no picture"),
        ((GPT2, "features", "-o", "a.png"), 2, "`features` has no numbers to draw"),
        ((GPT2, "cost", "-o", "a.svg"), 2, "a picture needs numbers: give b, n by `-s`"),
        ((GPT2, "cost,cost", "-o", "a.svg", "-s", "b=1", "n=8"), 2, "a picture is of one analysis, not of 2"),
        ((str(EXAMPLES / "gpt2.arch"), "cost"), 2, "has 5 models; name one"),
        ((f"{EXAMPLES / 'mamba.arch'}:Tiny", "cost"), 0, "unknown: `linear_scan` at layers.*.mixer"),
        ((f"{EXAMPLES / 'mamba.arch'}:Tiny", "cost", "--strict"), 1, "unknown: `linear_scan`"),
        ((GPT2, "cost", "--strict"), 0, "matmul flops"),
    ],
)
def test_exit_codes_and_what_is_said(args: tuple[str, ...], status: int, said: str) -> None:
    result = run(*args)
    assert result.exit_code == status, result.output
    assert said in result.output


def test_nobody_takes_another_number_for_a_static_of_a_model(tmp_path: Path) -> None:
    """It would be told of a model that is not the one of that name."""
    text = "use std.nn (Linear)\nblock F[d](x: [b, d]) -> [b, d]:\n    return x |> Linear[d, d]\n\nmodel M = F[d=3]\n"
    model = ogive.source(text).models["M"]
    assert model.sizes == ("b",)
    for ask in (
        lambda: model.analyze("cost", sizes={"d": 4}),
        lambda: model.summary(d=4),
        lambda: model.deploy("specialize[d=4]"),
        lambda: model.onnx(tmp_path / "m.onnx", sizes={"d": 4}),
    ):
        with pytest.raises(ogive.ArchError, match="`d` is 3 in M, a static that has its number"):
            ask()


@pytest.mark.parametrize("ending", ["svg", "html"])
def test_reports_are_written_whole_and_replaced_only_where_they_are_ours(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"cost.{ending}"
    sizes = ("-s", "b=2", "n=8")
    assert run(GPT2, "cost", "-o", str(out), *sizes).output == f"wrote {out}\n"
    text = out.read_text(encoding="utf-8")
    assert "h.*.mlp.c_fc" in text
    assert "<script" not in text
    assert run(GPT2, "cost[dtype=bf16]", "-o", str(out), *sizes).exit_code == 0  # ours, and as it was written
    out.write_text(text.replace("h.*.mlp", "mine"), encoding="utf-8")
    refused = run(GPT2, "cost", "-o", str(out), *sizes)
    assert (refused.exit_code, "E0825" in refused.output) == (1, True)
    assert run(GPT2, "cost", "-o", str(out), *sizes, "--force").exit_code == 0


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("cost", ("gpt2.arch:GPT2", "cost", "-s", "b=1", "n=1024")),
        ("groups", ("vit.arch:Tiny", "groups")),
        ("criticality", ("resnet.arch:Tiny", "criticality")),
        ("bounds", ("resnet.arch:Tiny", "bounds[eps=0.001, method=ibp]", "-s", "b=1", "h=8", "w=8")),
        ("lipschitz", ("mlp.arch:Tiny", "lipschitz[eps=0.1]", "-s", "b=1")),
        ("mup", ("gpt2.arch:GPT2", "mup[width=d, grow=[heads]]")),
        ("similarity", ("resnet.arch:Tiny", "similarity")),
        ("muon", ("gpt2.arch:GPT2", "muon[width=d, base=96]")),
        ("moe_scale", ("moe.arch:Switch", "moe_scale[width=d, base_experts=2]")),
    ],
)
def test_the_picture_of_a_page_is_what_the_command_draws(name: str, args: tuple[str, ...], tmp_path: Path) -> None:
    out = tmp_path / "drawn.svg"
    assert run(f"{EXAMPLES}/{args[0]}", *args[1:], "-o", str(out)).exit_code == 0
    drawn, shown = (
        path.read_text(encoding="utf-8").partition("<metadata>")[0::2] for path in (out, DOCS / f"{name}.svg")
    )
    assert drawn[0] == shown[0]
    assert drawn[1].partition("</metadata>")[2] == shown[1].partition("</metadata>")[2]


def test_curves_are_drawn_and_are_the_same_each_time(tmp_path: Path) -> None:
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    for out in (first, second):
        assert run(GPT2, "criticality", "-o", str(out)).exit_code == 0
    assert first.read_bytes() == second.read_bytes()
    assert run(GPT2, "criticality", "-o", str(first)).exit_code == 0  # ours, as it was written


def test_a_module_of_the_users_is_unknown() -> None:
    text = (
        'extern block Mine[d](x: [*b, d]) -> [*b, d] = "torch.nn:Identity"\n\n'
        "block Net(x: [b, 4]) -> [b, 4]:\n    return relu(x |> Mine[4])\n\nmodel M = Net\n"
    )
    found = ogive.source(text, allow_extern=True).models["M"].analyze("cost")
    assert isinstance(found, AnalysisResult)
    (one,) = found.unknown
    assert one.reason == "a module of the user's: torch.nn:Identity"


def test_a_list_of_names_gives_a_list_and_a_text_of_two_is_refused() -> None:
    model = ogive.load(EXAMPLES / "mlp.arch").models["Tiny"]
    found = model.analyze(["cost[dtype=bf16]", "groups", "criticality"])
    assert [each.analysis for each in found] == ["cost", "groups", "criticality"]
    assert model.analyze([]) == []
    with pytest.raises(ogive.ArchError, match="names 2 analyses: ask for one at a time, or give a list"):
        model.analyze("cost, groups")


def test_what_an_analysis_is_given_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_text("no tensors")
    result = run(GPT2, "criticality", "--data", str(tmp_path / "x.safetensors"))
    assert (result.exit_code, "is no file of safetensors" in result.output) == (2, True)
    with pytest.raises(ogive.ArchError, match="a loss is cross_entropy or mse, not `mes`"):
        ogive.load(EXAMPLES / "mlp.arch").models["Tiny"].analyze("criticality", loss="mes")
