"""Rows of a figure: what crosses from one to another has a name, and nothing is lost."""

from __future__ import annotations

import pytest

from diagram.subjects import block, subjects
from ogive.backends.diagram.diagram import diagram
from ogive.backends.diagram.figure.figure import Section
from ogive.backends.diagram.figure.geometry import Path, Text
from ogive.backends.diagram.layout.memories import RowPart, lives_of, origins, parts

SUBJECTS = subjects()
HEAD = "use std.nn (Linear, LayerNorm)\n"


def sections(name: str) -> list[Section]:
    """The sections of a figure with some columns, those of bodies too."""
    made = diagram(SUBJECTS[name], depth=1).figure
    found = [*made.sections, *(body for op in made.walk() for body in op.bodies)]
    return [section for section in found if len(section.columns) > 2]


def losses(section: Section, rows: list[RowPart]) -> list[str]:
    """What a reader of the rows misses, in words."""
    found: list[str] = []
    origin, lives = origins(section), lives_of(section)
    kept: set[str] = set()
    before: set[str] = set()
    drawn: list[str] = []
    for number, row in enumerate(rows):
        first = {t.tid for t in row.section.boundaries[0]}
        place = {t.tid: at for at, b in reversed([*enumerate(row.section.boundaries)]) for t in b}
        given = {name: place[tid] for tid, name in row.kept.items() if name not in kept}
        early = [tid for tid, name in row.read.items() if name not in kept and not place[tid] > given.get(name, 1e9)]
        found += [f"{tid} is read before it is kept" for tid in early]
        found += [f"{tid} begins row {number} from nothing" for tid in first - before - set(row.read) if number]
        kept |= set(row.kept.values())
        for at, column in enumerate(row.section.columns):
            left, right = ({t.tid for t in b} for b in row.section.boundaries[at : at + 2])
            for op in column.ops:
                drawn.append(op.oid)
                found += [f"{op.oid} does not find {tid}" for tid in op.inputs if tid not in left]
                found += [f"{op.oid} does not leave {tid}" for tid in op.outputs if tid not in right]
                slots = {s.sid for b in row.section.boundaries[at : at + 2] for t in b for s in t.slots}
                found += [
                    f"{op.oid} has loose wires" for link in op.links if not slots.issuperset((*link.left, *link.right))
                ]
            made = {tid for op in column.ops for tid in op.outputs}
            found += [f"{tid} comes from nothing" for tid in right - left - made - set(row.read)]
        before = {t.tid for t in row.section.boundaries[-1]} - set(row.kept)
        if number < len(rows) - 1 and len(before) > 1:
            found.append(f"{sorted(before)} go on in row {number + 1}")
    all_ops = {op.oid for column in section.columns for op in column.ops}
    copies = {op.oid for column in section.columns for op in column.ops if op.glyph == "copy"}
    found += [f"{oid} is drawn {drawn.count(oid)} times" for oid in all_ops - copies if drawn.count(oid) != 1]
    ends = {t.tid for t in rows[-1].section.boundaries[-1]}
    found += [f"{tid} is no result" for tid in section.outputs if tid not in ends and lives[tid].user is None]
    assert set(origin) >= set(lives)
    return found


@pytest.mark.parametrize("name", [*SUBJECTS][::2])
def test_nothing_is_lost_between_rows(name: str) -> None:
    """Whatever the rows: each operation finds what it reads, under a name that was given before, or on its wires."""
    for section in sections(name):
        end = len(section.columns)
        for step in (1, 2, 3, 5):
            marks = [*range(0, end, step), end]
            assert losses(section, parts(section, marks)) == []


def test_what_is_lost_is_seen() -> None:
    (section, *_) = sections("unet:Tiny")
    whole = parts(section, [0, 6, len(section.columns)])
    assert losses(section, whole) == []
    assert losses(section, whole[1:])
    assert losses(section, [RowPart(whole[0].section), whole[1]])


def test_a_name_is_read_where_it_was_given_and_each_has_its_own() -> None:
    for name in ("unet:Tiny", "diffusion_unet:Tiny"):
        texts = [item.text for item in diagram(SUBJECTS[name], width="85mm").drawing.items if isinstance(item, Text)]
        given = [text.removeprefix("→ ") for text in texts if text.startswith("→ ")]
        read = [text.removesuffix(" →") for text in texts if text.endswith(" →")]
        assert given == sorted(set(given))
        assert set(read) == set(given)


def test_a_copy_of_three_axes_that_waits_is_one_line() -> None:
    for axes, lines in (("b, n, d", 1), ("b, d", 0)):
        made = block(f"{HEAD}block A[d](x: [{axes}]) -> [{axes}]:\n    return x + (x |> LayerNorm |> Linear[d, d])")
        bundles = [i for i in diagram(made).drawing.items if isinstance(i, Path) and i.style == "bundle"]
        level = [path for path in bundles if path.commands[0][1][1] == path.commands[-1][1][1]]
        assert len(level) == lines


def test_what_would_change_the_order_of_wires_is_no_bundle() -> None:
    """Two programs that read a copy in another order of its axes differ."""
    drawn = []
    for pattern in ("a b c", "a c b"):
        text = f'block A(x: [n, n, n]) -> [n, n]:\n    return einsum["a b c, {pattern} -> a b"](exp(x) * 2, x)'
        drawn.append([item for item in diagram(block(text)).drawing.items if isinstance(item, Path)])
    assert drawn[0] != drawn[1]
