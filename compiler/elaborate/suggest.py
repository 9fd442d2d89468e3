"""What a user of PyTorch, numpy or einops meant by a name that Ogive does not have."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ogive import stdlib
from ogive.compiler.ops import OPS
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Edit
from ogive.grammar.source import Span

if TYPE_CHECKING:
    from ogive.compiler.elaborate.frame import Frame

MEANT = {
    "nn": "layers come from the library: `use std.nn (Linear)`, then `Linear[din, dout]`",
    "torch": "operations need no prefix: `exp(x)`, `softmax[-1](x)`, `zeros[b, d]`",
    "F": "operations need no prefix: `relu(x)`, `softmax[-1](x)`",
    "np": "operations need no prefix: `exp(x)`",
    "self": "weights and instances are names of the body: `f = Linear[d, d]`, then `f(x)`",
    "masked_fill": "`select(mask, value, x)` takes `value` where `mask` holds: `select(mask, -inf, scores)`",
    "where": "`select(c, a, b)` chooses element by element",
    "cat": "`concat[axis](a, b)` joins along an axis",
    "concatenate": "`concat[axis](a, b)` joins along an axis",
    "view": '`rearrange["b (h e) -> b h e", h=h](x)` gives an axis a new shape',
    "reshape": '`rearrange["b (h e) -> b h e", h=h](x)` gives an axis a new shape',
    "permute": '`rearrange["b n d -> n b d"](x)` reorders axes',
    "transpose": '`rearrange["b n d -> b d n"](x)` reorders axes',
    "unsqueeze": '`expand["b d -> b 1 d"](x)` adds an axis',
    "squeeze": '`rearrange["b 1 d -> b d"](x)` drops an axis of size 1',
    "flatten": '`rearrange["b c h w -> b (c h w)"](x)` joins axes',
    "unflatten": '`rearrange["b (h e) -> b h e", h=h](x)` splits an axis',
    "chunk": '`split["... (t d) -> t ... d", t=2](x)` cuts an axis into equal parts',
    "repeat_interleave": '`expand["b h n e -> b h r n e", r=r](x)`, then `rearrange` joins the axes',
    "bmm": "`a @ b`, or `einsum` with named axes",
    "matmul": "`a @ b`, or `einsum` with named axes",
    "amax": "`max[axis](x)`",
    "amin": "`min[axis](x)`",
    "float": "`cast[float](x)` changes the element type",
    "int": "`cast[int](x)` changes the element type",
    "print": "a check prints nothing: `ogive show FILE` shows shapes",
    "size": "a size is the name of its axis: write `n` for the axis `n` of `[b, n, d]`",
    "shape": "a size is the name of its axis: write `n` for the axis `n` of `[b, n, d]`",
    "dim": "a size is the name of its axis: write `n` for the axis `n` of `[b, n, d]`",
    "append": "lists are values: `skips = skips + [x]`",
    "contiguous": "layout is the compiler's: leave it out",
    "to": "`cast[f16](x)` changes the element type; devices are chosen when the module is made",
    "T": '`rearrange["b n d -> b d n"](x)` reorders axes',
    "Sequential": "compose blocks by `>>`: `Linear[d, 4*d] >> relu >> Linear[4*d, d]`",
    "ModuleList": "`repeat n as layers:` allocates at each turn; a list of sizes goes by `for`",
    "Parameter": "`param w: [d] = zeros` declares a weight",
    "Conv2d": "`use std.vision (Conv)`: `Conv[cin, cout, 3, pad=1]` works over any number of axes",
    "Conv1d": "`use std.vision (Conv)`: `Conv[cin, cout, 3, pad=1]` works over any number of axes",
    "Conv3d": "`use std.vision (Conv)`: `Conv[cin, cout, 3, pad=1]` works over any number of axes",
    "BatchNorm2d": "`use std.nn (BatchNorm)`",
    "BatchNorm1d": "`use std.nn (BatchNorm)`",
    "MaxPool2d": "`max_pool[2](x)`",
    "AvgPool2d": "`avg_pool[2](x)`",
    "AdaptiveAvgPool2d": '`adaptive_avg_pool[1](x)`, or `reduce["b c h w -> b c", mean](x)`',
    "ReLU": "`relu(x)`, or `x |> relu`",
    "GELU": "`gelu(x)`, or `x |> gelu`",
    "SiLU": "`silu(x)`",
    "Sigmoid": "`sigmoid(x)`",
    "Tanh": "`tanh(x)`",
    "Softmax": "`softmax[axis](x)`",
    "None": "`none`",
    "True": "`true`",
    "False": "`false`",
}

CLOSE = 0.6  # how much of a name must agree
_EDITION = re.compile(r"ogive \d+.*\n")


def close(name: str, names: Iterable[str]) -> str:
    """A question for the nearest of the names, or nothing."""
    found = difflib.get_close_matches(name, list(names), 1, CLOSE)
    return f"did you mean `{found[0]}`?" if found else ""


def for_name(name: str, frame: Frame) -> str:
    """What to write instead of an unknown name."""
    here = [*frame.variables, *frame.module.scope]
    if name in MEANT:
        return MEANT[name]
    if (module := in_library(name)) is not None:
        return f"write `use {module} ({name})` at the head of the file"
    if hint := close(name, [*here, *OPS]):
        return hint
    if name.lower() in OPS:
        return f"did you mean `{name.lower()}`?"
    return ""


def rename(name: str, names: Iterable[str], span: Span) -> tuple[Edit, ...]:
    """The edit that goes with "did you mean ...?"."""
    found = difflib.get_close_matches(name, list(names), 1, CLOSE)
    return (Edit(span, found[0]),) if found else ()


def edits_for_name(name: str, frame: Frame, span: Span) -> tuple[Edit, ...]:
    """The edit that goes with the help for an unknown name: an import, or the name that is close."""
    if name in MEANT:
        return ()
    module = in_library(name)
    if module is None:
        return rename(name, [*frame.variables, *frame.module.scope, *OPS], span)
    for tree in frame.module.tree.declarations:
        if isinstance(tree, syntax.Use) and tree.module == module and tree.items:
            last = tree.items[-1].span
            return (Edit(Span(last.chunk, last.end, last.end), f", {name}"),)
    uses = [tree.span for tree in frame.module.tree.declarations if isinstance(tree, syntax.Use)]
    if uses:
        return (Edit(Span(uses[-1].chunk, uses[-1].end, uses[-1].end), f"\nuse {module} ({name})"),)
    first = min((tree.span for tree in frame.module.tree.declarations), key=lambda place: place.begin())
    edition = _EDITION.match(first.chunk.text)
    place = edition.end() if edition else 0
    return (Edit(Span(first.chunk, place, place), f"use {module} ({name})\n\n"),)


def in_library(name: str) -> str | None:
    """The library module that has a block of that name."""
    for module in stdlib.names():
        if f"\nblock {name}[" in stdlib.source(module) or f"\nblock {name}(" in stdlib.source(module):
            return module
    return None


def for_method(name: str) -> str:
    """What to write instead of `x.name(...)`."""
    if name in MEANT:
        return MEANT[name]
    spec = OPS.get(name)
    if spec is None:
        return "tensors have no methods: operations are functions, `f(x)` or `x |> f`"
    statics = [s.name for s in spec.statics]
    if "axes" in statics or "axis" in statics:
        return f"brackets hold settings, parentheses tensors: `{name}[1](x)` or `x |> {name}[1]`"
    return f"operations are functions: `{name}(x)` or `x |> {name}`"
