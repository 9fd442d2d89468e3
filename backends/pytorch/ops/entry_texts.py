"""Helpers of emitted files that refuse inputs which are not as declared, as text."""

from __future__ import annotations

EXPECT = '''
FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


@torch.fx.wrap
def expect(
    declared: str,
    x: Tensor,
    *sizes: Any,
    kinds: tuple[torch.dtype, ...] = FLOATS,
) -> None:
    """Refuses an input of other types or sizes: -n are multiples of n, None is any.

    `...` is any number of axes.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"{declared} got {type(x).__name__}, not a tensor")
    shape, right = x.shape, x.dtype in kinds
    packs = [size is ... for size in sizes]
    if True in packs:
        at, others = packs.index(True), len(sizes) - 1
        sizes = (*sizes[:at], *[-1] * (len(shape) - others), *sizes[at + 1 :])
    if right and len(shape) == len(sizes):
        for size, found in zip(sizes, shape):
            if size == found or size is None:
                continue
            if size > -1 or found < 1 or found % -size:
                break
        else:
            return
    elem = "" if right else str(x.dtype)
    raise ValueError(misfit(declared, tuple(shape), sizes, elem))
'''

ENTRIES = '''
@torch.fx.wrap
def entries(name: str, xs: Sequence[Tensor], count: int) -> Sequence[Tensor]:
    """Refuses what is no list, or one of another length."""
    if not isinstance(xs, (list, tuple)):
        kind = type(xs).__name__
        raise TypeError(f"{name} got {kind}, not a list of {count} tensors")
    if len(xs) != count:
        raise ValueError(f"{name} got {len(xs)} tensors, not {count}")
    return xs
'''
