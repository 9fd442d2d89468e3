"""What a block is for, as papers colour it: attention, norm, feed-forward, embedding, convolution, linear map."""

from __future__ import annotations

from typing import Literal

from ogive.backends.diagram.from_ir.glyphs import LIBRARY, NORMS
from ogive.compiler.ir.model import Definition, Node

Role = Literal["", "attention", "norm", "feed", "embedding", "conv", "linear"]

_HELD: dict[str, Role] = {  # by the operation that a block of the library holds
    "linear": "linear", "embedding": "embedding", "conv": "conv", "conv_transpose": "conv",
    **dict.fromkeys(NORMS, "norm"),
}  # fmt: skip
_CALLED: tuple[tuple[str, Role], ...] = (
    ("attention", "attention"), ("attn", "attention"), ("norm", "norm"), ("embed", "embedding"), ("mlp", "feed"),
    ("feedforward", "feed"), ("feed_forward", "feed"), ("ffn", "feed"), ("swiglu", "feed"),
)  # fmt: skip
_ACTIVATIONS = frozenset({"relu", "relu6", "gelu", "gelu_tanh", "silu", "elu", "mish", "leaky_relu", "tanh", "sigmoid"})


def identified(callee: Definition, path: str) -> tuple[tuple[str, str], ...]:
    """What a drawn call has of its block: its name in the program, its place, its name in the source, its role."""
    name = callee.block.rsplit(".", 1)[-1]
    return ("block", callee.name), ("path", path), ("name", name), ("role", role_of(callee))


def spot(node: Node) -> tuple[tuple[str, str], ...]:
    """Where in its file an operation stands; of what a loop unrolled, all copies stand at one place."""
    if node.span is None:
        return ()
    places = (f"{line:06}:{column:04}" for line, column in (node.span.begin(), node.span.finish()))
    return (("spot", " ".join(places)),)


def role_of(callee: Definition) -> Role:
    """The role of a block: by its name where that says it, else by what it computes; "" for any other."""
    if callee.block in LIBRARY:
        return _HELD.get(LIBRARY[callee.block], "")
    name = callee.block.rsplit(".", 1)[-1].lower()
    said = next((role for part, role in _CALLED if part in name), None)
    if said is not None and said != "norm":
        return said
    nodes = list(callee.graph.walk())
    ops = {node.op for node in nodes}
    inner = [role_of(node.callee) for node in nodes if node.callee is not None]
    if said is not None and "conv" not in inner:  # `ConvNormAct` is no norm
        return said
    if "attention" in ops or ("softmax" in ops and ops & {"einsum", "matmul"}):
        return "attention"
    if "attention" in inner:
        return ""  # a whole block of a transformer
    if "conv" in inner or ops & {"conv", "conv_transpose"}:
        return "conv"
    if inner.count("linear") > 1 and ops & _ACTIVATIONS:
        return "feed"
    return ""
