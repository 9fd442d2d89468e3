"""Recurrent layers of torch as those of the library."""

from __future__ import annotations

from typing import Any

from torch import nn

from ogive.backends.from_torch.code import number
from ogive.backends.from_torch.refused import Untraceable


def recurrent(m: nn.RNNBase, path: str, more: bool) -> tuple[list[str], str, dict[str, str]]:
    """Names of the library, the layer with its brackets, and where its weights are, by their names in torch.

    With `more` its last states are read too, or first ones are given. Raises `Untraceable`.
    """
    kind = {"RNN_TANH": "RNN", "RNN_RELU": "RNN"}.get(m.mode, m.mode)
    if m.proj_size or kind not in ("RNN", "GRU", "LSTM"):
        raise Untraceable(f"a `{m.mode}` with projections", path=path)
    settings = "" if m.bias else ", bias=false"
    settings += ", f=relu" if m.mode == "RNN_RELU" else ""
    if m.num_layers == 1 and not m.bidirectional and not more:
        inner = f"{number(m.input_size, 'd')}, {number(m.hidden_size, 'd')}"
        return [kind], f"{kind}[{inner}{settings}]", {}
    settings += ", last=true" if more else ""
    states = (2 if kind == "LSTM" else 1) if more else 0
    inner = f"{kind}[d={number(m.hidden_size, 'd')}{settings}, ...], {number(m.hidden_size, 'd')}"
    inner += f", layers={number(m.num_layers, 'depth')}" + (", directions=2" if m.bidirectional else "")
    inner += f", p={m.dropout!r}" if m.dropout else ""
    inner += f", states={states}" if states else ""
    places = {}
    for layer in range(m.num_layers):
        for suffix, part in (("", "ahead"), ("_reverse", "behind"))[: 1 + m.bidirectional]:
            for name in ("weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if m.bias else ())):
                places[f"{name}_l{layer}{suffix}"] = f"layers.{layer}.{part}.{name}_l0"
    return [kind, "multilayer"], f"multilayer[{inner}]", places


def first_axes(m: Any) -> str:
    """The step that brings the batch in front; nothing where it is there."""
    return "" if m.batch_first else 'rearrange["n b d -> b n d"]'
