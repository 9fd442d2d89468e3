"""What maximal update asks of a model: the role of each weight, the factors of logits, the scaled program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ogive.compiler.ir.model import Model
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.passes.scaling.growth import WidthGrowth, width_growth
from ogive.compiler.passes.scaling.roles import OPTIMIZERS, TABLES, ScaledWeight, by_path, scaled_weight
from ogive.compiler.passes.scaling.scaled import logit_factors, scaled_definition
from ogive.compiler.passes.scaling.uses import logit_uses, weight_uses
from ogive.grammar.spelling import close


@dataclass(frozen=True, slots=True)
class MupPlan:
    """A flattened model with open statics, what each weight is, and the factors of logits."""

    growth: WidthGrowth
    flat: Model
    weights: Mapping[str, ScaledWeight]
    logits: Mapping[str, float]

    def scaled(self) -> Model:
        """The model under maximal update at its width."""
        definition = scaled_definition(self.flat.definition, self.growth, self.weights, self.logits)
        bindings = tuple((unknown, number.number) for unknown, number in self.growth.now.items())
        closed = replace(self.flat, definition=definition, bindings=bindings)
        return flattened(closed, trained=True)[0]  # flat: layers of the library would start as they do there


def plan(model: Model, asked: str, width: str, base: int, optimizer: str, table: int, grow: tuple[str, ...]) -> MupPlan:
    """What maximal update asks of a model. Raises PassError for options that make no sense."""
    if not width:
        sizes = ", ".join(unknown.name for unknown, _ in model.bindings) or "none"
        raise PassError("E0810", f"`{asked}` needs the static that grows, `{asked}[width=...]`; there are {sizes}")
    if optimizer not in OPTIMIZERS:
        text = f"`optimizer` of `{asked}` is one of {', '.join(OPTIMIZERS)}, not `{optimizer}`"
        raise PassError("E0810", text, close(optimizer, OPTIMIZERS))
    if table not in TABLES:
        raise PassError("E0810", f"`table` of `{asked}` is one of {', '.join(map(str, TABLES))}, not {table}")
    growth = width_growth(model, width, base, grow, asked)
    flat = flattened(growth.model, trained=True)[0]
    uses = by_path(tuple(weight_uses(flat.definition.graph)))
    weights = {
        weight.path: scaled_weight(growth, weight, uses.get(weight.path, []), optimizer, table)
        for weight in flat.definition.weights
        if weight.kind == "param"
    }
    logits = logit_factors(growth, list(logit_uses(flat.definition.graph)))
    return MupPlan(growth, flat, weights, logits)
