"""What a body required of its sizes: solved together, reported once for each group, with the exact condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ogive.compiler.elaborate.modules.contracts import where_edit, where_text
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.proof import Constraint
from ogive.compiler.sizes import (
    FALSE,
    Answer,
    Condition,
    SizeComparison,
    Solution,
    Unknown,
    ge,
    simplify,
    size,
    solve,
    solve_each,
)
from ogive.grammar.diagnostics import Counterexample, Diagnostic, Edit, Label


def settle(frame: Frame, own: Sequence[Unknown]) -> list[Condition]:
    """Report the constraints that are not proved; return the conditions that join the block's own."""
    if frame.proof.constraints:
        with frame.bounded(frame.proof.constraints[0].span):
            _report_constraints(frame, own)
    if not frame.proof.inferred:
        return [c for c, span in frame.proof.stated if not _where(frame, span)]
    with frame.bounded(frame.proof.inferred[-1].span):
        return _inferred(frame, own)


def _inferred(frame: Frame, own: Sequence[Unknown]) -> list[Condition]:
    mine: list[Condition] = []
    known = set(own)
    for each in frame.proof.inferred:
        if frame.proof.facts.holds(each.condition):
            continue
        if each.condition.unknowns <= known:
            mine.append(each.condition)
        else:
            frame.report(
                "E0401",
                f"{each}, which cannot be said in the sizes of this block",
                each.span,
                help="bind the size by a name: `y: [b, n] = ...`, or `assume` the condition",
            )
    required = [c for c, span in frame.proof.stated if not _where(frame, span)]
    joined = simplify(frame.proof.facts, mine) if mine else []
    if FALSE in joined:
        _report_contradiction(frame, own)
        return required
    return [*required, *joined]


def _report_contradiction(frame: Frame, own: Sequence[Unknown]) -> None:
    """What used blocks demand can hold for each, but not for all: the first that those before exclude is named."""
    facts = frame.proof.facts
    for each in frame.proof.inferred:
        if not each.condition.unknowns <= set(own):
            continue
        if facts.decide(each.condition) is Answer.NEVER or FALSE in simplify(facts, [each.condition]):
            earlier = frame.proof.inferred[: frame.proof.inferred.index(each)]
            shared = [f for f in earlier if f.condition.unknowns & each.condition.unknowns]
            beside = {f.span.start: Label(f.span, str(f)) for f in shared}
            frame.report("E0401", f"{each}: what is used before excludes that", each.span, labels=(*beside.values(),))
            return
        facts = facts.assume(each.condition)
    first = frame.proof.inferred[0]
    frame.report("E0401", "what is used here can never hold together", first.span)


def _where(frame: Frame, span: object) -> bool:
    assert frame.block is not None
    return any(tree.span is span for tree in frame.block.tree.where)


def _report_constraints(frame: Frame, own: Sequence[Unknown]) -> None:
    """Constraints that share unknowns are solved together; the first in source order speaks for them, and for all
    that are made by its operation: one diagnostic for an operation.
    """
    pending = [d for d in frame.proof.constraints if not frame.proof.facts.holds(d.condition)]
    if not pending:
        return
    found: dict[tuple[int, int], list[tuple[int, Solution]]] = {}
    for part in _apart(pending):
        for indices, solution in solve_each(frame.proof.facts, [pending[i].condition for i in part]):
            at = sorted(part[i] for i in indices)
            span = pending[at[0]].span
            solution = _plainer(frame, solution, [pending[i].condition for i in at])
            solution = _in_order_of_operands(solution, [pending[i].condition for i in at])
            found.setdefault((span.start, span.end), []).append((at[0], solution))
    for group in sorted(found.values(), key=lambda group: group[0][0]):
        frame.diagnostics.append(_diagnostic(frame, own, pending[group[0][0]], [solution for _, solution in group]))


def _apart(pending: Sequence[Constraint]) -> list[list[int]]:
    """Constraints that are solved together, by their numbers: those of an operation whose operands do not look made
    for each other stand apart, for they say more of a mistake there than of what the sizes should be.
    """
    odd = {(each.span.start, each.span.end) for each in pending if each.odd is not None}
    places = [(each.span.start, each.span.end) for each in pending]
    firm = [i for i, place in enumerate(places) if place not in odd]
    return [firm, *([i for i, place in enumerate(places) if place == one] for one in sorted(odd))] if odd else [firm]


def _plainer(frame: Frame, solution: Solution, required: Sequence[Condition]) -> Solution:
    """The condition in the sizes that are open here, where that spares floors: `h % 8 == 0`, since `n` is 3. What a
    library block is given is called as its user writes it: a number has no other name.
    """
    if solution.where is None:
        return solution
    numbers = {u: number for u in solution.where.unknowns if (number := frame.proof.facts.reduce(size(u))).is_number}
    named = any(u.name == str(number) for u, number in numbers.items())
    if not numbers or not (named or "//" in str(solution.where)):
        return solution
    try:
        again = solve(frame.proof.facts, [condition.subs(numbers) for condition in required])
    except ZeroDivisionError:
        return solution
    return again if again.where is not None and (named or "//" not in str(again.where)) else solution


def _in_order_of_operands(solution: Solution, required: Sequence[Condition]) -> Solution:
    """An equality that is required as it stands keeps its sides: the earlier operand's size stands left."""
    where = solution.where
    if not isinstance(where, SizeComparison) or where.op != "==" or where.right.is_number:
        return solution
    turned = SizeComparison(where.op, where.right, where.left)
    return replace(solution, where=turned) if where not in required and turned in required else solution


def _diagnostic(
    frame: Frame, own: Sequence[Unknown], constraint: Constraint, solutions: Sequence[Solution]
) -> Diagnostic:
    never = [s for s in solutions if s.answer is Answer.NEVER or _leaves_nothing(frame, s)]
    solutions = never[:1] or sorted(solutions, key=_introduced)
    wanted = [s.where for s in solutions if s.where is not None and s.where.unknowns <= set(own)]
    odd = constraint.odd
    help_, details = "", [odd.text] if odd is not None and odd.text else []
    edits: tuple[Edit, ...] = ()
    if odd is not None and odd.text:
        help_, edits = odd.help or odd.text, odd.edits
        details = [odd.text] if odd.help else []
    elif not never and len(wanted) == len(solutions):
        help_ = f"where {where_text(wanted)}"
        edits = where_edit(frame, wanted)
        if not all(s.exact for s in solutions):
            help_ += "  (sufficient, not necessary)"
    flowing = [each.condition for each in frame.proof.inferred]
    examples = [example for solution in solutions if (example := _example(solution, flowing)) is not None]
    details += [line for example in examples for line in example.details]
    if never:
        details.append("together with all else that is demanded of these sizes, it never holds")
    elif not help_:
        help_ = "state what holds (`where ...`), or `assume` it where it cannot be proved"
    return Diagnostic(
        constraint.code,
        constraint.message,
        constraint.span,
        labels=constraint.labels,
        help=help_,
        details=tuple(details),
        edits=edits,
        counterexamples=tuple(examples),
    )


def _leaves_nothing(frame: Frame, solution: Solution) -> bool:
    """Whether a size that must be at least 1 falls below it wherever the constraints hold."""
    if solution.where is None or not frame.proof.derived:
        return False
    positive = [ge(size, 1) for size in frame.proof.derived if not size.unknowns.isdisjoint(solution.where.unknowns)]
    return bool(positive) and solve(frame.proof.facts, [solution.where, *positive]).answer is Answer.NEVER


def _introduced(solution: Solution) -> int:
    return min((u.serial for u in solution.where.unknowns), default=0) if solution.where is not None else 0


def _example(solution: Solution, flowing: Sequence[Condition]) -> Counterexample | None:
    """The smallest counterexample, and numbers nearby at which what is used holds too."""
    if not solution.counterexample:
        return None
    near = solution.near(solution.counterexample)
    for unknown, numbers in list(near.items()):
        near[unknown] = [n for n in numbers if _holds(flowing, {**solution.counterexample, unknown: n})]
    return Counterexample(
        tuple((str(unknown), number) for unknown, number in _ordered(solution.counterexample)),
        tuple((str(unknown), tuple(numbers)) for unknown, numbers in near.items() if numbers),
    )


def _holds(flowing: Sequence[Condition], values: dict[Unknown, int]) -> bool:
    """Whether the conditions hold at these numbers, as far as they speak of them alone."""
    try:
        return all(each.at(values) for each in flowing if each.unknowns <= values.keys())
    except ZeroDivisionError:
        return False


def _ordered(values: dict[Unknown, int]) -> list[tuple[Unknown, int]]:
    return sorted(values.items(), key=lambda item: item[0].serial)
