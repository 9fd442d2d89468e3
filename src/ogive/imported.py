"""`ogive.from_torch`: a module of PyTorch as a program, which is compared with its source."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ogive.api import Program, source
from ogive.backends.from_torch.compare import Axes, SourceCompared, compared
from ogive.backends.from_torch.compare_training import while_training
from ogive.backends.from_torch.draft_parts import under
from ogive.backends.from_torch.drafts import Drafter
from ogive.backends.from_torch.program import ProgramText, drafted, program_text
from ogive.backends.from_torch.refused import Untraceable
from ogive.backends.from_torch.trace import tied
from ogive.backends.weights.whole import write_all
from ogive.compiler.driver.workspace import Workspace
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.formatter import format_text
from ogive.grammar.source import Chunk, Span
from ogive.mend import mend
from ogive.model import Model
from ogive.origin import licence

Sizes = Mapping[str, Sequence[str | int | None]]


# whether widths are statics, and whether equal numbers of any kind are one: the first that the checker takes
ATTEMPTS = ((True, False), (True, True), (False, True))


@dataclass(frozen=True, slots=True)
class ImportedPart:
    """A module that stays one of the source: its path there, its class, why, where that is, its line here, its size."""

    path: str
    kind: str
    reason: str
    place: str  # file:line of the source
    line: int  # of the program
    nodes: int


@dataclass(frozen=True, slots=True)
class SourceFactory:
    """What makes the source: `package.module` or `./file.py`, a name there, its arguments, a part of the result."""

    path: str
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    only: str = ""
    train: bool = False

    def text(self, folder: Path) -> tuple[str, str]:
        """Imports, and the body of a function that makes it, for a file in `folder`."""
        given = ", ".join(f"{key}={value!r}" for key, value in self.settings.items())
        part = ("" if self.train else ".eval()") + (f".get_submodule({self.only!r})" if self.only else "")
        if not self.path.endswith(".py"):
            return "", f"    from {self.path} import {self.name} as made\n\n    return made({given}){part}\n"
        near = os.path.relpath(self.path, folder).replace(os.sep, "/")
        body = [
            f"spec = spec_from_file_location({Path(self.path).stem!r}, Path(__file__).parent / {near!r})",
            "held = module_from_spec(spec)", "sys.modules[spec.name] = held", "spec.loader.exec_module(held)",
            f"return held.{self.name}({given}){part}",
        ]  # fmt: skip
        imports = ["import sys", "from importlib.util import module_from_spec, spec_from_file_location",
                   "from pathlib import Path"]  # fmt: skip
        return "\n".join(imports) + "\n", "".join(f"    {line}\n" for line in body)


_ANY = re.escape("*")


class Imported:
    """A module as a program: `.text .program .model .weights .map .externs .report`, `.verify()` and `.save()`."""

    def __init__(
        self,
        module: nn.Module,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        found: ProgramText,
        program: Program,
        name: str,
    ) -> None:
        self.made_by: SourceFactory | None = None
        self._module, self._args, self._kwargs, self._found = module, args, kwargs, found
        self.text, self.program, self.name = found.text, program, name
        self.verified: SourceCompared | None = None

    @cached_property
    def model(self) -> Model:
        """The model."""
        return self.program.models[self.name]

    @property
    def inputs(self) -> tuple[Axes, ...]:
        """What the inputs are: what their axes are called, and below what whole numbers in them are."""
        return self._found.inputs

    @cached_property
    def externs(self) -> tuple[ImportedPart, ...]:
        """The parts that stay modules of the source, since something in them has no operation here."""
        lines = self.text.splitlines()
        blocks = {each.outside.key: name for name, held in self._found.members.items() for each in held if each.outside}
        found = []
        for path, told in self._found.outside.items():
            head = f"extern block {blocks[told.key]}"
            line = next(i for i, each in enumerate(lines, 1) if re.match(rf"{head}\b", each))
            found.append(ImportedPart(path, type(told.module).__qualname__, told.reason, told.place, line, told.nodes))
        return tuple(found)

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
        found = {new: held[old].detach() for old, new in self._found.weights.items() if new in ours}
        for path, new in self._found.stays.items():
            inner = module.get_submodule(path).state_dict()
            found.update({f"{new}.{name}": held[f"{path}.{name}"].detach() for name in inner})
        return found

    @cached_property
    def map(self) -> str:
        """The map of weights, in TOML, from the names of the source."""
        lines = ["# From the names of the source.", "", "[weights]"]
        names, left = self._found.modules, set(self.model.weights)
        for old, new in sorted(names.items(), key=lambda each: -each[0].count(".")):
            above, _, last = old.rpartition(".")
            if old in self._found.stays or new == f"{names.get(above, above)}.{last}":
                continue  # the line of the module above says so
            if new in self.model.weights:
                lines.append(f'"{new}" = "{old}"')
            else:
                named = re.compile(rf"{re.escape(new).replace(_ANY, '[0-9]+')}[.]")
                taken = {path for path in left if named.match(path)}
                left -= taken  # what lines above name already they need not name again
                lines += [f'"{new}.*" = "{old}.*"'] if taken else []
        lines += [f'"{new}.*" = "{old}.*"' for old, new in self._found.stays.items() if self._holds(old)]
        same = tied(self._module)
        ties = {old: other for old in self._found.weights for other in same.get(old, ()) if other != old}
        lines += ["", "[ties]", *(f'"{other}" = "{old}"' for old, other in ties.items())] if ties else []
        inside = {name for name in self._module.state_dict() if any(under(name, each) for each in self._found.stays)}
        unread = sorted(set(self._module.state_dict()) - set(self._found.weights) - set(ties.values()) - inside)
        lines += ["", "[ignore]", f"names = {json.dumps(unread)}"] if unread else []
        return "\n".join(lines) + "\n"

    def _holds(self, path: str) -> bool:
        return bool(self._module.get_submodule(path).state_dict())

    @property
    def report(self) -> dict[str, Any]:
        """What was imported: inputs, free sizes, the conditions that the checker found, what was compared."""
        block = next(each for each in self.program.models.values() if each.name == self.name)
        return {
            "signature": str(block.signature),
            "inputs": {each.name: list(each.axes) for each in self._found.inputs},
            "free_sizes": list(self.model.sizes),
            "conditions": [self._condition(str(each)) for each in block.conditions],
            "fixed": [dict(zip(("size", "value", "source_line"), each, strict=True)) for each in self._found.fixed],
            "externs": [asdict(each) for each in self.externs],
            "notes": [
                *self._found.notes,
                *self._left_out(),
                *self._unlearned(),
                *(self.verified.notes if self.verified else ()),
            ],
            "verify": self.verified.as_data() if self.verified is not None else None,
        }

    def _condition(self, text: str) -> dict[str, Any]:
        """A condition on sizes: what it is, which block asks for it, and the line of its header or of the model."""
        name, last = "", len(self.text.splitlines())
        for number, line in enumerate(self.text.splitlines(), 1):
            if found := re.match(r"(?:extern )?block (\w+)", line):
                name = found[1]
            if text in line and (line.startswith("where") or " where " in line):
                return {"expr": text, "why": f"`{name}` needs it", "line": number}
        return {"expr": text, "why": "what the blocks need together", "line": last}

    def _left_out(self) -> list[str]:
        found = self._found.left_out
        return [f"results that are no tensors are left out ({found})"] if found else []

    def _unlearned(self) -> list[str]:
        """Rows of tables that the source leaves out of learning, and the program does not."""
        return [
            f"row {each.padding_idx} of `{path}.weight` learns here, and not in the source (padding_idx)"
            for path, each in self._module.named_modules()
            if isinstance(each, nn.Embedding) and each.padding_idx is not None
        ]

    def verify(self, **sizes: int) -> SourceCompared:
        """Compare with the source: outputs and gradients, in float64 to 1e-10 and in float32 to 1e-5.

        Then statistics and rates of dropout while training.

        Raises `ArchError` where they differ. `sizes` are those of one more comparison.
        """
        with torch.random.fork_rng(devices=()), self._parts():
            given = self._args, self._kwargs, self._found.inputs
            self.verified = compared(self._module, self.model.torch, self._renamed, *given, sizes)
            if self.verified.equal:
                while_training(self.verified, self._module, self.model.torch, self._renamed, *given)
        if not self.verified.equal:
            raise refusal(f"`{self.name}` is not what its source is: {self.verified}")
        return self.verified

    @contextmanager
    def _parts(self) -> Iterator[None]:
        """While it runs, the parts of the source can be imported: those of the module itself."""
        name = parts_name(self.name)
        if not self._found.outside:
            yield
            return
        held = types.ModuleType(name)
        exec(self._found.parts(self.name, "", "    raise LookupError\n", "the source"), held.__dict__)
        vars(held)["source"] = lambda: self._module
        before = sys.modules.get(name)
        sys.modules[name] = held
        try:
            yield
        finally:
            if before is None:
                del sys.modules[name]
            else:
                sys.modules[name] = before

    def _parts_files(self, first: Path) -> dict[Path, bytes]:
        """The Python file of the parts that stay, and the source itself where nobody said what makes it."""
        if not self._found.outside:
            return {}
        place = first.with_name(f"{parts_name(first.stem)}.py")
        if self.made_by is not None:
            imports, body = self.made_by.text(first.parent)
            what = f"{self.made_by.path}:{self.made_by.name}"
            return {place: self._found.parts(first.name, imports, body, what).encode()}
        stored = place.with_suffix(".pt")
        buffer = io.BytesIO()
        try:
            torch.save(self._module, buffer)
        except Exception as error:  # whatever a module of others may hold
            raise refusal(f"the parts that stay outside cannot be stored: {error}", "give `factory`") from error
        body = f"    return torch.load(Path(__file__).with_name({stored.name!r}), weights_only=False)\n"
        text = self._found.parts(first.name, "from pathlib import Path\n", body, f"what {stored.name} names")
        return {place: text.encode(), stored: buffer.getvalue()}

    def save(self, place: str | PathLike[str], *, force: bool = False) -> tuple[Path, ...]:
        """Write the program, its weights, the map and the report: into a folder, or beside `net.arch`.

        Nothing that is there is replaced without `force`: then `ArchError` is raised, and nothing written.
        """
        first = Path(place)
        if first.suffix != ".arch":
            first = first / f"{re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', self.name).lower()}.arch"
        first.parent.mkdir(parents=True, exist_ok=True)
        renamed = self.text
        renamed = renamed.replace(f'"{parts_name(self.name)}:', f'"{parts_name(first.stem)}:')
        renamed = renamed.replace(f"# {parts_name(self.name)}.py has", f"# {parts_name(first.stem)}.py has")
        texts = {".arch": renamed, ".map.toml": self.map, ".report.json": json.dumps(self.report, indent=2) + "\n"}
        files = {first.with_suffix(ending): text.encode() for ending, text in texts.items()}
        files.update(self._parts_files(first))
        weights = first.with_suffix(".safetensors")

        def check() -> None:
            for path in (*files, weights):
                if path.exists() and not force:
                    raise refusal(f"`{path}` is there already", "give another place, or --force", "E0825")

        write_all(files, check)
        with self._parts():
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
    strict: bool = False,
    factory: str | None = None,
    origin: str = "",
) -> Imported:
    """A module as a program, traced with the given inputs and compared with the module itself.

    `sizes` names the axes of inputs that are to be free, `{"x": ["b", 3, "h", "w"]}`; a number is a size that stays.
    The module is traced as it is: `eval()` first for what it does when used. What has no operation here stays a module
    of the source, an `extern` block: the smallest that holds it, or with `strict` none. `factory`, a
    `package.module:function`, makes the source for the file of these; without it `save` stores it whole. Raises
    `ArchError` where more than a fifth would stay, and where the program does not compute what its source does.
    """
    given, keywords = tuple(args), dict(kwargs or {})
    head = origin or f"Imported from {type(module).__module__}.{type(module).__qualname__}."
    head += f"\nIts code is under {told}." if (told := licence(type(module).__module__)) else ""
    known: dict[str, tuple[str, int]] = {}
    while True:
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=()):
                drafter, notes = drafted(module, given, keywords, sizes or {}, known, strict)
            program, found, refused = _checked(drafter, notes, name, head)
        except Untraceable as error:
            raise refusal(f"`{type(module).__name__}` is not imported: {error}") from error
        if program is not None:
            break
        assert refused is not None
        paths = _blamed(found, refused)
        message = next(each.message for each in refused.diagnostics if each.severity == "error")
        if strict or not paths or "" in paths or set(paths) <= set(known):
            raise refusal(f"`{type(module).__name__}` is not imported: in its program {message}") from refused
        known.update({path: (message, nodes) for path, nodes in paths.items()})
    imported = Imported(module, given, keywords, found, program, name)
    if factory is not None:
        path, _, made = factory.rpartition(":")
        imported.made_by = SourceFactory(path, made)
    if verify:
        imported.verify()
    return imported


def _checked(
    drafter: Drafter, notes: tuple[str, ...], name: str, head: str
) -> tuple[Program | None, ProgramText, ArchError | None]:
    """The program of drafts, or what the checker says of the plainest text."""
    refused = None
    for promote, unite in ATTEMPTS:
        found = program_text(drafter.traced, drafter.drafts, notes, name, head, parts_name(name), promote, unite)
        found = replace(found, text=_with_conditions(found.text))
        try:
            return source(found.text, f"{name}.arch", allow_extern=True), found, None
        except ArchError as error:
            refused = error
            if not drafter.spelled and any(each.code == "E0305" for each in error.diagnostics):
                return _checked(drafter.again(spelled=True), notes, name, head)
    return None, found, refused


def _blamed(found: ProgramText, refused: ArchError) -> dict[str, int]:
    """The modules whose block an error is in, and how many nodes they have."""
    first = next(each for each in refused.diagnostics if each.severity == "error")
    line = first.span.chunk.text[: first.span.start].count("\n")
    above = [re.match(r"(?:extern )?block (\w+)", each) for each in first.span.chunk.text.splitlines()[: line + 1]]
    name = next((each[1] for each in reversed(above) if each), "")
    members = found.members.get(name) or found.members.get(name.removesuffix("Block"), [])
    return {each.call.path: len(each.call.nodes()) for each in members}


def parts_name(name: str) -> str:
    """The module of Python that has the parts of a program which stay those of the source."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return f"{re.sub(r'[^0-9a-z_]', '_', snake)}_extern"


def _with_conditions(text: str) -> str:
    """The program with the conditions on its numbers that the checker found."""
    workspace = Workspace()
    mended = mend(text, lambda each: workspace.check(each, "<module>", extern=True), contracts=True)
    return format_text(mended.text) if mended.count else text


def refusal(message: str, help_: str = "", code: str = "E0840") -> ArchError:
    """A module or a graph is not imported: why, and what to do."""
    return ArchError((Diagnostic(code, message, Span(Chunk("", "<module>"), 0, 0), help=help_),))
