"""What passes see of weights, and of a model on data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ogive.backends.analysis.subject import AnalysisSubject
from ogive.backends.pytorch.module.module import build
from ogive.backends.weight_conversion.fisher import InverseFisher, LossSlopes, slopes_of
from ogive.backends.weight_conversion.run import convert
from ogive.backends.weights.paths import slots
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ir.weights import WeightInfo, weights
from ogive.compiler.passes.conversion.compose import chained
from ogive.compiler.passes.conversion.graph import Conversion
from ogive.compiler.passes.conversion.looks import ByTurn, SnapshotBasis, Span
from ogive.compiler.passes.conversion.result import PassError

DAMPING = 1e-5  # of F: what the peer that wrote of these products adds is as small


class Looked:
    """The weights that a conversion gives of a state dict, and data for the inputs of its source."""

    def __init__(
        self, conversion: Conversion, state: Mapping[str, Tensor], data: Mapping[str, Tensor] | None = None,
        loss: str | None = None,
    ) -> None:  # fmt: skip
        self.conversion, self.state, self.data, self.loss = conversion, state, data, loss
        self.infos = {info.path: info for info in weights(conversion.result)}
        self.sums = cache(self._sums)

    @cached_property
    def made(self) -> dict[str, Tensor]:
        """The weights in float64."""
        return convert(self.conversion, self.state, None)

    def _sums(self, what: str, path: str, axis: int) -> ByTurn:
        """Sums over all axes of a weight but one; see `Looks`."""
        return [along(self._numbers(what, name), axis) for name in self.infos[path].paths()]

    def _numbers(self, what: str, name: str) -> Tensor:
        w = self.made[name]
        match what:
            case "energy":
                return w.square()
            case "slope":
                return w * self.slopes.mean[name]
            case "gradient":
                return self.slopes.mean[name].square()
        inverse = InverseFisher(self.slopes.parts[name], DAMPING)
        return w.square() / (2 * inverse.diagonal.reshape(w.shape))

    @cached_property
    def slopes(self) -> LossSlopes:
        """The gradients of the loss on the data. Raises PassError where one of these is missing."""
        subject = AnalysisSubject(self.conversion.source, {}, None, self.data, self.loss)
        data = subject.needed_data("prune", target=True)
        module = build(self.conversion.result).double().eval()
        module.load_state_dict(self.made)
        inputs = self._cast(data, _double)
        return slopes_of(module, inputs, data["target"], subject.needed_loss("prune"))

    def distances(self, path: str, axis: int) -> Sequence[Sequence[Sequence[float]]]:
        """Squares of distances between entries of an axis; see `Looks`."""
        found = []
        for name in self.infos[path].paths():
            rows = self.made[name].double().movedim(axis, 0).reshape(self.made[name].shape[axis], -1)
            found.append(torch.stack([(rows - row).square().sum(1) for row in rows]).tolist())
        return found

    def numbers(self, path: str) -> Sequence[Any]:
        """The numbers of a weight; see `Looks`."""
        found: list[Any] = self.made[path].tolist()
        return found

    def others(self, file: str) -> Mapping[str, tuple[Any, ...]]:
        """The weights of a file; see `Looks`."""
        try:
            held = load_file(file)
        except Exception as error:  # of what is no file, and of what is none of safetensors
            raise PassError("E0810", f"`{file}` is no file of safetensors: {error}") from None
        wanted = {path: slot.shape for path, slot in slots(self.conversion.result).items()}
        found = {name: tuple(tensor.shape) for name, tensor in held.items()}
        if found != wanted:
            names = [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]
            raise PassError("E0810", f"`{file}` holds other weights than {self.conversion.result.name}: {names[0]}")
        return {path: _nested(held, info) for path, info in self.infos.items()}

    def spans(self, probed: Conversion, names: Sequence[str]) -> Mapping[str, Sequence[Span]]:
        """The span of what is divided by each of these states, on all data at once."""
        model, first = probed.result, chained(self.conversion, probed)
        inputs = self.inputs("quantize")
        module = build(model).eval()
        module.load_state_dict(convert(first, self.state, torch.float32))
        infos = {info.path: info for info in weights(model)}
        paths = {path: list(infos[path].paths()) for path in names}
        seen = SeenSpans(module, [path for each in paths.values() for path in each])
        with seen, torch.no_grad():
            module(*inputs)
        return {name: [seen.found.get(path, (0.0, 0.0)) for path in paths[name]] for name in names}

    def snapshots(self, probed: Conversion, groups: Sequence[tuple[Sequence[int], int]]) -> Sequence[SnapshotBasis]:
        """Bases of outputs of a model on the data, in float64."""
        inputs = self.inputs("reduce_order", _double)
        module = build(probed.result).double().eval()
        module.load_state_dict(convert(chained(self.conversion, probed), self.state, None))
        with torch.no_grad():
            outputs = module(*inputs)
        found = []
        for places, rank in groups:
            rows = torch.cat([outputs[at].reshape(-1, outputs[at].shape[-1]) for at in places])
            if not rows.isfinite().all():
                raise PassError("E0811", "on the data there is NaN or an infinity in the loop")
            found.append(snapshot_basis(rows, rank))
        return found

    def inputs(self, name: str, cast: Callable[[Tensor], Tensor] | None = None) -> list[Tensor | None]:
        """The data in the order of the inputs, in float32 or as `cast` makes it; None for optional ones that lack."""
        cast = cast or _single
        subject = AnalysisSubject(self.conversion.source, {}, None, self.data)
        data = subject.needed_data(name)
        return self._cast(data, cast)

    def _cast(self, data: Mapping[str, Tensor], cast: Callable[[Tensor], Tensor]) -> list[Tensor | None]:
        """The data in the order of the inputs: those whose elements follow the module as `cast` makes them. Raises
        `PassError` where a pass before has fixed other sizes.
        """
        found: list[Tensor | None] = []
        for value, own in zip(
            self.conversion.source.definition.graph.inputs, self.conversion.result.definition.graph.inputs, strict=True
        ):
            x = data.get(value.name)
            found.append(x if x is None or own.type.elem != "float" else cast(x))
            if x is not None and not _fits(x, own.type):
                text = f"`{value.name}` of the data is {list(x.shape)}, and a pass before has made it {own.type}"
                raise PassError("E0810", text, "put `specialize` behind, or give data of this shape")
        return found


def snapshot_basis(rows: Tensor, rank: int) -> SnapshotBasis:
    """Directions of rows [N, n] by their singular values (POD), and entries by the greedy choice of DEIM.

    Chaturantabut and Sorensen 2010, "Nonlinear model reduction via discrete empirical interpolation".
    """
    n = rows.shape[1]
    small = torch.linalg.qr(rows, mode="r").R if rows.shape[0] > n else rows
    full, singular, _ = torch.linalg.svd(small.T, full_matrices=True)
    vectors = full[:, : min(rank, n)]
    places: list[int] = []
    for at in range(vectors.shape[1]):
        known, next_ = vectors[:, :at], vectors[:, at]
        rest = next_ - known @ torch.linalg.solve(known[places], next_[places]) if places else next_
        places.append(int(rest.abs().argmax()))
    lift = torch.linalg.solve(vectors[places].T, vectors.T).T
    total = float(singular.square().sum())
    kept = float(singular[: vectors.shape[1]].square().sum()) / total if total else 1.0
    return SnapshotBasis(_listed(vectors), places, _listed(lift), kept)


def _fits(x: Tensor, type: TensorType) -> bool:
    """Whether a tensor has the lengths that are fixed."""
    if any(axis.pack is not None for axis in type.axes):
        return True
    return all(not a.size.is_number or a.size.number == n for a, n in zip(type.axes, x.shape, strict=True))


def _listed(matrix: Tensor) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, matrix.tolist()))


def _double(x: Tensor) -> Tensor:
    return x.double() if x.is_floating_point() else x


class SeenSpans(TorchFunctionMode):
    """Keeps the smallest and the largest of what is divided by some states of a module."""

    def __init__(self, module: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        asked = set(names)
        states = [*module.named_buffers(), *module.named_parameters()]
        self.names = {id(state): name for name, state in states if name in asked}
        self.found: dict[str, Span] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Calls it, and looks at what it divides."""
        if len(args) == 2 and id(args[1]) in self.names and isinstance(args[0], Tensor) and args[0].numel():
            low, high = map(float, args[0].aminmax())
            if not (low > -torch.inf and high < torch.inf):
                name = self.names[id(args[1])]
                raise PassError("E0811", f"on the data there is NaN or an infinity at `{name}`")
            before = self.found.get(self.names[id(args[1])], (low, high))
            self.found[self.names[id(args[1])]] = (min(low, before[0]), max(high, before[1]))
        return func(*args, **(kwargs or {}))


def _nested(held: Mapping[str, Tensor], info: WeightInfo) -> Any:
    parts = torch.stack([held[name] for name in info.paths()])
    found: Any = parts.reshape(*info.iterations, *info.shape).tolist()
    return _tuples(found)


def _tuples(numbers: Any) -> Any:
    return tuple(map(_tuples, numbers)) if isinstance(numbers, list) else numbers


def _single(x: Tensor) -> Tensor:
    return x.float() if x.is_floating_point() else x


def along(squares: Tensor, axis: int) -> list[float]:
    """Sums over all axes but one."""
    others = [at for at in range(squares.ndim) if at != axis]
    found: list[float] = (squares.sum(others) if others else squares).tolist()
    return found
