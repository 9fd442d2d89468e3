"""What operations are called where no glyph stands for them."""

from __future__ import annotations

from ogive.backends.diagram.figure.figure import Op

NAMES = {
    "rearrange": "reshape", "einsum": "einsum", "slice": "slice", "softmax": "softmax", "log_softmax": "log softmax",
    "linear": "Linear", "conv": "Conv", "conv_transpose": "ConvTranspose", "take": "lookup", "bernoulli": "random",
}  # fmt: skip
WINDOWS = ("conv", "pool")


def words(op: Op) -> str:
    """The name of an operation: a block's own with the numbers of its window, else its symbol or its name."""
    name = op.attr("name")
    if op.source == "call":
        if op.glyph == "slab":
            return name or op.text
        tail = op.text if op.glyph in WINDOWS else op.text.partition(" ")[2] if op.glyph == "norm" else ""
        return f"{name} {tail}".strip()
    if op.glyph == "softmax":
        return NAMES[op.source]
    if op.glyph in ("linear", "conv"):
        return f"{NAMES[op.source]} {op.text if op.glyph == 'conv' else ''}".strip()
    if op.glyph == "pool":
        kind, _, rest = op.text.partition(" ")
        return f"{kind} pool {rest}".strip()
    if op.source == "slice":
        return f"slice {op.text}"
    return op.above or op.text or NAMES.get(op.source, op.source)


def kind_of(op: Op) -> str:
    """How the box of an operation looks."""
    if op.glyph == "weight":
        return "weight"
    return "block" if op.source == "call" or (op.learned and op.glyph in ("linear", "conv")) else "op"


def place_of(op: Op) -> str:
    """The caption of an operation, without a place that only shortens its name: `attn` of `Attention`."""
    place, comma, rest = op.caption.partition(", ")
    letters = iter(op.attr("name").lower())
    if op.attr("name") and place.isalpha() and all(char in letters for char in place.lower()):
        return rest
    return place + comma + rest
