"""What a row of the library of papers is: an example, a plain reading of the formula, and what both are compared by."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn

import ogive
from ogive.api import Model, Program
from papers.trial import Trial

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "papers"
RESULTS = ROOT / "docs" / "papers" / "results"
CLOSE = 1e-9  # relative, of two sums of float64 in different orders


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the index: a paper, and whether it is here."""

    slug: str
    kind: str
    done: bool
    title: str
    works: str


@dataclass(frozen=True, slots=True)
class Case:
    """A model of the example beside a module of plain torch that has its state dict."""

    reading: Callable[[], nn.Module]
    inputs: Callable[[], tuple[Tensor, ...]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change of one constant: of the example, or with `library` of the file of that name that it uses."""

    old: str
    new: str
    library: str = ""
    model: str = "Tiny"


@dataclass(frozen=True, slots=True)
class Paper:
    """A row. `counts` are numbers of weights by model, first that of the paper's size; `source` says whose they are."""

    slug: str
    counts: dict[str, int]
    source: str
    cases: dict[str, Case]
    mutant: Mutant
    tries: str
    trial: Trial
    folds: dict[str, int] | str = field(default_factory=dict)  # operations of `folding` when folded, or why it does not
    folding: str = "Tiny"
    passes: str = "fold"
    refused: str = ""  # the code with which ONNX refuses it, and why
    drawn: tuple[str, int] = ("Tiny", 1)  # the model that is drawn, and the levels that are open

    @property
    def own(self) -> str:
        """The model at the paper's own size."""
        return next(iter(self.counts))


@cache
def index() -> dict[str, Entry]:
    """All rows by slug, in the order of the index."""
    with (EXAMPLES / "index.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return {r["slug"]: Entry(r["slug"], r["kind"], r["state"] == "done", r["paper"], r["works"]) for r in rows}


def done() -> list[str]:
    """The slugs of the rows that are here."""
    return [slug for slug, entry in index().items() if entry.done]


def module_of(slug: str) -> str:
    """The name of the test of a row."""
    return f"test_{slug.replace('-', '_')}"


def paper(slug: str) -> Paper:
    """A row that is here."""
    found = import_module(f"papers.{module_of(slug)}").PAPER
    assert isinstance(found, Paper)
    return found


@cache
def program(slug: str) -> Program:
    """The example of a row."""
    return ogive.load(EXAMPLES / f"{slug}.arch")


def model(slug: str, name: str) -> Model:
    """A model of an example."""
    found = program(slug)[name]
    assert isinstance(found, Model)
    return found


def mutated(slug: str, mutant: Mutant, folder: Path) -> Model:
    """The model of a mutant, from copies of the example and of the library in an empty folder."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "stdlib").glob("*.arch")}
    texts["example"] = (EXAMPLES / f"{slug}.arch").read_text(encoding="utf-8")
    place = mutant.library or "example"
    assert texts[place].count(mutant.old) == 1, (
        f"{mutant.old!r} stands {texts[place].count(mutant.old)} times in {place}"
    )
    texts[place] = texts[place].replace(mutant.old, mutant.new)
    for name, text in texts.items():
        (folder / f"{name}.arch").write_text(text.replace("use std.", "use ./"), encoding="utf-8")
    found = ogive.load(folder / "example.arch")[mutant.model]
    assert isinstance(found, Model)
    return found


def stirred(net: nn.Module) -> nn.Module:
    """The module with weights that are not those of the start, so that no term of a formula hides."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for key, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                noise = torch.rand(tensor.shape, generator=generator, dtype=torch.float64).to(tensor)
                tensor.add_(noise if key.endswith("running_var") else 0.5 * noise)
    return net


def deviation(made: Model, case: Case) -> float:
    """How far a model is from the reading in float64, as a share: results, gradients and states, in both modes."""
    torch.manual_seed(0)
    net = stirred(made.torch(dtype="f64"))
    torch.manual_seed(1)
    xs = [x.double() if x.is_floating_point() else x for x in case.inputs()]
    plain = case.reading().double()
    plain.load_state_dict(net.state_dict(), strict=True)
    worst = 0.0
    for training in (True, False):
        found = [_told(each.train(training), xs) for each in (net, plain)]
        assert found[0].keys() == found[1].keys()
        assert all(found[0][key].shape == found[1][key].shape for key in found[0])
        size = {key: float(y.abs().max()) if y.numel() else 0.0 for key, y in found[1].items()}
        for key, y in found[1].items():
            # what cancels to 0 is as exact as the largest of its kind
            least = max(n for other, n in size.items() if other.split()[0] == key.split()[0])
            apart = float((found[0][key] - y).abs().max()) if y.numel() else 0.0
            worst = max(worst, apart / (size[key] + 1e-4 * least + 1e-30))
    return worst


def _told(net: nn.Module, xs: list[Tensor]) -> dict[str, Tensor]:
    """Results, gradients of a sum of all of them, and states, by name."""
    xs = [x.clone().requires_grad_() if x.is_floating_point() else x for x in xs]
    net.zero_grad()
    given = net(*xs)
    ys = given if isinstance(given, tuple) else (given,)
    found = {f"result {i}": y.detach() for i, y in enumerate(ys)}
    total = sum((y * torch.linspace(-1, 2, y.numel(), dtype=torch.float64).view_as(y)).sum() for y in ys)
    assert isinstance(total, Tensor)
    torch.autograd.backward(total)
    none = torch.zeros(())
    for name, parameter in net.named_parameters():
        found[f"gradient of {name}"] = none if parameter.grad is None else parameter.grad.clone()
    for i, x in enumerate(xs):
        if x.is_floating_point():
            found[f"gradient of input {i}"] = none if x.grad is None else x.grad.clone()
    return found | {f"state {name}": buffer.clone() for name, buffer in net.named_buffers()}


def operations(made: Model) -> Counter[str]:
    """How often a model runs each operation, by its summary."""
    line = next(each for each in made.summary().splitlines() if each.startswith("operations: "))
    return Counter({each.split()[0]: int(each.split()[1]) for each in line.removeprefix("operations: ").split(", ")})
