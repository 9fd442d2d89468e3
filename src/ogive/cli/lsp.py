"""`ogive lsp`: the language server for editors."""

from __future__ import annotations

import click

from ogive.extras import needs


@click.command()
def command() -> None:
    """Serve an editor: findings while typing, sizes beside lines, completion, renaming, drawings.

    Speaks the Language Server Protocol on standard input and output; an editor starts it. Needs `ogive[lsp]`, and
    never imports a framework.

    \b
    Examples:
      ogive lsp
    """
    with needs("lsp"):
        from ogive.lsp.start import run
    run()
