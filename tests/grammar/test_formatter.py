"""The one style: the same program, the same comments beside the same words, and nothing left to change."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import random_trees as trees
from generated.program import program
from generated.text import program_text
from ogive.cli import cli
from ogive.grammar import syntax as s
from ogive.grammar.diagnostics import ArchError
from ogive.grammar.formatter import format_text
from ogive.grammar.layout import WIDTH
from ogive.grammar.parser import parse
from ogive.grammar.printer import unparse

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "examples", ROOT / "stdlib")
FILES = sorted(file for folder in FOLDERS for file in folder.rglob("*.arch"))
CHECKED = sorted((ROOT / "tests" / "golden").rglob("*.arch"))
_WORD = re.compile(r"\"[^\"\n]*\"|(?<![\w'])'[^'\n]*'|#[^\n]*|[\w.']+|[^\s\w(),]")


def words(text: str) -> list[str]:
    """Words and comments in their order, without what a layout may add: parentheses, commas, `where` again."""
    found = [word.rstrip() for word in _WORD.findall(text)]
    return [re.sub(r"^'(.*)'$", r'"\1"', word) for word in found if word != "where"]


def formatted(text: str) -> str:
    """The text formatted, with the laws that hold of any."""
    result = format_text(text)
    assert parse(result).file == parse(text).file
    assert format_text(result) == result
    assert "\n\n\n" not in result
    assert not re.search(r"[ \t]\n|\n[ ]*\t|\A\n|\n\n\Z", result)
    assert result.endswith("\n") or not result
    return result


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_that_are_shipped_are_formatted(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert format_text(text) == text, f"ogive fmt {path}"
    assert max(len(line) for line in text.split("\n") if "#" not in line) <= WIDTH


def test_files_of_all_kinds_are_formatted_or_refused() -> None:
    refused = 0
    for path in CHECKED:
        text = path.read_text(encoding="utf-8")
        try:
            assert words(formatted(text)) == words(text), path
        except ArchError as error:
            refused += 1
            assert any(found.severity == "error" for found in error.diagnostics)
    assert 0 < refused < len(CHECKED) / 2


@settings(max_examples=100, deadline=None)
@given(trees.files(), st.randoms(use_true_random=False))
def test_any_program_with_comments_anywhere(tree: s.File, chance: random.Random) -> None:
    formatted(commented(unparse(tree), chance))


@pytest.mark.parametrize("number", range(20))
def test_random_programs_in_odd_layouts(number: int) -> None:
    text = program_text(program(f"style/{number}"))
    chance = random.Random(number)
    odd = commented(text, chance)
    result = formatted(odd)
    assert words(result) == words(odd)
    squeezed = re.sub(r"(?<=[^\s#]) +(?=[-+*/=|(])|(?<=,) +", lambda found: " " * chance.choice([0, 1, 3]), text)
    if not parse(squeezed).diagnostics:  # `2 -1` is two values in a list, but one in a sum
        assert parse(squeezed).file != parse(text).file or formatted(squeezed) == formatted(text)


def commented(text: str, chance: random.Random) -> str:
    """The text with comments above, behind and inside of statements, and blank lines."""
    lines: list[str] = []
    for number, line in enumerate(text.split("\n")[:-1]):
        indent = line[: len(line) - len(line.lstrip())]
        if line and "ogive" not in line[:5] and chance.random() < 0.3:
            lines += [""] * chance.randint(0, 3) + [f"{indent}# above {number}", *[""] * chance.randint(0, 2)]
        if not set(line) & set("\"'#") and chance.random() < 0.2 and (cut := line.find("(")) > 0:
            lines += [f"{line[: cut + 1]}  # inside {number}", f"{indent}      {line[cut + 1 :]}"]
        elif line and "##" not in line and chance.random() < 0.3:
            lines.append(f"{line}   # behind {number}")
        else:
            lines.append(line)
        if line.startswith("    ") and chance.random() < 0.1:
            lines.append(f"{' ' * chance.randint(0, 9)}# below {number}")
    return "\n".join(lines) + "\n"


def test_comments_stay_in_the_body_that_they_are_indented_as() -> None:
    text = """\
block F(x: [b]) -> [b]:
        # first
        if training:   # why

            y = x
            # of the branch

      # odd
        else:
            y = -x
        # before the end
        return y
        # the end

# between


block G(x: [b]) -> [b]: return x  # alone
"""
    assert (
        formatted(text)
        == """\
block F(x: [b]) -> [b]:
    # first
    if training:  # why
        y = x
        # of the branch

    # odd
    else:
        y = -x
    # before the end
    return y
    # the end

# between

block G(x: [b]) -> [b]:
    return x  # alone
"""
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"const a = 1", b"const a = 1\n"),
        (b"\xef\xbb\xbfconst a=1\r\nconst b = 2\n\n\n", b"const a = 1\r\nconst b = 2\r\n"),
        (b"", b""),
        (b"\n\n", b""),
        (b"# only\n\n\n# comments", b"# only\n\n# comments\n"),
        (
            b"recipe x for y: tap if a else b, a_name_that_is_long[of=1234567890], another_name[of=1234567890, d=2]",
            b"recipe x for y:\n    (tap if a else b), a_name_that_is_long[of=1234567890], "
            b"another_name[of=1234567890, d=2]\n",
        ),
        (b"const a = 1e-5  \nconst b=(2*a) + 3", b"const a = 1e-5\nconst b = (2*a) + 3\n"),
    ],
)
def test_files_of_odd_bytes(before: bytes, after: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.arch"
    path.write_bytes(before)
    check = CliRunner().invoke(cli, ["fmt", "--check", str(path)])
    assert (check.exit_code, path.read_bytes()) == (int(before != after), before)
    assert CliRunner().invoke(cli, ["fmt", "-"], input=before).stdout_bytes == after
    assert CliRunner().invoke(cli, ["fmt", str(path)]).exit_code == 0
    assert path.read_bytes() == after
    assert CliRunner().invoke(cli, ["fmt", "--check", str(path)]).exit_code == 0


def test_a_file_with_errors_stays_and_a_difference_is_shown(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.arch", tmp_path / "bad.arch"
    good.write_text("const a=1\n")
    bad.write_text("const a=1\nconst b = = 2\n")
    result = CliRunner().invoke(cli, ["fmt", str(bad), str(good)])
    assert result.exit_code == 1
    assert "error[E0101]" in result.stderr
    assert bad.read_text() == "const a=1\nconst b = = 2\n"
    assert good.read_text() == "const a = 1\n"
    good.write_text("const a=1\n")
    shown = CliRunner().invoke(cli, ["fmt", "--diff", str(good)])
    assert shown.exit_code == 0
    assert "-const a=1\n+const a = 1\n" in shown.stdout
    assert good.read_text() == "const a=1\n"


def test_what_is_no_text_is_refused_and_lines_end_at_line_ends_alone(tmp_path: Path) -> None:
    """Standard input as a file: no byte of a comment becomes another one."""
    latin = b"const a=1  # caf\xe9\n"
    path = tmp_path / "a.arch"
    path.write_bytes(latin)
    for result in (CliRunner().invoke(cli, ["fmt", "-"], input=latin), CliRunner().invoke(cli, ["fmt", str(path)])):
        assert result.exit_code == 1
        assert "byte 0xe9 is no UTF-8" in result.stderr
        assert "const" not in result.stdout
    assert path.read_bytes() == latin
    shown = CliRunner().invoke(cli, ["fmt", "--diff", "-"], input="const a=1  # x\x0cy\u2028z\n".encode())
    assert "-const a=1  # x\x0cy\u2028z\n+const a = 1  # x\x0cy\u2028z\n" in shown.stdout
