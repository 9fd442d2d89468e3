"""What may be written: no output is an input, nothing is replaced that cannot be made again, all files or none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ogive
from ogive.backends.diagram.diagram import FORMATS
from ogive.backends.onnx_model.serialize import write as writing
from ogive.cli import cli
from ogive.grammar.diagnostics import ArchError
from ogive.outputs import same_file
from ogive.stamp import intact

SOURCE = """
use std.nn (Linear, BatchNorm)

block Net[d](x: [b, d]) -> [b, d]:
    return x |> Linear[d, d] as lin |> BatchNorm as norm

block Twice(x: [b]) -> [b]:
    return 2 * x

model Small = Net[3]
model Large = Net[4]
"""
ONNX = ("m.onnx", "m.onnx.data")


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(arg) for arg in args], prog_name="ogive", catch_exceptions=False)


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a program and its trained weights."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.arch").write_text(SOURCE)
    (tmp_path / "map.toml").write_text("")
    model = ogive.load(tmp_path / "net.arch").models["Small"]
    model.save_weights(tmp_path / "trained.safetensors", model.torch())
    return tmp_path


# each command with weights, and the files that it writes
COMMANDS: dict[str, tuple[Callable[[str], tuple[str, ...]], tuple[str, ...]]] = {
    "build": (lambda out: ("build", "net.arch:Small", "-o", f"{out}.py", "--weights", "W", "--map", "map.toml"),
              (".py", ".safetensors")),
    "onnx": (lambda out: ("build", "net.arch:Small", "-o", f"{out}.onnx", "--weights", "W", "--map", "map.toml"),
             (".onnx",)),
    "deploy": (lambda out: ("deploy", "net.arch:Small", "-o", f"{out}.py", "--weights", "W", "--map", "map.toml"),
               (".py", ".safetensors")),
    "draw": (lambda out: ("draw", "net.arch:Small", "-o", f"{out}.svg"), (".svg",)),
    "diff": (lambda out: ("diff", "net.arch:Small", "net.arch:Large", "-o", f"{out}.svg"), (".svg",)),
    "analyze": (lambda out: ("analyze", "net.arch:Small", "cost", "-o", f"{out}.html"), (".html",)),
}  # fmt: skip
WAYS = ("link", "chain", "hard link")


def named(way: str, made: Path, read: Path) -> None:
    """Another name for a file."""
    if way == "hard link":
        os.link(read, made)
        return
    if way == "chain":
        made.with_suffix(".1").symlink_to(read.name)
        read = made.with_suffix(".1")
    made.symlink_to(read.name)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(("command", "suffix"), [(c, s) for c, (_, suffixes) in COMMANDS.items() for s in suffixes])
def test_no_output_is_an_input(command: str, suffix: str, force: bool, way: str, desk: Path) -> None:
    args = [arg.replace("W", "trained.safetensors") for arg in COMMANDS[command][0]("out")]
    for read in ("net.arch", "trained.safetensors", "map.toml"):
        if read in (arg.partition(":")[0] for arg in args):
            made = desk / f"out{suffix}"
            named(way, made, desk / read)
            before = contents(desk)
            result = run(*args, *(["--force"] if force else []))
            assert result.exit_code == 1, result.output
            assert "E0824" in result.output
            assert f"`{read}`" in result.output
            assert contents(desk) == before
            made.unlink()
            made.with_suffix(".1").unlink(missing_ok=True)


@pytest.mark.parametrize("name", ["trained", "./trained", "sub/../trained", "TRAINED", "Trained"])
@pytest.mark.parametrize("command", ["build", "deploy"])
def test_other_spellings_are_the_same_file(command: str, name: str, desk: Path) -> None:
    (desk / "sub").mkdir()
    before = contents(desk)
    args = [arg.replace("W", "trained.safetensors") for arg in COMMANDS[command][0](name)]
    for more in ([], ["--force"]):
        result = run(*args, *more)
        assert (result.exit_code, "E0824" in result.output) == (1, True), result.output
        assert contents(desk) == before


@given(st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=8))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_names_that_some_system_takes_for_one_are_one(tmp_path: Path, name: str) -> None:
    assert same_file(tmp_path / name.casefold(), tmp_path / name) or name.casefold() in (".", "..")
    assert not same_file(tmp_path / name, tmp_path / f"{name}2")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_same_command_replaces_what_it_wrote(command: str, desk: Path) -> None:
    args = [arg.replace("W", "trained.safetensors") for arg in COMMANDS[command][0]("out")]
    first = run(*args)
    assert "wrote out" in first.output, first.output
    before = contents(desk)
    assert run(*args).output == first.output
    assert contents(desk) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_files_of_others_stay(command: str, desk: Path) -> None:
    """Each output alone is enough to refuse all; with `--force` all are written."""
    make, suffixes = COMMANDS[command]
    args = [arg.replace("W", "trained.safetensors") for arg in make("out")]
    for suffix in suffixes:
        (desk / f"out{suffix}").write_text("mine")
        before = contents(desk)
        result = run(*args)
        assert result.exit_code == 1, result.output
        assert "E0825" in result.output
        assert f"`out{suffix}`" in result.output
        assert contents(desk) == before
        (desk / f"out{suffix}").unlink()
    for suffix in suffixes:
        (desk / f"out{suffix}").write_text("mine")
    run(*args, "--force")
    assert all((desk / f"out{suffix}").read_bytes() != b"mine" for suffix in suffixes)
    assert "wrote" in run(*args).output


TRAINED = ("--weights", "trained.safetensors")
SMALL, SMALL_ = ("build", "net.arch:Small", "-o", "a.onnx"), ("build", "net.arch:Small", "-o", "a.py", *TRAINED)
LARGE_ = ("build", "net.arch:Large", "-o", "a.py", "--weights", "large.safetensors")


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (("build", "net.arch:Small", "-o", "a.py", *TRAINED), ("deploy", "net.arch:Small", "-o", "a.py", *TRAINED),
         "by another command: build --weights"),
        (LARGE_, SMALL_, "of another model: Large"),
        (("build", "net.arch:Net", "-D", "d=3", "-o", "a.py", *TRAINED), SMALL_, "of another model: Net"),
        (SMALL_, (*SMALL_, "--recipe", "fold"), "after other passes"),
        ((*SMALL, *TRAINED), SMALL, "by another command"),
        (SMALL, ("build", "other.arch:Small", "-o", "a.onnx"), "from another source: net.arch"),
    ],
)  # fmt: skip
def test_weights_of_something_else_stay(first: tuple[str, ...], second: tuple[str, ...], said: str, desk: Path) -> None:
    (desk / "other.arch").write_text(SOURCE + "\n# another\n")
    large = ogive.load("net.arch").models["Large"]
    large.save_weights("large.safetensors", large.torch())
    assert run(*first).exit_code == 0
    before = contents(desk)
    result = run(*second)
    assert result.exit_code == 1
    assert said in result.output
    assert contents(desk) == before
    assert run(*second, "--force").exit_code == 0


def test_weights_of_an_earlier_text_stay(desk: Path) -> None:
    """The message names no other file where it is the same one, as it was before an edit."""
    (desk / "net.arch").write_text(SOURCE + "\n# edited\n")
    model = ogive.load("net.arch").models["Small"]
    with pytest.raises(ArchError, match=r"from an earlier text of net\.arch"):
        model.save_weights("trained.safetensors", model.torch())


def test_a_text_that_was_edited_stays(desk: Path) -> None:
    for out in ("a.py", *(f"a.{format}" for format in FORMATS)):
        args = ("build", "net.arch:Small", "-o", out) if out == "a.py" else ("draw", "net.arch:Small", "-o", out)
        assert run(*args).exit_code == 0
        data = (desk / out).read_bytes()
        assert intact(data)
        assert intact(data.replace(b"\n", b"\r\n")) or out.endswith(("png", "pdf"))  # as git may check it out
        (desk / out).write_bytes(data.replace(b"0", b"1", 1) if b"0" in data else data + b" ")
        result = run(*args)
        assert result.exit_code == 1, out
        assert "E0825" in result.output
        assert run(*args, "--force").exit_code == 0


def test_a_path_says_nothing_and_appears_nowhere(desk: Path) -> None:
    """The same bytes whatever path the file was named by, in every format."""
    other = desk / "deep" / "folder"
    other.mkdir(parents=True)
    shutil.copy(desk / "net.arch", other / "net.arch")
    (desk / "alias.arch").symlink_to("net.arch")
    targets = ["net.arch", "./net.arch", str(desk / "net.arch"), str(other / "net.arch"), "alias.arch"]
    for out in ("py", *FORMATS):
        made = set()
        for number, target in enumerate(targets):
            args = ["build"] if out == "py" else ["draw", "--depth", "1"]
            assert run(*args, f"{target}:Small", "-o", f"{number}.{out}").exit_code == 0
            made.add((desk / f"{number}.{out}").read_bytes())
        assert len(made) == 1, out
        assert str(desk).encode() not in made.pop(), out


@pytest.mark.parametrize("name", ["\udcff", "a\nb", "x --> %%}", "é", "&<>\"'", " "])
def test_any_name_of_a_file_can_stand_in_a_head(name: str, desk: Path) -> None:
    shutil.copy("net.arch", f"{name}.arch")
    for out in ("py", *FORMATS):
        args = ["build" if out == "py" else "draw", f"./{name}.arch:Small", "-o", f"x.{out}"]
        assert "wrote" in run(*args).output
        assert "wrote" in run(*args).output
        assert intact(Path(f"x.{out}").read_bytes())
    ElementTree.parse("x.svg")
    compile(Path("x.py").read_text(), "x.py", "exec")


def test_the_head_tells_the_origin(desk: Path) -> None:
    run("build", "net.arch:Net", "-D", "d=5", "-o", "a.py", "--recipe", "fold")
    head = (desk / "a.py").read_text()[:400]
    for part in (ogive.__version__, "net.arch", "Net[d=5]", "fold", "sha256 "):
        assert part in head
    assert ogive.load("net.arch").models["Small"].torch_source().encode() == _built(desk)


def _built(desk: Path) -> bytes:
    run("build", "net.arch:Small", "-o", "b.py")
    return (desk / "b.py").read_bytes()


def test_heavy_weights_of_others_stay(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file beside an ONNX model counts: it is ours if the model beside it says so, and its size fits."""
    monkeypatch.setattr(writing, "HEAVY", 0)
    monkeypatch.setattr(writing, "LIGHT", 0)
    model = ogive.load("net.arch").models["Small"]
    Path("m.onnx.data").write_text("mine")
    with pytest.raises(ArchError, match="E0825") as caught:
        model.onnx("m.onnx")
    assert "m.onnx.data" in str(caught.value)
    assert not Path("m.onnx").exists()
    assert Path("m.onnx.data").read_text() == "mine"
    Path("m.onnx.data").unlink()
    assert tuple(map(str, model.onnx("m.onnx"))) == ONNX
    model.onnx("m.onnx")
    with Path("m.onnx.data").open("ab") as file:
        file.write(b"more")
    with pytest.raises(ArchError, match="E0825"):
        model.onnx("m.onnx")
    model.onnx("m.onnx", force=True)
    model.save_weights("w.safetensors", model.torch())
    Path("m.onnx.data").unlink()
    Path("m.onnx.data").symlink_to("w.safetensors")
    with pytest.raises(ArchError, match="E0824"):
        model.onnx("m.onnx", "w.safetensors", force=True)


def test_from_python_too(desk: Path) -> None:
    program = ogive.load("net.arch")
    small, large = program.models["Small"], program.models["Large"]
    small.save_weights("a.safetensors", small.torch())
    small.save_weights("a.safetensors", small.torch())  # as a loop of training does
    with pytest.raises(ArchError, match="of another model"):
        large.save_weights("a.safetensors", large.torch())
    for model in (small, large, small.deploy("fold")):  # what ONNX files are made of is kept elsewhere
        model.onnx("a.onnx")
    large.save_weights("a.safetensors", large.torch(), force=True)
    with pytest.raises(ArchError, match="E0824"):
        small.save_weights("net.arch", small.torch(), force=True)
    with pytest.raises(ArchError, match="E0824"):
        small.save_weights("map.toml", small.torch(), "map.toml", force=True)
    with pytest.raises(ArchError, match="E0824"):
        small.onnx("trained.safetensors", "trained.safetensors", force=True)
    with pytest.raises(ArchError, match="E0824"):
        small.onnx("trained.safetensors", "trained.safetensors", recipe="fold", force=True)
    for made in (small.diagram(), program["Twice"].diagram(), small.deploy("fold").conversion_diagram()):
        made.save("a.svg")
        made.save("a.svg")
    Path("b.svg").write_text("<svg/>")
    with pytest.raises(ArchError, match="E0825"):
        small.diagram().save("b.svg")
    small.diagram().save("b.svg", force=True)
    Path("c.svg").symlink_to("net.arch")
    with pytest.raises(ArchError, match="E0824"):
        small.diagram().save("c.svg", force=True)
    assert Path("net.arch").read_text() == SOURCE


def test_the_modules_of_extern_blocks_are_inputs(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(desk))
    Path("mine.py").write_text("class Mix: ...\n")
    text = 'extern block Mix(x: [b]) -> [b] = "mine:Mix"\nblock N(x: [b]) -> [b]:\n    return Mix(x)\nmodel M = N\n'
    Path("e.arch").write_text(text)
    result = run("build", "e.arch:M", "-o", "mine.py", "--allow-extern", "--force")
    assert (result.exit_code, "E0824" in result.output) == (1, True), result.output
    assert Path("mine.py").read_text() == "class Mix: ...\n"


def test_what_is_no_file_stays(desk: Path) -> None:
    (desk / "null.svg").symlink_to("/dev/null")
    (desk / "round.svg").symlink_to("round.svg")
    (desk / "folder.svg").mkdir()
    (desk / "nowhere.svg").symlink_to("none/x.svg")
    small = ogive.load("net.arch").models["Small"]
    for name in ("null", "round", "folder", "nowhere"):
        for force in (False, True):
            with pytest.raises(ArchError, match="E0825"):
                small.diagram().save(f"{name}.svg", force=force)
        assert run("draw", "net.arch:Small", "-o", f"{name}.svg").exit_code in (0, 1, 2)
    (desk / "none").mkdir()
    small.diagram().save("nowhere.svg")  # through the link
    assert intact((desk / "none" / "x.svg").read_bytes())
    assert (desk / "nowhere.svg").is_symlink()


def test_a_folder_of_drawings_is_written_whole(desk: Path) -> None:
    names = ("f'", "f_", "F_")
    text = "\n".join(f"block {name}(x: [b]) -> [b]:\n    return {i} * x\n" for i, name in enumerate(names, 2))
    (desk / "p.arch").write_text(text)
    assert run("draw", "p.arch", "-o", "out").exit_code == 0
    assert len({name.casefold() for name in os.listdir("out")}) == 3
    (desk / "out" / "F__3.svg").write_text("mine")
    before = contents(desk)
    assert run("draw", "p.arch", "-o", "out").exit_code == 1
    assert contents(desk) == before


def test_new_writes_over_nothing(desk: Path) -> None:
    for name in ("a", "A"):
        assert run("new", name).exit_code == (0 if name == "a" else 2)
    Path("link.arch").symlink_to("gone")
    assert run("new", "link").exit_code != 0
    assert not Path("gone").exists()


def test_mending_keeps_what_came_meanwhile(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = "block F(x: [b]) -> [b]:\n    return select(True, x, x)\n"
    Path("bad.arch").write_text(bad)
    os.link("bad.arch", "twin.arch")
    result = run("check", "--fix", "bad.arch")
    assert result.exit_code == 1
    assert "hard links" in result.output
    Path("twin.arch").unlink()
    monkeypatch.setattr("ogive.cli.fix.mend", _slow)
    result = run("check", "--fix", "bad.arch")
    assert "changed meanwhile" in result.output
    assert Path("bad.arch").read_text() == "# another editor\n"


def _slow(text: str, check: object, contracts: bool) -> object:
    """Mending, while an editor saves."""
    from types import SimpleNamespace

    Path("bad.arch").write_text("# another editor\n")
    return SimpleNamespace(count=1, text=text)
