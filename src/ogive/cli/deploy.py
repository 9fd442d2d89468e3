"""`ogive deploy`: passes over a model, its weights converted and compared, both written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ogive.api import Model, Program, load
from ogive.cli.build_onnx import Given
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
from ogive.cli.target import one_model_of
from ogive.compiler.passes.pipelines.recipes import Recipe
from ogive.model import DeployedModel
from ogive.outputs import OutputFile, check, write
from ogive.saving import save


@click.command()
@click.argument("target", metavar="FILE:NAME", shell_complete=targets)
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="OUT.py, with OUT.safetensors.")
@click.option("--weights", type=WEIGHTS, metavar="PATH", help=CHECKPOINT)
@click.option("--map", "map_", type=FILE, help="How the checkpoint names the weights: TOML; `ogive map` drafts it.")
@click.option("--pass", "passes", multiple=True, metavar="PASS", help="`fold`, `specialize[b=1]`; in this order.")
@click.option("--recipe", metavar="PASSES", help="A recipe of the file, or passes, instead of --pass.")
@click.option("--trained", metavar="NAME", help="The recipe by which the weights were trained, such as experts.")
@click.option("-D", "statics", multiple=True, metavar="NAME=VALUE", help="A static, where NAME is a block.")
@DATA
@LOSS
@LOSSY
@click.option("--report", is_flag=True, help="List what was folded and what was not, and why.")
@click.option("--conversion", is_flag=True, help="Print how each weight is computed.")
@SHARDS
@FORCE
@EXTERN
@click.option("-s", "sizes", multiple=True, metavar="h=224", help="Sizes of the inputs on which both are compared.")
def command(
    target: str, out: Path | None, weights: Path | None, map_: Path | None, passes: tuple[str, ...],
    recipe: str | None, trained: str | None, statics: tuple[str, ...], data: Path | None, loss: str | None,
    allow_lossy: bool, report: bool, conversion: bool, max_shard_size: int | None, sizes: tuple[str, ...], force: bool,
    allow_extern: bool,
) -> None:  # fmt: skip
    """Make of a model that trains the one that is used: folded, converted, compared and written.

    Without weights, fresh ones are compared. Without a pass, `fold` runs. Nothing is written where both differ, and no
    file is replaced that is read here, or that this command did not write; --force replaces others than those read.
    What a lossy pass loses is measured on --data, and written with --allow-lossy, or within its `tolerance`.

    \b
    Examples:
      ogive deploy repvgg.arch:RepVGGA0 --report
      ogive deploy repvgg.arch:RepVGGA0 --weights a0.safetensors -o a0_deployed.py
      ogive deploy repvgg.arch --recipe deploy --weights a0.safetensors -o a0.py
      ogive deploy resnet.arch:Tiny --pass quantize --weights w.safetensors --data x.safetensors --allow-lossy -o q.py
      ogive deploy repvgg.arch:RepVGGA0 --recipe "specialize[b=1], fold" -o a0.py
      ogive deploy ewa_vit.arch --trained train --recipe deploy --weights ewa.safetensors -o vit.py
    """
    if recipe is not None and passes:
        raise click.UsageError("--recipe names the passes: leave --pass out")
    if out is not None and out.suffix != ".py":
        raise click.UsageError(f"`{out}`: expected OUT.py")
    if max_shard_size is not None and (out is None or weights is None):
        raise click.UsageError("--max-shard-size is for the weights beside OUT.py: give a checkpoint with --weights")
    if map_ is not None and weights is None:
        raise click.UsageError("--map says how to rename a checkpoint: give one with --weights")
    path, name = split_target(target)
    with progress(f"Deploying {target}"):
        given = Given(weights, map_, "deploy", force)
        looks = _Looks(given, data, loss)
        model = _deployed(path, name, once(map(setting, statics)), passes, recipe, trained, allow_extern, looks)
        files = _made(model, out, given, once(map(setting, sizes)), max_shard_size, allow_lossy)
    if report:
        click.echo(model.report())
    if conversion:
        click.echo(model.conversion)
    if files:
        click.echo(f"wrote {listed(files)}")


@dataclass(frozen=True, slots=True)
class _Looks:
    """What passes look at."""

    given: Given
    data: Path | None
    loss: str | None

    def of(self, model: Model) -> dict[str, Any]:
        """Weights of a model, data and a loss."""
        given = self.given
        state = None if given.weights is None else model.load_weights(given.weights, given.map)
        return {"weights": state, "data": tensors(self.data), "loss": self.loss}


def _deployed(
    path: Path, name: str | None, statics: dict[str, object], passes: tuple[str, ...], recipe: str | None,
    trained: str | None, allow_extern: bool, looks: _Looks,
) -> DeployedModel:  # fmt: skip
    if recipe is None and trained is None:
        plain = one_model_of(path, name, statics, allow_extern)
        return plain.deploy(*passes, **looks.of(plain))
    program = load(path, allow_extern=allow_extern)
    if recipe is not None and recipe not in program.recipes:  # passes as text, as `ogive build` takes them
        passes, recipe = (recipe,), None
        if trained is None:
            model = one_model_of(path, name, statics, allow_extern)
            return model.deploy(*passes, **looks.of(model))
    found = [_recipe(program, path, each) for each in (trained, recipe) if each is not None]
    for each in found:
        if (name or found[0].model) != each.model:
            raise click.UsageError(f"recipe `{each.name}` is for {each.model}, not for {name or found[0].model}")
    calls = found[-1].passes if recipe is not None else passes
    source = program.models[found[0].model] if trained is None else program.deploy(trained)
    return source.deploy(*calls, **looks.of(source))


def _recipe(program: Program, path: Path, name: str) -> Recipe:
    if name not in program.recipes:
        raise click.UsageError(f"{path} has no recipe `{name}`; it has {', '.join(program.recipes) or 'none'}")
    return program.recipes[name]


def _made(
    model: DeployedModel,
    out: Path | None,
    given: Given,
    sizes: dict[str, int],
    limit: int | None,
    allow_lossy: bool,
) -> tuple[Path, ...]:
    """The files that were written, once both forms agree."""
    stamp, inputs = model.origin.stamp.by(given.command), (*model.inputs, *given.files)
    text = None if out is None else OutputFile(out, stamp)
    weights = None if out is None or given.weights is None else out.with_suffix(".safetensors")
    outputs = [text] if text is not None else []
    if weights is not None and limit is None:
        outputs.append(OutputFile(weights, stamp, "safetensors"))
    check(outputs, inputs, given.force)  # before anything is computed
    source = model.source
    state = source.torch().state_dict() if given.weights is None else source.load_weights(given.weights, given.map)
    difference = model.verify(state, **sizes)
    say(str(difference))
    if not allowed(model.name, difference, allow_lossy):
        raise click.ClickException(
            f"{model.name}: the result differs from its source{_meant(model)}; nothing is written"
        )
    if text is None:
        return ()
    texts = {text: model.torch_source().encode()}
    if weights is None:
        write(texts, inputs, given.force)
        return (text.path,)
    return save(weights, model.convert(state), stamp, inputs, force=given.force, limit=limit, beside=texts)


def _meant(model: DeployedModel) -> str:
    """Where a pass is meant to compute something else: what the weights must have been trained with."""
    passes = dict.fromkeys(step.changing for step in model.passes.steps if step.changing)
    if not passes:
        return ""
    names = " and ".join(f"`{name}`" for name in passes)
    return f", as {names} means it to: train with a recipe of that alone, and name it with --trained"
