"""A model for Python: an entry point of a program, lowered on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from os import fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from ogive.afford import countable, runnable
from ogive.arguments import (
    call_of_pass,
    either,
    flag,
    float_type,
    function,
    listed,
    maybe,
    named,
    names,
    path,
    takes,
    tensor,
    text,
    theme,
    weight_type,
    whole,
)
from ogive.arguments import device as device_here
from ogive.backends.weights.maps import WeightMap
from ogive.backends.weights.paths import WeightSlot, slots
from ogive.checkpoints import AnyPath, drafted, load, rendered, unload, unwrapped
from ogive.compiler.driver.reports import ModelReport
from ogive.compiler.elaborate.state.plain import statics_of
from ogive.compiler.ir.weights import stored
from ogive.compiler.ir_tools.open_sizes import open_sizes
from ogive.drawing import drawable, drawn
from ogive.extras import needs
from ogive.kept import Again, Kept
from ogive.modules import fresh, source_of
from ogive.origin import NOWHERE, Origin, module_files
from ogive.outputs import paths_in
from ogive.refusals import wrong
from ogive.saving import save, shard_size
from ogive.summary import summary

if TYPE_CHECKING:
    from torch import Tensor, device, nn
    from torch import dtype as Dtype
    from torch.optim import Optimizer

    from ogive.backends.diagram.diagram import Diagram
    from ogive.backends.weight_conversion.shrinking import PruningOptimizer
    from ogive.backends.weight_conversion.verify import Deviation
    from ogive.compiler.analysis.frame.result import AnalysisResult
    from ogive.compiler.passes.conversion.graph import Conversion
    from ogive.compiler.passes.pipelines.calls import PassCall
    from ogive.compiler.passes.pipelines.recipes import Recipe
    from ogive.compiler.passes.pipelines.registry import Deployed

    Trained = AnyPath | Mapping[str, Tensor] | nn.Module | None
SOURCE = "source"  # the float type of what weights are converted from
OPAQUE = "opaque"  # in the place of a shape: a module of the user's, whose weights are its own


class Model(Kept):
    """An entry point for Python: every static is given, sizes of inputs stay symbolic."""

    def __init__(
        self, report: ModelReport, recipes: Mapping[str, Recipe] | None = None, origin: Origin = NOWHERE,
        again: Again | None = None,
    ) -> None:  # fmt: skip
        self.recipes = dict(recipes or {})  # those of its file that are for it
        self.name, self.signature, self.conditions = report.name, report.signature, tuple(report.conditions)
        self.ir, self.origin = report.ir, origin
        self._statics, self._parameters, self._again = statics_of(report.ir), report.parameters, again

    @cached_property
    def slots(self) -> dict[str, WeightSlot]:
        """For each path in the tree of weights: shape, element type, and whether it is learned."""
        countable(self.ir)
        return slots(self.ir)

    @property
    def weights(self) -> dict[str, tuple[int, ...] | str]:
        """The shapes of all weights and states by path, in the order of the state dict of the module.

        A module of the user's (`extern`) is one entry, "opaque": its weights are those of the module that is made.
        """
        return dict(self._weights)

    @cached_property
    def _weights(self) -> dict[str, tuple[int, ...] | str]:
        slots = self.slots  # which refuses what cannot be listed
        return {path: OPAQUE if kind == OPAQUE else slots[path].shape for path, kind in stored(self.ir)}

    @property
    def parameters(self) -> int:
        """The number of learned numbers."""
        if self._parameters is not None:
            return self._parameters
        return sum(slot.count for slot in self.slots.values() if slot.kind == "param")

    @property
    def statics(self) -> dict[str, int | float | bool | str | list[Any] | None]:
        """The statics by name, also those left to their defaults, as plain data: blocks as their text."""
        return dict(self._statics)

    @property
    def sizes(self) -> tuple[str, ...]:
        """The names of the sizes that the inputs choose; what a static has fixed is none."""
        return tuple(unknown.name for unknown in open_sizes(self.ir))

    @takes(sizes=named(whole(0)))
    def summary(self, **sizes: int) -> str:
        """A table of the weights, how often each operation runs, and the multiply-adds, also at these sizes."""
        from ogive.analyses import fitting

        fitting(self, sizes)
        return summary(self.name, self.signature, self.conditions, self.ir, self.slots, sizes)

    @drawable
    def diagram(
        self, view: Literal["circuit", "overview", "stack", "maps"] = "circuit", depth: int = 0,
        open: Iterable[str] = (), theme: str = "auto", weights: bool = False, fold: bool = True, settings: bool = False,
        sizes: Literal["symbolic", "numeric", "both"] | None = None, at: Mapping[str, int] | None = None,
        direction: Literal["TB", "LR"] = "TB",
        width: str | float | None = None, shape: Literal["rows", "u"] = "rows",
    ) -> Diagram:  # fmt: skip
        """A drawing, with `.save("x.svg")` and the other formats; notebooks show it.

        `depth` levels of blocks are open, and those named in `open`; `weights` draws learned tensors as data.
        Runs that the source has unrolled are drawn once unless `fold` is off. `settings` writes under the glyphs what
        changes numbers alone. `sizes` are written in symbols, as numbers or as both; `at` has numbers for sizes that
        are open; `direction` is that of an overview, `width` that of the page: "85mm", "slide"; in the `shape` "u"
        the rows of an encoder stand beside those of its decoder. Raises `DiagramError` where nothing is called what is
        to be opened, no size what has a number, for widths that no page has, and for a "u" of what is no such net.
        """
        return drawn(
            self.ir, self.origin.keeper, view, depth, open, theme, weights, fold, settings, sizes, at, direction, width,
            shape,
        )  # fmt: skip

    @takes(device=device_here, dtype=weight_type, recipe=maybe(text), checks=flag)
    def torch(
        self, device: str | device | None = None, *, dtype: Dtype | str | None = None, recipe: str | None = None,
        checks: bool = True,
    ) -> nn.Module:  # fmt: skip
        """A fresh module: the text of `torch_source`, executed.

        `dtype` is the type of its floats, in which they are drawn: torch's, or "f16", "bf16", "f32", "f64". With a
        `recipe`, of the file or as text ("expert_average[at=MLP]"), it is that of the model after these passes; its
        weights are converted from a fresh module of the model itself. With `checks`, it refuses inputs that are not as
        declared.
        """
        return fresh(self, device, dtype, recipe, checks=checks)

    @takes(recipe=maybe(text), checks=flag)
    def torch_source(self, *, recipe: str | None = None, checks: bool = True) -> str:
        """A Python module that needs torch alone; with a `recipe`, that of the model after its passes."""
        if recipe is not None:
            return self.deploy(recipe).torch_source(checks=checks)
        return source_of((self,), checks=checks)

    @takes(
        path=path, sizes=maybe(named(either(whole(0), listed(whole(0))))), ranks=maybe(named(whole(0))),
        dtype=maybe(text), opset=maybe(whole(0)), functions=flag, taps=flag, optional=names, recipe=maybe(text),
        progress=maybe(function), force=flag,
    )  # fmt: skip
    def onnx(
        self, path: AnyPath, weights: AnyPath | Mapping[str, Any] | nn.Module | None = None,
        map: AnyPath | WeightMap | None = None, *, sizes: Mapping[str, int | Sequence[int]] | None = None,
        ranks: Mapping[str, int] | None = None, dtype: str | None = None, opset: int | None = None,
        functions: bool = False, taps: bool = False, optional: Sequence[str] = (), recipe: str | None = None,
        progress: Callable[[int, int], None] | None = None, force: bool = False,
    ) -> tuple[Path, ...]:  # fmt: skip
        """Write an ONNX model, and heavy weights into a file beside it; what was written.

        Without `weights` they start as those of a fresh module. `sizes` fixes sizes of inputs, `ranks` says how many
        axes a pack stands for (one unless given); `dtype` ("f16", "bf16", "f32", "f64") is the float type where it
        is not that of the weights; `functions` keeps blocks as functions; `taps` are outputs too;
        `optional` names optional inputs that the graph takes; `progress` hears the bytes written and those in all.
        With a `recipe`, of the file or as text, what is written is the model after these passes, and its weights are
        converted from those given. A file that is there and that the same call did not write from the same source is
        replaced with `force` alone, one that is read here never.
        """
        from ogive.onnx_file import Asked, export

        asked = Asked(sizes or {}, ranks or {}, dtype, opset, functions, taps, tuple(optional))
        return export(self, path, weights, map, asked, recipe=recipe, force=force, progress=progress)

    @takes(passes=listed(call_of_pass), data=maybe(named(tensor)), loss=maybe(text))
    def deploy(
        self, *passes: str | PassCall, weights: AnyPath | Mapping[str, Tensor] | nn.Module | None = None,
        data: Mapping[str, Tensor] | None = None, loss: str | None = None,
    ) -> DeployedModel:  # fmt: skip
        """The model after passes, by name with options: `model.deploy("specialize[b=1]", "fold")`; "fold" if none.

        The name of a recipe of the file stands for its passes. Passes that choose by weights look at `weights`, those
        that choose by what happens inside at `data`, inputs by name and `target`, and at a `loss`.
        """
        from ogive.compiler.passes.pipelines.registry import run
        from ogive.deployed import calls_for, refused_at, weighing

        with refused_at(self.ir):
            calls = calls_for(self.name, self.recipes, passes or ("fold",))
            state = None if weights is None else load(self, weights, None)
            return DeployedModel(self, run(self.ir, calls, weighed=weighing(state, data, loss)), calls, data)

    @needs("torch")
    def pruning_optimizer(
        self, net: nn.Module, optimizer: Optimizer, *, keep: float = 0.5, start: int = 0, periods: int = 10,
        steps: int = 10, round_to: int = 1,
    ) -> PruningOptimizer:  # fmt: skip
        """Let an optimizer shrink the weakest channels of a module to 0; `prune[keep=...]` of its `share` follows."""
        from ogive.backends.weight_conversion.shrinking import PruningOptimizer
        from ogive.deployed import refused_at

        with refused_at(self.ir):
            return PruningOptimizer(self.ir, unwrapped(net), optimizer, keep, start, periods, steps, round_to)

    @overload
    def analyze(
        self, name: str, *, sizes: Mapping[str, int] | None = None, weights: Trained = None,
        data: Mapping[str, Tensor] | None = None, loss: str | None = None,
    ) -> AnalysisResult: ...  # fmt: skip

    @overload
    def analyze(
        self, name: list[str] | tuple[str, ...], *, sizes: Mapping[str, int] | None = None, weights: Trained = None,
        data: Mapping[str, Tensor] | None = None, loss: str | None = None,
    ) -> list[AnalysisResult]: ...  # fmt: skip

    @takes(name=either(text, names), sizes=maybe(named(whole(0))), data=maybe(named(tensor)), loss=maybe(text))
    def analyze(
        self, name: str | list[str] | tuple[str, ...], *, sizes: Mapping[str, int] | None = None,
        weights: AnyPath | Mapping[str, Tensor] | nn.Module | None = None, data: Mapping[str, Tensor] | None = None,
        loss: str | None = None,
    ) -> AnalysisResult | list[AnalysisResult]:  # fmt: skip
        """What an analysis says, by name with options: `model.analyze("cost[dtype=bf16]", sizes={"b": 1})`.

        A list of names gives a list of results, with `.rows`, `.text()`, `.json()`. Those that compute on numbers take
        `weights` (else as declared), `data` (inputs by name, and `target`) and `loss` ("cross_entropy", "mse"). Raises
        `ArchError` where there is no such analysis, option or size, where one needs more, and for a text with several.
        """
        from ogive.analyses import as_asked

        return as_asked(self, name, sizes or {}, weights=weights, data=data, loss=loss)

    def load_weights(
        self, weights: AnyPath | Mapping[str, Tensor] | nn.Module, map: AnyPath | WeightMap | None = None
    ) -> dict[str, Tensor]:
        """A state dict for the module, renamed by a map: from a file of safetensors, a folder, the index of shards,
        what `torch.save` wrote of a state dict, from a module, or from tensors by name.

        Nothing may be missing, left over, misshapen or of a wrong kind: raises `ArchError`, which names every such
        tensor. A warning (`ArchWarning`) names those that hold NaN or infinities.
        """
        return load(self, weights, map)

    def unload_weights(
        self, state: Mapping[str, Tensor] | nn.Module, map: AnyPath | WeightMap | None = None
    ) -> dict[str, Tensor]:
        """The inverse of `load_weights`: a checkpoint under the names of the map, of the weights of a module.

        All names of a tensor that the map ties are there. Raises `ArchError` where the module is not one of this model.
        """
        return unload(self, state, map)

    def draft_map(self, weights: AnyPath | Mapping[str, Tensor] | nn.Module) -> str:
        """The text of a first map from a checkpoint with other names, by names, shapes and order. Look at it.

        What is not sure, what nothing fits and what is left over stand in it as comments.
        """
        return drafted(self, weights).text

    @takes(path=path, max_shard_size=shard_size, force=flag)
    def save_weights(
        self, path: AnyPath, state: Mapping[str, Tensor] | nn.Module, map: AnyPath | WeightMap | None = None, *,
        max_shard_size: int | str | None = None, force: bool = False,
    ) -> tuple[Path, ...]:  # fmt: skip
        """Write the weights of a module as safetensors, under our names or those of a map; what was written.

        Above `max_shard_size`, such as "5GB", there are shards and `model.safetensors.index.json`, as transformers
        writes them; in a folder the name is `model.safetensors`. What is missing, left over, misshapen or of a wrong
        kind is refused, as `load_weights` does. A file that is there is replaced if it holds weights of this model that
        were saved so, others with `force`.
        """
        limit: Any = max_shard_size  # in bytes, by `takes`
        stamp, reads = self.origin.stamp.by("save_weights"), (*self.inputs, *paths_in(map))
        return save(Path(fspath(path)), unload(self, state, map), stamp, reads, force=force, limit=limit)

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files that the model is made of: those of the program, and modules of Python that it asks for."""
        return (*self.origin.files, *module_files(self.ir))

    def __call__(self, *given: object, **statics: object) -> Model:
        """Refused: a model has all its statics, and a module of it takes tensors."""
        said, help = f"{self.name} is a model: its statics are given", f"`{self.name}.torch()` is a module"
        if statics:
            help = "call the block that it is made of: `program[...](d=...)`"
        raise wrong(said, help)

    def __repr__(self) -> str:
        return f"<model {self.name} {self.signature}>"


class DeployedModel(Model):
    """A model made by passes: a model again, with a conversion of weights."""

    def __init__(
        self, source: Model, deployed: Deployed, calls: Sequence[PassCall], data: Mapping[str, Tensor] | None = None
    ) -> None:
        ir = deployed.model
        origin = replace(source.origin, stamp=source.origin.stamp.after(", ".join(map(str, calls))))
        report = ModelReport(ir.name, source.signature, tuple(map(str, ir.conditions)), None, ir)
        super().__init__(report, origin=origin, again=(Model.deploy, (source, *calls)))
        self.source, self._statics = source, source._statics
        self.passes, self.data = deployed, data

    @property
    def conversion(self) -> Conversion:
        """How each weight comes from those of the source, all passes together; `print` shows it."""
        return self.passes.conversion

    @takes(theme=theme)
    def conversion_diagram(self, theme: str = "auto") -> Diagram:
        """How each weight comes from those of the source, as a circuit that ends at the new weights."""
        from ogive.backends.diagram.diagram import diagram

        if self.conversion.is_identity:
            raise wrong(f"{self.name}: all weights stay as they are: there is no conversion to draw")
        shown = replace(self.conversion.definition, output_names=self.conversion.targets)
        return replace(diagram(shown, theme=theme), keeper=self.origin.keeper)

    def conversion_source(self) -> str:
        """A Python module that needs torch alone: its `convert(state)` gives the weights of this model."""
        from ogive.backends.weight_conversion.source import source_of

        return self.origin.stamp.signed(source_of(self.conversion).encode(), "py").decode()

    @needs("torch")
    @takes(dtype=float_type)
    def convert(
        self, weights: AnyPath | Mapping[str, Tensor] | nn.Module, map: AnyPath | WeightMap | None = None, *,
        dtype: Dtype | str | None = SOURCE,
    ) -> dict[str, Tensor]:  # fmt: skip
        """The weights of this model from those of its source: in float64, then cast to the type of the main source.

        `map` renames a checkpoint with other names; `dtype=None` keeps float64. Raises `ArchError` where weights are
        missing, left over or misshapen, and where two names of one weight differ.
        """
        from ogive.backends.weight_conversion.run import convert
        from ogive.deployed import refuse_training

        refuse_training(self.source.ir, self.passes.steps, weights)
        state = load(self.source, weights, map, meta=True)
        with rendered():
            return convert(self.conversion, state, dtype)

    @needs("torch")
    @takes(device=device_here, checks=flag)
    def fresh(self, device: str | device | None = None, *, checks: bool = True) -> nn.Module:
        """A module whose weights are those of a fresh source, converted: experts start as equal copies."""
        net = self.torch(device, checks=checks)
        net.load_state_dict(self.convert(self.source.torch().state_dict()))
        return net

    @needs("torch")
    @takes(inputs=listed(tensor), sizes=named(whole(0)))
    def verify(self, state: Mapping[str, Tensor] | nn.Module, *inputs: Tensor, **sizes: int) -> Deviation:
        """Run source and result on the same inputs, random at these sizes where none are given.

        Where a pass takes channels away, the source has 0 in their place. What a lossy pass loses is measured on the
        data that it was given.
        """
        from ogive.backends.weight_conversion.referenced import verified
        from ogive.deployed import ordered, refuse_inputs, refuse_random, refuse_training, refused_at

        refuse_inputs(self.source.ir, inputs, sizes)
        refuse_training(self.source.ir, self.passes.steps, state)
        refuse_random(self.source.ir)
        runnable(self.source.ir)
        with refused_at(self.source.ir):
            held = load(self.source, state, None)
            return verified(self.passes, held, inputs, sizes, ordered(self.source.ir, self.data))

    def report(self) -> str:
        """What was folded and what was not, and why; operations before and after."""
        from ogive.deployed import report

        return report(self.source.ir, self.ir, self.passes.notes, (self.source.parameters, self.parameters))

    def __repr__(self) -> str:
        count = len(self.passes.steps)
        return f"<model {self.name} after {count} pass{'' if count == 1 else 'es'}>"
