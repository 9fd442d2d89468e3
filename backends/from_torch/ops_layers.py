"""Convolutions, pools and norms whose module is no layer of the library, and layers that are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.fx import Node

from ogive.backends.from_torch.builder import BlockBody, Operation
from ogive.backends.from_torch.code import TracedCode, number, setting
from ogive.backends.from_torch.layout_ops import name_of
from ogive.backends.from_torch.ops_index import PARTS
from ogive.backends.from_torch.ops_more import MORE
from ogive.backends.from_torch.ops_rest import REST
from ogive.backends.from_torch.ops_several import SEVERAL
from ogive.backends.from_torch.ops_table import TABLE, argument
from ogive.backends.from_torch.refused import Untraceable
from ogive.backends.from_torch.trace import ModuleCall, expression, shape


def per_axis(value: Any, role: str = "k") -> str:
    """A setting: one number where all axes have the same."""
    values = list(value) if isinstance(value, list | tuple) else [value]
    if len(set(values)) == 1:
        return number(values[0], role)
    return f"[{', '.join(number(each, role) for each in values)}]"


def _optional(name: str, value: Any, default: int, role: str) -> str:
    """A setting of a layer that blocks of one class may have or not."""
    values = list(value) if isinstance(value, list | tuple) else [value]
    return _setting(name, value, default, role) if len(set(values)) > 1 else setting(name, values[0], default, role)


def _setting(name: str, value: Any, default: int, role: str) -> str:
    values = list(value) if isinstance(value, list | tuple) else [value]
    return "" if all(each == default for each in values) else f", {name}={per_axis(value, role)}"


def _conv(body: BlockBody, node: Node) -> TracedCode | None:
    x, weight, bias = node.args[0], node.args[1], argument(node, 2, "bias")
    settings = [
        _setting(name, argument(node, place, name, default), default, role)[2:]
        for place, name, default, role in (
            (3, "stride", 1, "stride"),
            (4, "padding", 0, "pad"),
            (5, "dilation", 1, "k"),
        )
    ]
    groups = argument(node, 6, "groups", 1)
    settings.append(f"groups={number(groups, 'groups')}" if groups != 1 else "")
    inner = ", ".join(each.replace("padding=", "pad=") for each in settings if each)
    operands = ", ".join(body.operand(each).text for each in (x, weight, bias) if each is not None)
    return TracedCode(f"conv{f'[{inner}]' if inner else ''}({operands})")


def _conv_transpose(body: BlockBody, node: Node) -> TracedCode | None:
    x, weight, bias = node.args[0], node.args[1], argument(node, 2, "bias")
    places = ((3, "stride", 1, "stride"), (4, "padding", 0, "pad"), (5, "output_padding", 0, "pad"))
    settings = [
        _setting(name, argument(node, i, name, default), default, role)[2:] for i, name, default, role in places
    ]
    groups = argument(node, 6, "groups", 1)
    settings.append(f"groups={number(groups, 'groups')}" if groups != 1 else "")
    settings.append(_setting("dilation", argument(node, 7, "dilation", 1), 1, "k")[2:])
    inner = ", ".join(each for each in settings if each).replace("output_padding=", "out_pad=")
    inner = inner.replace("padding=", "pad=")
    operands = ", ".join(body.operand(each).text for each in (x, weight, bias) if each is not None)
    return TracedCode(f"conv_transpose{f'[{inner}]' if inner else ''}({operands})")


def _instance_norm(body: BlockBody, node: Node) -> TracedCode | None:
    x, weight, bias, mean, _, uses_input, _, eps, *_ = node.args
    assert isinstance(x, Node)
    if not uses_input or mean is not None:
        raise Untraceable("statistics that were met before", node)
    operands = ", ".join(body.operand(each).text for each in (x, weight, bias) if each is not None)
    return TracedCode(f"group_norm[groups={body.sizes.code(shape(x)[1], 'c').text}, eps={eps!r}]({operands})")


def _max_pool(body: BlockBody, node: Node) -> TracedCode | None:
    kernel, stride = node.args[1], argument(node, 2, "stride") or node.args[1]
    text = per_axis(kernel) + ("" if list(stride) == list(kernel) else f", stride={per_axis(stride, 'stride')}")  # type: ignore[arg-type]
    text += _setting("pad", argument(node, 3, "padding", 0), 0, "pad")
    text += _setting("dilation", argument(node, 4, "dilation", 1), 1, "k")
    return body.first(node.args[0]).then(f"max_pool[{text}{', ceil=true' if argument(node, 5, 'c', False) else ''}]")


def _avg_pool(body: BlockBody, node: Node) -> TracedCode | None:
    kernel, stride = node.args[1], argument(node, 2, "stride") or node.args[1]
    text = per_axis(kernel) + ("" if list(stride) == list(kernel) else f", stride={per_axis(stride, 'stride')}")  # type: ignore[arg-type]
    text += _setting("pad", argument(node, 3, "padding", 0), 0, "pad")
    text += ", ceil=true" if argument(node, 4, "ceil_mode", False) else ""
    text += "" if argument(node, 5, "count_include_pad", True) else ", count_include_pad=false"
    return body.first(node.args[0]).then(f"avg_pool[{text}]")


def _adaptive(body: BlockBody, node: Node) -> TracedCode | None:
    sizes = [body.sizes.code(expression(each), "size").text for each in node.args[1]]  # type: ignore[union-attr]
    shown = sizes[0] if len(set(sizes)) == 1 else f"[{', '.join(sizes)}]"
    return body.first(node.args[0]).then(f"adaptive_avg_pool[{shown}]")


def _layer_norm(body: BlockBody, node: Node) -> TracedCode | None:
    x, sizes, weight, bias, eps = (*node.args, *[None] * 5)[:5]
    eps = 1e-5 if eps is None else eps
    operands = ", ".join(body.operand(each).text for each in (x, weight, bias) if each is not None)
    axes = "" if weight is not None or len(sizes) == 1 else f", axes={len(sizes)}"  # type: ignore[arg-type]
    return TracedCode(f"layer_norm[eps={eps!r}{axes}]({operands})")


def _group_norm(body: BlockBody, node: Node) -> TracedCode | None:
    x, groups, weight, bias = (*node.args, None, None)[:4]
    assert isinstance(groups, int)
    operands = ", ".join(body.operand(each).text for each in (x, weight, bias) if each is not None)
    eps = argument(node, 4, "eps", 1e-5)
    return TracedCode(f"group_norm[groups={number(groups, 'groups')}, eps={eps!r}]({operands})")


def _batch_norm(body: BlockBody, node: Node) -> TracedCode | None:
    x, weight, bias, mean, variance, _, _, eps, *_ = node.args
    operands = ", ".join(body.operand(each).text for each in (x, mean, variance, weight, bias) if each is not None)
    return TracedCode(f"batch_norm[eps={eps!r}]({operands})")


def _interpolate(mode: str, smooth: bool = False) -> Operation:
    def write(body: BlockBody, node: Node) -> TracedCode | None:
        size, scale = node.args[1], node.args[-1]
        corners = argument(node, 2, "align_corners", False) if "linear" in mode or mode == "bicubic" else False
        if isinstance(scale, list | tuple) and all(isinstance(each, float) for each in scale):
            by = f"scale={scale[0]!r}" if len(set(scale)) == 1 else f"scale={list(scale)!r}"
        else:
            by = f"size=[{', '.join(body.operand(each).text for each in size)}]"  # type: ignore[union-attr]
        aligned = (", align_corners=true" if corners else "") + (", antialias=true" if smooth else "")
        return body.first(node.args[0]).then(f'interpolate[{by}, mode="{mode}"{aligned}]')

    return write


OPERATIONS: dict[str, Operation] = {
    **TABLE,
    **PARTS,
    **MORE,
    **REST,
    **SEVERAL,
    "conv1d": _conv, "conv2d": _conv, "conv3d": _conv, "conv_transpose1d": _conv_transpose,
    "conv_transpose2d": _conv_transpose, "conv_transpose3d": _conv_transpose, "instance_norm": _instance_norm,
    "max_pool1d": _max_pool, "max_pool2d": _max_pool, "max_pool3d": _max_pool, "avg_pool3d": _avg_pool,
    "adaptive_avg_pool3d": _adaptive,
    "avg_pool1d": _avg_pool, "avg_pool2d": _avg_pool, "adaptive_avg_pool1d": _adaptive,
    "adaptive_avg_pool2d": _adaptive,
    "layer_norm": _layer_norm, "group_norm": _group_norm, "batch_norm": _batch_norm,
    "upsample_nearest2d": _interpolate("nearest"), "upsample_bilinear2d": _interpolate("bilinear"),
    "upsample_bicubic2d": _interpolate("bicubic"), "upsample_nearest1d": _interpolate("nearest"),
    "upsample_nearest3d": _interpolate("nearest"), "upsample_linear1d": _interpolate("linear"),
    "upsample_trilinear3d": _interpolate("trilinear"), "_upsample_bilinear2d_aa": _interpolate("bilinear", True),
    "_upsample_bicubic2d_aa": _interpolate("bicubic", True),
    **{f"_upsample_nearest_exact{n}d": _interpolate("nearest-exact") for n in (1, 2, 3)},
}  # fmt: skip

# --- layers of the library: their brackets ----------------------------------------------------------------------------

Layer = Callable[[Any], tuple[str, str, str] | None]


def _bias(module: Any) -> str:
    return setting("bias", int(module.bias is not None), 1, "bias")


def as_linear(m: nn.Linear, biased: bool = True) -> tuple[str, str, str]:
    """A linear layer, with its bias if it has one, or without."""
    bias = setting("bias", int(biased and m.bias is not None), 1, "bias")
    return "std.nn", "Linear", f"{number(m.in_features, 'd')}, {number(m.out_features, 'd')}{bias}"


def _as_conv(m: Any) -> tuple[str, str, str] | None:
    if m.transposed:
        return None
    text = f"{number(m.in_channels, 'c')}, {number(m.out_channels, 'c')}, {per_axis(m.kernel_size)}"
    text += _optional("stride", m.stride, 1, "stride")
    text += (
        ', pad="same"' if m.padding == "same" else "" if m.padding == "valid" else _optional("pad", m.padding, 0, "pad")
    )
    text += _optional("dilation", m.dilation, 1, "k")
    deep = m.groups != 1 and m.groups == m.in_channels
    text += f", groups={number(m.groups, 'c')}" if deep else setting("groups", m.groups, 1, "groups")
    text += f', pad_mode="{m.padding_mode}"' if m.padding_mode != "zeros" else ""
    return "std.vision", "Conv", text + _bias(m)


def _as_conv_transpose(m: Any) -> tuple[str, str, str] | None:
    text = f"{number(m.in_channels, 'c')}, {number(m.out_channels, 'c')}, {per_axis(m.kernel_size)}"
    text += _optional("stride", m.stride, 1, "stride") + _optional("pad", m.padding, 0, "pad")
    text += _optional("out_pad", m.output_padding, 0, "pad") + _optional("dilation", m.dilation, 1, "k")
    text += setting("groups", m.groups, 1, "groups")
    return "std.vision", "ConvTranspose", text + _bias(m)


def _as_prelu(m: nn.PReLU) -> tuple[str, str, str]:
    return "std.nn", "PReLU", number(m.num_parameters, "c") if m.num_parameters > 1 else ""


def _as_batch_norm(m: Any) -> tuple[str, str, str] | None:
    if not m.affine or not m.track_running_stats or m.momentum is None:
        return None
    text = f"{number(m.num_features, 'c')}" + (f", eps={m.eps!r}" if m.eps != 1e-5 else "")
    return "std.nn", "BatchNorm", text + (f", momentum={m.momentum!r}" if m.momentum != 0.1 else "")


def _as_layer_norm(m: nn.LayerNorm) -> tuple[str, str, str] | None:
    if len(m.normalized_shape) != 1:
        return None
    text = number(m.normalized_shape[0], "d") + (f", eps={m.eps!r}" if m.eps != 1e-5 else "")
    if not m.elementwise_affine:
        return "std.nn", "LayerNorm", text + ", affine=false"
    return "std.nn", "LayerNorm", text + _bias(m)


def _as_embedding(m: nn.Embedding) -> tuple[str, str, str] | None:
    if m.max_norm is not None:
        return None
    return "std.nn", "Embedding", f"{number(m.num_embeddings, 'vocab')}, {number(m.embedding_dim, 'd')}"


def _as_group_norm(m: nn.GroupNorm) -> tuple[str, str, str] | None:
    if not m.affine:
        return None
    eps = f", eps={m.eps!r}" if m.eps != 1e-5 else ""
    return "std.nn", "GroupNorm", f"{number(m.num_groups, 'groups')}, {number(m.num_channels, 'c')}{eps}"


def _as_dropout(m: nn.Dropout) -> tuple[str, str, str]:
    return "std.nn", "Dropout", f"{m.p!r}"


def _as_torch_rms_norm(m: nn.RMSNorm) -> tuple[str, str, str] | None:
    """That of torch, whose eps is that of its type where nobody says: float32's."""
    if len(m.normalized_shape) != 1:
        return None
    eps = float(torch.finfo(torch.float32).eps) if m.eps is None else m.eps
    text = number(m.normalized_shape[0], "d") + (f", eps={eps!r}" if eps != 1e-6 else "")
    return "std.nn", "RMSNorm", text + ("" if m.elementwise_affine else ", affine=false")


def _as_rms_norm(m: Any) -> tuple[str, str, str] | None:
    """RMSNorm under any name, if it computes that: asked of the module itself."""
    held = dict(m.named_parameters())
    if list(held) != ["weight"] or held["weight"].dim() != 1 or list(m.children()) or list(m.buffers()):
        return None
    eps = next((float(each) for name, each in vars(m).items() if "eps" in name and isinstance(each, float)), None)
    weight = held["weight"]
    if eps is None or weight.is_meta:
        return None
    state = torch.Generator().manual_seed(0)
    x = torch.randn(5, len(weight), generator=state, dtype=torch.float64) * 3 + 1
    scale = torch.randn(len(weight), generator=state, dtype=torch.float64)
    plain = x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps)
    with torch.no_grad():
        try:
            y = torch.func.functional_call(m, {"weight": scale}, (x,))
        except Exception:  # it takes something else
            return None
    text = number(len(weight), "d") + (f", eps={eps!r}" if eps != 1e-6 else "")
    if isinstance(y, torch.Tensor) and y.shape == x.shape:
        if torch.allclose(y.double(), plain * scale, rtol=1e-5, atol=1e-6):
            return "std.nn", "RMSNorm", text
        if torch.allclose(y.double(), plain * (1 + scale), rtol=1e-5, atol=1e-6):
            return "std.nn", "RMSNorm", text + ", unit_offset=true"
    return None


LAYERS: dict[type[nn.Module], Layer] = {
    nn.Linear: as_linear, nn.Conv1d: _as_conv, nn.Conv2d: _as_conv, nn.Conv3d: _as_conv,
    nn.BatchNorm1d: _as_batch_norm, nn.BatchNorm2d: _as_batch_norm, nn.BatchNorm3d: _as_batch_norm,
    nn.LayerNorm: _as_layer_norm,
    nn.ConvTranspose1d: _as_conv_transpose, nn.ConvTranspose2d: _as_conv_transpose,
    nn.ConvTranspose3d: _as_conv_transpose, nn.PReLU: _as_prelu,
    nn.Embedding: _as_embedding, nn.GroupNorm: _as_group_norm, nn.RMSNorm: _as_torch_rms_norm, nn.Dropout: _as_dropout,
}  # fmt: skip


_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": nn.functional.gelu, "gelu_tanh": lambda x: nn.functional.gelu(x, approximate="tanh"),
    "silu": nn.functional.silu, "relu": nn.functional.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
    "hardswish": nn.functional.hardswish, "mish": nn.functional.mish,
}  # fmt: skip


def activation(module: nn.Module) -> str | None:
    """The operation that a module without weights is, asked of the module itself at many numbers."""
    if "ctivation" not in type(module).__name__ and "GELU" not in type(module).__name__.upper():
        return None
    if [*module.parameters(), *module.buffers()]:
        return None
    x = torch.cat([torch.linspace(-12, 12, 4801, dtype=torch.float64), torch.tensor([1e3, -1e3], dtype=torch.float64)])
    with torch.no_grad():
        try:
            y = module(x)
        except Exception:  # it takes something else
            return None
    if not isinstance(y, torch.Tensor) or y.shape != x.shape:
        return None
    return next((name for name, f in _ACTIVATIONS.items() if torch.allclose(f(x), y, rtol=1e-13, atol=1e-13)), None)


def layer(module: nn.Module) -> tuple[str, str, str] | None:
    """The block of the library that a module is, with its brackets."""
    if type(module) in LAYERS:
        return LAYERS[type(module)](module)
    if "RMSNorm" in type(module).__name__ or type(module).__name__ == "T5LayerNorm":
        return _as_rms_norm(module)
    return None


_DERIVED: dict[type[nn.Module], tuple[str, tuple[str, ...]]] = {
    nn.BatchNorm1d: ("batch_norm", ("weight", "bias", "running_mean", "running_var")),
    nn.BatchNorm2d: ("batch_norm", ("weight", "bias", "running_mean", "running_var")),
    nn.BatchNorm3d: ("batch_norm", ("weight", "bias", "running_mean", "running_var")),
    nn.LayerNorm: ("layer_norm", ("weight", "bias")), nn.Linear: ("linear", ("weight", "bias")),
}  # fmt: skip


def derived(call: ModuleCall) -> tuple[str, str, str] | None:
    """The block of the library that a module of a derived class is, if all it does is what its base does."""
    base = next((each for each in _DERIVED if isinstance(call.module, each)), None)
    nodes = call.nodes()
    if base is None or type(call.module) is base or len(nodes) != 1 or name_of(nodes[0]) != _DERIVED[base][0]:
        return None
    module: Any = call.module
    held = {name for name, _ in (*module.named_parameters(), *module.named_buffers())}
    if not held <= {*_DERIVED[base][1], "num_batches_tracked"} or module.training:
        return None
    numbers = [each for each in nodes[0].args if isinstance(each, float)]
    if base is not nn.Linear and module.eps not in numbers:
        return None
    return LAYERS[base](module)


__all__ = ["OPERATIONS", "activation", "as_linear", "derived", "layer"]
