"""Runs that the source has unrolled are drawn once: steps that come again and again, each time after themselves.

Two copies of a run are the same where glyphs, texts, links and blocks agree (a hash finds candidates, a comparison of
the structure decides), where each copy reads what the copy before made, and nothing else reads that. Copies that differ
in numbers alone fold where there are three or more; the numbers go to the legend, by a counter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ogive.backends.diagram.figure.figure import Change, Op
from ogive.backends.diagram.from_ir.alike import numbered, numbers, same_block, shape
from ogive.backends.diagram.from_ir.steps import DrawnStep
from ogive.backends.diagram.from_ir.wires import Wires
from ogive.compiler.sizes import Unknown
from ogive.compiler.sizes.arithmetic import size as size_of

LONGEST = 48  # steps of one iteration
COUNTER = "λ"
Counters = dict[str, tuple[str, ...]]  # what each counter is in the copies


@dataclass(slots=True)
class RepeatedRun:
    """Steps from `start` on that are `count` copies of `length` steps."""

    start: int
    length: int
    count: int
    carried: dict[tuple[int, int], str] = field(default_factory=dict)  # (step of a copy, its result): what enters first
    alike: bool = False  # copies do not even differ in numbers

    @property
    def end(self) -> int:
        """The first step behind it."""
        return self.start + self.length * self.count


def gathered(steps: Sequence[DrawnStep]) -> list[DrawnStep]:
    """What is made from nothing stands before what first reads it, so that copies lie side by side."""
    waiting = {w.tid: step for step in steps if not step.reads for w in step.outs}
    found: list[DrawnStep] = []
    for step in steps:
        if not step.reads and step.outs:
            continue
        for value in step.reads:
            source = waiting.pop(value, None)
            if source is not None and source not in found[-LONGEST:]:
                found.append(source)
        found.append(step)
    known = {id(step) for step in found}
    return [*(step for step in steps if id(step) not in known), *found]


def runs(steps: Sequence[DrawnStep], outputs: Sequence[str]) -> list[RepeatedRun]:
    """The runs that are drawn once, from the first on."""
    keys = [shape(step) for step in steps]
    hashes = [hash(key) for key in keys]
    heavy = [step.op.learned or bool(step.op.bodies) or step.callee is not None for step in steps]
    found: list[RepeatedRun] = []
    latest: dict[int, list[RepeatedRun]] = {}  # by length
    for at in range(len(steps)):
        for length in range(1, min(LONGEST, (len(steps) - at) // 2) + 1):
            if hashes[at] == hashes[at + length] and any(heavy[at : at + length]) and not _inside(latest, at, length):
                run = _run(steps, keys, hashes, at, length, outputs)
                found += [run] if run is not None else []
                if run is not None:
                    run.alike = not any(_differing(steps, run))
                    latest[length] = [*(r for r in latest.get(length, ()) if r.end > at), run]
    return _chosen(steps, found)


def _inside(latest: dict[int, list[RepeatedRun]], at: int, length: int) -> bool:
    """Whether a run from here on is the rest of one that begins earlier, or takes copies of equal steps together."""
    for of, earlier in latest.items():
        if length % of == 0:
            for run in earlier:
                within = run.start <= at and at + 2 * length <= run.end
                if within and (run.alike if of < length else at > run.start and (at - run.start) % length == 0):
                    return True
    return False


def _chosen(steps: Sequence[DrawnStep], found: list[RepeatedRun]) -> list[RepeatedRun]:
    """Runs that do not overlap: first those of equal copies that hand on little, of these the longest."""

    def key(run: RepeatedRun) -> tuple[bool, int, int, int, bool, int]:
        late = steps[run.start].callee is None  # an iteration begins with a block, where it may begin anywhere
        return (
            not run.alike, len(run.carried), -run.length * run.count, run.length, late, run.start,
        )  # fmt: skip

    taken: list[RepeatedRun] = []
    for run in sorted(found, key=key):
        if all(run.end <= other.start or other.end <= run.start for other in taken):
            taken.append(run)
    return sorted(taken, key=lambda run: run.start)


def _run(
    steps: Sequence[DrawnStep], keys: list[tuple[object, ...]], hashes: list[int], at: int, length: int,
    outputs: Sequence[str],
) -> RepeatedRun | None:  # fmt: skip
    run = RepeatedRun(at, length, 1)
    while run.end + length <= len(steps) and hashes[run.end : run.end + length] == hashes[at : at + length]:
        before = run.end - length
        if keys[run.end : run.end + length] != keys[at : at + length]:
            break
        if not all(same_block(steps[before + k].callee, steps[run.end + k].callee) for k in range(length)):
            break
        carried = _carried(steps, before, length) if _together(steps, at, run.end, length) else None
        if carried is None or (run.count > 1 and carried.keys() != run.carried.keys()):
            break
        run.carried = run.carried or carried
        run.count += 1
    while run.count > 1 and not _sound(steps, run, outputs):
        run.count -= 1
    return run if run.count > 1 else None


def _together(steps: Sequence[DrawnStep], first: int, later: int, length: int) -> bool:
    """Whether the changes of two copies let them fold: the same in both, or copies that came or went as a whole."""
    a, b = ([(s.op.change, s.op.attr("was")) for s in steps[at : at + length]] for at in (first, later))
    return a == b or all(len(set(marks)) == 1 and marks[0][0] != "changed" for marks in (a, b))


def _carried(steps: Sequence[DrawnStep], a: int, length: int) -> dict[tuple[int, int], str] | None:
    """How the copy behind the one at `a` depends on it: which of its results are read, for what it read."""
    mine = {w.tid: (k, j) for k in range(length) for j, w in enumerate(steps[a + k].outs)}
    theirs = {w.tid: (k, j) for k in range(length) for j, w in enumerate(steps[a + length + k].outs)}
    found: dict[tuple[int, int], str] = {}
    for k in range(length):
        for x, y in zip(steps[a + k].reads, steps[a + length + k].reads, strict=True):
            if mine.get(x) is not None or theirs.get(y) is not None:
                if mine.get(x) != theirs.get(y):
                    return None
            elif y in mine:
                if found.setdefault(mine[y], x) != x:
                    return None
            elif x != y:
                return None
    return found or None


def _sound(steps: Sequence[DrawnStep], run: RepeatedRun, outputs: Sequence[str]) -> bool:
    """Whether nothing outside reads what only a copy knows, and whether enough copies fold their numbers."""
    last = run.end - run.length
    inner = {w.tid: i for i in range(run.start, run.end) for w in steps[i].outs}
    free = {steps[last + k].outs[j].tid for k, j in run.carried}
    outside = [*outputs, *(value for step in (*steps[: run.start], *steps[run.end :]) for value in step.reads)]
    if any(value in inner and value not in free for value in outside):
        return False
    for i in range(run.start, run.end):
        copy = (i - run.start) // run.length
        for value in steps[i].reads:
            if value in inner and (inner[value] - run.start) // run.length not in (copy, copy - 1):
                return False
    return run.count > 2 or not any(_differing(steps, run))


def _differing(steps: Sequence[DrawnStep], run: RepeatedRun) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """(step of a copy, name, values): what is not the same number in all copies."""
    for k in range(run.length):
        copies = [steps[run.start + n * run.length + k] for n in range(run.count)]
        for each in zip(*map(numbers, copies), strict=True):
            values = tuple(value for _, value in each)
            yield from [(k, each[0][0], values)] if len(set(values)) > 1 else []
        for axes in zip(*(_axes(step) for step in copies), strict=True):
            values = tuple(text for _, text in axes)
            yield from [(k, axes[0][0] or "c", values)] if len(set(values)) > 1 else []


def _axes(step: DrawnStep) -> list[tuple[str, str]]:
    return [(axis.label or "", str(axis)) for w in (*step.ins, *step.outs) for axis in w.type.axes]


def iteration(
    steps: Sequence[DrawnStep], run: RepeatedRun, oid: str
) -> tuple[list[DrawnStep], list[Wires], dict[str, str], Counters]:
    """One iteration of a run: its steps, what enters it, which value of the source each stands for, the legend."""
    names: dict[tuple[str, ...], str] = {}
    for _, label, values in _differing(steps, run):
        names.setdefault(values, _counter(label, set(names.values())))
    first = steps[run.start : run.start + run.length]
    made = {w.tid for step in first for w in step.outs}
    enters: dict[str, str] = {}
    inputs: list[Wires] = []
    for step in first:
        for wires, value in zip(step.ins, step.reads, strict=True):
            if value not in made and value not in enters:
                enters[value] = f"{oid}/{len(enters)}"
                inputs.append(_sized(replace(wires, tid=enters[value]), wires, steps, run, names))
    renamed = [_turned(step, k, steps, run, names, enters) for k, step in enumerate(first)]
    return renamed, inputs, {tid: value for value, tid in enters.items()}, {name: v for v, name in names.items()}


def _turned(
    step: DrawnStep,
    k: int,
    steps: Sequence[DrawnStep],
    run: RepeatedRun,
    names: dict[tuple[str, ...], str],
    enters: dict[str, str],
) -> DrawnStep:
    copies = [steps[run.start + n * run.length + k] for n in range(run.count)]
    texts = [tuple(value for _, value in each) for each in zip(*map(numbers, copies), strict=True)]
    counters = iter([names.get(values, "") for values in texts])
    came = {copy.op.change for copy in copies}
    told_apart = [
        (c.op.change, c.op.attr("path")) for c in copies if len(came) > 1 and c.op.change and c.op.attr("path")
    ]
    op = replace(step.op, change=step.op.change if len(came) == 1 else "", attrs=(*step.op.attrs, *told_apart))
    op = replace(op, text=numbered(step.op.text, counters), above=numbered(step.op.above, counters))
    rest = list(counters)  # those of statics, which no text has
    static = [name for name, _ in numbers(step)][len(texts) - len(rest) :]
    told = [f"{name}={each}" for name, each in zip(static, rest, strict=True) if each]
    path = step.op.attr("path")
    others = [copy.op.attr("path") for copy in copies]
    if path and len(set(others)) == 1:
        op = replace(op, attrs=(*op.attrs, ("shared", "all")))
    elif path:
        starred = ((key, _star(others) if key == "path" else value) for key, value in op.attrs)
        op = replace(op, attrs=(*starred, *(("own", each) for each in others)))
    if step.op.caption != copies[-1].op.caption:
        op = replace(op, caption=f"{step.op.caption}–{copies[-1].op.caption}")
    counted = {f"float {text.split('=')[0]}" for text in told}
    op = replace(op, caption=", ".join(x for x in (op.caption, *told) if x),
                 attrs=tuple(pair for pair in op.attrs if pair[0] not in counted))  # fmt: skip
    ins = tuple(_sized(w, w, steps, run, names) for w in step.ins)
    outs = tuple(_sized(w, w, steps, run, names) for w in step.outs)
    return replace(step, op=op, ins=ins, outs=outs, reads=tuple(enters.get(value, value) for value in step.reads))


def _star(paths: list[str]) -> str:
    parts = zip(*(path.split(".") for path in paths), strict=False)
    return ".".join(each[0] if len(set(each)) == 1 else "*" for each in parts)


def _sized(
    wires: Wires, like: Wires, steps: Sequence[DrawnStep], run: RepeatedRun, names: dict[tuple[str, ...], str]
) -> Wires:
    """The wires with counters in place of sizes that are not the same in all copies."""
    if not names:
        return wires
    for k in range(run.length):
        copies = [steps[run.start + n * run.length + k] for n in range(run.count)]
        for side in ("ins", "outs"):
            for j, found in enumerate(getattr(copies[0], side)):
                if found.tid == like.tid:
                    types = [getattr(copy, side)[j].type for copy in copies]
                    values = [tuple(str(t.axes[i]) for t in types) for i in range(len(types[0].axes))]
                    axes = tuple(
                        replace(axis, size=size_of(Unknown(names[v])), label=None) if v in names else axis
                        for axis, v in zip(types[0].axes, values, strict=True)
                    )
                    return replace(wires, type=replace(types[0], axes=axes))
    return wires


def _counter(label: str, taken: set[str]) -> str:
    base = re.sub(r"\W", "", label) or "c"
    name, more = f"{base}_{COUNTER}", 0
    while name in taken:
        more += 1
        name = f"{base}{more}_{COUNTER}"
    return name


def place_of(steps: Sequence[DrawnStep], run: RepeatedRun) -> str:
    """Where the copies stand in the model: `stages.0.blocks.1–2`."""
    for k in range(run.length):
        paths = [steps[run.start + n * run.length + k].op.attr("path").split(".") for n in (0, run.count - 1)]
        for i, (a, b) in enumerate(zip(*paths, strict=False)):
            if a != b:
                return ".".join([*paths[0][:i], f"{a}–{b}"]) if a.isdigit() and b.isdigit() else ""
    return ""


def folded(op: Op, steps: Sequence[DrawnStep], run: RepeatedRun) -> Op:
    """The operation that stands for a run; where copies came or went, with their number before and now."""
    changes = [steps[run.start + n * run.length].op.change for n in range(run.count)]
    gone = max(int(step.op.attr("fewer", "0")) for step in steps[run.start : run.end])
    before = sum(change != "added" for change in changes) + gone
    now = sum(change != "removed" for change in changes)
    attrs = (("carry", "0"), ("copies", str(run.count)), *((("fewer", str(gone)),) if gone else ()))
    if before and now and before != now:
        return replace(op, glyph="repeat", text=f"×{before} → ×{now}", attrs=attrs, change="changed")
    whole: Change = "added" if not before else "removed" if not now else ""
    return replace(op, glyph="repeat", text=f"×{run.count}", attrs=attrs, change=whole)
