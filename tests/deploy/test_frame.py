"""The frame of passes: by name from Python, from a recipe, from the command line; refused where they do not exist."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

import ogive
from deploy.folding import randomized
from ogive.cli import cli
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ir.weights import weights
from ogive.compiler.ir_tools.verify import verify
from ogive.compiler.passes.conversion.graph import Conversion
from ogive.compiler.passes.conversion.looks import SnapshotBasis, Span
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.passes.pipelines.calls import PassCall, calls_of
from ogive.compiler.passes.pipelines.registry import PASSES, run
from ogive.grammar.diagnostics import ArchError

TEXT = """use std.nn (BatchNorm, Linear)
use std.vision (Conv)

block Net(x: [b, 3, h, w]) -> [b, 5]
where h > 3, w > 3:
    y = x |> Conv[3, 4, 3, pad=1] as conv |> BatchNorm as bn |> max_pool[2]
    return y |> reduce["b c h w -> b c", mean] |> Linear[4, 5] as head

model M = Net[]

recipe deploy for M: poset_pool[order="a<{b,c}<d"], specialize[b=1], fold
"""


def test_passes_compose_and_the_verifier_agrees_with_each() -> None:
    model = check_text(TEXT).models["M"].ir
    found = run(model, calls_of('simplify, poset_pool[order="#7", scale=0.5], specialize[b=2, h=8], fold'), verify)
    assert len(found.steps) == 4
    assert [note.path for note in found.notes if note.done][-1] == "conv.weight"
    assert found.model.definition.graph.inputs[0].type.sizes[0].number == 2


def test_a_recipe_is_a_model_again() -> None:
    program = ogive.source(TEXT)
    assert program.recipes["deploy"].passes[-1] == PassCall("fold")
    model = program.deploy("deploy")
    net = program.models["M"].torch().eval()
    assert list(model.weights) == ["conv.weight", "conv.bias", "head.weight", "head.bias"]
    assert model.convert(net)["conv.weight"].shape == (4, 3, 3, 3)
    assert "batch_norm" in model.report()
    assert "conv.weight := " in str(model.conversion)


def test_verify_compares_in_both_precisions() -> None:
    model = ogive.source(TEXT).models["M"]
    net = randomized(model.torch()).eval()
    found = model.deploy("fold").verify(net, h=9, w=13)
    assert found.exact
    assert found.relative < 1e-12


def test_a_pack_is_one_axis_where_a_pass_has_fixed_it(tmp_path: Path) -> None:
    text = "use std.nn (Linear)\n\nblock Net(x: [*b, 6]) -> [*b, 3]:\n    return Linear[6, 3](x)\n\nmodel M = Net\n"
    deployed = ogive.source(text).models["M"].deploy("specialize[b=2]")
    deployed.onnx(tmp_path / "m.onnx", weights=deployed.torch().state_dict())
    (x,) = onnx.load(tmp_path / "m.onnx").graph.input
    assert [each.dim_value for each in x.type.tensor_type.shape.dim] == [2, 6]


@pytest.mark.parametrize(
    "text", ["nothing", "fold[x=1]", "fold(3)", "fold[3]", "specialize[q=1]", "specialize[h=2]", "simplify[a=1]"]
)
def test_what_is_no_pass_is_a_diagnostic(text: str) -> None:
    with pytest.raises(ArchError) as caught:
        ogive.source(TEXT).models["M"].deploy(text)
    assert {diagnostic.code for diagnostic in caught.value.diagnostics} <= {"E0810", "E0811"}


def test_recipes_are_checked_with_their_file() -> None:
    text = TEXT + "\nrecipe a for M: fold[x=1], nothing\n\nrecipe b for Other: fold\n"
    found = check_text(text).diagnostics
    assert [diagnostic.code for diagnostic in found if diagnostic.severity == "error"] == ["E0810", "E0810", "E0201"]


NEEDY = {"drop_layers": "at`, `layers", "distil": "at", "interpolate": "other", "reduce_order": "k"}


class Rising:
    """Weights that rise along every axis; all that is asked on data lies between -1 and 1."""

    def __init__(self, conversion: Conversion) -> None:
        self.shapes = {info.path: info.shape for info in weights(conversion.result)}

    def sums(self, what: str, path: str, axis: int) -> list[list[float]]:
        return [list(map(float, range(1, self.shapes[path][axis] + 1)))]

    def distances(self, path: str, axis: int) -> list[list[list[float]]]:
        count = self.shapes[path][axis]
        return [[[0.0] * count for _ in range(count)]]

    def numbers(self, path: str) -> list[float]:
        return [float(at) for at in range(self.shapes[path][0])]

    def others(self, file: str) -> dict[str, tuple[float, ...]]:
        return {}

    def spans(self, probed: Conversion, names: Sequence[str]) -> dict[str, list[Span]]:
        return {name: [(-1.0, 1.0)] for name in names}

    def snapshots(self, probed: Conversion, groups: Sequence[tuple[Sequence[int], int]]) -> list[SnapshotBasis]:
        return []


def test_every_pass_has_options_with_defaults() -> None:
    model = check_text(TEXT).models["M"].ir
    for name in PASSES.keys() - {
        "expert_average",
        "merge_experts",
        "mup",
        "subspace",
        "deepen",
        "derive",
        "to_operator",
        *NEEDY,
    }:
        assert run(model, [PassCall(name)], weighed=Rising).model.name == "M"
    for name, option in NEEDY.items():
        with pytest.raises(PassError, match=f"`{name}` needs `{option}`"):
            run(model, [PassCall(name)], weighed=Rising)
    for name in ("expert_average", "merge_experts"):
        with pytest.raises(PassError, match=r"no (block|experts)"):
            run(model, [PassCall(name)])
    with pytest.raises(PassError, match="needs the static that grows"):
        run(model, [PassCall("mup")])
    with pytest.raises(PassError, match="no choices"):
        run(model, [PassCall("derive")], weighed=Rising)
    with pytest.raises(PassError, match="no activated layer"):
        run(model, [PassCall("deepen")])
    with pytest.raises(PassError, match="`subspace` needs `d`"):
        run(model, [PassCall("subspace")])


@pytest.mark.parametrize(("text", "help"), [("flod", "fold"), ("fold[grwo=true]", "grow")])
def test_a_slip_of_the_pen_gets_the_name_that_was_meant(text: str, help: str) -> None:
    with pytest.raises(ArchError, match=f"did you mean `{help}`"):
        ogive.source(TEXT).models["M"].deploy(text)


def test_weights_that_a_train_recipe_made_are_deployed(tmp_path: Path) -> None:
    weights, out = tmp_path / "w.safetensors", tmp_path / "out.py"
    example = Path(__file__).parents[2] / "examples" / "ewa_vit.arch"
    program = ogive.load(example)
    net = program.deploy("train").fresh()
    save_file(dict(net.state_dict()), weights)
    arguments = [str(example), "--trained", "train", "--recipe", "deploy", "--weights", str(weights), "-o", str(out)]
    done = CliRunner().invoke(cli, ["deploy", *arguments, "-s", "h=8", "-s", "w=8"])
    assert done.exit_code == 0, done.output
    assert "randperm" not in out.read_text()
    wrong = CliRunner().invoke(cli, ["deploy", f"{example}:Tiny", "--trained", "train"])
    assert wrong.exit_code == 2
    assert "is for Digits, not for Tiny" in wrong.output


def test_what_is_meant_to_compute_something_else_is_trained_first(tmp_path: Path) -> None:
    weights, out = tmp_path / "w.safetensors", tmp_path / "out.py"
    example = Path(__file__).parents[2] / "examples" / "poset_cnn.arch"
    save_file(dict(ogive.load(example).deploy("posets").fresh().state_dict()), weights)
    arguments = ["deploy", str(example), "--weights", str(weights), "-o", str(out)]
    refused = CliRunner().invoke(cli, [*arguments, "--recipe", "posets"])
    assert refused.exit_code == 1
    assert "as `poset_pool` means it to" in refused.output
    assert "--trained" in refused.output
    assert not out.exists()
    done = CliRunner().invoke(cli, [*arguments, "--trained", "posets", "--recipe", "deploy"])
    assert done.exit_code == 0, done.output
    assert "batch_norm" not in out.read_text().lower().replace("batchnorm", "batch_norm")


def test_the_command_writes_model_and_weights(tmp_path: Path) -> None:
    source, weights, out = tmp_path / "net.arch", tmp_path / "w.safetensors", tmp_path / "out.py"
    source.write_text(TEXT)
    net = ogive.load(source).models["M"].torch()
    save_file(dict(net.state_dict()), weights)
    done = CliRunner().invoke(
        cli, ["deploy", f"{source}:M", "--weights", str(weights), "-o", str(out), "--report", "--conversion"]
    )
    assert done.exit_code == 0, done.output
    assert "conv, batch_norm became conv" in done.output
    names: dict[str, object] = {"__name__": "out"}
    exec(compile(out.read_text(), str(out), "exec"), names)
    made = names["M"]()  # type: ignore[operator]
    made.load_state_dict(load_file(tmp_path / "out.safetensors"))
    x = torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(made.eval()(x), net.eval()(x), rtol=1e-4, atol=1e-6)


def test_the_command_refuses(tmp_path: Path) -> None:
    source, weights = tmp_path / "net.arch", tmp_path / "w.safetensors"
    source.write_text(TEXT)
    save_file({"conv.weight": torch.zeros(4, 3, 3, 3)}, weights)
    for arguments, status in (
        (["--weights", str(weights)], 1),
        (["--pass", "nothing"], 1),
        (["--recipe", "nothing"], 1),
        (["--recipe", "deploy", "--pass", "fold"], 2),
    ):
        done = CliRunner().invoke(cli, ["deploy", f"{source}:M", *arguments])
        assert done.exit_code == status, done.output
        assert "Traceback" not in done.output
