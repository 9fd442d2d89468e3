"""`ogive build`: a model as a PyTorch module, with converted weights beside it, or as ONNX."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from ogive.api import Model
from ogive.backends.weights.whole import write_all
from ogive.cli.build_onnx import Asked, Weights, build_onnx, sizes_of
from ogive.cli.common import FILE, progress, refuse, setting, split_target
from ogive.cli.target import one_model_of
from ogive.grammar.diagnostics import ArchError


@click.command()
@click.argument("target", metavar="FILE:NAME")
@click.option("-o", "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="OUT.py or OUT.onnx")
@click.option("--weights", type=FILE, help="A checkpoint to convert: safetensors.")
@click.option("--map", "map_", type=FILE, help="How the checkpoint names the weights: TOML.")
@click.option("--recipe", metavar="PASSES", help="A recipe of the file, or passes: what they make of the model.")
@click.option("-D", "statics", multiple=True, metavar="NAME=VALUE", help="A static, where NAME is a block.")
@click.option("-s", "sizes", multiple=True, metavar="SIZE=NUMBER", help="ONNX: fix a size of the inputs.")
@click.option("--opset", type=int, help="ONNX: the version of the standard, 20 to 26.")
@click.option("--functions", is_flag=True, help="ONNX: keep blocks as functions.")
@click.option("--taps", is_flag=True, help="ONNX: taps are outputs too.")
@click.option("--optional", multiple=True, metavar="NAME", help="ONNX: an optional input that the graph takes.")
@click.option("--dtype", help="ONNX: the float type of the model: f16, bf16, f32, f64.")
@click.option("--verify", is_flag=True, help="ONNX: compare with torch on random inputs.")
@click.option("--allow-extern", is_flag=True, help="Let `extern` blocks stand for classes of yours.")
def command(
    target: str,
    out: Path,
    weights: Path | None,
    map_: Path | None,
    recipe: str | None,
    statics: tuple[str, ...],
    sizes: tuple[str, ...],
    opset: int | None,
    functions: bool,
    taps: bool,
    optional: tuple[str, ...],
    dtype: str | None,
    verify: bool,
    allow_extern: bool,
) -> None:
    """Write a model as a Python module that needs PyTorch alone; with --weights also OUT.safetensors beside it.

    OUT.onnx holds the weights, those of a fresh module without --weights; above 64 MB they go to OUT.onnx.data.
    Either all files are written or none.

    \b
    Examples:
      ogive build gpt2.arch:GPT2 -o gpt2.py
      ogive build gpt2.arch:GPT2 -o gpt2.py --weights model.safetensors --map gpt2.map.toml
      ogive build gpt2.arch:MLP -D d=768 -o mlp.py
      ogive build gpt2.arch:GPT2 -o gpt2.onnx --weights model.safetensors --map gpt2.map.toml --verify
      ogive build repvgg.arch:RepVGGA0 -o a0.onnx --weights a0.safetensors --recipe fold
    """
    if out.suffix not in (".py", ".onnx"):
        raise click.UsageError(f"`{out}`: expected OUT.py or OUT.onnx")
    if out.suffix == ".py" and (sizes or opset or functions or taps or optional or dtype or verify):
        raise click.UsageError("-s, --opset, --functions, --taps, --optional, --dtype and --verify are for OUT.onnx")
    if map_ is not None and weights is None:
        raise click.UsageError("--map says how to rename a checkpoint: give one with --weights")
    if not out.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder `{out.parent}`")
    path, name = split_target(target)
    try:
        with progress(f"Building {target}"):
            model = one_model_of(path, name, dict(map(setting, statics)), allow_extern)
            given: Weights = weights
            if recipe is not None:
                deployed = model.deploy(recipe)
                given = None if weights is None else deployed.convert(weights, map_)
                model, map_ = deployed, None
            files: Iterable[Path]
            if out.suffix == ".onnx":
                fixed = sizes_of([setting(text) for text in sizes])
                asked = Asked(fixed, opset, functions, taps, optional, dtype, verify)
                files = build_onnx(model, out, given, map_, asked)
            else:
                made = _files(model, out, given, map_)
                write_all(made)
                files = made
    except ArchError as error:
        refuse(error)
    except ModuleNotFoundError as error:
        extra = {"torch": "torch", "safetensors": "torch", "onnx": "onnx", "onnxruntime": "onnx"}.get(str(error.name))
        if extra is None:
            raise
        raise click.ClickException(f"{error.name} is not installed: pip install 'ogive[{extra}]'") from None
    except OSError as error:
        raise click.ClickException(f"cannot write: {error}") from None
    click.echo("wrote " + " and ".join(map(str, files)))


def _files(model: Model, out: Path, weights: Weights, map_: Path | None) -> dict[Path, bytes]:
    files = {out: model.torch_source().encode()}
    if weights is not None:
        # safetensors and torch are an extra: a build without weights may do without them
        from ogive.backends.weights.files import dump

        files[out.with_suffix(".safetensors")] = dump(model.load_weights(weights, map_))
    return files
