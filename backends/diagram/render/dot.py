"""Graphviz source of an overview, and what Graphviz makes of it where a reader asks for that."""

from __future__ import annotations

from typing import Any

from ogive.backends.diagram.figure.errors import DiagramError
from ogive.backends.diagram.figure.palettes import Palette
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.render.box_lines import lines_of
from ogive.backends.diagram.views.overview import Box, Edge, Overview


def dot(made: Overview, theme: Theme, direction: str = "TB") -> str:
    """The graph, its title over it and the legend in a node without edges."""
    return str(_graph(made, theme, direction).source)


def rendered(made: Overview, theme: Theme, direction: str, format: str) -> bytes:
    """The graph as Graphviz lays it out and writes it; its bytes differ between versions of Graphviz.

    Raises `DiagramError` where that program is not installed.
    """
    from graphviz import ExecutableNotFound

    try:
        return bytes(_graph(made, theme, direction).pipe(format=format))
    except ExecutableNotFound:
        raise DiagramError(
            "the program `dot` of Graphviz is not installed: apt install graphviz, brew install graphviz, or "
            "https://graphviz.org/download; or leave out --engine dot"
        ) from None


def _graph(made: Overview, theme: Theme, direction: str) -> Any:
    from graphviz import Digraph, escape

    palette = theme.palette
    graph = Digraph(escape(made.title))
    graph.attr("graph", rankdir=direction, compound="true", nodesep="0.3", ranksep="0.3", bgcolor=palette.ground,
               label=escape(made.title), labelloc="t", labeljust="l", fontname="Helvetica-Bold", fontsize="13",
               fontcolor=palette.ink)  # fmt: skip
    graph.attr("node", fontname="Helvetica", fontsize="11", shape="box", style="rounded,filled",
               fillcolor=palette.slab, color=palette.ink, fontcolor=palette.ink, height="0.3")  # fmt: skip
    graph.attr("edge", fontname="Helvetica", fontsize="9", color=palette.ink, fontcolor=palette.muted, arrowsize="0.6")
    children: dict[str, list[Box]] = {}
    for box in made.boxes:
        children.setdefault(box.parent, []).append(box)
    _boxes(graph, children, "", palette)
    for edge in made.edges:
        graph.edge(edge.source, edge.target, **_looks_of_edge(edge, palette))
    if made.legend:
        text = "".join(f"{escape(row)}\\l" for row in made.legend)
        graph.node("legend", text, shape="plaintext", style="", fontsize="9", fontcolor=palette.muted)
    return graph


def _looks_of_edge(edge: Edge, palette: Palette) -> dict[str, str]:
    from graphviz import escape

    found = {"label": str(escape(edge.text))} if edge.text else {}
    if edge.change in ("added", "removed"):
        found["color"] = getattr(palette, edge.change)
    return found | ({"style": "dashed"} if edge.change == "removed" else {})


def _boxes(graph: Any, children: dict[str, list[Box]], parent: str, palette: Palette) -> None:
    from graphviz import escape

    for box in children.get(parent, []):
        text = "\\n".join(map(escape, lines_of(box)))
        if box.kind == "group":
            with graph.subgraph(name=f"cluster_{box.id}") as inner:
                colour = getattr(palette, box.change) if box.change else palette.muted
                inner.attr(label=text, labeljust="l", fontsize="11", color=colour, fontcolor=palette.ink)
                _boxes(inner, children, box.id, palette)
        else:
            graph.node(box.id, text, **_looks(box, palette))


def _looks(box: Box, palette: Palette) -> dict[str, str]:
    ground = {"fillcolor": palette.ground}
    looks: dict[str, dict[str, str]] = {
        "input": {"shape": "plain", **ground}, "output": {"shape": "plain", **ground},
        "op": {"fontsize": "10", "height": "0.22", **ground}, "weight": {"shape": "cds", "penwidth": "2", **ground},
        "block": {"fillcolor": getattr(palette, box.role)} if box.role else {},
    }  # fmt: skip
    found = looks[box.kind]
    if box.change:
        colour = getattr(palette, box.change)
        found |= {"color": colour, "penwidth": "2"}
        found |= {"style": "rounded,filled,dashed"} if box.change == "removed" else {}
    return found
