"""Which modules stay those of the source, and what of them is known without a trace."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_leaves

from ogive.backends.from_torch.compare import Axes, random_input, tries
from ogive.backends.from_torch.outside import Outside, OutsideResult, is_outside
from ogive.backends.from_torch.refused import Untraceable
from ogive.backends.from_torch.trace import ModuleCall, Traced, place_of

SHARE = 0.2  # of the nodes of a model that modules of the source may hold
_LISTS = (nn.ModuleList, nn.ModuleDict)


class Staying:
    """The modules of one import that stay."""

    def __init__(
        self, module: nn.Module, args: Sequence[object], kwargs: Mapping[str, object],
        sizes: Mapping[str, Sequence[str | int | None]], strict: bool,
    ) -> None:  # fmt: skip
        self.module, self.args, self.kwargs, self.sizes, self.strict = module, args, kwargs, sizes, strict
        self.found: dict[str, Outside] = {}
        self._counts: dict[str, int] = {}

    def add(self, path: str, error: Untraceable, nodes: int = 1) -> None:
        """A module stays, or the next around it where it does already. Raises `Untraceable` where none is left."""
        if self.strict or not path:
            raise error
        reason = str(error)
        place = place_of(error.node, self.module) if error.node is not None else ""
        while path and (path in self.found or isinstance(self.module.get_submodule(path), _LISTS)):
            if path in self.found:
                reason = f"{self.found[path].reason}; {reason}" if reason != self.found[path].reason else reason
                place = place or self.found[path].place
            path = path.rpartition(".")[0]
        if not path:
            raise Untraceable(reason)
        if any(path.startswith(f"{each}.") for each in self.found):
            return
        observed, single = None, True
        nodes = max(nodes, self._counts.get(path, 1))
        if error.untraced:
            try:
                observed, nodes, single = self._observed(path)
            except Untraceable as later:
                raise Untraceable(reason if "none of the sizes" in str(later) else str(later)) from error
        self.found = {each: held for each, held in self.found.items() if not each.startswith(f"{path}.")}
        self.found[path] = Outside(path, self.module.get_submodule(path), reason, place, nodes, observed, single=single)
        if observed is not None:
            self.found[path].results = list(range(len(observed)))

    def counted(self, traced: Traced) -> None:
        """Count the nodes of all modules."""

        def count(call: ModuleCall) -> int:
            total = 0
            for child in call.children:
                total += count(child) if isinstance(child, ModuleCall) else 1
            self._counts.setdefault(call.path, total)
            return total

        count(traced.root)
        for path, held in self.found.items():
            held.nodes = max(held.nodes, self._counts.get(path, 1))

    def judged(self, traced: Traced) -> None:
        """Raises `Untraceable` where most of a model would stay outside."""
        if not self.found:
            return
        held = sum(each.nodes for each in self.found.values())
        total = len([each for each in traced.root.nodes() if not is_outside(each)]) + held
        if held > SHARE * total:
            first = max(self.found.values(), key=lambda each: each.nodes)
            raise Untraceable(
                f"{held} of {total} nodes would stay outside, more than {SHARE:.0%}; `{first.path}`: {first.reason}"
            )

    def _axes(self) -> list[Axes]:
        names = list(inspect.signature(self.module.forward).parameters)
        given = {**dict(zip(names, self.args, strict=False)), **self.kwargs}
        found = []
        for name, each in given.items():
            if isinstance(each, Tensor):
                wanted = self.sizes.get(name) or [f"{name}{i}" for i in range(each.dim())]
                axes = [axis if isinstance(axis, str) else n for axis, n in zip(wanted, each.shape, strict=True)]
                found.append(Axes(name, tuple(axes)))
        return found

    def _observed(self, path: str) -> tuple[tuple[OutsideResult, ...], int, bool]:
        """The types of the results of a module as runs at several sizes show them, and how much it computes."""
        axes = self._axes()
        seen: list[tuple[list[Tensor], list[Tensor], bool]] = []
        counted = _Counted()
        tensors = [each for each in (*self.args, *self.kwargs.values()) if isinstance(each, Tensor)]

        def watch(module: nn.Module, args: Any, kwargs: Any, result: Any) -> None:
            counted.on = False
            leaves, spec = tree_flatten(result)
            if not all(isinstance(each, Tensor) for each in leaves):
                raise Untraceable("its results are not tensors alone", path=path)
            inner = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
            unique = [each for i, each in enumerate(inner) if not any(each is other for other in inner[:i])]
            seen.append((unique, leaves, spec.is_leaf()))

        def enter(module: nn.Module, args: Any) -> None:
            counted.on = True

        held = self.module.get_submodule(path)
        hooks = [held.register_forward_pre_hook(enter), held.register_forward_hook(watch, with_kwargs=True)]
        generator = torch.Generator().manual_seed(0)
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=()):
                for choice in tries(self.args, self.kwargs, axes, {}):
                    feed = iter([random_input(t, a, choice, generator, torch.float32)
                                 for t, a in zip(tensors, axes, strict=True)])  # fmt: skip
                    args = [next(feed) if isinstance(each, Tensor) else each for each in self.args]
                    kwargs = {k: next(feed) if isinstance(each, Tensor) else each for k, each in self.kwargs.items()}
                    counted.on, counted.count = False, 0
                    try:
                        with counted:
                            self.module(*args, **kwargs)
                    except (RuntimeError, ValueError, IndexError, AssertionError):
                        continue  # the source does not take these sizes
        finally:
            for hook in hooks:
                hook.remove()
        if not seen:
            raise Untraceable(f"`{path}` takes none of the sizes that were tried")
        return _types(seen, path), counted.count, seen[0][2]


class _Counted(TorchFunctionMode):
    """Counts what is computed."""

    count, on = 0, False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.on and "__get__" not in str(getattr(func, "__name__", "")):
            self.count += 1
        return func(*args, **(kwargs or {}))


def _types(seen: Sequence[tuple[list[Tensor], list[Tensor], bool]], path: str) -> tuple[OutsideResult, ...]:
    """Axes of results that are the same number, or as long as the same axis of an operand, in all runs."""
    first = seen[0][1]
    if any([each.dtype for each in run[1]] != [each.dtype for each in first] for run in seen):
        raise Untraceable("its results are not always of the same types", path=path)
    if any([each.dim() for each in run[1]] != [each.dim() for each in first] for run in seen):
        raise Untraceable("its results have not always the same axes", path=path)
    found = []
    for i, result in enumerate(first):
        axes: list[int | tuple[int, int]] = []
        for axis in range(result.dim()):
            lengths = [run[1][i].shape[axis] for run in seen]
            options = [
                (k, a)
                for k, operand in enumerate(seen[0][0])
                for a in range(operand.dim())
                if [run[0][k].shape[a] for run in seen] == lengths
            ]
            if options:
                axes.append(options[0])
            elif len(set(lengths)) == 1:
                axes.append(lengths[0])
            else:
                raise Untraceable("the sizes of its results are not those of its operands", path=path)
        found.append(OutsideResult(result.dtype, tuple(axes)))
    return tuple(found)
