"""What is true of a function of one number: values and slopes, range, turning points, kinks, homogeneity.

Analyses read it: criticality and kernels take Gaussian moments, bounds take ranges and turns, growth asks whether
σ(σ(x)) = σ(x). Each operation declares its own (`OpSpec.pointwise`); tests hold all of them against torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atanh,
    ceil,
    copysign,
    cos,
    cosh,
    erf,
    exp,
    expm1,
    floor,
    inf,
    lgamma,
    log,
    log1p,
    pi,
    sin,
    sinh,
    sqrt,
    tan,
    tanh,
    trunc,
)
from typing import Any, Literal

from ogive.compiler.ir.types import FLOATS, INTS

Real = Callable[[float], float]
FAR = 700.0  # beyond it e^x is no double


@dataclass(frozen=True, slots=True)
class PointwiseFacts:
    """A function of one number, between `domain[0]` and `domain[1]`.

    `range` are the least and the largest value, or what these come near; `slopes` those of the derivative, where there
    is one; `turns` are the points where it turns from falling to rising or back, with `period` those of one period;
    `kinks` where the derivative jumps, at `spacing` again and again; `jumps`: that the value does so; `bends` where it
    changes between convex and concave without a kink, with `period` those of one period. With
    `homogeneous` = (a, b) it is a x below 0 and b x above. `odd`: f(-x) = -f(x). `idempotent`: f(f(x)) = f(x).
    """

    value: Real
    slope: Real
    range: tuple[float, float] = (-inf, inf)
    slopes: tuple[float, float] = (-inf, inf)
    turns: tuple[float, ...] = ()
    kinks: tuple[float, ...] = ()
    bends: tuple[float, ...] = ()
    jumps: bool = False
    period: float | None = None
    spacing: float | None = None
    homogeneous: tuple[float, float] | None = None
    idempotent: bool = False
    odd: bool = False
    domain: tuple[float, float] = (-inf, inf)

    @property
    def at_zero(self) -> float | None:
        """σ(0); None where it has no value there."""
        low, high = self.domain
        return self.value(0.0) if low <= 0 <= high and not (low == 0 and self.range[0] == -inf) else None

    @property
    def slope_at_zero(self) -> float | None:
        """σ'(0); None where it has none."""
        low, high = self.domain
        return None if 0.0 in self.kinks or not low < 0 < high else self.slope(0.0)

    def kinks_within(self, reach: float) -> list[float]:
        """All kinks between -reach and reach, in order."""
        if self.spacing is None:
            return sorted(kink for kink in self.kinks if abs(kink) < reach)
        many = int(reach / self.spacing) + 1
        every = {kink + turn * self.spacing for kink in self.kinks for turn in range(-many, many + 1)}
        return sorted(kink for kink in every if abs(kink) < reach)

    @property
    def lipschitz(self) -> float:
        """The least L with |f(x) - f(y)| ≤ L |x - y|: the largest slope, ∞ where the value jumps."""
        return inf if self.jumps else max(abs(each) for each in self.slopes)

    @property
    def monotone(self) -> Literal["rising", "falling"] | None:
        """Whether it never falls, or never rises; what jumps upwards rises."""
        if self.turns or self.period or (self.domain != (-inf, inf) and self.slopes == (-inf, inf)):
            return None
        return "rising" if self.slopes[0] >= 0 else "falling" if self.slopes[1] <= 0 else None


FactsOf = Callable[[Mapping[str, Any]], PointwiseFacts]  # from the settings of the operation


def of(value: Real, slope: Real, **facts: Any) -> FactsOf:
    """The facts of a function without settings."""
    found = PointwiseFacts(value, slope, **facts)
    return lambda settings: found


def sigmoid(x: float) -> float:
    """1 / (1 + e^(-x)), for numbers of any size."""
    if x >= 0:
        return 1 / (1 + exp(-min(x, FAR)))
    return exp(max(x, -FAR)) / (1 + exp(max(x, -FAR)))


def normal_cdf(x: float) -> float:
    """Φ(x)."""
    return (1 + erf(x / sqrt(2))) / 2


def normal_density(x: float) -> float:
    """φ(x)."""
    return exp(-x * x / 2) / sqrt(2 * pi)


def soft(x: float) -> float:
    """ln(1 + e^x), for numbers of any size."""
    return max(x, 0.0) + log1p(exp(-min(abs(x), FAR)))


def _step(x: float) -> float:
    return 1.0 if x > 0 else 0.0


def _sign(x: float) -> float:
    return 0.0 if x == 0 else copysign(1.0, x)


def _flat(x: float) -> float:
    return 0.0


def _grown(x: float) -> float:
    return exp(min(x, FAR))


def _gelu_tanh(x: float) -> tuple[float, float]:
    """Its value and its slope."""
    scale = sqrt(2 / pi)
    bent = tanh(scale * (x + 0.044715 * x**3))
    return x * (1 + bent) / 2, (1 + bent) / 2 + x / 2 * (1 - bent * bent) * scale * (1 + 3 * 0.044715 * x * x)


def _mish(x: float) -> float:
    bent = tanh(soft(x))
    return bent + x * (1 - bent * bent) * sigmoid(x)


def _cut(low: float, high: float, slope: float = 1.0, shift: float = 0.0) -> PointwiseFacts:
    """min(max(slope x + shift, low), high), rising: its kinks are where it leaves the straight line."""
    ends = ((low - shift) / slope, (high - shift) / slope)
    same = shift == 0 and slope == 1
    return PointwiseFacts(
        lambda x: min(max(slope * x + shift, low), high),
        lambda x: slope if ends[0] < x < ends[1] else 0.0,
        range=(low, high),
        slopes=(0.0, slope) if low < high else (0.0, 0.0),
        kinks=tuple(sorted({end for end in ends if abs(end) < inf})),
        homogeneous=(0.0 if low == 0 else 1.0, 0.0 if high == 0 else 1.0)
        if same and {low, high} <= {0.0, inf, -inf}
        else None,
        idempotent=same,
        odd=same and low == -high,
    )


def hardtanh(settings: Mapping[str, Any]) -> PointwiseFacts:
    """The number itself between `lo` and `hi`; also those of `clamp`."""
    return _cut(float(settings["lo"]), float(settings["hi"]))


def leaky_relu(settings: Mapping[str, Any]) -> PointwiseFacts:
    """Two straight lines that meet at 0."""
    slope = float(settings["slope"])
    return PointwiseFacts(
        lambda x: x if x > 0 else slope * x,
        lambda x: 1.0 if x > 0 else slope,
        range=(-inf if slope > 0 else 0.0, inf),
        slopes=(min(slope, 1.0), max(slope, 1.0)),
        turns=(0.0,) if slope < 0 else (),
        kinks=() if slope == 1 else (0.0,),
        homogeneous=(slope, 1.0),
        idempotent=slope <= 0 or slope == 1,
        odd=slope == 1,
    )


def elu(settings: Mapping[str, Any]) -> PointwiseFacts:
    """The number itself above 0, alpha (e^x - 1) below."""
    alpha = float(settings["alpha"])
    return PointwiseFacts(
        lambda x: x if x > 0 else alpha * expm1(x),
        lambda x: 1.0 if x > 0 else alpha * exp(x),
        range=(min(-alpha, 0.0), inf),
        slopes=(min(alpha, 0.0), max(alpha, 1.0)),
        turns=(0.0,) if alpha < 0 else (),
        kinks=() if alpha == 1 else (0.0,),
        homogeneous=(0.0, 1.0) if alpha == 0 else None,
        idempotent=alpha == 0,
    )


def softplus(settings: Mapping[str, Any]) -> PointwiseFacts:
    """ln(1 + e^(beta x)) / beta."""
    beta = float(settings["beta"])
    return PointwiseFacts(
        lambda x: soft(beta * x) / beta,
        lambda x: sigmoid(beta * x),
        range=(0.0, inf) if beta > 0 else (-inf, 0.0),
        slopes=(0.0, 1.0),
    )


def cast(settings: Mapping[str, Any]) -> PointwiseFacts:
    """Between floats the number itself; to integers it cuts off toward 0."""
    if settings["type"] in FLOATS:
        return identity(settings)
    return (
        round_to_zero(settings)
        if settings["type"] in INTS
        else PointwiseFacts(
            lambda x: float(x != 0), _flat, range=(0.0, 1.0), slopes=(0.0, 0.0), kinks=(0.0,), jumps=True
        )
    )


def _rounding(value: Real, odd: bool = False, first: float = 0.0) -> FactsOf:
    return of(value, _flat, slopes=(0.0, 0.0), kinks=(first,), spacing=1.0, jumps=True, idempotent=True, odd=odd)


relu = of(
    lambda x: max(x, 0.0), _step, range=(0.0, inf), slopes=(0.0, 1.0), kinks=(0.0,), homogeneous=(0.0, 1.0),
    idempotent=True,
)  # fmt: skip
relu6 = of(
    lambda x: min(max(x, 0.0), 6.0), lambda x: 1.0 if 0 < x < 6 else 0.0, range=(0.0, 6.0), slopes=(0.0, 1.0),
    kinks=(0.0, 6.0), idempotent=True,
)  # fmt: skip
hardsigmoid = of(
    lambda x: min(max(x + 3, 0.0), 6.0) / 6, lambda x: 1 / 6 if -3 < x < 3 else 0.0, range=(0.0, 1.0),
    slopes=(0.0, 1 / 6), kinks=(-3.0, 3.0),
)  # fmt: skip
hardswish = of(
    lambda x: x * min(max(x + 3, 0.0), 6.0) / 6,
    lambda x: 0.0 if x < -3 else 1.0 if x > 3 else (2 * x + 3) / 6,
    range=(-0.375, inf), slopes=(-0.5, 1.5), turns=(-1.5,), kinks=(-3.0, 3.0),
)  # fmt: skip
# the turns and the largest slopes of these have no closed form; gelu's largest slope is that at √2
gelu = of(
    lambda x: x * normal_cdf(x),
    lambda x: normal_cdf(x) + x * normal_density(x),
    range=(-0.16997120747990369, inf), slopes=(-0.12890414518515478, 1.1289041451851548), turns=(-0.7517915246935645,),
    bends=(-sqrt(2), sqrt(2)),
)  # fmt: skip
gelu_tanh = of(
    lambda x: _gelu_tanh(x)[0],
    lambda x: _gelu_tanh(x)[1],
    range=(-0.17004075057125412, inf), slopes=(-0.12899306865877178, 1.1289930686587718), turns=(-0.7524614220710162,),
    bends=(-1.4185040087908285, 1.4185040087908285),
)  # fmt: skip
silu = of(
    lambda x: x * sigmoid(x),
    lambda x: sigmoid(x) * (1 + x * sigmoid(-x)),
    range=(-0.27846454276107385, inf), slopes=(-0.09983932012886693, 1.099839320128867), turns=(-1.278464542761074,),
    bends=(-2.399357280515467, 2.399357280515467),
)  # fmt: skip
mish = of(
    lambda x: x * tanh(soft(x)),
    _mish,
    range=(-0.3088434130172504, inf), slopes=(-0.11252612238946252, 1.0884981612517277), turns=(-1.1924312145154952,),
    bends=(-2.2563763963607935, 1.4905711794854282),
)  # fmt: skip
logistic = of(sigmoid, lambda x: sigmoid(x) * sigmoid(-x), range=(0.0, 1.0), slopes=(0.0, 0.25), bends=(0.0,))

identity = of(lambda x: x, lambda x: 1.0, slopes=(1.0, 1.0), homogeneous=(1.0, 1.0), idempotent=True, odd=True)
neg = of(lambda x: -x, lambda x: -1.0, slopes=(-1.0, -1.0), homogeneous=(-1.0, -1.0), odd=True)
exponential = of(_grown, _grown, range=(0.0, inf), slopes=(0.0, inf))
exponential_less_1 = of(lambda x: expm1(min(x, FAR)), _grown, range=(-1.0, inf), slopes=(0.0, inf))
logarithm = of(log, lambda x: 1 / x, slopes=(0.0, inf), domain=(0.0, inf))
logarithm_more_1 = of(log1p, lambda x: 1 / (1 + x), slopes=(0.0, inf), domain=(-1.0, inf))
logarithm_2 = of(lambda x: log(x) / log(2), lambda x: 1 / (x * log(2)), slopes=(0.0, inf), domain=(0.0, inf))
logarithm_10 = of(lambda x: log(x) / log(10), lambda x: 1 / (x * log(10)), slopes=(0.0, inf), domain=(0.0, inf))
root = of(sqrt, lambda x: 1 / (2 * sqrt(x)), range=(0.0, inf), slopes=(0.0, inf), domain=(0.0, inf))
inverse_root = of(
    lambda x: 1 / sqrt(x), lambda x: -(x**-1.5) / 2, range=(0.0, inf), slopes=(-inf, 0.0), domain=(0.0, inf)
)
sine = of(
    sin,
    cos,
    range=(-1.0, 1.0),
    slopes=(-1.0, 1.0),
    turns=(pi / 2, 3 * pi / 2),
    period=2 * pi,
    odd=True,
    bends=(0.0, pi),
)
cosine = of(
    cos,
    lambda x: -sin(x),
    range=(-1.0, 1.0),
    slopes=(-1.0, 1.0),
    turns=(0.0, pi),
    period=2 * pi,
    bends=(pi / 2, 3 * pi / 2),
)
# between its poles, which are jumps, it rises
tangent = of(tan, lambda x: 1 + tan(x) ** 2, slopes=(1.0, inf), jumps=True, period=pi, odd=True, bends=(0.0,))
arc_sine = of(
    asin,
    lambda x: 1 / sqrt(1 - x * x),
    range=(-pi / 2, pi / 2),
    slopes=(1.0, inf),
    odd=True,
    domain=(-1.0, 1.0),
    bends=(0.0,),
)
arc_cosine = of(
    acos, lambda x: -1 / sqrt(1 - x * x), range=(0.0, pi), slopes=(-inf, -1.0), domain=(-1.0, 1.0), bends=(0.0,)
)
arc_tangent = of(atan, lambda x: 1 / (1 + x * x), range=(-pi / 2, pi / 2), slopes=(0.0, 1.0), odd=True, bends=(0.0,))
hyperbolic_sine = of(
    lambda x: sinh(max(min(x, FAR), -FAR)),
    lambda x: cosh(max(min(x, FAR), -FAR)),
    slopes=(1.0, inf),
    odd=True,
    bends=(0.0,),
)
hyperbolic_cosine = of(
    lambda x: cosh(max(min(x, FAR), -FAR)), lambda x: sinh(max(min(x, FAR), -FAR)), range=(1.0, inf), turns=(0.0,)
)
hyperbolic_tangent = of(tanh, lambda x: 1 - tanh(x) ** 2, range=(-1.0, 1.0), slopes=(0.0, 1.0), odd=True, bends=(0.0,))
area_sine = of(asinh, lambda x: 1 / sqrt(1 + x * x), slopes=(0.0, 1.0), odd=True, bends=(0.0,))
area_cosine = of(acosh, lambda x: 1 / sqrt(x * x - 1), range=(0.0, inf), slopes=(0.0, inf), domain=(1.0, inf))
area_tangent = of(atanh, lambda x: 1 / (1 - x * x), slopes=(1.0, inf), odd=True, domain=(-1.0, 1.0), bends=(0.0,))
error_function = of(
    erf, lambda x: 2 / sqrt(pi) * exp(-x * x), range=(-1.0, 1.0), slopes=(0.0, 2 / sqrt(pi)), odd=True, bends=(0.0,)
)
log_gamma = of(
    lgamma, lambda x: (lgamma(x + 1e-6) - lgamma(x - 1e-6)) / 2e-6, range=(-0.12148629053584961, inf),
    turns=(1.4616321449683622,), domain=(0.0, inf),
)  # fmt: skip
magnitude = of(
    abs, _sign, range=(0.0, inf), slopes=(-1.0, 1.0), turns=(0.0,), kinks=(0.0,), homogeneous=(-1.0, 1.0),
    idempotent=True,
)  # fmt: skip
signum = of(_sign, _flat, range=(-1.0, 1.0), slopes=(0.0, 0.0), kinks=(0.0,), jumps=True, idempotent=True, odd=True)
round_down = _rounding(lambda x: float(floor(x)))
round_up = _rounding(lambda x: float(ceil(x)))
round_to_zero = _rounding(lambda x: float(trunc(x)), odd=True)
round_to_nearest = _rounding(lambda x: float(round(x)), odd=True, first=0.5)
