"""Commands that a client may call: drawings and sources of what a text holds."""

from __future__ import annotations

from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from ogive.backends.diagram.figure.errors import DiagramError
from ogive.grammar.diagnostics import ArchError
from ogive.language import pictures
from ogive.language.desk import SeenFile
from ogive.lsp.server import OgiveServer


async def drawing(server: OgiveServer, uri: str, where: Any, *options: Any) -> dict[str, str] | None:
    """`ogive.drawing [uri, {line, character} or a name, {depth, theme}]`: name and SVG of the block there, or null."""
    path = await server.settled(uri)
    seen = server.desk.see(path)
    if isinstance(where, str):
        name: str | None = where
    else:
        place = types.Position(int(_field(where, "line")), int(_field(where, "character")))
        name = None if seen is None else pictures.named_at(seen, server.columns(path).ours(place))
    if seen is None or name is None:
        return None
    given = options[0] if options else None
    depth, theme = _field(given, "depth", 0), _field(given, "theme", "auto")
    svg = _svg(seen, name, int(depth), str(theme))
    return None if svg is None else {"name": name, "svg": svg}


async def draw(server: OgiveServer, uri: str, name: str) -> str | None:
    """`ogive.draw [uri, name]`: a drawing as a file that the client is asked to show; its path."""
    seen = server.desk.see(await server.settled(uri))
    svg = None if seen is None else _svg(seen, name, 0, "auto")
    return None if svg is None else await server.show(f"{_file(name)}.svg", svg)


async def build(server: OgiveServer, uri: str, name: str) -> str | None:
    """`ogive.build [uri, name]`: the PyTorch module of a model as a file that the client is asked to show; its path."""
    seen = server.desk.see(await server.settled(uri))
    if seen is None or name not in seen.program.models:
        return None
    try:
        return await server.show(f"{_file(name)}.py", pictures.python_source(seen, name))
    except ArchError as refused:
        raise JsonRpcInvalidParams(refused.diagnostics[0].message) from None


def _svg(seen: SeenFile, name: str, depth: int, theme: str) -> str | None:
    try:
        return pictures.svg(seen, name, depth=depth, theme=theme)
    except DiagramError as refused:
        raise JsonRpcInvalidParams(str(refused)) from None


def _file(name: str) -> str:
    return name.replace("'", "_")


def _field(value: Any, name: str, default: Any = 0) -> Any:
    if isinstance(value, dict):
        return value.get(name, default)
    return getattr(value, name, default)
