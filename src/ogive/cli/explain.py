"""`ogive explain`: what a code, an operation, a block of the library or a word of another library means."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import click

from ogive.codes import sections, successors


@click.command()
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """Explain NAME: a code, an operation, a block of the library, a name of PyTorch. Without one, list what there is.

    \b
    Examples:
      ogive explain E0301
      ogive explain conv
      ogive explain std.nn.Linear
      ogive explain torch.cat
      ogive explain
    """
    if name is None:
        _list()
        return
    from ogive.reference.lookup import explained, near

    asked = name.strip().strip("`[]()")
    found = explained(asked)
    if found is None:
        close = " or ".join(f"`{each}`" for each in near(asked))
        hint = f"did you mean {close}?" if close else "`ogive explain` lists what there is"
        raise click.UsageError(f"nothing here is called `{name}`; {hint}")
    click.echo(found)


def _list() -> None:
    from ogive.compiler.elaborate.rules.builtins import BUILTINS
    from ogive.compiler.elaborate.rules.forms import FORMS
    from ogive.compiler.elaborate.state.initializer_table import INITIALIZERS
    from ogive.compiler.ops import TOLD
    from ogive.reference.library import parts
    from ogive.reference.operations import TITLES

    for code, section in sections().items():
        click.echo(f"{code}  {section.title}")
    click.echo()
    for code, codes in successors().items():
        click.echo(f"{code} was split: {', '.join((code, *codes))}")
    click.echo()
    for title, family in zip(TITLES, TOLD, strict=True):
        _words(title, (spec.name for spec in family))
    _words("Forms that take a block", FORMS)
    _words("Functions of compile time", BUILTINS)
    _words("Initializers", INITIALIZERS)
    for part in parts().values():
        _words(f"use {part.name}", (each.name for each in part.entries))


def _words(title: str, names: Iterable[str]) -> None:
    click.echo(title)
    click.echo(textwrap.fill(" ".join(names), 100, initial_indent="  ", subsequent_indent="  "))
