"""`ogive deploy`: passes over a model, its weights converted and compared, both written."""

from __future__ import annotations

from pathlib import Path

import click

from ogive.api import load
from ogive.backends.weights.whole import write_all
from ogive.cli.common import FILE, progress, refuse, setting, split_target
from ogive.cli.target import one_model_of
from ogive.deployed import DeployedModel
from ogive.grammar.diagnostics import ArchError


@click.command()
@click.argument("target", metavar="FILE:NAME")
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="OUT.py, with OUT.safetensors.")
@click.option("--weights", type=FILE, help="The trained weights: safetensors, under our names.")
@click.option("--map", "map_", type=FILE, help="How the checkpoint names the weights: TOML.")
@click.option("--pass", "passes", multiple=True, metavar="PASS", help="`fold`, `specialize[b=1]`; in this order.")
@click.option("--recipe", metavar="NAME", help="A recipe of the file, instead of --pass.")
@click.option("-D", "statics", multiple=True, metavar="NAME=VALUE", help="A static, where NAME is a block.")
@click.option("--report", is_flag=True, help="List what was folded and what was not, and why.")
@click.option("--conversion", is_flag=True, help="Print how each weight is computed.")
@click.option("-s", "sizes", multiple=True, metavar="h=224", help="Sizes of the inputs on which both are compared.")
def command(
    target: str, out: Path | None, weights: Path | None, map_: Path | None, passes: tuple[str, ...],
    recipe: str | None, statics: tuple[str, ...], report: bool, conversion: bool, sizes: tuple[str, ...],
) -> None:  # fmt: skip
    """Make of a model that trains the one that is used: folded, converted, compared and written.

    Without weights, fresh ones are compared. Without a pass, `fold` runs. Nothing is written where both differ.

    \b
    Examples:
      ogive deploy repvgg.arch:RepVGGA0 --report
      ogive deploy repvgg.arch:RepVGGA0 --weights a0.safetensors -o a0_deployed.py
      ogive deploy repvgg.arch --recipe deploy --weights a0.safetensors -o a0.py
    """
    if recipe is not None and passes:
        raise click.UsageError("--recipe names the passes: leave --pass out")
    if out is not None and out.suffix != ".py":
        raise click.UsageError(f"`{out}`: expected OUT.py")
    if map_ is not None and weights is None:
        raise click.UsageError("--map says how to rename a checkpoint: give one with --weights")
    path, name = split_target(target)
    try:
        with progress(f"Deploying {target}"):
            model = _deployed(path, name, dict(map(setting, statics)), passes, recipe)
            files = _made(model, out, weights, map_, dict(map(setting, sizes)))
            write_all(files)
    except ArchError as error:
        refuse(error)
    if report:
        click.echo(model.report())
    if conversion:
        click.echo(model.conversion)
    if files:
        click.echo("wrote " + " and ".join(map(str, files)))


def _deployed(
    path: Path, name: str | None, statics: dict[str, object], passes: tuple[str, ...], recipe: str | None
) -> DeployedModel:
    if recipe is None:
        return one_model_of(path, name, statics).deploy(*passes)
    program = load(path)
    found = program.recipes.get(recipe)
    if found is None:
        raise click.UsageError(f"{path} has no recipe `{recipe}`; it has {', '.join(program.recipes) or 'none'}")
    if name is not None and name != found.model:
        raise click.UsageError(f"recipe `{recipe}` is for {found.model}, not for {name}")
    return program.deploy(recipe)


def _made(
    model: DeployedModel, out: Path | None, weights: Path | None, map_: Path | None, sizes: dict[str, int]
) -> dict[Path, bytes]:
    # safetensors and torch are an extra
    from ogive.backends.weights.files import dump

    state = model.source.load_weights(weights, map_) if weights is not None else model.source.torch().state_dict()
    difference = model.verify(state, **sizes)
    click.echo(str(difference))
    if not difference.exact:
        raise click.ClickException(f"{model.name}: the result differs from its source; nothing is written")
    if out is None:
        return {}
    files = {out: model.torch_source().encode()}
    if weights is not None:
        files[out.with_suffix(".safetensors")] = dump(model.convert(state))
    return files
