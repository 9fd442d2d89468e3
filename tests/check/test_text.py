"""Texts that editors and systems write otherwise mean the same; names that Python takes for one are no two here."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

import ogive
from ogive.backends.pytorch.module.file import emit
from ogive.compiler.driver.workspace import check_text
from ogive.grammar.diagnostics import ArchError

TEXT = """use std.nn (Linear)

## A net.
block Main[d, act=relu](x: [b, d],
                        y: [b, d]?) -> [b, d]:
    h = x
        |> Linear[d, d] as up
        |> act
    if given(y):
        h = h + y

    return h

model M = Main[d=4]
"""
CRLF = TEXT.replace("\n", "\r\n")
WAYS = {"crlf": CRLF, "cr": TEXT.replace("\n", "\r"), "mixed": TEXT.replace("\n", "\r\n", 6),
        "mark": "\ufeff" + TEXT, "both": "\ufeff" + CRLF, "no end": TEXT.rstrip("\n")}  # fmt: skip
# pairs that are one name for Python, which takes identifiers in the form NFKC
PAIRS = [("\u00e9", "e\u0301"), ("\u212b", "\u00c5"), ("\ufb01", "fi"), ("\uff41", "a"), ("\U0001d431", "x"),
         ("\u00b5", "\u03bc"), ("x\u00b2", "x2"), ("\u1e9b\u0323", "\u1e69"), ("\u2163", "IV")]  # fmt: skip
PLACES = ["    {} = x * 2\n    {} = x * 3\n    return {} + {}\n", "    tap {} = x\n    tap {} = x\n    return x\n",
          "    param {}: [4]\n    param {}: [4]\n    return x * {} * {}\n",
          "    return x |> rearrange[\"{} {} -> {} {}\"]\n"]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_line_ends_and_marks_mean_nothing(way: str, tmp_path: Path) -> None:
    (tmp_path / "m.arch").write_bytes(WAYS[way].encode())
    wanted = ogive.source(TEXT, "m.arch").models["M"]
    for found in (ogive.source(WAYS[way], "m.arch").models["M"], ogive.load(tmp_path / "m.arch").models["M"]):
        assert emit(found.ir) == emit(wanted.ir)
        assert found.weights == wanted.weights
        assert found.diagram().text("svg") == wanted.diagram().text("svg")
    assert way == "no end" or ogive.source(WAYS[way], "m.arch").models["M"].torch_source() == wanted.torch_source()


@pytest.mark.parametrize("way", WAYS)
def test_places_are_those_of_the_lines(way: str) -> None:
    with pytest.raises(ArchError) as wanted:
        ogive.source(TEXT.replace("h + y", "h + z"))
    with pytest.raises(ArchError) as found:
        ogive.source(WAYS[way].replace("h + y", "h + z"))
    assert str(found.value) == str(wanted.value)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_names_that_normalize_alike_are_no_two_names(pair: tuple[str, str], place: str) -> None:
    """Names are of ASCII: anything else is said at its place."""
    one, two = pair
    assert unicodedata.normalize("NFKC", one) == unicodedata.normalize("NFKC", two)
    found = check_text(f"block main(x: [4, 4]) -> [4, 4]:\n{place.format(one, two, one, two)}")
    errors = [each for each in found.diagnostics if each.severity == "error"]
    assert errors
    assert {each.code for each in errors} <= {"E0101", "E0303"}


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_names_of_settings_and_outputs_neither(pair: tuple[str, str]) -> None:
    one, two = pair
    for text in (
        f"block f[{one}, {two}](x: [{one}, {two}]) -> [{one}]:\n    return sum[-1](x)\n",
        f"block f(x: [b]) -> ({one}: [b], {two}: [b]):\n    return x, x\n",
        f"block {one}(x: [b]) -> [b]:\n    return x\nblock {two}(x: [b]) -> [b]:\n    return x\n",
    ):
        assert any(each.code == "E0101" for each in check_text(text).diagnostics)
