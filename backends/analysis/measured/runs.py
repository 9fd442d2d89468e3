"""A module on data: the products with its weights, a loss, and what the methods are given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ogive.backends.analysis.subject import AnalysisSubject
from ogive.backends.compared.flat import taking_flat
from ogive.compiler.passes.conversion.result import PassError

PRODUCTS = (F.linear, F.conv1d, F.conv2d, F.conv3d, torch.matmul, Tensor.matmul)
RELUS = (F.relu, torch.relu, Tensor.relu)


@dataclass(frozen=True, slots=True)
class SeenProduct:
    """What a product with a weight was given and gave, [examples, ..., features]."""

    path: str
    given: Tensor
    made: Tensor
    weight: Tensor


class SeenProducts(TorchFunctionMode):
    """Keeps what products with parameters are given and give, and the results of ReLUs."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.names = {id(parameter): name for name, parameter in module.named_parameters()}
        self.found: list[SeenProduct] = []
        self.relus: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Calls it, and keeps what it took and gave."""
        result = func(*args, **(kwargs or {}))
        if func in RELUS:
            self.relus.append(result)
        named = [x for x in args if isinstance(x, Tensor) and id(x) in self.names]
        others = [x for x in args if isinstance(x, Tensor) and id(x) not in self.names]
        if func in PRODUCTS and named and others:
            name = self.names[id(named[0])].removesuffix(".weight")
            self.found.append(SeenProduct(name, others[0], result, named[0]))
        return result


@dataclass(frozen=True, slots=True)
class DataRun:
    """A module in use, its inputs in order, and the target where one is asked."""

    module: nn.Module
    inputs: tuple[Tensor, ...]
    target: Tensor | None = None

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.inputs)

    def output(self) -> Tensor:
        """The first output of floats."""
        return first_output(self.module(*self.inputs))

    def seen(self) -> SeenProducts:
        """What happens inside, without gradients."""
        mode = SeenProducts(self.module)
        with mode, torch.no_grad():
            self.module(*self.inputs)
        return mode


def first_output(out: Any) -> Tensor:
    """The first output of floats. Raises PassError where there is none."""
    for each in out if isinstance(out, list | tuple) else (out,):
        if isinstance(each, Tensor) and each.is_floating_point():
            return each
    raise PassError("E0811", "the model has no output of floats")


def data_run(subject: AnalysisSubject, analysis: str, *, target: bool = False) -> DataRun:
    """The module with the weights of the subject, in float64, on its data. Raises PassError where data are missing."""
    data = subject.needed_data(analysis, target=target)
    names = [value.name for value in subject.model.definition.graph.inputs if value.name in data]
    inputs = tuple(_double(data[name]) for name in names)
    if target and (data["target"].dim() == 0 or len(data["target"]) != len(inputs[0])):
        shape = list(data["target"].shape)
        raise PassError("E0810", f"the target is {shape}: it has an entry for each of {len(inputs[0])} examples")
    return DataRun(module_of(subject), inputs, _double(data["target"]) if target else None)


def module_of(subject: AnalysisSubject, state: Mapping[str, Tensor] | None = None) -> nn.Module:
    """A module with given weights, else those of the subject, else fresh ones of one seed."""
    assert subject.module is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = taking_flat(subject.module().eval(), subject.model)
    given = subject.weights if state is None else state
    if given is not None:
        module.load_state_dict(dict(given))
    return module.to(torch.float64)


def _double(x: Tensor) -> Tensor:
    return x.to(torch.float64) if x.is_floating_point() else x


def loss_of(name: str, out: Tensor, target: Tensor) -> Tensor:
    """The loss of outputs. Raises PassError where the target does not fit."""
    if name == "mse":
        if out.shape != target.shape:
            raise PassError("E0810", f"mse compares outputs {list(out.shape)} with a target {list(target.shape)}")
        return F.mse_loss(out, target.to(out.dtype))
    if target.is_floating_point() or target.shape != out.shape[:1] + out.shape[2:]:
        shape = f"{list(out.shape)}"
        raise PassError(
            "E0810", f"cross_entropy takes numbers of classes as target, of the shape of {shape} without axis 1"
        )
    low, high = int(target.min()), int(target.max())
    if low < 0 or high >= out.shape[1]:
        raise PassError("E0810", f"the target holds classes from {low} to {high}: there are {out.shape[1]} of them")
    return F.cross_entropy(out, target)


def rows_of(x: Tensor) -> Tensor:
    """[examples and positions, features]: of images axis 1 has the features, of all else the last."""
    moved = x.movedim(1, -1) if x.dim() == 4 else x
    return moved.reshape(-1, moved.shape[-1])


def cka(a: Tensor, b: Tensor) -> float:
    """Linear CKA of two matrices of the same examples (Kornblith et al. 2019, arXiv:1905.00414)."""
    x, y = a - a.mean(0), b - b.mean(0)
    across = float((x.T @ y).square().sum())
    alone = float((x.T @ x).norm() * (y.T @ y).norm())
    return across / alone if alone else 0.0


def rank(values: Sequence[float]) -> int:
    """How many of the eigenvalues of a matrix are none of rounding."""
    top = max(values, default=0.0)
    return sum(value > top * 1e-10 for value in values) if top > 0 else 0
