"""A model after passes: what it is made of, how its weights come about, and whether it computes the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ogive.api import Model
from ogive.compiler.ir import Model as IR
from ogive.compiler.passes.deploy import Deployed, PassCall, calls_of, run
from ogive.compiler.passes.deploy_flat import deployed
from ogive.compiler.passes.deploy_passed import PassError
from ogive.compiler.passes.expert_average import averaged
from ogive.compiler.program_types import ModelReport
from ogive.cost import multiply_adds
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.render import render
from ogive.grammar.source import Chunk, Span

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch import dtype as Dtype

    from ogive.backends.convert.verify import Difference

SOURCE = "source"


class DeployedModel(Model):
    """A model made by passes: a model again, with a conversion of weights."""

    def __init__(self, source: Model, deployed: Deployed) -> None:
        ir = deployed.model
        conditions = tuple(str(condition) for condition in ir.conditions)
        super().__init__(ModelReport(ir.name, source.signature, conditions, None, ir))
        self.source = source
        self.passes = deployed

    @property
    def conversion(self) -> str:
        """How each weight comes from those of the source, as text."""
        return "\n\n".join(str(conversion) for conversion in self.passes.conversions if not conversion.is_identity)

    def conversion_source(self) -> str:
        """A Python module for each pass that changes weights: load the source's weights, call it, get the new ones."""
        from ogive.backends.convert.run import source_of

        return "\n\n".join(source_of(c) for c in self.passes.conversions if not c.is_identity)

    def convert(self, state: Mapping[str, Tensor] | nn.Module, dtype: Dtype | str | None = SOURCE) -> dict[str, Tensor]:
        """The weights of this model from those of its source: in float64, then cast to the type of the main source.

        `dtype=None` keeps float64. Raises `ArchError` where weights are missing, left over or misshapen.
        """
        from ogive.backends.convert.run import converted

        try:
            return converted(self.passes.conversions, _state(state), dtype)
        except ArchError as error:
            raise ArchError(error.diagnostics, render(error.diagnostics)) from None

    def fresh(self) -> nn.Module:
        """A module whose weights are those of a fresh source, converted: experts start as equal copies."""
        net = self.torch()
        net.load_state_dict(self.convert(self.source.torch()))
        return net

    def average(self, state: Mapping[str, Tensor] | nn.Module) -> dict[str, Tensor]:
        """After `expert_average`: the weights of the source, the mean of the experts, under their plain names."""
        from ogive.backends.convert.run import SOURCE, convert

        return convert(averaged(self.ir, self.source.ir), _state(state), SOURCE)

    def verify(self, state: Mapping[str, Tensor] | nn.Module, *inputs: Tensor, **sizes: int) -> Difference:
        """Run source and result on the same inputs, random at these sizes where none are given."""
        from ogive.backends.convert.verify import verify

        try:
            return verify(self.source.ir, self.ir, self.passes.conversions, _state(state), inputs, sizes)
        except PassError as error:
            raise refusal(error, self.source.ir) from None

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
        return f"<model {self.name} after {', '.join(str(step.model.name) for step in self.passes.steps) or 'no pass'}>"


def deploy(model: Model, passes: Sequence[str | PassCall]) -> DeployedModel:
    """The model after passes. Raises `ArchError` where one cannot be applied."""
    try:
        calls = [call for given in passes for call in (calls_of(given) if isinstance(given, str) else (given,))]
        return DeployedModel(model, run(model.ir, calls))
    except PassError as error:
        raise refusal(error, model.ir) from None


def refusal(error: PassError, ir: IR) -> ArchError:
    """What a pass refuses, as a diagnostic at the block of the model."""
    span = ir.definition.span or Span(Chunk(""), 0, 0)
    found = (Diagnostic(error.code, error.text, span),)
    return ArchError(found, render(found))


def _operations(ir: IR) -> list[str]:
    return [node.op for node in ir.definition.graph.walk() if node.op != "weight"]


def _state(state: Mapping[str, Tensor] | nn.Module) -> Mapping[str, Tensor]:
    return state if isinstance(state, Mapping) else state.state_dict()
