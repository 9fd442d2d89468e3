"""`ogive new`: a first file to work on."""

from __future__ import annotations

import re
from pathlib import Path

import click

from ogive.outputs import same_file

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
@click.argument("name")
def command(name: str) -> None:
    """Write NAME.arch, a small model that checks and builds.

    \b
    Examples:
      ogive new mlp
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise click.UsageError(f"`{name}` is no name: letters, digits and _, a letter first")
    path = Path(f"{name}.arch")
    there = next((each for each in Path().iterdir() if same_file(each, path)), None)
    if there is not None:
        raise click.UsageError(f"{there} is there already")
    block = "MLP" if name.lower() == "mlp" else "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    text = TEMPLATE.format(name="Net" if block in ("Layer", "Linear", "LayerNorm") else block)
    with path.open("x", encoding="utf-8", newline="\n") as file:  # never over what came meanwhile
        file.write(text)
    click.echo(f"wrote {path}; now: ogive check {path}")
