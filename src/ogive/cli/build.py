"""`ogive build`: a model as a PyTorch module, with converted weights beside it."""

from __future__ import annotations

from pathlib import Path

import click

from ogive.api import Model
from ogive.backends.weights.whole import write_all
from ogive.cli.common import FILE, progress, refuse, setting, split_target
from ogive.cli.target import one_model_of
from ogive.grammar.diagnostics import ArchError


@click.command()
@click.argument("target", metavar="FILE:NAME")
@click.option("-o", "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="OUT.py")
@click.option("--weights", type=FILE, help="A checkpoint to convert: safetensors.")
@click.option("--map", "map_", type=FILE, help="How the checkpoint names the weights: TOML.")
@click.option("-D", "statics", multiple=True, metavar="NAME=VALUE", help="A static, where NAME is a block.")
def command(target: str, out: Path, weights: Path | None, map_: Path | None, statics: tuple[str, ...]) -> None:
    """Write a model as a Python module that needs PyTorch alone; with --weights also OUT.safetensors beside it.

    Either all files are written or none.

    \b
    Examples:
      ogive build gpt2.arch:GPT2 -o gpt2.py
      ogive build gpt2.arch:GPT2 -o gpt2.py --weights model.safetensors --map gpt2.map.toml
      ogive build gpt2.arch:MLP -D d=768 -o mlp.py
    """
    if out.suffix == ".onnx":
        raise click.UsageError("E0702: ONNX output is not built yet; there is OUT.py")
    if out.suffix != ".py":
        raise click.UsageError(f"`{out}`: expected OUT.py")
    if map_ is not None and weights is None:
        raise click.UsageError("--map says how to rename a checkpoint: give one with --weights")
    if not out.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder `{out.parent}`")
    path, name = split_target(target)
    try:
        with progress(f"Building {target}"):
            files = _files(one_model_of(path, name, dict(map(setting, statics))), out, weights, map_)
            write_all(files)
    except ArchError as error:
        refuse(error)
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors"):
            raise
        raise click.ClickException(f"{error.name} is not installed: pip install 'ogive[torch]'") from None
    except OSError as error:
        raise click.ClickException(f"cannot write: {error}") from None
    click.echo("wrote " + " and ".join(map(str, files)))


def _files(model: Model, out: Path, weights: Path | None, map_: Path | None) -> dict[Path, bytes]:
    files = {out: model.torch_source().encode()}
    if weights is not None:
        # safetensors and torch are an extra: a build without weights may do without them
        from ogive.backends.weights.files import dump

        files[out.with_suffix(".safetensors")] = dump(model.load_weights(weights, map_))
    return files
