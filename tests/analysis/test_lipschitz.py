"""`lipschitz`: between the norm of sampled Jacobians and the product of norms; norms of matrices from above."""

from __future__ import annotations

from itertools import pairwise
from math import prod, sqrt

import pytest
import torch

import ogive
from analysis.boxes import NET, subject
from analysis.measured import EXAMPLES, sizes_of
from analysis.measured import drawn as inputs_of
from analysis.random_programs import random_models
from ogive.backends.analysis.lipschitz.norms import chain_norm, matrix_norm
from ogive.backends.analysis.lipschitz.report import lipschitz
from ogive.backends.analysis.subject import AnalysisSubject
from ogive.compiler.analysis.frame.result import AnalysisResult
from ogive.compiler.passes.conversion.result import PassError


def ordered(found: AnalysisResult) -> tuple[float, float, float]:
    """Sampled, bound, product, which are in this order."""
    values = [found.totals[name] for name in ("sampled", "bound", "product")]
    numbers = [float("inf") if each is None else float(each) for each in values]  # type: ignore[arg-type]
    sampled, bound, product = numbers
    assert (0 if values[0] is None else sampled) <= bound * (1 + 1e-9)
    assert bound <= product
    return sampled, bound, product


@pytest.mark.parametrize("act", ["relu", "tanh", "sin", "gelu", "sigmoid", "leaky_relu", "silu"])
@pytest.mark.parametrize("eps", [None, 0.3])
def test_the_bound_is_between_samples_and_the_product(act: str, eps: float | None) -> None:
    text = NET.format(inputs=4, width=16, act=act, body="g")
    ordered(lipschitz(subject(ogive.source(text)["M"], scale=2.0, b=1), eps=eps))


def test_of_a_linear_model_the_bound_is_the_norm() -> None:
    body = "x |> Linear[5, 6] as a |> Linear[6, 7] as b"
    text = f"use std.nn (Linear)\nblock B(x: [n, 5]) -> [n, 7]:\n    return {body}\nmodel M = B\n"
    asked = subject(ogive.source(text)["M"], n=1)
    assert asked.weights is not None
    whole = asked.weights["b.weight"].double() @ asked.weights["a.weight"].double()
    found = lipschitz(asked)
    assert found.totals["sampled"] == pytest.approx(float(torch.linalg.matrix_norm(whole, 2)), rel=1e-6)
    ordered(found)


@pytest.mark.parametrize("seed", range(3))
def test_chains_are_better_than_products_and_sound(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    sizes = (6, 20, 20, 20, 4)
    matrices = [torch.randn(b, a, generator=generator, dtype=torch.float64) / sqrt(a) for a, b in pairwise(sizes)]
    bound = chain_norm(matrices, [1.0] * 3)
    product = prod(float(torch.linalg.matrix_norm(each, 2)) for each in matrices)
    assert bound <= product
    assert bound < 0.8 * product  # as in the sheet: 5.47 -> 3.23, 9.88 -> 4.63
    for _ in range(50):
        whole = matrices[0]
        for matrix in matrices[1:]:
            slopes = torch.rand(len(whole), generator=generator, dtype=torch.float64).round()
            whole = matrix @ (slopes[:, None] * whole)
        assert float(torch.linalg.matrix_norm(whole, 2)) <= bound


@pytest.mark.parametrize("shape", [(3, 3), (20, 5), (5, 40), (1, 7), (540, 530)])
def test_norms_of_matrices_are_from_above_and_close(shape: tuple[int, int]) -> None:
    for matrix in (torch.randn(shape, dtype=torch.float64), torch.eye(*shape, dtype=torch.float64),
                   torch.zeros(shape, dtype=torch.float64), torch.ones(shape, dtype=torch.float64)):  # fmt: skip
        norm = float(torch.linalg.matrix_norm(matrix, 2))
        assert norm <= matrix_norm(matrix) <= 1.2 * norm + 1e-12


@pytest.mark.parametrize("name", ["mlp", pytest.param("resnet", marks=pytest.mark.slow),
                                  pytest.param("mobilenet_v2", marks=pytest.mark.slow)])  # fmt: skip
def test_examples(name: str) -> None:
    model = ogive.load(next(path for path in EXAMPLES if path.stem == name)).models["Tiny"]
    sizes = {"b": 1} if name == "mlp" else {"b": 1, "h": 8, "w": 8}
    _, bound, _ = ordered(lipschitz(subject(model, **sizes), eps=0.1))
    assert bound < float("inf")


@pytest.mark.parametrize("count", [4, pytest.param(60, marks=pytest.mark.slow)])
def test_random_programs(count: int) -> None:
    for model in random_models(count, "lipschitz"):
        at = next(sizes_of(model.ir, (2, 3, 4, 8, 1)), None)
        if at is None:
            continue
        torch.manual_seed(0)
        values = zip(model.ir.definition.graph.inputs, inputs_of(model.ir, at), strict=True)
        data = {value.name: given for value, given in values}
        asked = AnalysisSubject(model.ir, at, dict(model.torch().state_dict()), data, None, model.torch)
        try:
            found = lipschitz(asked, eps=0.1)
        except PassError:  # no input of floats
            continue
        ordered(found)


def test_what_makes_no_sense_is_refused() -> None:
    model = ogive.load(EXAMPLES[0].with_name("mlp.arch")).models["Tiny"]
    with pytest.raises(PassError, match="at least 0"):
        lipschitz(subject(model, b=1), eps=-1.0)
    with pytest.raises(PassError, match="needs numbers for b"):
        lipschitz(subject(model))
