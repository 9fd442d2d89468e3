"""`ogive examples`: the architectures that come with Ogive."""

from __future__ import annotations

import textwrap

import click

from ogive.shipped import examples, papers

WIDTH = 120


@click.command()
@click.option("--papers", "of_papers", is_flag=True, help="List the library of papers instead.")
def command(of_papers: bool) -> None:
    """List the architectures that come with Ogive.

    One on a line; * has a map for checkpoints with other names.

    \b
    Examples:
      ogive examples
      ogive new --from gpt2            copies gpt2.arch and gpt2.map.toml
      ogive examples --papers          what stands in the library of papers
      ogive new --from papers/tversky  copies tversky.arch
    """
    found = papers() if of_papers else examples()
    width = max(map(len, found))
    for example in found.values():
        about = textwrap.shorten(example.about, WIDTH - width - 3, placeholder=" ...")
        click.echo(f"{example.name:<{width}} {'*' if example.maps else ' '} {about}")
