"""Layers of torch.nn as they are made there, `nn.Linear(3, 4)`, and what is said in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ogive.compiler.elaborate.modules.patterns_for import Setting
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.ops import NAMED

LAYERS = {
    "Linear": "std.nn.Linear", "Embedding": "std.nn.Embedding", "LayerNorm": "std.nn.LayerNorm",
    "RMSNorm": "std.nn.RMSNorm", "GroupNorm": "std.nn.GroupNorm", "Dropout": "std.nn.Dropout",
    "BatchNorm1d": "std.nn.BatchNorm", "BatchNorm2d": "std.nn.BatchNorm", "BatchNorm3d": "std.nn.BatchNorm",
    "InstanceNorm1d": "std.nn.InstanceNorm", "InstanceNorm2d": "std.nn.InstanceNorm", "Conv1d": "std.vision.Conv",
    "Conv2d": "std.vision.Conv", "Conv3d": "std.vision.Conv", "ConvTranspose1d": "std.vision.ConvTranspose",
    "ConvTranspose2d": "std.vision.ConvTranspose", "ConvTranspose3d": "std.vision.ConvTranspose",
}  # fmt: skip
OPERATIONS = {  # beside those that are called so here too, in small letters: `nn.ReLU`
    "LeakyReLU": "leaky_relu", "LogSoftmax": "log_softmax", "MaxPool1d": "max_pool", "MaxPool2d": "max_pool",
    "AvgPool1d": "avg_pool", "AvgPool2d": "avg_pool", "AdaptiveAvgPool1d": "adaptive_avg_pool",
    "AdaptiveAvgPool2d": "adaptive_avg_pool", "AdaptiveMaxPool1d": "adaptive_max_pool",
    "AdaptiveMaxPool2d": "adaptive_max_pool",
}  # fmt: skip
STATICS = {
    "in_features": "din", "out_features": "dout", "in_channels": "cin", "out_channels": "cout", "padding": "pad",
    "kernel_size": "kernel", "num_embeddings": "n", "embedding_dim": "d", "normalized_shape": "d", "num_features": "c",
    "num_channels": "c", "num_groups": "groups", "padding_mode": "pad_mode", "output_padding": "out_pad",
    "negative_slope": "slope", "min_val": "lo", "max_val": "hi", "ceil_mode": "ceil", "output_size": "size",
    "embed_dim": "d", "num_heads": "heads",
}  # fmt: skip
AXIS = ("softmax", "log_softmax")


def layer(frame: Frame, name: str, args: Sequence[Setting], keywords: Mapping[str, Setting]) -> tuple[str, str] | None:
    """The template or the operation in the place of `nn.Name(...)`, and the module to import it from."""
    if name in ("Sequential", "ModuleList") and args and not keywords:
        if name == "Sequential":
            return f"({' >> '.join(each.text for each in args)})", ""
        return (args[0].text, "") if len(args) == 1 and args[0].text.startswith("[") else None
    given = {STATICS.get(key, key): each for key, each in keywords.items() if key != "inplace"}
    home = LAYERS.get(name, "")
    op = OPERATIONS.get(name, name.lower())
    if not home and op in NAMED:
        if op == "gelu" and "approximate" in given:
            return ("gelu_tanh" if given["approximate"].value == "tanh" else "gelu"), ""
        if op in AXIS:
            axis = given.pop("dim", None) or (args[0] if args else None)
            return None if axis is None or given else (f"{op}[{axis.text}]", "")
        known = [static.name for static in NAMED[op].statics]
    else:
        module, _, block = home.rpartition(".")
        ref = frame.session.library_module(module).scope.get(block) if module else None
        if not isinstance(ref, BlockRef):
            return None
        op, home, known = block, module, [static.name for static in ref.tree.statics]
    if not given.keys() <= set(known) or len(args) > len(known):
        return None
    shown = [each.text for each in args] + [f"{key}={_spelled(each.text)}" for key, each in given.items()]
    return (f"{op}[{', '.join(shown)}]" if shown else op), home


def _spelled(text: str) -> str:
    return {"True": "true", "False": "false", "None": "none"}.get(text, text)
