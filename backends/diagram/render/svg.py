"""SVG: small, without scripts, the same bytes every time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from ogive.backends.diagram.figure.geometry import PATHS, RARE, Command, Dot, Drawing, Group, Item, Path, Text
from ogive.backends.diagram.figure.labels import small, written
from ogive.backends.diagram.figure.metrics import width
from ogive.backends.diagram.figure.palettes import Palette
from ogive.backends.diagram.figure.theme import Theme, of_drawing
from ogive.backends.diagram.render.layers import NAMESPACE, layers_of
from ogive.backends.diagram.render.outlines import placed

WIDTHS = {"wire": 1.3, "thin": 1.0, "bold": 2.4, "thick": 3.2}


def svg(
    drawing: Drawing, theme: Theme | None = None, prefix: str = "", embedded: bool = False,
    opens: frozenset[str] = frozenset(), outlined: bool = False, layered: bool = False,
) -> str:  # fmt: skip
    """The drawing as SVG; `embedded` leaves out the style, for a page that has it already and opens some blocks.

    `outlined` text is drawn, and needs no font; `layered` has a layer of Inkscape for each block.
    """
    theme = of_drawing(theme or Theme(), drawing)
    wide, high = drawing.width * drawing.scale, drawing.height * drawing.scale
    size = f'width="{number(wide)}" height="{number(high)}"'
    title, alt = prefix + "t", prefix + "d"
    spaces = f' xmlns:inkscape="{NAMESPACE}"' if layered else ""
    head = (
        f'<svg aria-labelledby="{title} {alt}" class="ogive" {size} role="img" '
        f'viewBox="0 0 {number(drawing.width)} {number(drawing.height)}" xmlns="http://www.w3.org/2000/svg"{spaces}>\n'
        f'<title id="{title}">{escape(drawing.title)}</title>\n<desc id="{alt}">{escape(drawing.alt)}</desc>\n'
    )
    style = (
        ""
        if embedded
        else f"<style>{css(theme, roles_of(drawing))}{''.join(inks(theme.palette)) if outlined else ''}</style>\n"
    )
    ground = "" if embedded else '<rect class="ground" height="100%" width="100%"/>\n'
    if layered:
        body = "".join(
            f'<g inkscape:groupmode="layer" inkscape:label={quoteattr(name)}>\n'
            f"{''.join(_body(part, theme, prefix, opens, outlined))}</g>\n"
            for name, part in layers_of(drawing)
        )
    else:
        body = "".join(_body(drawing, theme, prefix, opens, outlined))
    return f"{head}{style}{ground}{body}</svg>\n"


def number(value: float) -> str:
    """One decimal at most."""
    text = f"{value:.1f}"
    text = text[:-2] if text.endswith(".0") else text
    return "0" if text == "-0" else text


def roles_of(*drawings: Drawing) -> tuple[str, ...]:
    """The styles of drawings that most have not: kinds of blocks, axes in colour."""
    used = {item.style for drawing in drawings for item in drawing.items if isinstance(item, Path)}
    marked = any(item.change == "marked" for drawing in drawings for item in drawing.items)
    return (*(role for role in RARE if role in used), *(("marked",) if marked else ()))


def css(theme: Theme, roles: Sequence[str] = ()) -> str:
    """The styles: colours of the light ground, and those of the dark one where the reader has it."""
    found = [f".ogive{{font-family:{theme.family}}}"]
    found.append(".ogive path{fill:none;stroke-linecap:round;stroke-linejoin:round}")
    found += rules(theme.palette, roles)
    for name, (line, _, _, dashes) in PATHS.items():
        if line and (name not in RARE or name in roles):
            extra = f";stroke-dasharray:{dashes.replace(' ', ',')}" if dashes else ""
            found.append(f".ogive .{name}{{stroke-width:{theme.wire if line == 'wire' else WIDTHS[line]}{extra}}}")
    found.append(".ogive .label,.ogive .float{font-style:italic}.ogive .t-bold,.ogive .title{font-weight:bold}")
    found.append(f".ogive .symbol{{font-family:{theme.symbols};font-style:normal}}")
    if theme.dark is not None:
        found.append("@media (prefers-color-scheme:dark){" + "".join(rules(theme.dark, roles)) + "}")
    return "".join(found)


def rules(palette: Palette, roles: Sequence[str] = (), scope: str = "") -> Iterator[str]:
    """The colours of a ground, for what stands inside `scope`."""
    inside = f"{scope}.ogive"
    yield f"{inside} .ground{{fill:{palette.ground}}}{inside} text,{inside} circle{{fill:{palette.ink}}}"
    yield f"{inside} .caption,{inside} .legend{{fill:{palette.muted}}}"
    for name, (_, stroke, fill, _) in PATHS.items():
        if name in RARE and name not in roles:
            continue
        parts = [f"stroke:{getattr(palette, stroke)}"] if stroke else []
        parts += [f"fill:{getattr(palette, fill)}"] if fill else []
        yield f"{inside} .{name}{{{';'.join(parts)}}}"
    for name in ("added", "removed", "changed", *(("marked",) if "marked" in roles else ())):
        colour = getattr(palette, name)
        dash = ";stroke-dasharray:5,3" if name == "removed" else ""
        yield f"{inside} path.{name}{{stroke:{colour}{dash}}}"
        yield f"{inside} text.{name},{inside} circle.{name},{inside} path.solid.{name}{{fill:{colour}}}"
    yield f"{inside} path.wrong{{stroke:{palette.removed};stroke-width:2.4;stroke-dasharray:5,3}}"


def inks(palette: Palette) -> Iterator[str]:
    """The colours of text that is drawn."""
    yield f".ogive .ink{{fill:{palette.ink}}}.ogive .ink.caption,.ogive .ink.legend{{fill:{palette.muted}}}"
    for name in ("added", "removed", "changed", "marked"):
        yield f".ogive .ink.{name}{{fill:{getattr(palette, name)};stroke:none}}"


def _body(
    drawing: Drawing, theme: Theme, prefix: str, opens: frozenset[str], outlined: bool
) -> Iterator[str]:  # fmt: skip
    """Wires as they are; the items of one operation in one group that knows its source."""
    known = {group.owner: group for group in drawing.groups}
    seen: set[str] = set()
    for owner, items in groupby(drawing.items, key=lambda item: item.owner):
        body = [_outlined(item, theme) if outlined and isinstance(item, Text) else _item(item, theme)
                for item in items]  # fmt: skip
        if not owner:
            yield from (text + "\n" for text in body)
            continue
        ident = f' id="{prefix}{owner}"' if owner not in seen else ""
        data = _data(known[owner], opens if owner not in seen else frozenset()) if owner in known else ""
        wrong = known[owner].wrong if owner in known else ""
        seen.add(owner)
        yield f"<g{data}{ident}>{f'<title>{escape(wrong)}</title>' if wrong else ''}{''.join(body)}</g>\n"


def _data(group: Group, opens: frozenset[str]) -> str:
    """What scripts and readers may ask of an operation."""
    pairs = {"data-path": group.path, "data-src": group.where}
    if opens:
        pairs["data-name"] = group.name
    if group.block in opens and not group.plate:
        pairs |= {"aria-label": f"Open {group.name}", "data-block": group.block, "role": "button", "tabindex": "0"}
        pairs["data-op"] = group.op
    return "".join(f" {key}={quoteattr(value)}" for key, value in sorted(pairs.items()) if value)


def _item(item: Item, theme: Theme) -> str:
    if isinstance(item, Path):
        return _path(item)
    if isinstance(item, Dot):
        cls = f' class="{item.change}"' if item.change else ""
        return f'<circle{cls} cx="{number(item.x)}" cy="{number(item.y)}" r="{number(item.radius)}"/>'
    return _text(item, theme)


def _path(item: Path) -> str:
    names = [item.style]
    names += [item.change] if item.change else []
    names += ["wrong"] if item.wrong else []
    axis = f" data-axis={quoteattr(item.axis)}" if item.axis else ""
    return f'<path class="{" ".join(names)}" d="{path_data(item.commands)}"{axis}/>'


def path_data(commands: Iterable[Command]) -> str:
    """`M0 0H10V5L2 3C...Z`, with the short forms for level and upright lines."""
    parts: list[str] = []
    at = ("", "")
    for name, points in commands:
        texts = [number(p) for p in points]
        if name == "Z":
            parts.append("Z")
            continue
        end = (texts[-2], texts[-1])
        if name == "L" and end[1] == at[1]:
            parts.append(f"H{end[0]}" if end != at else "")
        elif name == "L" and end[0] == at[0]:
            parts.append(f"V{end[1]}")
        else:
            parts.append(name + " ".join(texts))
        at = end
    return "".join(parts)


def _text(item: Text, theme: Theme) -> str:
    # a class of its own: "bold" is also a line
    style = "t-bold" if item.style == "bold" else item.style
    names = " ".join([style, item.change] if item.change else [style])
    text = _runs(item, theme)
    placed = "<tspan" in text  # then each part has its own place
    anchor = "" if item.anchor == "start" or placed else f' text-anchor="{item.anchor}"'
    axis = f" data-axis={quoteattr(item.axis)}" if item.axis else ""
    # a measured width keeps fonts that are wider from running into their neighbours
    fixed = (
        f' lengthAdjust="spacingAndGlyphs" textLength="{number(item.width)}"'
        if item.width and "<tspan" not in text
        else ""
    )
    if item.spots:
        axis += f' data-anchor="{item.anchor}"' if item.anchor != "start" else ""
        axis += f' data-room="{number(max(item.room, item.width))}" data-spots="{" ".join(at for _, at in item.spots)}"'
    return (
        f'<text class="{names}"{axis} font-size="{number(item.size)}"{anchor}{fixed} x="{number(item.x)}" '
        f'y="{number(item.y)}">{text}</text>'
    )


def _runs(item: Text, theme: Theme) -> str:
    """Subscripts, superscripts and symbols each begin at a measured place, so that no font pushes them away."""
    parts = written(item.text, item.style)
    if not any(run.level or run.symbol for run in parts):
        return escape(item.text)
    size = small(item.size, theme.least)
    text, x = "", item.box[0]
    for run in parts:
        place = f' x="{number(x)}"' + (f' y="{number(item.y + SHIFTS[run.level])}"' if run.level else "")
        place += f' y="{number(item.y)}"' if text and not run.level else ""
        kind = ' class="symbol"' if run.symbol else ""
        tall = f' font-size="{number(size)}"' if run.level else ""
        text += f"<tspan{kind}{tall}{place}>{escape(run.text)}</tspan>"
        x += width(run.text, size if run.level else item.size, item.style in ("bold", "title"))
    return text


def _outlined(item: Text, theme: Theme) -> str:
    """A text as the shapes of its characters; one whose shape is not known is left to the fonts of the machine."""
    bold = item.style in ("bold", "title")
    style = "t-bold" if item.style == "bold" else item.style
    size, x = small(item.size, theme.least), item.box[0]
    found = []
    for run in written(item.text, item.style):
        tall = size if run.level else item.size
        slanted = item.style in ("label", "float") and not run.symbol
        y = item.y + SHIFTS[run.level]
        for at, char, path in placed(run.text, x, tall, "bold" if bold else "italic" if slanted else "regular"):
            if path is None:
                text = f'font-size="{number(tall)}" x="{at:.2f}" y="{y:.2f}">{escape(char)}</text>'
                found.append(f'<text class="{style}" {text}')
                continue
            names = " ".join(["ink", style, item.change] if item.change else ["ink", style])
            move = f"translate({at:.2f} {y:.2f}) scale({tall / 1000:.5f})"
            found.append(f'<path class="{names}" d="{path}" transform="{move}"/>')
        x += width(run.text, tall, bold)
    return "".join(found)


SHIFTS = {0: 0.0, -1: 2.6, 1: -4.2}
