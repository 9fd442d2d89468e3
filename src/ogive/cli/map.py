"""`ogive map`: a first map from a checkpoint with other names."""

from __future__ import annotations

from pathlib import Path

import click

from ogive.checkpoints import drafted
from ogive.cli.common import CHECKPOINT, EXTERN, FORCE, WEIGHTS, once, progress, setting, split_target, targets
from ogive.cli.target import one_model_of
from ogive.outputs import OutputFile, paths_in, write


@click.command()
@click.argument("target", metavar="FILE:NAME", shell_complete=targets)
@click.option("--weights", type=WEIGHTS, metavar="PATH", required=True, help=CHECKPOINT)
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="OUT.map.toml; else it is printed.")
@click.option("-D", "statics", multiple=True, metavar="NAME=VALUE", help="A static, where NAME is a block.")
@FORCE
@EXTERN
def command(
    target: str, weights: Path, out: Path | None, statics: tuple[str, ...], force: bool, allow_extern: bool
) -> None:
    """Draft a map for a checkpoint with other names.

    It says which tensor becomes which weight, and works in both directions.

    Names, shapes and order decide. What order alone decides is marked in the draft, what is left over or missing is
    listed, many iterations as one. Look at it, then load with it: `ogive build --weights PATH --map OUT.map.toml`.

    \b
    A line of a map (docs/maps.md has all forms):
      "layers.*" = "model.layers.*"                     all below; elsewhere * is a number
      "blocks.*.fc.*" = "block{*+1}.fc.*"               counted from 1
      "{q,k}.weight" = "{query,key}.weight | transpose" two lines in one
      "qkv.*" = ["q.*", "k.*", "v.*"]                   joined
      "{q,k,v}.*" = "qkv.* | part {0,1,2} of 3"         split

    \b
    Examples:
      ogive map gpt2.arch:GPT2 --weights downloaded/ -o gpt2.map.toml
      ogive map net.arch:Net -D d=768 --weights last.ckpt
    """
    path, name = split_target(target)
    with progress(f"Drafting a map for {target}"):
        model = one_model_of(path, name, once(map(setting, statics)), allow_extern)
        found = drafted(model, weights)
    if out is None:
        click.echo(found.text, nl=False)
        click.echo(found.report, err=True)
        return
    stamp = model.origin.stamp.by("map")
    write(
        {OutputFile(out, stamp): stamp.signed(found.text.encode(), "toml")}, (*model.inputs, *paths_in(weights)), force
    )
    click.echo(f"wrote {out}: {found.report}")
