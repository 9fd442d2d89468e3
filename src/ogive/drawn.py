"""What of a checked file can be drawn."""

from __future__ import annotations

from ogive.compiler.driver.workspace import CheckedProgram
from ogive.compiler.ir.model import Definition, Model


def subjects(program: CheckedProgram) -> dict[str, Definition | Model]:
    """Models, and blocks: for all sizes where these are proved, else as a model uses them."""
    found: dict[str, Definition | Model] = dict(_used(program))
    found |= {report.name: report.definition for report in program.blocks if report.definition is not None}
    found |= {key: report.ir for key, report in program.models.items()}
    return found


def _used(program: CheckedProgram) -> dict[str, Definition]:
    """The blocks of a file in the form with the most operations that its models use, of these the first."""
    found: dict[str, Definition] = {}
    names = [report.name for report in program.blocks]
    waiting = [report.ir.definition for report in program.models.values()]
    seen = {id(definition) for definition in waiting}
    while waiting:
        definition = waiting.pop(0)
        if definition.block in names:
            other = found.get(definition.block)
            if other is None or _operations(definition) > _operations(other):
                found[definition.block] = definition
        callees = [node.callee for node in definition.graph.walk() if node.callee is not None]
        waiting += [callee for callee in dict.fromkeys(callees) if id(callee) not in seen]
        seen |= {id(callee) for callee in callees}
    return {name: found[name] for name in names if name in found}


def _operations(definition: Definition) -> int:
    return sum(1 for _ in definition.graph.walk())
