"""Functions that emitted files hold at their head where they use them, as text."""

from __future__ import annotations

BATCH_NORM_TRAIN = '''
def batch_norm_train(x, weight, bias, eps):
    """Batch norm by the statistics of x itself, its mean and its unbiased variance by channel."""
    y = F.batch_norm(x, None, None, weight, bias, True, 0.0, eps)
    with torch.no_grad():
        variance, mean = torch.var_mean(x, (0, *range(2, x.dim())))
    return y, mean, variance
'''

LINEAR_SCAN = '''
def linear_scan(a, b, dim, h0=None):
    """h[t] = a[t] h[t-1] + b[t] along dim, in logarithmic depth (Blelloch 1990)."""
    a, b = (x.movedim(dim, 0) for x in torch.broadcast_tensors(a, b))
    if h0 is not None:
        b = torch.cat([a[:1] * h0 + b[:1], b[1:]])
    return _prefix(a, b).movedim(0, dim)


def _prefix(a, b):
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

HELPERS: dict[str, str] = {
    "batch_norm_train": BATCH_NORM_TRAIN,
    "linear_scan": LINEAR_SCAN,
}
