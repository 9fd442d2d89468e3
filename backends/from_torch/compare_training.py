"""What of a program shows only while it trains: statistics of batches, and how much is dropped."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from ogive.backends.from_torch.compare import BOUNDS, Axes, SourceCompared, called, precise, random_input, tries, uneven

_NORM = nn.modules.batchnorm._BatchNorm
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_Renamed = Callable[[nn.Module], Mapping[str, Tensor]]


class _Undropped(TorchFunctionMode):
    """Nothing is dropped; with which rates it would have been, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.rates: list[float] = []

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is nn.functional.dropout:
            given = dict(zip(("input", "p", "training"), args, strict=False)) | dict(kwargs or {})
            if given.get("training", True) and given.get("p", 0.5):
                self.rates.append(given.get("p", 0.5))
            return given["input"]
        return func(*args, **(kwargs or {}))


def while_training(
    found: SourceCompared, source: nn.Module, build: Callable[[], nn.Module], renamed: _Renamed,
    args: Sequence[Any], kwargs: Mapping[str, Any], inputs: Sequence[Axes],
) -> None:  # fmt: skip
    """Add what differs, in float64, where norms over batches and layers of dropout train and all else does not."""
    source = uneven(source)
    kinds = [each for each in source.modules() if isinstance(each, _NORM | nn.Dropout)]
    if source.training or not kinds or not found.exact:
        return
    asleep: set[str] = set()
    while True:  # once more without the norms that learn no statistics in the program
        theirs, ours = copy.deepcopy(source), build().to(torch.float64)
        ours.load_state_dict(dict(renamed(theirs.to(torch.float64))))
        _wake(theirs, ours, asleep)
        with precise(torch.float64), torch.no_grad():
            runs = _runs(theirs, ours, args, kwargs, inputs)
        if runs is None:
            return
        sleeping = _unmoved(source, theirs, ours, renamed) - asleep
        if not sleeping:
            break
        asleep |= sleeping
    if asleep:
        found.notes.append(f"norms whose statistics stay what they are in the program: {', '.join(sorted(asleep))}")
    (mine, our_rates), (others, their_rates) = runs
    if len(our_rates) != len(their_rates):
        found.notes.append(f"{len(their_rates)} layers of dropout in the source, {len(our_rates)} in the program")
    elif our_rates != their_rates:
        found.faults.append(f"while training {our_rates} are dropped, not {their_rates}")
    state = ours.state_dict()
    pairs = [(f"output {i}", *pair) for i, pair in enumerate(zip(mine, others, strict=True))]
    pairs += [(f"`{n}`", state[n], each) for n, each in renamed(theirs).items() if n.endswith(_STATISTICS)]
    for what, our, their in pairs:
        apart = float((our.double() - their.double()).abs().max()) if our.numel() else 0.0
        if not apart <= BOUNDS[torch.float64] * max(float(their.double().abs().max()) if their.numel() else 0.0, 1.0):
            found.faults.append(f"while training {what} is {apart:.1e} off")
    found.trained = len(pairs) - len(mine) + len(our_rates)


def _wake(theirs: nn.Module, ours: nn.Module, asleep: set[str]) -> None:
    """Both train: in the source, and in parts of it in the program, norms over batches and dropout alone."""
    for path, each in theirs.named_modules():
        each.training = isinstance(each, _NORM | nn.Dropout) and path not in asleep
    ours.train()
    for path, each in ours.named_modules():
        if ".inner" in f".{path}":
            each.training = isinstance(each, _NORM | nn.Dropout)


def _runs(
    theirs: nn.Module, ours: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], inputs: Sequence[Axes]
) -> tuple[tuple[list[Tensor], list[float]], tuple[list[Tensor], list[float]]] | None:
    """What both give, and their rates of dropout, at the first sizes that the source takes while it trains."""
    generator = torch.Generator().manual_seed(0)
    tensors = [each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)]
    for sizes in tries(args, kwargs, inputs, {}):
        made = [random_input(t, each, sizes, generator, torch.float64) for t, each in zip(tensors, inputs, strict=True)]
        try:
            with _Undropped() as other:
                expected = called(theirs, made, args, kwargs)
        except (RuntimeError, ValueError, IndexError, AssertionError):
            continue  # one value for each channel, or sizes that it does not take
        with _Undropped() as mine:
            got = [each for each in tree_leaves(ours(*made)) if isinstance(each, Tensor)]
        return (got, mine.rates), (expected, other.rates)
    return None


def _unmoved(source: nn.Module, theirs: nn.Module, ours: nn.Module, renamed: _Renamed) -> set[str]:
    """The norms of the source whose statistics a run moved, and not those of the program."""
    before, after, state = renamed(source), renamed(theirs), ours.state_dict()
    still = {
        after[name].data_ptr()
        for name in after
        if name.endswith("running_mean")
        and torch.equal(state[name].double(), before[name].double())
        and not torch.equal(after[name].double(), before[name].double())
    }
    held = {path: getattr(each, "running_mean", None) for path, each in theirs.named_modules()}
    return {path for path, each in held.items() if each is not None and each.data_ptr() in still}
