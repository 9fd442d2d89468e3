"""The faults of torch that are mended are there: a version without one needs no mending."""

from __future__ import annotations

import torch

from generated.torch_faults import mended_torch


def slope(x: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    leaf = x.clone().requires_grad_()
    y = torch.nn.functional.batch_norm(leaf, torch.zeros(2), torch.ones(2))
    (found,) = torch.autograd.grad(y, leaf, flow)
    return found


def test_batch_norm_reads_gradients_in_another_order() -> None:
    x, g = torch.randn(2, 2, 2, 1), torch.randn(2, 2, 2, 1)
    strided = torch.empty_strided((2, 2, 2, 1), (4, 1, 2, 4)).copy_(g)
    wanted = g / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(slope(x, g), wanted)
    assert not torch.allclose(slope(x, strided), wanted)
    with mended_torch():
        torch.testing.assert_close(slope(x, strided), wanted)


def test_group_norm_of_one_entry_has_a_slope() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, 2, dtype=torch.float64, generator=generator).requires_grad_()
    flow = torch.randn(4, 2, dtype=torch.float64, generator=generator)
    weight = torch.tensor([1e6, -2e6], dtype=torch.float64)

    def found() -> float:
        (g,) = torch.autograd.grad(torch.group_norm(x, 2, weight), x, flow)
        return float(g.abs().max())

    assert found() > 1e-9
    with mended_torch():
        assert found() == 0
