"""What commands take of data, and of passes that lose something."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ogive.cli.common import FILE
from ogive.extras import needs

if TYPE_CHECKING:
    from torch import Tensor

    from ogive.backends.weight_conversion.verify import Deviation

LOSSES = ("cross_entropy", "mse")
DATA = click.option("--data", type=FILE, metavar="X.safetensors", help="Inputs by their names, and `target`.")
LOSS = click.option("--loss", type=click.Choice(LOSSES), help="What compares the first output with `target`.")
LOSSY = click.option("--allow-lossy", is_flag=True, help="Write what a lossy pass made, whatever it has lost.")


def tensors(path: Path | None) -> dict[str, Tensor] | None:
    """The tensors of a file of safetensors. Raises `click.UsageError` where it is none."""
    if path is None:
        return None
    with needs("torch"):
        from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except Exception as error:  # safetensors has a class of its own for what is no such file
        raise click.UsageError(f"`{path}` is no file of safetensors: {error}") from None


def allowed(name: str, difference: Deviation, allow_lossy: bool) -> bool:
    """Whether a result may be written. Raises `click.ClickException` where only a flag is missing."""
    if difference.lossy and not difference.within and not allow_lossy:
        asked = f"`tolerance` of `{difference.lossy}` is {difference.tolerance:g}"
        text = f"{name}: {asked}: nothing is written; set it, or allow this loss by --allow-lossy"
        raise click.ClickException(text)
    return difference.within or bool(difference.lossy)
