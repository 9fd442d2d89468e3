"""A model as an ONNX file: weights from anywhere, settings, what may be replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from os import fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ogive.afford import runnable
from ogive.backends.weights.maps import WeightMap
from ogive.checkpoints import AnyPath, Weighted, arrays
from ogive.extras import needs
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.source import Chunk, Span
from ogive.origin import Origin
from ogive.outputs import DATA, OutputFile, opened, paths_in
from ogive.refusals import refuse

if TYPE_CHECKING:
    from torch import nn

    from ogive.backends.weights.whole import Files


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a file; see `Model.onnx`."""

    sizes: Mapping[str, int | Sequence[int]] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)
    dtype: str | None = None
    opset: int | None = None
    functions: bool = False
    taps: bool = False
    optional: tuple[str, ...] = ()


class Exportable(Weighted, Protocol):
    """A model, as what writes a file of it sees it."""

    @property
    def name(self) -> str:
        """Its name in the source."""

    @property
    def origin(self) -> Origin:
        """The text that it comes from."""

    @property
    def inputs(self) -> Sequence[Path]:
        """The files that it is made of."""

    def deploy(self, recipe: str, /) -> Converted:
        """The model after the passes of a recipe."""


class Converted(Exportable, Protocol):
    """A model after passes: its weights come from those of the model before them."""

    def fresh(self) -> nn.Module:
        """A module whose weights are those of a fresh source, converted."""

    def convert(
        self, weights: AnyPath | Mapping[str, Any] | nn.Module, map: AnyPath | WeightMap | None, /
    ) -> Mapping[str, Any]:
        """Its weights from those of the model before its passes."""


@needs("onnx")
def export(
    model: Exportable, path: AnyPath, weights: AnyPath | Mapping[str, Any] | nn.Module | None,
    map_: AnyPath | WeightMap | None, asked: Asked, *, recipe: str | None = None, command: str = "onnx",
    inputs: Sequence[Path] = (), force: bool = False,
    progress: Callable[[int, int], None] | None = None, checked: Callable[[Path], None] = lambda made: None,
) -> tuple[Path, ...]:  # fmt: skip
    """Write the files of a model; what was written. `inputs` are files that were read on the way here.

    `checked` looks at the model before it is put in its place, and may refuse it by an exception.
    """
    path = Path(fspath(path))
    reads = (*model.inputs, *inputs, *paths_in(weights, map_))
    if recipe is not None:
        model = converted = model.deploy(recipe)
        weights = converted.fresh() if weights is None else converted.convert(weights, map_)
        map_ = None
    stamp = model.origin.stamp.by(command)

    def places(paths: Sequence[Path]) -> Files:
        outputs = [OutputFile(each, stamp, "onnx", None if each == path else path) for each in paths]
        return opened(outputs, reads, force)

    places([path])  # refused before anything is computed
    runnable(model.ir, ("repeat",))
    from ogive.backends.onnx_model.export import Settings, exported
    from ogive.backends.onnx_model.graph.errors import OnnxError
    from ogive.backends.onnx_model.serialize.write import write

    settings = Settings(asked.sizes, asked.ranks, asked.dtype, asked.opset, asked.functions, asked.taps, asked.optional)
    given = arrays(model, model.torch() if weights is None else weights, map_, depth=5)
    try:
        made = exported(model.ir, given, settings)
    except OnnxError as error:
        span = model.ir.definition.span or Span(Chunk(""), 0, 0)
        refuse((Diagnostic(error.code, f"{model.name}: {error.text}", error.span or span),))
        raise
    return write(made, path, places, stamp.metadata, DATA, progress or (lambda done, total: None), checked)
