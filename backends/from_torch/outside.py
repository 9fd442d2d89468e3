"""Modules that stay those of the source: what has no operation here becomes one call of the module that holds it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.utils._pytree import tree_flatten, tree_unflatten

from ogive.backends.from_torch.refused import Untraceable

_LIBRARY = torch.library.Library("ogive", "DEF")  # type: ignore[no-untyped-call]
_LIBRARY.define(  # type: ignore[no-untyped-call]
    "outside(Tensor[] xs, SymInt[] sizes, int[] ranks, ScalarType[] kinds, str path) -> Tensor[]"
)
_PLAIN = (int, float, bool, str, type(None), torch.dtype)


@torch.library.register_fake("ogive::outside", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _fake(xs: list[Tensor], sizes: list[int], ranks: list[int], kinds: list[torch.dtype], path: str) -> list[Tensor]:
    made, at = [], 0
    for rank, kind in zip(ranks, kinds, strict=True):
        made.append(torch.empty(sizes[at : at + rank], dtype=kind))
        at += rank
    return made


@dataclass(frozen=True, slots=True)
class OutsideResult:
    """A result that could not be traced: its type, and each of its axes as a number or as an axis of an operand."""

    dtype: torch.dtype
    axes: tuple[int | tuple[int, int], ...]


@dataclass(slots=True)
class Outside:
    """A module of the source that the program calls as it is."""

    path: str
    module: nn.Module
    reason: str
    place: str  # file:line of the source
    nodes: int
    observed: tuple[OutsideResult, ...] | None = None  # of one that cannot be traced
    inputs: list[str] = field(default_factory=list)  # what its tensors are called, in their order
    call: str = ""  # how the module is called with them
    results: list[int] = field(default_factory=list)  # which of the leaves of its result are tensors
    returned: list[int] = field(default_factory=list)  # and which of these the program reads
    single: bool = True  # whether its result is one tensor

    @property
    def key(self) -> str:
        """Equal for modules that may be one block."""
        plain = {name: each for name, each in vars(self.module).items() if isinstance(each, _PLAIN)}
        return f"{self.call} {self.results} {sorted(plain.items(), key=lambda each: each[0])}"


@contextmanager
def outside(module: nn.Module, stays: Mapping[str, Outside]) -> Iterator[None]:
    """While a module is traced, some of its submodules are one node each."""
    patched = []
    try:
        for path, each in stays.items():
            held = module.get_submodule(path)
            patched.append((held, held.__dict__.get("forward")))
            held.forward = _wrapped(each, held.forward)
        yield
    finally:
        for held, before in patched:
            if before is None:
                del held.forward
            else:
                held.forward = before


@contextmanager
def as_products(module: Any) -> Iterator[None]:
    """Meanwhile the experts of a model of transformers are batched products, which it offers beside a sort by data."""
    before = getattr(getattr(module, "config", None), "_experts_implementation", None)
    choose = getattr(module, "set_experts_implementation", None)
    if before is None or choose is None:
        yield
        return
    choose("batched_mm")
    try:
        yield
    finally:
        choose(before)


@contextmanager
def layers_whole(module: nn.Module) -> Iterator[None]:
    """While a module is traced, its recurrent layers are one node each: torch would trace their steps one by one."""
    held = [(path, each) for path, each in module.named_modules() if isinstance(each, nn.RNNBase)]
    try:
        for path, each in held:
            each.forward = _recurrent(path, each, each.forward)
        yield
    finally:
        for _, each in held:
            del each.forward


def _recurrent(path: str, module: nn.RNNBase, original: Any) -> Any:
    def forward(x: Any, hx: Any = None) -> Any:
        given = [] if hx is None else list(hx) if isinstance(hx, tuple) else [hx]
        if not isinstance(x, Tensor) or x.dim() != 3 or module.proj_size:
            return original(x, hx)
        ways = 2 if module.bidirectional else 1
        batch = x.shape[0] if module.batch_first else x.shape[1]
        state = [module.num_layers * ways, batch, module.hidden_size]
        count = 2 if module.mode == "LSTM" else 1
        sizes = [*x.shape[:2], ways * module.hidden_size, *state * count]
        kinds = [x.dtype] * (1 + count)
        y, *states = torch.ops.ogive.outside([x, *given], sizes, [3] * (1 + count), kinds, path)
        return y, tuple(states) if count == 2 else states[0]

    return forward


def _wrapped(told: Outside, original: Any) -> Any:
    def forward(*args: Any, **kwargs: Any) -> Any:
        tensors, told.inputs, told.call = _written(told, original, args, kwargs)
        if told.observed is None:
            leaves, spec = tree_flatten(original(*args, **kwargs))
            places = [i for i, each in enumerate(leaves) if isinstance(each, Tensor)]
            if not places or any(not isinstance(each, _PLAIN) for each in leaves if not isinstance(each, Tensor)):
                raise Untraceable("its results are not tensors", path=told.path)
            shapes: list[list[Any]] = [list(leaves[i].shape) for i in places]
            kinds = [leaves[i].dtype for i in places]
            told.results, told.single = places, len(leaves) == 1 and spec.is_leaf()
        else:
            shapes = [[tensors[a[0]].shape[a[1]] if isinstance(a, tuple) else a for a in each.axes]
                      for each in told.observed]  # fmt: skip
            kinds = [each.dtype for each in told.observed]
        flat = [size for each in shapes for size in each]
        made = torch.ops.ogive.outside(tensors, flat, list(map(len, shapes)), kinds, told.path)
        if told.observed is not None:
            return made[0] if told.single else tuple(made)
        for place, tensor in zip(places, made, strict=True):
            leaves[place] = tensor
        return tree_unflatten(leaves, spec)

    return forward


def _written(
    told: Outside, original: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[list[Tensor], list[str], str]:
    """The tensors of a call, names for them, and the text of the call with these."""
    tensors: list[Tensor] = []
    names: list[str] = []
    names_of = [each for each in inspect.signature(original).parameters if each not in ("args", "kwargs")]

    def shown(value: Any, hint: str) -> str:
        if isinstance(value, Tensor):
            known = next((i for i, each in enumerate(tensors) if each is value), None)
            if known is not None:
                return names[known]
            tensors.append(value)
            name = hint if hint not in names else next(n for i in range(2, 99) if (n := f"{hint}{i}") not in names)
            names.append(name)
            return name
        if isinstance(value, torch.SymInt):
            later.append(value)
            return f"⟨{len(later) - 1}⟩"
        if isinstance(value, float) and (value != value or value in (float("inf"), -float("inf"))):
            return f'float("{value}")'
        if isinstance(value, _PLAIN):
            return repr(value)
        if type(value) in (tuple, list):
            inner = ", ".join(shown(each, hint) for each in value)
            return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
        if type(value) is dict:
            return "{" + ", ".join(f"{key!r}: {shown(each, str(key))}" for key, each in value.items()) + "}"
        raise Untraceable(f"it is called with a {type(value).__name__}", path=told.path)

    later: list[torch.SymInt] = []
    given = [shown(each, names_of[i] if i < len(names_of) else "x") for i, each in enumerate(args)]
    given += [f"{key}={shown(each, key)}" for key, each in kwargs.items()]
    text = ", ".join(given)
    for i, size in enumerate(later):
        axes = [
            (name, axis)
            for name, each in zip(names, tensors, strict=True)
            for axis, length in enumerate(each.shape)
            if isinstance(length, torch.SymInt) and length.node.expr == size.node.expr
        ]
        if not axes:
            raise Untraceable(f"it is called with a size that no tensor has ({size})", path=told.path)
        text = text.replace(f"⟨{i}⟩", f"{axes[0][0]}.shape[{axes[0][1]}]")
    if not tensors:
        raise Untraceable("it is called without tensors", path=told.path)
    return tensors, names, text


def is_outside(node: Node) -> bool:
    """Whether a node is the call of a module of the source."""
    return node.target is torch.ops.ogive.outside.default
