"""`ogive show`: weights, shapes, parameters and operations of a model."""

from __future__ import annotations

import click

from ogive.cli.common import refuse, setting, split_target
from ogive.cli.target import model_of
from ogive.grammar.diagnostics import ArchError


@click.command()
@click.argument("target", metavar="FILE[:NAME]")
@click.option("-D", "statics", multiple=True, metavar="NAME=VALUE", help="A static, where NAME is a block.")
def command(target: str, statics: tuple[str, ...]) -> None:
    """Show the weights of a model by path, with shapes and parameters, and the operations it runs.

    \b
    Examples:
      ogive show gpt2.arch:GPT2
      ogive show gpt2.arch                   every model of the file
      ogive show gpt2.arch:MLP -D d=768      a block, with its statics
    """
    path, name = split_target(target)
    try:
        models = model_of(path, name, dict(map(setting, statics)))
        click.echo("\n".join(model.summary() for model in models), nl=False)
    except ArchError as error:
        refuse(error)
