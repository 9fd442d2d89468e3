"""The server: documents as they change, findings when typing rests, answers for the version that was asked about."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from lsprotocol import types
from pygls.exceptions import JsonRpcContentModified
from pygls.lsp.server import LanguageServer

from ogive.grammar.diagnostics import Diagnostic
from ogive.language.desk import Desk
from ogive.language.places import TextLines, TextRegion, region
from ogive.lsp.positions import Columns, path_of_uri, uri_of_path
from ogive.settings import SettingsError, settings_of
from ogive.version import VERSION

REST = 0.03  # seconds without a key before a text is checked
SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "hint": types.DiagnosticSeverity.Hint,
}


class OgiveServer(LanguageServer):
    """What is open, and what of it waits for a check."""

    def __init__(self) -> None:
        super().__init__("ogive", VERSION, max_workers=1)
        self.desk = Desk()
        self.waiting: dict[str, asyncio.Task[None]] = {}
        self.published: dict[str, tuple[object, ...]] = {}
        self.shown: str | None = None  # the folder of what was made for a client to show

    # --- documents ------------------------------------------------------------------------------------------------

    def text_changed(self, uri: str) -> None:
        """A text is new: take it over, and check it once typing rests."""
        document = self.workspace.get_text_document(uri)
        self.desk.open(path_of_uri(uri), document.source)
        before = self.waiting.pop(uri, None)
        if before is not None:
            before.cancel()
        self.waiting[uri] = asyncio.get_running_loop().create_task(self._rested(uri))

    def text_closed(self, uri: str) -> None:
        """The disk holds what the text is; its findings are no concern of an editor any more."""
        before = self.waiting.pop(uri, None)
        if before is not None:
            before.cancel()
        self.desk.close(path_of_uri(uri))
        self.published.pop(uri, None)
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    async def _rested(self, uri: str) -> None:
        await asyncio.sleep(REST)
        self.waiting.pop(uri, None)
        self.publish(uri)
        for path in self.desk.opened():  # those that use it
            await asyncio.sleep(0)
            other = uri_of_path(path)
            if other != uri and other not in self.waiting and other in self.workspace.text_documents:
                self.publish(other)

    def publish(self, uri: str) -> None:
        """Say what a check finds, with the version that it is true of; nothing where that was said before."""
        document = self.workspace.get_text_document(uri)
        found = self._shown(path_of_uri(uri), self.desk.diagnostics(path_of_uri(uri)))
        key = (document.version, *found)
        if self.published.get(uri) == key:
            return
        self.published[uri] = key
        columns = self.columns(path_of_uri(uri))
        shown = [self._diagnostic(each, uri, columns) for each in found]
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, shown, document.version))

    def _shown(self, path: str, found: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
        """The findings that the project of a file does not ignore."""
        try:
            return tuple(settings_of(Path(path).parent).shown(found)) if "://" not in path else found
        except SettingsError as error:
            self.window_log_message(types.LogMessageParams(types.MessageType.Warning, str(error)))
            return found

    def _diagnostic(self, found: Diagnostic, uri: str, columns: Columns) -> types.Diagnostic:
        """A finding; one in another file that this one uses stands on the first line, and says where."""
        path = path_of_uri(uri)
        at = columns.range(region(found.span)) if found.span.path == path else types.Range(
            types.Position(0, 0), types.Position(0, 1)
        )  # fmt: skip
        text = found.message if found.span.path == path else f"{found.span.path}: {found.message}"
        related = [
            types.DiagnosticRelatedInformation(self.location(label.span.path, region(label.span)), label.text)
            for label in found.labels
            if not label.span.path.startswith("<")
        ]
        unused = [types.DiagnosticTag.Unnecessary] if found.code in ("W0901", "W0902", "W0903") else None
        return types.Diagnostic(
            range=at,
            message="\n".join([text, *found.details, *([f"help: {found.help}"] if found.help else [])]),
            severity=SEVERITIES[found.severity],
            code=found.code,
            source="ogive",
            related_information=related or None,
            tags=unused,
        )

    # --- places ---------------------------------------------------------------------------------------------------

    def columns(self, path: str) -> Columns:
        """The columns of a file, as the client counts them."""
        encoding = self.workspace.position_encoding
        units = getattr(encoding, "value", encoding) or "utf-16"
        seen = self.desk.text(path)
        return Columns(TextLines(seen or ""), str(units))

    def location(self, path: str, of: TextRegion) -> types.Location:
        """A place in any file."""
        return types.Location(uri_of_path(path), self.columns(path).range(of))

    async def settled(self, uri: str) -> str:
        """The path of a document once all changes that came are in; JsonRpcContentModified where it changed."""
        documents = self.workspace.text_documents
        before = documents[uri].version if uri in documents else None
        await asyncio.sleep(0)
        after = documents[uri].version if uri in documents else None
        if before != after:
            raise JsonRpcContentModified("the text has changed since")
        return path_of_uri(uri)

    # --- what is shown beside -------------------------------------------------------------------------------------

    async def show(self, name: str, text: str) -> str:
        """Write a text that a client is to show into a folder of this session; its path."""
        if self.shown is None:
            self.shown = tempfile.mkdtemp(prefix="ogive-")
        path = Path(self.shown) / name
        path.write_text(text, encoding="utf-8")
        window = self.client_capabilities.window
        if window is not None and window.show_document is not None and window.show_document.support:
            external = path.suffix == ".svg"
            self.window_show_document(types.ShowDocumentParams(uri_of_path(str(path)), external=external))
        return str(path)
