"""What stands between a user and a wrong result: options of the right kind, weights that fit, comparisons that see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

import ogive
from deploy.folding import USES, randomized
from ogive.api import Model
from ogive.grammar.diagnostics import ArchError

NET = """
block Net(x: [b, 4, h, w]) -> [b, 4, h, w]:
    return x |> BatchNorm as norm |> Conv[4, 4, 3, pad=1] as conv |> relu |> max_pool[3, stride=1, pad=1]

model M = Net[]
"""


def model() -> Model:
    return ogive.source(USES + NET).models["M"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("expert_average[at=3]", "`at` of `expert_average` is a name or a text or a list of them, not 3"),
        ("expert_average[at=[Net, 3]]", 'not ["Net", 3]'),
        ("expert_average[at=[]]", "empty list"),
        ('expert_average[experts="a"]', 'is a whole number, not "a"'),
        ("expert_average[share=true]", "is a number, not true"),
        ("expert_average[at=Net, share=-1]", "experts fly apart: -1"),
        ("fold[grow=3]", "`grow` of `fold` is true or false, not 3"),
        ("poset_pool[kernel=x]", "`kernel` of `poset_pool` is a whole number"),
        ("poset_pool[order=3]", "a name or a text or a poset, not 3"),
        ("poset_pool[after=3]", "`after` of `poset_pool` is a name or a text"),
        ("poset_pool[at=3]", "`at` of `poset_pool` is a name or a text"),
    ],
)
def test_options_of_another_kind_are_refused(text: str, said: str) -> None:
    with pytest.raises(ArchError) as caught:
        model().deploy(text)
    assert caught.value.diagnostics[0].code == "E0810"
    assert said in caught.value.diagnostics[0].message


def test_a_recipe_with_an_option_of_another_kind_is_refused_where_it_stands() -> None:
    with pytest.raises(ArchError) as caught:
        ogive.source(USES + NET + "\nrecipe deploy for M: fold[grow=3]\n")
    assert caught.value.diagnostics[0].span.text == "fold[grow=3]"


def test_a_negative_factor_is_a_number() -> None:
    pooled = ogive.source(
        "block Net(x: [b, c, 2*h, 2*w]) -> [b, c, h, w]:\n    return x |> max_pool[2]\n\nmodel M = Net[]\n"
    )
    assert "times -0.5" in pooled.models["M"].deploy("poset_pool[scale=-0.5, order=chain]").report()


def test_sizes_that_a_pass_has_fixed_are_those_of_the_comparison() -> None:
    """A border that is stored holds at one size of the image, so that both are compared there."""
    net = randomized(model().torch()).eval()
    deployed = model().deploy("specialize[h=9, w=12], fold[borders=true]")
    assert deployed.weights["conv_border"] == (1, 4, 9, 12)
    assert deployed.verify(net).exact
    with pytest.raises(ArchError, match="`h` is 9 in the result, not 8"):
        deployed.verify(net, h=8)


@pytest.mark.parametrize(("sizes", "said"), [({"z": 3}, "no size z"), ({"h": 0}, "at least 1, not 0")])
def test_sizes_of_a_comparison_must_be_those_of_the_model(sizes: dict[str, int], said: str) -> None:
    with pytest.raises(ArchError, match=said):
        model().deploy("fold").verify(randomized(model().torch()).eval(), **sizes)


def test_whole_numbers_are_no_weights() -> None:
    state = {path: tensor.int() for path, tensor in model().torch().state_dict().items()}
    with pytest.raises(ArchError, match=r"`conv.weight` holds int32, not floats"):
        model().deploy("fold").convert(state)


@pytest.mark.parametrize(
    "wrap", [nn.DataParallel, AveragedModel, torch.compile, lambda net: AveragedModel(nn.DataParallel(net))]
)
def test_a_module_is_taken_out_of_what_wraps_it(wrap: Callable[[nn.Module], nn.Module]) -> None:
    net, deployed = randomized(model().torch()).eval(), model().deploy("fold")
    wanted, made = deployed.convert(net), deployed.convert(wrap(net).eval())
    assert made.keys() == wanted.keys()
    assert all(torch.equal(made[path], wanted[path]) for path in wanted)
    assert deployed.verify(wrap(net).eval()).exact
    net.get_submodule("norm").train()
    with pytest.raises(ArchError, match="`norm` of this module of M trains"):
        deployed.convert(wrap(net))


def test_shapes_alone_are_converted() -> None:
    made = model().deploy("fold").convert(model().torch(device="meta").eval())
    assert made["conv.weight"].is_meta


def test_a_result_too_large_for_its_type_is_refused() -> None:
    """A norm of next to no variance scales by 316: half precision would hold an infinity."""
    net = model().torch().eval()
    with torch.no_grad():
        net.get_parameter("conv.weight").fill_(300)
        net.get_buffer("norm.running_var").zero_()
    deployed = model().deploy("fold[borders=true]")
    assert all(tensor.isfinite().all() for tensor in deployed.convert(net).values())
    with pytest.raises(ArchError, match=r"`conv.weight` does not fit float16: it goes up to 9.49e\+04"):
        deployed.convert(net, dtype=torch.float16)


@pytest.mark.parametrize("dtype", ["float16", torch.int8])
def test_weights_are_cast_to_floats_alone(dtype: object) -> None:
    with pytest.raises(ValueError, match="a type of floats"):
        model().deploy("fold").convert(model().torch().eval(), dtype=dtype)  # type: ignore[arg-type]


@pytest.mark.parametrize("fault", ["missing", "extra", "misshapen"])
def test_the_conversion_as_a_module_refuses_what_does_not_fit(fault: str) -> None:
    deployed = model().deploy("fold[borders=true]")
    names: dict[str, Any] = {"__name__": "conversion"}
    exec(compile(deployed.conversion_source(), "conversion.py", "exec"), names)
    state = dict(model().torch().state_dict())
    made = names["convert"](state)
    assert {tensor.dtype for tensor in made.values()} == {torch.float64}
    if fault == "missing":
        del state["conv.bias"]
    else:
        state["conv.scale" if fault == "extra" else "conv.bias"] = torch.ones(3)
    with pytest.raises(ValueError, match=r"not the weights of M: conv\.(bias|scale) (\(3,\)|is missing)"):
        names["convert"](state)


def numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
