"""`ogive completion`: completion of commands, options, files and the names in them, for the shell."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from ogive.cli import cli

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_OGIVE_COMPLETE"
ZSHRC = """
# completion of ogive
fpath=({folder} $fpath)
autoload -Uz compinit && compinit
"""


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.option("--install", is_flag=True, help="Write it to where the shell looks for it.")
def command(shell: str | None, install: bool) -> None:
    """Print what makes SHELL complete `ogive`, or install it; without SHELL for the one in $SHELL.

    Commands, options and files are completed, in zsh and fish also the names behind `FILE:`.

    \b
    Examples:
      ogive completion --install
      ogive completion zsh
    """
    shell = shell or Path(os.environ.get("SHELL", "")).name
    if shell not in SHELLS:
        raise click.UsageError(f"`{shell}` is no shell that is known here: name one of {', '.join(SHELLS)}")
    script = _script(shell)
    if not install:
        click.echo(script, nl=False)
        return
    place = _place(shell)
    if place.exists() and VARIABLE not in place.read_text(encoding="utf-8", errors="replace"):
        raise click.ClickException(f"`{place}` is there, and not of ogive: nothing is written")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(script, encoding="utf-8")
    click.echo(f"wrote {place}")
    if shell == "zsh":
        _into_zshrc(place.parent)
    if shell == "bash":
        click.echo("note: bash finds it by the package bash-completion; without that, `source` it in ~/.bashrc")
    click.echo("open a new shell to use it")


def _script(shell: str) -> str:
    known = get_completion_class(shell)
    assert known is not None
    return known(cli, {}, "ogive", VARIABLE).source().strip() + "\n"


def _place(shell: str) -> Path:
    """Where the shell looks for completions of a user."""
    home = Path.home()
    if shell == "fish":
        return Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "fish" / "completions" / "ogive.fish"
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    if shell == "zsh":
        return data / "zsh" / "site-functions" / "_ogive"
    return data / "bash-completion" / "completions" / "ogive"


def _into_zshrc(folder: Path) -> None:
    """A shell of this kind looks in no folder of a user by itself: say it the one, once."""
    file = Path(os.environ.get("ZDOTDIR") or Path.home()) / ".zshrc"
    known = file.read_text(encoding="utf-8") if file.exists() else ""
    if str(folder) not in known:
        with file.open("a", encoding="utf-8") as opened:
            opened.write(ZSHRC.format(folder=folder))
        click.echo(f"added {folder} to $fpath in {file}")
