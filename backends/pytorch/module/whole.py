"""Weights that start while they are sharded over devices: each is set whole, and every rank keeps its part.

The random operations of DTensor know shards on CUDA alone, and many initializers are no operations of single numbers
(`orthogonal`, an expression of other weights, a constraint). So each rank computes all of a weight, one after the
other, by numbers of the first rank: what is gathered is a direct build with the seed of that rank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

FILLS = frozenset(
    (nn.init.normal_, nn.init.uniform_, nn.init.constant_, nn.init.kaiming_uniform_, Tensor.normal_, Tensor.uniform_,
     Tensor.fill_, Tensor.zero_)
)  # fmt: skip
SHAPES = frozenset(
    (Tensor.size, Tensor.dim, Tensor.numel, Tensor.is_complex, Tensor.is_floating_point, Tensor.element_size)
)
PARTS = frozenset(("data", "T", "mT", "H", "mH", "real", "imag"))  # properties that are tensors of the same numbers
HALVES = (torch.float16, torch.bfloat16)


def starts_whole(init_weights: Callable[[nn.Module], None]) -> Callable[[nn.Module], None]:
    """`init_weights` for weights of any layout and type."""

    @wraps(init_weights)
    def started(self: nn.Module) -> None:
        sharded = [x for x in self.parameters() if hasattr(x, "device_mesh")]
        if not sharded and not any(x.dtype in HALVES for x in self.parameters()):
            with _untied(self):
                init_weights(self)
            return
        with _untied(self), _numbers_of_the_first(sharded), Whole() as mode:
            init_weights(self)
            mode.keep(())

    return started


def steps_once(after_step: Callable[[nn.Module], None]) -> Callable[[nn.Module], None]:
    """`after_step` that puts a parameter which was tied by hand back once."""

    @wraps(after_step)
    def stepped(self: nn.Module) -> None:
        with _untied(self):
            after_step(self)

    return stepped


@contextmanager
def _untied(module: nn.Module) -> Iterator[None]:
    """A parameter that was tied by hand (`a.weight = b.weight`) is set by its first holder, with as many numbers drawn
    as before it was tied: the others set what is thrown away.
    """
    seen: set[int] = set()
    tied: list[tuple[nn.Module, str, nn.Parameter]] = []
    for each in module.modules():
        for name, weight in each._parameters.items():
            if weight is not None and id(weight) in seen:
                tied.append((each, name, weight))
            seen.add(id(weight))
    for holder, name, weight in tied:
        holder._parameters[name] = nn.Parameter(weight.detach().clone(), weight.requires_grad)
    try:
        yield
    finally:
        for holder, name, weight in tied:
            holder._parameters[name] = weight


class Whole(TorchFunctionMode):
    """Sharded tensors stand for whole ones, of which one operation's at a time are held."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[int, tuple[Any, Tensor]] = {}  # by identity: the sharded tensor, the whole one

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.linalg.qr and args[0].dtype in HALVES:  # `orthogonal`, for which torch has no kernel
            return func(args[0].float(), *args[1:], **kwargs)
        sharded = list(_sharded((args, kwargs)))
        if not sharded or _of_shape(func):
            return func(*args, **kwargs)
        self.keep(sharded)
        filled = args[0] if args else kwargs["tensor"]
        for x in sharded:
            written = x is filled and (func in FILLS or func is Tensor.copy_) and all(x is not y for y in args[1:])
            if id(x) not in self.held:
                whole = torch.empty(x.shape, dtype=x.dtype, device=x.device) if written else x.detach().full_tensor()
                self.held[id(x)] = (x, whole)
        return func(*self._whole(args), **self._whole(kwargs))

    def _whole(self, given: Any) -> Any:
        if isinstance(given, (tuple, list)):
            return type(given)(map(self._whole, given))
        if isinstance(given, dict):
            return {key: self._whole(value) for key, value in given.items()}
        return self.held[id(given)][1] if id(given) in self.held else given

    def keep(self, wanted: Any) -> None:
        """Cut all that is held but for some sharded tensors, and put the parts where they belong."""
        from torch.distributed.tensor import distribute_tensor

        kept = {id(x) for x in wanted}
        for key in [key for key in self.held if key not in kept]:
            x, whole = self.held.pop(key)
            part = distribute_tensor(whole, x.device_mesh, x.placements, src_data_rank=None)
            with torch.no_grad():
                x.to_local().copy_(part.to_local())


def _sharded(given: Any) -> Iterator[Any]:
    """The tensors with a mesh of devices among arguments."""
    if isinstance(given, dict):
        given = list(given.values())
    if isinstance(given, (tuple, list)):
        for each in given:
            yield from _sharded(each)
    elif isinstance(given, Tensor) and hasattr(given, "device_mesh"):
        yield given


def _of_shape(func: Any) -> bool:
    """Whether a function tells no numbers: shape, type, device."""
    if func in SHAPES:
        return True
    of = getattr(func, "__self__", None)
    return getattr(func, "__name__", "") in ("__get__", "__set__") and getattr(of, "__name__", "") not in PARTS


@contextmanager
def _numbers_of_the_first(sharded: list[Any]) -> Iterator[None]:
    """All ranks of the meshes draw as the first one does; those that stood elsewhere go on from there afterwards."""
    meshes = {x.device_mesh: None for x in sharded}
    kinds = sorted({mesh.device_type for mesh in meshes} - {"cpu"})
    generators: list[Any] = [torch, *(torch.get_device_module(kind) for kind in kinds)]
    before = [each.get_rng_state() for each in generators]
    first = [_from_the_first(state, list(meshes)) for state in before]
    for each, state in zip(generators, first, strict=True):
        each.set_rng_state(state)
    yield
    for each, state, other in zip(generators, before, first, strict=True):
        if not torch.equal(state, other):
            each.set_rng_state(state)


def _from_the_first(state: Tensor, meshes: list[Any]) -> Tensor:
    for mesh in meshes:
        sent = state.to(mesh.device_type, copy=True)
        for dim in range(mesh.ndim):
            torch.distributed.broadcast(sent, group=mesh.get_group(dim), group_src=0)
        state = sent.cpu()
    return state
