"""What a derivative shows, changes or draws happens also where nothing reads the derivative itself."""

from __future__ import annotations

import pytest
import torch

import ogive

TEXT = """
block Energy[n](x: [n]) -> []:
    state seen: [] = zeros
    update seen = seen + 1
    tap inside = x * 2
    return sum(sin(x))

block Forward[n](x: [n]) -> [n]:
    state seen: [] = zeros
    update seen = seen + 1
    tap inside = x * 2
    return sin(x)

block Back[n](x: [n], g: [n]) -> [n]:
    return cos(x) * g

block shown[n](x: [n]) -> []:
    tap inside = x * 2
    return sum(sin(x))

block Deep[n](x: [n]) -> [n]:
    d = {form}(x)
    return {inner}

block Main[n](x: [n]) -> [n]:
    y = Deep[n](x)
    return {outer}

model M = Main[n=3]
"""
FORMS = {
    "grad": "grad[Energy[n]]",
    "custom": "custom_grad[Forward[n], Back[n]]",
    "shown": "grad[shown]",
}


@pytest.mark.parametrize(("inner", "outer"), [("x", "x"), ("x + d", "x"), ("x", "x + y"), ("x + d", "x + y")])
@pytest.mark.parametrize("form", ["grad", "custom", "shown"])
def test_all_happens(form: str, inner: str, outer: str) -> None:
    text = TEXT.format(form=FORMS[form], inner=inner, outer=outer)
    net = ogive.source(text)["M"].torch().train()
    x = torch.randn(3)
    path = next(each for each in paths(net, x) if each.endswith("inside"))  # a forward too
    states = [value for path, value in net.named_buffers() if path.endswith("seen")]
    assert [float(value) for value in states] == [1.0] * (form != "shown")
    _, taps = net(x, taps=[path])
    torch.testing.assert_close(taps[path], x * 2)
    assert [float(value) for value in states] == [2.0] * (form != "shown")


def paths(net: torch.nn.Module, x: torch.Tensor) -> list[str]:
    """The taps of a module, as it lists them."""
    with pytest.raises(ValueError, match="no tap `none`; there are") as refused:
        net(x, taps=["none"])
    return str(refused.value).partition("there are ")[2].split(", ")
