"""The playground: what its worker asks of Ogive, in plain Python; and the page as a reader uses it, in Chromium."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.browser import CHROMIUM, Browser, browser, served
from contrast import faint
from ogive.backends.diagram.diagram import diagram
from ogive.drawn import subjects

ROOT = Path(__file__).parents[1]
SITE = ROOT / "docs" / "site"
PAGE = (SITE / "playground" / "page.html").read_text(encoding="utf-8")
EXAMPLES = re.findall(r'<option value="([^"]+)"', PAGE)
GPT2 = (ROOT / "examples" / "gpt2.arch").read_text(encoding="utf-8")
ATTACK = '</textarea></body><script>document.title="run"</script><img src=x onerror=alert(1)>'
WORDS = ATTACK.replace('"', "'")
HOSTILE = f"""ogive 1
# {ATTACK}
## {ATTACK}
block A(x: [b, d]) -> [b, d]:
    y = x |> relu
    return einsum["{WORDS} -> b d"](y)
"""
SQUARES = "block f[n, m](x: [b, n*n], y: [b, m*m]) -> [b, n*n]:\n    return x + y\n"
EXTERN = 'ogive 1\nextern block Mine[d](x: [b, d]) -> [b, d] = "os:system"\nmodel A = Mine[d=3]\n'


@pytest.fixture(scope="module", autouse=True)
def _beside(request: pytest.FixtureRequest) -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(SITE))
    patch.syspath_prepend(str(SITE / "playground"))
    yield
    patch.undo()


def script(name: str) -> ModuleType:
    """A module of `docs/site`."""
    return import_module(name)


def ask(kind: str, text: str, **more: Any) -> dict[str, Any]:
    """What the worker is answered."""
    found: dict[str, Any] = json.loads(script("answers").answer(json.dumps({"kind": kind, "text": text, **more})))
    return found


def test_what_is_fetched_is_pinned_and_not_in_the_repository() -> None:
    made = script("playground")
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    for name, (version, digest) in made.WHEELS.items():
        assert f"{name}=={version}" in pins
        assert re.fullmatch(r"[0-9a-f]{64}", digest)
    assert re.fullmatch(r"[0-9a-f]{64}", made.ARCHIVE[1])
    kept = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not re.search(r"\.(whl|wasm|tgz|zip)$", kept, re.MULTILINE)


def test_what_was_changed_on_the_way_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = script("playground")
    for name in (made.ARCHIVE[0], *map(made.wheel, made.WHEELS)):
        (tmp_path / name).write_bytes(b"something else")
    monkeypatch.setattr(made.subprocess, "run", lambda *_, **__: None)
    with pytest.raises(SystemExit, match=r"is not what it was"):
        made.fetched(tmp_path)


def test_the_sources_suffice_without_any_other_package() -> None:
    """Examples of the page are checked, shown, drawn and written by a bare Python: no torch, no onnx, no lark."""
    code = f"""
import json, sys
sys.path[:0] = [{str(ROOT / "src")!r}, {str(SITE / "playground")!r}]
import answers
for name in ["gpt2", "papers/mhc-lite"]:
    text = open({str(ROOT / "examples")!r} + f"/{{name}}.arch", encoding="utf-8").read()
    ask = lambda kind: json.loads(answers.answer(json.dumps({{"kind": kind, "text": text, "name": found["names"][0]}})))
    found = {{"names": [""]}}
    found = ask("check")
    assert found["ok"], (name, found)
    for kind in ("show", "draw", "svg", "emit"):
        told = ask(kind)
        assert not told["diagnostics"] and (told.get("text") or told.get("page")), (name, kind, told)
    assert ask("fmt")["text"] == text, name
print(json.dumps([each.__file__ for name, each in sys.modules.items() if name.startswith("ogive") and each.__file__]))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    used = {Path(each).relative_to(ROOT / "src").as_posix() for each in json.loads(done.stdout)}
    packed = {name for name, _ in script("playground").sources()}
    assert used - packed == set()
    assert {"ogive/grammar/tables.json", "ogive/stdlib/nn.arch", "ogive/examples/gpt2.arch"} <= packed


def test_an_example_of_the_page_is_there() -> None:
    assert len(EXAMPLES) >= 10
    assert [name for name in EXAMPLES if not (ROOT / "examples" / f"{name}.arch").is_file()] == []


def test_findings_have_places_and_faulty_blocks_are_drawn() -> None:
    text = GPT2.replace("Linear[4*d, d]", "Linear[3*d, d]")
    found = ask("check", text)
    (first,) = found["diagnostics"]
    assert (first["code"], first["line"], first["here"]) == ("E0301", 17, True)
    assert "playground.arch:17" in first["text"]
    assert str(ROOT) not in first["text"]
    for _ in range(2):  # a workspace forgets what failed, an answer does not
        assert {"MLP", "GPT", "Attention"} <= set(found["names"])
        assert all("page" in ask("draw", text, name=name) for name in found["names"])
        found = ask("check", text)
    assert ask("emit", text, name="GPT2")["diagnostics"][0]["code"] == "E0301"


@pytest.mark.parametrize("kind", ["check", "fmt", "show", "draw", "svg", "emit"])
@pytest.mark.parametrize(
    "text", ["", "block", "\ud800", "block A[d](x: [b]) -> [b]:\n    return x", EXTERN, HOSTILE], ids=repr
)
def test_every_text_is_answered(kind: str, text: str) -> None:
    for name in ("", "A", "no such name"):
        found = ask(kind, text, name=name, sizes={"b": 3, "<": 1}, depth=9, view="none")
        assert ask(kind, text, name=name, depth=None, sizes=None) is not None
        assert found["diagnostics"] or set(found) & {"ok", "text", "page"}


def test_no_class_of_a_user_is_let_in() -> None:
    found = ask("check", EXTERN)
    assert not found["ok"]
    assert [each["code"] for each in found["diagnostics"]] == ["E0202"]


class Elements(HTMLParser):
    """The elements of a page, and those of their attributes that run something."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen += [tag, *(name for name, _ in attrs if name.startswith("on"))]


def test_what_a_program_says_makes_no_element() -> None:
    drawn = ask("draw", HOSTILE, name="A")["page"]
    parser, plain = Elements(), Elements()
    parser.feed(drawn)
    plain.feed(ask("draw", HOSTILE.replace(WORDS, "words"), name="A")["page"])
    assert set(parser.seen) == set(plain.seen)
    assert parser.seen.count("script") == plain.seen.count("script")


def test_sizes_are_those_that_the_page_shows() -> None:
    """A drawing writes `b1` with a low digit; what is exported and shown at sizes knows which one is meant."""
    text = "ogive 1\nblock A(x: [b1, n]) -> [b1, n]:\n    return relu(x)\n\nmodel M = A\n"
    assert ">7<" in ask("svg", text, name="M", sizes={"b₁": 7, "n": 5})["text"]
    assert "b1=7" in ask("show", text, name="M", sizes={"b₁": 7, "n": 5})["text"]
    assert ask("svg", GPT2, name="Tiny")["text"] == diagram(subjects(script("answers")._checked(GPT2))["Tiny"]).text(
        "svg"
    )


def test_feature_maps_have_sides_that_fit() -> None:
    text = (ROOT / "examples" / "unet.arch").read_text(encoding="utf-8")
    for sizes in ({}, {"h": 7}, {"h": 572, "w": 572}):
        assert "page" in ask("draw", text, name="UNet572", view="maps", sizes=sizes)
    assert ask("draw", GPT2, name="GPT2", view="maps")["diagnostics"][0]["code"] == "E0831"


SIZE = "document.querySelector('input[aria-label=\"Size n, as a number\"]')"


def looked(page: Browser) -> None:
    """Wait until the program is checked, and drawn."""
    page.until("Number(desk.dataset.checked) && Number(desk.dataset.looked)")


def typed(page: Browser, text: str) -> None:
    page.run("desk.dataset.checked = desk.dataset.looked = 0")
    page.run(f"{{const a = desk.querySelector('textarea'); a.value = {json.dumps(text)}; "
             "a.dispatchEvent(new Event('input'));}")  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_reader_checks_drags_links_and_exports(tmp_path: Path) -> None:
    site = tmp_path / "site"
    subprocess.run([sys.executable, str(SITE / "build.py"), str(site)], check=True, timeout=300)
    done = subprocess.run([sys.executable, str(SITE / "playground.py"), str(site)], check=False, timeout=300)
    if done.returncode:
        pytest.skip("what the playground needs cannot be fetched here")
    with served(site) as address, browser(tmp_path) as page:
        page.sized(1280, 900)
        page.open(f"{address}docs/playground.html")
        looked(page)
        said = "desk.querySelector('[data-part=said]').textContent"
        # findings
        typed(page, GPT2.replace("Linear[4*d, d]", "Linear[3*d, d]"))
        looked(page)
        assert page.run("desk.querySelector('.problem.error button').textContent") == "17:12 E0301"
        assert page.run("desk.querySelector('[data-part=gutter] .error').textContent") == "17"
        assert page.run("desk.querySelector('[data-part=back] .mark.error').textContent").startswith("x |> Linear")
        # what a finding offers is written, and a program takes its one style
        typed(page, GPT2.replace("p = scores", "p   =  scors"))
        looked(page)
        page.run("desk.dataset.checked = desk.dataset.looked = 0")
        page.run("desk.querySelector('.problem.error button:last-of-type').click()")
        looked(page)
        assert page.run("desk.querySelector('[data-part=verdict]').textContent") == "no errors"
        page.run("desk.querySelector('[data-part=format]').click()")
        page.until(f"desk.querySelector('textarea').value === {json.dumps(GPT2)}")
        # what a program says is text
        typed(page, HOSTILE)
        looked(page)
        assert page.run("document.title") != "run"
        assert page.run("desk.querySelectorAll('img, script:not([src])').length") == 0
        # a proof that needs factors of a polynomial loads what finds them, which takes longer than a request may
        typed(page, SQUARES)
        looked(page)
        assert "where n == m" in page.run("desk.querySelector('.problem.error pre').textContent")
        assert any(each.endswith(".whl") for each in page.asked)
        # a link holds the program, whatever is in it
        typed(page, HOSTILE)
        looked(page)
        page.run("desk.querySelector('[data-part=link]').click()")
        assert page.until("location.hash") == script("tries").fragment(HOSTILE)
        page.run(f"location.hash = {script('tries').fragment(GPT2)!r}")
        page.until("desk.querySelector('[data-part=verdict]').textContent === 'no errors'")
        assert page.run("desk.querySelector('textarea').value") == GPT2
        page.run("location.hash = '#program=%%%'")
        assert "cannot be read" in page.until(said)
        assert faint(page) == []
        # what takes longer than it may is ended, and the next program is answered
        page.run("desk.dataset.limit = '0.001'")
        typed(page, GPT2 + "\n")
        assert "Stopped after 0.001 seconds" in page.until(f"{said}.startsWith('Stopped') && {said}")
        page.run("desk.dataset.limit = '5'")
        typed(page, GPT2 + "\n\n")
        page.run("desk.querySelector('[data-part=cancel]').click()")
        assert page.run(said) == "Stopped."
        typed(page, GPT2)
        page.until("desk.querySelector('[data-part=verdict]').textContent === 'no errors'")
        # sizes are dragged in the drawing, and stay when the program changes
        looked(page)
        page.run(f"{{const a = {SIZE}; a.value = 2000; a.dispatchEvent(new Event('input', {{bubbles: true}}));}}",
                 page.frames[-1])  # fmt: skip
        assert page.until(f"{said}.includes('broken') && {said}") == "1 condition is broken at these sizes."
        typed(page, GPT2 + "\n\n")
        looked(page)
        assert page.until(f"{SIZE}.value", page.frames[-1]) == "2000"
        # what is exported is what the command line writes
        page.run("desk.querySelector('[data-part=py]').click()")
        page.until("desk.dataset.exported")
        assert page.run("desk.dataset.exported") == ask("emit", GPT2 + "\n\n")["text"]
        page.run("desk.querySelector('[data-part=svg]').click()")  # at sizes that break a condition
        page.until("desk.querySelector('.problem')?.textContent.includes('n=2000')")
        page.run("{const a = desk.querySelector('[data-part=name]'); a.value = 'MLP';"
                 "a.dispatchEvent(new Event('change')); desk.querySelector('[data-part=svg]').click();}")  # fmt: skip
        assert (
            page.until("desk.dataset.exported.startsWith('<svg') && desk.dataset.exported")
            == ask("svg", GPT2 + "\n\n", name="MLP")["text"]
        )
        assert page.faults == []
        assert [each for each in page.asked if not each.startswith((address, "data:", "about:", "blob:"))] == []
