"""What analyses that compute on numbers are given: a model at sizes, and weights, data and a loss where they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ogive.compiler.ir.model import Model
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.sizes import Unknown

if TYPE_CHECKING:
    from torch import Tensor, nn

    Modules = Callable[[], nn.Module]

LOSSES = ("cross_entropy", "mse")


@dataclass(frozen=True)
class AnalysisSubject:
    """A model, numbers for some sizes of its inputs, a state dict by paths, inputs by name (and `target`), a loss.

    `module` makes a fresh module of the model. Whoever needs what is not given refuses (E0810) by the methods here.
    """

    model: Model
    sizes: Mapping[Unknown, int] = field(default_factory=dict)
    weights: Mapping[str, Tensor] | None = None
    data: Mapping[str, Tensor] | None = None
    loss: str | None = None
    module: Modules | None = None
    others: Callable[[str, str], AnalysisSubject] | None = None  # a second model, "FILE:MODEL", and a file of weights
    load: Callable[[str], Mapping[str, Tensor]] | None = None  # a second file of weights

    @property
    def bound(self) -> Model:
        """The model with the sizes that are given as numbers."""
        return replace(self.model, bindings=(*self.model.bindings, *self.sizes.items()))

    @property
    def start(self) -> str:
        """What the weights are, as a result says it."""
        return "weights as declared" if self.weights is None else "weights as given"

    def needed_data(self, analysis: str, *, target: bool = False) -> Mapping[str, Tensor]:
        """The inputs by name, with `target` where it is asked. Raises PassError where one is missing or unknown."""
        names = [value.name for value in self.model.definition.graph.inputs]
        optional = dict(zip(names, self.model.definition.optional, strict=True))
        wanted = [name for name in names if not optional[name]] + (["target"] if target else [])
        if self.data is None:
            raise PassError("E0810", f"`{analysis}` needs data: --data FILE with {', '.join(wanted)}")
        missing = [name for name in wanted if name not in self.data]
        if missing:
            has = ", ".join(self.data) or "nothing"
            raise PassError("E0810", f"`{analysis}` needs {', '.join(missing)} in the data, which has {has}")
        extra = sorted(self.data.keys() - {*names, "target"})
        if extra:
            raise PassError("E0810", f"the data has {', '.join(extra)}; {self.model.name} takes {', '.join(names)}")
        return self.data

    def needed_loss(self, analysis: str) -> str:
        """The name of the loss. Raises PassError where none is given."""
        if self.loss is None:
            raise PassError("E0810", f"`{analysis}` needs a loss: --loss {' or '.join(LOSSES)}")
        return self.loss
