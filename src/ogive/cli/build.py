"""`ogive build`: a model as a PyTorch module, with converted weights beside it, or as ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ogive.cli.build_onnx import Given, build_onnx, converted, sizes_of
from ogive.cli.common import (
    CHECKPOINT,
    EXTERN,
    FILE,
    FORCE,
    SHARDS,
    WEIGHTS,
    listed,
    once,
    progress,
    say,
    setting,
    split_target,
    targets,
)
from ogive.cli.given_data import DATA, LOSS, LOSSY, allowed, tensors
from ogive.cli.target import model_of, one_model_of
from ogive.model import DeployedModel, Model
from ogive.modules import source_of
from ogive.onnx_file import Asked
from ogive.outputs import OutputFile, check, write
from ogive.saving import save


@click.command()
@click.argument("target", metavar="FILE[:NAME]", shell_complete=targets)
@click.option("-o", "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="OUT.py or OUT.onnx")
@click.option("--weights", type=WEIGHTS, metavar="PATH", help=CHECKPOINT)
@click.option("--map", "map_", type=FILE, help="How the checkpoint names the weights: TOML; `ogive map` drafts it.")
@click.option("--recipe", metavar="PASSES", help="A recipe of the file, or passes: what they make of the model.")
@DATA
@LOSS
@LOSSY
@click.option("-D", "statics", multiple=True, metavar="NAME=VALUE", help="A static, where NAME is a block.")
@click.option("-s", "sizes", multiple=True, metavar="SIZE=NUMBER", help="ONNX: fix a size of the inputs.")
@click.option("--opset", type=int, help="ONNX: the version of the standard, 20 to 26.")
@click.option("--functions", is_flag=True, help="ONNX: keep blocks as functions.")
@click.option("--taps", is_flag=True, help="ONNX: taps are outputs too.")
@click.option("--optional", multiple=True, metavar="NAME", help="ONNX: an optional input that the graph takes.")
@click.option("--dtype", help="ONNX: the float type of the model: f16, bf16, f32, f64.")
@click.option("--verify", is_flag=True, help="ONNX: compare with torch on random inputs.")
@click.option("--no-checks", is_flag=True, help="OUT.py: a module that does not look at its inputs first.")
@SHARDS
@FORCE
@EXTERN
def command(
    target: str,
    out: Path,
    weights: Path | None,
    map_: Path | None,
    recipe: str | None,
    data: Path | None,
    loss: str | None,
    allow_lossy: bool,
    statics: tuple[str, ...],
    sizes: tuple[str, ...],
    opset: int | None,
    functions: bool,
    taps: bool,
    optional: tuple[str, ...],
    dtype: str | None,
    verify: bool,
    no_checks: bool,
    max_shard_size: int | None,
    force: bool,
    allow_extern: bool,
) -> None:
    """Write a model as a Python module that needs PyTorch alone; with --weights also OUT.safetensors beside it.

    Without a name, OUT.py has a function for each model of the file; they share the classes of their blocks.
    OUT.onnx holds the weights, those of a fresh module without --weights; above 64 MB they go to OUT.onnx.data.
    Either all files are written or none. A file that is there is replaced where the same command wrote it from the same
    source, others with --force alone; a file that is read here never.

    \b
    Examples:
      ogive build gpt2.arch:GPT2 -o gpt2.py
      ogive build gpt2.arch -o gpt2.py
      ogive build gpt2.arch:GPT2 -o gpt2.py --weights model.safetensors --map gpt2.map.toml
      ogive build gpt2.arch:GPT2 -o gpt2.py --weights downloaded/ --map gpt2.map.toml --max-shard-size 2GB
      ogive build gpt2.arch:MLP -D d=768 -o mlp.py
      ogive build gpt2.arch:GPT2 -o gpt2.onnx --weights model.safetensors --map gpt2.map.toml --verify
      ogive build repvgg.arch:RepVGGA0 -o a0.onnx --weights a0.safetensors --recipe fold
      ogive build resnet.arch -o q.onnx --weights w.safetensors --data x.safetensors --recipe "quantize[tolerance=0.1]"
    """
    if out.suffix not in (".py", ".onnx"):
        raise click.UsageError(f"`{out}`: expected OUT.py or OUT.onnx")
    if out.suffix == ".py" and (sizes or opset or functions or taps or optional or dtype or verify):
        raise click.UsageError("-s, --opset, --functions, --taps, --optional, --dtype and --verify are for OUT.onnx")
    if out.suffix == ".onnx" and no_checks:
        raise click.UsageError("--no-checks is for OUT.py: an ONNX model does not check its inputs by itself")
    if max_shard_size is not None and (out.suffix == ".onnx" or weights is None):
        raise click.UsageError("--max-shard-size is for the weights beside OUT.py: give a checkpoint with --weights")
    if map_ is not None and weights is None:
        raise click.UsageError("--map says how to rename a checkpoint: give one with --weights")
    if not out.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder `{out.parent}`")
    path, name = split_target(target)
    with progress(f"Building {target}") as hear:
        given = Given(weights, map_, "build" if weights is None else "build --weights", force)
        one = out.suffix == ".onnx" or weights is not None
        models = (_one if one else model_of)(path, name, once(map(setting, statics)), allow_extern)
        if recipe is not None:
            models = [_after(model, recipe, given, data, loss, allow_lossy) for model in models]
        model = models[0]
        if len(models) > 1:
            files = _build_all(models, out, given, checks=not no_checks)
        elif out.suffix == ".onnx":
            fixed = sizes_of([setting(text) for text in sizes])
            asked = Asked(fixed, {}, dtype, opset, functions, taps, optional)
            files = build_onnx(model, out, given, asked, verify, hear)
        else:
            files = _build(model, out, given, max_shard_size, checks=not no_checks)
    click.echo(f"wrote {listed(files)}")
    if out.suffix == ".py":
        _renamed(models, out)


def _renamed(models: Sequence[Model], out: Path) -> None:
    """Say which models have other names in the file: those that Python or the file itself gives a meaning."""
    from ogive.backends.pytorch.names import fresh

    for model in models:
        if (name := fresh(model.name)) != model.name:
            click.echo(
                f"note: the model `{model.name}` is `{name}` in {out}, where `{model.name}` means something else"
            )


def _after(
    model: Model, recipe: str, given: Given, data: Path | None, loss: str | None, allow_lossy: bool
) -> DeployedModel:
    """The model after passes; where one is lossy, what it loses is shown first."""
    state = None if given.weights is None else model.load_weights(given.weights, given.map)
    made = model.deploy(recipe, weights=state, data=tensors(data), loss=loss)
    if any(step.lossy for step in made.passes.steps):
        difference = made.verify(model.torch().eval() if state is None else state)
        say(str(difference))
        if not allowed(model.name, difference, allow_lossy):
            raise click.ClickException(f"{model.name}: the result differs from its source; nothing is written")
    return made


def _one(path: Path, name: str | None, statics: dict[str, Any], allow_extern: bool) -> list[Model]:
    return [one_model_of(path, name, statics, allow_extern)]


def _build_all(models: Sequence[Model], out: Path, given: Given, *, checks: bool) -> tuple[Path, ...]:
    inputs = tuple(dict.fromkeys(path for model in models for path in model.inputs))
    text = OutputFile(out, models[0].origin.stamp.by(given.command))
    write({text: source_of(models, checks=checks).encode()}, inputs, given.force)
    return (out,)


def _build(model: Model, out: Path, given: Given, limit: int | None, *, checks: bool) -> tuple[Path, ...]:
    stamp, inputs = model.origin.stamp.by(given.command), (*model.inputs, *given.files)
    text, beside = OutputFile(out, stamp), OutputFile(out.with_suffix(".safetensors"), stamp, "safetensors")
    if given.weights is None:
        write({text: model.torch_source(checks=checks).encode()}, inputs, given.force)
        return (out,)
    check([text, *([beside] if limit is None else [])], inputs, given.force)  # before anything is computed
    source = {text: model.torch_source(checks=checks).encode()}
    return save(
        beside.path, converted(model, given), stamp, inputs, force=given.force, limit=limit, beside=source
    )  # fmt: skip
