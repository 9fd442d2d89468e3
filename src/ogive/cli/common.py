"""What the commands share: targets FILE:NAME, settings NAME=VALUE, colour, progress."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from ogive.arguments import Unwanted
from ogive.extras import needs
from ogive.grammar.diagnostics import ArchError
from ogive.grammar.render import render
from ogive.refusals import ArchWarning

EXTERN = click.option("--allow-extern", is_flag=True, help="Let `extern` blocks stand for classes of yours.")
FORCE = click.option("--force", is_flag=True, help="Replace files that are there; never one that is read here.")
SHARDS = click.option(
    "--max-shard-size", metavar="5GB", callback=lambda context, parameter, value: _shard_size(value),
    help="Beyond it OUT.safetensors is shards and OUT.safetensors.index.json.",
)  # fmt: skip
MEMORY = ("allocate memory", "out of memory", "Storage size calculation overflowed")  # what torch says of it
WAITING = "ogive.cli.waiting"  # where a context keeps what is printed after the progress line
PATIENCE = 2.0  # seconds before a terminal is told what goes on
FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


class Sources(click.Path):
    """Whole files: other commands take FILE:NAME, and so it is written here too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Raises `click.UsageError` where there is none."""
        file, colon, _ = str(value).rpartition(":")
        if colon and Path(file).is_file() and not Path(str(value)).exists():
            raise click.UsageError(f"`{value}`: this looks at whole files: `{file}`", ctx)
        return super().convert(value, param, ctx)


INPUT = Path("-")  # standard input
SOURCES = Sources(exists=True, readable=True, path_type=Path)
SOURCES_OR_INPUT = Sources(exists=True, readable=True, allow_dash=True, path_type=Path)


def below(context: click.Context, given: tuple[Path, ...], some: bool = True) -> tuple[Path, ...]:
    """The files, and in place of a folder those below it; what begins with a dot is left out, links are not followed.

    Raises `click.UsageError` for a folder without any, where there must be `some`.
    """
    found: list[Path] = []
    for path in given:
        if not path.is_dir():
            found.append(path)
            continue
        inside: list[Path] = []
        for folder, folders, names in os.walk(path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            inside += [Path(folder, name) for name in names if name.endswith(".arch") and not name.startswith(".")]
        if not inside and some:
            raise click.UsageError(f"no *.arch files in `{path}`", context)
        found += sorted(inside)
    return tuple(dict.fromkeys(found))


def targets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """What completes FILE:NAME in a shell: files, and behind the colon the models and blocks of one."""
    from click.shell_completion import CompletionItem  # which only a shell asks for

    file, colon, _ = incomplete.rpartition(":")
    if not colon:
        return [CompletionItem(incomplete, type="file")]
    # the parser, which a command that runs imports anyway
    from ogive.grammar.files import read_source
    from ogive.grammar.parser import parse
    from ogive.grammar.syntax import Block, Model

    text = read_source(file)
    trees = parse(text, file).file.declarations if isinstance(text, str) else ()
    names = [f"{file}:{tree.name}" for tree in trees if isinstance(tree, Block | Model)]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


WEIGHTS = click.Path(exists=True, readable=True, path_type=Path)
CHECKPOINT = "Trained weights: a file, a folder, an *.index.json of shards; safetensors, or .bin and .pt without code."


def _shard_size(value: str | None) -> int | None:
    # what writes files knows the compiler, which takes longer to import than to say a version
    from ogive.saving import shard_size

    try:
        return shard_size(value)
    except Unwanted as error:
        raise click.BadParameter(f"expected {error}") from None


def listed(files: Iterable[Path]) -> str:
    """Files that were written; of many shards the first and the last."""
    names = list(map(str, files))
    shards = [name for name in names if re.search(r"-\d{5}-of-\d{5}\.safetensors$", name)]
    if len(shards) > 3:
        at = names.index(shards[0])
        names = [name for name in names if name not in shards]
        names.insert(at, f"{shards[0]} to {Path(shards[-1]).name}")
    return " and ".join(names)


def colored() -> bool:
    """True where standard output is a terminal that may be coloured."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


@contextmanager
def reported() -> Iterator[None]:
    """What a command refuses is shown, and ends it with status 1; warnings are shown as they come."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", ArchWarning)
        warnings.showwarning = _shown(warnings.showwarning)
        try:
            with needs("torch"):
                yield
        except ArchError as error:
            click.echo(render(error.diagnostics, color=colored()))
            sys.exit(1)
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not any(text in str(error) for text in MEMORY):
                raise
            raise click.ClickException(f"E0701: this takes more memory than the machine has: {error}") from None
        except OSError as error:
            name = f" `{error.filename}`" if error.filename else ""
            raise click.ClickException(
                f"cannot read or write{name}: {(error.strerror or str(error)).lower()}"
            ) from None


def _shown(plain: Callable[..., None]) -> Callable[..., None]:
    """Our warnings as diagnostics, others as they are."""

    def show(message: Warning | str, *place: Any, **more: Any) -> None:
        if isinstance(message, ArchWarning):
            say(render(message.diagnostics), err=True)
        else:
            plain(message, *place, **more)

    return show


def split_target(target: str) -> tuple[Path, str | None]:
    """FILE:NAME or FILE."""
    file, colon, name = target.rpartition(":")
    path = Path(file) if colon and name.rstrip("'").isidentifier() else Path(target)
    if not path.is_file():
        raise click.UsageError(f"there is no file `{path}`")
    return path, name if path == Path(file) and colon else None


T = TypeVar("T")


def setting(text: str) -> tuple[str, Any]:
    """`d=768`, `bias=false`, `act=relu`, `widths=[64, 128]`: numbers, lists and truth values as in JSON, else text."""
    name, equals, value = text.partition("=")
    if not equals or not name.rstrip("'").isidentifier():
        raise click.UsageError(f"`{text}` is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


def size_number(text: str) -> tuple[str, int]:
    """`h=572`: the name of a size, and a whole number for it."""
    name, value = setting(text)
    if type(value) is not int or value < 0:
        raise click.UsageError(f"`{text}`: a size is a whole number")
    return name, value


def once(pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    """What is given by name; ends the command where one name is given two values."""
    found: dict[str, T] = {}
    for name, value in pairs:
        if name in found and found[name] != value:
            raise click.UsageError(f"`{name}` is given twice: as {found[name]} and as {value}")
        found[name] = value
    return found


def say(text: str | bytes, *, err: bool = False, nl: bool = True) -> None:
    """Print a text; while a line tells of progress it waits, so that neither is written into the other."""
    context = click.get_current_context(silent=True)
    waiting = None if context is None else context.meta.get(WAITING)
    if waiting is None:
        click.echo(text, err=err, nl=nl)
    else:
        waiting.append(lambda: click.echo(text, err=err, nl=nl))


@contextmanager
def progress(doing: str, files: tuple[Path, ...] = ()) -> Iterator[Callable[[int, int], None]]:
    """A line on a terminal for what takes longer than two seconds. What it gives hears of bytes written, and in all.

    There is none while somebody types one of the `files`.
    """
    if not sys.stderr.isatty() or (INPUT in files and sys.stdin.isatty()):
        yield lambda written, total: None
        return
    said, done = [doing], threading.Event()
    waiting: list[Callable[[], None]] = []
    meta = click.get_current_context().meta
    meta[WAITING] = waiting
    teller = threading.Thread(target=_tell, args=(said, done), daemon=True)
    teller.start()

    def hear(written: int, total: int) -> None:
        said[0] = f"{doing}: {written / 1e6:,.0f} of {total / 1e6:,.0f} MB"

    try:
        yield hear
    finally:
        done.set()
        teller.join()
        del meta[WAITING]
        for each in waiting:
            each()


def _tell(said: list[str], done: threading.Event) -> None:
    if done.wait(PATIENCE):
        return
    # rich takes longer to import than most checks run
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    spinner = Spinner("dots")
    with Live(spinner, console=Console(stderr=True), transient=True, redirect_stdout=False):
        while True:
            spinner.update(text=Text(f"{said[0]} ..."))
            if done.wait(0.1):
                return
