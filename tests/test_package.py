"""What is shipped: every source file, the library and the grammar are in the wheel, and it works elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from setuptools import find_packages

ROOT = Path(__file__).parents[1]
FOLDERS = ("grammar", "compiler", "backends", "stdlib")
LINKED = (*FOLDERS, "examples")
SHIPPED = (".py", ".arch", ".lark", ".json", ".md")


def shipped() -> set[str]:
    """The files of the package, as they stand in the tree."""
    found = {"ogive/py.typed"}
    for path in (ROOT / "src" / "ogive").rglob("*"):
        if path.suffix in SHIPPED and not any(part in path.relative_to(ROOT).parts[2:-1] for part in LINKED):
            found.add(path.relative_to(ROOT / "src").as_posix())
    for folder in FOLDERS:
        found |= {"ogive/" + p.relative_to(ROOT).as_posix() for p in (ROOT / folder).rglob("*") if p.suffix in SHIPPED}
    return found


def tracked() -> list[str]:
    """The files that git holds, as paths from the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [name for name in found.split("\0") if name and (ROOT / name).exists()]


def copy_tracked(tree: Path) -> None:
    """What a clone holds, uncommitted changes included."""
    for name in tracked():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name, follow_symlinks=False)


def test_the_links_show_the_top_level_folders() -> None:
    for folder in LINKED:
        assert (ROOT / "src" / "ogive" / folder).resolve() == ROOT / folder


def test_git_holds_no_links() -> None:
    """So that a clone on Windows, or with `core.symlinks=false`, is the same as any other."""
    assert [name for name in tracked() if (ROOT / name).is_symlink()] == []


def test_the_installation_makes_the_links(tmp_path: Path) -> None:
    copy_tracked(tmp_path)
    place = tmp_path / "src" / "ogive"
    (place / "grammar").write_text("../../grammar")  # as git with core.symlinks=false wrote the links of older versions
    run = [sys.executable, "setup.py", "-q", "links"]
    for _ in range(2):
        subprocess.run(run, cwd=tmp_path, check=True, capture_output=True)
        assert all((place / folder).resolve() == tmp_path / folder for folder in LINKED)
    code = "import ogive; print(ogive.__file__, ogive.load('examples/mlp.arch').models['MNIST'].signature)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "src")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [str(place / "__init__.py"), "(x:", "[*b,", "784])", "->", "[*b,", "10]"]


def test_every_folder_with_sources_is_a_package() -> None:
    packages = set(find_packages(str(ROOT / "src")))
    assert {Path(name).parent.as_posix().replace("/", ".") for name in shipped() if name.endswith(".py")} <= packages


def test_library_and_grammar_are_data_of_a_package() -> None:
    found = shipped()
    assert {"ogive/stdlib/nn.arch", "ogive/grammar/arch.lark", "ogive/codes.md"} <= found
    packages = {name.replace(".", "/") for name in find_packages(str(ROOT / "src"))}
    assert {Path(name).parent.as_posix() for name in found} <= packages


@pytest.mark.slow
def test_a_wheel_made_from_the_sdist_works_elsewhere(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    copy_tracked(tree)
    expected = {"ogive/" + name.removeprefix("src/ogive/") for name in tracked()
                if name.startswith((*(f + "/" for f in FOLDERS), "src/ogive/")) and name.endswith(SHIPPED)}  # fmt: skip
    expected |= {
        f"ogive/{name}"
        for name in tracked()
        if re.fullmatch(r"examples/[^/]*\.(arch|toml)|examples/papers/[^/]*\.arch", name)
    }
    build = "from setuptools.build_meta import *; import sys; print({}(sys.argv[1]))"
    run = {"check": True, "capture_output": True, "text": True}
    subprocess.run([sys.executable, "-c", build.format("build_sdist"), str(tmp_path)], cwd=tree, **run)  # type: ignore[call-overload]
    (sdist,) = tmp_path.glob("*.tar.gz")
    shutil.unpack_archive(sdist, tmp_path / "sdist")
    (unpacked,) = (tmp_path / "sdist").iterdir()
    subprocess.run([sys.executable, "-c", build.format("build_wheel"), str(tmp_path)], cwd=unpacked, **run)  # type: ignore[call-overload]
    (wheel,) = tmp_path.glob("*.whl")
    assert expected <= set(zipfile.ZipFile(wheel).namelist())
    assert {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()} <= {
        "ogive",
        wheel.stem.split("-py3")[0] + ".dist-info",
    }

    home = tmp_path / "venv"
    venv.create(home, with_pip=True)
    pip = [str(home / "bin" / "pip"), "install", "-q", "-c", str(ROOT / "constraints.txt"), str(wheel)]
    subprocess.run(pip, cwd=tmp_path, **run)  # type: ignore[call-overload]
    outside = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    (tmp_path / "work").mkdir()
    ogive = str(home / "bin" / "ogive")
    commands = ("new net", "check net.arch", "show net.arch", "examples", "new --from gpt2", "check gpt2.arch")
    for command in ([ogive, *each.split()] for each in commands):
        subprocess.run(command, cwd=tmp_path / "work", env=outside, **run)  # type: ignore[call-overload]
    bare = subprocess.run(
        [ogive, "build", "net.arch", "-o", "net.py", "--weights", "net.arch"],
        cwd=tmp_path / "work", env=outside, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert bare.returncode == 1
    assert "pip install 'ogive[torch]'" in bare.stdout
    assert not (tmp_path / "work" / "net.py").exists()
    assert {path.name for path in (tmp_path / "work").iterdir()} == {"net.arch", "gpt2.arch", "gpt2.map.toml"}
