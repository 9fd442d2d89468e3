"""Functions that emitted files hold at their head where they use them, as text."""

from __future__ import annotations

from inspect import getsource

from ogive.backends.python_text.statements import FixedText, fixed
from ogive.backends.pytorch.ops.entry_texts import ENTRIES, EXPECT
from ogive.backends.pytorch.ops.recurrent_texts import RECURRENT
from ogive.backends.pytorch.ops.resampled import RESAMPLED
from ogive.backends.pytorch.weights.reset_text import reset
from ogive.compiler.ir_tools.entry import misfit

BATCH_NORM = '''
def batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Tensor:
    """(x - mean) / sqrt(variance + eps) * weight + bias by channel, with gradients to the statistics."""
    shape = (-1, *[1] * (x.dim() - 2))
    scale = torch.rsqrt(wide(variance) + eps).to(variance.dtype)
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
    if weight is None and bias is not None:
        # torch's second derivative is wrong without it
        weight = torch.ones_like(bias)
    y = F.batch_norm(x, None, None, weight, bias, True, 0.0, eps)
    variance, mean = torch.var_mean(x.detach(), (0, *range(2, x.dim())))
    return y, mean, variance
'''

BATCH_NORM_STEPS = '''
def batch_norm_steps(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Batch norm by the statistics of x, step by step, so that all derivatives are right; then these statistics."""
    axes = (0, *range(2, x.dim()))
    variance, mean = torch.var_mean(x, axes, correction=0)
    y = batch_norm(x, mean, variance, weight, bias, eps)
    variance, mean = torch.var_mean(x.detach(), axes)
    return y, mean, variance
'''

SMALL_GROUP_NORM = '''
class SmallGroupNorm(nn.GroupNorm):
    """A group may be one value: of one channel, one place and a batch of one, which torch's own class refuses."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)
'''

LAYER_NORM = '''
def layer_norm(
    x: Tensor,
    shape: tuple[int, ...],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(variance + eps) * weight + bias, step by step, so that all derivatives are right."""
    axes = tuple(range(-len(shape), 0))
    x = x - x.mean(axes, keepdim=True)
    y = x * torch.rsqrt((x * x).mean(axes, keepdim=True) + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias
'''

BY_PARTS = '''
def by_parts(fn: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """What `.double()` and `.to()` do to each weight, done to both parts of complex ones, which are no halves."""

    def applied(weight: Tensor) -> Tensor:
        if not weight.is_complex():
            return fn(weight)
        before = torch.view_as_real(weight).flatten()
        parts = fn(before)
        if parts.is_complex():
            return fn(weight)
        if parts.dtype.itemsize < 4:
            parts = before.to(parts.device, torch.float)
        return torch.view_as_complex(parts.unflatten(0, (*weight.shape, 2)))

    return applied
'''

ONE_HOT = '''
def one_hot(index: Tensor, n: int) -> Tensor:
    """1 at each index, on a new last axis of n; rows of an index beyond are 0."""
    return (index.unsqueeze(-1) == torch.arange(n, device=index.device)).long()
'''

LINEAR_SCAN = '''
def linear_scan(a: Tensor, b: Tensor, dim: int, h0: Tensor | None = None) -> Tensor:
    """h[t] = a[t] h[t-1] + b[t] along dim, in logarithmic depth (Blelloch 1990)."""
    a, b = (x.movedim(dim, 0) for x in torch.broadcast_tensors(a, b))
    if h0 is not None:
        b = torch.cat([a[:1] * h0 + b[:1], b[1:]])
    exported = getattr(torch.compiler, "is_exporting", bool)()  # torch 2.7
    return (_steps if exported else _prefix)(a, b).movedim(0, dim)


def _steps(a: Tensor, b: Tensor) -> Tensor:
    """Step by step, as one node of an exported program, which takes every length."""
    from torch._higher_order_ops.scan import scan

    def step(h: Tensor, ab: Any) -> Any:
        h = ab[0] * h + ab[1]
        return h, h.clone()

    return scan(step, torch.zeros_like(b[0]), (a, b))[1]


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

SEEDED_MODULE = '''
class SeededDropout(nn.Dropout):
    """Dropout that draws from a generator where it is given one."""

    def forward(
        self, input: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        return seeded_dropout(input, self.p, self.training, generator)
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
    return seeded_dropout(masked_softmax(scores, -1), p, True, generator) @ v
'''

EMPTY_ROWS = '''
def empty_rows(x: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """Where a row holds nothing but -inf."""
    if not x.numel():
        return (x == -torch.inf).all(dim, keepdim=True)
    return x.amax(dim, keepdim=True) == -torch.inf
'''

SOFTMAX = '''
def masked_softmax(x: Tensor, dim: int) -> Tensor:
    """Softmax; a row of nothing but -inf gives 0, with gradient 0."""
    empty = empty_rows(x, dim)
    return torch.where(empty, 0, F.softmax(torch.where(empty, 0, x), dim))
'''

LOG_SOFTMAX = '''
def masked_log_softmax(x: Tensor, dim: int) -> Tensor:
    """The logarithm of softmax; a row of nothing but -inf gives -inf, with gradient 0."""
    empty = empty_rows(x, dim)
    return torch.where(empty, -torch.inf, F.log_softmax(torch.where(empty, 0, x), dim))
'''

LOGSUMEXP = '''
def masked_logsumexp(x: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """The logarithm of the sum of powers; a row of nothing but -inf gives -inf, with gradient 0."""
    empty = empty_rows(x, dim)
    y = torch.where(empty, 0, x).logsumexp(dim, keepdim=True)
    return torch.where(empty, -torch.inf, y).squeeze(dim)
'''

WIDE = '''
def wide(x: Tensor) -> Tensor:
    """In float32 at least: beside a number that halves do not hold, or for a kernel that takes none."""
    return x.to(torch.promote_types(x.dtype, torch.float))
'''

HELD = '''
def held(value: float, like: Tensor) -> float:
    """A number that is a result: an error where its type would make it infinite or 0."""
    kind = torch.finfo(like.dtype)
    if not kind.tiny * kind.eps / 2 < abs(value) <= kind.max:
        raise ValueError(f"{value} does not fit {like.dtype}")
    return value
'''

FILLING = '''
def filling(value: float, like: Tensor) -> float:
    """A number that only hides others: infinite in a type that does not hold it."""
    largest = torch.finfo(like.dtype).max
    return value if abs(value) <= largest else math.copysign(math.inf, value)
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
    """y as it is, with the derivative in x that another function gives."""

    @staticmethod
    def forward(backward: Any, y: Tensor, x: Tensor) -> Tensor:
        return y.view_as(y)

    @staticmethod
    def setup_context(
        ctx: Any, inputs: tuple[Any, Tensor, Tensor], output: Tensor
    ) -> None:
        ctx.inner, _, x = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[None, Tensor, Tensor]:
        (x,) = ctx.saved_tensors
        return None, g, ctx.inner(x, g)
'''

UNFUSED = '''
def unfused(attention: Any, *args: Any, **settings: Any) -> Tensor:
    """Attention whose derivative has derivatives, which those of torch's fused kernels have not."""
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        return attention(*args, **settings)
'''

EXTERN = '''
def extern(module: str, name: str, **settings: Any) -> Any:
    """A module of the user's own."""
    return getattr(importlib.import_module(module), name)(**settings)
'''

GROUPED_MATMUL = '''
def grouped_matmul(x: Tensor, w: Tensor, sizes: Tensor) -> Tensor:
    """The rows of each group by its matrix; rows behind the last group give 0."""
    n, (groups, inner, outer) = x.shape[0], w.shape
    ends = sizes.cumsum(0)
    rows = torch.arange(n, device=x.device)[:, None]
    if x.dtype == torch.bfloat16 and hasattr(F, "grouped_mm"):
        # rows of the kernel begin at multiples of 16 bytes, those behind the last group hold anything
        x = F.pad(torch.where(rows < ends[-1], x, 0), (0, -inner % 8))
        w = F.pad(w, (0, -outer % 8, 0, -inner % 8))
        y = F.grouped_mm(x, w, offs=ends.int())[:, :outer]
        return torch.where(rows < ends[-1], y, 0)
    if torch.compiler.is_compiling() or x.is_meta:
        # a graph has no sizes that are numbers of a tensor
        y = x.new_zeros(n, outer)
        for group in range(groups):
            within = (rows >= ends[group] - sizes[group]) & (rows < ends[group])
            y = torch.where(within, torch.where(within, x, 0) @ w[group], y)
        return y
    counts = sizes.tolist()
    *parts, rest = x.split([*counts, n - sum(counts)])
    made = [part @ w[at] for at, part in enumerate(parts)]
    return torch.cat([*made, rest.new_zeros(len(rest), outer)])
'''

STORED = '''
def stored(module: nn.Module) -> None:
    """Fresh weights where a module that was made on meta has any: calls supply the others."""
    module.to_empty(device=torch.get_default_device())
    module.apply(reset)
'''

HELPERS: dict[str, FixedText] = {
    "misfit": fixed(getsource(misfit), "misfit", "Any Sequence"),
    "entries": fixed(ENTRIES, "entries", "Sequence Tensor torch"),
    "expect": fixed(EXPECT, "FLOATS expect", "Any Tensor misfit torch"),
    "reset": reset(),
    "stored": fixed(STORED, "stored", "nn reset torch"),
    **RECURRENT,
    **RESAMPLED,
    "extern": fixed(EXTERN, "extern", "Any importlib"),
    "forget": fixed(FORGET, "forget", "Any Tensor nn"),
    "turns": fixed(TURNS, "turns", "Tensor"),
    "weights_of": fixed(WEIGHTS_OF, "weights_of", "Tensor nn"),
    "CustomGrad": fixed(CUSTOM_GRAD, "CustomGrad", "Any Tensor torch"),
    "unfused": fixed(UNFUSED, "unfused", "Any Tensor torch"),
    "seeded_dropout": fixed(SEEDED_DROPOUT, "seeded_dropout", "F Tensor torch"),
    "SeededDropout": fixed(SEEDED_MODULE, "SeededDropout", "Tensor nn seeded_dropout torch"),
    "seeded_attention": fixed(SEEDED_ATTENTION, "seeded_attention", "F Tensor masked_softmax seeded_dropout torch"),
    "wide": fixed(WIDE, "wide", "Tensor torch"),
    "held": fixed(HELD, "held", "Tensor torch"),
    "filling": fixed(FILLING, "filling", "Tensor math torch"),
    "empty_rows": fixed(EMPTY_ROWS, "empty_rows", "Tensor torch"),
    "masked_softmax": fixed(SOFTMAX, "masked_softmax", "F Tensor empty_rows torch"),
    "masked_log_softmax": fixed(LOG_SOFTMAX, "masked_log_softmax", "F Tensor empty_rows torch"),
    "masked_logsumexp": fixed(LOGSUMEXP, "masked_logsumexp", "Tensor empty_rows torch"),
    "batch_norm": fixed(BATCH_NORM, "batch_norm", "Tensor torch wide"),
    "batch_norm_train": fixed(BATCH_NORM_TRAIN, "batch_norm_train", "F Tensor torch"),
    "batch_norm_steps": fixed(BATCH_NORM_STEPS, "batch_norm_steps", "Tensor batch_norm torch"),
    "layer_norm": fixed(LAYER_NORM, "layer_norm", "Tensor torch"),
    "SmallGroupNorm": fixed(SMALL_GROUP_NORM, "SmallGroupNorm", "Tensor nn torch"),
    "linear_scan": fixed(LINEAR_SCAN, "_prefix _steps linear_scan", "Any Tensor torch"),
    "grouped_matmul": fixed(GROUPED_MATMUL, "grouped_matmul", "F Tensor torch"),
    "one_hot": fixed(ONE_HOT, "one_hot", "Tensor torch"),
    "by_parts": fixed(BY_PARTS, "by_parts", "Callable Tensor torch"),
}
