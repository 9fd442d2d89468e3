"""What a body demanded of its sizes: solved together, reported once for each group, with the exact condition."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.compiler.elaborate.frame import Demand, Frame
from ogive.compiler.sizes import Answer, Condition, Solution, Unknown, simplify, solve_each
from ogive.grammar.diagnostics import Diagnostic


def settle(frame: Frame, own: Sequence[Unknown]) -> list[Condition]:
    """Report the demands that are not proved; return the conditions that join the block's own."""
    _report_demands(frame)
    mine: list[Condition] = []
    known = set(own)
    for each in frame.flowing:
        if frame.facts.decide(each.condition) is Answer.ALWAYS:
            continue
        if each.condition.unknowns <= known:
            mine.append(each.condition)
        else:
            frame.report("E0401", f"{each.text}: {each.condition} cannot be said in the sizes of this block", each.span,
                         help="bind the size by a name: `y: [b, n] = ...`, or `assume` the condition")  # fmt: skip
    required = [c for c, span in frame.stated if not _where(frame, span)]
    return [*required, *simplify(frame.facts, mine)] if mine else required


def _where(frame: Frame, span: object) -> bool:
    assert frame.block is not None
    return any(tree.span is span for tree in frame.block.tree.where)


def _report_demands(frame: Frame) -> None:
    """Demands that share unknowns are solved together; the first in source order speaks for them."""
    pending = [d for d in frame.demands if frame.facts.decide(d.condition) is not Answer.ALWAYS]
    if not pending:
        return
    found: list[tuple[int, Diagnostic]] = []
    spoken: set[tuple[int, int]] = set()
    for indices, solution in solve_each(frame.facts, [d.condition for d in pending]):
        first = min(indices)
        demand = pending[first]
        place = (demand.span.start, demand.span.end)
        if place in spoken:
            continue  # one diagnostic for an operation
        spoken.add(place)
        found.append((first, _diagnostic(demand, solution)))
    frame.diagnostics.extend(d for _, d in sorted(found, key=lambda pair: pair[0]))


def _diagnostic(demand: Demand, solution: Solution) -> Diagnostic:
    help_, details = "", []
    if solution.where is not None and solution.answer is not Answer.NEVER:
        help_ = f"where {solution.where}"
        if not solution.exact:
            help_ += "  (sufficient, not necessary)"
    if solution.counterexample:
        sizes = ", ".join(f"{u} = {n}" for u, n in _ordered(solution.counterexample))
        details.append(f"smallest counterexample: {sizes}")
        near = solution.near(solution.counterexample)
        if near:
            details.append("sizes nearby that fit: " + "; ".join(_legal(u, numbers) for u, numbers in near.items()))
    if solution.answer is Answer.NEVER:
        details.append("together with the other demands on these sizes, it never holds")
    elif not help_:
        help_ = "state what holds (`where ...`), or `assume` it where it cannot be proved"
    return Diagnostic(
        demand.code, demand.message, demand.span, labels=demand.labels, help=help_, details=tuple(details)
    )


def _ordered(values: dict[Unknown, int]) -> list[tuple[Unknown, int]]:
    return sorted(values.items(), key=lambda item: item[0].serial)


def _legal(unknown: Unknown, numbers: list[int]) -> str:
    return f"{unknown} = " + " or ".join(map(str, numbers))
