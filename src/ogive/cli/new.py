"""`ogive new`: a first file to work on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import click

from ogive.backends.weights.whole import write_all
from ogive.grammar.spelling import close
from ogive.outputs import same_file
from ogive.shipped import examples, papers

TEMPLATE = """\
ogive 1
use std.nn (Linear, LayerNorm)

## A residual layer: normalize, widen, narrow.
block Layer[d](x: [*b, d]) -> [*b, d]:
    return x + (x |> LayerNorm |> Linear[d, 4*d] as up |> gelu |> Linear[4*d, d] as down)

## `depth` layers between two linear maps. Brackets are settings, parentheses are tensors.
block {name}[din, d, dout, depth: nat](x: [*b, din]) -> [*b, dout]:
    x = x |> Linear[din, d] as stem
    repeat depth as layers:
        x = x |> Layer
    return x |> LayerNorm as norm |> Linear[d, dout] as head

model {name}1 = {name}[din=32, d=64, dout=10, depth=4]
"""


@click.command()
@click.argument("name", required=False)
@click.option("--from", "example", metavar="EXAMPLE", help="Copy one that comes with Ogive, with its map of weights.")
@click.option("--from-torch", "module", metavar="SOURCE", help="The program of a torch module: as `ogive import`.")
@click.option("-i", "--input", "inputs", multiple=True, metavar="x=f32[b=2,3]", help="An input of the module.")
@click.pass_context
def command(
    context: click.Context, name: str | None, example: str | None, module: str | None, inputs: tuple[str, ...]
) -> None:
    """Write a first model, or copy an example, or take a torch module.

    NAME.arch is a small model that checks and builds; with --from an example goes into the folder NAME, or here; with
    --from-torch it is the program of a module, with its weights beside it.

    A file that is there stays. `ogive examples` lists what comes with Ogive.

    \b
    Examples:
      ogive new mlp
      ogive new --from gpt2
      ogive new --from gpt2 work
      ogive new net --from-torch ./net.py:Net -i "x=f32[b=2,64]"
    """
    if inputs and module is None:
        raise click.UsageError("-i tells the inputs of a module: --from-torch")
    if module is not None:
        if example is not None or name is None or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            raise click.UsageError("--from-torch takes a name, letters, digits and _, and no --from")
        from ogive.cli.bring import command as bring

        title = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
        context.invoke(bring, source=module, inputs=inputs, output=Path(f"{name}.arch"), name=title)
        return
    if example is not None:
        _copy(example, Path(name or "."))
        return
    if name is None or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        said = "give a name" if name is None else f"`{name}` is no name"
        raise click.UsageError(f"{said}: letters, digits and _, a letter first")
    path = Path(f"{name}.arch")
    _refuse_present([path])
    block = "MLP" if name.lower() == "mlp" else "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    text = TEMPLATE.format(name="Net" if block in ("Layer", "Linear", "LayerNorm") else block)
    with path.open("x", encoding="utf-8", newline="\n") as file:  # never over what came meanwhile
        file.write(text)
    click.echo(f"wrote {path}; now: ogive check {path}")


def _copy(example: str, folder: Path) -> None:
    """The files of an example, all or none."""
    known = examples() | papers()
    if example not in known:
        help_ = close(example.removesuffix(".arch"), tuple(known))
        raise click.UsageError(f"there is no example `{example}`; {help_ or '`ogive examples` lists them'}")
    found = known[example]
    files = {folder / path.name: path.read_bytes() for path in (found.path, *found.maps)}
    if folder.exists() and not folder.is_dir():
        raise click.UsageError(f"`{folder}` is no folder")
    _refuse_present(files)
    made = not folder.exists()
    if made:
        folder.mkdir()
    try:
        write_all(files, lambda: _refuse_present(files))
    except BaseException:
        if made:
            folder.rmdir()
        raise
    click.echo(f"wrote {' and '.join(map(str, files))}; now: ogive check {folder / found.path.name}")


def _refuse_present(paths: Iterable[Path]) -> None:
    """What is there stays, also under a name that some system takes for the same."""
    for path in paths:
        folder = path.parent
        there = next((each for each in folder.iterdir() if same_file(each, path)), None) if folder.is_dir() else None
        if there is not None or os.path.lexists(path):
            raise click.UsageError(f"{there or path} is there already")
