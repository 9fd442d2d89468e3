"""Names are found everywhere: a program in which every name of its own is another is the same program."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from lsp.edited import fresh
from ogive.language.desk import SeenFile
from ogive.language.edits import FileEdit, applied
from ogive.language.names import Occurrence, occurrences
from ogive.language.places import region
from sampled import sampled

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.arch"))


def own(seen: SeenFile) -> list[Occurrence]:
    """Names that a user may change without changing a path of weights that something else names."""
    fixed = {
        word
        for line in re.findall(r"(?m)^\s*(?:init|keep)\b(.*)", seen.text)
        for word in re.findall(r"\w+", line.partition("=")[0])
    }
    # what reads a weight through an instance: `f.weight`, `f(x, weight=...)`
    fixed |= set(re.findall(r"\.(\w+)", seen.text)) | set(re.findall(r"\b(\w+)\s*=", seen.text))
    # what a block that was handed over is given by name: which block that is the text does not say
    places = occurrences(seen.module)
    known = {seen.lines.offset(region(each.span).start) for each in places}
    unknown = {word[1] for word in re.finditer(r"\b(\w+)=", seen.text) if word.start() not in known}
    found = []
    for each in places:
        symbol = each.symbol
        if symbol.home == seen.path and symbol.kind not in ("missing", "module"):
            if symbol.name in (fixed if symbol.kind == "weight" else unknown if symbol.kind == "static" else ()):
                continue
            found.append(each)
    return found


LISTS = """
use std.nn (Linear)

block Parts[widths: list, d](xs: [b, n[i], widths[i]] for i in range(len(widths))) -> (
    ys: [b, n[j], d] for j in range(len(widths)), first: [b, n[0], d]):
    made = [xs[k] |> Linear[w, d] for k, w in enumerate(widths)]
    return made, made[0]

model M = Parts[widths=[2, 3], d=4]
"""


@pytest.mark.parametrize("path", sampled([Path("lists.arch"), *EXAMPLES]), ids=lambda path: path.stem)
def test_every_name_may_be_another(path: Path) -> None:
    draw = random.Random(path.stem)
    seen = fresh(path, path.read_text(encoding="utf-8") if path in EXAMPLES else LISTS)
    found = own(seen)
    chosen = {each.symbol for each in found if draw.randrange(2)}
    edits = [
        FileEdit(seen.path, region(each.span), f"{'a' if each.symbol.axis else 'v'}_{each.symbol.name}")
        for each in found
        if each.symbol in chosen
    ]
    assert edits
    assert all(each.span.text == each.symbol.name for each in found)
    after = fresh(path, applied(seen.text, edits))
    errors = [each.message for each in after.program.diagnostics if each.severity == "error"]
    assert errors == []
    counts = [model.parameters for model in seen.program.models.values()]
    assert [model.parameters for model in after.program.models.values()] == counts
