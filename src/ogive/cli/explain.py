"""`ogive explain`: what a code of a diagnostic means, with an example."""

from __future__ import annotations

import click

from ogive.codes import sections, successors


@click.command()
@click.argument("code", required=False)
def command(code: str | None) -> None:
    """Explain the CODE of a diagnostic with an example; without one, list all codes.

    \b
    Examples:
      ogive explain E0301
      ogive explain
    """
    found, later = sections(), successors()
    if code is None:
        for name, section in found.items():
            click.echo(f"{name}  {section.title}")
        click.echo()
        for name, codes in later.items():
            click.echo(f"{name} was split: {', '.join((name, *codes))}")
        return
    name = code.upper().strip("`[]")
    if name not in found:
        raise click.UsageError(f"no diagnostic has the code `{code}`; `ogive explain` lists them")
    section = found[name]
    click.echo(f"{section.code}: {section.title}\n\n{section.text}")
    if name in later:
        click.echo(f"\n{name} was split; what it also meant before:")
        for each in later[name]:
            click.echo(f"  {each}  {found[each].title}")
