"""Each small program gives in torch, and in ONNX Runtime, what the same written by hand gives."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
import torch

from language.blocks import CASES as BLOCKS
from language.calls import CASES as CALLS
from language.harness import Case, compare, flat
from language.loops import CASES as LOOPS
from ogive.compiler.ir_tools.verify import verify

CASES = (*LOOPS, *BLOCKS, *CALLS)


def test_there_are_sixty() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 60


@pytest.mark.parametrize("case", CASES, ids=str)
def test_results_and_gradients_are_those_of_torch(case: Case) -> None:
    compare(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_onnx_gives_the_same(case: Case, tmp_path: Path) -> None:
    net, given = case.net().float().eval(), case.inputs()
    narrow = {torch.float64: torch.float32, torch.complex128: torch.complex64}
    given = [x.to(narrow.get(x.dtype, x.dtype)) for x in given]
    case.model().onnx(tmp_path / "m.onnx", weights=net)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    fed = [torch.view_as_real(x) if x.is_complex() else x for x in given]
    found = session.run(None, {i.name: x.numpy() for i, x in zip(session.get_inputs(), fed, strict=True)})
    for y, z in zip(found, flat(net(*given)), strict=True):
        wanted = torch.view_as_real(z) if z.is_complex() else z
        torch.testing.assert_close(torch.from_numpy(y), wanted.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_summed_up_drawn_and_folded(case: Case) -> None:
    model = case.model()
    assert model.summary()
    assert model.diagram().text("svg").startswith("<svg")
    folded = model.deploy("fold")
    verify(folded.ir)
    assert folded.verify(case.net().eval()).relative < 1e-9
