"""The front for Python: programs, blocks and models, read from text and lowered on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ogive.backends.pytorch.errors import LoweringError
from ogive.backends.weights.maps import WeightMap, identity, read_map
from ogive.backends.weights.paths import Slot, slots
from ogive.backends.weights.plan import check_ties, plan, plan_back
from ogive.compiler.program import Program as Checked
from ogive.compiler.program import check_text
from ogive.compiler.program_types import BlockReport, ModelReport
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.files import read_source
from ogive.grammar.render import render
from ogive.grammar.source import Chunk, Span
from ogive.summary import summary

if TYPE_CHECKING:
    from torch import Tensor, device, nn

    from ogive.backends.diagram.diagram import Diagram
    from ogive.compiler.passes.deploy import PassCall
    from ogive.compiler.passes.deploy_recipe import Recipe
    from ogive.deployed import DeployedModel

AnyPath = str | PathLike[str]


def load(path: AnyPath, *, allow_extern: bool = False) -> Program:
    """Read and check a file. Raises `ArchError` with the rendered diagnostics where it has errors.

    `allow_extern` lets its `extern` blocks stand for classes of yours, which are imported when a model is built.
    """
    text = read_source(path)
    if isinstance(text, Diagnostic):
        raise ArchError((text,), render((text,)))
    return source(text, fspath(path), allow_extern=allow_extern)


def source(text: str, path: str = "<text>", *, allow_extern: bool = False) -> Program:
    """Check a text; what it imports from files beside it is looked up beside `path`."""
    checked = check_text(text, path, extern=allow_extern)
    _refuse(checked.diagnostics)
    return Program(checked)


class Program:
    """A checked file: `program["GPT2"]` is a model, `program["GPT"](vocab=256, ...)` makes one of a block."""

    def __init__(self, checked: Checked) -> None:
        self._checked = checked

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Warnings and hints; a program with errors is never handed out."""
        return tuple(self._checked.diagnostics)

    @cached_property
    def models(self) -> dict[str, Model]:
        """The models that the file declares, by name."""
        return {
            name: Model(report, {key: recipe for key, recipe in self.recipes.items() if recipe.model == name})
            for name, report in self._checked.models.items()
        }

    @cached_property
    def blocks(self) -> dict[str, Block]:
        """The blocks that the file declares, by name."""
        return {report.name: Block(report, self._checked) for report in self._checked.blocks}

    @cached_property
    def recipes(self) -> dict[str, Recipe]:
        """The recipes that the file declares, by name."""
        return dict(self._checked.recipes)

    def deploy(self, recipe: str) -> DeployedModel:
        """The model of a recipe after its passes."""
        found = self.recipes.get(recipe)
        if found is None:
            raise KeyError(f"no recipe `{recipe}`; there are {', '.join(self.recipes) or 'none'}")
        return self.models[found.model].deploy(recipe)

    def __getitem__(self, name: str) -> Model | Block:
        found = self.models.get(name) or self.blocks.get(name)
        if found is None:
            raise KeyError(f"no model or block `{name}`; there are {', '.join([*self.models, *self.blocks]) or 'none'}")
        return found

    def __contains__(self, name: object) -> bool:
        return name in self.models or name in self.blocks

    def __iter__(self) -> Iterator[str]:
        return iter([*self.models, *self.blocks])

    def __repr__(self) -> str:
        return f"Program(models=[{', '.join(self.models)}], blocks=[{', '.join(self.blocks)}])"


class Block:
    """A block. Called with its statics, it becomes a model."""

    def __init__(self, report: BlockReport, checked: Checked) -> None:
        self.name = report.name
        self.signature = report.signature
        self.conditions = tuple(report.conditions)
        self._definition = report.definition
        self._checked = checked

    def __call__(self, **statics: Any) -> Model:
        """The model with these statics. Raises `ArchError` where they do not fit."""
        found = self._checked.instantiate(self.name, statics)
        if isinstance(found, tuple):
            _refuse(found)
            raise AssertionError(f"{self.name}: no model and no error")
        return Model(found)

    def diagram(
        self,
        view: Literal["circuit", "overview"] = "circuit",
        depth: int = 0,
        open: Iterable[str] = (),
        theme: str = "auto",
        weights: bool = False,
        fold: bool = True,
    ) -> Diagram:
        """A drawing, with `.save("x.svg")` and the other formats; notebooks show it. For blocks proved for all sizes.

        `depth` levels of blocks are open, and those named in `open`; `weights` draws learned tensors as data.
        Runs that the source has unrolled are drawn once unless `fold` is off.
        """
        from ogive.backends.diagram.diagram import diagram

        if self._definition is None:
            raise ValueError(f"{self.name} depends on its statics: draw a model, {self.name}(...).diagram()")
        return diagram(self._definition, view=view, depth=depth, open=open, theme=theme, weights=weights, fold=fold)

    def __repr__(self) -> str:
        return f"<block {self.name} {self.signature}>"


class Model:
    """An entry point: every static is given, sizes of inputs stay symbolic."""

    def __init__(self, report: ModelReport, recipes: Mapping[str, Recipe] | None = None) -> None:
        self.recipes = dict(recipes or {})  # those of its file that are for it
        self.name = report.name
        self.signature = report.signature
        self.conditions = tuple(report.conditions)
        self.ir = report.ir
        self._parameters = report.parameters

    @cached_property
    def slots(self) -> dict[str, Slot]:
        """For each path in the tree of weights: shape, element type, and whether it is learned."""
        return slots(self.ir)

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all weights and states by path, as in the state dict of the module."""
        return {path: slot.shape for path, slot in self.slots.items()}

    @property
    def parameters(self) -> int:
        """The number of learned numbers."""
        if self._parameters is not None:
            return self._parameters
        return sum(slot.count for slot in self.slots.values() if slot.kind == "param")

    @property
    def sizes(self) -> tuple[str, ...]:
        """The names of the sizes that the inputs bind."""
        return tuple(unknown.name for unknown in self.ir.definition.sizes)

    def summary(self, **sizes: int) -> str:
        """A table of the weights, how often each operation runs, and the multiply-adds, also at these sizes."""
        unknown = sizes.keys() - set(self.sizes)
        if unknown:
            raise ValueError(f"{self.name} has no size {', '.join(sorted(unknown))}; it has {', '.join(self.sizes)}")
        return summary(self.name, self.signature, self.conditions, self.ir, self.slots, sizes)

    def diagram(
        self,
        view: Literal["circuit", "overview"] = "circuit",
        depth: int = 0,
        open: Iterable[str] = (),
        theme: str = "auto",
        weights: bool = False,
        fold: bool = True,
    ) -> Diagram:
        """A drawing, with `.save("x.svg")` and the other formats; notebooks show it.

        `depth` levels of blocks are open, and those named in `open`; `weights` draws learned tensors as data.
        Runs that the source has unrolled are drawn once unless `fold` is off.
        """
        from ogive.backends.diagram.diagram import diagram

        return diagram(self.ir, view=view, depth=depth, open=open, theme=theme, weights=weights, fold=fold)

    def torch(self, device: str | device | None = None, *, recipe: str | None = None) -> nn.Module:
        """A fresh module: the text of `torch_source`, executed.

        With a `recipe`, of the file or as text ("expert_average[at=MLP]"), that of the model after these passes; its
        weights are converted from a fresh module of the model itself.
        """
        from ogive.backends.pytorch.module import build

        if recipe is not None:
            return self.deploy(recipe).fresh(device)
        with self._lowering():
            return build(self.ir, device=device)

    def torch_source(self, *, recipe: str | None = None) -> str:
        """A Python module that needs torch alone; with a `recipe`, that of the model after its passes."""
        from ogive.backends.pytorch.emit import emit

        if recipe is not None:
            return self.deploy(recipe).torch_source()
        with self._lowering():
            return emit(self.ir)

    def onnx(
        self,
        path: AnyPath,
        weights: AnyPath | Mapping[str, Any] | nn.Module | None = None,
        map: AnyPath | WeightMap | None = None,
        *,
        sizes: Mapping[str, int | Sequence[int]] | None = None,
        ranks: Mapping[str, int] | None = None,
        dtype: str | None = None,
        opset: int | None = None,
        functions: bool = False,
        taps: bool = False,
        optional: Sequence[str] = (),
        recipe: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[Path, ...]:
        """Write an ONNX model, and heavy weights into a file beside it; what was written.

        Without `weights` they start as those of a fresh module. `sizes` fixes sizes of inputs, `ranks` says how many
        axes a pack stands for (one unless given); `dtype` ("f16", "bf16", "f32", "f64") is the float type where it
        is not that of the weights; `functions` keeps blocks as functions; `taps` are outputs too;
        `optional` names optional inputs that the graph takes; `progress` hears the bytes written and those in all.
        With a `recipe`, of the file or as text, what is written is the model after these passes, and its weights are
        converted from those given.
        """
        if recipe is not None:
            result = self.deploy(recipe)
            made = result.fresh() if weights is None else result.convert(weights, map)
            return result.onnx(
                path, made, sizes=sizes, ranks=ranks, dtype=dtype, opset=opset, functions=functions, taps=taps,
                optional=optional, progress=progress,
            )  # fmt: skip
        # onnx is an extra
        from ogive.backends.onnx_model.errors import OnnxError
        from ogive.backends.onnx_model.export import Settings, exported
        from ogive.backends.onnx_model.write import write

        settings = Settings(sizes or {}, ranks or {}, dtype, opset, functions, taps, tuple(optional))
        arrays = self._arrays(weights, map)
        try:
            model = exported(self.ir, arrays, settings)
        except OnnxError as error:
            span = self.ir.definition.span or Span(Chunk(""), 0, 0)
            _refuse((Diagnostic(error.code, f"{self.name}: {error.text}", error.span or span),))
            raise
        return write(model, Path(fspath(path)), progress or (lambda done, total: None))

    def _arrays(
        self, weights: AnyPath | Mapping[str, Any] | nn.Module | None, map: AnyPath | WeightMap | None
    ) -> dict[str, Any]:
        """Weights under our names, as arrays, from whatever holds them."""
        from ogive.backends.onnx_model.sources import arrays, equal, moved, read_file

        if isinstance(weights, str | PathLike):
            theirs = read_file(weights)
        else:
            theirs = arrays(self.torch() if weights is None else weights)
        mapping = _map(map)
        try:
            moves = plan(mapping, self.weights, {name: tuple(array.shape) for name, array in theirs.items()})
            check_ties(mapping, theirs, equal)
        except ArchError as error:
            _refuse(error.diagnostics)
            raise
        return moved(moves, theirs)

    def deploy(self, *passes: str | PassCall) -> DeployedModel:
        """The model after passes, by name with options: `model.deploy("specialize[b=1]", "fold")`; "fold" if none.

        The name of a recipe of the file stands for its passes.
        """
        from ogive.deployed import deploy

        return deploy(self, passes or ("fold",))

    @contextmanager
    def _lowering(self) -> Iterator[None]:
        """What a backend cannot say becomes a diagnostic at the block of the model."""
        try:
            yield
        except LoweringError as error:
            span = self.ir.definition.span or Span(Chunk(""), 0, 0)
            _refuse((Diagnostic(error.code, f"{self.name}: {error.text}", span),))

    def load_weights(
        self, weights: AnyPath | Mapping[str, Tensor] | nn.Module, map: AnyPath | WeightMap | None = None
    ) -> dict[str, Tensor]:
        """A state dict for the module, from safetensors, from a module or from tensors by name, renamed by a map.

        Nothing may be missing, left over or misshapen: raises `ArchError`, which names every such tensor.
        """
        from ogive.backends.weights.files import read
        from ogive.backends.weights.tensors import equal, forward

        mapping = _map(map)
        tensors = read(fspath(weights)) if isinstance(weights, str | PathLike) else state_of(weights)
        try:
            moves = plan(mapping, self.weights, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
            check_ties(mapping, tensors, equal)
        except ArchError as error:
            _refuse(error.diagnostics)
            raise
        return forward(moves, tensors)

    def unload_weights(
        self, state: Mapping[str, Tensor] | nn.Module, map: AnyPath | WeightMap | None = None
    ) -> dict[str, Tensor]:
        """The inverse of `load_weights`: a checkpoint under the names of the map, of the weights of a module."""
        from ogive.backends.weights.tensors import backward

        return backward(plan_back(_map(map), self.weights), state_of(state))

    def save_weights(
        self, path: AnyPath, state: Mapping[str, Tensor] | nn.Module, map: AnyPath | WeightMap | None = None
    ) -> None:
        """Write the weights of a module as safetensors, under our names or those of a map."""
        from ogive.backends.weights.files import write

        write(fspath(path), self.unload_weights(state, map))

    def __repr__(self) -> str:
        return f"<model {self.name} {self.signature}>"


def state_of(state: Mapping[str, Tensor] | nn.Module) -> Mapping[str, Tensor]:
    """The tensors of a module, or those given."""
    return state if isinstance(state, Mapping) else unwrapped(state).state_dict()


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside of what replicates, averages or compiles it."""
    from torch.nn.parallel import DataParallel, DistributedDataParallel
    from torch.optim.swa_utils import AveragedModel

    while True:
        held = module.module if isinstance(module, DataParallel | DistributedDataParallel | AveragedModel) else None
        inner = held if held is not None else getattr(module, "_orig_mod", None)
        if inner is None:
            return module
        module = inner


def _map(given: AnyPath | WeightMap | None) -> WeightMap:
    if given is None:
        return identity()
    if isinstance(given, WeightMap):
        return given
    try:
        return read_map(given)
    except ArchError as error:
        _refuse(error.diagnostics)
        raise


def _refuse(diagnostics: tuple[Diagnostic, ...]) -> None:
    errors = tuple(found for found in diagnostics if found.severity == "error")
    if errors:
        raise ArchError(errors, render(errors)) from None
