"""The pass `mup`: a program that starts, multiplies and attends by maximal update."""

from __future__ import annotations

from ogive.compiler.ir.model import Model
from ogive.compiler.passes.conversion.result import Note, Passed, PassError, unchanged
from ogive.compiler.passes.scaling.plan import MupPlan, plan


def mup_pass(
    model: Model, *, width: str = "", base: int = 64, optimizer: str = "adam", table: int = 8,
    grow: tuple[str, ...] = (),
) -> Passed:  # fmt: skip
    """Write the multipliers, the starts and the 1 / d of `analyze mup` into the program; weights keep their names.

    At the base width it computes what the source does. Raises PassError where nothing grows with the width.
    """
    found = plan(model, "mup", width, base, optimizer, table, grow)
    result = found.scaled()
    notes = _notes(found)
    if not any(note.done for note in notes) and all(each.role == "scalar" for each in found.weights.values()):
        raise PassError("E0811", f"no weight of {model.name} grows with `{width}`")
    return Passed(result, unchanged(model, result), notes, changing="mup")


def _notes(found: MupPlan) -> tuple[Note, ...]:
    notes = []
    for path, each in found.weights.items():
        if each.role == "unknown":
            notes.append(Note(False, path, each.why))
        elif each.std != 1 or each.multiplier != 1:
            text = f"{each.role}: entries times {each.std:.6g}, in use times {each.multiplier:.6g}"
            notes.append(Note(True, path, text))
    notes += [Note(True, name.split(".")[0], f"logits times {factor:.6g}") for name, factor in found.logits.items()]
    return tuple(notes)
