"""Pieces of HTML for the output of a cell: they fold and switch without scripts, and ask for nothing from outside."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from html import escape

LIGHT = "--ink:#1f2328;--dim:#59636e;--line:#d1d9e0;--soft:#f3f5f7;--key:#0550ae"
DARK = "--ink:#e6edf3;--dim:#9198a1;--line:#3d444d;--soft:#22272e;--key:#79c0ff"
STYLE = f"""
.ogive{{{LIGHT};color:var(--ink);font:13px/1.45 system-ui,sans-serif;max-width:64em}}
@media(prefers-color-scheme:dark){{.ogive{{{DARK}}}}}
[data-jp-theme-light=true] .ogive,.vscode-light .ogive{{{LIGHT}}}
[data-jp-theme-light=false] .ogive,.vscode-dark .ogive{{{DARK}}}
.ogive code,.ogive pre{{font:12px/1.5 ui-monospace,monospace;color:var(--ink);background:none}}
.ogive .dim{{color:var(--dim)}}
.ogive .head{{font-weight:600}}
.ogive .head b{{color:var(--key)}}
.ogive details{{margin-left:1em}}
.ogive details>summary{{cursor:pointer;margin-left:-1em}}
.ogive .leaf,.ogive summary{{display:grid;grid-template-columns:1fr 11em 9em 6em;gap:1em;list-style:revert}}
.ogive details>summary{{display:list-item}}
.ogive summary .row{{display:inline-grid;grid-template-columns:1fr 11em 9em 6em;gap:1em;width:calc(100% - 1.2em)}}
.ogive .row span+span,.ogive .leaf span+span{{text-align:right;font-variant-numeric:tabular-nums}}
.ogive pre{{white-space:pre-wrap}}
.ogive table{{font:inherit;border-collapse:collapse;color:var(--ink);background:none}}
.ogive td,.ogive th{{padding:.15em .8em;border-bottom:1px solid var(--line);text-align:left;background:none}}
.ogive td.n,.ogive th.n{{text-align:right;font-variant-numeric:tabular-nums}}
.ogive .tabs>input{{position:absolute;opacity:0;pointer-events:none}}
.ogive .tabs>label{{display:inline-block;padding:.2em .9em;cursor:pointer;color:var(--dim);
border-bottom:2px solid transparent}}
.ogive .tabs>input:checked+label{{border-color:var(--key);color:var(--ink)}}
.ogive .tabs>input:focus-visible+label{{outline:2px solid var(--key)}}
.ogive .tabs>.tab{{display:none;border-top:1px solid var(--line);padding:.6em 0;overflow-x:auto}}
.ogive .picture{{background:#fff;border-radius:4px;padding:6px;display:inline-block}}
.ogive .picture img{{max-width:100%}}
"""


def card(*parts: str) -> str:
    """The output of a cell."""
    return f'<div class="ogive"><style>{STYLE}</style>{"".join(parts)}</div>'


def head(kind: str, name: str, signature: str, more: str = "") -> str:
    """The first line: what it is, its name and its signature."""
    text = f'<div class="head">{escape(kind)} <b>{escape(name)}</b> <code>{escape(signature)}</code></div>'
    return text + (f'<div class="dim">{escape(more)}</div>' if more else "")


def conditions(found: Sequence[str]) -> str:
    """The conditions of a signature."""
    return "".join(f'<div><code class="dim">where</code> <code>{escape(each)}</code></div>' for each in found)


def tabs(found: Sequence[tuple[str, str]]) -> str:
    """Parts of which one is seen at a time."""
    if len(found) < 2:
        return "".join(body for _, body in found)
    key = f"o{secrets.token_hex(5)}"
    rules = "".join(f"#{key}_{at}:checked~.{key}_{at}{{display:block!important}}" for at in range(len(found)))
    buttons = "".join(
        f'<input type="radio" name="{key}" id="{key}_{at}"{" checked" * (at == 0)}>'
        f'<label for="{key}_{at}">{escape(title)}</label>'
        for at, (title, _) in enumerate(found)
    )
    bodies = "".join(f'<div class="tab {key}_{at}">{body}</div>' for at, (_, body) in enumerate(found))
    return f'<style>{rules}</style><div class="tabs">{buttons}{bodies}</div>'


def table(rows: Sequence[Sequence[str]], numbers: int) -> str:
    """Rows below a head; the last `numbers` columns end at the right."""
    first, *others = rows

    def line(row: Sequence[str], tag: str) -> str:
        cells = []
        for at, each in enumerate(row):
            right = ' class="n"' if at >= len(row) - numbers else ""
            cells.append(f"<{tag}{right}>{escape(each)}</{tag}>")
        return f"<tr>{''.join(cells)}</tr>"

    return (
        f"<table><thead>{line(first, 'th')}</thead><tbody>{''.join(line(row, 'td') for row in others)}</tbody></table>"
    )


def folded(title: str, body: str, open: bool = False) -> str:
    """Something that a click unfolds."""
    return f"<details{' open' * open}><summary>{escape(title)}</summary>{body}</details>"


def text(content: str) -> str:
    """Lines as they are."""
    return f"<pre>{escape(content)}</pre>"


def picture(svg: str, name: str) -> str:
    """A drawing as an image: its names and styles stay its own, and it asks for nothing."""
    data = base64.b64encode(svg.encode()).decode()
    return f'<div class="picture"><img alt="diagram of {escape(name)}" src="data:image/svg+xml;base64,{data}"></div>'
