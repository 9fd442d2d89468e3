"""One self-contained page: pan, zoom, search, one axis everywhere, blocks that open; for mouse, keyboard and ear."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape

from ogive.backends.diagram.figure.geometry import Drawing
from ogive.backends.diagram.figure.palettes import DARK
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.render.page import BODY, SCRIPT, STYLE
from ogive.backends.diagram.render.page_sizes import SIZES
from ogive.backends.diagram.render.svg import css, roles_of, rules, svg

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def html(drawing: Drawing, blocks: Mapping[str, Drawing], theme: Theme, facts: Mapping[str, object]) -> str:
    """The page of a drawing; `blocks` are the drawings of the blocks in it, all placed already.

    `facts` are what its script computes with, for the drawing ("") and for each block.
    """
    names = frozenset(blocks)
    main = svg(drawing, theme, "m-", embedded=True, opens=names)
    roles = roles_of(drawing, *blocks.values())
    drawn = {name: svg(block, theme, f"b{i}-", True, names) for i, (name, block) in enumerate(blocks.items())}
    templates = "".join(
        f'<template id="block-{escape(name, True)}">{block}</template>\n' for name, block in drawn.items()
    )
    title = escape(drawing.title)
    body = BODY.replace("{title}", title).replace("{templates}", templates).replace("{svg}", main)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>{STYLE}{css(theme, roles)}{_chosen(theme, roles)}</style></head>\n"
        f'<body>{body}<script type="application/json" id="facts">{_data(facts)}</script>\n'
        f"<script>{SIZES}{SCRIPT}</script></body></html>\n"
    )


def _data(facts: Mapping[str, object]) -> str:
    """JSON that ends no element: names may hold anything."""
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _chosen(theme: Theme, roles: tuple[str, ...]) -> str:
    """The colours of a ground that the reader chose by the button, whatever the system says."""
    dark = theme.dark or DARK
    return "".join([*rules(theme.palette, roles, "[data-theme=light] "), *rules(dark, roles, "[data-theme=dark] ")])
