"""What a position in a file points at: a name, a tree, and where that name is made."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from ogive.compiler.elaborate.state.blocks import Module
from ogive.grammar import syntax as s
from ogive.grammar.source import Span
from ogive.language.desk import Desk, SeenFile
from ogive.language.names import Occurrence, Symbol, definition, occurrences
from ogive.language.places import Position, TextRegion, region
from ogive.language.trees import path_to


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A region of a file."""

    path: str
    region: TextRegion


def occurrence_at(seen: SeenFile, place: Position) -> Occurrence | None:
    """The name that a cursor touches."""
    found = [each for each in occurrences(seen.module) if region(each.span).holds(place)]
    return max(found, key=lambda each: region(each.span).start, default=None)


def trees_at(seen: SeenFile, place: Position) -> list[s.Tree]:
    """The trees that a cursor is in, the declaration first; none where that has errors."""
    piece = seen.piece(place)
    if piece is None or piece.declaration is None:
        return []
    offset = seen.offset(piece.chunk, place)
    span = piece.declaration.span
    return path_to(piece.declaration, offset) if span.start <= offset <= span.end else []


def module_of(seen: SeenFile, home: str) -> Module | None:
    """The module of a file that a check has read, or of the library."""
    library = seen.program._session.library
    if home == seen.path:
        return seen.module
    if home.startswith("<std."):
        return library.standard(home[1:-1])
    return next((each for each in library.files if each.path == home), None)


def path_of(module_path: str) -> str | None:
    """The file of a module; that of the library as it is installed."""
    if not module_path.startswith("<"):
        return module_path
    name = module_path.strip("<>").removeprefix("std.")
    with as_file(files("ogive.stdlib").joinpath(f"{name}.arch")) as found:
        return str(found) if found.exists() else None


def place_of_span(span: Span) -> FilePlace | None:
    """A span as a place in a file."""
    path = path_of(span.path)
    return None if path is None else FilePlace(path, region(span))


def defined(desk: Desk, path: str, place: Position) -> FilePlace | None:
    """Where the name at a position is made; for a `use`, the file or the block that it names."""
    seen = desk.see(path)
    if seen is None:
        return None
    found = occurrence_at(seen, place)
    if found is None:
        return _used_module(seen, place)
    symbol = found.symbol
    if symbol.kind == "module":
        entry = seen.module.scope.get(symbol.name)
        return _head(entry) if isinstance(entry, Module) else None
    if symbol.owner == "use":
        return _aliased(seen, symbol)
    module = module_of(seen, symbol.home)
    made = None if module is None else definition(symbol, module)
    return None if made is None else place_of_span(made)


def _used_module(seen: SeenFile, place: Position) -> FilePlace | None:
    """The file that stands behind `use`."""
    for tree in seen.declarations:
        if isinstance(tree, s.Use) and region(tree.module_span).holds(place):
            for item in tree.items:
                entry = seen.module.scope.get(item.alias or item.name)
                if (home := getattr(entry, "module", None)) is not None:
                    return _head(home)
            entry = seen.module.scope.get(tree.alias or tree.module.rsplit(".", 1)[-1].rsplit("/", 1)[-1])
            return _head(entry) if isinstance(entry, Module) else None
    return None


def _aliased(seen: SeenFile, symbol: Symbol) -> FilePlace | None:
    entry = seen.module.scope.get(symbol.name)
    tree = getattr(entry, "tree", None)
    span = tree.name_span if isinstance(tree, s.Block) else tree.target.span if isinstance(tree, s.Const) else None
    return None if span is None else place_of_span(span)


def _head(module: Module) -> FilePlace | None:
    path = path_of(module.path)
    return None if path is None else FilePlace(path, TextRegion((0, 0), (0, 0)))


def references(desk: Desk, path: str, place: Position, declared: bool = True) -> list[FilePlace]:
    """All places of the name at a position, in every file that is open or below a folder of the desk."""
    seen = desk.see(path)
    found = None if seen is None else occurrence_at(seen, place)
    if found is None or not found.symbol.home:
        return []
    places: list[FilePlace] = []
    for each in uses_of(desk, path, found.symbol):
        if declared or not each[1].binds:
            places.append(FilePlace(each[0], region(each[1].span)))
    return places


def uses_of(desk: Desk, path: str, symbol: Symbol) -> list[tuple[str, Occurrence]]:
    """The places of a symbol with their files."""
    wanted = _real(symbol)
    found: list[tuple[str, Occurrence]] = []
    local = bool(symbol.owner) and symbol.kind in ("axis", "variable")
    home = next((each for each in desk.opened() if _resolved(each) == wanted.home), path)
    for file in [path] if local else dict.fromkeys([home, *desk.users(path)]):
        seen = desk.see(file)
        if seen is not None:
            found += [(file, each) for each in occurrences(seen.module) if _real(each.symbol) == wanted]
    return list(dict.fromkeys(found))


def _real(symbol: Symbol) -> Symbol:
    return Symbol(_resolved(symbol.home), symbol.owner, symbol.name, symbol.kind, symbol.axis)


def _resolved(home: str) -> str:
    return home if home.startswith("<") or not home else str(Path(home).resolve())
