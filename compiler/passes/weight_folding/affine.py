"""Affine values: sums of convolutions of several sources, and a bias. Kernels are conversion nodes, never numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ogive.compiler.ir.model import Node
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.weight_folding import affine_kernels as kernels

Counts = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ConvTerm:
    """One convolution of a source: kernel [o, i/groups, *window], over explicit zero (or `mode`) padding.

    `kernel` None is the identity. `border` [o, *window] is the kernel of one more channel that holds ones where the
    source is and zeros where it is padded. `leaf` is a transposed convolution, whose rows alone can be scaled.
    `path` is the weight whose place a folded kernel takes.
    """

    source: str
    channels: int
    out: int
    groups: int
    window: Counts
    stride: Counts
    dilation: Counts
    pads: Pads
    kernel: str | None = None
    border: str | None = None
    mode: str = "zeros"
    leaf: Node | None = None
    path: str = ""

    @property
    def identity(self) -> bool:
        """Whether it is the source itself."""
        return self.kernel is None and not self.padded

    @property
    def pointwise(self) -> bool:
        """Whether each place depends on the same place of the source alone."""
        ones = all(n == 1 for n in (*self.window, *self.stride))
        return ones and not self.padded and self.leaf is None

    @property
    def padded(self) -> bool:
        """Whether it reads beyond the source."""
        return any(side for pair in self.pads for side in pair)

    @property
    def same(self) -> bool:
        """Whether it is padded as `pad="same"` is: sides may differ by one, and no node of its own pads them."""
        totals = [d * (n - 1) for d, n in zip(self.dilation, self.window, strict=True)]
        alike = tuple((total // 2, total - total // 2) for total in totals) == self.pads
        return alike and all(n == 1 for n in self.stride)

    @property
    def uneven(self) -> tuple[int, ...]:
        """The spatial axes that nodes of their own must pad."""
        return () if self.same else tuple(at for at, (low, high) in enumerate(self.pads) if low != high)

    @property
    def diagonal(self) -> bool:
        """Whether it scales each channel."""
        return self.pointwise and self.groups == self.channels == self.out


@dataclass(frozen=True, slots=True)
class Affine:
    """Σ terms + bias, over the channels at `axis` and `len(window)` spatial axes after them; no axes: the last one."""

    terms: tuple[ConvTerm, ...]
    bias: str | None
    axis: int
    rank: int  # the number of spatial axes


def identity(source: str, channels: int, axis: int, rank: int) -> Affine:
    """The source as an affine value of itself."""
    ones = (1,) * rank
    term = ConvTerm(source, channels, channels, channels, ones, ones, ones, ((0, 0),) * rank)
    return Affine((term,), None, axis, rank)


def made(scope: ConversionScope, term: ConvTerm) -> str:
    """The kernel of a term, also that of the identity."""
    if term.kernel is not None:
        return term.kernel
    return kernels.filled(scope, (term.channels, 1, *term.window), 1.0)


def scaled(scope: ConversionScope, value: Affine, scale: str | None, shift: str | None) -> Affine:
    """The value times s plus t, by channel of the result."""
    terms = value.terms if scale is None else tuple(_scaled(scope, term, scale) for term in value.terms)
    bias = value.bias
    if bias is not None and scale is not None:
        bias = scope.op("mul", bias, scale)
    return replace(value, terms=terms, bias=plus(scope, bias, shift))


def _scaled(scope: ConversionScope, term: ConvTerm, scale: str) -> ConvTerm:
    kernel = made(scope, term)
    if term.leaf is not None:
        return replace(term, kernel=kernels.scaled_transposed(scope, kernel, scale, term.groups))
    border = None if term.border is None else kernels.scaled_border(scope, term.border, scale)
    return replace(term, kernel=kernels.scaled_rows(scope, kernel, scale), border=border)


def plus(scope: ConversionScope, a: str | None, b: str | None) -> str | None:
    """The sum of two biases, where either may be absent."""
    if a is None or b is None:
        return b if a is None else a
    return scope.op("add", a, b)


def after(scope: ConversionScope, second: ConvTerm, bias: str | None, first: Affine) -> Affine | None:
    """`second`, of whatever source, and its bias, applied to `first`; None where no one kernel is that."""
    terms = []
    for term in first.terms:
        composed = _after(scope, second, term)
        if composed is None:
            return None
        terms.append(composed)
    if first.bias is None:
        return Affine(tuple(terms), bias, first.axis, first.rank)
    if second.identity:
        return Affine(tuple(terms), plus(scope, first.bias, bias), first.axis, first.rank)
    through = kernels.through(scope, made(scope, second), second.groups, first.bias)
    if not second.padded or second.mode != "zeros":
        whole = kernels.summed(scope, through)
        return Affine(tuple(terms), plus(scope, whole, bias), first.axis, first.rank)
    lone = terms[0]
    if len(terms) != 1 or not first.terms[0].pointwise or lone.mode != "zeros":
        return None
    border = through if lone.border is None else scope.op("add", lone.border, through)
    return Affine((replace(lone, border=border),), bias, first.axis, first.rank)


def _after(scope: ConversionScope, second: ConvTerm, first: ConvTerm) -> ConvTerm | None:
    if first.leaf is not None or second.leaf is not None:
        return replace(second, source=first.source) if first.identity else None
    if first.identity:
        return replace(second, source=first.source)
    if second.identity:
        return first
    path = first.path or second.path
    if second.pointwise:
        return _mapped(scope, second, first, path)
    if first.pointwise:
        return _prepared(scope, second, first, path)
    return _chained(scope, second, first, path)


def _both(scope: ConversionScope, second: ConvTerm, first: ConvTerm) -> tuple[str, str, int]:
    groups = kernels.common_groups(second.groups, first.groups)
    a = kernels.regrouped(scope, made(scope, second), second.groups, groups)
    b = kernels.regrouped(scope, made(scope, first), first.groups, groups)
    return a, b, groups


def _border_after(scope: ConversionScope, second: ConvTerm, border: str) -> str:
    """A pointwise map of a border kernel."""
    rank = len(second.window)
    k = kernels.letters(rank)
    widened = scope.shaped(border, f"m{k} -> m 1{k}")
    dense = kernels.regrouped(scope, made(scope, second), second.groups, 1)
    return scope.shaped(kernels.product(scope, dense, widened, 1), f"o 1{k} -> o{k}")


def _mapped(scope: ConversionScope, second: ConvTerm, first: ConvTerm, path: str) -> ConvTerm:
    a, b, groups = _both(scope, second, first)
    border = None if first.border is None else _border_after(scope, second, first.border)
    kernel = kernels.product(scope, a, b, groups)
    return replace(first, out=second.out, groups=groups, kernel=kernel, border=border, path=path)


def _prepared(scope: ConversionScope, second: ConvTerm, first: ConvTerm, path: str) -> ConvTerm:
    a, b, groups = _both(scope, second, first)
    kernel = kernels.product(scope, a, b, groups)
    return replace(second, source=first.source, channels=first.channels, groups=groups, kernel=kernel, path=path)


def _chained(scope: ConversionScope, second: ConvTerm, first: ConvTerm, path: str) -> ConvTerm | None:
    """Two windows after one another, where the second reads nothing beyond the first."""
    if second.padded or (first.padded and first.mode != "zeros"):
        return None
    if all(n == 1 for n in second.window):
        mapped = _mapped(scope, second, first, path)
        stride = tuple(a * b for a, b in zip(first.stride, second.stride, strict=True))
        return replace(mapped, stride=stride)
    a, b, groups = _both(scope, second, first)
    step = tuple(s * d for s, d in zip(first.stride, second.dilation, strict=True))
    dense = kernels.spread(scope, b, first.dilation)
    kernel = kernels.correlated(scope, a, dense, groups, step)
    stride = tuple(a * b for a, b in zip(first.stride, second.stride, strict=True))
    border = None
    if first.border is not None:
        k = kernels.letters(len(stride))
        widened = kernels.spread(scope, scope.shaped(first.border, f"m{k} -> m 1{k}"), first.dilation)
        whole = kernels.regrouped(scope, a, groups, 1)
        border = scope.shaped(kernels.correlated(scope, whole, widened, 1, step), f"o 1{k} -> o{k}")
    return replace(
        first, out=second.out, groups=groups, window=scope.shape(kernel)[2:], stride=stride,
        dilation=(1,) * len(stride), kernel=kernel, border=border, path=path,
    )  # fmt: skip
