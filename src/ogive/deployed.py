"""What `Model.deploy` and models after passes ask: calls of passes, refusals at their places, a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import TYPE_CHECKING

from ogive.checkpoints import AnyPath, unwrapped
from ogive.compiler.analysis.cost.report import multiply_adds
from ogive.compiler.ir import model as typed
from ogive.compiler.passes.cleanup.deploy_flatten import deployed
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.passes.infra.instance_paths import turned
from ogive.compiler.passes.pipelines.calls import PassCall, calls_of
from ogive.compiler.passes.pipelines.phases import live, training_paths
from ogive.compiler.passes.pipelines.registry import PASSES
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.render import render
from ogive.grammar.source import Chunk, Span
from ogive.grammar.spelling import close
from ogive.refusals import wrong

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ogive.compiler.passes.conversion.graph import Conversion
    from ogive.compiler.passes.conversion.looks import Looks
    from ogive.compiler.passes.conversion.result import Note, Passed
    from ogive.compiler.passes.pipelines.recipes import Recipe


def calls_for(name: str, recipes: Mapping[str, Recipe], passes: Sequence[str | PassCall]) -> list[PassCall]:
    """The calls that names of recipes and passes stand for, for a model of that name. Raises PassError."""
    return [call for given in passes for call in _calls(name, recipes, given)]


def _calls(name: str, recipes: Mapping[str, Recipe], given: str | PassCall) -> Sequence[PassCall]:
    if isinstance(given, PassCall):
        return (given,)
    if given in recipes:
        return recipes[given].passes
    if given.isidentifier() and given not in PASSES:
        known = {"recipes": list(recipes), "passes": list(PASSES)}
        listed = "; ".join(f"{kind}: {', '.join(names) or 'none'}" for kind, names in known.items())
        text = f"`{given}` is no recipe for {name}, and no pass ({listed})"
        raise PassError("E0810", text, close(given, (*recipes, *PASSES)))
    return calls_of(given)


@contextmanager
def refused_at(ir: typed.Model) -> Iterator[None]:
    """What a pass refuses becomes an `ArchError` at the block of the model."""
    try:
        yield
    except PassError as error:
        raise _refusal(error, ir) from None


def weighing(
    state: Mapping[str, Tensor] | None, data: Mapping[str, Tensor] | None, loss: str | None
) -> Callable[[Conversion], Looks] | None:
    """What passes ask of weights, where there are some, and of data."""
    if state is None:
        return None
    from ogive.backends.weight_conversion.looks import Looked

    return lambda conversion: Looked(conversion, state, data, loss)


def ordered(source: typed.Model, data: Mapping[str, Tensor] | None) -> list[Tensor]:
    """Data in the order of the inputs."""
    return [data[value.name] for value in source.definition.graph.inputs if value.name in data] if data else []


def refuse_training(
    source: typed.Model, steps: Sequence[Passed], weights: AnyPath | Mapping[str, Tensor] | nn.Module
) -> None:
    """A module that trains, or a part of it that does, computes something else than the form of its weights."""
    if isinstance(weights, str | PathLike | Mapping) or not any(step.deployed for step in steps):
        return
    modules = unwrapped(weights).named_modules
    paths = {turned(path) for path in training_paths(source)}
    training = [path for path, module in modules() if module.training]
    found = next((path for path in training if not path or turned(path) in paths), None)
    if paths and found is not None:
        which = f"`{found}` of this module" if found else "this module"
        text = f"{which} of {source.name} trains: it drops out, or its norms use what is in the batch"
        raise _refusal(PassError("E0812", text, "call `.eval()` on it first"), source)


def refuse_random(source: typed.Model) -> None:
    """Runs of what draws numbers when it is used differ by themselves."""
    node = live(source)
    if node is not None:
        text = f"`{node.op}` draws numbers when {source.name} is used: two runs cannot be compared"
        help_ = "draw under `if training:` alone, or convert without comparing: `.deploy(...).convert(weights)`"
        raise _refusal(PassError("E0813", text, help_), source, node.span)


def refuse_inputs(source: typed.Model, inputs: Sequence[Tensor], sizes: Mapping[str, int]) -> None:
    """Inputs of `verify` are those of the model, with all optional ones or none; sizes are for drawn ones alone."""
    if inputs and sizes:
        raise wrong("`verify` takes inputs, or sizes at which it draws them, not both")
    names = [value.hint or value.name for value in source.definition.graph.inputs]
    needed = [name for name, optional in zip(names, source.definition.optional, strict=True) if not optional]
    if inputs and len(inputs) not in (len(names), len(needed)):
        asked = f"{len(needed)} ({', '.join(needed)})"
        if more := [name for name in names if name not in needed]:
            asked += f", or {len(names)} with {', '.join(more)}"
        raise wrong(f"`inputs` of `verify` are {asked}, not {len(inputs)}")


def report(source: typed.Model, made: typed.Model, notes: Sequence[Note], parameters: tuple[int, int]) -> str:
    """What was folded and what was not, and why; operations and parameters before and after."""
    lines = [f"{'done' if note.done else 'left'}  {note.path}: {note.text}" for note in notes]
    before, after = (Counter(_operations(ir)) for ir in (deployed(source), deployed(made)))
    lines += ["", f"{'operation':<20}{'before':>8}{'after':>8}"]
    lines += [f"{op:<20}{before[op]:>8}{after[op]:>8}" for op in sorted(before | after)]
    lines += [
        f"multiply-adds  {multiply_adds(source)}",
        f"        after  {multiply_adds(made)}",
        f"parameters     {parameters[0]:,} -> {parameters[1]:,}",
    ]
    return "\n".join(lines)


def _refusal(error: PassError, ir: typed.Model, span: Span | None = None) -> ArchError:
    """What a pass refuses, as a diagnostic at a place of the source, else at the block of the model."""
    span = span or ir.definition.span or Span(Chunk(""), 0, 0)
    found = (Diagnostic(error.code, error.text, span, help=error.help),)
    return ArchError(found, render(found))


def _operations(ir: typed.Model) -> list[str]:
    return [node.op for node in ir.definition.graph.walk() if node.op != "weight"]
