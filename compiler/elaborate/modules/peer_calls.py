"""What a call of PyTorch, numpy or einops is here, written with the tensors at hand, where that is certain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ogive.compiler.elaborate.modules.patterns_for import PATTERNS, Setting, permute, shaped
from ogive.compiler.elaborate.modules.peer_settings import DROPPED, op_call, plain
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops import NAMED
from ogive.compiler.sizes import Facts

CASTS = {
    "float": "float", "int": "int", "long": "int", "half": "f16", "bfloat16": "bf16", "double": "f64", "bool": "bool",
    "float16": "f16", "float32": "f32", "float64": "f64", "int32": "i32", "int64": "int",
}  # fmt: skip
SIGNS = {
    "add": "+", "sub": "-", "subtract": "-", "mul": "*", "multiply": "*", "div": "/", "divide": "/", "true_divide": "/",
    "matmul": "@", "mm": "@", "bmm": "@", "remainder": "%", "floor_divide": "//",
}  # fmt: skip
SAME = ("contiguous", "clone", "copy", "cpu", "cuda")  # what is nothing here
CALLED = {
    "conv1d": "conv", "conv2d": "conv", "conv3d": "conv", "max_pool1d": "max_pool", "max_pool2d": "max_pool",
    "max_pool3d": "max_pool", "avg_pool1d": "avg_pool", "avg_pool2d": "avg_pool", "avg_pool3d": "avg_pool",
    "adaptive_avg_pool1d": "adaptive_avg_pool", "adaptive_avg_pool2d": "adaptive_avg_pool", "amax": "max",
    "adaptive_max_pool1d": "adaptive_max_pool", "adaptive_max_pool2d": "adaptive_max_pool", "amin": "min",
    "index_select": "take", "scaled_dot_product_attention": "attention", "detach": "stop_gradient",
}  # fmt: skip
PAIRS = ("max", "min", "sort")  # give values and places there, along an axis
LIKE = {"zeros_like": "zeros", "ones_like": "ones", "randn_like": "randn", "rand_like": "rand", "full_like": "full"}


class PeerCall(NamedTuple):
    """A call as it is written: each argument with its text, and its value where it has one here."""

    name: str
    args: Sequence[Setting]
    keywords: Mapping[str, Setting]
    facts: Facts
    method: bool = False

    @property
    def tensor(self) -> TensorType | None:
        """The type of the first argument, if that is a tensor."""
        value = self.args[0].value if self.args else None
        return value.type if isinstance(value, Tensor) else None

    def setting(self, at: int, *names: str) -> Setting | None:
        """An argument by its position or by one of its names."""
        return next(
            (self.keywords[n] for n in names if n in self.keywords), self.args[at] if at < len(self.args) else None
        )

    def only(self, count: int, *names: str) -> bool:
        """Whether there are no more arguments than these."""
        return len(self.args) <= count and self.keywords.keys() <= {*names, *DROPPED}


def rewritten(call: PeerCall) -> str | None:
    """The call in Ogive, None where it is not certain what that is."""
    if call.name in PATTERNS and call.tensor is not None:
        return _pattern(call, call.tensor)
    for form in FORMS:
        if (text := form(call)) is not None:
            return text
    if call.name in PAIRS and call.tensor is not None and len(call.args) + len(call.keywords) > 1:
        return None
    named = "expand" if call.name == "repeat" and _patterned(call) else CALLED.get(call.name, call.name)
    spec = NAMED.get(named)
    return op_call(spec, call.args, call.keywords) if spec is not None else None


def _patterned(call: PeerCall) -> bool:
    return len(call.args) > 1 and isinstance(call.args[1].value, str)


def known(name: str) -> bool:
    """Whether there may be an answer for a name that is none of ours."""
    return name in ANSWERED or name in NAMED


def _pattern(call: PeerCall, type: TensorType) -> str | None:
    positional = [*call.args[1:], *(each for name, each in call.keywords.items() if name in POSITIONS)]
    if len(call.args[1:]) + len(call.keywords) != len(positional):
        return None
    settings = [part for each in positional for part in _spread(each)]
    x = shaped(call.args[0].text, type, (each.text for each in settings))
    if call.name in ("T", "t") and len(x.names) != 2:
        return None
    if call.name == "transpose" and len(settings) > 2:
        return permute(x, settings, call.facts)
    return PATTERNS[call.name](x, settings, call.facts)


POSITIONS = ("dim", "axis", "dims", "chunks", "start_dim", "end_dim", "dim0", "dim1", "shape", "split_size")


def _spread(given: Setting) -> list[Setting]:
    """The entries of a tuple or list of sizes."""
    if not isinstance(given.value, tuple):
        return [given]
    texts = [text.strip() for text in given.text.strip("()[]").split(",") if text.strip()]
    if len(texts) != len(given.value):
        return [Setting(None, "")]
    return [Setting(value, text) for value, text in zip(given.value, texts, strict=True)]


def _joined(call: PeerCall) -> str | None:
    """`cat([a, b], dim)` and `stack`."""
    if call.name not in ("cat", "concat", "concatenate", "stack", "hstack", "vstack") or not call.args:
        return None
    items, axis = call.args[0], call.setting(1, "dim", "axis")
    if call.name in ("hstack", "vstack") or not isinstance(items.value, tuple) or not call.only(2, "dim", "axis"):
        return None
    listed = items.text[:1] in "[(" and items.text[-1:] in "])"
    inner = items.text[1:-1].strip().rstrip(",") if listed else f"*{items.text}"
    op = "stack" if call.name == "stack" else "concat"
    return f"{op}[{'0' if axis is None else axis.text}]({inner})"


def _cast(call: PeerCall) -> str | None:
    """`x.float()`, `x.to(torch.float16)`, `x.astype("int64")`."""
    if call.tensor is None:
        return None
    if call.name in CASTS and call.method and call.only(1):
        return f"cast[{CASTS[call.name]}]({call.args[0].text})"
    if call.name in ("to", "type", "astype"):
        kind = call.setting(1, "dtype")
        name = "" if kind is None else kind.text.strip("\"'").rpartition(".")[2]
        if call.only(2, "dtype") and name in CASTS:
            return f"cast[{CASTS[name]}]({call.args[0].text})"
        if call.only(1, "device") or (call.only(2) and name in ("device", "cuda", "cpu")):
            return call.args[0].text
    return None


def _sign(call: PeerCall) -> str | None:
    """`x.add(y)` as `x + y`."""
    if call.name not in SIGNS or len(call.args) != 2 or call.keywords:
        return None
    left, right = (plain(each.text) for each in call.args)
    return f"{left} {SIGNS[call.name]} {right}"


def _same(call: PeerCall) -> str | None:
    return call.args[0].text if call.name in SAME and call.tensor is not None and call.only(1) else None


def _item(call: PeerCall) -> str | None:
    """`x.item()` of one number, which stays a tensor."""
    return call.args[0].text if call.tensor is not None and call.tensor.rank == 0 and len(call.args) == 1 else None


def _size(call: PeerCall) -> str | None:
    """`x.size(1)` and `x.dim()`: sizes are names."""
    type = call.tensor
    if type is None or call.keywords:
        return None
    if call.name == "size" and len(call.args) == 2:
        place = shaped("x", type).at(call.args[1])
        return None if place is None or type.axes[place].pack is not None else str(type.axes[place].size)
    if call.name in ("dim", "ndimension") and len(call.args) == 1 and type.rank is not None:
        return str(type.rank)
    if call.name == "numel" and len(call.args) == 1 and type.rank is not None:
        return " * ".join(plain(str(size)) for size in type.sizes) or "1"
    return None


def _like(call: PeerCall) -> str | None:
    """`zeros_like(x)`: sizes are names."""
    type = call.tensor
    if call.name not in LIKE or type is None or (call.name == "full_like") != (len(call.args) == 2):
        return None
    if not call.only(2) or (type.elem != "float" and LIKE[call.name] in ("randn", "rand")):
        return None
    given = [f"v={call.args[1].text}"] if call.name == "full_like" else []
    given += [f"type={type.elem}"] if type.elem != "float" else []
    return f"{LIKE[call.name]}[{', '.join([*map(str, type.axes), *given])}]"


def _new(call: PeerCall) -> str | None:
    """`x.new_zeros(b, n)`."""
    name = call.name.removeprefix("new_")
    if name == call.name or call.tensor is None or not call.only(len(call.args)):
        return None
    sizes = [part.text for each in call.args[1:] for part in _spread(each)]
    return f"{name}[{', '.join(sizes)}]" if sizes and call.tensor.elem == "float" else None


def _other(call: PeerCall) -> str | None:
    return OTHERS[call.name](call) if call.name in OTHERS else None


def _masked_fill(call: PeerCall) -> str | None:
    if len(call.args) != 3 or call.keywords:
        return None
    x, mask, value = (each.text for each in call.args)
    value = "-inf" if value.replace(" ", "") in ("float('-inf')", 'float("-inf")', "-torch.inf", "-math.inf") else value
    return f"select({mask}, {value}, {x})"


def _clamp(call: PeerCall) -> str | None:
    low, high = call.setting(1, "min"), call.setting(2, "max")
    if call.tensor is None or not call.only(3, "min", "max"):
        return None
    if call.name == "clamp_min" or (low is not None and high is None):
        return f"maximum({call.args[0].text}, {low.text})" if low is not None else None
    if call.name == "clamp_max" or (low is None and high is not None):
        high = call.args[1] if call.name == "clamp_max" and len(call.args) > 1 else high
        return f"minimum({call.args[0].text}, {high.text})" if high is not None else None
    return f"clamp[{low.text}, {high.text}]({call.args[0].text})" if low is not None and high is not None else None


def _full(call: PeerCall) -> str | None:
    value = call.setting(1, "fill_value")
    if len(call.args) not in (1, 2) or value is None or not call.only(2, "fill_value"):
        return None
    sizes = ", ".join(each.text for each in _spread(call.args[0]))
    return f"full[{sizes}, v={value.text}]"


def _topk(call: PeerCall) -> str | None:
    k, axis = call.setting(1, "k"), call.setting(2, "dim")
    if call.tensor is None or k is None or not call.only(3, "k", "dim"):
        return None
    return f"topk[{'-1' if axis is None else axis.text}, {k.text}]({call.args[0].text})"


def _roll(call: PeerCall) -> str | None:
    by, axis = call.setting(1, "shifts"), call.setting(2, "dims", "axis")
    if call.tensor is None or by is None or axis is None or not call.only(3, "shifts", "dims", "axis"):
        return None
    return f"roll[{axis.text}, {by.text}]({call.args[0].text})" if by.number is not None else None


def _embedding(call: PeerCall) -> str | None:
    return f"take[0]({call.args[1].text}, {call.args[0].text})" if len(call.args) == 2 and call.only(2) else None


def _pad(call: PeerCall) -> str | None:
    pair = call.setting(1, "pad")
    if call.tensor is None or pair is None or not call.only(2, "pad"):
        return None
    both = _spread(pair)
    return f"pad[-1, {both[0].text}, {both[1].text}]({call.args[0].text})" if len(both) == 2 else None


def _length(call: PeerCall) -> str | None:
    """`len(x)` of a tensor."""
    type = call.tensor
    return str(type.axes[0].size) if type is not None and type.axes and type.axes[0].pack is None else None


OTHERS: Mapping[str, Callable[[PeerCall], str | None]] = {
    "masked_fill": _masked_fill, "clamp": _clamp, "clip": _clamp, "clamp_min": _clamp, "clamp_max": _clamp,
    "full": _full, "topk": _topk, "roll": _roll, "embedding": _embedding, "pad": _pad, "len": _length,
    "cat": _joined, "concat": _joined, "concatenate": _joined, "stack": _joined, "size": _size, "dim": _size,
    "numel": _size, "item": _item, "new_zeros": _new, "new_ones": _new, "to": _cast, "type": _cast, "astype": _cast,
}  # fmt: skip
FORMS: Sequence[Callable[[PeerCall], str | None]] = (_cast, _sign, _same, _like, _other)
ANSWERED = frozenset(["repeat", *PATTERNS, *CASTS, *SIGNS, *SAME, *CALLED, *LIKE, *OTHERS])
