"""The front for Python: programs, blocks and models, read from text and lowered on demand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from os import fspath
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ogive.arguments import flag, names, path_text, takes
from ogive.arguments import path as path_of
from ogive.arguments import text as string
from ogive.checkpoints import AnyPath
from ogive.compiler.driver.reports import BlockReport
from ogive.compiler.driver.workspace import CheckedProgram as Checked
from ogive.compiler.driver.workspace import ReadTexts, check_text, read_texts
from ogive.drawing import drawable, drawn
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.files import as_read, read_source
from ogive.grammar.render import render
from ogive.grammar.spelling import close
from ogive.kept import Again, Kept, plain
from ogive.model import Model
from ogive.modules import source_of
from ogive.origin import Origin
from ogive.refusals import refuse, unknown, wrong

if TYPE_CHECKING:
    from ogive.backends.diagram.diagram import Diagram
    from ogive.compiler.passes.pipelines.recipes import Recipe
    from ogive.model import DeployedModel

    AsModel = Model  # for type checkers: what a model has, a block has too
else:
    AsModel = Kept

__all__ = ["Block", "Model", "Program", "load", "source"]

T = TypeVar("T")


@takes(path=path_of, allow_extern=flag)
def load(path: AnyPath, *, allow_extern: bool = False) -> Program:
    """Read and check a file. Raises `ArchError` with the rendered diagnostics where it has errors.

    `allow_extern` lets its `extern` blocks stand for classes of yours, which are imported when a model is built.
    """
    text = read_source(path)
    if isinstance(text, Diagnostic):
        raise ArchError((text,), render((text,)))
    return source(text, fspath(path), allow_extern=allow_extern)


@takes(text=string, path=path_text, allow_extern=flag)
def source(text: str, path: str = "<text>", *, allow_extern: bool = False) -> Program:
    """Check a text; what it imports from files beside it is looked up beside `path`."""
    found = as_read(text, path)
    if isinstance(found, Diagnostic):
        raise ArchError((found,), render((found,)))
    return _checked(found, path, allow_extern)


def _checked(text: str, path: str, extern: bool, texts: ReadTexts | None = None) -> Program:
    """Also what a pickle calls, with the texts that were read."""
    checked = check_text(text, path, extern=extern, texts=texts)
    refuse(checked.diagnostics)
    return Program(checked)


class Program(Kept):
    """A checked file: `program["GPT2"]` is a model, `program["GPT"](vocab=256, ...)` makes one of a block."""

    def __init__(self, checked: Checked) -> None:
        self._checked = checked
        self._origin = Origin.of(checked)

    def __reduce__(self) -> Again:
        return _checked, read_texts(self._checked)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Warnings and hints; a program with errors is never handed out."""
        return tuple(self._checked.diagnostics)

    @cached_property
    def models(self) -> dict[str, Model]:
        """The models that the file declares, by name."""
        return {
            name: Model(
                report,
                {key: recipe for key, recipe in self.recipes.items() if recipe.model == name},
                self._origin.model(report.ir),
                (_model, (self, name)),
            )
            for name, report in self._checked.models.items()
        }

    @cached_property
    def blocks(self) -> dict[str, Block]:
        """The blocks that the file declares, by name."""
        return {report.name: Block(report, self) for report in self._checked.blocks}

    @cached_property
    def recipes(self) -> dict[str, Recipe]:
        """The recipes that the file declares, by name."""
        return dict(self._checked.recipes)

    @takes(recipe=string)
    def deploy(self, recipe: str) -> DeployedModel:
        """The model of a recipe after its passes."""
        found = self.recipes.get(recipe)
        if found is None:
            text = f"no recipe `{recipe}`; there are {', '.join(self.recipes) or 'none'}"
            raise unknown(text, close(str(recipe), tuple(self.recipes)))
        return self.models[found.model].deploy(recipe)

    @takes(only=names, checks=flag)
    def torch_source(self, *, only: Iterable[str] = (), checks: bool = True) -> str:
        """A Python module that needs torch alone, with a function for each model of the file, or for `only` some.

        They share the classes of their blocks.
        """
        found = [self[name] for name in only or self.models]
        wanted = [each._model if isinstance(each, Block) else each for each in found]
        if not wanted:
            raise wrong(
                "the file has no model", f"name a block and its statics: `program[{next(iter(self), 'Net')!r}](...)`"
            )
        return source_of(wanted, checks=checks)

    def __getitem__(self, name: str) -> Model | Block:
        if not isinstance(name, str):
            raise wrong(f"a model or a block is asked for by its name, not by {type(name).__name__}")
        found = self.models.get(name) or self.blocks.get(name)
        if found is None:
            names = [*self.models, *self.blocks]
            raise unknown(f"no model or block `{name}`; there are {', '.join(names) or 'none'}", close(name, names))
        return found

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self.models or name in self.blocks)

    def __iter__(self) -> Iterator[str]:
        return iter([*self.models, *self.blocks])

    def __repr__(self) -> str:
        return f"Program(models=[{', '.join(self.models)}], blocks=[{', '.join(self.blocks)}])"


class Block(AsModel):
    """A block for Python. Called with its statics, it becomes a model; one that needs none is asked as the model is."""

    def __init__(self, report: BlockReport, program: Program) -> None:
        self.name = report.name
        self.signature = report.signature
        self.conditions = tuple(report.conditions)
        self._definition = report.definition
        self._checked = program._checked
        self._origin = program._origin
        self._program = program

    def __reduce__(self) -> Again:
        return _block, (self._program, self.name)

    def __call__(self, *given: object, **statics: Any) -> Model:
        """The model with these statics, by name. Raises `ArchError` where they do not fit."""
        if given:
            raise wrong(
                f"the statics of {self.name} are given by name", f"`{self.name}(d=...)`; tensors go to its module"
            )
        found = self._checked.instantiate(self.name, statics)
        if isinstance(found, tuple):
            refuse(found)
            raise AssertionError(f"{self.name}: no model and no error")
        again = (_made, (self._program, self.name, {name: plain(value) for name, value in statics.items()}))
        return Model(found, origin=self._origin.model(found.ir), again=again)

    @cached_property
    def _model(self) -> Model:
        return self()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What a model has. Raises `ArchError`, which names the statics, where some are still to be given."""
            if name.startswith("_") or name not in dir(Model):
                raise AttributeError(f"a block has no `{name}`; with its statics, `{self.name}(...)`, it is a model")
            return getattr(self._model, name)

    @drawable
    def diagram(
        self, view: Literal["circuit", "overview", "stack", "maps"] = "circuit", depth: int = 0,
        open: Iterable[str] = (), theme: str = "auto", weights: bool = False, fold: bool = True, settings: bool = False,
        sizes: Literal["symbolic", "numeric", "both"] | None = None, at: Mapping[str, int] | None = None,
        direction: Literal["TB", "LR"] = "TB",
        width: str | float | None = None, shape: Literal["rows", "u"] = "rows",
    ) -> Diagram:  # fmt: skip
        """A drawing, with `.save("x.svg")` and the other formats; notebooks show it. For blocks proved for all sizes.

        `depth` levels of blocks are open, and those named in `open`; `weights` draws learned tensors as data.
        Runs that the source has unrolled are drawn once unless `fold` is off. `settings` writes under the glyphs what
        changes numbers alone. `sizes` are written in symbols, as numbers or as both; `at` has numbers for sizes that
        are open; `direction` is that of an overview, `width` that of the page: "85mm", "slide"; in the `shape` "u"
        the rows of an encoder stand beside those of its decoder. Raises `DiagramError` where nothing is called what is
        to be opened, no size what has a number, for widths that no page has, and for a "u" of what is no such net.
        """
        if self._definition is None:
            raise wrong(f"{self.name} depends on its statics", f"draw a model: {self.name}(...).diagram()")
        keeper = self._origin.named(self.name).keeper
        return drawn(
            self._definition,
            keeper,
            view,
            depth,
            open,
            theme,
            weights,
            fold,
            settings,
            sizes,
            at,
            direction,
            width,
            shape,
        )

    def __repr__(self) -> str:
        return f"<block {self.name} {self.signature}>"


def _model(program: Program, name: str) -> Model:
    return _pickled(program.models, name, "model")


def _block(program: Program, name: str) -> Block:
    return _pickled(program.blocks, name, "block")


def _made(program: Program, name: str, statics: dict[str, Any]) -> Model:
    return _pickled(program.blocks, name, "block")(**statics)


def _pickled(found: Mapping[str, T], name: str, kind: str) -> T:
    if name not in found:
        raise wrong(f"this pickle is of a {kind} `{name}`, which its text does not have: the text was changed")
    return found[name]
