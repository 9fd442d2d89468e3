"""The kernel of one network of finite width: Σ over weights of their variance times J Jᵀ, by `torch.func`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

MOST = 1 << 27  # numbers of a Jacobian


def empirical_ntk(module: nn.Module, inputs: Sequence[Tensor], variances: Mapping[str, float]) -> Tensor | None:
    """[examples, examples], the mean over output entries; weights that start fixed do not count.

    In the parametrization of the NTK a weight is σ/√fan ω with ω of variance 1, so that a gradient in ω is that in the
    weight times its deviation. None where the Jacobian is larger than 2²⁷ numbers, or where there
    is no axis of examples.
    """
    names = {name: p.detach() for name, p in module.named_parameters() if variances.get(name)}
    with torch.no_grad():
        out = module(*inputs)
    if out.dim() < 2 or any(x.dim() < 2 or len(x) != len(out) for x in inputs):
        return None
    each = out[0].numel()
    if len(out) * each * sum(p.numel() for p in names.values()) > MOST:
        return None

    def one(weights: dict[str, Tensor], *x: Tensor) -> Tensor:
        found: Tensor = functional_call(module, weights, tuple(item[None] for item in x))
        return found.reshape(-1)

    rows = vmap(jacrev(one), (None, *[0] * len(inputs)))(names, *inputs)
    total = torch.zeros(len(out), len(out), dtype=torch.float64)
    for name, jacobian in rows.items():
        flat = jacobian.detach().reshape(len(out), each, -1).to(torch.float64)
        total += variances[name] * torch.einsum("aop, bop -> ab", flat, flat) / each
    return total
