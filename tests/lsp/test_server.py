"""The language server, spoken to in its protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_lsp
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pytest_lsp import LanguageClient

from lsp.client import CONFIG, OpenText, begun, listen

NET = """use std.nn (Linear, LayerNorm)

## Attention.
block Attention[d, heads](x: [b, n, d]) -> [b, n, d]
where d % heads == 0:
    q, k, v = x |> Linear[d, 3*d] as qkv |> split["b n (t h e) -> t b h n e", t=3, h=heads]
    scores = einsum["b h i e, b h j e -> b h i j"](q, k) / sqrt(d // heads)
    p = scores |> softmax[j]
    y = einsum["b h i j, b h j e -> b h i e"](p, v)
    return y |> rearrange["b h n e -> b n (h e)"] |> Linear[d, d] as proj

## Layers.
block Net[d, heads, depth: nat](x: [b, n, d]) -> [b, n, d]
where d % heads == 0:
    repeat depth as h:
        x = x + (x |> LayerNorm as norm |> Attention[d, heads] as attn)
    return x

model Small = Net[d=64, heads=4, depth=2]
"""


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_lsp.fixture(config=CONFIG, scope="module")  # type: ignore[untyped-decorator]
async def client(lsp_client: LanguageClient, folder: Path) -> AsyncIterator[None]:
    listen(lsp_client)
    await begun(lsp_client, folder)
    yield
    await lsp_client.shutdown_session()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture
def place(folder: Path, request: pytest.FixtureRequest) -> Path:
    """A folder of the project for one test."""
    made: Path = folder / request.node.name.replace("/", "_").replace("[", "_").replace("|", "_")[:60]
    made.mkdir(exist_ok=True)
    return made


@pytest.fixture
def net(place: Path) -> Path:
    return place / "net.arch"


async def edits_of(found: types.WorkspaceEdit | None) -> dict[str, list[Any]]:
    assert found is not None
    if found.changes is not None:
        return {uri: list(edits) for uri, edits in found.changes.items()}
    assert found.document_changes is not None
    return {each.text_document.uri: list(each.edits) for each in found.document_changes}  # type: ignore[union-attr]


async def test_findings_follow_typing_and_are_of_the_last_version(client: LanguageClient, net: Path) -> None:
    text = OpenText(client, net, NET)
    assert await text.findings() == []
    for number in range(20):
        text.change(NET.replace("softmax[j]", f"softmax[{'x' * number}]"))
    text.change(NET.replace("softmax[j]", "softmax[zz]"))
    (found,) = [each for each in await text.findings() if each.severity == types.DiagnosticSeverity.Error]
    assert str(found.code) == "E0305"
    assert text.text.split("\n")[found.range.start.line][found.range.start.character :].startswith("softmax[zz]") or (
        "zz" in text.text.split("\n")[found.range.start.line]
    )
    text.change(NET)
    assert await text.findings() == []


async def test_places_count_in_utf_16(client: LanguageClient, net: Path) -> None:
    text = OpenText(client, net, "# 𝔸𝔹\nblock F(x: [b]) -> [b]:\n    return missing(x)  # 𝔸\n")
    (found,) = await text.findings()
    assert (found.range.start.character, found.range.end.character) == (11, 18)
    wide = 'block F(x: [b, c]) -> [c, b]:\n    return x |> rearrange["𝔸 -> b"]\n'
    text.change(wide)
    (found,) = await text.findings()
    line = wide.split("\n")[1]
    shown = line.encode("utf-16-le")[2 * found.range.start.character : 2 * found.range.end.character]
    assert shown.decode("utf-16-le") == "𝔸"


async def test_files_that_are_open_and_not_saved_are_what_others_use(client: LanguageClient, place: Path) -> None:
    (place / "parts.arch").write_text("block Old(x: [b]) -> [b]:\n    return x\n")
    user = OpenText(client, place / "user.arch", "use ./parts (New)\nmodel M = New\n")
    assert [str(each.code) for each in await user.findings()] == ["E0202"]
    parts = OpenText(client, place / "parts.arch", "block New(x: [b]) -> [b]:\n    return relu(x)\n")
    await parts.findings()
    for _ in range(400):
        if not client.diagnostics[user.uri]:
            break
        await asyncio.sleep(0.01)
    assert list(client.diagnostics[user.uri]) == []
    found = await client.text_document_definition_async(types.DefinitionParams(**user.place("model M = N|ew")))
    assert isinstance(found, types.Location)
    assert (found.uri, found.range.start.line, found.range.start.character) == (parts.uri, 0, 6)


async def test_hints_say_sizes_and_statics(client: LanguageClient, net: Path) -> None:
    text = OpenText(client, net, NET)
    whole = types.Range(types.Position(0, 0), types.Position(30, 0))
    found = await client.text_document_inlay_hint_async(types.InlayHintParams(text.id, whole))
    assert found is not None
    shown = {(each.position.line, each.label) for each in found}
    assert (6, ": [b, h = heads, i = n, j = n]") in shown
    assert (15, "[d]") in shown
    few = types.Range(types.Position(7, 0), types.Position(7, 5))
    some = await client.text_document_inlay_hint_async(types.InlayHintParams(text.id, few))
    assert some is not None
    assert {each.position.line for each in some} == {7}


@pytest.mark.parametrize(
    ("marked", "said"),
    [
        ("|> Attent|ion[d", ["block Attention[d, heads](x: [b, n, d]) -> [b, n, d]", "where d % heads == 0", "4*d**2",
                             "multiply-adds"]),
        ("(x |> Layer|Norm", ["LayerNorm", "std.nn", "parameters"]),
        ("block N|et", ["Layers."]),
        ("model Sm|all", ["33,536 parameters", "[b, n, 64]"]),
        ("|> soft|max[j]", ["softmax", "[b, h = heads, i = n, j = n]"]),
        ("softmax[j|]", ["axis `j` of size `n`", "line 4"]),
        ("split[\"b n (t h e|) ->", ["axis `e`", "d//heads"]),
        ("    p| = scores", ["p: [b, h = heads, i = n, j = n]"]),
        ("sqrt(d /|/ heads)", ["d//heads"]),
        ("[d, hea|ds, depth", ["static heads", "line 13"]),
    ],
)  # fmt: skip
async def test_hover(client: LanguageClient, net: Path, marked: str, said: list[str]) -> None:
    text = OpenText(client, net, NET)
    found = await client.text_document_hover_async(types.HoverParams(**text.place(marked)))
    assert found is not None
    assert isinstance(found.contents, types.MarkupContent)
    for each in said:
        assert each in found.contents.value


@pytest.mark.parametrize(
    ("line", "first", "others"),
    [
        ("    z = x |> softmax[|", {"b", "n", "d"}, set()),
        ("    z = x |> softmax[|]", {"b", "n", "d"}, set()),
        ("    z = mean[|](x)", {"b", "n", "d"}, {"keepdim="}),
        ('    z = x |> rearrange["|', {"b", "n", "d"}, set()),
        ('    z = x |> rearrange["b n d -> b |"]', {"b", "n", "d"}, set()),
        ("    z = x |> |", set(), {"Linear", "relu", "x", "d", "Dropout", "Net"}),
        ("    z = x |> Lin|", set(), {"Linear"}),
        ("    z = x |> Linear[|]", set(), {"din=", "dout=", "bias=", "d"}),
        ("    |", set(), {"return", "param", "repeat"}),
        ("    param w: [d] = |", set(), {"normal", "zeros"}),
        ('    z = x |> rearrange["b (t h) d -> b t h d", |]', set(), {"t=", "h="}),
    ],
)
async def test_completion(client: LanguageClient, net: Path, line: str, first: set[str], others: set[str]) -> None:
    bare = line.replace("|>", "\0").replace("|", "").replace("\0", "|>")
    column = len(line.replace("|>", "\0\0").split("|")[0])
    head = NET.split("\n")
    at = head.index("    p = scores |> softmax[j]")
    text = OpenText(client, net, "\n".join([*head[:at], bare, *head[at:]]))
    params = types.CompletionParams(text.id, types.Position(at, column))
    found = await client.text_document_completion_async(params)
    assert isinstance(found, types.CompletionList)
    labels = {each.label: each for each in found.items}
    assert first | others <= labels.keys(), sorted(labels)[:40]
    top = sorted(found.items, key=lambda each: each.sort_text or "")[: len(first)]
    assert {each.label for each in top} == first


async def test_what_the_library_has_brings_its_use(client: LanguageClient, net: Path) -> None:
    for text, name in ((NET, "Dropout"), (NET, "Conv"), (NET.split("\n", 2)[2].replace("Linear", "relu"), "Linear")):
        shown = OpenText(client, net, text.replace("softmax[j]", "zz"))
        found = await client.text_document_completion_async(types.CompletionParams(**shown.place("scores |> zz|")))
        assert isinstance(found, types.CompletionList)
        (item,) = [each for each in found.items if each.label == name]
        assert item.additional_text_edits
        after = shown.applied(list(item.additional_text_edits))
        shown.change(after.replace("scores |> zz", f"scores |> {name}"))
        said = [each.message for each in await shown.findings()]
        assert not [each for each in said if "unknown name" in each and name in each]


async def test_signatures(client: LanguageClient, net: Path) -> None:
    text = OpenText(client, net, NET.replace("Attention[d, heads] as", "Attention[d, ] as"))
    found = await client.text_document_signature_help_async(
        types.SignatureHelpParams(**text.place("Attention[d, |] as"))
    )
    assert found is not None
    assert found.signatures[0].label == "Attention[d, heads](x: [b, n, d]) -> [b, n, d]"
    assert found.active_parameter == 1
    found = await client.text_document_signature_help_async(types.SignatureHelpParams(**text.place("softmax[|j]")))
    assert found is not None
    assert found.signatures[0].label.startswith("softmax[")


async def test_definitions_lead_into_the_library(client: LanguageClient, net: Path) -> None:
    text = OpenText(client, net, NET)
    for place, line in (("x |> Lin|ear[d, 3*d]", None), ("|> Attent|ion[d", 3), ("softmax[j|]", 6), ("return y| ", 8)):
        found = await client.text_document_definition_async(types.DefinitionParams(**text.place(place)))
        assert isinstance(found, types.Location), place
        if line is None:
            assert found.uri.endswith("nn.arch")
            target = Path(found.uri.removeprefix("file://")).read_text().split("\n")[found.range.start.line]
            assert target.startswith("block Linear[")
        else:
            assert (found.uri, found.range.start.line) == (text.uri, line)


async def test_renaming_reaches_keywords_patterns_and_other_files(client: LanguageClient, place: Path) -> None:
    other = "use ./net (Attention)\n\nmodel Other = Attention[d=8, heads=2]\n"
    (place / "other.arch").write_text(other)
    text = OpenText(client, place / "net.arch", NET)
    uri = (place / "other.arch").as_uri()
    changed = await edits_of(
        await client.text_document_rename_async(
            types.RenameParams(**text.place("Attention[d, hea|ds](x"), new_name="H")
        )
    )
    assert changed.keys() == {text.uri, uri}
    after = text.applied(changed[text.uri])
    assert "h=H]" in after
    assert "where d % H == 0" in after
    assert "block Net[d, heads, depth" in after
    assert len(changed[uri]) == 1
    changed = await edits_of(
        await client.text_document_rename_async(types.RenameParams(**text.place("block Atten|tion"), new_name="Mix"))
    )
    assert len(changed[text.uri]) == 2
    assert len(changed[uri]) == 2
    changed = await edits_of(
        await client.text_document_rename_async(types.RenameParams(**text.place("softmax[j|]"), new_name="key"))
    )
    after = text.applied(changed[text.uri])
    assert 'einsum["b h i e, b h key e -> b h i key"]' in after
    assert "softmax[key]" in after
    for cursor, new in (("x |> Lin|ear[d, 3*d]", "L"), ("block Atten|tion", "Net"), ("block Atten|tion", "a b"),
                       ("soft|max[j]", "s")):  # fmt: skip
        with pytest.raises(JsonRpcException):
            await client.text_document_rename_async(types.RenameParams(**text.place(cursor), new_name=new))


async def test_references(client: LanguageClient, place: Path) -> None:
    (place / "other.arch").write_text("use ./net (Attention)\n\nmodel Other = Attention[d=8, heads=2]\n")
    text = OpenText(client, place / "net.arch", NET)
    cursor = text.place("block Atten|tion")
    found = await client.text_document_references_async(
        types.ReferenceParams(**cursor, context=types.ReferenceContext(include_declaration=True))
    )
    assert found is not None
    assert sorted(Path(each.uri).name for each in found) == ["net.arch", "net.arch", "other.arch", "other.arch"]


async def test_actions_are_the_edits_of_fix(client: LanguageClient, net: Path) -> None:
    text = OpenText(client, net, "block F(x: [b, d]) -> [b, d]:\n    y = x |> Linear[d, d]\n    return rleu(y)\n")
    findings = await text.findings()
    whole = types.Range(types.Position(0, 0), types.Position(3, 0))
    params = types.CodeActionParams(text.id, whole, types.CodeActionContext(findings))
    found = await client.text_document_code_action_async(params)
    assert found is not None
    assert len(found) >= 2
    context = types.CodeActionContext(findings, only=["source.fixAll"])
    (mend,) = await client.text_document_code_action_async(types.CodeActionParams(text.id, whole, context)) or []
    assert isinstance(mend, types.CodeAction)
    (edits,) = (await edits_of(mend.edit)).values()
    text.change(text.applied(edits))
    assert "use std.nn (Linear)" in text.text
    assert [each for each in await text.findings() if each.severity == types.DiagnosticSeverity.Error] == []


async def test_symbols_folds_tokens_and_lenses(client: LanguageClient, net: Path) -> None:
    text = OpenText(client, net, NET)
    symbols = await client.text_document_document_symbol_async(types.DocumentSymbolParams(text.id))
    assert symbols is not None
    assert [each.name for each in symbols] == ["Attention", "Net", "Small"]
    folds = await client.text_document_folding_range_async(types.FoldingRangeParams(text.id))
    assert folds is not None
    assert (3, 9) in {(each.start_line, each.end_line) for each in folds}
    tokens = await client.text_document_semantic_tokens_full_async(types.SemanticTokensParams(text.id))
    assert tokens is not None
    lines, line, column, shown = NET.split("\n"), 0, 0, []
    for at in range(0, len(tokens.data), 5):
        down, right, width, kind, _ = tokens.data[at : at + 5]
        line, column = line + down, right if down else column + right
        shown.append((lines[line][column : column + width], kind))
    assert ("Attention", 0) in shown
    assert {text for text, _ in shown} >= {"softmax", "einsum", "j", "heads", "Linear", "x"}
    lenses = await client.text_document_code_lens_async(types.CodeLensParams(text.id))
    assert lenses is not None
    assert [each.command.title for each in lenses if each.command and each.range.start.line == 18] == [
        "33,536 parameters", "build", "draw",
    ]  # fmt: skip


async def test_commands_draw_and_build(client: LanguageClient, net: Path) -> None:
    text = OpenText(client, net, NET)
    cursor = text.at("    p| = scores")
    where = {"line": cursor.line, "character": cursor.character}
    found: Any = await client.workspace_execute_command_async(
        types.ExecuteCommandParams("ogive.drawing", [text.uri, where])
    )
    name, svg = (found["name"], found["svg"]) if isinstance(found, dict) else (found.name, found.svg)
    assert name == "Attention"
    assert svg.startswith("<svg") or svg.startswith("<?xml")
    path: Any = await client.workspace_execute_command_async(
        types.ExecuteCommandParams("ogive.build", [text.uri, "Small"])
    )
    assert "def Small(" in Path(path).read_text()
    text.change(NET.replace("softmax[j]", "softmax[zz]"))
    found = await client.workspace_execute_command_async(types.ExecuteCommandParams("ogive.drawing", [text.uri, where]))
    assert found is not None  # a block with errors is drawn as far as it is understood


async def test_formatting_of_files_and_ranges(client: LanguageClient, net: Path) -> None:
    rough = NET.replace("p = scores |> softmax[j]", "p=scores|>softmax[ j ]").replace("return x\n", "return   x\n")
    text = OpenText(client, net, rough)
    options = types.FormattingOptions(tab_size=4, insert_spaces=True)
    whole = await client.text_document_formatting_async(types.DocumentFormattingParams(text.id, options))
    assert whole is not None
    assert text.applied(list(whole)) == NET
    one = types.Range(types.Position(7, 0), types.Position(8, 0))
    some = await client.text_document_range_formatting_async(types.DocumentRangeFormattingParams(text.id, one, options))
    assert some is not None
    assert text.applied(list(some)) == NET.replace("return x\n", "return   x\n")
    text.change("block F(:\n")
    assert await client.text_document_formatting_async(types.DocumentFormattingParams(text.id, options)) is None


async def test_a_request_that_is_withdrawn_ends(client: LanguageClient, net: Path) -> None:
    text = OpenText(client, net, NET)
    waiting = [
        asyncio.ensure_future(client.text_document_hover_async(types.HoverParams(**text.place("block N|et"))))
        for _ in range(5)
    ]
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert await client.text_document_hover_async(types.HoverParams(**text.place("block N|et"))) is not None
