"""A client of the server, for tests: documents as an editor has them."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

ROOT = Path(__file__).parents[2]
CONFIG = ClientServerConfig(
    server_command=[sys.executable, "-m", "ogive", "lsp"],
    server_env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
)


async def begun(client: LanguageClient, folder: Path | None = None, editor: str = "visual_studio_code") -> None:
    """Start a session in a folder."""
    folders = [types.WorkspaceFolder(folder.as_uri(), folder.name)] if folder is not None else None
    capabilities = client_capabilities(editor)
    await client.initialize_session(types.InitializeParams(capabilities=capabilities, workspace_folders=folders))


class OpenText:
    """One document in the editor. A place is told by a part of the text, with `|` where the cursor stands."""

    def __init__(self, client: LanguageClient, path: Path, text: str) -> None:
        self.client, self.path, self.text = client, path, text
        self.uri, self.version = path.as_uri(), 1
        item = types.TextDocumentItem(self.uri, "ogive", self.version, text)
        client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    @property
    def id(self) -> types.TextDocumentIdentifier:
        return types.TextDocumentIdentifier(self.uri)

    def change(self, text: str) -> None:
        """All of the text is another."""
        self.version += 1
        self.text = text
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(uri=self.uri, version=self.version),
                [types.TextDocumentContentChangeWholeDocument(text)],
            )
        )

    def at(self, marked: str) -> types.Position:
        """The place of the cursor in a part of the text."""
        cursor = marked.index("|") if "|>" not in marked else next(
            i for i, c in enumerate(marked) if c == "|" and marked[i : i + 2] != "|>"
        )  # fmt: skip
        bare = marked[:cursor] + marked[cursor + 1 :]
        assert self.text.count(bare) >= 1, bare
        before = self.text[: self.text.index(bare) + cursor]
        line = before.rsplit("\n", 1)[-1]
        return types.Position(before.count("\n"), len(line.encode("utf-16-le")) // 2)

    def place(self, marked: str) -> dict[str, Any]:
        return {"text_document": self.id, "position": self.at(marked)}

    async def findings(self) -> list[types.Diagnostic]:
        """What is said of the latest version."""
        for _ in range(2_000):
            known = self.client.diagnostics.get(self.uri)
            if known is not None and VERSIONS.get((id(self.client), self.uri)) == self.version:
                return list(known)
            await asyncio.sleep(0.005)
        raise AssertionError("nothing was said of the last version")

    def applied(self, edits: list[types.TextEdit]) -> str:
        """The text with the edits of the server."""
        lines = self.text.split("\n")

        def offset(place: types.Position) -> int:
            if place.line >= len(lines):
                return len(self.text)
            line = lines[place.line]
            units = line.encode("utf-16-le")[: 2 * place.character].decode("utf-16-le")
            return sum(len(each) + 1 for each in lines[: place.line]) + len(units)

        text = self.text
        for each in sorted(edits, key=lambda each: (each.range.start.line, each.range.start.character), reverse=True):
            text = text[: offset(each.range.start)] + each.new_text + text[offset(each.range.end) :]
        return text


VERSIONS: dict[tuple[int, str], int | None] = {}


def listen(client: LanguageClient) -> None:
    """Note of which version findings are."""
    known = client.protocol.fm.features[types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS]

    def noted(params: types.PublishDiagnosticsParams) -> None:
        VERSIONS[id(client), params.uri] = params.version
        known(params)

    client.protocol.fm.features[types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS] = noted
