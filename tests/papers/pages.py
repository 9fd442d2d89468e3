"""The pages of papers, from example, drawing and stored numbers: `pytest --rewrite tests/papers/test_library.py`."""

from __future__ import annotations

import json
import re
import textwrap
from typing import Any

from bench.lines import counted
from papers.frame import EXAMPLES, RESULTS, ROOT, done, index, model, paper
from papers.trial import Trial

FOLDER = ROOT / "docs" / "papers"


def drawing(slug: str) -> str:
    """The model as an SVG."""
    name, depth = paper(slug).drawn
    return model(slug, name).diagram(depth=depth).text("svg")


def idea(slug: str) -> str:
    """The comment at the head of the example: the idea, and where it is from."""
    lines = []
    for line in (EXAMPLES / f"{slug}.arch").read_text(encoding="utf-8").splitlines()[1:]:
        if not line.startswith("# "):
            break
        lines.append(line[2:])
    return " ".join(lines)


def remarks(slug: str) -> str:
    """What the documentation of the example says of what is taken and what is left out."""
    text = (EXAMPLES / f"{slug}.arch").read_text(encoding="utf-8")
    comments = [" ".join(line[3:] for line in run.splitlines()) for run in re.findall(r"(?m)(?:^## .*\n)+", text)]
    return next(each for each in comments if "Taken" in each)


def filled(text: str) -> str:
    """Lines of the usual length."""
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def number(value: float) -> str:
    """Three places that count."""
    return f"{value:.3g}"


def results(slug: str) -> dict[str, Any]:
    """What the trial gave."""
    found: dict[str, Any] = json.loads((RESULTS / f"{slug}.json").read_text(encoding="utf-8"))
    return found


def measured(told: dict[str, Any]) -> dict[str, list[float]]:
    """The metric of both sides for each seed, at their own learning rates."""
    return {side: told["runs"][side][str(rate)] for side, rate in told["rates"].items()}


def table(trial: Trial, told: dict[str, Any]) -> str:
    """The trial, and its numbers."""
    values = measured(told)
    rows = [
        f"| {name} | {told['parameters'][side]:,} | {told['rates'][side]:g} | {' | '.join(map(number, values[side]))} |"
        for side, name in (("ours", "ours"), ("baseline", trial.baseline))
    ]
    return "\n".join(
        [f"| | parameters | {trial.dial} | seed 0 | seed 1 | seed 2 |", "| --- | --: | --: | --: | --: | --: |", *rows]
    )


def folded(slug: str) -> str:
    """Whether it folds, in words."""
    folds = paper(slug).folds
    if isinstance(folds, str):
        return f"no: {folds}"
    left = ", ".join(f"{count or 'no'} `{name}`" for name, count in folds.items())
    return f"`{paper(slug).passes}` leaves {left} of `{paper(slug).folding}`"


def page(slug: str) -> str:
    """The page of a row."""
    row, entry, told, lines = paper(slug), index()[slug], results(slug), counted(slug)
    trial = row.trial
    rates = ", ".join(f"{rate:g}" for rate in trial.rates)
    models = "\n".join(f"| `{name}` | {count:,} |" for name, count in row.counts.items())
    head = f"Numbers of weights: {row.source}. The program has {lines.ours} lines, a module in PyTorch with the same"
    numbers = f"{head} state dict {lines.plain}. ONNX: {row.refused or 'the same numbers'}. Folds: {folded(slug)}."
    promise = (
        f"{trial.hypothesis} Metric: {trial.metric}. Budget: {trial.budget}; the best of the {trial.dial}s {rates} in "
        "the mean, for each side its own."
    )
    verdict = (
        f"**{told['verdict'].capitalize()}.** `{told['command']}` at commit {told['commit']}, {told['seconds']:g} "
        "seconds on one core."
    )
    return f"""# {entry.title}

{filled(idea(slug))}

![{slug}]({slug}.svg)

{filled(remarks(slug))}

| model | parameters |
| --- | --: |
{models}

{filled(numbers)}

## What it promises

{filled(promise)}

{table(trial, told)}

{filled(verdict)}

## To try

{filled(row.tries)}

```console
$ ogive show examples/papers/{slug}.arch:{row.own} | head -1
{row.own} ...
```
"""


def overview() -> str:
    """The page of all rows."""
    verdicts = {slug: results(slug)["verdict"] for slug in done()}
    lines = []
    for slug, entry in index().items():
        if not entry.done:
            lines.append(f"| {slug} | {entry.kind} | not done yet | | | | |")
            continue
        row, values = paper(slug), measured(results(slug))
        means = " : ".join(number(sum(values[side]) / len(values[side])) for side in ("ours", "baseline"))
        cells = (
            f"[{slug}]({slug}.md)", entry.kind, f"{row.counts[row.own]:,}", row.trial.hypothesis,
            f"{verdicts[slug]}, {means}", "no" if row.refused else "yes", "no" if isinstance(row.folds, str) else "yes",
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    counts = ", ".join(f"{list(verdicts.values()).count(name)} {name}" for name in ("shown", "mixed", "not shown"))
    body = "\n".join(lines)
    head = (
        "Architectures of papers as programs that check, train, fold, export and draw: "
        f"{len(verdicts)} of {len(index())} are here, the others are not done yet. Each has an example in "
        "`examples/papers/`, a test against a plain reading of its formula, and a trial of what it promises on a small "
        f"task, with a baseline of as many weights. Of these trials {counts}: shown where all three seeds agree, mixed "
        "where they do not. The tasks are small, and say nothing of the sizes at which the papers measured."
    )
    how = (
        "Measured are means over the seeds, ours : baseline. A name leads to its page. `ogive examples --papers` lists "
        "what is here, `ogive new --from papers/tversky` copies one."
    )
    return f"""# The library of papers

{filled(head)}

{filled(how)}

| paper | kind | parameters | promise | measured | ONNX | folds |
| --- | --- | --: | --- | --- | --- | --- |
{body}
"""
