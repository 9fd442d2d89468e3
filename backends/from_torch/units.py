"""Modules that the library has as one block: convolution, norm and activation; squeeze and excitation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from torch import nn
from torch.fx import Node

from ogive.backends.from_torch.code import number, setting
from ogive.backends.from_torch.draft_parts import under
from ogive.backends.from_torch.layout_ops import name_of
from ogive.backends.from_torch.ops_layers import per_axis
from ogive.backends.from_torch.trace import ModuleCall, Traced

_ACTS = frozenset(("relu", "relu6", "silu", "hardswish", "hardsigmoid", "sigmoid", "gelu", "mish", "tanh"))


@dataclass(frozen=True, slots=True)
class LibraryUnit:
    """A block of the library: its module, name and brackets; what else is used; its layers, by those of the source."""

    module: str
    name: str
    brackets: str
    used: tuple[str, ...]  # of std.nn
    layers: dict[str, str]


def unit(call: ModuleCall, traced: Traced) -> LibraryUnit | None:
    """The block of the library that a module with layers of its own is."""
    nodes = call.nodes()
    if not call.path or not 2 <= len(nodes) <= 6 or isinstance(call.module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return None
    return _convolution(call, nodes, traced) or _excitation(call, nodes, traced)


def _convolution(call: ModuleCall, nodes: list[Node], traced: Traced) -> LibraryUnit | None:
    if len(nodes) > 3 or not _chained(nodes) or name_of(nodes[1]) != "batch_norm":
        return None
    conv, norm = (_owner(node, call, traced) for node in nodes[:2])
    act = _act(nodes[2]) if len(nodes) == 3 else "identity"
    if conv is None or norm is None or not act:
        return None
    c, n = conv[1], norm[1]
    plain = isinstance(n, nn.modules.batchnorm._BatchNorm) and n.affine and n.track_running_stats and not n.training
    if not isinstance(c, nn.Conv1d | nn.Conv2d | nn.Conv3d) or not plain or n.momentum is None:
        return None
    if isinstance(c.padding, str) or c.padding_mode != "zeros" or type(c).forward not in _FORWARDS:
        return None
    text = f"{number(c.in_channels, 'c')}, {number(c.out_channels, 'c')}, {per_axis(c.kernel_size)}"
    for name, values, default in (("stride", c.stride, 1), ("dilation", c.dilation, 1)):
        if len(set(values)) > 1:
            return None
        text += setting(name, values[0], default, name)
    deep = c.groups != 1 and c.groups == c.in_channels
    text += f", groups={number(c.groups, 'c')}" if deep else setting("groups", c.groups, 1, "groups")
    settings = "".join(
        f", {k}={v!r}" for k, v, usual in (("eps", n.eps, 1e-5), ("momentum", n.momentum, 0.1)) if v != usual
    )
    text += f", norm=BatchNorm[{settings[2:]}, ...]" if settings else ""
    text += f", act={act}" if act != "relu" else ""
    kept = all(p == d * ((k - 1) // 2) for p, d, k in zip(c.padding, c.dilation, c.kernel_size, strict=True))
    text += "" if kept else f", pad={per_axis(c.padding, 'pad')}"
    text += setting("bias", int(c.bias is not None), 0, "bias")
    used = (("BatchNorm",) if settings else ()) + (("identity",) if act == "identity" else ())
    return LibraryUnit("std.vision", "ConvNormAct", text, used, {conv[0]: "conv", norm[0]: "norm"})


_FORWARDS = (nn.Conv1d.forward, nn.Conv2d.forward, nn.Conv3d.forward)


def _excitation(call: ModuleCall, nodes: list[Node], traced: Traced) -> LibraryUnit | None:
    if len(nodes) != 6 or not _chained(nodes[:5]) or name_of(nodes[5]) != "mul":
        return None
    pool, first, act, second, gate, last = nodes
    x = pool.args[0]
    axes: Any = pool.args[1]
    whole = (name_of(pool) == "adaptive_avg_pool2d" and list(axes) == [1, 1]) or (
        name_of(pool) == "mean" and list(axes) in ([2, 3], [-2, -1]) and pool.args[2:] == (True,)
    )
    if not whole or set(last.args[:2]) != {x, gate} or not _act(act) or not _act(gate):
        return None
    one, two = (_owner(node, call, traced) for node in (first, second))
    if one is None or two is None:
        return None
    a, b = one[1], two[1]
    if any(type(each) is not nn.Conv2d or each.bias is None or each.kernel_size != (1, 1) for each in (a, b)):
        return None
    if any(each.stride != (1, 1) or each.padding != (0, 0) or each.groups != 1 for each in (a, b)):
        return None
    text = f"{number(a.in_channels, 'c')}, width={number(a.out_channels, 'c')}"
    text += f", act={_act(act)}" if _act(act) != "relu" else ""
    text += f", gate={_act(gate)}" if _act(gate) != "sigmoid" else ""
    return LibraryUnit("std.vision", "SqueezeExcite", text, (), {one[0]: "fc1", two[0]: "fc2"})


def _chained(nodes: list[Node]) -> bool:
    """Whether each node is the only one that reads the node before it, as its first operand."""
    return all(len(before.users) == 1 and after.args and after.args[0] is before for before, after in pairwise(nodes))


def _act(node: Node) -> str:
    name = name_of(node)
    if name == "hardtanh" and tuple(node.args[1:3]) == (0.0, 6.0):
        return "relu6"
    if name == "gelu" and node.kwargs.get("approximate") == "tanh":
        return "gelu_tanh"
    return name if name in _ACTS else ""


def _owner(node: Node, call: ModuleCall, traced: Traced) -> tuple[str, Any] | None:
    """The layer in a call whose weights a node reads, with its path there."""
    weight = next((each for each in node.args[1:] if isinstance(each, Node)), None)
    if name_of(node) not in ("conv1d", "conv2d", "conv3d", "batch_norm") or weight is None:
        return None
    path = traced.weights.get(weight, "").rpartition(".")[0]
    if not path or not under(path, call.path):
        return None
    return path[len(call.path) + 1 :], traced.root.module.get_submodule(path)
