"""Every row of the library of papers that is done: it checks, is true to the formula, exports, folds, has a page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from bench.lines import RATIO, ratios
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.external_data import arrays
from ogive.backends.onnx_model.serialize.write import whole
from onnx_model.harness import array, difference, session
from papers.frame import (
    CLOSE,
    EXAMPLES,
    RESULTS,
    deviation,
    done,
    index,
    model,
    module_of,
    mutated,
    operations,
    paper,
    program,
    stirred,
)
from papers.pages import FOLDER, drawing, overview, page
from papers.trial import PARITY, SEEDS

DONE = done()
TOLERANCE = 1e-5  # of float32


def test_the_index_has_every_row() -> None:
    rows = index()
    assert len(rows) == 113
    assert {entry.kind for entry in rows.values()} == {"layer", "model", "pass", "analysis", "theory", "core"}
    assert all(entry.title and entry.works for entry in rows.values())
    files = {path.stem for path in EXAMPLES.glob("*.arch")}
    assert files == set(DONE), "an example and its line of the index go together"
    assert {path.stem for path in RESULTS.glob("*.json")} == set(DONE)
    tests = {path.stem for path in Path(__file__).parent.glob("test_*.py")} - {"test_library"}
    assert tests == {module_of(slug) for slug in DONE}
    assert {path.stem for path in FOLDER.glob("*.md")} == {*DONE, "README"}


@pytest.mark.parametrize("slug", DONE)
def test_it_is_faithful(slug: str) -> None:
    """It checks without a word, has a model at the paper's own size and `Tiny`, and says where it is from."""
    row, text = paper(slug), (EXAMPLES / f"{slug}.arch").read_text(encoding="utf-8")
    assert row.slug == slug
    assert [each.render() if hasattr(each, "render") else each for each in program(slug).diagnostics] == []
    models = program(slug).models
    assert "Tiny" in models
    assert {name: models[name].parameters for name in row.counts} == row.counts
    assert row.source
    assert text.startswith("ogive 1\n# ")
    assert "Taken" in text
    assert "Left\n## out" in text or "Left out" in text
    assert sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in text.splitlines()) <= 120


@pytest.mark.parametrize("slug", DONE)
def test_it_is_true(slug: str, tmp_path: Path) -> None:
    """Results, gradients and states are those of a reading in plain torch, and no longer when one constant changes."""
    row = paper(slug)
    assert "Tiny" in row.cases
    for name, case in row.cases.items():
        assert deviation(model(slug, name), case) <= CLOSE, name
    assert deviation(mutated(slug, row.mutant, tmp_path), row.cases[row.mutant.model]) > 1e-4


@pytest.mark.parametrize("slug", DONE)
def test_it_is_alive(slug: str) -> None:
    """What was promised was tried, with all that makes the numbers worth something."""
    told = json.loads((RESULTS / f"{slug}.json").read_text(encoding="utf-8"))
    trial = paper(slug).trial
    assert all((trial.hypothesis, trial.metric, trial.budget, trial.baseline))
    assert told["command"] == f"python -m papers.measure {slug}"
    assert told["commit"]
    assert 0 < told["seconds"]
    sizes = told["parameters"]
    assert abs(sizes["ours"] - sizes["baseline"]) <= PARITY * sizes["ours"]
    for runs in told["runs"].values():
        assert list(runs) == [str(rate) for rate in trial.rates]
        assert all(len(values) == len(SEEDS) for values in runs.values())
    chosen = {side: told["runs"][side][str(rate)] for side, rate in told["rates"].items()}
    agreed = [trial.shown(x, y) for x, y in zip(chosen["ours"], chosen["baseline"], strict=True)]
    assert told["verdict"] == ("shown" if all(agreed) else "mixed" if any(agreed) else "not shown")


@pytest.mark.parametrize("slug", DONE)
def test_it_is_complete(slug: str) -> None:
    """ONNX gives the same numbers or says why not, `fold` leaves what the row says, and `show` counts."""
    row = paper(slug)
    for name, case in row.cases.items():
        made = model(slug, name)
        assert f"{made.parameters:,} parameters" in made.summary()
        torch.manual_seed(2)
        net, xs = stirred(made.torch()).eval(), case.inputs()
        if not row.refused:
            run = session(whole(exported(made.ir, arrays(net), Settings())))
            with torch.no_grad():
                given = net(*xs)
            ys = [array(each) for each in (given if isinstance(given, tuple) else (given,))]
            got = run.run(None, {value.name: array(x) for value, x in zip(run.get_inputs(), xs, strict=True)})
            assert max(difference(x, y) for x, y in zip(got, ys, strict=True)) <= TOLERANCE
    if isinstance(row.folds, dict):
        made = model(slug, row.folding)
        folded = made.deploy(row.passes)
        assert row.folds
        assert {name: operations(folded)[name] for name in row.folds} == row.folds
        folded.verify(stirred(made.torch()).eval(), *row.cases[row.folding].inputs())


@pytest.mark.parametrize("slug", DONE)
def test_it_is_shown(slug: str, rewrite: bool) -> None:
    """The page is the one that the row gives now, and the drawing has its axes, however they are laid out."""
    text, drawn = page(slug), drawing(slug)
    written, picture = FOLDER / f"{slug}.md", FOLDER / f"{slug}.svg"
    if rewrite:
        written.write_text(text, encoding="utf-8")
        picture.write_text(drawn, encoding="utf-8")
    assert written.read_text(encoding="utf-8") == text, "write it anew: pytest --rewrite tests/papers/test_library.py"
    shown, now = (
        set(re.findall(r'data-axis="([^"]*)"', each)) for each in (picture.read_text(encoding="utf-8"), drawn)
    )
    assert shown == now
    assert shown


def test_the_overview_has_every_row(rewrite: bool) -> None:
    path = FOLDER / "README.md"
    if rewrite:
        path.write_text(overview(), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == overview()
    assert all(f"| {slug} |" in overview() or f"[{slug}]" in overview() for slug in index())


def test_examples_are_shorter_than_plain_readings() -> None:
    found = ratios()
    assert list(found) == DONE
    worst, median = RATIO
    assert {slug: counted.ratio for slug, counted in found.items() if counted.ratio > worst} == {}
    assert sorted(counted.ratio for counted in found.values())[len(found) // 2] <= median


@pytest.mark.slow
@pytest.mark.parametrize("slug", DONE[:: max(1, len(DONE) // 10)][:10])
def test_a_trial_runs_again(slug: str) -> None:
    """The first seed at the chosen rate gives the number that is stored, as far as machines agree."""
    told, trial = json.loads((RESULTS / f"{slug}.json").read_text(encoding="utf-8")), paper(slug).trial
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        torch.manual_seed(0)
        again = trial.run(trial.ours(), told["rates"]["ours"], 0)
    finally:
        torch.set_num_threads(threads)
    stored = told["runs"]["ours"][str(told["rates"]["ours"])][0]
    assert abs(again - stored) <= 0.2 * abs(stored) + 1e-6
