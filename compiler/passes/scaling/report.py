"""The analysis `mup`: a row for each weight with its role as a width grows; groups of parameters for optimizers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ogive.compiler.analysis.frame.interpreter import UnknownOp
from ogive.compiler.analysis.frame.result import AnalysisResult, AnalysisRow, Cell
from ogive.compiler.analysis.initial.moments import entry_moments
from ogive.compiler.ir.model import Model, Weight
from ogive.compiler.passes.scaling.growth import WidthGrowth
from ogive.compiler.passes.scaling.plan import MupPlan, plan
from ogive.compiler.passes.scaling.roles import ScaledWeight
from ogive.compiler.passes.scaling.scaled import scaled_init

CONVENTION = (
    "m: how much larger a fan is than at the base width; init std: of the entries; multiplier: of the weight where "
    "it is used; lr factor: of the learning rate; at the base width all is as declared"
)
COLUMNS = ("role", "m_in", "m_out", "init_std", "multiplier", "lr_factor")


@dataclass(frozen=True, slots=True)
class MupResult(AnalysisResult):
    """`parameter_groups` gives what an optimizer of torch takes."""

    factors: Mapping[str, float] | None = None  # of learning rates, by path; iterations of a loop are `*`
    family: Mapping[str, str] | None = None

    def parameter_groups(
        self, parameters: Iterable[tuple[str, Any]], lr: float, optimizer: str | None = None, weight_decay: float = 0.0
    ) -> list[dict[str, Any]]:
        """Groups with learning rates of their own, from `module.named_parameters()`.

        With a decay that is coupled to the rate (torch's AdamW multiplies both), lr · decay stays what it is at the
        base. Raises KeyError for a name that the analysis does not have. `optimizer` takes those of one family alone:
        with "muon", matrices are its own, and all others are for "adam".
        """
        groups: dict[float, list[Any]] = {}
        for name, parameter in parameters:
            path = _starred(name, self.factors or {})
            if optimizer is None or (self.family or {}).get(path, optimizer) == optimizer:
                groups.setdefault((self.factors or {})[path], []).append(parameter)
        return [
            {"params": each, "lr": lr * factor, "weight_decay": weight_decay / factor}
            for factor, each in groups.items()
        ]


def _starred(name: str, known: Mapping[str, float]) -> str:
    """The path of a parameter, with `*` for iterations where the analysis has it so."""
    if name in known:
        return name
    parts = name.split(".")
    for path in known:
        if path.count(".") == len(parts) - 1 and all(
            a in (b, "*") and (a == b or b.isdecimal()) for a, b in zip(path.split("."), parts, strict=True)
        ):
            return path
    raise KeyError(name)


def mup(
    model: Model, *, width: str = "", base: int = 64, optimizer: str = "adam", table: int = 8,
    grow: tuple[str, ...] = (),
) -> MupResult:  # fmt: skip
    """Each weight's role, start, multiplier and rate. `grow` names statics that grow in proportion to `width`."""
    found = plan(model, "mup", width, base, optimizer, table, grow)
    rows = [_row(found.growth, each, optimizer) for each in found.weights.values()]
    spans = {node.outputs[0].name: node for node in found.flat.definition.graph.walk() if node.outputs}
    for name, factor in found.logits.items():
        node = spans[name]
        fields: dict[str, Cell] = {
            "role": "logits", "m_in": round(1 / factor**2, 6), "m_out": 1.0, "init_std": None, "multiplier": factor,
            "lr_factor": None, "family": "",
        }  # fmt: skip
        rows.append(AnalysisRow("", node.op, fields, node.span))
    unknown = tuple(
        UnknownOp(path, "weight", each.why, each.weight.span)
        for path, each in found.weights.items()
        if each.role == "unknown"
    )
    roles: dict[str, Cell] = {}
    for role in ("input", "hidden", "output", "vector", "scalar", "unknown"):
        roles[role] = sum(each.role == role for each in found.weights.values())
    options: dict[str, Cell] = {
        "width": width, "base": base, "optimizer": optimizer, "table": table, "grow": list(grow),
    }  # fmt: skip
    return MupResult(
        "mup", model.name, options, CONVENTION, {**roles, "logits": len(found.logits)}, tuple(rows), unknown,
        _warnings(found), COLUMNS, (), "lr_factor",
        factors={path: each.lr for path, each in found.weights.items()},
        family={path: _family(each, optimizer) for path, each in found.weights.items()},
    )  # fmt: skip


def _family(each: ScaledWeight, optimizer: str) -> str:
    """Muon is for matrices that grow on both sides; Adam trains the others."""
    return optimizer if optimizer != "muon" or each.role == "hidden" else "adam"


def _row(growth: WidthGrowth, each: ScaledWeight, optimizer: str) -> AnalysisRow:
    fields: dict[str, Cell] = {
        "role": each.role,
        "m_in": each.m_in,
        "m_out": each.m_out,
        "init_std": _std(growth, each),
        "multiplier": each.multiplier,
        "lr_factor": each.lr,
        "family": _family(each, optimizer),
    }
    block = ", ".join(dict.fromkeys(use.node.op for use, _ in each.uses))
    return AnalysisRow(each.weight.path, block, fields, each.weight.span)


def _std(growth: WidthGrowth, each: ScaledWeight) -> float | None:
    """The deviation that its entries start with."""
    shape = [growth.number(axis.size) for axis in each.weight.type.axes]
    init = scaled_init(growth, each.weight, each.std) or each.weight.init
    if None in shape:
        return None
    moments = entry_moments(init, [number or 0 for number in shape])
    return None if moments is None else moments[1] ** 0.5


def _warnings(found: MupPlan) -> tuple[str, ...]:
    lines = []
    unscaled = [path for path, each in found.weights.items() if each.std != 1 and _expression(each.weight)]
    if unscaled:
        lines.append(f"an expression makes {', '.join(unscaled)}: scale it yourself by the factor of init std")
    if not any(each.role == "hidden" for each in found.weights.values()):
        lines.append("no weight grows on both sides")
    return tuple(lines)


def _expression(weight: Weight) -> bool:
    return weight.init.name == "expression"
