"""Blocks of the library that are layers of torch: one row each, from qualified name to constructor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ogive.backends.python_text.expr import Code, call, function_of, literal, tuple_of
from ogive.compiler.ir.model import Definition, Model, Weight
from ogive.compiler.sizes import Size, Unknown, size

Sizes = Callable[[Size | int], Code]  # a size of the layer as an expression of the class that holds it


class LayerSettings:
    """The statics of a layer, as expressions."""

    def __init__(self, definition: Definition, bindings: dict[Unknown, Size], render: Sizes) -> None:
        self.definition = definition
        self.bindings = bindings
        self.render = render
        self.by_name = {static.name: static for static in definition.statics}

    def size(self, name: str) -> Code:
        """A static that is a size."""
        static = self.by_name[name]
        return self.number(size(static.unknown) if static.unknown is not None else static.value)

    def number(self, value: object) -> Code:
        """A size, or a list of sizes as a tuple."""
        if isinstance(value, Size | int):
            return self.render(size(value).subs(self.bindings))
        assert isinstance(value, tuple | list), value
        parts = [self.number(item) for item in value]
        return parts[0] if parts and len(set(parts)) == 1 else tuple_of(parts)

    def value(self, name: str) -> Code:
        """Any other static."""
        value = self.by_name[name].value
        assert isinstance(value, str | float | int | None), value
        return literal(value)

    def unless(self, name: str, default: object) -> Code | None:
        """A setting that is left out where it equals torch's default."""
        static = self.by_name.get(name)
        if static is None or (static.unknown is None and static.value == default):
            return None
        if static.unknown is not None or isinstance(static.value, Size | tuple | list):
            code = self.size(name)
            return None if code.text == str(default) else code
        return self.value(name)

    def weight(self, name: str) -> Weight:
        """A weight of the layer."""
        return next(weight for weight in self.definition.weights if weight.path == name)


def _linear(s: LayerSettings) -> Code | None:
    return call("nn.Linear", s.size("din"), s.size("dout"), bias=s.unless("bias", True))


def _embedding(s: LayerSettings) -> Code | None:
    return call("nn.Embedding", s.size("n"), s.size("d"))


def _layer_norm(s: LayerSettings) -> Code | None:
    return call("nn.LayerNorm", s.size("d"), eps=s.unless("eps", 1e-5), bias=s.unless("bias", True))


def _rms_norm(s: LayerSettings) -> Code | None:
    if s.unless("unit_offset", False) is not None:  # torch's class has no such weight
        return None
    return call("nn.RMSNorm", s.size("d"), eps=s.value("eps"))


def _group_norm(s: LayerSettings) -> Code | None:
    return call("nn.GroupNorm", s.size("groups"), s.size("c"), eps=s.unless("eps", 1e-5))


def _spatial(s: LayerSettings) -> int | None:
    """How many axes the input has after its first two, where torch has a layer for so many."""
    type = s.definition.graph.inputs[0].type
    count = type.rank - 2 if type.rank is not None else 0
    return count if 1 <= count <= 3 else None


def _conv(s: LayerSettings) -> Code | None:
    count = _spatial(s)
    if count is None or _pads_first(s.definition):
        return None
    return call(
        f"nn.Conv{count}d", s.size("cin"), s.size("cout"), s.size("kernel"),
        stride=s.unless("stride", 1), padding=s.unless("pad", 0), dilation=s.unless("dilation", 1),
        groups=s.unless("groups", 1), bias=s.unless("bias", True), padding_mode=s.unless("pad_mode", "zeros"),
    )  # fmt: skip


def _pads_first(definition: Definition) -> bool:
    """Whether it is "same" with a stride, which torch's layers refuse: a pad of its own stands before."""
    return any(node.op == "pad" for node in definition.graph.nodes)


def _conv_transpose(s: LayerSettings) -> Code | None:
    count = _spatial(s)
    if count is None:
        return None
    return call(
        f"nn.ConvTranspose{count}d", s.size("cin"), s.size("cout"), s.size("kernel"),
        stride=s.unless("stride", 1), padding=s.unless("pad", 0), output_padding=s.unless("out_pad", 0),
        groups=s.unless("groups", 1), bias=s.unless("bias", True), dilation=s.unless("dilation", 1),
    )  # fmt: skip


def _batch_norm(s: LayerSettings) -> Code | None:
    rank = s.definition.graph.inputs[0].type.rank
    if rank is None or not 2 <= rank <= 5:
        return None
    name = f"nn.BatchNorm{max(1, rank - 2)}d"
    return call(name, s.size("c"), eps=s.unless("eps", 1e-5), momentum=s.unless("momentum", 0.1))


def _dropout(s: LayerSettings) -> Code | None:
    return call("nn.Dropout", s.value("p"))


ROWS: MappingProxyType[str, Callable[[LayerSettings], Code | None]] = MappingProxyType(
    {
        "std.nn.Linear": _linear,
        "std.nn.Embedding": _embedding,
        "std.nn.LayerNorm": _layer_norm,
        "std.nn.RMSNorm": _rms_norm,
        "std.nn.GroupNorm": _group_norm,
        "std.nn.Dropout": _dropout,
        "std.nn.BatchNorm": _batch_norm,
        "std.vision.Conv": _conv,
        "std.vision.ConvTranspose": _conv_transpose,
    }
)


def layer(definition: Definition, bindings: dict[Unknown, Size], render: Sizes) -> Code | None:
    """The constructor of the layer of torch that equals this block, if there is one."""
    row = ROWS.get(definition.block)
    return row(LayerSettings(definition, bindings, render)) if row is not None else None


def kind_of(definition: Definition) -> str | None:
    """The class of torch that the block is, `nn.Linear`."""
    made = _tried(definition)
    return None if made is None else str(function_of(made))


def is_layer(definition: Definition) -> bool:
    """Whether the block is a layer of torch."""
    return _tried(definition) is not None


def _tried(definition: Definition) -> Code | None:
    return layer(definition, {u: size(1) for u in _unknowns(definition)}, lambda _: literal(1))


def _unknowns(definition: Definition) -> tuple[Unknown, ...]:
    return (*(s.unknown for s in definition.statics if s.unknown is not None), *definition.sizes)


def lone_groups(model: Model) -> frozenset[str]:
    """The definitions of group norms that have one channel in a group somewhere, by name.

    There a group may be one value, and torch's class refuses it.
    """
    found: set[str] = set()
    seen: set[tuple[str, tuple[Size, ...]]] = set()

    def visit(definition: Definition, sizes: Mapping[Unknown, Size]) -> None:
        key = (definition.name, tuple(sizes.values()))
        if key in seen:
            return
        seen.add(key)
        if definition.block == "std.nn.GroupNorm":
            groups, channels = (_static(definition, name, sizes) for name in ("groups", "c"))
            if groups == channels:
                found.add(definition.name)
        for instance in definition.instances:
            visit(instance.definition, {unknown: value.subs(sizes) for unknown, value in instance.bindings})

    visit(model.definition, {unknown: size(number) for unknown, number in model.bindings})
    return frozenset(found)


def _static(definition: Definition, name: str, sizes: Mapping[Unknown, Size]) -> Size:
    static = next(static for static in definition.statics if static.name == name)
    return size(static.value) if static.unknown is None else size(static.unknown).subs(sizes)
