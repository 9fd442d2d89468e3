"""Every weight starts as the source says, whichever way the emitted constructor sets it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ogive
from ogive.backends.pytorch.module.module import build
from ogive.backends.pytorch.weights.inits import FUNCTIONS
from ogive.compiler.ir.weights import weights
from pytorch.catalog import model, names

CONSTANT = {"zeros": 0.0, "ones": 1.0}


class Recorder:
    """Stands for the functions of nn.init: notes which one filled a tensor last, and with what numbers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.last: dict[int, tuple[str, set[float]]] = {}
        for name in {function for function, _ in FUNCTIONS.values()}:
            monkeypatch.setattr(nn.init, name, self._noting(name, getattr(nn.init, name)))

        monkeypatch.setattr(torch.func, "stack_module_state", self._stacking(torch.func.stack_module_state))

    def _stacking(self, original: Any) -> Any:
        def stack(modules: list[nn.Module]) -> Any:
            weights, states = original(modules)
            for path, value in weights.items():
                noted = self.last.get(modules[0].get_parameter(path).data_ptr())
                if noted is not None:
                    self.last[value.data_ptr()] = noted
            return weights, states

        return stack

    def _noting(self, name: str, original: Any) -> Any:
        def fill(tensor: Tensor, *args: Any, **settings: Any) -> Tensor:
            result: Tensor = original(tensor, *args, **settings)
            given = (*args, *settings.values())
            self.last[tensor.data_ptr()] = (name, {round(x, 9) for x in given if isinstance(x, int | float)})
            return result

        return fill


@pytest.mark.parametrize("name", names())
def test_each_weight_starts_as_the_source_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    of = model(name)
    recorder = Recorder(monkeypatch)
    state = build(of).state_dict(keep_vars=True)
    for info in weights(of):
        for path in info.paths():
            value = state[path]
            if info.init.name in CONSTANT:
                assert value.eq(CONSTANT[info.init.name]).all(), path
            elif info.init.name == "constant":
                assert value.unique().numel() == 1, path
            elif info.init.name != "expression" and info.weight.keep is None and not info.init.graph:
                function, numbers = recorder.last.get(value.data_ptr(), ("nothing", set()))
                assert function == f"{info.init.name}_", path
                wanted = {round(x, 9) for _, x in info.init.attrs if isinstance(x, float) and x not in (0.0, 1.0)}
                assert wanted <= numbers, path


def test_whole_numbers_fill_floats() -> None:
    """`torch.full` makes integers of a whole number, which no parameter may hold."""
    text = """
block C[d](x: [b, d]) -> [b, d]:
    param a: [d] = constant[2]
    param b: [] = constant[d]
    param c: [d] = constant[d // 2]
    state i: int[d] = constant[3]
    return x * a * b * c * cast[float](i)
model M = C[4]
"""
    net = ogive.source(text).models["M"].torch()
    assert net(torch.ones(1, 4)).tolist() == [[48.0] * 4]
    assert {name: tensor.dtype for name, tensor in net.state_dict().items()} == {
        "a": torch.float32, "b": torch.float32, "c": torch.float32, "i": torch.int64
    }  # fmt: skip
