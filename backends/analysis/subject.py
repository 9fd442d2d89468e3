"""What analyses that compute on numbers are given: a model at sizes, and weights, data and a loss where they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ogive.compiler.ir.model import Model
from ogive.compiler.ir.types import FLOATS
from ogive.compiler.passes.analysis.ranges import index_ranges
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.sizes import Size, Unknown, size

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
        self._fitting(self.data)
        return self.data

    def _fitting(self, data: Mapping[str, Tensor]) -> None:
        """Refuse data that the model does not take: other shapes, no numbers, none at all, indices of nothing."""
        known = {unknown: size(number) for unknown, number in (*self.model.bindings, *self.sizes.items())}
        for value in self.model.definition.graph.inputs:
            if value.name not in data:
                continue
            x, said = data[value.name], f"`{value.name}` of the data"
            shape = list(x.shape)
            if not x.numel():
                raise PassError("E0810", f"{said} is empty: {shape}")
            if not bool(x.isfinite().all()):
                raise PassError("E0810", f"{said} holds NaN or infinities")
            if x.is_floating_point() != (value.type.elem in FLOATS) and value.type.elem != "complex":
                raise PassError("E0810", f"{said} is {x.dtype}, `{value.type}` is asked")
            axes = value.type.axes
            packs = [at for at, axis in enumerate(axes) if axis.pack is not None]
            if packs:  # what stands behind is compared
                axes = axes[packs[-1] + 1 :]
                shape = shape[max(len(shape) - len(axes), 0) :]
            if len(axes) != len(shape):
                raise PassError(
                    "E0810", f"{said} has {len(shape)} axes: `{value.type}` has {len(value.type.axes)} axes"
                )
            for axis, number in zip(axes, shape, strict=True):
                if axis.size.unknowns - known.keys() and len(axis.size.unknowns) == 1:
                    (unknown,) = axis.size.unknowns
                    if axis.size == size(unknown):
                        known[unknown] = size(number)
                told = axis.size.subs(known)
                if told.is_number and told.number != number:
                    text = f"{said} is {list(x.shape)}: `{axis}` of `{value.type}` is {told}, not {number}"
                    raise PassError("E0810", text)
        self._inside(data, known)

    def _inside(self, data: Mapping[str, Tensor], known: dict[Unknown, Size]) -> None:
        """Refuse integers that are indices of nothing."""
        graph = self.model.definition.graph
        if any(
            unknown not in known for value in graph.inputs for axis in value.type.axes for unknown in axis.size.unknowns
        ):
            return
        for value, span in zip(graph.inputs, index_ranges(self.model, known), strict=True):
            if span is not None and value.name in data and value.type.elem not in FLOATS:
                low, high = int(data[value.name].min()), int(data[value.name].max())
                if low < span[0] or high > span[1]:
                    text = f"`{value.name}` of the data holds {low} to {high}: {span[0]} to {span[1]} are indices"
                    raise PassError("E0810", text)

    def needed_loss(self, analysis: str) -> str:
        """The name of the loss. Raises PassError where none is given."""
        if self.loss is None:
            raise PassError("E0810", f"`{analysis}` needs a loss: --loss {' or '.join(LOSSES)}")
        return self.loss
