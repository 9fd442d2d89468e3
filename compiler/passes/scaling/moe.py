"""The analysis `moe_scale`: how weights of mixtures of experts start and are trained as widths and experts grow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import sqrt

from ogive.compiler.analysis.frame.result import AnalysisRow, Cell
from ogive.compiler.ir.model import Definition, Instance, Model, Weight
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.passes.scaling.report import MupResult
from ogive.compiler.passes.scaling.uses import weight_uses
from ogive.compiler.sizes import Size, Unknown, size
from ogive.grammar.spelling import close

CONVENTION = (
    "factors over the base, of the deviation that entries start with, of the learning rate and of Adam's epsilon; "
    "constants are left out; N: the width, M: the number of experts, N_e: the width of one"
)
COLUMNS = ("role", "shape", "init_std", "lr_factor", "eps_factor")
OPTIMIZERS = ("adam", "sgd")
KNOWN = ("input", "router", "expert", "readout")


@dataclass(frozen=True, slots=True)
class Grown:
    """How much larger N and M are than at the base, and the regime: I (N and N_e), II (N and M), III (all)."""

    n: float
    m: float
    regime: str

    def factors(self, role: str, second: bool) -> tuple[float, float, float]:
        """Of the start, of the rate of SGD and of the epsilon of Adam. `second`: a matrix that leads back to N."""
        n, m = self.n, self.m
        match role, self.regime:
            case "input", _:
                return 1.0, n, 1 / n
            case "readout", _:
                return 1 / n, 1 / n, 1.0
            case "router", "I":
                return 1 / n, 1 / n, 1.0
            case "router", "II":
                return 1 / sqrt(n), m / n, 1 / m
            case "router", _:
                return 1 / sqrt(n), 1.0, 1 / m
            case _, "I":
                return 1 / sqrt(n), 1.0, 1 / n
            case _, "III":
                return 1 / sqrt(n), m, 1 / (n * m)
        if second:  # II
            return sqrt(m), m * n, 1 / (n * m)
        return 1 / sqrt(n), m / n, 1 / m


def moe_scale(
    model: Model, *, width: str = "", experts: str = "experts", base: int = 64, base_experts: int = 0,
    optimizer: str = "adam",
) -> MupResult:  # fmt: skip
    """The role of each weight, and its factors over a base of `width` and `experts`, statics of the model.

    Vankadara et al., the table of their code: experts that all start alike where widths and their number grow (III),
    W₂ of experts that start with √M where their own width stays (II). Adam's rate is 1 over the fan in for matrices.
    `base_experts` is as many as there are unless it is given. Hidden matrices beside the experts are those of `mup`.
    """
    unknowns = {unknown.name: (unknown, number) for unknown, number in model.bindings}
    for name, said in (("width", width), ("experts", experts)):
        if said not in unknowns:
            there = f"{model.name} has {', '.join(unknowns) or 'no sizes among its statics'}"
            text = f"`moe_scale` needs a static for `{name}`, `moe_scale[{name}=...]`; {there}"
            raise PassError("E0810", text, close(said, unknowns) if said else "")
    if optimizer not in OPTIMIZERS:
        text = f"`optimizer` of `moe_scale` is adam or sgd, not `{optimizer}`"
        raise PassError("E0810", text, close(optimizer, OPTIMIZERS))
    (n, n_now), (m, m_now) = unknowns[width], unknowns[experts]
    m_base = base_experts or m_now
    if base < 1 or m_base < 1:
        raise PassError("E0810", f"`base` and `base_experts` are numbers from 1 on, not {base} and {base_experts}")
    kept = tuple((unknown, number) for unknown, number in model.bindings if unknown not in (n, m))
    flat = flattened(replace(model, bindings=kept), trained=True)[0]
    sized = _Sized(n, m, {n: size(n_now), m: size(m_now)})
    found = list(_roles(flat, sized))
    inside = [axis for _, _, role, axes in found if role == "expert" for axis in axes]
    if not any(role == "expert" for _, _, role, _ in found):
        raise PassError("E0811", f"{model.name} has no weights that stand `{experts}` times: no experts")
    narrow = [axis for axis in inside if not sized.wide(axis)]
    regime = "II" if any(axis.number > 1 for axis in narrow if axis.is_number) else "III" if m_base != m_now else "I"
    grown = Grown(n_now / base, m_now / m_base, regime)
    rows, factors = [], {}
    for path, weight, role, axes in found:
        fields, rate = _fields(grown, sized, role, axes, optimizer)
        rows.append(AnalysisRow(path, "each" if role == "expert" else "", fields, weight.span))
        factors[path] = rate
    beside = [path for path, _, role, _ in found if role == "hidden"]
    warnings = (f"not in the table, as `mup` has them: {', '.join(beside[:4])}",) if beside else ()
    totals: dict[str, Cell] = {
        "regime": regime, "gate": 1.0 if regime == "I" else m_base / m_now, "equal_start": regime == "III",
    }  # fmt: skip
    options: dict[str, Cell] = {
        "width": width, "experts": experts, "base": base, "base_experts": m_base, "optimizer": optimizer,
    }  # fmt: skip
    return MupResult(
        "moe_scale", model.name, options, CONVENTION, totals, tuple(rows), (), warnings, COLUMNS, (), "lr_factor",
        factors=factors, family=dict.fromkeys(factors, optimizer),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Sized:
    """The unknowns that grow, and their numbers."""

    n: Unknown
    m: Unknown
    now: Mapping[Unknown, Size]

    def wide(self, axis: Size) -> bool:
        """Whether it grows with the width."""
        return self.n in axis.unknowns

    def many(self, axis: Size) -> bool:
        """Whether it is the number of experts."""
        return axis == size(self.m)


Axes = tuple[Size, ...]


def _roles(flat: Model, sized: _Sized) -> Iterator[tuple[str, Weight, str, Axes]]:
    """Path, weight, role and axes of each learned weight: (out, in, ...) where it is a matrix."""
    uses = {use.path: use for use in weight_uses(flat.definition.graph)}
    for member in flat.definition.members:
        if isinstance(member, Instance) and member.vectorized is not None and sized.many(member.vectorized):
            for path, weight, axes in _below(member.definition, dict(member.bindings), member.path):
                yield path, weight, "expert" if len(axes) > 1 else "vector", axes
        elif isinstance(member, Weight) and member.kind == "param":
            use = uses.get(member.path)
            into, out = (use.into or (), use.out or ()) if use is not None else ((), ())
            yield member.path, member, _role(sized, into, out), tuple(axis.size for axis in member.type.axes)


def _below(definition: Definition, sizes: Mapping[Unknown, Size], prefix: str) -> Iterator[tuple[str, Weight, Axes]]:
    for member in definition.members:
        path = f"{prefix}.{member.path}"
        if isinstance(member, Weight) and member.kind == "param":
            yield path, member, tuple(axis.size.subs(sizes) for axis in member.type.axes)
        elif isinstance(member, Instance):
            inner = {unknown: each.subs(sizes) for unknown, each in member.bindings}
            yield from _below(member.definition, inner, path)


def _role(sized: _Sized, into: Axes, out: Axes) -> str:
    wide_in, wide_out = any(map(sized.wide, into)), any(map(sized.wide, out))
    if not into and not out:
        return "vector"
    if wide_in and any(map(sized.many, out)):
        return "router"
    return "hidden" if wide_in and wide_out else "readout" if wide_in else "input" if wide_out else "vector"


def _fields(grown: Grown, sized: _Sized, role: str, axes: Axes, optimizer: str) -> tuple[dict[str, Cell], float]:
    """The row of a weight, and the factor of its rate."""
    std, sgd, eps = (1.0, 1.0, 1.0)
    adam = 1.0
    if role in KNOWN:
        second = role == "expert" and not sized.wide(axes[1])
        std, sgd, eps = grown.factors(role, second)
        matrix = role in ("router", "readout") or (role == "expert" and not second)
        adam = 1 / grown.n if matrix else 1.0
        if role == "expert" and second and grown.regime != "II":
            adam = 1 / grown.n
    elif role == "hidden":
        std, adam = 1 / sqrt(grown.n), 1 / grown.n
    rate = adam if optimizer == "adam" else sgd
    shown = ", ".join(str(axis) for axis in axes)
    fields: dict[str, Cell] = {
        "role": role, "shape": f"[{shown}]", "init_std": std, "lr_factor": rate,
        "eps_factor": eps if optimizer == "adam" and role in KNOWN else None,
    }  # fmt: skip
    return fields, rate
