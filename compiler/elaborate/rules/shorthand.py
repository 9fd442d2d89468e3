"""Forms of operations that are written as others before anything sees them.

A label twice in an operand of `einsum` is a diagonal, `keepdim` an axis of 1, `split[axis, sizes]` a pattern,
`meshgrid` two patterns or more, and `pad="same"` beside a stride what TensorFlow pads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ogive.compiler.elaborate.rules.checker import RuleChecker, operate, report_shape_error
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.values import BROKEN
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops import OPS
from ogive.compiler.ops.axes import resolve, resolve_all
from ogive.compiler.ops.pattern_parse import Operand as PatternOperand
from ogive.compiler.ops.pattern_parse import parse
from ogive.compiler.ops.recipe import Atom, AxisGroup, AxisPattern, Side
from ogive.compiler.ops.spatial import per_axis
from ogive.compiler.ops.spec import OpSpec, Pattern, ShapeError
from ogive.compiler.sizes import Size, ceil_div, le, size
from ogive.grammar.source import Span

UNIT = AxisGroup(((),))
Operands = Sequence[Any]  # tensors, literals, None; or what failed
Settings = Mapping[str, Any]


class OperationCall:
    """One use of an operation."""

    def __init__(
        self, frame: Frame, spec: OpSpec, span: Span, spans: Sequence[Span | None], pattern: Span | None
    ) -> None:
        self.frame, self.spec, self.span, self.spans, self.pattern = frame, spec, span, spans, pattern

    def operate(self, settings: Settings, operands: Operands, name: str = "") -> Any:
        """The operation itself, or one that it is written as."""
        spec = OPS[name] if name else self.spec
        if any(each is BROKEN for each in operands):
            return BROKEN
        given = {static.name: static.default for static in spec.statics} | dict(settings)
        what = self.spec.name if name else None
        return operate(self.frame, spec, given, operands, self.span, spans=self.spans, pattern=self.pattern, what=what)

    def made(self, name: str, x: Tensor, type: TensorType, **attrs: Any) -> Tensor:
        """A node of one operand, whose type is known."""
        inputs = (self.frame.builder.use(x),)
        return self.frame.builder.node(name, inputs, (type,), attrs=tuple(attrs.items()), span=self.span)[0]

    def checker(self, types: Sequence[Any]) -> RuleChecker:
        """What asks conditions of sizes."""
        return RuleChecker(self.frame, self.spec.name, self.span, types, self.spans, name=self.spec.name)

    def refused(self, error: ShapeError, types: Sequence[Any]) -> Any:
        """What does not fit is reported."""
        report_shape_error(self.frame, error, self.checker(types), self.pattern)
        return BROKEN


Form = Callable[[OperationCall, Settings, Operands], Any]


def _side(axes: Sequence[Axis]) -> Side:
    """Each axis an elementary one."""
    return tuple(
        AxisGroup(((Atom(f"a{i}", axis.size, axis.pack),),), axis.pack is not None) for i, axis in enumerate(axes)
    )


def applied(
    frame: Frame,
    spec: OpSpec,
    settings: Settings,
    operands: Operands,
    span: Span,
    *,
    spans: Sequence[Span | None],
    pattern: Span | None,
) -> Any:
    """The operation on operands that fit its signature: its result, a tuple of results, or BROKEN."""
    call = OperationCall(frame, spec, span, spans, pattern)
    form = FORMS.get(spec.name)
    return call.operate(settings, operands) if form is None else form(call, settings, operands)


# --- einsum -----------------------------------------------------------------------------------------------------------


def einsum(call: OperationCall, settings: Settings, operands: Operands) -> Any:
    """`b i i -> b` of x is `b i -> b` of its diagonal."""
    pattern: Pattern = settings["pattern"]
    given = list(operands)
    if not _agree(call, pattern.text, operands):
        return BROKEN
    while (found := _repeated(pattern.text, given)) is not None:
        operand, number, first, second = found
        tensor = given[number]
        assert isinstance(tensor, Tensor)
        name, axes = operand.terms[first].text, tensor.type.axes
        given[number] = _diagonal(call, tensor, [_axis(operand, at, len(axes)) for at in (first, second)])
        if given[number] is BROKEN:
            return BROKEN
        kept = [term.text for at, term in enumerate(operand.terms) if at not in (first, second)]
        text = " ".join("..." if each == "..." else each for each in (*_shown(operand, kept), name))
        start, end = operand.inside
        whole = pattern.text[:start] + text.ljust(end - start) + pattern.text[end:]  # all else stays in its place
        pattern = replace(pattern, text=whole)
    return call.operate({**settings, "pattern": pattern}, given)


def _agree(call: OperationCall, text: str, operands: Operands) -> bool:
    """Whether axes of one name in an operand have one size; asked of the operands as they are written."""
    if _repeated(text, operands) is None:
        return True
    checker = call.checker([x.type if isinstance(x, Tensor) else None for x in operands])
    for number, (operand, tensor) in enumerate(zip(parse(text).inputs, operands, strict=True)):
        first: dict[str, Axis] = {}
        for at, term in enumerate(operand.terms):
            if isinstance(tensor, Tensor) and term.kind == "name":
                axis = tensor.type.axes[_axis(operand, at, len(tensor.type.axes))].labelled(term.text)
                other = first.setdefault(term.text, axis)
                if other is not axis:
                    checker.meet(other, axis, f"`{term.text}` stands for `{other.size}` and `{axis.size}`", number)
    return not checker.failed


def _shown(operand: PatternOperand, kept: Sequence[str]) -> list[str]:
    packs = {term.text for term in operand.terms if term.kind == "pack"}
    return [f"*{each}" if each in packs and each != "..." else each for each in kept]


def _repeated(text: str, operands: Sequence[Any]) -> tuple[PatternOperand, int, int, int] | None:
    """The first operand with a name twice, and where; None also where the pattern fits nothing."""
    try:
        parsed = parse(text)
    except ShapeError:
        return None
    if len(parsed.inputs) != len(operands):
        return None
    for number, (operand, tensor) in enumerate(zip(parsed.inputs, operands, strict=True)):
        if not isinstance(tensor, Tensor) or any(term.kind in ("group", "sum") for term in operand.terms):
            continue
        rank, named = len(tensor.type.axes), [term.text if term.kind == "name" else "" for term in operand.terms]
        packed = any(term.kind == "pack" for term in operand.terms)
        if (len(named) != rank and not packed) or len(named) - packed > rank:
            continue
        for second, name in enumerate(named):
            first = named.index(name)
            places = [_axis(operand, at, rank) for at in (first, second)]
            if name and first < second and all(tensor.type.axes[at].pack is None for at in places):
                return operand, number, first, second
    return None


def _axis(operand: PatternOperand, at: int, rank: int) -> int:
    """The axis of a tensor beside a term of its pattern."""
    pack = next((i for i, term in enumerate(operand.terms) if term.kind == "pack"), len(operand.terms))
    return at if at < pack else rank - len(operand.terms) + at


def _diagonal(call: OperationCall, x: Tensor, places: Sequence[int]) -> Any:
    """The two axes brought to the end, and their diagonal."""
    axes, side = x.type.axes, _side(x.type.axes)
    order = [*(at for at in range(len(axes)) if at not in places), *places]
    if order != sorted(order):
        recipe = AxisPattern((side,), (tuple(side[at] for at in order),))
        x = call.made("rearrange", x, x.type.with_axes(*(axes[at] for at in order)), recipe=recipe)
    return call.operate({}, (x,), "diag")


# --- reductions and split ---------------------------------------------------------------------------------------------


def reduction(call: OperationCall, settings: Settings, operands: Operands) -> Any:
    """`sum[-1, keepdim=true]` is `reduce["... n -> ... 1", sum]`; with settings of its own an axis is added behind."""
    rest = {key: value for key, value in settings.items() if key != "keepdim"}
    (x,) = operands
    if not settings["keepdim"] or not isinstance(x, Tensor):
        return call.operate(rest, operands)
    if x.type.rank is None and not settings["axes"]:
        text = f"`keepdim` of all axes of {x.type}, which are any number: name some"
        return call.refused(ShapeError(text, code="E0303", operand=0), [x.type])
    try:
        axes = set(resolve_all(x.type, settings["axes"])) or set(range(len(x.type.axes)))
        call.spec.rule(checker := call.checker([x.type]), rest, [x.type])
    except ShapeError as error:
        return call.refused(error, [x.type])
    if checker.failed:
        return BROKEN
    side = _side(x.type.axes)
    kept = tuple(UNIT if at in axes else place for at, place in enumerate(side))
    type = x.type.with_axes(*(Axis(size(1)) if at in axes else axis for at, axis in enumerate(x.type.axes)))
    usual = {static.name: static.default for static in call.spec.statics}
    if all(value == usual[key] for key, value in rest.items() if key != "axes"):
        return call.made("reduce", x, type, recipe=AxisPattern((side,), (kept,)), op=call.spec.name)
    y = call.operate(rest, operands)
    if y is BROKEN:
        return BROKEN
    left = tuple(place for at, place in enumerate(side) if at not in axes)
    return call.made("rearrange", y, type.with_elem(y.type.elem), recipe=AxisPattern((left,), (kept,)))


def split(call: OperationCall, settings: Settings, operands: Operands) -> Any:
    """`split[-1, [a, b]]` is `split["... (a + b) -> ... a, ... b"]`."""
    if "sizes" not in settings:
        return call.operate(settings, operands)
    (x,) = operands
    assert isinstance(x, Tensor)
    sizes, checker = settings["sizes"], call.checker([x.type])
    try:
        at = resolve(x.type, settings["axis"])
        if not sizes or not all(isinstance(each, Size) for each in sizes):
            raise ShapeError("`sizes` of `split` is a list of sizes", code="E0404", static="sizes")
        if x.type.axes[at].pack is not None:
            raise ShapeError(f"`{x.type.axes[at]}` is any number of axes", code="E0304", operand=0)
    except ShapeError as error:
        return call.refused(error, [x.type])
    axes, total = x.type.axes, size(0)
    for each in sizes:
        if each.range[0] is None or each.range[0] < 1:
            checker.positive(each, f"a part of `{axes[at].named}` is `{each}`")
        total = total + each
    checker.equal(axes[at].size, total, f"cuts `{axes[at].named}` into {' + '.join(f'`{each}`' for each in sizes)}", 0)
    if checker.failed:
        return BROKEN
    side = _side(axes)
    parts = [(Atom(f"p{i}", each),) for i, each in enumerate(sizes)]
    if len(parts) == 1:
        return (x,)
    results = tuple(x.type.with_axes(*axes[:at], Axis(each), *axes[at + 1 :]) for each in sizes)
    recipe = AxisPattern(
        ((*side[:at], AxisGroup(tuple(parts)), *side[at + 1 :]),),
        tuple((*side[:at], AxisGroup((part,)), *side[at + 1 :]) for part in parts),
    )
    inputs = (call.frame.builder.use(x),)
    return call.frame.builder.node("split", inputs, results, attrs=(("recipe", recipe),), span=call.span)


def meshgrid(call: OperationCall, settings: Settings, operands: Operands) -> Any:
    """`meshgrid(x, y)` is `expand["i -> i j"](x)` and `expand["j -> i j"](y)`."""
    types = [each.type for each in operands]
    try:
        results, _ = call.spec.rule(call.checker(types), settings, types)
    except ShapeError as error:
        return call.refused(error, types)
    whole = _side(results[0].axes)
    if len(whole) == 1:
        return tuple(operands)
    pairs = enumerate(zip(operands, results, strict=True))
    return tuple(call.made("expand", x, type, recipe=AxisPattern(((whole[at],),), (whole,))) for at, (x, type) in pairs)


# --- padding ----------------------------------------------------------------------------------------------------------


def same(call: OperationCall, settings: Settings, operands: Operands) -> Any:
    """`pad="same"`: as many windows as steps of the stride begin inside, padded on both sides; an odd one to the right.

    The padding of TensorFlow. A convolution of stride 1 has it itself.
    """
    x, name = operands[0], call.spec.name
    if settings["pad"] != "same" or not isinstance(x, Tensor) or x.type.rank is None or len(x.type.axes) < 3:
        return call.operate(settings, operands)
    count = len(x.type.axes) - 2
    try:
        sides = _sides(call, settings, operands, count)
    except ShapeError as error:
        return call.refused(error, [each.type if isinstance(each, Tensor) else each for each in operands])
    if sides is None:
        return call.operate(settings, operands)
    settings = {**settings, "pad": (size(0),) * count}
    if name == "avg_pool" and not settings["count_include_pad"]:
        return _mean_inside(call, settings, x, sides)
    mode = settings.get("pad_mode", "zeros")
    fill = {"value": -math.inf} if name == "max_pool" else {"mode": "constant" if mode == "zeros" else mode}
    if "pad_mode" in settings:
        settings["pad_mode"] = "zeros"
    return call.operate(settings, (_padded(call, x, sides, fill), *operands[1:]))


def _sides(call: OperationCall, settings: Settings, operands: Operands, count: int) -> list[tuple[Size, Size]] | None:
    """What is padded before and behind each axis; None where the operation knows by itself."""
    x, weight = operands[0], operands[1] if call.spec.name == "conv" else None
    assert isinstance(x, Tensor)
    if call.spec.name == "conv" and (not isinstance(weight, Tensor) or len(weight.type.axes) != count + 2):
        return None
    kernel = (
        weight.type.sizes[2:] if isinstance(weight, Tensor) else per_axis(settings["kernel"], count, "kernel", low=1)
    )
    stride = kernel if settings["stride"] is None else per_axis(settings["stride"], count, "stride", low=1)
    dilation = per_axis(settings.get("dilation", 1), count, "dilation", low=1)
    if call.spec.name == "conv" and all(step == size(1) for step in stride):
        return None
    found = []
    checker = call.checker([x.type])
    for axis, k, step, spread in zip(x.type.axes[2:], kernel, stride, dilation, strict=True):
        reach = spread * (k - 1) + 1
        if reach == size(1):
            found.append((size(0), size(0)))
            continue
        if not checker.proves(le(step, reach)):
            text = f'`pad="same"` goes with windows as wide as their stride, not with {reach} by {step}'
            raise ShapeError(text, code="E0408", static="pad")
        total = (ceil_div(axis.size, step) - 1) * step + reach - axis.size
        found.append((total // 2, total - total // 2))
    return found


def _padded(call: OperationCall, x: Any, sides: Sequence[tuple[Size, Size]], fill: Settings) -> Any:
    for at, (before, after) in enumerate(sides, 2):
        if before != size(0) or after != size(0):
            x = call.operate({"axis": at, "before": before, "after": after, **fill}, (x,), "pad")
            if x is BROKEN:
                return BROKEN
    return x


def _mean_inside(call: OperationCall, settings: Settings, x: Tensor, sides: Sequence[tuple[Size, Size]]) -> Any:
    """The mean over what of each window lies on x: the mean with zeros, divided by that of ones."""
    ones = call.operate({"sizes": (Axis(size(1)), Axis(size(1)), *x.type.axes[2:]), "type": x.type.elem}, (), "ones")
    settings = {**settings, "count_include_pad": True}
    parts = [call.operate(settings, (_padded(call, each, sides, {}),)) for each in (x, ones)]
    return call.operate({}, parts, "div")


REDUCTIONS = ("sum", "mean", "max", "min", "prod", "var", "std", "logsumexp", "any", "all", "norm")
FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "einsum": einsum,
        "split": split,
        "meshgrid": meshgrid,
        "conv": same,
        "max_pool": same,
        "avg_pool": same,
        **dict.fromkeys(REDUCTIONS, reduction),
    }
)
