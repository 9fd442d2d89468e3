"""One instance that is applied in several ways: with and without optional inputs, at several ranks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from language.harness import Case, Weights


def lin(w: Weights, path: str, x: Tensor) -> Tensor:
    """`nn.Linear` by its path."""
    return F.linear(x, w[f"{path}.weight"], w[f"{path}.bias"])


def masked(w: Weights, path: str, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """F of the programs."""
    y = lin(w, f"{path}.lin", x)
    return y if mask is None else torch.where(mask, y, torch.zeros_like(y))


def _mask(w: Weights, x: Tensor, mask: Tensor) -> Tensor:
    return masked(w, "g", masked(w, "g", masked(w, "f", masked(w, "f", x), mask), mask))


def _cross(w: Weights, x: Tensor, memory: Tensor | None = None) -> Tensor:
    y = lin(w, "f.f.own", x)
    return y if memory is None else y + lin(w, "f.f.kv", memory).mean(1) * memory.shape[1]


def _nested(w: Weights, x: Tensor, memory: Tensor | None = None) -> Tensor:
    return _cross(w, _cross(w, x).tanh(), memory)


def _memory(w: Weights, x: Tensor, memory: Tensor, more: Tensor) -> Tensor:
    for _ in range(2):
        x = _nested(w, _nested(w, x), memory)
    return _nested(w, _nested(w, x, more))


def _handed(w: Weights, x: Tensor, mask: Tensor) -> Tensor:
    for _ in range(2):
        x = masked(w, "f", masked(w, "f", x).tanh(), mask)
    x = masked(w, "f", x).tanh()
    x = masked(w, "f", masked(w, "f", x).tanh(), mask)
    for i in range(2):
        x = masked(w, f"h.{i}.own", x, mask) + masked(w, f"h.{i}.own", x)
    return masked(w, "last.f", masked(w, "last.f", x).tanh())


def _through(w: Weights, x: Tensor, m: Tensor) -> Tensor:
    y = lin(w, "f.lin", x)
    return y + y * m


def _ranks(w: Weights, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    found = [lin(w, "f.lin", each) for each in (x, y)]
    return tuple(each.tanh() * each.sigmoid() + each.sigmoid() for each in found)


CASES = (
    Case("an_instance_with_and_without_a_mask", ((2, 4), (2, 4)), _mask, "fb"),
    Case("an_instance_with_and_without_a_memory", ((2, 4), (2, 3, 4), (2, 5, 4)), _memory),
    Case("an_instance_handed_on_with_and_without_a_mask", ((2, 4), (2, 4)), _handed, "fb"),
    Case("an_optional_input_handed_through", ((2, 4), (2, 4)), _through),
    Case(
        "an_instance_at_two_sizes", ((2, 4), (5, 4)), lambda w, x, y: (lin(w, "f.lin", x) * 2, lin(w, "f.lin", y) * 5)
    ),
    Case("an_instance_at_two_ranks", ((2, 4), (2, 3, 4)), _ranks),
)
