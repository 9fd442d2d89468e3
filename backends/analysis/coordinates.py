"""The coordinate check: how much activations move in the first steps of training, as a width grows.

Under maximal update no slope over the width is far from 0; in the standard form with one rate some layer moves more
the wider the model is (Yang et al. 2022, arXiv:2203.03466, appendix D.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import log
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ogive.backends.analysis.subject import AnalysisSubject
from ogive.backends.compared.flat import taking_flat
from ogive.backends.pytorch.module.module import build
from ogive.backends.weight_conversion.verify import random_inputs
from ogive.compiler.analysis.frame.result import AnalysisResult, AnalysisRow, Cell
from ogive.compiler.ir.model import Model
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.passes.scaling.growth import width_growth
from ogive.compiler.passes.scaling.plan import plan
from ogive.compiler.passes.scaling.report import MupResult, mup

CONVENTION = (
    "slopes of log mean |change of a layer's result| over log width, between the first step and the last; "
    "standard: the program as it is, all rates equal"
)
COLUMNS = ("slope", "slope_standard", "update", "update_standard")
FLATTEST, STEEPEST = 0.1, 0.5
PRODUCTS = (F.linear, F.conv1d, F.conv2d, F.conv3d, F.embedding, torch.einsum, torch.matmul, Tensor.matmul)
PASSED = (torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__, Tensor.to)


class WatchedProducts(TorchFunctionMode):
    """Hears the results of products with parameters, under the names of these, in order."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.names = {id(parameter): name for name, parameter in module.named_parameters()}
        self.kept: list[Tensor] = []  # so that no other tensor takes an identity
        self.found: dict[str, Tensor] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Calls it, and notes what it gave."""
        result = func(*args, **(kwargs or {}))
        if not isinstance(result, Tensor):
            return result
        name = next((self.names[id(x)] for x in _tensors(args) if id(x) in self.names), None)
        if name is not None and func in PASSED:
            self.names[id(result)] = name
            self.kept.append(result)
        elif name is not None and func in PRODUCTS:
            count = sum(each.partition(" ")[0] == name for each in self.found)
            self.found[name if not count else f"{name} ({count + 1})"] = result.detach()
        return result


def _tensors(args: Any) -> Iterator[Tensor]:
    for each in args:
        if isinstance(each, Tensor):
            yield each
        elif isinstance(each, list | tuple):
            yield from _tensors(each)


@dataclass(slots=True)
class Moves:
    """How far each layer has moved, by width."""

    by_layer: dict[str, dict[int, list[float]]] = field(default_factory=dict)

    def note(self, width: int, before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> None:
        """The change of each layer in one run."""
        for name, first in before.items():
            moved = float((after[name] - first).abs().mean())
            self.by_layer.setdefault(name, {}).setdefault(width, []).append(moved)

    def slope(self, name: str) -> float | None:
        """Of the logarithms, by least squares; None where a layer did not move."""
        means = {width: sum(moved) / len(moved) for width, moved in self.by_layer[name].items()}
        if any(mean <= 0 for mean in means.values()) or len(means) < 2:
            return None
        x, y = [log(width) for width in means], [log(mean) for mean in means.values()]
        mx, my = sum(x) / len(x), sum(y) / len(y)
        top = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
        return top / sum((a - mx) ** 2 for a in x)

    def last(self, name: str) -> float:
        """How far it moved at the largest width."""
        moved = self.by_layer[name][max(self.by_layer[name])]
        return sum(moved) / len(moved)


def coordinate_check(
    subject: AnalysisSubject, *, width: str = "", base: int = 64, optimizer: str = "adam", table: int = 8,
    grow: tuple[str, ...] = (), widths: tuple[int, ...] = (64, 128, 256, 512), steps: int = 4, seeds: int = 3,
    lr: float = 0.0,
) -> AnalysisResult:  # fmt: skip
    """A row for each product with a weight: its slope under maximal update, and in the standard form.

    Data are drawn where none are given; the loss is the mean square to drawn targets. Raises PassError for options
    that make no sense, and for Muon, whose optimizer torch alone does not have.
    """
    if optimizer not in ("adam", "sgd"):
        raise PassError("E0810", f"the coordinate check trains with adam or sgd, not `{optimizer}`")
    if len(set(widths)) < max(2, len(widths)) or min(widths) < 1 or steps < 1 or seeds < 1:
        raise PassError(
            "E0810", "a coordinate check takes two widths or more, each once, and at least one step and seed"
        )
    rate = lr or (0.01 if optimizer == "adam" else 0.1)
    scaled, standard = Moves(), Moves()
    plan(subject.model, "mup", width, base, optimizer, table, grow)  # refuses early
    for number in widths:
        model = at_width(subject.model, width, number, grow)
        found = mup(model, width=width, base=base, optimizer=optimizer, table=table, grow=grow)
        wide = plan(model, "mup", width, base, optimizer, table, grow).scaled()
        for seed in range(seeds):
            _run(subject, wide, found, optimizer, rate, steps, seed, number, scaled)
            _run(subject, model, None, optimizer, rate, steps, seed, number, standard)
    return _result(subject, scaled, standard, {
        "width": width, "base": base, "optimizer": optimizer, "table": table, "grow": list(grow),
        "widths": list(widths), "steps": steps, "seeds": seeds, "lr": rate,
    })  # fmt: skip


def at_width(model: Model, width: str, number: int, grow: tuple[str, ...]) -> Model:
    """The model at another width, what grows with it in proportion."""
    growth = width_growth(model, width, number, grow, "mup")
    then = tuple((unknown, value.number) for unknown, value in growth.base.items())
    return replace(model, bindings=(*growth.model.bindings, *then))


def _run(
    subject: AnalysisSubject, model: Model, found: MupResult | None, optimizer: str, lr: float, steps: int, seed: int,
    width: int, moves: Moves,
) -> None:  # fmt: skip
    """Train a fresh module for some steps, and note how far its layers moved on the same inputs."""
    with _seeded(seed):
        module = taking_flat(build(model), model)
        sizes = {unknown.name: number for unknown, number in subject.sizes.items()}
        if subject.data is None:
            inputs = [x.float() if x.is_floating_point() else x for x in random_inputs(model, sizes, seed)]
        else:
            data = subject.needed_data("coordinate_check")
            names = [value.name for value in model.definition.graph.inputs]
            inputs = [data[name] for name in names if name in data]
        plain = [{"params": list(module.parameters()), "lr": lr}]
        groups = plain if found is None else found.parameter_groups(module.named_parameters(), lr)
        made: torch.optim.Optimizer = (
            torch.optim.Adam(groups) if optimizer == "adam" else torch.optim.SGD(groups, lr=lr)
        )
        before = watched(module, inputs)
        out = _first(module(*inputs))
        target = torch.randn_like(out)
        for _ in range(steps):
            made.zero_grad()
            F.mse_loss(_first(module(*inputs)), target).backward()  # type: ignore[no-untyped-call]
            made.step()
        moves.note(width, before, watched(module, inputs))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draws of its own, so that those of the caller go on as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _first(out: Any) -> Tensor:
    """The first output that is of floats. Raises PassError where there is none."""
    for each in out if isinstance(out, list | tuple) else (out,):
        if isinstance(each, Tensor) and each.is_floating_point():
            return each
    raise PassError("E0811", "no output of floats to train for")


def watched(module: nn.Module, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
    """The results of products with weights."""
    mode = WatchedProducts(module)
    with mode, torch.no_grad():
        module(*inputs)
    return mode.found


def _result(subject: AnalysisSubject, scaled: Moves, standard: Moves, options: Mapping[str, Any]) -> AnalysisResult:
    rows, slopes, others = [], [], []
    for name in scaled.by_layer:
        slope = scaled.slope(name)
        other = standard.slope(name) if name in standard.by_layer else None
        slopes += [] if slope is None else [abs(slope)]
        others += [] if other is None else [abs(other)]
        fields: dict[str, Cell] = {
            "slope": None if slope is None else round(slope, 4),
            "slope_standard": None if other is None else round(other, 4),
            "update": float(f"{scaled.last(name):.6g}"),
            "update_standard": float(f"{standard.last(name):.6g}") if name in standard.by_layer else None,
        }
        rows.append(AnalysisRow(name.removesuffix(".weight"), "", fields))
    still = [name for name in scaled.by_layer if scaled.last(name) == 0]
    warnings = [f"`{name}` did not move: no gradient reaches it" for name in still]
    if slopes and max(slopes) > FLATTEST:
        warnings.append(f"a slope is {max(slopes):.3f}, above {FLATTEST}: the scaling is not complete")
    totals: dict[str, Cell] = {
        "largest_slope": round(max(slopes), 4) if slopes else None,
        "largest_slope_standard": round(max(others), 4) if others else None,
    }
    return AnalysisResult(
        "coordinate_check", subject.model.name, options, CONVENTION, totals, tuple(rows), (), tuple(warnings), COLUMNS,
        (), "update",
    )  # fmt: skip
