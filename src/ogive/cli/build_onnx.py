"""`ogive build -o OUT.onnx`: a model as ONNX, checked against torch where asked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from ogive.api import Model

if TYPE_CHECKING:
    from torch import Tensor

Weights: TypeAlias = "Path | dict[str, Tensor] | None"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks of an ONNX file."""

    sizes: Mapping[str, int]
    opset: int | None
    functions: bool
    taps: bool
    optional: tuple[str, ...]
    dtype: str | None
    verify: bool


def build_onnx(model: Model, out: Path, weights: Weights, map_: Path | None, asked: Asked) -> tuple[Path, ...]:
    """Write the files, and say how far ONNX Runtime and torch are apart."""
    state = model.load_weights(weights, map_) if weights is not None and asked.verify else None
    net = model.torch() if asked.verify or weights is None else None
    if net is not None and state is not None:
        net.load_state_dict(state)
    with _told() as progress:
        given = net if net is not None else weights
        files = model.onnx(
            out,
            given,
            None if net is not None else map_,
            sizes=asked.sizes,
            dtype=asked.dtype,
            opset=asked.opset,
            functions=asked.functions,
            taps=asked.taps,
            optional=asked.optional,
            progress=progress,
        )
    if asked.verify:
        # torch and ONNX Runtime, which nothing else here needs
        from ogive.backends.onnx_model.export import Settings
        from ogive.backends.onnx_model.verify import compared, lines

        assert net is not None
        settings = Settings(asked.sizes, {}, asked.dtype, asked.opset, asked.functions, asked.taps, asked.optional)
        click.echo("\n".join(lines(compared(model.ir, out, net, settings))))
    return files


@contextmanager
def _told() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal while much is written."""
    if not sys.stderr.isatty():
        yield None
        return
    # rich takes longer to import than small models to write
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress

    with Progress("writing", BarColumn(), DownloadColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def sizes_of(given: Sequence[tuple[str, object]]) -> dict[str, int]:
    """Sizes of `-s`."""
    found: dict[str, int] = {}
    for name, value in given:
        if type(value) is not int or value < 1:
            raise click.UsageError(f"`{name}={value}`: a size is a whole number from 1 on")
        found[name] = value
    return found
