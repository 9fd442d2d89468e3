"""Whether a program computes what its source does: outputs and gradients of all weights, at several sizes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from ogive.backends.from_torch.outside import as_products

BOUNDS = {torch.float64: 1e-10, torch.float32: 1e-5}  # in this order: what float64 showed, float32 may be excused by
ROUNDING = 4  # in float32 what is this many times as far from float64 as the source itself is rounding
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
    rounding: float = 0.0  # how far the source in float32 is from itself in float64 where that is more than the bound
    narrower: list[dict[str, int]] = field(default_factory=list)  # the source takes these, the program does not
    exact: int = 0  # comparisons in float64
    refused: str = ""  # what the source says of float64 where it does not take it
    trained: int = 0  # statistics and rates that only show while training
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether all is equal but for rounding."""
        return not self.faults and bool(self.sizes)

    def as_data(self) -> dict[str, Any]:
        """For a report."""
        return {
            "sizes": self.sizes, "largest_difference": self.apart, "gradients": self.gradients,
            "rounding_of_the_source": self.rounding, "source_alone_takes": self.narrower,
            "compared_in_float64": self.exact, "float64_refused": "" if self.exact else self.refused,
            "compared_while_training": self.trained,
        }  # fmt: skip

    def __str__(self) -> str:
        if self.faults:
            return "; ".join(self.faults[:3])
        if not self.sizes:
            return "nothing could be compared" + (f": the source says {self.refused}" if self.refused else "")
        apart = ", ".join(f"{share:.1e} in {kind}" for kind, share in self.apart.items())
        counts = f"{self.gradients} gradients" if self.gradients else "no gradients"
        alone = f"; the source does not run in float64 ({self.refused})" if not self.exact else ""
        return f"outputs and {counts} at {len(self.sizes)} choices of sizes, at most {apart} apart{alone}"


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
def precise(dtype: torch.dtype) -> Iterator[None]:
    """While it runs, new tensors are of this type; with float64 so are those that the source casts to float32."""
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
    """Compare a source with what `build` makes of its program, in which its weights have the names of `renamed`.

    First in float64, where a formula that is another shows; in float32 what is beyond the bound is excused as rounding
    only where float64 was compared.
    """
    found = SourceCompared()
    source = uneven(source)
    theirs, ours = copy.deepcopy(source), build()
    ours.train(source.training)
    state = ours.state_dict()
    missing = set(state) - set(renamed(theirs))
    if missing:
        found.faults.append(f"`{min(missing)}` is no weight of the source")
        return found
    ours = ours.to(torch.float64)  # which holds the weights of a source of any type
    ours.load_state_dict(dict(renamed(theirs)))
    for dtype in BOUNDS:
        ours = ours.to(dtype)
        with precise(dtype), torch.enable_grad():
            done = 0
            for tried in tries(args, kwargs, inputs, more):
                done += _one(found, source, ours, renamed, args, kwargs, inputs, tried, dtype)
                if done >= TRIALS + bool(more):
                    break
            if dtype == torch.float64:
                found.exact = done
    return found


def uneven(source: nn.Module) -> nn.Module:
    """The source with other numbers where all are equal: biases of 0 and scales of 1 would hide what reads them."""
    made = copy.deepcopy(source)
    generator = torch.Generator().manual_seed(0)
    for module in made.modules():
        if isinstance(module, nn.RMSNorm) and module.eps is None:
            module.eps = float(torch.finfo(torch.float32).eps)  # else it is another in float64
    means = [each for name, each in made.named_buffers() if name.endswith(("running_mean", "running_var"))]
    with torch.no_grad():
        for each in (*made.parameters(), *means):
            if each.is_floating_point() and each.numel() and bool((each == each.flatten()[0]).all()):
                each += 0.1 * torch.rand(each.shape, generator=generator, dtype=torch.float64).to(each)
    return made


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


@dataclass(slots=True)
class ModuleRun:
    """A module's outputs for some inputs, and the gradients of its parameters, in their order."""

    outputs: list[Tensor]
    gradients: list[Tensor | None] = field(default_factory=list)

    def derive(self, module: nn.Module, weights: Sequence[Tensor | None]) -> None:
        """The gradients of a weighted sum of the outputs."""
        module.zero_grad()
        pairs = [(o, w) for o, w in zip(self.outputs, weights, strict=True) if w is not None]
        sum((o * w.to(o.dtype)).sum() for o, w in pairs).backward()  # type: ignore[union-attr]
        self.gradients = [each.grad for each in module.parameters()]


@dataclass(slots=True)
class ComparedPair:
    """What both gave: ours, that of the source, and where the exact one is."""

    what: str
    mine: Tensor
    other: Tensor
    exact: Callable[[ModuleRun], Tensor | None]
    whole: float = 0.0


def _one(
    found: SourceCompared, source: nn.Module, ours: nn.Module, renamed: Callable[[nn.Module], Mapping[str, Tensor]],
    args: Sequence[Any], kwargs: Mapping[str, Any], inputs: Sequence[Axes], sizes: dict[str, int], dtype: torch.dtype,
) -> bool:  # fmt: skip
    """One choice of sizes; False where one of both does not take it."""
    theirs = copy.deepcopy(source).to(dtype)  # some keep what they computed
    generator = torch.Generator().manual_seed(len(found.sizes))
    tensors = [each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)]
    made = [random_input(tensor, each, sizes, generator, dtype) for tensor, each in zip(tensors, inputs, strict=True)]
    try:
        # grouped products have no form in float64
        with as_products(theirs) if dtype == torch.float64 else nullcontext():
            expected = ModuleRun(called(theirs, made, args, kwargs))
    except (RuntimeError, ValueError, IndexError, AssertionError) as error:
        found.refused = found.refused or str(error).partition("\n")[0]
        return False  # the source does not take these sizes, or these numbers
    try:
        got = ModuleRun([each for each in tree_leaves(ours(*made)) if isinstance(each, Tensor)])
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        if sizes in found.sizes or not found.sizes:
            found.faults.append(f"at {sizes} the program refuses what its source takes: {error}")
        elif sizes not in found.narrower:
            found.narrower.append(sizes)
        return False
    if sizes not in found.sizes:
        found.sizes.append(sizes)
    if len(got.outputs) != len(expected.outputs):
        found.faults.append(f"{len(got.outputs)} outputs, not {len(expected.outputs)}")
        return True
    pairs = [
        ComparedPair(f"output {i}", mine, other, lambda run, i=i: run.outputs[i])  # type: ignore[misc]
        for i, (mine, other) in enumerate(zip(got.outputs, expected.outputs, strict=True))
    ]
    other_shapes = [
        (i, m, o) for i, (m, o) in enumerate(zip(got.outputs, expected.outputs, strict=True)) if m.shape != o.shape
    ]
    if other_shapes:
        i, m, o = other_shapes[0]
        found.faults.append(f"output {i} has the shape {list(m.shape)}, not {list(o.shape)}, at {sizes}")
        return True
    learned = [m.requires_grad and o.requires_grad for m, o in zip(got.outputs, expected.outputs, strict=True)]
    weights = [
        torch.randn(o.shape, generator=generator, dtype=dtype) if both else None
        for o, both in zip(expected.outputs, learned, strict=True)
    ]
    if any(learned) and (said := _underivable(expected, theirs, weights)):
        if not any(each.startswith("the source has no gradients") for each in found.notes):
            found.notes.append(f"the source has no gradients: {said.partition('. ')[0]}")
    elif any(learned):
        got.derive(ours, weights)
        pairs += _gradients(theirs, ours, renamed, expected)
        found.gradients = max(found.gradients, len(pairs) - len(got.outputs))
    run_derived = bool(got.gradients)
    faults = [fault for pair in pairs if (fault := _fault(found, pair, dtype)) is not None]
    if faults and dtype == torch.float32 and found.exact:
        with precise(torch.float64):
            exact = copy.deepcopy(source).double()
            wide = [each.double() if each.is_floating_point() else each for each in made]
            with as_products(exact):
                run = ModuleRun(called(exact, wide, args, kwargs))
            if run_derived:
                run.derive(exact, weights)
        faults = [fault for pair in pairs if (fault := _fault(found, pair, dtype, pair.exact(run))) is not None]
    found.faults += faults
    return True


def _underivable(run: ModuleRun, module: nn.Module, weights: Sequence[Tensor | None]) -> str:
    """Derive, or why that cannot be done: what a source writes in place autograd may need."""
    try:
        run.derive(module, weights)
    except RuntimeError as error:
        return str(error).partition("\n")[0]
    return ""


def called(module: nn.Module, made: Sequence[Tensor], args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Tensor]:
    """The tensors that a module gives for some inputs in place of those that it was traced with."""
    feed = iter(made)
    given = [next(feed) if isinstance(each, Tensor) else each for each in args]
    named = {key: next(feed) if isinstance(each, Tensor) else each for key, each in kwargs.items()}
    return [each for each in tree_leaves(module(*given, **named)) if isinstance(each, Tensor)]


def _gradients(
    theirs: nn.Module, ours: nn.Module, renamed: Callable[[nn.Module], Mapping[str, Tensor]], run: ModuleRun
) -> list[ComparedPair]:
    """The gradients of all weights that both learn."""
    names = dict(ours.named_parameters())
    held = {id(tensor): name for name, tensor in renamed_parameters(theirs, renamed)}
    unlearned = {
        id(m.weight): m.padding_idx
        for m in theirs.modules()
        if isinstance(m, nn.Embedding) and m.padding_idx is not None
    }
    whole = max((float(each.abs().max()) for each in run.gradients if each is not None and each.numel()), default=0)
    pairs = []
    for i, parameter in enumerate(theirs.parameters()):
        name, other = held.get(id(parameter)), run.gradients[i]
        if name is None or name not in names or other is None:
            continue
        gradient = names[name].grad
        if gradient is not None and id(parameter) in unlearned:
            gradient[unlearned[id(parameter)]] = other[unlearned[id(parameter)]]
        mine = torch.zeros_like(parameter) if gradient is None else gradient
        pairs.append(ComparedPair(f"the gradient of `{name}`", mine, other, lambda run, i=i: run.gradients[i], whole))  # type: ignore[misc]
    return pairs


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


def _fault(found: SourceCompared, pair: ComparedPair, dtype: torch.dtype, exact: Tensor | None = None) -> str | None:
    """What is wrong with one pair; with what float64 gives, only what the rounding of the source does not explain."""
    mine, other = pair.mine.detach(), pair.other.detach()
    if mine.shape != other.shape:
        return f"{pair.what} has the shape {list(mine.shape)}, not {list(other.shape)}"
    if not other.is_floating_point():
        return None if torch.equal(mine, other) else f"{pair.what} has other whole numbers"
    if not other.numel():
        return None
    largest = max(float(other.abs().max()), 1e-3 * pair.whole) or 1.0
    apart = float((mine - other).abs().max()) / largest
    kind = str(dtype).removeprefix("torch.")
    if not apart <= BOUNDS[dtype]:
        if exact is None or exact.shape != other.shape:
            return f"{pair.what} is {apart:.1e} of its largest number off in {kind} at {found.sizes[-1]}"
        off, rounding = (float((each.double() - exact.detach()).abs().max()) for each in (mine, other))
        if not off <= ROUNDING * rounding:
            return f"{pair.what} is {apart:.1e} of its largest number off in {kind} at {found.sizes[-1]}"
        found.rounding = max(found.rounding, rounding / largest)
        return None
    found.apart[kind] = max(found.apart.get(kind, 0.0), apart)
    return None
