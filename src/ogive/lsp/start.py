"""A server with all that it answers, and how it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lsprotocol import types

from ogive.lsp import commands, features
from ogive.lsp.positions import path_of_uri
from ogive.lsp.server import OgiveServer

FEATURES: dict[str, Any] = {
    types.TEXT_DOCUMENT_HOVER: features.hovered,
    types.TEXT_DOCUMENT_INLAY_HINT: features.hinted,
    types.TEXT_DOCUMENT_DEFINITION: features.defined,
    types.TEXT_DOCUMENT_REFERENCES: features.referenced,
    types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT: features.highlighted,
    types.TEXT_DOCUMENT_PREPARE_RENAME: features.rename_prepared,
    types.TEXT_DOCUMENT_DOCUMENT_SYMBOL: features.outlined,
    types.TEXT_DOCUMENT_FOLDING_RANGE: features.folded,
    types.TEXT_DOCUMENT_FORMATTING: features.formatted,
    types.TEXT_DOCUMENT_RANGE_FORMATTING: features.range_formatted,
    types.TEXT_DOCUMENT_CODE_LENS: features.lensed,
}


def make() -> OgiveServer:
    """A server that is not running yet."""
    server = OgiveServer()

    @server.feature(types.INITIALIZED)
    def initialized(ls: OgiveServer, params: types.InitializedParams) -> None:
        ls.desk.folders = [path_of_uri(each.uri) for each in ls.workspace.folders.values()]

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def folders(ls: OgiveServer, params: types.DidChangeWorkspaceFoldersParams) -> None:
        ls.desk.folders = [path_of_uri(each.uri) for each in ls.workspace.folders.values()]

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def opened(ls: OgiveServer, params: types.DidOpenTextDocumentParams) -> None:
        ls.text_changed(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(ls: OgiveServer, params: types.DidChangeTextDocumentParams) -> None:
        ls.text_changed(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(ls: OgiveServer, params: types.DidCloseTextDocumentParams) -> None:
        ls.text_closed(params.text_document.uri)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def watched(ls: OgiveServer, params: types.DidChangeWatchedFilesParams) -> None:
        for uri in list(ls.workspace.text_documents):
            ls.publish(uri)

    for name, answer in FEATURES.items():
        server.feature(name)(answer)
    server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))(features.renamed)
    server.feature(
        types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=[".", "[", '"', "(", " ", ","])
    )(features.completed)
    server.feature(
        types.TEXT_DOCUMENT_SIGNATURE_HELP, types.SignatureHelpOptions(["(", "[", ","], [")", "]"])
    )(features.signed)  # fmt: skip
    kinds = [types.CodeActionKind.QuickFix, "source.fixAll.ogive"]
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(kinds))(features.acted)
    server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, features.LEGEND)(features.coloured)
    server.command("ogive.drawing")(commands.drawing)
    server.command("ogive.draw")(commands.draw)
    server.command("ogive.build")(commands.build)
    return server


def run() -> None:
    """Serve on standard input and output until the client leaves."""
    server = make()
    try:
        server.start_io()
    finally:
        if server.shown is not None:
            _removed(Path(server.shown))


def _removed(folder: Path) -> None:
    """Take away what was made to be shown."""
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
