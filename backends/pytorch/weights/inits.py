"""Initializers: lines of `nn.init` after a weight is made, and those that replace them from outside."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from ogive.backends.python_text.errors import LoweringError
from ogive.backends.python_text.expr import (
    Argument,
    Code,
    applied,
    attribute,
    call,
    is_given,
    literal,
    method,
    name,
    tuple_of,
)
from ogive.backends.python_text.names import singular
from ogive.backends.python_text.statements import Evaluate, For, If, Statement
from ogive.backends.pytorch.names import access
from ogive.compiler.ir.model import Definition, Graph, Init, Scalar, Weight
from ogive.compiler.sizes import Size

Number = Callable[[object], Code]  # a number that may depend on sizes, as an expression of the constructor

DTYPES = MappingProxyType(
    {
        "int": "torch.int64", "i64": "torch.int64", "i32": "torch.int32", "bool": "torch.bool", "f16": "torch.float16",
        "bf16": "torch.bfloat16", "f32": "torch.float32", "f64": "torch.float64", "complex": "torch.complex64",
    }
)  # fmt: skip

# initializer -> function of nn.init, its settings in order with torch's defaults and names
FUNCTIONS: MappingProxyType[str, tuple[str, tuple[tuple[str, float | str | None, str], ...]]] = MappingProxyType(
    {
        "zeros": ("zeros_", ()),
        "ones": ("ones_", ()),
        "eye": ("eye_", ()),
        "constant": ("constant_", (("v", None, "val"),)),
        "normal": ("normal_", (("mean", 0.0, "mean"), ("std", 1.0, "std"))),
        "trunc_normal": ("trunc_normal_", (("mean", 0.0, "mean"), ("std", 1.0, "std"))),
        "uniform": ("uniform_", (("lo", None, ""), ("hi", None, ""))),
        "kaiming_uniform": ("kaiming_uniform_", (("a", 0.0, "a"), ("mode", "fan_in", "mode"))),
        "kaiming_normal": ("kaiming_normal_", (("a", 0.0, "a"), ("mode", "fan_in", "mode"))),
        "xavier_uniform": ("xavier_uniform_", (("gain", 1.0, "gain"),)),
        "xavier_normal": ("xavier_normal_", (("gain", 1.0, "gain"),)),
        "orthogonal": ("orthogonal_", (("gain", 1.0, "gain"),)),
    }
)
# those that fill every entry alike, so that stacked weights are filled at once
ALIKE = frozenset(("zeros", "ones", "constant", "normal", "trunc_normal", "uniform"))


class Maker(Protocol):
    """What writes the values of initializers: a constructor, or the function that makes a model."""

    def number(self, value: object) -> Code:
        """A number that may depend on sizes."""

    def expression(self, target: Code, graph: Graph) -> Statement:
        """What fills a weight with the value of a graph."""


def allocation(weight: Weight, size: Callable[[Size | int], Code]) -> Code:
    """The tensor of a weight, without values."""
    shape: Sequence[Code] = [size(entry.size) for entry in weight.type.axes] or [tuple_of(())]
    dtype = name(DTYPES[weight.type.elem]) if weight.type.elem != "float" else None
    return call("torch.empty", *shape, dtype=dtype)


def initialized(target: Code, init: Init, number: Number) -> Statement:
    """`nn.init.normal_(self.wpe, std=0.02)`. With a seed the values are drawn on the CPU: the same on every device."""
    if "seed" in dict(init.attrs):
        drawn = init_call(call("torch.empty_like", target, device=literal("cpu")), init, number)
        return Evaluate(method(attribute(target, "data"), "copy_", drawn))
    return Evaluate(init_call(target, init, number))


def each_entry(target: Code, init: Init, made: Callable[[Code], Statement]) -> Statement:
    """The statement for a weight, or a loop of it over the entries of one that is stacked."""
    given = dict(init.attrs)
    depth = int(given.get("stack", 0))
    if not depth or (init.name in ALIKE and "seed" not in given) or init.reads_weights:
        return made(target)
    entries = target if depth == 1 else method(target, "flatten", 0, depth - 1)
    return For(name("entry"), method(entries, "detach"), (made(name("entry")),))


def init_call(target: Code, init: Init, number: Number) -> Code:
    """A function of nn.init, which fills a tensor and gives it back."""
    if init.name not in FUNCTIONS:
        raise LoweringError(f"the initializer `{init.name}` is not supported in torch")
    function, settings = FUNCTIONS[init.name]
    given = dict(init.attrs)
    args: list[Argument] = [target]
    named: list[tuple[str, Argument]] = []
    for key, default, keyword in settings:
        value = given.get(key, default)
        if value is None or (value == default and keyword):
            continue
        code = literal(value) if isinstance(value, str) else number(_neat(value))
        if keyword and default is not None:
            named.append((keyword, code))
        else:
            args.append(code)
    if "seed" in given:
        named.append(("generator", method(call("torch.Generator"), "manual_seed", given["seed"])))
    return applied(f"nn.init.{function}", args, named)


def _neat(value: object) -> object:
    """`math.sqrt(5)` rather than its digits."""
    if (
        isinstance(value, float)
        and math.isfinite(value)
        and not value.is_integer()
        and abs(value * value - round(value * value)) < 1e-12
    ):
        whole = round(value * value)
        if 0 < whole < 1000:
            return Scalar("sqrt", (whole,))
    return value


@dataclass(slots=True)
class Initial:
    """The initializers of a class: by weight, where the last one wins, and those below iterations of loops."""

    maybe: bool = False  # some calls supply weights of the class: then it stores none
    direct: dict[Code, Init] = field(default_factory=dict)
    turned: dict[Code, dict[str, Init]] = field(default_factory=dict)  # by loop, by path inside an iteration
    states: set[str] = field(default_factory=set)  # those of these paths that are states

    def set(self, base: Code, path: str, init: Init, definition: Definition | None = None) -> None:
        """Set the initializer of the weight at a path below `base`."""
        head, star, rest = path.partition(".*.")
        if star:
            paths = self.turned.setdefault(access(head, base), {})
            paths.pop(rest, None)
            paths[rest] = init
            if definition is not None and _is_state(definition, path):
                self.states.add(rest)
        else:
            target = target_of(base, path, None if self.maybe else definition)
            self.direct.pop(target, None)
            self.direct[target] = init

    def statements(self, maker: Maker) -> tuple[Statement, ...]:
        """What sets them, equal initializers of several weights in one loop; last those that read other weights."""
        first = {target: init for target, init in self.direct.items() if not init.reads_weights}
        loops = [self._iterations(loop, paths, maker) for loop, paths in self.turned.items()]
        readers = {target: init for target, init in self.direct.items() if init.reads_weights}
        return (*self._all(first, maker), *loops, *self._all(readers, maker))

    def _all(self, inits: Mapping[Code, Init], maker: Maker, *, called: bool = False) -> list[Statement]:
        groups = _grouped(inits)
        return [made for init, them in groups for made in _each(init, them, maker, self.maybe, called and self.maybe)]

    def _iterations(self, modules: Code, paths: Mapping[str, Init], maker: Maker, layer: str = "layer") -> Statement:
        """Inside an iteration the type checker knows `nn.Module` alone, so weights are asked for by name."""
        direct: dict[Code, Init] = {}
        turned: dict[str, dict[str, Init]] = {}
        for path, init in paths.items():
            head, star, rest = path.partition(".*.")
            if star:
                turned.setdefault(head, {})[rest] = init
                self.states |= {rest} if path in self.states else set()
            else:
                direct[self._named(layer, path)] = init
        found = self._all(direct, maker, called=True)
        for head, inner in turned.items():
            below = method(call(f"{layer}.get_submodule", literal(head)), "children")
            found.append(self._iterations(below, inner, maker, f"{layer}_{singular(head.split('.')[-1])}"))
        return For(name(layer), modules, tuple(found))

    def _named(self, layer: str, path: str) -> Code:
        """The weight at a path of an iteration; None where calls supply it."""
        kind = "buffer" if path in self.states else "parameter"
        if self.maybe:
            return method(call("dict", call(f"{layer}.named_{kind}s")), "get", literal(path))
        return call(f"{layer}.get_{kind}", literal(path))


def _is_state(definition: Definition, path: str) -> bool:
    """Whether the weight at a path is a state."""
    for weight in definition.weights:
        if weight.path == path:
            return weight.kind == "state"
    inner = next((each for each in definition.instances if path.startswith(f"{each.path}.")), None)
    return inner is not None and _is_state(inner.definition, path[len(inner.path) + 1 :])


def target_of(base: Code, path: str, definition: Definition | None) -> Code:
    """A weight below `base`, which is of that definition. By their types some of layers of torch may be absent."""
    owner, _, leaf = path.rpartition(".")
    block = _block(definition, owner)
    if leaf == "bias" and block.startswith("std.vision.Conv"):
        return method(access(owner, base) if owner else base, "get_parameter", literal("bias"))
    if block == "std.nn.BatchNorm" and leaf not in ("weight", "bias"):
        return method(access(owner, base) if owner else base, "get_buffer", literal(leaf))
    return access(path, base) if path else base


def _block(definition: Definition | None, path: str) -> str:
    """The qualified name of the block at a path."""
    if definition is None or not path:
        return definition.block if definition is not None else ""
    for instance in definition.instances:
        if path == instance.path or path.startswith(instance.path + "."):
            return _block(instance.definition, path[len(instance.path) + 1 :])
    return ""


def _grouped(inits: Mapping[Code, Init]) -> list[tuple[Init, list[Code]]]:
    found: list[tuple[Init, list[Code]]] = []
    for target, init in inits.items():
        group = next((targets for other, targets in found if other == init and init.graph is None), None)
        if group is None:
            found.append((init, [target]))
        else:
            group.append(target)
    return found


def _each(init: Init, targets: list[Code], maker: Maker, maybe: bool, called: bool) -> list[Statement]:
    """Statements for weights that start alike; `called` where an expression of one is no place, and may be None."""

    def made(target: Code) -> Statement:
        graph = init.graph
        return initialized(target, init, maker.number) if graph is None else maker.expression(target, graph)

    def stored(target: Code) -> Statement:
        found = each_entry(target, init, made)
        return If(is_given(target), (found,)) if maybe else found

    if called or (len(targets) > 2 and init.graph is None):
        return [For(name("weight"), tuple_of(targets), (stored(name("weight")),))]
    return [stored(target) for target in targets]
