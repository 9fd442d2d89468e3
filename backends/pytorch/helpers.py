"""Functions that emitted files hold at their head where they use them, as text."""

from __future__ import annotations

BATCH_NORM = '''
def batch_norm(
    x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """(x - mean) / sqrt(variance + eps) * weight + bias by channel, with gradients to the statistics."""
    shape = (-1, *[1] * (x.dim() - 2))
    scale = torch.rsqrt(variance + eps)
    if weight is not None:
        scale = scale * weight
    y = (x - mean.view(shape)) * scale.view(shape)
    return y if bias is None else y + bias.view(shape)
'''

BATCH_NORM_TRAIN = '''
def batch_norm_train(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Batch norm by the statistics of x itself, then its mean and its unbiased variance by channel."""
    y = F.batch_norm(x, None, None, weight, bias, True, 0.0, eps)
    variance, mean = torch.var_mean(x.detach(), (0, *range(2, x.dim())))
    return y, mean, variance
'''

LINEAR_SCAN = '''
def linear_scan(a: Tensor, b: Tensor, dim: int, h0: Tensor | None = None) -> Tensor:
    """h[t] = a[t] h[t-1] + b[t] along dim, in logarithmic depth (Blelloch 1990)."""
    a, b = (x.movedim(dim, 0) for x in torch.broadcast_tensors(a, b))
    if h0 is not None:
        b = torch.cat([a[:1] * h0 + b[:1], b[1:]])
    return _prefix(a, b).movedim(0, dim)


def _prefix(a: Tensor, b: Tensor) -> Tensor:
    """Composes neighbours, scans these pairs, and fills the steps between."""
    if b.shape[0] <= 1:
        return b
    even, odd = b[::2], b[1::2]
    pairs = odd.shape[0]
    odd = _prefix(a[1::2] * a[: 2 * pairs : 2], a[1::2] * even[:pairs] + odd)
    even = torch.cat([even[:1], a[2::2] * odd[: even.shape[0] - 1] + even[1:]])
    joined = torch.stack([even[:pairs], odd], 1).flatten(0, 1)
    return joined if even.shape[0] == pairs else torch.cat([joined, even[pairs:]])
'''

SEEDED_DROPOUT = '''
def seeded_dropout(
    x: Tensor, p: float, training: bool, generator: torch.Generator | None
) -> Tensor:
    """Training, entries of x are 0 with probability p and the others scaled up, as the generator draws."""
    if not training or generator is None:
        return F.dropout(x, p, training)
    kept = torch.empty_like(x).bernoulli_(1 - p, generator=generator)
    return x * (kept / (1 - p) if p < 1 else kept)
'''

SEEDED_ATTENTION = '''
def seeded_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    causal: bool,
    scale: float | None,
    p: float,
    generator: torch.Generator | None,
) -> Tensor:
    """Attention whose weights are 0 with probability p, as the generator draws."""
    if p == 0 or generator is None:
        return F.scaled_dot_product_attention(q, k, v, mask, p, causal, scale=scale)
    scores = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).tril()
    if mask is not None:
        scores = (
            scores + mask
            if mask.is_floating_point()
            else scores.masked_fill(~mask, -torch.inf)
        )
    return seeded_dropout(scores.softmax(-1), p, True, generator) @ v
'''

WEIGHTS_OF = '''
def weights_of(module: nn.Module, prefix: str = "") -> dict[str, Tensor]:
    """Parameters and buffers by name, behind a prefix."""
    weights = [*module.named_parameters(), *module.named_buffers()]
    return {prefix + name: weight for name, weight in weights}
'''

FORGET = '''
def forget(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """A counter that batch norms of torch add to weights that they load, though it is another's here."""
    state.pop(prefix + "num_batches_tracked", None)
'''

TURNS = '''
def turns(path: str, weight: Tensor) -> dict[str, Tensor]:
    """The weights of all turns of the loops in a path (`*`), from one in which they are stacked on first axes."""
    if "*" not in path:
        return {path: weight}
    found: dict[str, Tensor] = {}
    for number, each in enumerate(weight):
        found |= turns(path.replace("*", str(number), 1), each)
    return found
'''

CUSTOM_GRAD = '''
class CustomGrad(torch.autograd.Function):
    """The value of one function, with the derivative that another one gives."""

    @staticmethod
    def forward(ctx: Any, inner: Any, backward: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        ctx.inner = backward
        return inner(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[None, None, Tensor]:
        (x,) = ctx.saved_tensors
        return None, None, ctx.inner(x, g)
'''

EXTERN = '''
def extern(module: str, name: str, **settings: Any) -> Any:
    """A module of the user's own."""
    return getattr(importlib.import_module(module), name)(**settings)
'''

HELPERS: dict[str, str] = {
    "extern": EXTERN,
    "forget": FORGET,
    "turns": TURNS,
    "weights_of": WEIGHTS_OF,
    "CustomGrad": CUSTOM_GRAD,
    "seeded_dropout": SEEDED_DROPOUT,
    "seeded_attention": SEEDED_ATTENTION,
    "batch_norm": BATCH_NORM,
    "batch_norm_train": BATCH_NORM_TRAIN,
    "linear_scan": LINEAR_SCAN,
}
