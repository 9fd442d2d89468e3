"""The analysis `muon`: which weights are matrices for Muon, and what the spectral condition asks of their steps."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt

from ogive.compiler.analysis.frame.interpreter import UnknownOp
from ogive.compiler.analysis.frame.result import AnalysisRow, Cell
from ogive.compiler.ir.model import Model
from ogive.compiler.passes.scaling.growth import WidthGrowth
from ogive.compiler.passes.scaling.plan import plan
from ogive.compiler.passes.scaling.report import MupResult
from ogive.compiler.passes.scaling.roles import ScaledWeight
from ogive.compiler.sizes import Size

CONVENTION = (
    "a step of Muon is rate · step norm · U Vᵀ for the gradient U S Vᵀ: of spectral norm rate · √(out / in), as the "
    "start should have; lr factor: of the rate, over that at the base width; all else is for Adam, as `mup` has it"
)
COLUMNS = ("role", "family", "fan_in", "fan_out", "step_norm", "lr_factor")


def muon(model: Model, *, width: str = "", base: int = 64, grow: tuple[str, ...] = ()) -> MupResult:
    """For each weight its family, and for matrices √(out / in), the spectral norm of a step at a rate of 1.

    The spectral condition (Yang et al. 2023, arXiv:2310.17813) asks for ‖W‖ and ‖ΔW‖ of √(out / in); an orthogonal
    step has the norm 1 before it is multiplied. More of Muon at large widths is not claimed.
    """
    found = plan(model, "muon", width, base, "muon", 8, grow)
    rows = [_row(found.growth, each) for each in found.weights.values()]
    unknown = tuple(
        UnknownOp(path, "weight", each.why, each.weight.span)
        for path, each in found.weights.items()
        if each.role == "unknown"
    )
    families = {path: family(each) for path, each in found.weights.items()}
    totals: dict[str, Cell] = {
        "matrices": sum(each == "muon" for each in families.values()),
        "others": sum(each == "adam" for each in families.values()),
    }
    options: dict[str, Cell] = {"width": width, "base": base, "grow": list(grow)}
    warnings = () if totals["matrices"] else ("no weight grows on both sides: nothing is for Muon",)
    return MupResult(
        "muon", model.name, options, CONVENTION, totals, tuple(rows), unknown, warnings, COLUMNS, (), "lr_factor",
        factors={path: each.lr for path, each in found.weights.items()}, family=families,
    )  # fmt: skip


def family(each: ScaledWeight) -> str:
    """Matrices that grow on both sides are for Muon."""
    return "muon" if each.role == "hidden" else "adam"


def _row(growth: WidthGrowth, each: ScaledWeight) -> AnalysisRow:
    matrix = family(each) == "muon"
    use = each.uses[0][0] if each.uses else None
    into, out = (None, None) if use is None else (_number(growth, use.into), _number(growth, use.out))
    fields: dict[str, Cell] = {
        "role": each.role,
        "family": family(each),
        "fan_in": into,
        "fan_out": out,
        "step_norm": sqrt(out / into) if matrix and into and out else None,
        "lr_factor": each.lr,
    }
    block = ", ".join(dict.fromkeys(use.node.op for use, _ in each.uses))
    return AnalysisRow(each.weight.path, block, fields, each.weight.span)


def _number(growth: WidthGrowth, sizes: Sequence[Size] | None) -> int | None:
    """A fan at the width of the model."""
    numbers = [growth.number(each) for each in sizes or ()]
    return prod(number for number in numbers if number is not None) if sizes and None not in numbers else None
