"""What torch says while it runs: FLOPs by its counter, and the memory that backward keeps, by its hooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import ogive
from ogive.compiler.ir.model import Model
from ogive.compiler.ir_tools.open_sizes import open_sizes
from ogive.compiler.passes.analysis.ranges import index_ranges
from ogive.compiler.sizes import Unknown, size

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.arch"))
ELEMENTS = {"float": torch.float32, "int": torch.long, "bool": torch.bool, "complex": torch.complex64}


def sizes_of(ir: Model, values: Sequence[int] = (8, 16, 64, 2, 1, 128)) -> Iterator[dict[Unknown, int]]:
    """Sizes of the inputs at which the model's conditions hold."""
    free = open_sizes(ir)
    for row in product(values, repeat=len(free)):
        given = dict(zip(free, row, strict=True))
        if all(condition.at({**given, **dict(ir.bindings)}) for condition in ir.conditions):
            yield given


def example(path: Path) -> ogive.Model:
    """The small model of an example."""
    return ogive.load(path).models["Tiny"]


def shapes(ir: Model, at: Mapping[Unknown, int]) -> list[tuple[list[int], str]]:
    """Shape and element type of each input."""
    known = {**at, **dict(ir.bindings)}
    return [([axis.size.at(known) for axis in v.type.axes], v.type.elem) for v in ir.definition.graph.inputs]


def drawn(ir: Model, at: Mapping[Unknown, int]) -> list[Tensor]:
    """Inputs of these sizes, indices inside."""
    known = {unknown: size(number) for unknown, number in {**at, **dict(ir.bindings)}.items()}
    found = []
    for (shape, elem), span in zip(shapes(ir, at), index_ranges(ir, known), strict=True):
        if elem == "int":
            assert span is not None
            found.append(torch.randint(max(span[0], 0), min(span[1], 50) + 1, shape))
        elif elem == "bool":
            found.append(torch.ones(shape, dtype=torch.bool))
        else:
            found.append(torch.randn(shape, dtype=ELEMENTS[elem]))
    return found


def flops(ir: Model, net: nn.Module, at: Mapping[Unknown, int]) -> int:
    """What `FlopCounterMode` counts with gradients enabled, on the meta device: kernels that it has no count for, such
    as fused attention of CPUs, are not taken there.
    """
    inputs = [torch.zeros(shape, dtype=ELEMENTS[elem], device="meta") for shape, elem in shapes(ir, at)]
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        net(*inputs)
    total: int = counter.get_total_flops()
    return total


def kept(net: nn.Module, inputs: Sequence[Tensor], own: Iterable[Tensor] = ()) -> tuple[set[int], int]:
    """Which inputs backward keeps, and the bytes of all other memory that it keeps, each once; weights, states and
    `own` do not count.
    """
    stored = {each.untyped_storage().data_ptr() for each in [*net.parameters(), *net.buffers(), *own]}
    places = {each.untyped_storage().data_ptr(): at for at, each in enumerate(inputs)}
    found, more, alive = set(), {}, []

    def pack(tensor: Tensor) -> Tensor:
        memory = tensor.untyped_storage()
        if memory.data_ptr() in places:
            found.add(places[memory.data_ptr()])
        elif memory.data_ptr() not in stored and memory.nbytes():
            more[memory.data_ptr()] = memory.nbytes()
            alive.append(tensor)  # no other takes its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        net(*inputs)
    return found, sum(more.values())
