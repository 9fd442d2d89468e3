"""A model after passes: what it is made of, how its weights come about, and whether it computes the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING

from ogive.afford import runnable
from ogive.arguments import device as device_here
from ogive.arguments import flag, float_type, listed, named, takes, tensor, whole
from ogive.arguments import theme as themes
from ogive.checkpoints import AnyPath, load, rendered, unwrapped
from ogive.compiler.driver.reports import ModelReport
from ogive.compiler.ir import model as typed
from ogive.compiler.passes.cleanup.deploy_flatten import deployed
from ogive.compiler.passes.conversion.graph import Conversion
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.passes.infra.instance_paths import turned
from ogive.compiler.passes.pipelines.phases import live, training_paths
from ogive.compiler.passes.pipelines.registry import PASSES, Deployed, PassCall, calls_of, run
from ogive.cost import multiply_adds
from ogive.extras import needs
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.render import render
from ogive.grammar.source import Chunk, Span
from ogive.grammar.spelling import close
from ogive.model import Model
from ogive.refusals import wrong

if TYPE_CHECKING:
    from torch import Tensor, device, nn
    from torch import dtype as Dtype

    from ogive.backends.diagram.diagram import Diagram
    from ogive.backends.weight_conversion.verify import Deviation
    from ogive.backends.weights.maps import WeightMap

SOURCE = "source"


class DeployedModel(Model):
    """A model made by passes: a model again, with a conversion of weights."""

    def __init__(self, source: Model, deployed: Deployed, passes: str) -> None:
        ir = deployed.model
        conditions = tuple(str(condition) for condition in ir.conditions)
        origin = replace(source.origin, stamp=source.origin.stamp.after(passes))
        super().__init__(ModelReport(ir.name, source.signature, conditions, None, ir), origin=origin)
        self.source = source
        self.passes = deployed

    @property
    def conversion(self) -> Conversion:
        """How each weight comes from those of the source, all passes together; `print` shows it."""
        return self.passes.conversion

    @takes(theme=themes)
    def conversion_diagram(self, theme: str = "auto") -> Diagram:
        """How each weight comes from those of the source, as a circuit that ends at the new weights."""
        from ogive.backends.diagram.diagram import diagram

        if self.conversion.is_identity:
            raise wrong(f"{self.name}: all weights stay as they are: there is no conversion to draw")
        shown = replace(self.conversion.definition, output_names=self.conversion.targets)
        return replace(diagram(shown, theme=theme), keeper=self.origin.keeper)

    def conversion_source(self) -> str:
        """A Python module that needs torch alone: its `convert(state)` gives the weights of this model."""
        from ogive.backends.weight_conversion.source import source_of

        return self.origin.stamp.signed(source_of(self.conversion).encode(), "py").decode()

    @needs("torch")
    @takes(dtype=float_type)
    def convert(
        self,
        weights: AnyPath | Mapping[str, Tensor] | nn.Module,
        map: AnyPath | WeightMap | None = None,
        *,
        dtype: Dtype | str | None = SOURCE,
    ) -> dict[str, Tensor]:
        """The weights of this model from those of its source: in float64, then cast to the type of the main source.

        `map` renames a checkpoint with other names; `dtype=None` keeps float64. Raises `ArchError` where weights are
        missing, left over or misshapen, and where two names of one weight differ.
        """
        from ogive.backends.weight_conversion.run import convert

        self._refuse_training(weights)
        state = load(self.source, weights, map, meta=True)
        with rendered():
            return convert(self.conversion, state, dtype)

    @needs("torch")
    @takes(device=device_here, checks=flag)
    def fresh(self, device: str | device | None = None, *, checks: bool = True) -> nn.Module:
        """A module whose weights are those of a fresh source, converted: experts start as equal copies."""
        net = self.torch(device, checks=checks)
        net.load_state_dict(self.convert(self.source.torch().state_dict()))
        return net

    @needs("torch")
    @takes(inputs=listed(tensor), sizes=named(whole(0)))
    def verify(self, state: Mapping[str, Tensor] | nn.Module, *inputs: Tensor, **sizes: int) -> Deviation:
        """Run source and result on the same inputs, random at these sizes where none are given."""
        from ogive.backends.weight_conversion.verify import verify

        self._refuse_training(state)
        self._refuse_random()
        runnable(self.source.ir)
        try:
            return verify(self.conversion, load(self.source, state, None), inputs, sizes)
        except PassError as error:
            raise refusal(error, self.source.ir) from None

    def _refuse_training(self, weights: AnyPath | Mapping[str, Tensor] | nn.Module) -> None:
        """A module that trains, or a part of it that does, computes something else than the form of its weights."""
        if isinstance(weights, str | PathLike | Mapping) or not any(step.deployed for step in self.passes.steps):
            return
        modules = unwrapped(weights).named_modules
        paths = {turned(path) for path in training_paths(self.source.ir)}
        training = [path for path, module in modules() if module.training]
        found = next((path for path in training if not path or turned(path) in paths), None)
        if paths and found is not None:
            which = f"`{found}` of this module" if found else "this module"
            text = f"{which} of {self.source.name} trains: it drops out, or its norms use what is in the batch"
            raise refusal(PassError("E0812", text, "call `.eval()` on it first"), self.source.ir)

    def _refuse_random(self) -> None:
        """Runs of what draws numbers when it is used differ by themselves."""
        node = live(self.source.ir)
        if node is not None:
            text = f"`{node.op}` draws numbers when {self.source.name} is used: two runs cannot be compared"
            help_ = "draw under `if training:` alone, or convert without comparing: `.deploy(...).convert(weights)`"
            raise refusal(PassError("E0813", text, help_), self.source.ir, node.span)

    def report(self) -> str:
        """What was folded and what was not, and why; operations before and after."""
        lines = [f"{'done' if note.done else 'left'}  {note.path}: {note.text}" for note in self.passes.notes]
        before, after = (Counter(_operations(ir)) for ir in (deployed(self.source.ir), deployed(self.ir)))
        lines += ["", f"{'operation':<20}{'before':>8}{'after':>8}"]
        lines += [f"{op:<20}{before[op]:>8}{after[op]:>8}" for op in sorted(before | after)]
        lines += [
            f"multiply-adds  {multiply_adds(self.source.ir)}",
            f"        after  {multiply_adds(self.ir)}",
            f"parameters     {self.source.parameters:,} -> {self.parameters:,}",
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        count = len(self.passes.steps)
        return f"<model {self.name} after {count} pass{'' if count == 1 else 'es'}>"


def deploy(model: Model, passes: Sequence[str | PassCall]) -> DeployedModel:
    """The model after passes. Raises `ArchError` where one cannot be applied."""
    try:
        calls = [call for given in passes for call in _calls(model, given)]
        return DeployedModel(model, run(model.ir, calls), ", ".join(map(str, calls)))
    except PassError as error:
        raise refusal(error, model.ir) from None


def _calls(model: Model, given: str | PassCall) -> Sequence[PassCall]:
    if isinstance(given, PassCall):
        return (given,)
    if given in model.recipes:
        return model.recipes[given].passes
    if given.isidentifier() and given not in PASSES:
        known = {"recipes": list(model.recipes), "passes": list(PASSES)}
        listed = "; ".join(f"{kind}: {', '.join(names) or 'none'}" for kind, names in known.items())
        text = f"`{given}` is no recipe for {model.name}, and no pass ({listed})"
        raise PassError("E0810", text, close(given, (*model.recipes, *PASSES)))
    return calls_of(given)


def refusal(error: PassError, ir: typed.Model, span: Span | None = None) -> ArchError:
    """What a pass refuses, as a diagnostic at a place of the source, else at the block of the model."""
    span = span or ir.definition.span or Span(Chunk(""), 0, 0)
    found = (Diagnostic(error.code, error.text, span, help=error.help),)
    return ArchError(found, render(found))


def _operations(ir: typed.Model) -> list[str]:
    return [node.op for node in ir.definition.graph.walk() if node.op != "weight"]
