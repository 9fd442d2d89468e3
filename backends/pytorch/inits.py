"""Initializers: lines of `nn.init` after a weight is made, and those that replace them from outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

from ogive.backends.pytorch.code import Code, call
from ogive.backends.pytorch.errors import LoweringError
from ogive.backends.pytorch.plan import access
from ogive.compiler.ir import Definition, Init, Instance, Scalar, Weight
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
FILLED = MappingProxyType({"zeros": "torch.zeros", "ones": "torch.ones"})


def allocation(weight: Weight, size: Callable[[Size | int], Code], number: Number) -> tuple[Code, bool]:
    """The tensor of a weight, and whether it already holds its first values."""
    init = weight.init
    shape: Sequence[Code] = [size(entry.size) for entry in weight.type.axes] or [Code("()")]
    dtype = Code(DTYPES[weight.type.elem]) if weight.type.elem != "float" else None
    if init.name in FILLED:
        return call(FILLED[init.name], *shape, dtype=dtype), True
    if init.name == "constant":
        value = number(dict(init.attrs)["v"])
        return call("torch.full", Code(f"({', '.join(map(str, shape))},)"), value, dtype=dtype), True
    return call("torch.empty", *shape, dtype=dtype), False


def init_line(target: str, init: Init, number: Number) -> str:
    """`nn.init.normal_(self.wpe, std=0.02)`."""
    if init.name not in FUNCTIONS:
        raise LoweringError(f"the initializer `{init.name}` has no form in torch")
    function, settings = FUNCTIONS[init.name]
    given = dict(init.attrs)
    args: list[str] = []
    for name, default, keyword in settings:
        value = given.get(name, default)
        if value is None or (value == default and keyword):
            continue
        text = f'"{value}"' if isinstance(value, str) else str(number(_neat(value)))
        args.append(f"{keyword}={text}" if keyword and default is not None else text)
    return f"nn.init.{function}({', '.join([target, *args])})"


def _neat(value: object) -> object:
    """`math.sqrt(5)` rather than its digits."""
    if isinstance(value, float) and not value.is_integer() and abs(value * value - round(value * value)) < 1e-12:
        whole = round(value * value)
        if 0 < whole < 1000:
            return Scalar("sqrt", (whole,))
    return value


def overrides(instance: Instance, base: str, number: Number) -> list[str]:
    """The lines that set initializers below an instance from outside."""
    lines: list[str] = []
    for path, init in instance.inits:
        lines += set_below(instance.definition, base, path, init, number)
    return lines


def set_below(definition: Definition, base: str, path: str, init: Init, number: Number) -> list[str]:
    """The lines for one path below a module: loops over the turns that lie on the way."""
    head, star, rest = path.partition(".*.")
    if not star:
        return [init_line(access(path, base), init, number)]
    inner = [f"    {line}" for line in _of_turn(rest, init, number)]
    return [f"for layer in {access(head, base)}:", *inner]


def _of_turn(path: str, init: Init, number: Number, depth: int = 0) -> list[str]:
    """Inside a turn the type checker knows `nn.Module` alone, so weights are asked for by name."""
    layer = "layer" if not depth else f"layer_{depth + 1}"
    head, star, rest = path.partition(".*.")
    if not star:
        return [init_line(f'{layer}.get_parameter("{path}")', init, number)]
    below = f'{layer}.get_submodule("{head}").children()'
    inner = [f"    {line}" for line in _of_turn(rest, init, number, depth + 1)]
    return [f"for layer_{depth + 2} in {below}:", *inner]
