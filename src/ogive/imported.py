"""`ogive.from_torch`: a module of PyTorch as a program, which is compared with its source."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ogive.api import Program, source
from ogive.backends.from_torch.compare import SourceCompared, compared
from ogive.backends.from_torch.program import ProgramText, drafted, program_text
from ogive.backends.from_torch.trace import Untraceable, tied
from ogive.backends.weights.whole import write_all
from ogive.compiler.driver.workspace import Workspace
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.formatter import format_text
from ogive.grammar.source import Chunk, Span
from ogive.mend import mend
from ogive.model import Model

Sizes = Mapping[str, Sequence[str | int | None]]


# whether widths are statics, and whether equal numbers of any kind are one: the first that the checker takes
ATTEMPTS = ((True, False), (True, True), (False, True))


class Imported:
    """A module as a program: `.text`, `.program`, `.model`, `.weights`, `.map`, `.report`, `.verify()`, `.save()`."""

    def __init__(
        self,
        module: nn.Module,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        found: ProgramText,
        program: Program,
        name: str,
    ) -> None:
        self._module, self._args, self._kwargs, self._found = module, args, kwargs, found
        self.text, self.program, self.name = found.text, program, name
        self.verified: SourceCompared | None = None

    @cached_property
    def model(self) -> Model:
        """The model."""
        return self.program.models[self.name]

    @property
    def externs(self) -> tuple[str, ...]:
        """What has no operation: nothing, since a module that holds such a thing is refused."""
        return ()

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """The weights of the source under their names in the program."""
        return self._renamed(self._module)

    def _renamed(self, module: nn.Module) -> dict[str, Tensor]:
        held = {
            **dict(module.named_parameters(remove_duplicate=False)),
            **dict(module.named_buffers(remove_duplicate=False)),
        }
        ours = self.model.weights
        return {new: held[old].detach() for old, new in self._found.weights.items() if new in ours}

    @cached_property
    def map(self) -> str:
        """The map of weights, in TOML, from the names of the source."""
        lines = ["# From the names of the source.", "", "[weights]"]
        names = self._found.modules
        for old, new in sorted(names.items(), key=lambda each: -each[0].count(".")):
            above, _, last = old.rpartition(".")
            if new == f"{names.get(above, above)}.{last}":
                continue  # the line of the module above says so
            if new in self.model.weights:
                lines.append(f'"{new}" = "{old}"')
            elif any(path.startswith(f"{new.replace('*', '0')}.") for path in self.model.weights):
                lines.append(f'"{new}.*" = "{old}.*"')
        same = tied(self._module)
        ties = {old: other for old in self._found.weights for other in same.get(old, ()) if other != old}
        lines += ["", "[ties]", *(f'"{other}" = "{old}"' for old, other in ties.items())] if ties else []
        unread = sorted(set(self._module.state_dict()) - set(self._found.weights) - set(ties.values()))
        lines += ["", "[ignore]", f"names = {json.dumps(unread)}"] if unread else []
        return "\n".join(lines) + "\n"

    @property
    def report(self) -> dict[str, Any]:
        """What was imported: inputs, free sizes, the conditions that the checker found, what was compared."""
        block = next(each for each in self.program.models.values() if each.name == self.name)
        return {
            "signature": str(block.signature),
            "free_sizes": list(self.model.sizes),
            "conditions": [str(each) for each in block.conditions],
            "fixed": [{"size": size, "value": value} for size, value in self._found.fixed],
            "externs": [],
            "notes": [*self._found.notes, *self._unlearned()],
            "verify": self.verified.as_data() if self.verified is not None else None,
        }

    def _unlearned(self) -> list[str]:
        """Rows of tables that the source leaves out of learning, and the program does not."""
        return [
            f"row {each.padding_idx} of `{path}.weight` learns here, and not in the source (padding_idx)"
            for path, each in self._module.named_modules()
            if isinstance(each, nn.Embedding) and each.padding_idx is not None
        ]

    def verify(self, **sizes: int) -> SourceCompared:
        """Compare with the source: outputs and gradients, in float32 to 1e-5 and in float64 to 1e-10.

        Raises `ArchError` where they differ. `sizes` are those of one more comparison.
        """
        with torch.random.fork_rng(devices=()):
            self.verified = compared(
                self._module, self.model.torch, self._renamed, self._args, self._kwargs, self._found.inputs, sizes
            )
        if not self.verified.equal:
            raise _refused(f"`{self.name}` is not what its source is: {self.verified}")
        return self.verified

    def save(self, place: str | PathLike[str], *, force: bool = False) -> tuple[Path, ...]:
        """Write the program, its weights, the map and the report: into a folder, or beside `net.arch`.

        Nothing that is there is replaced without `force`: then `ArchError` is raised, and nothing written.
        """
        first = Path(place)
        if first.suffix != ".arch":
            first = first / f"{re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', self.name).lower()}.arch"
        first.parent.mkdir(parents=True, exist_ok=True)
        texts = {".arch": self.text, ".map.toml": self.map, ".report.json": json.dumps(self.report, indent=2) + "\n"}
        files = {first.with_suffix(ending): text.encode() for ending, text in texts.items()}
        weights = first.with_suffix(".safetensors")

        def check() -> None:
            for path in (*files, weights):
                if path.exists() and not force:
                    raise _refused(f"`{path}` is there already", "give another place, or --force", "E0825")

        write_all(files, check)
        net = self.model.torch()
        net.load_state_dict({**net.state_dict(), **self.weights})
        self.model.save_weights(weights, net, force=force)
        return (*files, weights)

    def __repr__(self) -> str:
        return f"<Imported {self.name}: {self.model.signature}>"


def from_torch(
    module: nn.Module,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    sizes: Sizes | None = None,
    name: str = "Net",
    *,
    verify: bool = True,
    origin: str = "",
) -> Imported:
    """A module as a program, traced with the given inputs and compared with the module itself.

    `sizes` names the axes of inputs that are to be free, `{"x": ["b", 3, "h", "w"]}`; a number is a size that stays.
    The module is traced as it is: `eval()` first for what it does when used. Raises `ArchError` with what has no
    operation here, and where the program does not compute what its source does.
    """
    given, keywords = tuple(args), dict(kwargs or {})
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=()):
            traced, drafts, notes = drafted(module, given, keywords, sizes or {})
        head = origin or f"Imported from {type(module).__module__}.{type(module).__qualname__}."
        program, found = None, None
        for promote, unite in ATTEMPTS:
            found = program_text(traced, drafts, notes, name, head, promote, unite)
            found = replace(found, text=_with_conditions(found.text))
            try:
                program = source(found.text, f"{name}.arch")
                break
            except ArchError:
                if (promote, unite) == ATTEMPTS[-1]:
                    raise
    except Untraceable as error:
        raise _refused(f"`{type(module).__name__}` is not imported: {error}") from error
    assert program is not None
    assert found is not None
    imported = Imported(module, given, keywords, found, program, name)
    if verify:
        imported.verify()
    return imported


def _with_conditions(text: str) -> str:
    """The program with the conditions on its numbers that the checker found."""
    workspace = Workspace()
    mended = mend(text, lambda each: workspace.check(each, "<module>"), contracts=True)
    return format_text(mended.text) if mended.count else text


def _refused(message: str, help_: str = "", code: str = "E0840") -> ArchError:
    return ArchError((Diagnostic(code, message, Span(Chunk("", "<module>"), 0, 0), help=help_),))
