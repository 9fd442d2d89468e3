"""What passes and conversions refuse, as a user reads it: each case beside the text that it gives (`--rewrite`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

import ogive
from ogive.api import Model
from ogive.cli import cli
from ogive.grammar.diagnostics import ArchError

FOLDER = Path(__file__).parents[1] / "golden" / "deploy"
TEXT = """use std.nn (BatchNorm, Dropout, Linear)
use std.vision (Conv)

block Net(x: [b, 3, h, w]) -> [b, 5]
where h > 3:
    y = x |> Conv[3, 4, 3, pad=1] as conv |> BatchNorm as bn |> relu |> Dropout[0.5]
    return y |> reduce["b c h w -> b c", mean] |> Linear[4, 5] as head

model M = Net[]
"""
LIVE = """use std.vision (Conv)

block Live(x: [b, 3, h, w]) -> [b, 4, h, w]:
    y, _, _ = batch_norm_train(x |> Conv[3, 4, 3, pad=1] as conv)
    return einsum["b c h w, c -> b c h w"](y |> Conv[4, 4, 1] as last, bernoulli[4, p=0.5])

model M = Live[]
"""


def model(text: str = TEXT) -> Model:
    return ogive.source(text, "net.arch").models["M"]


def state(**changes: Tensor | None) -> Mapping[str, Tensor]:
    """The weights of the net; None leaves one out. `_` in a name is a dot."""
    found = dict(model().torch().state_dict())
    for name, tensor in changes.items():
        path = name.replace("__", ".")
        if tensor is None:
            del found[path]
        else:
            found[path] = tensor
    return found


def tied(folder: Path) -> object:
    (folder / "m.toml").write_text('[ties]\n"conv.kernel" = "conv.weight"\n')
    return model().deploy("fold").convert(state(conv__kernel=torch.zeros(4, 3, 3, 3)), folder / "m.toml")


def partly(path: str, text: str = TEXT) -> object:
    """Converting a module of which one part was left in training."""
    net = model(text).torch().eval()
    net.get_submodule(path).train()
    return model(text).deploy("fold").convert(net)


BLOCKS = """use std.nn (Dropout, Linear)

block Block[d](x: [*b, d]) -> [*b, d]:
    return x |> Linear[d, d] as up |> Dropout[0.1] |> Linear[d, d] as down

block Net(x: [b, 8]) -> [b, 8]:
    repeat 3 as blocks:
        x = x |> Block[8] as mlp
    return x

model M = Net[]
"""
STATISTICS = """use std.vision (Conv)

block Net(x: [b, 3, h, w]) -> [b, 4, h, w]:
    y, _, _ = batch_norm_train(x |> Conv[3, 4, 3, pad=1] as conv)
    return y |> Conv[4, 4, 1] as last

model M = Net[]
"""


CASES: dict[str, Callable[[Path], object]] = {
    "training": lambda _: model().deploy("fold").convert(model().torch()),
    "training_verified": lambda _: model().deploy("fold").verify(model().torch()),
    "training_norm": lambda _: partly("bn"),
    "training_dropout": lambda _: partly("blocks.1.mlp", BLOCKS),
    "live_compared": lambda _: model(LIVE).deploy("fold").verify(model(LIVE).torch().eval()),
    "missing": lambda _: model().deploy("fold").convert(state(bn__weight=None, head__bias=None)),
    "extra": lambda _: model().deploy("fold").convert(state(conv__scale=torch.ones(4))),
    "misshapen": lambda _: model().deploy("fold").convert(state(conv__weight=torch.ones(4, 3, 5, 5))),
    "unequal_aliases": tied,
    "no_such_pass": lambda _: model().deploy("flod"),
    "no_such_option": lambda _: model().deploy("fold[grwo=true]"),
    "no_such_size": lambda _: model().deploy("specialize[n=4]"),
    "broken_condition": lambda _: model().deploy("specialize[h=3]"),
    "no_such_recipe": lambda _: model().torch(recipe="deploy"),
    "nothing_to_pool": lambda _: model().deploy("poset_pool"),
    "a_cycle": lambda _: model(TEXT.replace("|> relu", "|> max_pool[2]")).deploy('poset_pool[order="a<b, b<a"]'),
    "nothing_to_pool_at": lambda _: model().deploy("poset_pool[at=Stem]"),
    "nothing_to_add_after": lambda _: model().deploy("poset_pool[after=Batchnorm]"),
    "nothing_to_average": lambda _: model().deploy("expert_average[at=MLP]"),
    "one_of_two_to_average": lambda _: model(BLOCKS).deploy('expert_average[at=["Block", "Blok"]]'),
}


@pytest.mark.parametrize("name", CASES)
def test_refusals(name: str, rewrite: bool, tmp_path: Path) -> None:
    with pytest.raises(ArchError) as caught:
        CASES[name](tmp_path)
    compare(name, str(caught.value).replace(str(tmp_path), "folder"), rewrite)


def compare(name: str, text: str, rewrite: bool) -> None:
    """A text against the golden one."""
    golden = FOLDER / f"{name}.txt"
    if rewrite:
        FOLDER.mkdir(exist_ok=True)
        golden.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == golden.read_text(encoding="utf-8")


def test_what_stays_live_is_reported(rewrite: bool) -> None:
    """Batch statistics and random numbers of the deployed form itself: left alone, and said so."""
    compare("report_live", model(LIVE).deploy("fold").report(), rewrite)


def test_batch_statistics_are_left_reported_and_compared(rewrite: bool) -> None:
    """They are no map by weights, and equal before and after: what is around them still folds."""
    net = model(STATISTICS)
    compare("report_statistics", net.deploy("fold").report(), rewrite)
    assert net.deploy("fold").verify(net.torch().eval()).exact


def test_parts_that_compute_the_same_may_stay_in_training() -> None:
    net = model().torch().eval()
    net.get_submodule("head").train()
    model().deploy("fold").convert(net)


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [(LIVE, "E0813", "bernoulli"), (TEXT.replace("relu", 'poset_pool["a<a"]'), "E0408", "a<a")],
)
def test_the_command_refuses(text: str, code: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "net.arch").write_text(text)
    done = CliRunner().invoke(cli, ["deploy", f"{tmp_path / 'net.arch'}:M", "-o", str(tmp_path / "out.py")])
    assert done.exit_code == 1
    assert code in done.output
    assert said in done.output
    assert not (tmp_path / "out.py").exists()


def test_passes_stand_for_a_recipe_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "net.arch").write_text(TEXT)
    target = f"{tmp_path / 'net.arch'}:M"
    texts = []
    for at, asked in enumerate((["--recipe", "simplify, fold"], ["--pass", "simplify", "--pass", "fold"])):
        done = CliRunner().invoke(cli, ["deploy", target, *asked, "-o", str(tmp_path / f"out{at}.py")])
        assert done.exit_code == 0, done.output
        texts.append((tmp_path / f"out{at}.py").read_text())
    assert texts[0].partition("\nimport")[2] == texts[1].partition("\nimport")[2]
    for wrong in ("flod", "flod[b=1]"):
        done = CliRunner().invoke(cli, ["deploy", target, "--recipe", wrong, "-o", str(tmp_path / "no.py")])
        assert done.exit_code == 1
        assert "E0810" in done.output
    assert not (tmp_path / "no.py").exists()


def test_what_a_training_module_is_refused_its_weights_are_not() -> None:
    net = model().torch()
    made = model().deploy("fold").convert(net.state_dict())
    torch.testing.assert_close(model().deploy("fold").convert(net.eval()), made, rtol=0, atol=0)


def test_every_golden_text_has_its_case() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {*CASES, "report_live", "report_statistics"}
