"""`ogive show`: weights, shapes, parameters and operations of a model."""

from __future__ import annotations

import click

from ogive.api import Model
from ogive.cli.common import EXTERN, once, progress, setting, size_number, split_target, targets
from ogive.cli.target import model_of, sizes_for
from ogive.refusals import WrongArgument


@click.command()
@click.argument("target", metavar="FILE[:NAME]", shell_complete=targets)
@click.argument("more", nargs=-1, metavar="")
@click.option("-D", "statics", multiple=True, metavar="NAME=VALUE", help="A static, where NAME is a block.")
@click.option("-s", "sizes", multiple=True, metavar="SIZE=NUMBER ...", help="Sizes of inputs, for the operation count.")
@EXTERN
def command(
    target: str, more: tuple[str, ...], statics: tuple[str, ...], sizes: tuple[str, ...], allow_extern: bool
) -> None:
    """Show the weights of a model by path, with shapes and parameters, and the operations it runs.

    \b
    Examples:
      ogive show gpt2.arch:GPT2
      ogive show gpt2.arch                   every model of the file
      ogive show gpt2.arch:GPT2 -s b=1 n=1024
      ogive show gpt2.arch:MLP -D d=768      a block, with its statics
    """
    path, name = split_target(target)
    numbers = once(map(size_number, sizes + more))
    with progress(f"Reading {target}"):
        models = model_of(path, name, once(map(setting, statics)), allow_extern)
        text = "\n".join(_shown(model, sizes_for(model, path, numbers)) for model in models)
    click.echo(text, nl=False)


def _shown(model: Model, sizes: dict[str, int]) -> str:
    try:
        return model.summary(**sizes)
    except WrongArgument as error:
        raise click.UsageError(error.diagnostics[0].message) from None
