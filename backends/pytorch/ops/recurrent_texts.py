"""Helpers of emitted files for recurrent layers: torch's kernels, and the same step by step, as text.

Kernels have no rule for `vmap`, some none for forward derivatives, and torch 2.13 cannot compile that of an LSTM; their
length is a number in what `torch.export` makes of them. So where torch follows the operations it sees a loop.
"""

from __future__ import annotations

from types import MappingProxyType

from ogive.backends.python_text.statements import FixedText, fixed

FOLLOWED = '''
def followed() -> bool:
    """Whether torch compiles, exports or transforms what runs."""
    if torch.compiler.is_compiling():
        return True
    active: bool = torch._C._are_functorch_transforms_active()
    return active
'''

LSTM = '''
def lstm(
    x: Tensor, h: Tensor, c: Tensor, weights: list[Tensor], dim: int = 1
) -> tuple[Tensor, Tensor, Tensor]:
    """A layer of `nn.LSTM` along `dim`: all h, the last h, the last c."""
    if not followed():
        states, biased = [h[None], c[None]], len(weights) == 4
        made = torch.lstm(x, states, weights, biased, 1, 0.0, True, False, dim == 1)
        return made[0], made[1][0], made[2][0]
    w, u = weights[:2]
    b, d = weights[2:] or (None, None)
    steps = []
    for a in F.linear(x, w, b).unbind(dim):
        write, erase, new, out = (a + F.linear(h, u, d)).chunk(4, -1)
        c = torch.sigmoid(erase) * c + torch.sigmoid(write) * torch.tanh(new)
        h = torch.sigmoid(out) * torch.tanh(c)
        steps.append(h)
    return torch.stack(steps, dim), h, c
'''

GRU = '''
def gru(
    x: Tensor, h: Tensor, weights: list[Tensor], dim: int = 1
) -> tuple[Tensor, Tensor]:
    """A layer of `nn.GRU` along `dim`: all h, and the last."""
    if not followed():
        biased, flags = len(weights) == 4, (1, 0.0, True, False, dim == 1)
        y, last = torch.gru(x, h[None], weights, biased, *flags)
        return y, last[0]
    w, u = weights[:2]
    b, d = weights[2:] or (None, None)
    steps = []
    for a in F.linear(x, w, b).unbind(dim):
        r, z, n = a.chunk(3, -1)
        r_h, z_h, n_h = F.linear(h, u, d).chunk(3, -1)
        z = torch.sigmoid(z + z_h)
        h = (1 - z) * torch.tanh(n + torch.sigmoid(r + r_h) * n_h) + z * h
        steps.append(h)
    return torch.stack(steps, dim), h
'''

RNN = '''
def rnn_KIND(
    x: Tensor, h: Tensor, weights: list[Tensor], dim: int = 1
) -> tuple[Tensor, Tensor]:
    """A layer of `nn.RNN` along `dim`: all h, and the last."""
    if not followed():
        biased, flags = len(weights) == 4, (1, 0.0, True, False, dim == 1)
        y, last = torch.rnn_KIND(x, h[None], weights, biased, *flags)
        return y, last[0]
    w, u = weights[:2]
    b, d = weights[2:] or (None, None)
    steps = []
    for a in F.linear(x, w, b).unbind(dim):
        h = torch.KIND(a + F.linear(h, u, d))
        steps.append(h)
    return torch.stack(steps, dim), h
'''

NEEDS = "F Tensor followed torch"
RECURRENT: MappingProxyType[str, FixedText] = MappingProxyType(
    {
        "followed": fixed(FOLLOWED, "followed", "torch"),
        "lstm": fixed(LSTM, "lstm", NEEDS),
        "gru": fixed(GRU, "gru", NEEDS),
        **{f"rnn_{kind}": fixed(RNN.replace("KIND", kind), f"rnn_{kind}", NEEDS) for kind in ("tanh", "relu")},
    }
)
