"""`ogive.from_onnx`: a graph of ONNX as a program, which is compared with what ONNX Runtime gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ogive.backends.from_onnx.bounded import BoundedMemory
from ogive.backends.from_onnx.flat import flatten
from ogive.backends.from_onnx.read import OnnxRefused, read_model
from ogive.backends.from_onnx.tree import module_of
from ogive.backends.from_onnx.values import TYPES
from ogive.backends.from_torch.compare import TRIALS, random_input, tries
from ogive.extras import needs
from ogive.grammar.diagnostics import ArchError
from ogive.imported import Imported, from_torch, refusal

BOUND = 1e-5  # how far outputs may be from those of ONNX Runtime, as a share of the largest
_SMALL = (2, 5, 7, 11, 13, 17)
_NUMBERED = re.compile(r"s\d+|\w+_dim_\d+|unk__\d+")  # names that exporters give to sizes
_SIDES = (64, 96, 80)


def from_onnx(
    path: str | PathLike[str], name: str = "Net", sizes: Mapping[str, int] | None = None, *, verify: bool = True
) -> Imported:
    """A graph of ONNX as a program: scopes and functions are its blocks.

    Axes of inputs that have a name, or none, are free; `sizes` says how long they are while the graph is traced. The
    program is compared with the graph itself and with ONNX Runtime. Raises `ArchError` with what has no operation here,
    for files that are none or are cut off, and for what lies outside of the folder of the file.
    """
    place = Path(path)
    with needs("onnx"):
        import onnx  # noqa: F401
    try:
        model = read_model(place)
        with BoundedMemory():  # type: ignore[no-untyped-call]
            graph = flatten(model, place.parent)
        names = [_identifier(each.name, i) for i, each in enumerate(graph.inputs)]
        axes = _renamed({label: _axes(each) for label, each in zip(names, graph.inputs, strict=True)})
        numbers = _numbers(axes, dict(sizes or {}))
        args = tuple(_example(each, axes[label], numbers) for label, each in zip(names, graph.inputs, strict=True))
        module = module_of(graph, name, names)
        with torch.no_grad(), BoundedMemory():  # type: ignore[no-untyped-call]
            module(*args)
    except OnnxRefused as error:
        raise refusal(f"`{place}` is not imported: {error}") from error
    except (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        said = str(error).partition("\n")[0]
        raise refusal(f"`{place}` is not imported: it does not run at {numbers_said(locals())}: {said}",
                      "other sizes: `sizes`, -s NAME=NUMBER") from error  # fmt: skip
    origin = f"Imported from {place.name} by ogive import."
    wanted: dict[str, list[str | int | None]] = {label: list(each) for label, each in axes.items()}
    imported = from_torch(module, args, sizes=wanted, name=name, verify=verify, strict=True, origin=origin)
    if verify:
        _compared(place, imported, args, [each.name for each in graph.inputs])
    return imported


def numbers_said(held: Mapping[str, Any]) -> str:
    """The sizes of a trace, for a message."""
    return ", ".join(f"{key}={value}" for key, value in held.get("numbers", {}).items()) or "any size"


def _identifier(name: str, place: int) -> str:
    found = re.sub(r"\W", "_", name)
    return found if found.isidentifier() else f"x{place}"


def _axes(value: Any) -> list[str | int]:
    """The axes of an input: a number, or a name."""
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not tensor.HasField("shape"):
        raise OnnxRefused(f"the input `{value.name}` has no shape")
    found: list[str | int] = []
    for i, each in enumerate(tensor.shape.dim):
        if each.HasField("dim_value"):
            if each.dim_value < 1:
                raise OnnxRefused(f"the input `{value.name}` has an axis of {each.dim_value} entries")
            found.append(int(each.dim_value))
        else:
            label = re.sub(r"\W", "_", each.dim_param)
            found.append(label if label.isidentifier() else f"{_identifier(value.name, 0)}_{i}")
    return found


def _renamed(axes: Mapping[str, list[str | int]]) -> dict[str, list[str | int]]:
    """Axes with names of the field where an exporter numbered them."""
    taken = {axis for each in axes.values() for axis in each if isinstance(axis, str) and not _NUMBERED.fullmatch(axis)}
    told: dict[str, str] = {}
    for each in axes.values():
        hints = {1: "n", 2: "bn", 3: "bnm", 4: "bchw", 5: "bcthw"}.get(len(each), "")
        for i, axis in enumerate(each):
            if isinstance(axis, str) and axis not in taken and axis not in told:
                options = [*hints[i : i + 1], *"nmlkpqstuvgrij"]
                told[axis] = next((o for o in options if o not in taken and o not in told.values()), axis)
    return {name: [told.get(str(axis), axis) for axis in each] for name, each in axes.items()}


def _numbers(axes: Mapping[str, list[str | int]], given: Mapping[str, int]) -> dict[str, int]:
    """How long free axes are in the trace: sides of images long, others short, no two the same."""
    found: dict[str, int] = dict(given)
    small, sides = iter(_SMALL), iter(_SIDES)
    for each in axes.values():
        for i, axis in enumerate(each):
            if isinstance(axis, str) and axis not in found:
                found[axis] = next(sides, 112) if len(each) == 4 and i >= 2 else next(small, 19 + 2 * len(found))
    return found


def _example(value: Any, axes: list[str | int], numbers: Mapping[str, int]) -> Tensor:
    shape = [each if isinstance(each, int) else numbers[each] for each in axes]
    kind = TYPES.get(value.type.tensor_type.elem_type)
    if kind not in (torch.float32, torch.int64, torch.int32, torch.bool):
        raise OnnxRefused(f"the input `{value.name}` has numbers of type {value.type.tensor_type.elem_type}")
    if kind.is_floating_point:
        return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(kind)
    return torch.ones(shape, dtype=kind) if kind == torch.bool else torch.zeros(shape, dtype=kind)


def _compared(place: Path, imported: Imported, args: tuple[Tensor, ...], names: list[str]) -> None:
    """Raises `ArchError` where the outputs are not those of ONNX Runtime, at the sizes of the trace and at others."""
    with needs("onnxruntime"):
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    net = imported.model.torch().eval()
    net.load_state_dict({**net.state_dict(), **imported.weights})
    generator = torch.Generator().manual_seed(1)
    done, said = 0, ""
    try:
        session = onnxruntime.InferenceSession(str(place), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class
        first = str(error).partition("\n")[0]
        raise refusal(f"ONNX Runtime does not run `{place}`: {first}", "--no-verify compares nothing") from error
    for sizes in tries(args, {}, imported.inputs, {}):
        made = [random_input(t, a, sizes, generator, t.dtype) for t, a in zip(args, imported.inputs, strict=True)]
        try:
            expected = session.run(None, {name: each.numpy() for name, each in zip(names, made, strict=True)})
        except Exception as error:  # it does not take these sizes
            said = said or str(error).partition("\n")[0]
            continue
        try:
            with torch.no_grad():
                result = net(*made)
        except (RuntimeError, ValueError, TypeError, IndexError, AssertionError):
            if done:
                continue  # the program takes fewer sizes, as its conditions say
            raise
        for i, (mine, other) in enumerate(
            zip(result if isinstance(result, tuple) else (result,), expected, strict=True)
        ):
            _equal(imported.name, i, mine, torch.as_tensor(other))
        done += 1
        if done == TRIALS:
            break
    if not done:
        raise refusal(f"ONNX Runtime does not run `{place}`: {said}", "--no-verify compares nothing")
    assert imported.verified is not None
    imported.verified.notes.append(f"ONNX Runtime gives the same at {done} choices of sizes")


def _equal(name: str, place: int, mine: Tensor, other: Tensor) -> None:
    """Raises `ArchError` where an output is another."""
    if mine.shape != other.shape:
        raise refusal(
            f"`{name}` is not what ONNX Runtime gives: output {place} is {list(mine.shape)}, not {list(other.shape)}"
        )
    if not other.numel():
        return
    apart = float((mine.double() - other.double()).abs().max()) / (float(other.double().abs().max()) or 1.0)
    if not apart <= (BOUND if other.is_floating_point() else 0.0):
        raise refusal(f"`{name}` is not what ONNX Runtime gives: output {place} is {apart:.1e} of its largest off")


__all__ = ["ArchError", "from_onnx"]
