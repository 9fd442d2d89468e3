"""The playground of a built site: `python docs/site/playground.py OUT`, after `build.py OUT`; this alone fetches.

Beside its page it puts Python for WebAssembly (npm), three packages of pure Python that the checker asks for where its
own proofs do not decide (PyPI), and the sources of Ogive. What is fetched is kept in a folder outside the repository,
`OGIVE_PLAYGROUND` or one of the user's cache, and is nothing unless its hash is the one below.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYODIDE = "0.29.5"  # Python 3.13; the sources ask for 3.11 or newer
ARCHIVE = (f"pyodide-{PYODIDE}.tgz", "6749b10ee515a1458ecea36d860c8ce2a48366e85b3f92d749ad1840e4aff181")
PARTS = ("pyodide.js", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
WHEELS = {  # by what is imported: the version, as in constraints.txt, and the hash of its wheel
    "mpmath": ("1.3.0", "a0b2b9fe80bbcd81a6647ff13108738cfb482d481d826cc0e02f5b35e5c88d2c"),
    "networkx": ("3.6.1", "d47fbf302e7d9cbbb9e2555a0d267983d2aa476bac30e90dfbe5669bd57f3762"),
    "sympy": ("1.14.0", "e091cc3e99d2141a0ba2847328f5479b05d94a6635cb96148ccb3f34671bd8f5"),
}
# what a program in a browser cannot reach: commands, servers, notebooks, what reads modules of others
LEFT_OUT = ("cli", "lsp", "notebook", "backends/from_onnx", "backends/from_torch", "__pycache__")
KINDS = (".py", ".arch", ".json", ".md")
TIME = (1980, 1, 1, 0, 0, 0)  # of every file in the archive: the same sources give the same bytes


def wheel(name: str) -> str:
    """The file of a package."""
    return f"{name}-{WHEELS[name][0]}-py3-none-any.whl"


def fetched(cache: Path) -> None:
    """Fetch what is not there yet, by the clients of the registries. Raises `CalledProcessError` without network."""
    cache.mkdir(parents=True, exist_ok=True)
    if not _is(cache / ARCHIVE[0], ARCHIVE[1]):
        command = ["npm", "pack", "--silent", f"pyodide@{PYODIDE}", "--pack-destination", str(cache)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    if not all(_is(cache / wheel(name), digest) for name, (_, digest) in WHEELS.items()):
        wanted = cache / "requirements.txt"
        lines = [f"{name}=={version} --hash=sha256:{digest}\n" for name, (version, digest) in WHEELS.items()]
        wanted.write_text("".join(lines), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:",
                   "--require-hashes", "-r", str(wanted), "-d", str(cache)]  # fmt: skip
        subprocess.run(command, check=True)
    for name, digest in [ARCHIVE, *((wheel(name), digest) for name, (_, digest) in WHEELS.items())]:
        if not _is(cache / name, digest):
            raise SystemExit(f"{cache / name} is not what it was: its SHA-256 is not {digest}")


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


def sources() -> Iterator[tuple[str, Path]]:
    """The files of the package that the playground needs, by their names in it."""
    package = ROOT / "src" / "ogive"
    tops = {folder: ROOT / folder for folder in ("grammar", "compiler", "backends", "stdlib", "examples")}
    tops |= {path.name: path for path in package.iterdir() if path.is_dir() and path.name not in tops}
    files = [(f"ogive/{path.name}", path) for path in package.iterdir() if path.is_file()]
    for top, folder in tops.items():
        files += [(f"ogive/{top}/{path.relative_to(folder).as_posix()}", path) for path in folder.rglob("*")]
    for name, path in sorted(files):
        inside = name.removeprefix("ogive/")
        left_out = any(f"{inside}/".startswith(f"{each}/") or f"/{each}/" in inside for each in LEFT_OUT)
        if path.is_file() and path.suffix in KINDS and not left_out:
            yield name, path


def packed(out: Path) -> None:
    """The sources as an archive."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sources():
            archive.writestr(zipfile.ZipInfo(name, TIME), path.read_bytes(), zipfile.ZIP_DEFLATED)


def vendored(site: Path, cache: Path) -> None:
    """Put everything beside the page of a built site."""
    place = site / "docs" / "playground" / "vendor"
    if not place.parent.is_dir():
        raise SystemExit(f"{site} is no built site: run docs/site/build.py first")
    fetched(cache)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    with tarfile.open(cache / ARCHIVE[0]) as archive:
        for name in PARTS:
            part = archive.extractfile(f"package/{name}")
            assert part is not None, name
            (place / name).write_bytes(part.read())
    for name in WHEELS:
        shutil.copy(cache / wheel(name), place / wheel(name))
    packed(place / "ogive.zip")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python docs/site/playground.py OUT")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    vendored(Path(sys.argv[1]), Path(os.environ.get("OGIVE_PLAYGROUND") or home / "ogive-playground"))
