"""What stands for each operation: a glyph where wires end on it, or a text that floats above the tensor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ogive.backends.diagram.figure.labels import size_label, value_label
from ogive.backends.diagram.from_ir.settings import written
from ogive.backends.diagram.from_ir.shuffles import shuffles, told
from ogive.compiler.ir.model import Const, Node
from ogive.compiler.ops import OPS
from ogive.compiler.sizes import Size

LONGEST = 24  # characters of a text that stands in a glyph
Divides = Iterable[tuple[str, str]]


Glyph = Literal[
    "wires",  # nothing but what the links draw
    "float",  # a function of each element: an arrowed symbol over the tensor
    "join",  # a function of several tensors, element by element: dots, and a symbol over them
    "box",
    "linear",
    "norm",
    "softmax",
    "mask",
    "conv",
    "pool",
    "reduce",
    "source",  # a tensor from nothing
    "weight",  # a learned tensor: a bold pentagon
    "sink",  # a tensor is kept or looked at
    "slab",  # a collapsed block
    "plate",  # an open block
    "repeat",
    "scan",
    "phase",
    "copy",
    "drop",
]


@dataclass(frozen=True, slots=True)
class Look:
    """`text` stands in the glyph; `above` floats over the tensor (a join has it over its dots).

    `long` is a text that does not fit, for the legend. `operands` says the same with a place between its parts for each
    operand, where their order matters and the wires do not tell it.
    """

    glyph: Glyph
    text: str = ""
    above: str = ""
    caption: str = ""
    long: str = ""
    operands: tuple[str, ...] = ()


# operands that may be swapped
SYMMETRIC = frozenset({
    "add", "mul", "eq", "ne", "minimum", "maximum", "logical_and", "logical_or", "bitwise_and", "bitwise_or",
    "bitwise_xor",
})  # fmt: skip
# operations whose operands are told apart by the links that they are in
BY_LINKS = frozenset({"einsum", "matmul", "rearrange", "expand", "concat", "split", "take", "gather"})


SYMBOLS = {
    "add": "+", "sub": "−", "mul": "×", "div": "÷", "pow": "^", "eq": "=", "ne": "≠", "lt": "<", "le": "≤",
    "gt": ">", "ge": "≥", "minimum": "min", "maximum": "max", "floordiv": "⌊÷⌋", "mod": "mod", "logical_and": "∧",
    "logical_or": "∨", "logical_not": "¬", "neg": "−", "sqrt": "√", "rsqrt": "1/√", "sigmoid": "σ", "relu": "ReLU",
    "relu6": "ReLU6", "gelu": "GELU", "gelu_tanh": "GELU tanh", "silu": "SiLU", "elu": "ELU", "mish": "Mish",
    "leaky_relu": "LeakyReLU", "lgamma": "ln Γ", "digamma": "ψ", "abs": "| · |", "stop_gradient": "stop ∇",
    "grad_as": "∇ as", "expm1": "exp − 1", "log1p": "ln(1 + ·)", "log": "ln", "complex": "ℂ", "sum": "Σ",
    "ceil": "⌈ · ⌉", "floor": "⌊ · ⌋", "bitwise_and": "∧", "bitwise_or": "∨", "bitwise_xor": "⊕", "bitwise_not": "¬",
    "shift_left": "≪", "shift_right": "≫", "log2": "log₂", "log10": "log₁₀", "atan2": "∠",
    "mean": "mean", "prod": "∏", "any": "∃", "all": "∀", "logsumexp": "lse", "concat": "",
}  # fmt: skip

# operations that turn an axis into the same one under a glyph
NORMS = {"layer_norm": "LN", "rms_norm": "RMS", "batch_norm": "BN", "batch_norm_train": "BN", "group_norm": "GN"}
POOLS = {"max_pool": "max", "avg_pool": "mean", "adaptive_avg_pool": "mean", "adaptive_max_pool": "max"}

# blocks of the library that are drawn as the operation they hold: the operation whose links they have
LIBRARY = {
    "std.nn.Linear": "linear", "std.nn.Embedding": "embedding", "std.nn.LayerNorm": "layer_norm",
    "std.nn.RMSNorm": "rms_norm", "std.nn.BatchNorm": "batch_norm_train", "std.nn.GroupNorm": "group_norm",
    "std.nn.InstanceNorm": "group_norm", "std.nn.Dropout": "dropout", "std.vision.Conv": "conv",
    "std.vision.ConvTranspose": "conv_transpose", "std.attention.causal_mask": "mask",
}  # fmt: skip


def look(node: Node, divides: Divides) -> Look:
    """The glyph of a primitive operation. One that is not known is a labelled box: nothing is ever left out."""
    found = _look(node, divides)
    tensors = sum(isinstance(x, str) for x in node.inputs)
    if found.operands or tensors < 2 or node.op in SYMMETRIC | BY_LINKS:
        return found
    return replace(found, operands=called(found.text or found.above or node.op, node.inputs))


def called(name: str, operands: Sequence[object]) -> tuple[str, ...]:
    """The parts of `name(·, –, ·)`: a place for each operand, a dash for each that is absent."""
    parts = [f"{name}("]
    for k, operand in enumerate(operands):
        parts[-1] += ", " if k else ""
        if operand is None:
            parts[-1] += "–"
        else:
            parts.append("")
    if parts[-1].endswith("–"):  # those at the end need no mention
        parts[-1] = ""
    return (*parts[:-1], parts[-1] + ")")


def _look(node: Node, divides: Divides) -> Look:
    kind = OPS[node.op].kind if node.op in OPS else ""
    if kind == "elementwise" or node.op == "dropout":
        return _elementwise(node, divides)
    if node.op in ("einsum", "matmul", "rearrange", "expand", "concat", "stack", "take", "gather", "split"):
        recipe = node.attr("recipe") if node.op == "rearrange" else None
        mixed = list(shuffles(recipe.inputs[0], recipe.outputs[0])) if recipe is not None else []
        if mixed:
            return Look("box", told(mixed, lambda size: size_label(size, divides)))
        operands = called("stack", node.inputs) if node.op == "stack" else ()
        return Look("wires", above="gather" if node.op == "gather" else "", operands=operands)
    if kind == "reduction" or node.op in ("argmax", "argmin"):
        name = str(node.attr("op") or node.op)
        return Look("reduce", f"{SYMBOLS.get(name, name)} {written(node, divides, frozenset({'op'}))}".strip())
    if node.op in NORMS:
        groups = f" {_same(node.attr('groups'), divides)}" if node.attr("groups") is not None else ""
        return Look("norm", NORMS[node.op] + groups)
    if node.op in POOLS:
        return Look("pool", f"{POOLS[node.op]} {window(node, divides)}".strip())
    if kind in ("value", "random"):
        return Look("source", _value(node, divides))
    named = {"softmax": Look("softmax"), "log_softmax": Look("softmax", above="log"), "linear": Look("linear", "L")}
    if node.op in named:
        return named[node.op]
    if node.op in ("conv", "conv_transpose"):
        return Look("conv", window(node, divides))
    if node.op in ("tril", "triu"):
        return Look("mask", node.op, caption=written(node, divides))
    text = _box(node, divides)
    return Look("box", text) if len(text) <= LONGEST else Look("box", node.op, long=text)


def _elementwise(node: Node, divides: Divides) -> Look:
    symbol = SYMBOLS.get(node.op, node.op)
    literal = [i for i, x in enumerate(node.inputs) if isinstance(x, Const)]
    tensors = [x for x in node.inputs if isinstance(x, str)]
    if len(tensors) > 1:
        return _joined(node, symbol, divides)
    if not literal or not tensors:
        extra = [value_label(value, divides) for _, value in node.attrs if isinstance(value, (int, float, Size, Const))]
        if node.op == "cast":
            return Look("float", above=str(node.attr("type") or "cast"))
        return Look("float", above=f"{symbol} {', '.join(extra)}".strip())
    value = value_label(node.inputs[literal[0]], divides)
    if len(node.inputs) > 2:
        others = [value_label(x, divides) if isinstance(x, Const) else "·" for x in node.inputs]
        return Look("float", above=f"{symbol}({', '.join(others)})")
    if not symbol.isalpha():
        value = f"({value})" if any(c in value for c in " −+") and symbol != "+" else value
        return Look("float", above=f"{symbol} {value}" if literal == [1] else f"{value} {symbol} ·")
    return Look("float", above=f"{symbol}(·, {value})" if literal == [1] else f"{symbol}({value}, ·)")


def _joined(node: Node, symbol: str, divides: Divides) -> Look:
    """A function of several tensors: its symbol, and where it has literals all its operands."""
    if len(node.inputs) == 2 and not symbol.isalpha():
        return Look("join", above=symbol, operands=() if node.op in SYMMETRIC else ("", f" {symbol} ", ""))
    if not any(isinstance(x, Const) for x in node.inputs):
        return Look("join", above=symbol)
    parts = [f"{symbol}("]
    for k, operand in enumerate(node.inputs):
        parts[-1] += ", " if k else ""
        if isinstance(operand, Const):
            parts[-1] += value_label(operand, divides)
        else:
            parts.append("")
    parts[-1] += ")"
    return Look("join", above="·".join(parts), operands=tuple(parts))


def window(node: Node, divides: Divides) -> str:
    """`3 s=2` is a window of 3 with a stride of 2, `3 ∘2` one whose taps stand 2 apart."""
    kernel = _same(node.attr("kernel"), divides) if node.attr("kernel") is not None else ""
    return strided(kernel, _same(node.attr("stride"), divides), _same(node.attr("dilation"), divides))


def strided(kernel: str, stride: str, dilation: str) -> str:
    """The text of a window."""
    text = kernel + (f" s={stride}" if stride not in ("", "1") else "")
    return text + (f" ∘{dilation}" if dilation not in ("", "1") else "")


def _same(value: object, divides: Divides) -> str:
    """One number for all axes where they agree."""
    if value is None:
        return ""
    items = list(value) if isinstance(value, tuple) else [value]
    texts = [size_label(item, divides) if isinstance(item, (Size, int)) else str(item) for item in items]
    return texts[0] if len(set(texts)) == 1 else "×".join(texts)


def _value(node: Node, divides: Divides) -> str:
    attr = dict(node.attrs)
    if node.op == "full":
        return value_label(node.inputs[0] if node.inputs else attr["v"], divides)
    if node.op == "linspace":
        return f"{value_label(attr['lo'], divides)} … {value_label(attr['hi'], divides)}"
    if node.op == "randint":
        return f"U(0 … {size_label(attr['n'] - 1, divides)})"
    if node.op == "bernoulli":
        return f"B({value_label(attr['p'], divides)})"
    if node.op == "constant":
        text = ", ".join(value_label(value, divides) for value in _leaves(node.attr("list")))
        return text if 0 < len(text) <= LONGEST else "constant"
    return {"zeros": "0", "ones": "1", "arange": "0 1 2 …", "eye": "I", "randn": "N(0, 1)", "rand": "U(0, 1)"}.get(
        node.op, node.op
    )


def _leaves(value: object) -> Iterator[object]:
    """The numbers of a nested list."""
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from _leaves(item)
    elif value is not None:
        yield value


def _box(node: Node, divides: Divides) -> str:
    """The name of the operation, with the settings that a reader needs."""
    names = {"one_hot": "1-hot", "pad": "pad", "linear_scan": "scan", "inverse": "⁻¹"}
    if node.op == "topk":
        return f"top {_same(node.attr('k'), divides)}"
    if node.op == "slice":
        return _slice(node, divides)
    settings = written(node, divides)
    if node.op == "pad":
        before, after = _same(node.attr("before"), divides), _same(node.attr("after"), divides)
        return f"pad {before if before == after else f'{before}, {after}'} {settings}".strip()
    if node.op == "attention":
        return "causal attention" if node.attr("causal") else "attention"
    if node.op == "interpolate":
        return f"resize {node.attr('mode') or ''}".strip()
    return f"{names.get(node.op, node.op)} {settings}".strip()


def _slice(node: Node, divides: Divides) -> str:
    parts = []
    for item in node.attr("items") or ():
        if item[0] == "index":
            parts.append(_same(item[1], divides))
        elif item[0] == "slice":
            start, stop, step = (_same(x, divides) for x in item[1:])
            text = f"{'' if start == '0' else start}:{stop}"
            parts.append(text if step == "1" else f"{text}:{step}")
    return ", ".join(parts) or "slice"
