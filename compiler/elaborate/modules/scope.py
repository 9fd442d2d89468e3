"""Modules and their names: what a file declares, what it takes from the library and from files beside it."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from ogive import stdlib
from ogive.compiler.elaborate.modules import foreign_names as meant
from ogive.compiler.elaborate.modules import packages, suggest
from ogive.compiler.elaborate.modules.texts import ReadTexts
from ogive.compiler.elaborate.state.blocks import BlockRef, ConstRef, Module
from ogive.compiler.elaborate.state.values import OpTemplate
from ogive.compiler.ops import NAMED
from ogive.compiler.ops.spec import OpSpec
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Diagnostic, Edit, Label
from ogive.grammar.parser import ParsedFile, parse
from ogive.grammar.source import Span
from ogive.grammar.spelling import nearest

TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
EXTERN_OFF = "`extern` blocks are off: they run code of others"
EXTERN_HELP = "where you trust it: `ogive.load(path, allow_extern=True)`, or `--allow-extern`"


@lru_cache(256)
def _close(name: str) -> list[str]:
    return nearest(name, stdlib.names(), 1)


@lru_cache
def _library(name: str) -> ParsedFile:
    """A module of the library, parsed once in a process: its text never changes."""
    return parse(stdlib.source(name), f"<{name}>")


APART = "move what both need to a file that uses neither"


class Library:
    """Modules by name, each read once. `standard` holds those of the library, which never change."""

    def __init__(
        self,
        allow_files: bool = True,
        standard: dict[str, Module] | None = None,
        allow_extern: bool = False,
        texts: ReadTexts | None = None,
    ) -> None:
        self._modules: dict[str, Module] = {} if standard is None else standard
        self._files: dict[str, Module] = {}
        self._found: dict[str, tuple[Path, ...]] = {}
        self._loading: list[str] = []
        self.length = 0  # of all files that were read beside the one that is checked
        self._allow_files = allow_files
        self._texts = ReadTexts() if texts is None else texts
        self.folder = self._texts.folder  # of the file that is checked, once something beside it is asked for
        self.allow_extern = allow_extern

    def module(self, name: str, text: str, path: str) -> Module:
        """The library module of that name, or a file's."""
        held = self._modules if name.startswith(stdlib.PREFIX) else self._files
        if name not in held:
            self._loading.append(name)
            parsed = _library(name) if held is self._modules else parse(text, path)
            held[name] = build(parsed, self, name=name, path=path)
            held[name].text = text
            self._loading.pop()
        return held[name]

    def standard(self, name: str) -> Module:
        """A module of the library."""
        return self.module(name, stdlib.source(name), f"<{name}>")

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """What is wrong with the files that were read, beside what uses of their blocks find."""
        return [found for module in self._files.values() for found in module.diagnostics]

    @property
    def files(self) -> tuple[Module, ...]:
        """The files that were read, without the library's own modules, in the order in which they were done."""
        return tuple(self._files.values())

    @property
    def packaged(self) -> dict[str, tuple[str, ...]]:
        """The paths that names of packages meant."""
        return {name: tuple(map(str, paths)) for name, paths in self._found.items()}

    def find(self, use: syntax.Use, user: Module) -> Module | Diagnostic:
        """The module that a `use` names, or what is wrong with it."""
        if use.module.startswith("./"):
            return self._beside(use, user)
        if use.module not in stdlib.names() and self._allow_files and (places := self._places(use.module)):
            return self._packaged(use, places)
        if use.module not in stdlib.names():
            close = _close(use.module)
            if f"std.{use.module}" in stdlib.names():
                close = [f"std.{use.module}"]
            module, _, item = use.module.rpartition(".")
            hint = f"did you mean `{close[0]}`?" if close else "the library has " + ", ".join(stdlib.names())
            if use.module.startswith("."):
                hint = "a file uses files of its own folder and of folders below: `use ./parts (Stem)`"
                close = []
            home = suggest.in_library(use.items[0].name) if use.items and not use.module.startswith(".") else None
            if home is not None and not close:
                hint, close = f"write `use {home} ({use.items[0].name})`", [home]
            if module in stdlib.names():
                hint, close = f"write `use {module} ({item})`", []
            edits = (Edit(use.module_span, close[0]),) if close else ()
            return Diagnostic("E0202", f"there is no module `{use.module}`", use.module_span, help=hint, edits=edits)
        if use.module in self._loading:
            return Diagnostic("E0203", f"`{use.module}` uses itself", use.module_span, help=APART)
        return self.standard(use.module)

    def _places(self, name: str) -> tuple[Path, ...]:
        """The files that a name of a package could mean: looked up once for a check."""
        if name not in self._found:
            known = self._texts.packages.get(name)
            self._found[name] = packages.files(name) if known is None else tuple(map(Path, known))
        return self._found[name]

    def _folder(self, user: Module) -> Path:
        if user.name:
            return Path(user.path).resolve().parent
        self.folder = self.folder or str(Path(user.path).resolve().parent)
        return Path(self.folder)

    def _beside(self, use: syntax.Use, user: Module) -> Module | Diagnostic:
        folder = self._folder(user)
        target = (folder / f"{use.module}.arch").resolve()
        if not self._allow_files or not target.is_relative_to(folder):
            return Diagnostic(
                "E0202",
                f"`{use.module}` is outside the folder of this file",
                use.module_span,
                help="a file may use files of its own folder and of folders below",
            )
        return self._read(use, target, user)

    def _packaged(self, use: syntax.Use, places: tuple[Path, ...]) -> Module | Diagnostic:
        """A module of a package, or of a folder that the environment names."""
        if len(places) > 1:
            found = " and ".join(f"`{place}`" for place in places)
            return Diagnostic(
                "E0202", f"`{use.module}` is found twice: {found}", use.module_span, help="rename one of them"
            )
        return self._read(use, places[0], None)

    def _read(self, use: syntax.Use, target: Path, user: Module | None) -> Module | Diagnostic:
        name = str(target)
        if name in self._loading or (user is not None and target == Path(user.path).resolve()):
            if user is not None and target == Path(user.path).resolve():
                help_ = "what a file declares needs no `use` in it"
                return Diagnostic("E0203", "this file uses itself", use.module_span, help=help_)
            said = f"`{use.module}` uses this file, which uses it"
            return Diagnostic("E0203", said, use.module_span, help=APART)
        try:
            known = self._texts.files.get(name)
            text = target.read_text(encoding="utf-8") if known is None else known
        except (OSError, UnicodeDecodeError) as problem:
            reason = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8"
            return Diagnostic("E0202", f"cannot read `{target.name}`: {reason}", use.module_span)
        self.length += 0 if name in self._files else len(text)
        module = self.module(name, text, str(target))
        if module.name == name:
            module.name = target.stem if user is not None else use.module
        return module


def build(parsed: ParsedFile, library: Library, *, name: str, path: str) -> Module:
    """Collect the names that a file declares and uses."""
    module = Module(name, path, parsed.file, list(parsed.diagnostics))
    module.broken = any(  # a piece that names nothing may have been anything: a `use` of many names
        not piece.broken and any(d.severity == "error" for d in piece.diagnostics) for piece in parsed.pieces
    )
    module.scope.update(dict.fromkeys(parsed.broken))  # known to be broken: nothing more is said of them
    for declaration in parsed.file.declarations:
        match declaration:
            case syntax.Use():
                _use(declaration, module, library)
            case syntax.Block():
                _declare(module, declaration.name, BlockRef(declaration, module), declaration.name_span)
            case syntax.Const():
                _declare(module, declaration.target.name, ConstRef(declaration, module), declaration.target.span)
            case syntax.Extern() if library.allow_extern:
                _declare(module, declaration.name, _opaque(declaration, module), declaration.name_span)
            case syntax.Model() | syntax.Extern():
                _declare(module, declaration.name, declaration, declaration.name_span)
            case _:
                pass
    return module


def _opaque(tree: syntax.Extern, module: Module) -> BlockRef:
    """A block without a body: what it computes is a class of the user's."""
    block = syntax.Block(
        name=tree.name,
        name_span=tree.name_span,
        statics=tree.statics,
        inputs=tree.inputs,
        outputs=tree.outputs,
        where=tree.where,
        body=(),
        doc=tree.doc,
        span=tree.span,
    )
    if not TARGET.fullmatch(tree.target):
        text = f'`{tree.name}` needs "package.module:Class", this is "{tree.target}"'
        module.diagnostics.append(Diagnostic("E0408", text, tree.name_span))
    return BlockRef(block, module, tree.target)


def _use(use: syntax.Use, module: Module, library: Library) -> None:
    found = library.find(use, module)
    if isinstance(found, Diagnostic):
        module.diagnostics.append(found)
        for item in use.items:
            module.scope[item.alias or item.name] = None  # known to be missing: nothing more is said of it
        return
    if not use.items:
        alias = use.alias or use.module.rsplit(".", 1)[-1].rsplit("/", 1)[-1]
        _declare(module, alias, found, use.module_span)
    for item in use.items:
        entry = found.scope.get(item.name) or _activation(item.name, use.module)
        if entry is None or (isinstance(entry, (BlockRef, ConstRef)) and entry.module is not found):
            if not found.broken:
                module.diagnostics.append(_unknown_import(item, use, found))
            module.scope[item.alias or item.name] = None
        else:
            _declare(module, item.alias or item.name, entry, item.span)


def _activation(name: str, module: str) -> OpTemplate | None:
    """`std.nn` holds every activation, also those that are operations and need no `use`."""
    spec = NAMED.get(name)
    here = spec is not None and module == "std.nn" and (_by_element(spec) or name in ("softmax", "log_softmax"))
    return OpTemplate(spec) if spec is not None and here else None


def _by_element(spec: OpSpec) -> bool:
    return spec.kind == "elementwise" and spec.inputs == "x"


def _unknown_import(item: syntax.UseItem, use: syntax.Use, found: Module) -> Diagnostic:
    names = sorted(n for n, e in found.scope.items() if isinstance(e, (BlockRef, ConstRef)) and e.module is found)
    close = nearest(item.name, names, 1)
    if close:
        advice = f"did you mean `{close[0]}`?"
    else:
        advice = f"`{use.module}` has " + ", ".join(names) if names else ""
    if (known := suggest.of_peer(item.name)) and (not close or item.name in meant.MEANT):
        advice = known
    if item.name in NAMED:
        advice = f"`{item.name}` is a primitive operation: it needs no `use`"
    alias = f" as {item.alias}" if item.alias else ""
    named = advice.startswith("did you mean")
    edits = (Edit(item.span, close[0] + alias),) if close and named else ()
    return Diagnostic("E0202", f"`{use.module}` has no `{item.name}`", item.span, help=advice, edits=edits)


def _declare(module: Module, name: str, entry: Any, span: Span) -> None:
    before = module.scope.get(name)
    if before is None:
        module.scope[name] = entry
        return
    labels = (Label(place, "first here"),) if (place := place_of(before)) else ()
    module.diagnostics.append(Diagnostic("E0204", f"`{name}` is defined twice", span, labels=labels))


def place_of(entry: Any) -> Span | None:
    """Where a name of a module is declared."""
    match entry:
        case BlockRef():
            return entry.tree.name_span
        case ConstRef():
            return entry.tree.target.span
        case syntax.Model() | syntax.Extern():
            return entry.name_span
        case _:
            return None
