"""Passes by name: from Python, from a `recipe`, from the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from types import MappingProxyType

from ogive.compiler.ir.model import Model
from ogive.compiler.passes.conversion.compose import chained
from ogive.compiler.passes.conversion.graph import Conversion
from ogive.compiler.passes.conversion.looks import Looks
from ogive.compiler.passes.conversion.result import Note, Passed, PassError, unchanged
from ogive.compiler.passes.experts.average import expert_average, merge_experts
from ogive.compiler.passes.growth.coarsen import coalesce, decoalesce
from ogive.compiler.passes.growth.deepen import deepen
from ogive.compiler.passes.growth.features import merge_features
from ogive.compiler.passes.growth.interpolate import interpolate
from ogive.compiler.passes.growth.subspace import subspace
from ogive.compiler.passes.growth.widen import widen
from ogive.compiler.passes.operators.to_operator import to_operator
from ogive.compiler.passes.pipelines.calls import PassCall, checked
from ogive.compiler.passes.pipelines.simple import fused, simplified, specialize
from ogive.compiler.passes.posets.pool import poset_pool
from ogive.compiler.passes.pruning.derive import derive
from ogive.compiler.passes.pruning.distil import distil
from ogive.compiler.passes.pruning.mask import mask
from ogive.compiler.passes.pruning.prune import prune
from ogive.compiler.passes.pruning.shrink import drop_layers, shrink
from ogive.compiler.passes.quantization.quantize import quantize
from ogive.compiler.passes.reduction.reduce_order import reduce_order
from ogive.compiler.passes.scaling.passes import mup_pass
from ogive.compiler.passes.weight_folding.driver import fold

PASSES: Mapping[str, Callable[..., Passed]] = MappingProxyType(
    {
        "coalesce": coalesce,
        "decoalesce": decoalesce,
        "deepen": deepen,
        "derive": derive,
        "distil": distil,
        "drop_layers": drop_layers,
        "expert_average": expert_average,
        "fold": fold,
        "fuse": fused,
        "interpolate": interpolate,
        "mask": mask,
        "merge_experts": merge_experts,
        "merge_features": merge_features,
        "mup": mup_pass,
        "poset_pool": poset_pool,
        "prune": prune,
        "quantize": quantize,
        "reduce_order": reduce_order,
        "shrink": shrink,
        "simplify": simplified,
        "specialize": specialize,
        "subspace": subspace,
        "to_operator": to_operator,
        "widen": widen,
    }
)


WEIGHED = frozenset(
    ("derive", "interpolate", "merge_features", "prune", "quantize", "reduce_order")
)  # those that look at weights


@dataclass(frozen=True)
class Deployed:
    """A model after passes, with each step on the way."""

    source: Model
    steps: tuple[Passed, ...]

    @property
    def model(self) -> Model:
        """The last result."""
        return self.steps[-1].model if self.steps else self.source

    @cached_property
    def conversion(self) -> Conversion:
        """How the weights of the result come from those of the source: the conversions of the steps as one graph."""
        steps = [step.conversion for step in self.steps]
        return reduce(chained, steps) if steps else unchanged(self.source, self.source)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was done, and what was left, and why."""
        return tuple(note for step in self.steps for note in step.notes)


def run(
    model: Model, calls: Sequence[PassCall], after: Callable[[Model], None] = lambda _: None,
    weighed: Callable[[Conversion], Looks] | None = None,
) -> Deployed:  # fmt: skip
    """The model after passes in turn; `after` sees each result (a verifier).

    `weighed` tells what the weights of a model hold that a conversion gives, for passes that look at them.
    """
    steps: list[Passed] = []
    current = model
    for call in calls:
        function = made(call)
        if call.name not in WEIGHED:
            step = function(current)
        elif weighed is None:
            text = f"`{call.name}` chooses by weights, and there are none"
            raise PassError("E0811", text, "give them: `--weights FILE`, or `model.deploy(..., weights=...)`")
        else:
            step = function(current, weighed(Deployed(model, tuple(steps)).conversion))
        after(step.model)
        steps.append(step)
        current = step.model
    return Deployed(model, tuple(steps))


def made(call: PassCall) -> Callable[..., Passed]:
    """The function of a call. Raises `PassError` where there is no such pass or option."""
    return checked(call, PASSES)
