"""Modules of PyTorch become programs that compute the same, and read as if written by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import ogive
from importing import networks
from ogive.cli import cli
from ogive.grammar.formatter import format_text

WORDS = torch.randint(0, 23, (2, 5))
IMAGES = torch.randn(2, 3, 8, 12)
TOKENS = torch.randn(2, 5, 16)
CASES: dict[str, tuple[type[nn.Module], tuple[Any, ...], dict[str, list[str | int | None]]]] = {
    "a perceptron": (networks.Perceptron, (TOKENS,), {"x": ["b", "n", 16]}),
    "a convolutional network": (networks.Convolutional, (IMAGES,), {"x": ["b", 3, "h", "w"]}),
    "layers that read all before them": (networks.Dense, (torch.randn(2, 8, 8, 12),), {"x": ["b", 8, "h", "w"]}),
    "inverted bottlenecks": (networks.Mobile, (torch.randn(2, 3, 16, 24),), {"x": ["b", 3, "h", "w"]}),
    "a decoder": (networks.Decoder, (WORDS,), {"ids": ["b", "n"]}),
    "attention of torch": (networks.Spoken, (torch.randn(2, 5, 8),), {"x": ["b", "n", 8]}),
    "branches": (networks.Branches, (torch.randn(3, 8), torch.rand(3, 8) > 0.5), {"x": ["b", 8], "mask": ["b", 8]}),
}


def invoked(args: list[str]) -> Result:
    return CliRunner().invoke(cli, args, catch_exceptions=False)


def imported(case: str) -> ogive.Imported:
    kind, args, sizes = CASES[case]
    torch.manual_seed(0)
    return ogive.from_torch(kind().eval(), args, sizes=sizes)


@pytest.mark.parametrize("case", CASES)
def test_an_import_is_its_source(case: str) -> None:
    torch.set_num_threads(1)
    kind, args, sizes = CASES[case]
    torch.manual_seed(0)
    module = kind().eval()
    state = torch.random.get_rng_state()
    found = ogive.from_torch(module, args, sizes=sizes)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert found.verified is not None
    assert len(found.verified.sizes) >= 3
    assert found.verified.gradients == len(list(module.parameters()))
    assert found.verified.narrower == []
    assert set(found.model.sizes) == {axis for axes in sizes.values() for axis in axes if isinstance(axis, str)}
    assert found.report["fixed"] == []
    assert not [each for each in found.program.diagnostics if each.severity != "hint"]
    assert format_text(found.text) == found.text
    # no name of the tracer, no block twice
    assert not re.search(r"\b(?:add|mul|view|linear|conv2d|getitem|slice|p_\w+)_?\d+\b", found.text)
    bodies = re.findall(r"^block \w+(.*?)(?=^block|^model|\Z)", found.text, re.MULTILINE | re.DOTALL)
    assert len(set(bodies)) == len(bodies)


@pytest.mark.parametrize("case", CASES)
def test_weights_go_both_ways(case: str, tmp_path: Path) -> None:
    kind, args, sizes = CASES[case]
    torch.manual_seed(0)
    module = kind().eval()
    found = ogive.from_torch(module, args, sizes=sizes, verify=False)
    files = found.save(tmp_path / "net.arch")
    program = ogive.load(files[0])
    assert program.models["Net"].weights == found.model.weights
    net = program.models["Net"].torch().eval()
    net.load_state_dict(program.models["Net"].load_weights(tmp_path / "net.safetensors"))
    expected = module(*args)
    got = net(*args)
    for mine, theirs in zip(
        got if isinstance(got, tuple) else (got,), expected if isinstance(expected, tuple) else (expected,), strict=True
    ):
        torch.testing.assert_close(mine, theirs)
    theirs = program.models["Net"].unload_weights(net, tmp_path / "net.map.toml")
    fresh = kind()
    known = {name: each for name, each in fresh.state_dict().items() if name == "places"}  # the program computes them
    fresh.load_state_dict({**known, **{name: torch.as_tensor(each) for name, each in theirs.items()}}, strict=True)
    assert all(torch.equal(each, module.state_dict()[name]) for name, each in fresh.state_dict().items())
    with pytest.raises(ogive.ArchError, match="is there already"):
        found.save(tmp_path / "net.arch")


def test_equal_layers_are_one_loop_and_blocks_have_statics() -> None:
    text = imported("a perceptron").text
    assert "repeat[depth, Residual[d, ...]] as layers" in text
    assert "block Residual[d](x: [b, n, d]) -> [b, n, d]:" in text
    assert "Linear[d, 4*d] as up |> gelu |> Linear[4*d, d] as down" in text
    text = imported("a convolutional network").text
    assert len(re.findall(r"^block Unit", text, re.MULTILINE)) == 2
    assert "BatchNorm[" in text
    text = imported("a decoder").text
    assert "attention[causal=true](q, k, v)" in text
    assert "wte.weight" in text


def test_layers_that_read_all_before_them_are_a_loop_over_what_grows() -> None:
    text = imported("layers that read all before them").text
    assert "    for i in range(depth) as layer:\n        x = concat[1](x, x |> DenseLayer[c + i * 4] as layer)" in text
    assert len(re.findall(r"^block", text, re.MULTILINE)) == 3


def test_blocks_of_the_library_are_found_and_settings_that_differ_are_statics() -> None:
    text = imported("inverted bottlenecks").text
    assert re.findall(r"^block (\w+)", text, re.MULTILINE) == ["Inverted", "Inverted2", "Mobile"]
    assert "block Inverted[c, cout, stride, c2](x: [b, c, h, w]) -> [b, cout, h', w']" in text
    assert "SqueezeExcite[4*c, width=c2, act=silu] as block_2" in text
    assert "repeat[depth, Inverted2[2*c, c, ...]] as stages_1" in text


def test_models_of_transformers() -> None:
    """Masks and places that sizes alone tell, ties, rotary positions, norms under names of their own."""
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    small = {"vocab_size": 37, "use_cache": False, "bos_token_id": 0, "eos_token_id": 0}
    words = (torch.randint(0, 37, (2, 5)),)
    gpt2 = GPT2LMHeadModel(GPT2Config(n_positions=24, n_embd=16, n_layer=2, n_head=2, **small)).eval()
    found = ogive.from_torch(gpt2, words, sizes={"input_ids": ["b", "n"]})
    assert "attention[causal=true](" in found.text
    assert "repeat[depth, GPT2Block[d, heads, ...]] as h" in found.text
    llama = LlamaForCausalLM(
        LlamaConfig(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
                    num_key_value_heads=2, **small)
    ).eval()  # fmt: skip
    found = ogive.from_torch(llama, words, sizes={"input_ids": ["b", "n"]})
    assert "RMSNorm[d] as input_layernorm" in found.text
    assert found.verified is not None
    assert found.verified.gradients == len(list(llama.parameters()))


def _layers(draw: st.DrawFn) -> list[nn.Module]:
    width = draw(st.sampled_from([8, 12, 16]))
    layers: list[nn.Module] = []
    for _ in range(draw(st.integers(1, 5))):
        after = draw(st.sampled_from([8, 12, 16]))
        kind = draw(st.sampled_from(["linear", "norm", "act", "residual", "drop", "residual"]))
        if kind == "linear":
            layers.append(nn.Linear(width, after, bias=draw(st.booleans())))
            width = after
        elif kind == "norm":
            layers.append(nn.LayerNorm(width, eps=draw(st.sampled_from([1e-5, 1e-6]))))
        elif kind == "act":
            layers.append(
                draw(st.sampled_from([nn.ReLU(), nn.GELU(), nn.SiLU(), nn.Hardtanh(), nn.Softplus(), nn.Tanh()]))
            )
        elif kind == "drop":
            layers.append(nn.Dropout(0.25))
        else:
            layers.append(networks.Residual(width, draw(st.sampled_from([2, 4]))))
    return layers


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.composite(_layers)())
def test_any_sequence_of_layers(layers: list[nn.Module]) -> None:
    width = next((m.in_features for m in layers if isinstance(m, nn.Linear)), None)
    width = next((m.norm.normalized_shape[0] if isinstance(m, networks.Residual) else m.normalized_shape[0]
                  if isinstance(m, nn.LayerNorm) else m.in_features for m in layers
                  if isinstance(m, networks.Residual | nn.LayerNorm | nn.Linear)), width or 8)  # fmt: skip
    module = nn.Sequential(*layers).eval()
    found = ogive.from_torch(module, (torch.randn(2, 3, width),), sizes={"input": ["b", "n", width]})
    assert found.verified is not None


def test_what_has_no_operation_is_refused_with_its_place() -> None:
    with pytest.raises(ogive.ArchError, match="bessel") as refused:
        ogive.from_torch(networks.Untold(), (torch.randn(2, 4),), sizes={"x": ["b", 4]})
    assert refused.value.diagnostics[0].code == "E0840"
    with pytest.raises(ogive.ArchError, match=r"torch\.export refuses"):
        ogive.from_torch(networks.Moody(), (torch.randn(2, 4),), sizes={"x": ["b", 4]})


def test_what_is_written_into_a_tensor_is_read() -> None:
    found = ogive.from_torch(networks.Written(False), (torch.randn(2, 4),), sizes={"x": ["b", 4]})
    assert "* 2" in found.text


def test_a_program_that_computes_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from ogive.backends.from_torch.ops_table import TABLE, unary

    monkeypatch.setitem(TABLE, "gelu", unary("silu"))
    monkeypatch.setitem(
        __import__("ogive.backends.from_torch.ops_layers", fromlist=["x"]).OPERATIONS, "gelu", unary("silu")
    )
    with pytest.raises(ogive.ArchError, match="not what its source is"):
        imported("a perceptron")


FILE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.lin = nn.Linear(width, 4)
    def forward(self, x):
        return torch.relu(self.lin(x))
"""


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(FILE)
    run = ["import", "./net.py:Net", "--arg", "width=6", "-i", "x=f32[b=2,6]", "-o", "net.arch"]
    result = invoked(run)
    assert result.exit_code == 0, result.output
    assert "compared: outputs and 2 gradients at 3 choices of sizes" in result.output
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "net.arch", "net.map.toml", "net.py", "net.report.json", "net.safetensors"]  # fmt: skip
    assert json.loads(Path("net.report.json").read_text())["signature"] == "(x: [b, 6]) -> [b, 4]"
    again = invoked(run)
    assert again.exit_code == 1
    assert "is there already" in again.output
    Path("bad.py").write_text("def net():\n    raise ValueError('none today')\n")
    failed = invoked(["import", "./bad.py:net", "-i", "x=f32[b=2]", "-o", "bad.arch"])
    assert failed.exit_code == 2
    assert "`net` fails: ValueError: none today" in failed.output
    assert "bad.py:2" in failed.output.replace("\n", "")
    Path("bad.py").unlink()
    result = invoked([*run, "--force", "--no-verify"])
    assert result.exit_code == 0, result.output
    assert "nothing was compared" in result.output


def test_a_new_program_from_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("given.py").write_text(FILE)
    run = ["new", "first_net", "--from-torch", "./given.py:Net", "-i", "x=f32[b=2,8]"]
    result = invoked(run)
    assert result.exit_code == 0, result.output
    assert Path("first_net.arch").read_text().rstrip().splitlines()[-1].startswith("model FirstNet = ")
    assert Path("first_net.safetensors").exists()
    assert invoked(run).exit_code == 1
    assert invoked(["new", "--from-torch", "./given.py:Net"]).exit_code == 2
    assert invoked(["new", "other", "-i", "x=f32[b=2,8]"]).exit_code == 2


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([".", "-o", "a.arch"], "weights alone"),
        (["net", "-o", "a.arch"], "neither package.module:factory"),
        (["./no.py:Net", "-o", "a.arch"], "there is no file"),
        (["no.such:Net", "-o", "a.arch"], "is not imported"),
        (["math:sqrt", "-o", "a.arch"], "is not made so"),
        (["math:pi2", "-o", "a.arch"], "has no `pi2`"),
        (["math:sqrt", "-i", "x=f16[b]", "-o", "a.arch"], "is no input"),
        (["math:sqrt", "-i", "x=f32[b=1]", "-o", "a.arch"], "is no axis"),
        (["math:sqrt", "--arg", "k=open('x')", "-o", "a.arch"], "is not KEY=LITERAL"),
        (["math:sqrt", "-o", "a.txt"], "ends in .arch"),
    ],
)
def test_wrong_use_is_said(args: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoked(["import", *args])
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert list(tmp_path.iterdir()) == []
