"""The weights of a model: from files, modules and state dicts, checked both ways, and back under other names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ogive.arguments import nameable
from ogive.backends.diagram.figure.labels import printable
from ogive.backends.weights.fit import moves, not_finite
from ogive.backends.weights.fit import unwrapped as unwrapped_names
from ogive.backends.weights.map_text import read_map
from ogive.backends.weights.maps import WeightMap, identity
from ogive.backends.weights.paths import WeightSlot
from ogive.backends.weights.plan import check_ties, plan_back, tied
from ogive.compiler.ir.weights import opaque
from ogive.extras import needs
from ogive.grammar.diagnostics import ArchError
from ogive.refusals import refuse, warn, wrong

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ogive.backends.weights.draft.drafted import Draft
    from ogive.compiler.ir import model as typed

AnyPath = str | PathLike[str]


class Weighted(Protocol):
    """A model, as what reads and writes its weights sees it."""

    @property
    def name(self) -> str:
        """Its name in the source."""

    @property
    def ir(self) -> typed.Model:
        """The checked model."""

    @property
    def slots(self) -> Mapping[str, WeightSlot]:
        """For each path in the tree of weights: shape, element type, and whether it is learned."""

    @property
    def weights(self) -> Mapping[str, object]:
        """The paths of all weights and states, modules of the user's among them, in the order of the state dict."""

    def torch(self) -> nn.Module:
        """A fresh module."""


@needs("torch")
def load(
    model: Weighted, weights: AnyPath | Mapping[str, Any] | nn.Module, map_: AnyPath | WeightMap | None,
    *, meta: bool = False, depth: int = 3,
) -> dict[str, Tensor]:  # fmt: skip
    """A state dict for the module. Raises `ArchError`, which names every tensor that does not fit.

    `meta` takes tensors without numbers, of which shapes alone are wanted; a warning speaks to the caller so many calls
    above.
    """
    from ogive.backends.weights.tensors import equal, forward, strange
    from ogive.backends.weights.torch_source import of_file, of_state

    mapping = map_of(map_)
    with rendered():
        path = _path(weights)
        source = of_file(path) if path is not None else of_state(state_of(weights), meta)
        slots = stored(model)
        source, told = unwrapped_names(mapping, slots, source)
        planned = moves(mapping, slots, source)
        check_ties(mapping, source, equal)
        made = forward(planned, source)
        warn((*told, *not_finite(strange(made), path or "<weights>")), depth)
        return {name: made[name] for name in slots}


@needs("torch")
def unload(
    model: Weighted, state: Mapping[str, Any] | nn.Module, map_: AnyPath | WeightMap | None, *, depth: int = 3
) -> dict[str, Tensor]:
    """The inverse of `load`: a checkpoint under the names of the map, all that stand for one tensor among them."""
    mapping = map_of(map_)
    from ogive.backends.weights.tensors import backward

    if isinstance(state, str | PathLike):
        raise wrong("weights to unload are those of a module or of a state dict, not a file")
    with rendered():
        ours = load(model, state, None, depth=depth + 1)
        shapes = {name: slot.shape for name, slot in stored(model).items()}
        theirs = backward(plan_back(mapping, shapes), ours)
        return theirs | {alias: theirs[name] for alias, name in tied(mapping, theirs)}


def arrays(
    model: Weighted,
    weights: AnyPath | Mapping[str, Any] | nn.Module,
    map_: AnyPath | WeightMap | None,
    *,
    depth: int = 3,
) -> dict[str, Any]:
    """Weights under our names as arrays that share memory with what they came from. Files need no torch."""
    from ogive.backends.onnx_model.serialize.external_data import equal, moved, of_file, of_state, strange

    mapping = map_of(map_)
    with rendered():
        path = _path(weights)
        source = of_file(path) if path is not None else of_state(state_of(weights))
        slots = stored(model)
        source, told = unwrapped_names(mapping, slots, source)
        planned = moves(mapping, slots, source)
        check_ties(mapping, source, equal)
        made = moved(planned, source)
        warn((*told, *not_finite(strange(made), path or "<weights>")), depth)
        return made


@needs("torch")
def drafted(model: Weighted, weights: AnyPath | Mapping[str, Any] | nn.Module) -> Draft:
    """A first map for a checkpoint, from names, shapes and order."""
    import torch

    from ogive.backends.weights.draft.drafted import draft
    from ogive.backends.weights.torch_source import of_file, of_state

    with rendered():
        path = _path(weights)
        source = of_file(path) if path is not None else of_state(state_of(weights))
        shapes = {name: slot.shape for name, slot in stored(model).items()}

        def values(name: str) -> bytes:
            tensor = source[name].detach().cpu().contiguous()
            return tensor.view(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""

        about = f"{model.name} from {os.path.basename(path) if path is not None else 'a state dict'}."
        return draft(shapes, source.found, source.same, values, printable(about))


def stored(model: Weighted) -> dict[str, WeightSlot]:
    """All tensors of the state dict, in its order: also those of the user's own modules, as these are made."""
    own = model.slots  # first: it refuses what is too much to list
    paths = opaque(model.ir)
    if not paths:
        return dict(own)
    from ogive.backends.weights.foreign import foreign_slots

    theirs, found = foreign_slots(paths, model.torch), {}
    for path in model.weights:
        if path in own:
            found[path] = own[path]
        else:
            found.update((name, slot) for name, slot in theirs.items() if name.startswith(f"{path}."))
    return found


def _path(weights: object) -> str | None:
    """The file that weights were given as."""
    path = fspath(weights) if isinstance(weights, str | PathLike) else None
    if path is not None and not nameable(path):
        raise wrong(f"weights are the path of a file, not {path!r}")
    return path


def state_of(state: object) -> Mapping[str, Any]:
    """The tensors of a module, or those given."""
    if isinstance(state, Mapping):
        names = [name for name in state if not isinstance(name, str)]
        if names:
            raise wrong(f"a state dict has names for keys, not {type(names[0]).__name__}")
        return state
    return unwrapped(state).state_dict()


def unwrapped(module: object) -> nn.Module:
    """The module inside of what replicates, averages or compiles it."""
    with needs("torch"):
        from torch import nn
        from torch.nn.parallel import DataParallel, DistributedDataParallel
        from torch.optim.swa_utils import AveragedModel

    while isinstance(module, nn.Module):
        held = module.module if isinstance(module, DataParallel | DistributedDataParallel | AveragedModel) else None
        inner = held if held is not None else getattr(module, "_orig_mod", None)
        if inner is None:
            return module
        module = inner
    forms = "a module, a state dict, or the path of a file, a folder or an index of shards"
    raise wrong(f"weights are {forms}, not {type(module).__name__}")


def map_of(given: AnyPath | WeightMap | None) -> WeightMap:
    """The map of a file, or as it is; without one, that of our own names."""
    if given is None or isinstance(given, WeightMap):
        return identity() if given is None else given
    if not isinstance(given, str | PathLike) or not nameable(given):
        what = repr(given) if isinstance(given, str) else type(given).__name__
        raise wrong(f"a map of weights is the path of a TOML file, not {what}")
    with rendered():
        return read_map(Path(fspath(given)))


@contextmanager
def rendered() -> Iterator[None]:
    """Faults found below, with their texts."""
    try:
        yield
    except ArchError as error:
        if type(error) is ArchError:
            refuse(error.diagnostics)
        raise
