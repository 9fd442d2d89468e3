"""Whether channels whose weights are all 0 may be taken away: the domain of entries that are then surely 0.

The meaning of a value is the set of leaves at whose removed entries it is 0, when every weight is 0 there. An operation
that sums over a leaf needs one factor that is; one that looks at all entries of a leaf together (a mean, softmax, a
norm over it) sees the zeros, so that taking them away changes what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ogive.compiler.analysis.frame.interpreter import AbstractInterpreter, DomainFrame
from ogive.compiler.analysis.provenance.dims import Dim, FrozenBy
from ogive.compiler.analysis.provenance.domain import Dims, Provenance
from ogive.compiler.ir.attributes import ChoiceAttrs, LoopAttrs, WeightAttrs
from ogive.compiler.ir.model import Const, Node, Operand, Value
from ogive.compiler.ops import Trait, has
from ogive.compiler.ops.recipe import AxisPattern, atoms_of

Zeros = frozenset[Dim]
NONE: Zeros = frozenset()
ZeroFrame = DomainFrame[Zeros]
SUMS = ("sum", "norm", "any")
ZERO_OF_ZEROS = ("sum", "mean", "max", "min", "prod", "var", "std", "norm", "any")
MOVED = (
    "slice flip roll sort cumsum cumprod cummax cummin take gather tril triu max_pool avg_pool adaptive_avg_pool "
    "adaptive_max_pool interpolate unfold fold rearrange expand split dropout"
)


def visible(found: Provenance, zeroed: Mapping[str, Zeros] | None = None) -> dict[Dim, dict[FrozenBy, None]]:
    """For each leaf whose zeros something sees: what does, and where.

    `zeroed` are the leaves at which each weight is 0, by path; without it every weight is 0 at every leaf.
    """
    interpreter = ZeroInterpreter(found, zeroed)
    graph = found.model.definition.graph
    frame: ZeroFrame = DomainFrame(graph)
    for value in graph.inputs:
        interpreter.bind(frame, value, NONE)
    interpreter.graph(frame, graph)
    return interpreter.seen


class ZeroInterpreter(AbstractInterpreter[ZeroFrame, Zeros]):
    """`seen` collects why leaves may not be taken away as if they were 0."""

    __slots__ = ("_rules", "found", "seen", "zeroed")

    def __init__(self, found: Provenance, zeroed: Mapping[str, Zeros] | None = None) -> None:
        super().__init__()
        self.found, self.zeroed = found, zeroed
        self.seen: dict[Dim, dict[FrozenBy, None]] = {}
        self._rules = {name: partial(rule, self) for name, rule in RULES.items()}

    @property
    def rules(self) -> Mapping[str, Callable[[ZeroFrame, Node, Sequence[Zeros]], Sequence[Zeros]]]:
        return self._rules

    def operation(self, frame: ZeroFrame, node: Node) -> Sequence[Zeros]:
        """Without a rule nothing is known to be 0; what may not change is frozen already."""
        if has(node.op, Trait.KEEPS_ZERO):
            return self.inputs(frame, node)
        if node.op not in self._rules:
            return [NONE] * len(node.outputs)
        return super().operation(frame, node)

    def literal(self, frame: ZeroFrame, operand: Operand) -> Zeros:
        return NONE

    def opaque(self, frame: ZeroFrame, value: Value) -> Zeros:
        return NONE

    def not_known(self, frame: ZeroFrame, node: Node, reason: str) -> Sequence[Zeros]:
        return [NONE] * len(node.outputs)

    def dims(self, operand: Operand) -> Dims:
        """The dimensions of an operand."""
        return self.found.values[operand] if isinstance(operand, str) else ()

    def leaves(self, operand: Operand) -> frozenset[Dim]:
        """The leaves that an operand carries."""
        return leaves_of(self.dims(operand))

    def kept(self, node: Node, zeros: Zeros, at: int = 0) -> Zeros:
        """Those that a result still carries."""
        return zeros & self.leaves(node.outputs[at].name)

    def see(self, leaf: Dim, node: Node, reason: str) -> None:
        """An operation sees the zeros of a leaf."""
        self.seen.setdefault(leaf, {})[FrozenBy(f"`{node.op}` {reason}", node.span)] = None

    def see_all(self, dims: Dims, node: Node, reason: str) -> None:
        """As `see`, for all leaves of some dimensions."""
        for leaf in leaves_of(dims):
            self.see(leaf, node, reason)

    def summed(self, node: Node, dims: Dims, zeros: Zeros) -> None:
        """A sum over dimensions: zeros add nothing, all else does."""
        for leaf in leaves_of(dims) - zeros:
            self.see(leaf, node, "sums over what is not 0 there")

    def visit_weight(self, frame: ZeroFrame, node: Node, told: WeightAttrs) -> Sequence[Zeros]:
        leaves = self.leaves(node.outputs[0].name)
        return [leaves if self.zeroed is None else leaves & self.zeroed.get(node.path, NONE)]

    def visit_call(self, frame: ZeroFrame, node: Node, told: object) -> Sequence[Zeros]:
        return [NONE] * len(node.outputs)

    def visit_vectorized(self, frame: ZeroFrame, node: Node, told: object) -> Sequence[Zeros]:
        return [NONE] * len(node.outputs)

    def visit_custom_grad(self, frame: ZeroFrame, node: Node, told: object) -> Sequence[Zeros]:
        return [NONE] * len(node.outputs)

    def visit_choice(self, frame: ZeroFrame, node: Node, told: ChoiceAttrs) -> Sequence[Zeros]:
        given = self.inputs(frame, node)
        found = [self.region(frame, region, given) for region in node.regions]
        return [frozenset.intersection(*each) for each in zip(*found, strict=True)]

    def visit_loop(self, frame: ZeroFrame, node: Node, told: LoopAttrs) -> Sequence[Zeros]:
        """What a loop carries is 0 where it is before and behind every iteration."""
        given = told.parts(self.inputs(frame, node))
        while True:
            found = self.region(frame, node.regions[0], (*given.own, *given.captured))
            after = told.results(found).carried
            joined = tuple(a & b for a, b in zip(given.carried, after, strict=True))
            if joined == given.carried:
                return found
            given = replace(given, carried=joined)


def leaves_of(dims: Dims) -> frozenset[Dim]:
    """The leaves of several dimensions."""
    return frozenset(leaf for dim in dims for leaf in dim.leaves())


ZeroRule = Callable[[ZeroInterpreter, ZeroFrame, Node, Sequence[Zeros]], Sequence[Zeros]]


def moved(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """Entries of one operand elsewhere, or combined with those beside them."""
    return [at.kept(node, given[0], place) for place in range(len(node.outputs))]


def added(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """0 where every operand is; a number, or an operand that lacks the leaf, is not."""
    if any(not isinstance(x, str) for x in node.inputs):
        return [NONE] * len(node.outputs)
    return [at.kept(node, frozenset.intersection(*given))]


def multiplied(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """0 where one factor is, as far as that factor has all the axes of the leaf."""
    out = at.dims(node.outputs[0].name)
    found: set[Dim] = set()
    for operand, zeros in zip(node.inputs, given, strict=True):
        found |= {leaf for leaf in zeros if _times(at.dims(operand), leaf) == _times(out, leaf)}
    return [at.kept(node, frozenset(found))]


def _times(dims: Dims, leaf: Dim) -> int:
    return sum(each is leaf for dim in dims for each in dim.leaves())


def divided(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """0 where the numerator is; 0 / 0 is no number."""
    for leaf in given[1]:
        at.see(leaf, node, "divides by what is 0 there")
    return [at.kept(node, given[0])]


def raised(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """0 to a power above 0."""
    power = node.inputs[1]
    above = isinstance(power, Const) and isinstance(power.value, int | float) and power.value > 0
    return [at.kept(node, given[0]) if above else NONE]


def selected(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """0 where both arms are; a literal 0 is."""
    out = at.leaves(node.outputs[0].name)
    arms = [
        out if isinstance(x, Const) and x.value == 0 else zeros
        for x, zeros in zip(node.inputs[1:], given[1:], strict=True)
    ]
    return [at.kept(node, arms[0] & arms[1])]


def bounded(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """0 is kept by bounds around it."""
    low, high = node.attr("lo"), node.attr("hi")
    inside = isinstance(low, int | float) and isinstance(high, int | float) and low <= 0 <= high
    return [given[0] if inside else NONE]


def contracted(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """einsum: what the result lacks is summed over; each axis of a leaf needs a factor that is 0 there."""
    recipe: AxisPattern = node.attr("recipe")
    atoms = at.found.named[node.outputs[0].name]
    sides = [{atom.name for atom in atoms_of(side)} for side in recipe.inputs]
    out = {atom.name for atom in atoms_of(recipe.outputs[0])}

    def zero(name: str, leaf: Dim) -> bool:
        return any(name in side and leaf in zeros for side, zeros in zip(sides, given, strict=True))

    for name in sorted(set().union(*sides) - out):
        for leaf in leaves_of((atoms[name],)):
            if not zero(name, leaf):
                at.see(leaf, node, "sums over what is not 0 there")
    found = {leaf for name in out for leaf in leaves_of((atoms[name],))}
    whole = {leaf for leaf in found if all(zero(n, leaf) for n in out if leaf in leaves_of((atoms[n],)))}
    return [at.kept(node, frozenset(whole))]


def reduce(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """A pattern that lacks axes, by the reduction that it names."""
    recipe: AxisPattern = node.attr("recipe")
    atoms = at.found.named[node.outputs[0].name]
    kept = {atom.name for atom in atoms_of(recipe.outputs[0])}
    gone = tuple(atoms[atom.name] for atom in atoms_of(recipe.inputs[0]) if atom.name not in kept)
    return _reduced(at, node, node.attr("op"), gone, given[0])


def over_axes(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """A reduction over axes."""
    dims = at.dims(node.inputs[0])
    return _reduced(at, node, node.op, tuple(dims[axis] for axis in node.attr("axes")), given[0])


def _reduced(at: ZeroInterpreter, node: Node, op: str, gone: Dims, zeros: Zeros) -> Sequence[Zeros]:
    if op in SUMS:
        at.summed(node, gone, zeros)
    else:
        at.see_all(gone, node, "sees all of its entries together")
    return [at.kept(node, zeros) if op in ZERO_OF_ZEROS else NONE]


def shares(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """softmax: the weights of an axis sum to 1, zeros included."""
    at.see_all((at.dims(node.inputs[0])[node.attr("axis")],), node, "sees all of its entries together")
    return [NONE]


def laid(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """Concat and stack: 0 where every operand that has the leaf is."""
    found = at.leaves(node.outputs[0].name)
    for operand, zeros in zip(node.inputs, given, strict=True):
        found -= at.leaves(operand) - zeros
    return [found]


def padded(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """Filled with 0, or with entries of its own."""
    value = node.attr("value")
    filled = node.attr("mode") not in ("constant", "zeros") or value in (0, None)
    return [at.kept(node, given[0]) if filled else NONE]


def mapped(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """Linear and convolutions: channels in are summed over, channels out are 0 where weight and bias are."""
    x, w = at.dims(node.inputs[0]), at.dims(node.inputs[1])
    ins, weight_ins = (x[-1], w[1]) if node.op == "linear" else (x[1], w[0] if node.op == "conv_transpose" else w[1])
    out = at.leaves(node.outputs[0].name)
    either = given[0] | given[1]
    at.summed(node, (weight_ins,), either)
    for leaf in leaves_of((ins,)) - out - either:
        at.see(leaf, node, "sums over what is not 0 there")
    biased = len(node.inputs) > 2 and node.inputs[2] is not None
    return [at.kept(node, either & given[2] if biased else either)]


def product(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """matmul: rows of the first, columns of the second."""
    a, b = at.dims(node.inputs[0]), at.dims(node.inputs[1])
    at.summed(node, (a[-1],), given[0] | given[1])
    rows = leaves_of(a[:-1]) & given[0]
    columns = leaves_of((*b[:-2], *b[-1:])) & given[1] if len(b) > 1 else NONE
    twice = leaves_of(a[-2:-1]) & leaves_of(b[-1:])
    return [at.kept(node, (rows | columns) - twice)]


def grouped(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """grouped_matmul: as a product, whose rows and groups may not change."""
    x, w = at.dims(node.inputs[0]), at.dims(node.inputs[1])
    at.summed(node, (x[1],), given[0] | given[1])
    return [at.kept(node, leaves_of(w[2:]) & given[1])]


def attention(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """Scores sum over the width of queries and keys; weights of keys sum to 1; what comes out are values."""
    q, k, v = (at.dims(x) for x in node.inputs[:3])
    at.summed(node, (q[-1],), given[0] | given[1])
    at.see_all((k[-2],), node, "sees all of its entries together")
    return [at.kept(node, leaves_of((*v[:-2], v[-1])) & given[2])]


def normalized(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """layer_norm and rms_norm: statistics are over all entries of the axes that are normalized."""
    dims = at.dims(node.inputs[0])
    at.see_all(tuple(dims[axis] for axis in node.attr("axes")), node, "normalizes over it")
    return [_scaled(at, node, given, 1)]


def by_channel(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """batch_norm: each channel for itself; group_norm: those of a group together."""
    first = 3 if node.op == "batch_norm" else 1
    if node.op == "group_norm":
        groups = at.found.named[node.outputs[0].name]["groups"]
        own = leaves_of((at.dims(node.inputs[0])[1],)) - leaves_of((groups,))
        for leaf in own:
            at.see(leaf, node, "normalizes over it")
    scaled = _scaled(at, node, given, first)
    return [scaled, *[given[0] & at.leaves(v.name) for v in node.outputs[1:]]]


def _scaled(at: ZeroInterpreter, node: Node, given: Sequence[Zeros], first: int) -> Zeros:
    """0 where the weight is, or the operand and what is taken from it, and the bias too."""
    weight = given[first] if len(node.inputs) > first and node.inputs[first] is not None else NONE
    centred = given[0] & given[1] if node.op == "batch_norm" else NONE
    biased = len(node.inputs) > first + 1 and node.inputs[first + 1] is not None
    found = weight | centred
    return at.kept(node, found & given[first + 1] if biased else found)


def zero(at: ZeroInterpreter, frame: ZeroFrame, node: Node, given: Sequence[Zeros]) -> Sequence[Zeros]:
    """All of it."""
    return [at.leaves(value.name) for value in node.outputs]


RULES: Mapping[str, ZeroRule] = {
    **dict.fromkeys(MOVED.split(), moved),
    **dict.fromkeys(("cast", "stop_gradient", "real", "imag", "conj"), moved),
    **dict.fromkeys(("add", "sub", "maximum", "minimum", "complex"), added),
    **dict.fromkeys(("mul", "logical_and"), multiplied),
    **dict.fromkeys((*ZERO_OF_ZEROS, "all", "logsumexp"), over_axes),
    **dict.fromkeys(("softmax", "log_softmax"), shares),
    **dict.fromkeys(("concat", "stack"), laid),
    **dict.fromkeys(("linear", "conv", "conv_transpose"), mapped),
    **dict.fromkeys(("layer_norm", "rms_norm"), normalized),
    **dict.fromkeys(("batch_norm", "batch_norm_train", "group_norm"), by_channel),
    **dict.fromkeys(("clamp", "hardtanh"), bounded),
    "div": divided,
    "pow": raised,
    "select": selected,
    "einsum": contracted,
    "reduce": reduce,
    "pad": padded,
    "matmul": product,
    "grouped_matmul": grouped,
    "attention": attention,
    "zeros": zero,
}
