"""Llama, as written by hand: the names of its weights are those of examples/llama.arch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def rotated(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Queries or keys [b, h, n, e] turned by angles [n, e // 2]."""
    first, second = x.chunk(2, -1)
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), -1)


class Attention(nn.Module):
    """Causal attention; a head of keys and values serves a group of queries."""

    def __init__(self, d: int, heads: int, kv_heads: int) -> None:
        super().__init__()
        self.e = d // heads
        self.q_proj = nn.Linear(d, d, bias=False)
        self.k_proj = nn.Linear(d, kv_heads * self.e, bias=False)
        self.v_proj = nn.Linear(d, kv_heads * self.e, bias=False)
        self.o_proj = nn.Linear(d, d, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """From x: [b, n, d] to [b, n, d]."""
        q, k, v = (
            proj(x).unflatten(-1, (-1, self.e)).transpose(1, 2) for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = rotated(q, cosine, sine), rotated(k, cosine, sine)
        group = q.shape[1] // k.shape[1]
        k, v = (each.unsqueeze(2).expand(-1, -1, group, -1, -1).flatten(1, 2) for each in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        out: Tensor = self.o_proj(y.transpose(1, 2).flatten(2))
        return out


class MLP(nn.Module):
    """SwiGLU."""

    def __init__(self, d: int, ff: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(d, ff, bias=False)
        self.up_proj = nn.Linear(d, ff, bias=False)
        self.down_proj = nn.Linear(ff, d, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """From x: [b, n, d] to [b, n, d]."""
        out: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Layer(nn.Module):
    """A layer of the decoder."""

    def __init__(self, d: int, heads: int, kv_heads: int, ff: int) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(d, eps=1e-5)
        self.self_attn = Attention(d, heads, kv_heads)
        self.post_attention_layernorm = nn.RMSNorm(d, eps=1e-5)
        self.mlp = MLP(d, ff)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """From x: [b, n, d] to [b, n, d]."""
        x = x + self.self_attn(self.input_layernorm(x), cosine, sine)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class Llama(nn.Module):
    """The sizes of `Tiny` unless others are given."""

    def __init__(
        self, vocab: int = 97, d: int = 32, heads: int = 4, kv_heads: int = 2, ff: int = 48, depth: int = 2
    ) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(vocab, d)
        self.layers = nn.ModuleList(Layer(d, heads, kv_heads, ff) for _ in range(depth))
        self.norm = nn.RMSNorm(d, eps=1e-5)
        self.lm_head = nn.Linear(d, vocab, bias=False)
        self.e = d // heads

    def forward(self, ids: Tensor) -> Tensor:
        """From ids: int[b, n] to logits [b, n, vocab]."""
        x = self.embed_tokens(ids)
        e = self.e
        inverse = 1 / 10000.0 ** (torch.arange(0, e, 2, device=ids.device).float() / e)
        angles = torch.arange(ids.shape[1], device=ids.device).float().outer(inverse)
        cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        for layer in self.layers:
            x = layer(x, cosine, sine)
        out: Tensor = self.lm_head(self.norm(x))
        return out
