"""`similarity`, `features` and `ogive diff --score`: names count for nothing, every edit counts."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner

import ogive
from analysis.random_programs import random_models
from generated.program import program
from generated.text import program_text
from ogive.cli import cli
from ogive.compiler.analysis.similarity.distance import distance, edits_of, matched
from ogive.compiler.analysis.similarity.labelled import LabelledGraph, LabelledNode, labelled
from ogive.compiler.analysis.similarity.report import score
from ogive.compiler.passes.cleanup.deploy_flatten import deployed
from ogive.grammar.diagnostics import ArchError
from sampled import sampled

EXAMPLES = Path(__file__).parents[2] / "examples"
NET = (
    "use std.nn (Linear)\nblock Net[d=4](x: [b, d]) -> [b, d]:\n"
    "    h = x |> Linear[d, d] as first |> relu\n    return h + (h |> Linear[d, d] as second)\nmodel M = Net\n"
)


def flat(text: str) -> LabelledGraph:
    return labelled(deployed(ogive.source(text).models["M"].ir))


def test_names_count_for_nothing() -> None:
    renamed = NET.replace("first", "up").replace("second", "down").replace("Net", "Other").replace("h", "hidden")
    renamed = renamed.replace("[d=4]", "[e=4]").replace("[b, d]", "[n, e]").replace("Linear[d, d]", "Linear[e, e]")
    a, b = flat(NET), flat(renamed)
    assert a.hash == b.hash
    assert distance(a, b).edits == 0
    first, second = (ogive.source(text).models["M"].analyze("features") for text in (NET, renamed))
    assert {k: str(v).replace("n", "b") for k, v in first.totals.items()} == {
        k: str(v).replace("n", "b") for k, v in second.totals.items()
    }
    assert [row.fields["label"] for row in first.rows] == [row.fields["label"] for row in second.rows]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("relu", "tanh"),
        ("h + (h", "x + (h"),
        ("Linear[d, d] as second", "Linear[d, d, bias=false] as second"),
        ("h +", "h -"),
    ],
)
def test_every_edit_counts(old: str, new: str) -> None:
    a, b = flat(NET), flat(NET.replace(old, new))
    assert a.hash != b.hash
    found = distance(a, b)
    assert 0 < found.edits <= 6
    assert 0 < found.similarity < 1
    assert distance(b, a).edits == found.edits


def shuffled(graph: LabelledGraph, seed: int) -> LabelledGraph:
    """The same with its nodes in another order."""
    order = list(range(len(graph.nodes)))
    random.Random(seed).shuffle(order)
    place = {at: number for number, at in enumerate(order)}
    made = [graph.nodes[at] for at in order]
    return LabelledGraph(
        [LabelledNode(n.label, tuple(place[x] for x in n.inputs), n.op, n.path, n.shape) for n in made]
    )


@pytest.mark.parametrize("path", sampled(sorted(EXAMPLES.glob("*.arch"))[::2], 2), ids=lambda path: path.stem)
def test_an_example_is_itself_in_any_order(path: Path) -> None:
    graph = labelled(deployed(ogive.load(path).models["Tiny"].ir))
    other = shuffled(graph, 1)
    assert graph.hash == other.hash
    assert distance(graph, graph).edits == 0
    assert distance(graph, other).edits == 0


def test_random_programs_with_other_names_are_alike() -> None:
    for number in range(15):
        made = program(f"similarity/{number}")
        try:
            a, b = (
                ogive.source(text).models["M"].ir for text in (program_text(made), program_text(made, renamed="other"))
            )
        except (ArchError, KeyError):
            continue
        assert score(deployed(a), deployed(b)).edits == 0
    for model in random_models(10):
        assert model.analyze("features").totals["nodes"] == model.analyze("similarity").totals["nodes"]


def test_small_graphs_have_the_least_number_of_edits() -> None:
    rng = random.Random(0)
    for _ in range(20):
        graphs = []
        for _ in range(2):
            nodes = [LabelledNode(rng.choice("ab"), tuple(rng.sample(range(at), min(at, 1))), "x") for at in range(4)]
            graphs.append(LabelledGraph(nodes))
        a, b = graphs
        found = distance(a, b)
        assert found.exact
        assert found.edits <= edits_of(a, b, matched(a, b))
        assert (found.edits == 0) == (distance(b, a).edits == 0)
        assert found.edits == distance(b, a).edits


def test_the_command(tmp_path: Path) -> None:
    for name, text in (("a", NET), ("b", NET.replace("relu", "tanh"))):
        (tmp_path / f"{name}.arch").write_text(text)
    run = CliRunner().invoke
    a, b = f"{tmp_path / 'a.arch'}:M", f"{tmp_path / 'b.arch'}:M"
    same = run(cli, ["diff", a, a, "--score", "--json"])
    assert (same.exit_code, json.loads(same.output)["edits"]) == (0, 0)
    other = run(cli, ["diff", a, b, "--score"])
    assert (other.exit_code, "1 edits" in other.output) == (1, True)
    assert run(cli, ["diff", a, b, "--json"]).exit_code == 2
    blocks = run(cli, ["diff", a.replace(":M", ":Net"), b.replace(":M", ":Net"), "--score", "--json"])
    assert json.loads(blocks.output)["edits"] == 1
