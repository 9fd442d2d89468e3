"""Every operation inside of `grad`: against differences, in training of what holds the derivative, under `over`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn

from ogive.backends.pytorch.module.file import emit
from ogive.backends.pytorch.module.module import load
from ogive.compiler.ir.model import Model
from ogive.compiler.ops import OPS
from onnx_model.cases import CASES
from ops.cases import Case
from ops.derived import Derived, derived, slope

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
# the derivative is another function's, by its meaning
DEPTH = 2
CUT = ("grad_as", "stop_gradient", "batch_norm_train")
TRIED = [case for case in CASES if not OPS[case.op].random and OPS[case.op].inputs]


def module(model: Model) -> nn.Module:
    """The emitted module in double precision."""
    made: nn.Module = load(emit(model), "Op").Op().double()
    return made


def flat(found: Tensor | Sequence[Tensor]) -> list[Tensor]:
    return [found] if isinstance(found, Tensor) else list(found)


def finite(found: Derived) -> bool:
    """Whether differences say anything: what is infinite on purpose has none."""
    return bool(torch.isfinite(found.energy(found.case.rows[0])))


@pytest.mark.parametrize("case", TRIED, ids=str)
def test_derivatives(case: Case) -> None:
    found = derived(case)
    if found is None or not finite(found):
        return
    net, given = module(found.model()), list(found.case.rows[0])
    grads = flat(net(*given))
    for at, grad in zip(found.wrt, grads, strict=True):
        way = torch.randn_like(given[at])
        if case.op not in CUT:
            close((grad * way).sum(), slope(found.energy, given, at, way))
    weights = [torch.randn_like(grad) for grad in grads]

    def total(operands: Sequence[Tensor]) -> Tensor:
        return torch.stack([(w * g).sum() for w, g in zip(weights, flat(net(*operands)), strict=True)]).sum()

    for at, grad in zip(found.wrt, gradients(total, found.wrt, given), strict=True):
        way = torch.randn_like(given[at])
        if case.op != "grad_as":
            close((grad * way).sum(), slope(total, given, at, way))


def close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", TRIED, ids=str)
def test_forms_inside_of_two_derivatives(case: Case) -> None:
    """The form that is written inside of so many `grad` has that many right derivatives, and one more for training."""
    found, plain = derived(case, DEPTH), derived(case)
    if found is None or plain is None or not finite(found) or case.op in CUT:
        return
    given = list(found.case.rows[0])
    close(found.energy(given), plain.energy(given))
    number: Callable[[Sequence[Tensor]], Tensor] = found.energy
    for _ in range(DEPTH):
        number = weighted(number, found.wrt, [torch.randn_like(given[at]) for at in found.wrt])
    for at, grad in zip(found.wrt, gradients(number, found.wrt, given), strict=True):
        way = torch.randn_like(given[at])
        wanted = slope(number, given, at, way)
        torch.testing.assert_close((grad * way).sum(), wanted, rtol=1e-3, atol=1e-3)


def gradients(
    number: Callable[[Sequence[Tensor]], Tensor], wrt: Sequence[int], operands: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """The derivatives in some operands."""
    leaves = [
        x.requires_grad_() if at in wrt and not x.requires_grad else x
        for at, x in enumerate(map(torch.clone, operands))
    ]
    result, floats = number(leaves), [leaves[at] for at in wrt]
    if not result.requires_grad:
        return tuple(map(torch.zeros_like, floats))
    return torch.autograd.grad(result, floats, create_graph=True, allow_unused=True, materialize_grads=True)


def weighted(
    number: Callable[[Sequence[Tensor]], Tensor], wrt: Sequence[int], weights: Sequence[Tensor]
) -> Callable[[Sequence[Tensor]], Tensor]:
    """The sum of the derivatives of a number, each times weights."""

    def total(operands: Sequence[Tensor]) -> Tensor:
        grads = gradients(number, wrt, operands)
        return torch.stack([(weight * grad).sum() for weight, grad in zip(weights, grads, strict=True)]).sum()

    return total
