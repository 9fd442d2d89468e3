"""Classes that are written alike are one, and hand over what differs in them; files of several models share them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ogive
from ogive.backends.python_text.names import identifier
from ogive.backends.python_text.sections import FileSection
from ogive.backends.pytorch.module import file as written
from ogive.backends.pytorch.module.file import ModelsFile, emit
from ogive.backends.pytorch.module.module import load
from ogive.backends.pytorch.weights.layer_settings import DEFAULTS
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ir.model import Model
from pytorch.catalog import inputs, model, names

PROGRAMS = Path(__file__).parent / "statics"


def apart(sections: Sequence[FileSection], _: object) -> list[FileSection]:
    """In place of `merged`: each form of a block keeps its class."""
    return list(sections)


def made(text: str, of: Model) -> nn.Module:
    torch.manual_seed(0)
    net: nn.Module = getattr(load(text, identifier(of.name)), identifier(of.name))()
    return net


def outputs(net: nn.Module, args: tuple[Tensor, ...]) -> list[Tensor]:
    """Of a module while it trains, then of the same when it does not."""
    found: list[Tensor] = []
    for training in (True, False):
        torch.manual_seed(1)
        given: Any = net.train(training)(*args)
        found += [each for each in (given if isinstance(given, tuple) else (given,)) if each is not None]
    return found


def same(left: nn.Module, right: nn.Module, args: tuple[Tensor, ...]) -> None:
    assert [(key, value.shape) for key, value in left.state_dict().items()] == [
        (key, value.shape) for key, value in right.state_dict().items()
    ]
    assert all(map(torch.equal, left.state_dict().values(), right.state_dict().values()))
    for x, y in zip(outputs(left, args), outputs(right, args), strict=True):
        assert torch.equal(x, y) or torch.equal(x.isnan(), y.isnan())


def classes(text: str) -> Counter[str]:
    """How many classes of each name there are, whatever their numbers."""
    return Counter(re.sub(r"\d+$", "", name) for name in re.findall(r"^class (\w+)\(nn", text, re.M))


STATICS = [name for name in names() if name.startswith("statics:")]


@pytest.mark.parametrize(
    ("tried", "least"), [(STATICS, 6), pytest.param(names(), 8, marks=pytest.mark.slow)], ids=["statics", "every"]
)
def test_one_class_computes_what_the_classes_of_all_forms_do(
    tried: list[str], least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    differing = 0
    for name in tried:
        of = model(name)
        text = emit(of)
        with monkeypatch.context() as patch:
            patch.setattr(written, "merged", apart)
            plain = emit(of)
        if text != plain:
            differing += 1
            same(made(text, of), made(plain, of), inputs(of))
            assert sum(classes(text).values()) <= sum(classes(plain).values())
    assert differing >= least


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Sc", {"Scaled": 1, "Scales": 1}),
        ("Ne", {"Scaled": 1, "Nested": 1, "Nests": 1}),
        ("Ra", {"Scaled": 1, "Ranks": 1}),
        ("De", {"DeepLayer": 1, "Deep": 1, "Deeps": 1}),
        ("St", {"Steered": 1, "Steers": 1}),
        ("Pa", {"Pair": 1, "Pairs": 1}),
    ],
)
def test_what_steers_no_structure_is_an_argument(name: str, found: dict[str, int]) -> None:
    counts = classes(emit(model(f"statics:{name}")))
    counts.pop("Group", None)
    assert counts == found


@pytest.mark.parametrize("file", ["efficientnet", "maxvit"])
def test_forms_of_architectures_are_one(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In torch.equal: while it trains, too, a rate of 0 drops nothing."""
    of = several(PROGRAMS / f"{file}.arch")["Tiny"]
    text = emit(of)
    monkeypatch.setattr(written, "merged", apart)
    monkeypatch.setattr(written, "mark_rates", lambda model, _: model)
    size = 32 if file == "maxvit" else 16
    plain = emit(of)
    assert sum(classes(text).values()) < sum(classes(plain).values())
    same(made(text, of), made(plain, of), (torch.randn(3, 3, size, size),))


def test_arguments_have_the_names_of_statics() -> None:
    text = emit(model("statics:Sc"))
    assert "Scaled(d, eps=1e-5, scale=-0.25)" in text
    text = emit(model("statics:Ne"))
    assert "Scaled(d, scale=rate)" in text
    assert 'Resized(c, mode="bicubic")' in emit(model("statics:Mo"))


@pytest.mark.parametrize(("file", "name", "lines"), [("efficientnet", "B0", 320), ("maxvit", "T", 500)])
def test_architectures_with_stochastic_depth_have_a_class_for_each_kind(file: str, name: str, lines: int) -> None:
    path = PROGRAMS / f"{file}.arch"
    text = ogive.load(path)[name].torch_source()
    assert len(text.splitlines()) <= lines
    numbered = re.findall(r"^class ([A-Za-z]+)(\d*)\(", text, re.M)
    for base in {base for base, _ in numbered}:  # without gaps
        numbers = [int(number or 1) for other, number in numbered if other == base]
        assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_layers_of_torch_take_these_settings_when_nothing_is_said() -> None:
    sizes = {"Linear": (2, 2), "LayerNorm": (2,), "GroupNorm": (1, 2), "BatchNorm": (2,), "Conv": (2, 2, 1)}
    for layer, settings in DEFAULTS.items():
        kind = layer.removeprefix("nn.")
        args = next(args for begin, args in sizes.items() if kind.startswith(begin))
        made = getattr(nn, kind)(*args)
        assert settings
        for key, value in settings.items():
            told = getattr(made, key)
            assert (told is not None if key == "bias" else told) == value


def several(path: Path) -> dict[str, Model]:
    program = check_text(path.read_text(), str(path))
    assert program.ok, program.diagnostics
    return {name: report.ir for name, report in program.models.items() if report.ir is not None}


@pytest.mark.parametrize(
    "path", ["tests/pytorch/models/statics.arch", "examples/mlp.arch", "tests/pytorch/models/scan.arch"]
)
def test_a_file_of_several_models_has_each_as_it_is_alone(path: str) -> None:
    models = several(Path(__file__).parents[2] / path)
    assert len(models) > 1
    file = ModelsFile(list(models.values()))
    for each in models.values():
        file.add(each)
    text = file.text()
    assert len(text) < sum(len(emit(each)) for each in models.values())
    for each in models.values():
        same(made(text, each), made(emit(each), each), inputs(each))


SHARED = """
use std.nn (Linear)
block Inner[d](x: [b, d]) -> [b, d]:
    return x |> Linear[d, d] as fc |> relu
block Other[d](x: [b, d]) -> [b, d]:
    return x |> Inner[d] as inner |> Linear[d, d] as out
model A = Other[d=4]
model B = Inner[d=4]
model Inner2 = Other[d=8]
"""


def test_models_share_blocks_and_the_rest_is_numbered(tmp_path: Path) -> None:
    program = ogive.source(SHARED)
    text = program.torch_source()
    names = re.findall(r"^(?:class|def) (\w+)\(", text, re.M)
    assert names[names.index("Inner") :] == ["Inner", "Other", "A", "Inner3", "B", "Inner2"]
    assert text.count("class Other(") == 1
    assert "A[d=4], B[d=4], Inner2[d=8]" in text.replace("\n# ", " ")
    (tmp_path / "f.py").write_text(text)
    with pytest.raises(ogive.ArchError, match="give it in brackets"):  # it needs a static
        program.torch_source(only=["Inner"])
    only = program.torch_source(only=["B"])
    assert "def A(" not in only
    space: dict[str, Any] = {}
    exec(compile(text, "f.py", "exec"), space)
    assert space["A"]()(torch.ones(2, 4)).shape == (2, 4)
    assert space["B"]()(torch.ones(2, 4)).shape == (2, 4)
    assert space["Inner2"]()(torch.ones(2, 8)).shape == (2, 8)
    with pytest.raises(ValueError, match="x: "):
        space["B"]()(torch.ones(2, 5))
