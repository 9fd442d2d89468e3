"""The command line: output, JSON, exit status, and any bytes as input."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ogive
from ogive.cli import COMMANDS, cli
from ogive.cli.common import setting
from ogive.codes import sections, successors

EXAMPLES = Path(__file__).parents[1] / "examples"
GPT2 = str(EXAMPLES / "gpt2.arch")
BAD = "block F(x: [b, n]) -> [b, n]:\n    return missing(x)\n"


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(arg) for arg in args], prog_name="ogive", catch_exceptions=False)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.arch"
    path.write_text(BAD)
    return path


def test_check_shows_signatures_with_conditions() -> None:
    result = run("check", GPT2)
    assert result.exit_code == 0, result.output
    assert "block Attention (x: [*b, n, d]) -> [*b, n, d]\n      where d % heads == 0\n" in result.output
    assert "model GPT2 (ids: int[b, n]) -> [b, n, 50257]  # 124,439,808 parameters" in result.output
    assert "\x1b" not in result.output


def test_check_shows_errors_and_leaves_with_1(bad: Path) -> None:
    result = run("check", bad, GPT2)
    assert result.exit_code == 1
    assert "error[E0201]" in result.output
    assert f"{bad}:2:12" in result.output
    assert "model GPT2 " in result.output
    assert "2 files checked: 1 error\n" in result.output


def test_json_has_the_documented_form(bad: Path) -> None:
    result = run("check", "--json", bad, GPT2)
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report.keys() == {"schema", "ogive", "diagnostics", "blocks", "models"}
    (found,) = [found for found in report["diagnostics"] if found["severity"] == "error"]
    assert found.keys() == {
        "code", "severity", "message", "file", "line", "column", "end_line", "end_column", "help",
        "note", "labels", "notes", "counterexamples", "edits",
    }  # fmt: skip
    place = (found["code"], found["file"], found["line"], found["column"], found["end_line"], found["end_column"])
    assert place == ("E0201", str(bad), 2, 12, 2, 19)
    (gpt2,) = [model for model in report["models"] if model["name"] == "GPT2"]
    line = next(n for n, text in enumerate(Path(GPT2).read_text().splitlines(), 1) if text.startswith("model GPT2 "))
    assert gpt2 == {
        "name": "GPT2", "signature": "(ids: int[b, n]) -> [b, n, 50257]", "conditions": ["n <= 1024"],
        "file": str(GPT2), "line": line, "column": 7, "end_line": line, "end_column": 11, "parameters": 124439808,
    }  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_end_in_diagnostics(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.arch"
    path.write_bytes(data)
    result = run("check", "--json", path)
    errors = [found for found in json.loads(result.stdout)["diagnostics"] if found["severity"] == "error"]
    assert result.exit_code == (1 if errors else 0)
    run("check", path)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_any_damage_to_a_program_ends_in_diagnostics(tmp_path: Path, data: st.DataObject) -> None:
    text = Path(GPT2).read_text()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    path = tmp_path / "damaged.arch"
    path.write_text(text[:start] + data.draw(st.text("()[]{}|>:,=*\n\t #\"'axd0?", max_size=4)) + text[end:])
    assert run("check", path).exit_code in (0, 1)


def test_limits_have_flags() -> None:
    assert "E0701" in run("check", GPT2, "--operations", "3").output
    assert "E0701" in run("check", GPT2, "--nesting", "1").output
    assert run("check", GPT2, "--nesting", "512").exit_code == 0


def test_bytes_that_are_not_text_are_placed(tmp_path: Path) -> None:
    path = tmp_path / "latin.arch"
    path.write_bytes(b"# gr\xfc\xdfe\nconst a = 1\n")
    result = run("check", "--json", path)
    (found,) = json.loads(result.stdout)["diagnostics"]
    assert (found["code"], found["line"], found["column"]) == ("E0101", 1, 5)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["check"], "Missing argument"),
        (["check", "nothing.arch"], "does not exist"),
        (["check", "--nesting", "0", GPT2], "not in the range"),
        (["check", "--jsn", GPT2], "No such option"),
        (["show", "nothing.arch:GPT2"], "there is no file"),
        (["show", f"{GPT2}:GPT9"], "no model or block `GPT9`"),
        (["show", GPT2, "-D", "d=3"], "-D needs the name of a block"),
        (["show", f"{GPT2}:GPT2", "-D", "d=3"], "all its statics are given"),
        (["show", f"{GPT2}:MLP", "-D", "d"], "is not NAME=VALUE"),
        (["build", f"{GPT2}:Tiny", "-o", "x.py", "--verify"], "are for OUT.onnx"),
        (["build", f"{GPT2}:Tiny", "-o", "x.txt"], "expected OUT.py"),
        (["build", GPT2, "-o", "x.onnx"], "name one: "),
        (["build", f"{GPT2}:Tiny", "-o", "none/x.py"], "there is no folder"),
        (["build", f"{GPT2}:Tiny", "-o", "x.py", "--map", GPT2], "give one with --weights"),
        (["explain", "E9999"], "nothing here is called `E9999`"),
        (["new", "a b"], "is no name"),
        (["nothing"], "No such command"),
    ],
)
def test_mistakes_of_use_leave_with_2(args: list[str], said: str) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert said in result.output


def test_help_lists_what_works_and_teaches_it() -> None:
    listed = set(re.findall(r"(?m)^  (\w+) ", run("--help").output.split("Commands:")[1]))
    assert listed == set(COMMANDS)
    for name in COMMANDS:
        assert f"ogive {name}" in run(name, "--help").output.split("Examples:")[1]


def test_show_counts_parameters() -> None:
    result = run("show", f"{GPT2}:GPT2")
    assert result.exit_code == 0, result.output
    assert re.search(r"h\.\{0\.\.11\}\.attn\.c_attn\.weight +\[2304, 768\] +21,233,664\n", result.output)
    assert "124,439,808 parameters" in result.output
    shown = run("show", f"{GPT2}:MLP", "-D", "d=10")
    assert "850 parameters" in shown.output


def test_build_writes_a_module(tmp_path: Path) -> None:
    out = tmp_path / "tiny.py"
    result = run("build", f"{GPT2}:Tiny", "-o", out)
    assert result.exit_code == 0, result.output
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.py"]
    code = "import torch, tiny; print(tuple(tiny.Tiny()(torch.zeros(1, 3, dtype=torch.long)).shape))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "(1, 3, 64)\n"


def test_build_without_a_name_writes_all_models(tmp_path: Path) -> None:
    out = tmp_path / "models.py"
    assert run("build", GPT2, "-o", out).exit_code == 0
    text = out.read_text()
    names = list(ogive.load(GPT2).models)
    assert all(f"def {name}() -> GPT:" in text for name in names)
    assert all(f"{name}[vocab=" in text.replace("\n# ", " ") for name in names)
    assert text.count("class Attention") == 1
    assert run("build", GPT2, "-o", out).exit_code == 0  # ours, and not changed


def test_build_converts_weights_or_writes_nothing(tmp_path: Path) -> None:
    model = ogive.load(GPT2).models["Tiny"]
    net = model.torch()
    checkpoint, out = tmp_path / "theirs.safetensors", tmp_path / "tiny.py"
    model.save_weights(checkpoint, net, EXAMPLES / "gpt2.map.toml")
    refused = run("build", f"{GPT2}:Tiny", "-o", out, "--weights", checkpoint)
    assert refused.exit_code == 1
    assert "`transformer.wte.weight`" in refused.output
    assert not out.exists()
    result = run("build", f"{GPT2}:Tiny", "-o", out, "--weights", checkpoint, "--map", EXAMPLES / "gpt2.map.toml")
    assert result.exit_code == 0, result.output
    converted = model.load_weights(tmp_path / "tiny.safetensors")
    assert all(torch.equal(converted[name], tensor) for name, tensor in net.state_dict().items())


def test_build_of_a_file_with_errors(bad: Path, tmp_path: Path) -> None:
    result = run("build", f"{bad}:F", "-o", tmp_path / "x.py")
    assert result.exit_code == 1
    assert "error[E0201]" in result.output


def test_explain_every_code() -> None:
    codes = re.findall(r"(?m)^([EWH]\d{4})  \S", run("explain").output)
    assert len(codes) > 30
    assert all(run("explain", code).output.startswith(f"{code}: ") for code in codes)


def test_explain_names_the_successors_of_a_code_that_was_split() -> None:
    known, split = sections(), successors()
    assert {"E0404", "E0702"} <= split.keys()
    for code, later in split.items():
        assert code in known
        assert code not in later
        said = run("explain", code).output
        assert all(f"  {each}  {known[each].title}" in said for each in later)
        assert f"{code} was split: {', '.join((code, *later))}" in run("explain").output


@pytest.mark.parametrize("name", ["mlp", "my_net", "Layer", "x"])
def test_new_checks_and_never_overwrites(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("new", name).exit_code == 0
    result = run("check", f"{name}.arch")
    assert result.exit_code == 0, result.output
    assert "no errors" in result.output
    assert run("show", f"{name}.arch").exit_code == 0
    assert run("new", name).exit_code == 2


@given(st.one_of(st.integers(), st.booleans(), st.lists(st.integers(1, 99)), st.floats(allow_nan=False)))
def test_settings_are_read_back(value: object) -> None:
    assert setting(f"d={json.dumps(value)}") == ("d", value)


def test_settings_are_else_text() -> None:
    assert setting("act=relu") == ("act", "relu")
    assert setting("text=a=b") == ("text", "a=b")


def test_check_says_that_it_takes_whole_files(tmp_path: Path) -> None:
    (tmp_path / "m.arch").write_text("block Net[d](x: [b, d]) -> [b, d]:\n    param w: [d]\n    return x * w\n")
    result = CliRunner().invoke(cli, ["check", f"{tmp_path / 'm.arch'}:Net"])
    assert result.exit_code == 2
    assert f"whole files: `{tmp_path / 'm.arch'}`" in result.output
    for command in ("show", "build"):
        out = ["-o", str(tmp_path / "m.py")] if command == "build" else []
        result = CliRunner().invoke(cli, [command, f"{tmp_path / 'm.arch'}:Net", *out])
        assert result.exit_code == 1
        assert "-D NAME=VALUE" in result.output
        result = CliRunner().invoke(cli, [command, f"{tmp_path / 'm.arch'}:Nett", *out])
        assert "did you mean `Net`?" in result.output


@pytest.mark.parametrize("command", ["check", "fmt"])
def test_a_folder_is_the_files_below_it(command: str, tmp_path: Path) -> None:
    for name in ("b.arch", "a.arch", "deep/c.arch", ".hidden/d.arch", "deep/.e.arch", "deep/note.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("block F(x: [b])->[b]:\n    return x\n")
    (tmp_path / "deep" / "loop").symlink_to(tmp_path, target_is_directory=True)
    done = CliRunner().invoke(cli, [command, str(tmp_path), str(tmp_path / "b.arch")])
    assert done.exit_code == 0, done.output
    places = [done.output.index(str(tmp_path / name)) for name in ("a.arch", "b.arch", "deep/c.arch")]
    assert places == sorted(places)
    assert "3 file" in done.output or "3 formatted" in done.output
    empty = tmp_path / "deep" / "none"
    empty.mkdir()
    assert "no *.arch files in" in CliRunner().invoke(cli, [command, str(empty)]).output


@pytest.mark.parametrize(
    ("static", "code", "said"),
    [("d=foo", "E0404", "given as `foo`; one that fits: `d=64`"), ("d=0", "E0404", "one that fits"),
     ("dd=3", "E0403", "did you mean `d`?"), ("dd=3", "E0403", "the signature is MLP[d]")],
)  # fmt: skip
def test_a_static_that_does_not_fit_is_answered_by_one_that_does(static: str, code: str, said: str) -> None:
    result = CliRunner().invoke(cli, ["show", str(EXAMPLES / "gpt2.arch:MLP"), "-D", static])
    assert result.exit_code == 1
    assert code in result.output
    assert said in result.output


def test_build_says_which_models_have_other_names(tmp_path: Path) -> None:
    path, out = tmp_path / "net.arch", tmp_path / "net.py"
    text = "block Net(x: [b]) -> [b]:\n    param w: [] = ones\n    return x * w\n"
    path.write_text(text + "".join(f"model {name} = Net\n" for name in ("F", "O", "Tensor", "Mine")))
    done = run("build", path, "-o", out)
    assert [line.split("`")[1::2][:2] for line in done.output.splitlines() if line.startswith("note: ")] == [
        [name, f"{name}_2"] for name in ("F", "O", "Tensor")
    ]
    for name in ("F_2", "O_2", "Tensor_2", "Mine"):
        assert f"def {name}()" in out.read_text()
