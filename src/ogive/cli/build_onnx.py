"""`ogive build -o OUT.onnx`: a model as ONNX, checked against torch where asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ogive.cli.common import say
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.source import Chunk, Span
from ogive.model import DeployedModel, Model
from ogive.onnx_file import Asked, export
from ogive.outputs import paths_in
from ogive.refusals import refuse

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Given:
    """What a command line gives beside a program: a checkpoint, and whether files may be replaced."""

    weights: Path | None
    map: Path | None
    command: str
    force: bool

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read."""
        return paths_in(self.weights, self.map)


def converted(model: Model, given: Given) -> dict[str, Tensor]:
    """The weights of a model, after the passes that made it, from a checkpoint."""
    assert given.weights is not None
    if isinstance(model, DeployedModel):
        return model.convert(given.weights, given.map)
    return model.load_weights(given.weights, given.map)


def build_onnx(
    model: Model, out: Path, given: Given, asked: Asked, verify: bool, hear: Callable[[int, int], None]
) -> tuple[Path, ...]:
    """Write the files, and say how far ONNX Runtime and torch are apart. `hear` hears of bytes written."""
    net = _module(model, given) if verify or given.weights is None else None
    weights: nn.Module | dict[str, Tensor] | Path | None = net
    map_ = None
    if net is None and isinstance(model, DeployedModel):
        weights = converted(model, given)
    elif net is None:
        weights, map_ = given.weights, given.map

    def checked(made: Path) -> None:
        if net is None or not verify:
            return
        # torch and ONNX Runtime, which nothing else here needs
        from ogive.backends.onnx_model.export import Settings
        from ogive.backends.onnx_model.graph.errors import OnnxError
        from ogive.backends.onnx_model.verify import compared

        settings = Settings(asked.sizes, {}, asked.dtype, asked.opset, asked.functions, asked.taps, asked.optional)
        try:
            report = compared(model.ir, made, net, settings)
        except OnnxError as error:
            span = error.span or model.ir.definition.span or Span(Chunk(""), 0, 0)
            refuse((Diagnostic(error.code, f"{model.name}: {error.text}", span),))
            raise
        say("\n".join(report.lines))
        if report.faults:
            raise click.ClickException("\n  ".join([f"{model.name}: nothing is written", *report.faults]))

    return export(
        model, out, weights, map_, asked, command=given.command, inputs=given.files, force=given.force,
        progress=hear, checked=checked,
    )  # fmt: skip


def _module(model: Model, given: Given) -> nn.Module:
    """The module whose weights are written: with those of a checkpoint, or fresh ones."""
    if given.weights is None:
        return model.fresh() if isinstance(model, DeployedModel) else model.torch()
    net = model.torch()
    net.load_state_dict(converted(model, given))
    return net


def sizes_of(given: Sequence[tuple[str, object]]) -> dict[str, int]:
    """Sizes of `-s`."""
    found: dict[str, int] = {}
    for name, value in given:
        if type(value) is not int or value < 1:
            raise click.UsageError(f"`{name}={value}`: a size is a whole number from 1 on")
        found[name] = value
    return found
