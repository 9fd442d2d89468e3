"""Whether a program computes what its source does: outputs and gradients of all weights, at several sizes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

BOUNDS = {torch.float32: 1e-5, torch.float64: 1e-10}
TRIALS = 3  # choices of sizes


@dataclass(frozen=True, slots=True)
class Axes:
    """An input: what its axes are called (a number is a size that stays), and below what its integers are."""

    name: str
    axes: tuple[str | int, ...]
    below: int = 0


@dataclass(slots=True)
class SourceCompared:
    """What was compared: sizes, and how far apart outputs and gradients are as shares of their largest numbers."""

    sizes: list[dict[str, int]] = field(default_factory=list)
    apart: dict[str, float] = field(default_factory=dict)  # by type: the largest of all
    gradients: int = 0
    narrower: list[dict[str, int]] = field(default_factory=list)  # the source takes these, the program does not
    faults: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether all is equal but for rounding."""
        return not self.faults and bool(self.sizes)

    def as_data(self) -> dict[str, Any]:
        """For a report."""
        return {
            "sizes": self.sizes, "largest_difference": self.apart, "gradients": self.gradients,
            "source_alone_takes": self.narrower,
        }  # fmt: skip

    def __str__(self) -> str:
        if self.faults:
            return "; ".join(self.faults[:3])
        if not self.sizes:
            return "nothing could be compared"
        apart = ", ".join(f"{share:.1e} in {kind}" for kind, share in self.apart.items())
        counts = f"{self.gradients} gradients" if self.gradients else "no gradients"
        return f"outputs and {counts} at {len(self.sizes)} choices of sizes, at most {apart} apart"


class _Wide(TorchFunctionMode):
    """Casts to float32 that the source does by itself are casts to float64: the comparison is one of formulas."""

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is Tensor.float:
            return args[0].double()
        wide = [torch.float64 if each is torch.float32 else each for each in args]
        named = {key: torch.float64 if each is torch.float32 else each for key, each in (kwargs or {}).items()}
        return func(*wide, **named)


@contextmanager
def _precise(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        if dtype == torch.float64:
            with _Wide():
                yield
        else:
            yield
    finally:
        torch.set_default_dtype(before)


def compared(
    source: nn.Module,
    build: Callable[[], nn.Module],
    renamed: Callable[[nn.Module], Mapping[str, Tensor]],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    inputs: Sequence[Axes],
    more: Mapping[str, int],
) -> SourceCompared:
    """Compare a source with what `build` makes of its program, in which its weights have the names of `renamed`."""
    found = SourceCompared()
    theirs, ours = copy.deepcopy(source), build()
    ours.train(source.training)
    state = ours.state_dict()
    missing = set(state) - set(renamed(theirs))
    if missing:
        found.faults.append(f"`{min(missing)}` is no weight of the source")
        return found
    ours.load_state_dict(dict(renamed(theirs)))
    for dtype in BOUNDS:
        ours = ours.to(dtype)
        with _precise(dtype), torch.enable_grad():
            done = 0
            for tried in tries(args, kwargs, inputs, more):
                theirs = copy.deepcopy(source).to(dtype)  # some keep what they computed
                done += _one(found, theirs, ours, renamed, args, kwargs, inputs, tried, dtype)
                if done >= TRIALS + bool(more):
                    break
    return found


def tries(
    args: Sequence[Any], kwargs: Mapping[str, Any], inputs: Sequence[Axes], more: Mapping[str, int]
) -> Iterator[dict[str, int]]:
    """Choices of sizes: those of the trace first."""
    traced: dict[str, int] = {}
    tensors = [each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)]
    for each, tensor in zip(inputs, tensors, strict=True):
        traced.update({axis: size for axis, size in zip(each.axes, tensor.shape, strict=True) if isinstance(axis, str)})
    choices = [traced, {**traced, **more}] if more else [traced]
    for times, plus in ((1, 1), (2, 0), (1, 3), (1, 32)):
        choices.append({axis: times * size + plus for axis, size in traced.items()})
    choices.append({axis: max(2, size // 2) for axis, size in traced.items()})
    for axis in traced:
        choices.append({**traced, axis: traced[axis] + 2})
    seen: list[dict[str, int]] = []
    for choice in choices:
        if choice not in seen:
            seen.append(choice)
            yield choice


def _one(
    found: SourceCompared, theirs: nn.Module, ours: nn.Module, renamed: Callable[[nn.Module], Mapping[str, Tensor]],
    args: Sequence[Any], kwargs: Mapping[str, Any], inputs: Sequence[Axes], sizes: dict[str, int], dtype: torch.dtype,
) -> bool:  # fmt: skip
    """One choice of sizes; False where one of both does not take it."""
    generator = torch.Generator().manual_seed(len(found.sizes))
    tensors = [each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)]
    made = [random_input(tensor, each, sizes, generator, dtype) for tensor, each in zip(tensors, inputs, strict=True)]
    feed = iter(made)
    given = [next(feed) if isinstance(each, Tensor) else each for each in args]
    named = {key: next(feed) if isinstance(each, Tensor) else each for key, each in kwargs.items()}
    try:
        expected = [each for each in tree_leaves(theirs(*given, **named)) if isinstance(each, Tensor)]
    except (RuntimeError, ValueError, IndexError, AssertionError):
        return False  # the source does not take these sizes
    try:
        result = ours(*made)
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        if sizes in found.sizes or not found.sizes:
            found.faults.append(f"at {sizes} the program refuses what its source takes: {error}")
        elif sizes not in found.narrower:
            found.narrower.append(sizes)
        return False
    got = [each for each in tree_leaves(result) if isinstance(each, Tensor)]
    if sizes not in found.sizes:
        found.sizes.append(sizes)
    if len(got) != len(expected):
        found.faults.append(f"{len(got)} outputs, not {len(expected)}")
        return True
    kind = str(dtype).removeprefix("torch.")
    for i, (mine, other) in enumerate(zip(got, expected, strict=True)):
        _judge(found, f"output {i}", mine, other, dtype, kind)
    pairs = [(m, o) for m, o in zip(got, expected, strict=True) if o.requires_grad and m.requires_grad]
    if not pairs or found.faults:
        return True
    weights = [torch.randn(o.shape, generator=generator, dtype=dtype) for _, o in pairs]
    theirs.zero_grad()
    ours.zero_grad()
    sum((o * w).sum() for (_, o), w in zip(pairs, weights, strict=True)).backward()  # type: ignore[union-attr]
    sum((m * w).sum() for (m, _), w in zip(pairs, weights, strict=True)).backward()  # type: ignore[union-attr]
    names = dict(ours.named_parameters())
    held = {id(tensor): name for name, tensor in renamed_parameters(theirs, renamed)}
    unlearned = {
        id(m.weight): m.padding_idx
        for m in theirs.modules()
        if isinstance(m, nn.Embedding) and m.padding_idx is not None
    }
    gradients = 0
    whole = max((float(p.grad.abs().max()) for p in theirs.parameters() if p.grad is not None and p.numel()), default=0)
    for parameter in theirs.parameters():
        name = held.get(id(parameter))
        if name is None or name not in names or parameter.grad is None:
            continue
        gradient = names[name].grad
        if gradient is not None and id(parameter) in unlearned:
            gradient[unlearned[id(parameter)]] = parameter.grad[unlearned[id(parameter)]]
        gradients += 1
        _judge(found, f"the gradient of `{name}`", torch.zeros_like(parameter) if gradient is None else gradient,
               parameter.grad, dtype, kind, whole)  # fmt: skip
    found.gradients = max(found.gradients, gradients)
    return True


def renamed_parameters(
    module: nn.Module, renamed: Callable[[nn.Module], Mapping[str, Tensor]]
) -> list[tuple[str, Tensor]]:
    """The parameters of a source, as they are, by their names in the program."""
    by_place = {each.data_ptr(): name for name, each in renamed(module).items() if each.numel()}
    return [(by_place[each.data_ptr()], each) for each in module.parameters() if each.data_ptr() in by_place]


def random_input(
    tensor: Tensor, axes: Axes, sizes: dict[str, int], generator: torch.Generator, dtype: torch.dtype
) -> Tensor:
    """Numbers for an input: floats off 0 and some large, integers over their range."""
    shape = [sizes[axis] if isinstance(axis, str) else axis for axis in axes.axes]
    if tensor.dtype == torch.bool:
        return torch.rand(shape, generator=generator, dtype=torch.float64) < 0.7
    if not tensor.is_floating_point():
        high = axes.below or int(tensor.max()) + 1
        return torch.randint(0, high, shape, generator=generator, dtype=tensor.dtype)
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
    return (1.5 * drawn + 0.25).to(dtype)


def _judge(
    found: SourceCompared, what: str, mine: Tensor, other: Tensor, dtype: torch.dtype, kind: str, whole: float = 0.0
) -> None:
    if mine.shape != other.shape:
        found.faults.append(f"{what} has the shape {list(mine.shape)}, not {list(other.shape)}")
        return
    if not other.is_floating_point():
        if not torch.equal(mine, other):
            found.faults.append(f"{what} has other whole numbers")
        return
    largest = max(float(other.detach().abs().max()), 1e-3 * whole) if other.numel() else 0.0
    apart = float((mine.detach() - other.detach()).abs().max()) / (largest or 1.0) if other.numel() else 0.0
    bound = BOUNDS[dtype] * (10 if whole and dtype == torch.float32 else 1)
    if not apart <= bound:
        found.faults.append(f"{what} is {apart:.1e} of its largest number off in {kind} at {found.sizes[-1]}")
    found.apart[kind] = max(found.apart.get(kind, 0.0), apart)
