"""The role of each weight as a width grows, and what maximal update asks of it.

Yang et al. 2022, arXiv:2203.03466; the three forms are its tables 3, 8 and 9, which train alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from ogive.compiler.ir.model import Weight
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.passes.scaling.growth import WidthGrowth
from ogive.compiler.passes.scaling.uses import WeightUse
from ogive.compiler.sizes import Size, size

OPTIMIZERS = ("adam", "sgd", "muon")
TABLES = (3, 8, 9)


@dataclass(frozen=True, slots=True)
class ScaledWeight:
    """A weight: its role, how much its fans have grown, and each of its uses with a multiplier.

    `std` is by what the deviation of its entries is multiplied, over that at the base width; `lr` by what the rate is.
    """

    weight: Weight
    role: str
    m_in: float
    m_out: float
    std: float
    lr: float
    uses: tuple[tuple[WeightUse, float], ...]
    why: str = ""

    @property
    def multiplier(self) -> float:
        """That of its uses which is not 1, where there is one."""
        return next((found for _, found in self.uses if found != 1), 1.0)


def scaled_weight(
    growth: WidthGrowth, weight: Weight, uses: Sequence[WeightUse], optimizer: str, table: int
) -> ScaledWeight:
    """What a weight is, from the axes that grow and from its uses. Raises PassError for a tied one without table 8."""
    infinite = [axis.size for axis in weight.type.axes if growth.grows(axis.size)]
    roles = [_role(growth, use, len(infinite)) for use in uses]
    if len(infinite) > 2:
        return _unknown(weight, uses, f"{len(infinite)} of its axes grow")
    if any(role == "" for role in roles) or not roles:
        return _unknown(weight, uses, "how its use sums over it is not told" if roles else "it is not used")
    kinds = set(roles)
    tied = kinds == {"input", "output"}
    if len(kinds) > 1 and not tied:
        return _unknown(weight, uses, f"it is used as {' and as '.join(sorted(kinds))}")
    role = "input" if tied else roles[0]
    own = next(use for use, each in zip(uses, roles, strict=True) if each == role)
    m_in, m_out = _grown(growth, own.into), _grown(growth, own.out)
    if role == "vector":
        m_in, m_out = 1.0, _grown(growth, infinite)
    std, mult, lr = entries(role, m_in, m_out, optimizer, table)
    multipliers = []
    for use, each in zip(uses, roles, strict=True):
        if tied and each == "output":
            if table != 8:
                raise PassError("E0810", f"`{weight.path}` is tied: its readout takes a multiplier, as table 8 has it")
            multipliers.append((use, 1 / _grown(growth, use.into)))
        else:
            multipliers.append((use, mult))
    return ScaledWeight(weight, role, m_in, m_out, std, lr, tuple(multipliers), "tied" if tied else "")


def entries(role: str, m_in: float, m_out: float, optimizer: str, table: int) -> tuple[float, float, float]:
    """Factors of the deviation, of the value in use and of the learning rate, over those at the base width."""
    adam = optimizer != "sgd"
    if role in ("scalar", "unknown"):
        return 1.0, 1.0, 1.0
    if role == "hidden":
        rate = 1 / m_in if adam else m_out / m_in
        if optimizer == "muon":  # a step of spectral norm √(out / in)
            rate = sqrt(m_out / m_in)
        return 1 / sqrt(m_in), 1.0, rate
    if role == "output":
        match table:
            case 3:
                return 1 / m_in, 1.0, 1 / m_in
            case 8:
                return 1.0, 1 / m_in, 1.0 if adam else m_in
            case _:
                return 1 / sqrt(m_in), 1 / sqrt(m_in), 1 / sqrt(m_in) if adam else 1.0
    if table == 9:  # inputs, biases and gains
        return 1 / sqrt(m_out), sqrt(m_out), 1 / sqrt(m_out) if adam else 1.0
    return 1.0, 1.0, 1.0 if adam else m_out


def _role(growth: WidthGrowth, use: WeightUse, infinite: int) -> str:
    if use.into is None or use.out is None:
        return ""
    if infinite == 0:
        return "scalar"
    if not use.into and not use.out:
        return "vector" if infinite == 1 else ""
    into, out = (any(map(growth.grows, each)) for each in (use.into, use.out))
    return "hidden" if into and out else "output" if into else "input" if out else ""


def _grown(growth: WidthGrowth, sizes: Sequence[Size] | None) -> float:
    total = 1.0
    for each in sizes or ():
        total *= growth.ratio(size(each))
    return total


def _unknown(weight: Weight, uses: Sequence[WeightUse], why: str) -> ScaledWeight:
    return ScaledWeight(weight, "unknown", 1.0, 1.0, 1.0, 1.0, tuple((use, 1.0) for use in uses), why)


def by_path(uses: Sequence[WeightUse]) -> Mapping[str, list[WeightUse]]:
    """Uses of each weight."""
    found: dict[str, list[WeightUse]] = {}
    for use in uses:
        found.setdefault(use.path, []).append(use)
    return found
