"""Functions of emitted files for resampling, as text: where torch has none, or is wrong for some tensors."""

from __future__ import annotations

from ogive.backends.python_text.statements import FixedText, fixed

GRID_SAMPLED = '''
def grid_sampled(
    x: Tensor, grid: Tensor, mode: str, padding: str, corners: bool
) -> Tensor:
    """F.grid_sample step by step, so that all derivatives are right."""
    index, flat = torch.zeros_like(grid[..., 0], dtype=torch.long), x.flatten(2)
    parts = [(index, torch.ones_like(grid[..., 0]))]
    for size, at in zip(x.shape[2:], grid.flip(-1).unbind(-1)):
        at = (at + 1) / 2 * (size - 1) if corners else ((at + 1) * size - 1) / 2
        if padding == "reflection":
            low, span = (0.0, size - 1) if corners else (-0.5, size)
            way = (at - low).abs()
            turns = torch.div(way, max(span, 1), rounding_mode="floor")
            rest = way - turns * span
            at = torch.where(turns % 2 == 0, rest, span - rest) + low
        if padding != "zeros":
            at = at.clamp(0, size - 1)
        first = at.round() if mode == "nearest" else at.floor()
        grown = []
        for near in (first,) if mode == "nearest" else (first, first + 1):
            share = torch.ones_like(at) if mode == "nearest" else 1 - (at - near).abs()
            share = share * ((near >= 0) & (near < size))
            near = near.clamp(0, size - 1).long()
            grown += [(i * size + near, weight * share) for i, weight in parts]
        parts = grown
    total = x.new_zeros(())
    for i, weight in parts:
        places = i.flatten(1).unsqueeze(1).expand(-1, flat.shape[1], -1)
        total = total + flat.gather(2, places) * weight.flatten(1).unsqueeze(1)
    return total.unflatten(2, grid.shape[1:-1])
'''

# each with what it defines and what it reads
SMOOTHED = '''
def smoothed(x: Tensor, **settings: Any) -> Tensor:
    """Antialiased `F.interpolate`, of halves too; torch repeats a row where its last axis gets 1 entry."""
    y = F.interpolate(wide(x), antialias=True, **settings)
    if y.shape[-1] == 1 and y.shape[-2] != 1:
        for key in ("size", "scale_factor"):
            if isinstance(settings.get(key), tuple):
                settings[key] = settings[key][::-1]
        y = F.interpolate(wide(x).mT, antialias=True, **settings).mT
    return y.to(x.dtype)
'''

RESAMPLED: dict[str, FixedText] = {
    "grid_sampled": fixed(GRID_SAMPLED, "grid_sampled", "Tensor torch"),
    "smoothed": fixed(SMOOTHED, "smoothed", "Any F Tensor wide"),
}
