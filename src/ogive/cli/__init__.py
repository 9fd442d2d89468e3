"""The command line: each command is a module, imported when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from ogive.cli.common import reported

# in the order of --help
COMMANDS = (
    "check", "fmt", "show", "build", "draw", "diff", "deploy", "analyze", "import", "map", "explain", "new", "examples",
    "lsp", "completion",
)  # fmt: skip
FILES = {"import": "bring"}  # a command whose name no module can have


class Lazy(click.Group):
    """A group that imports no command before it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def invoke(self, ctx: click.Context) -> Any:
        with reported():
            return super().invoke(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            found: click.Command = import_module(f"ogive.cli.{FILES.get(cmd_name, cmd_name)}").command
            return found
        return None


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ogive")
def cli() -> None:
    """Check, show and build neural architectures written in Ogive.

    \b
    A first model:
      ogive new mlp                          writes mlp.arch
      ogive check mlp.arch                   proves its shapes for all sizes
      ogive show mlp.arch:MLP1               its weights and parameters
      ogive build mlp.arch:MLP1 -o mlp.py    a PyTorch module
      ogive new --from gpt2                  one of `ogive examples`

    `ogive COMMAND --help` shows examples of each.
    """
