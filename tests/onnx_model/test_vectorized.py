"""Every operation under `over` in ONNX Runtime against torch: one batch, no loop over the axis."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from onnx_model.harness import array, difference, proto_of, session
from ops.cases import Case
from ops.test_vectorized import CASES
from ops.vectorized import LENGTH, vectorized_case

GROUPED = ("conv", "conv_transpose")  # weights of every index for itself are groups, whose number ONNX must know
SCANS = (
    "cumprod",
    "cummax",
    "cummin",
    "linear_scan",
    "solve",
    "solve_triangular",
    "cholesky",
    "inverse",
)  # loops along axes of their own


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_agrees_with_a_loop_in_torch(case: Case) -> None:
    vectorized = vectorized_case(case, torch.float)
    sizes = {
        unknown.name.lstrip("*"): number for unknown, number in vectorized.values.items() if unknown.kind == "pack"
    }
    sizes |= {"n_lifted": LENGTH} if case.op in GROUPED else {}
    for mapped in vectorized.subsets():
        given = vectorized.operands(mapped)
        proto = proto_of(vectorized.model(mapped), sizes=sizes)
        loops = [node.op_type for node in proto.graph.node if node.op_type in ("Scan", "Loop")]
        assert not loops or case.op in SCANS
        feeds = {value.name: array(given[int(value.name[1:])]) for value in proto.graph.input}
        found = session(proto).run(None, feeds)
        for a, b in zip(found, vectorized.loop(given, mapped), strict=True):
            assert difference(np.asarray(a), array(b)) <= 1e-5
