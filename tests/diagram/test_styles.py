"""Style files: what an author says of a figure, and what is refused because it would not be true."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from diagram.geometry_checks import inside, texts_apart
from diagram.subjects import ROOT, block, subject, subjects
from ogive.backends.diagram.diagram import Diagram, diagram
from ogive.backends.diagram.figure.errors import DiagramError
from ogive.backends.diagram.figure.geometry import Text
from ogive.backends.diagram.figure.style import style_of
from ogive.backends.diagram.from_ir.invariants import violations
from ogive.cli import cli
from sampled import sampled

SUBJECTS = subjects()
NET = "use std.nn (Linear, LayerNorm)\nblock A[d](x: [b, n, d]) -> [b, n, d]:\n" + (
    "    return x + (x |> LayerNorm as norm |> Linear[d, d] as one)"
)


def styled(name: str, **said: object) -> Diagram:
    return diagram(block(name) if "\n" in name else subject(name)).styled(style_of(said))


def texts(made: Diagram) -> list[str]:
    return [item.text for item in made.drawing.items if isinstance(item, Text)]


@pytest.mark.parametrize("name", sampled(SUBJECTS, 4))
def test_the_batch_is_hidden_or_that_is_refused(name: str) -> None:
    made = diagram(SUBJECTS[name])
    labels = {slot.label for section in made.figure.sections for slot in section.slots()}
    if "b" not in labels:
        return
    try:
        hidden = made.styled(style_of({"hide": ["b"]}))
        figure = hidden.figure
    except DiagramError as error:
        assert "cannot be hidden" in str(error)
        return
    assert violations(figure) == []
    assert not [s for section in figure.sections for s in section.slots() if s.label == "b"]
    assert [*inside(hidden.drawing), *texts_apart(hidden.drawing)] == []
    assert any("not drawn: b" in text for text in texts(hidden))


def test_an_axis_that_is_used_is_not_hidden() -> None:
    with pytest.raises(DiagramError, match="does not run past"):
        _ = styled(NET, hide=["d"]).drawing
    assert styled(NET, hide=["b", "n"]).drawing


def test_names_captions_keys_and_what_is_in_view() -> None:
    made = styled(NET, rename={"n": "tokens", "norm": "before"}, caption="A caption.", key=True, highlight=["one"])
    assert {"tokens", "before", "A caption.", "a learned linear map"} <= set(texts(made))
    assert "n" not in texts(made)
    marked = [op.caption for op in made.figure.walk() if op.change == "marked"]
    assert marked == ["one"]
    assert "marked" in made.text("svg")
    assert "ncdmarked" in made.text("tex")
    assert violations(made.figure) == []
    assert list(texts_apart(made.drawing)) == []


def test_colours_by_kind() -> None:
    made = styled("gpt2:Tiny", kinds=True, colours={"attention": "#ffd9a0"})
    assert "#ffd9a0" in made.text("svg")
    assert {"attention", "feed-forward"} <= set(texts(made))
    assert "#ffd9a0" in made.styled(made.style).text("svg")


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({"hid": ["b"]}, "did you mean `hide`"),
        ({"hide": "b"}, "is a list of names"),
        ({"hide": ["bb"]}, "nothing in the figure is called `bb`"),
        ({"rename": {"nrom": "x"}}, "did you mean `norm`"),
        ({"highlight": ["two"]}, "nothing in the figure is called `two`"),
        ({"theme": "pink"}, "no theme `pink`"),
        ({"key": 1}, "is true or false"),
        ({"colours": {"attention": "red"}}, "is no colour"),
        ({"colours": {"attn": "#ffffff"}}, "no kind of block"),
        ({"colours": {"attention": "#000000"}}, "contrast"),
        ({"panels": [{"caption": "x"}]}, "names its `block`"),
        ({"panels": {"block": "x"}}, "are tables"),
    ],
)
def test_what_a_style_cannot_say_is_refused(said: dict[str, object], answer: str) -> None:
    with pytest.raises(DiagramError, match=answer):
        _ = styled(NET, **said).drawing


def run(*args: object) -> tuple[int, str]:
    done = CliRunner().invoke(cli, [str(arg) for arg in args])
    return done.exit_code, done.output


def test_panels_are_several_figures_in_one(tmp_path: Path) -> None:
    style, out = tmp_path / "s.toml", tmp_path / "x.svg"
    style.write_text('caption = "All."\n[[panels]]\nblock = "MLP"\ncaption = "One."\n[[panels]]\nblock = "Attention"\n')
    target = ROOT / "examples/gpt2.arch"
    assert run("draw", target, "--style", style, "-o", out)[0] == 0
    text = out.read_text()
    assert text.index("(a) One.") < text.index("(b)") < text.index("All.")
    ids = [part.split('"')[0] for part in text.split(' id="')[1:]]
    assert len(ids) == len(set(ids))
    style.write_text('[[panels]]\nblock = "Nothing"\n')
    status, said = run("draw", target, "--style", style, "-o", out, "--force")
    assert status == 1
    assert "no block or model is called `Nothing`" in said
    style.write_text("a = [")
    status, said = run("draw", target, "--style", style, "-o", out)
    assert status == 1
    assert "is no TOML" in said
