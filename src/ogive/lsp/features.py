"""Answers of `ogive.language` in the words of the protocol."""

from __future__ import annotations

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from ogive.language import calls, completion, edits, hints, hover, outline, pictures, pointing, renaming
from ogive.language.places import TextRegion, region
from ogive.lsp.positions import uri_of_path
from ogive.lsp.server import OgiveServer

ITEM = types.CompletionItemKind
ITEMS = {
    "block": ITEM.Class, "model": ITEM.Struct, "const": ITEM.Constant, "module": ITEM.Module, "static": ITEM.Property,
    "input": ITEM.Variable, "size": ITEM.TypeParameter, "axis": ITEM.EnumMember, "variable": ITEM.Variable,
    "weight": ITEM.Field, "operation": ITEM.Function, "form": ITEM.Function, "function": ITEM.Function,
    "initializer": ITEM.Function, "keyword": ITEM.Keyword,
}  # fmt: skip
PART = types.SymbolKind
PARTS = {
    "block": PART.Class, "model": PART.Struct, "extern": PART.Class, "recipe": PART.Event, "constant": PART.Constant,
    "weight": PART.Field, "variable": PART.Variable, "loop": PART.Namespace,
}  # fmt: skip
TOKENS = ("class", "struct", "namespace", "typeParameter", "parameter", "variable", "property", "function",
          "enumMember", "macro", "variable")  # fmt: skip
TOKEN_TYPES = tuple(dict.fromkeys(TOKENS))
MODIFIERS = ("declaration", "defaultLibrary", "readonly")
LEGEND = types.SemanticTokensLegend(list(TOKEN_TYPES), list(MODIFIERS))
FOLDS = {"comment": types.FoldingRangeKind.Comment, "imports": types.FoldingRangeKind.Imports}


def markdown(text: str) -> types.MarkupContent:
    """Text that a client shows as Markdown."""
    return types.MarkupContent(types.MarkupKind.Markdown, text)


async def hovered(server: OgiveServer, params: types.HoverParams) -> types.Hover | None:
    """What there is to say at a place."""
    path = await server.settled(params.text_document.uri)
    seen, columns = server.desk.see(path), server.columns(path)
    found = None if seen is None else hover.hover(seen, columns.ours(params.position))
    return None if found is None else types.Hover(markdown(found[0]), columns.range(found[1]))


async def hinted(server: OgiveServer, params: types.InlayHintParams) -> list[types.InlayHint]:
    """Sizes and statics beside the lines of a range."""
    path = await server.settled(params.text_document.uri)
    seen, columns = server.desk.see(path), server.columns(path)
    if seen is None:
        return []
    kinds = {True: types.InlayHintKind.Type, False: types.InlayHintKind.Parameter}
    lines = params.range.start.line, params.range.end.line
    return [
        types.InlayHint(columns.theirs(each.place), each.text, kind=kinds[each.type])
        for each in hints.hints(seen, *lines)
    ]


async def completed(server: OgiveServer, params: types.CompletionParams) -> types.CompletionList:
    """What could stand at a place."""
    path = await server.settled(params.text_document.uri)
    columns = server.columns(path)
    items = []
    for each in completion.completions(server.desk, path, columns.ours(params.position)):
        items.append(
            types.CompletionItem(
                label=each.label,
                kind=ITEMS[each.kind],
                detail=each.detail or None,
                documentation=markdown(each.means) if each.means else None,
                insert_text=each.insert or None,
                sort_text=f"{each.rank}{each.label}",
                additional_text_edits=[types.TextEdit(columns.range(at), text) for at, text in each.edits] or None,
            )
        )
    return types.CompletionList(is_incomplete=False, items=items)


async def signed(server: OgiveServer, params: types.SignatureHelpParams) -> types.SignatureHelp | None:
    """The signature of the call around a place."""
    path = await server.settled(params.text_document.uri)
    seen, columns = server.desk.see(path), server.columns(path)
    found = None if seen is None else calls.call_help(seen, columns.ours(params.position))
    if found is None:
        return None
    parts = [types.ParameterInformation(each) for each in found.parts]
    active = min(found.active, len(parts) - 1) if parts else None
    signature = types.SignatureInformation(found.label, markdown(found.means) if found.means else None, parts)
    return types.SignatureHelp([signature], active_signature=0, active_parameter=active)


async def defined(server: OgiveServer, params: types.DefinitionParams) -> types.Location | None:
    """Where a name is made."""
    path = await server.settled(params.text_document.uri)
    found = pointing.defined(server.desk, path, server.columns(path).ours(params.position))
    return None if found is None else server.location(found.path, found.region)


async def referenced(server: OgiveServer, params: types.ReferenceParams) -> list[types.Location]:
    """All places of a name."""
    path = await server.settled(params.text_document.uri)
    place = server.columns(path).ours(params.position)
    found = pointing.references(server.desk, path, place, params.context.include_declaration)
    return [server.location(each.path, each.region) for each in found]


async def highlighted(server: OgiveServer, params: types.DocumentHighlightParams) -> list[types.DocumentHighlight]:
    """The places of a name in this file."""
    path = await server.settled(params.text_document.uri)
    columns = server.columns(path)
    found = pointing.references(server.desk, path, columns.ours(params.position))
    return [types.DocumentHighlight(columns.range(each.region)) for each in found if each.path == path]


async def rename_prepared(server: OgiveServer, params: types.PrepareRenameParams) -> types.Range | None:
    """The name that would be changed."""
    path = await server.settled(params.text_document.uri)
    seen, columns = server.desk.see(path), server.columns(path)
    if seen is None:
        return None
    try:
        found = renaming.renamable(seen, columns.ours(params.position))
    except renaming.RenameRefused as refused:
        raise JsonRpcInvalidParams(str(refused)) from None
    return columns.range(region(found.span))


async def renamed(server: OgiveServer, params: types.RenameParams) -> types.WorkspaceEdit:
    """The edits that change a name everywhere."""
    path = await server.settled(params.text_document.uri)
    place = server.columns(path).ours(params.position)
    try:
        found = renaming.rename(server.desk, path, place, params.new_name)
    except renaming.RenameRefused as refused:
        raise JsonRpcInvalidParams(str(refused)) from None
    return workspace_edit(server, found.edits)


def workspace_edit(server: OgiveServer, changes: tuple[edits.FileEdit, ...]) -> types.WorkspaceEdit:
    """Edits of files for the protocol."""
    by_file: dict[str, list[types.TextEdit | types.AnnotatedTextEdit | types.SnippetTextEdit]] = {}
    plain: dict[str, list[types.TextEdit]] = {}
    for each in changes:
        made = types.TextEdit(server.columns(each.file).range(each.region), each.text)
        plain.setdefault(uri_of_path(each.file), []).append(made)
        by_file.setdefault(uri_of_path(each.file), []).append(made)
    capabilities = server.client_capabilities.workspace
    known = None if capabilities is None else capabilities.workspace_edit
    if known is None or not known.document_changes:
        return types.WorkspaceEdit(changes=plain)
    documents = server.workspace.text_documents
    return types.WorkspaceEdit(
        document_changes=[
            types.TextDocumentEdit(
                types.OptionalVersionedTextDocumentIdentifier(
                    uri, documents[uri].version if uri in documents else None
                ),
                made,
            )
            for uri, made in by_file.items()
        ]
    )


async def acted(server: OgiveServer, params: types.CodeActionParams) -> list[types.CodeAction]:
    """What mends the findings of a range, and all of the file."""
    uri = params.text_document.uri
    path = await server.settled(uri)
    columns = server.columns(path)
    wanted = params.context.only
    found: list[types.CodeAction] = []
    if _asked(wanted, "quickfix"):
        for each in edits.actions(server.desk, path, columns.region(params.range)):
            of = [known for known in params.context.diagnostics if each.of is not None and known.code == each.of.code]
            found.append(
                types.CodeAction(
                    title=each.title,
                    kind=types.CodeActionKind.QuickFix,
                    diagnostics=of or None,
                    is_preferred=not each.contract,
                    edit=workspace_edit(server, each.edits),
                )
            )
    if _asked(wanted, "source.fixAll.ogive"):
        text = edits.mended(server.desk, path)
        if text is not None:
            whole = TextRegion((0, 0), columns.lines.position(len(columns.lines.text)))
            change = edits.FileEdit(path, whole, text)
            found.append(
                types.CodeAction(
                    title="mend all that changes no contract",
                    kind="source.fixAll.ogive",
                    edit=workspace_edit(server, (change,)),
                )
            )
    return found


def _asked(wanted: object, kind: str) -> bool:
    if not isinstance(wanted, list | tuple):
        return kind == "quickfix"
    names = [str(getattr(each, "value", each)) for each in wanted]
    return any(kind == each or kind.startswith(f"{each}.") for each in names)


async def outlined(server: OgiveServer, params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
    """What the file declares."""
    path = await server.settled(params.text_document.uri)
    seen, columns = server.desk.see(path), server.columns(path)

    def symbol(each: outline.OutlineEntry) -> types.DocumentSymbol:
        return types.DocumentSymbol(
            name=each.name,
            kind=PARTS[each.kind],
            range=columns.range(each.whole),
            selection_range=columns.range(each.named),
            detail=each.detail or None,
            children=[symbol(inner) for inner in each.inside],
        )

    return [] if seen is None else [symbol(each) for each in outline.outline(seen)]


async def folded(server: OgiveServer, params: types.FoldingRangeParams) -> list[types.FoldingRange]:
    """What can be folded away."""
    seen = server.desk.see(await server.settled(params.text_document.uri))
    found = [] if seen is None else outline.folds(seen)
    return [types.FoldingRange(first, last, kind=FOLDS.get(kind)) for first, last, kind in found]


async def coloured(server: OgiveServer, params: types.SemanticTokensParams) -> types.SemanticTokens:
    """The names of a file with what they are."""
    path = await server.settled(params.text_document.uri)
    seen, columns = server.desk.see(path), server.columns(path)
    data: list[int] = []
    line = column = 0
    for each in [] if seen is None else outline.tokens(seen):
        at = columns.theirs(each.region.start)
        if at.line != line:
            column = 0
        kind = TOKEN_TYPES.index(TOKENS[outline.KINDS.index(each.kind)])
        bits = each.binds * 1 + each.of_language * 2 + (each.kind in ("size", "constant")) * 4
        data += [at.line - line, at.character - column, columns.width(each.region), kind, bits]
        line, column = at.line, at.character
    return types.SemanticTokens(data)


async def lensed(server: OgiveServer, params: types.CodeLensParams) -> list[types.CodeLens]:
    """What may be done with models and blocks, above them."""
    uri = params.text_document.uri
    path = await server.settled(uri)
    seen, columns = server.desk.see(path), server.columns(path)
    found = []
    for each in [] if seen is None else pictures.lenses(seen):
        command = f"ogive.{each.does}" if each.does else ""
        found.append(
            types.CodeLens(
                columns.range(each.region),
                types.Command(each.title, command, arguments=[uri, each.name] if each.does else None),
            )
        )
    return found


async def formatted(server: OgiveServer, params: types.DocumentFormattingParams) -> list[types.TextEdit] | None:
    """The whole file in the one style."""
    return await _formatted(server, params.text_document.uri, None)


async def range_formatted(
    server: OgiveServer, params: types.DocumentRangeFormattingParams
) -> list[types.TextEdit] | None:
    """Some lines in the one style."""
    last = params.range.end.line - (params.range.end.character == 0 and params.range.end.line > params.range.start.line)
    return await _formatted(server, params.text_document.uri, (params.range.start.line, last))


async def _formatted(server: OgiveServer, uri: str, lines: tuple[int, int] | None) -> list[types.TextEdit] | None:
    path = await server.settled(uri)
    text = server.desk.text(path)
    changes = None if text is None else edits.formatted(text, path, lines)
    if changes is None:
        return None
    columns = server.columns(path)
    return [types.TextEdit(columns.range(at), new) for at, new in changes]
