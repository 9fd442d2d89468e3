"""Folds a model, and compares both forms on random weights and inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from ogive.backends.pytorch.module.module import build
from ogive.backends.weight_conversion.run import convert
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ir.model import Model
from ogive.compiler.ir_tools.verify import verify
from ogive.compiler.passes.cleanup.deploy_flatten import deployed
from ogive.compiler.passes.conversion.result import Passed
from ogive.compiler.passes.weight_folding.driver import fold

USES = """use std.nn (Embedding, Linear, BatchNorm, LayerNorm, RMSNorm, GroupNorm, LayerScale, Dropout)
use std.reparam (ConvNorm, MobileOneBlock, DiverseBranch, AsymmetricConv, LargeKernel, RepMixer)
use std.vision (Conv, ConvTranspose)
"""


@cache
def model(body: str, types: str = "(x: [b, 4, h, w]) -> [b, c', h', w']") -> Model:
    """The model of a block with this body."""
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    program = check_text(f"{USES}\nblock B{types}:\n{lines}\n\nmodel M = B[]\n")
    errors = [d for d in program.diagnostics if d.severity == "error"]
    assert not errors, errors
    return program.models["M"].ir


def randomized(net: nn.Module, seed: int = 0) -> nn.Module:
    """A module in which no weight has its usual start, so that no term of a formula hides."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            noise = torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
            if name.endswith("running_var") or (tensor.dim() == 1 and not name.endswith(("bias", "mean"))):
                tensor.copy_(noise + 0.5)
            elif tensor.is_floating_point():
                tensor.copy_(noise - 0.5)
    return net


@dataclass(frozen=True)
class Folded:
    """A model, and what folding made of it."""

    passed: Passed
    source: nn.Module
    result: nn.Module

    @property
    def ops(self) -> Counter[str]:
        """The operations of the result."""
        return Counter(node.op for node in deployed(self.passed.model).definition.graph.walk() if node.op != "weight")

    def error(self, x: Tensor) -> float:
        """The largest difference, relative to the largest value."""
        with torch.no_grad():
            wanted, found = self.source(x), self.result(x)
        assert wanted.shape == found.shape
        return float((wanted - found).abs().max() / wanted.abs().max().clamp_min(1e-9))


def folded(source: Model, **options: bool) -> Folded:
    """The model in float64 beside its folded form with converted weights."""
    passed = fold(source, **options)
    verify(passed.model)
    verify(passed.conversion.definition)
    net = randomized(build(source).double().eval())
    return Folded(passed, net, loaded(passed, net.state_dict()))


def loaded(passed: Passed, state: Mapping[str, Tensor]) -> nn.Module:
    """The folded module in float64."""
    result = build(passed.model).double().eval()
    result.load_state_dict(convert(passed.conversion, state, None))
    return result


def image(*shape: int) -> Tensor:
    """A random input in float64."""
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
