"""A style file: what an author says about a figure that its program does not, in TOML."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ogive.backends.diagram.figure.errors import DiagramError
from ogive.backends.diagram.figure.theme import THEMES, Theme, named

KINDS = ("attention", "norm", "feed", "embedding", "conv", "linear")
HEX = re.compile(r"#[0-9a-fA-F]{6}")
LEAST = 4.5  # the contrast of text on the inside of a box


@dataclass(frozen=True, slots=True)
class PanelStyle:
    """A panel: a block or a model of the file, and what stands under it."""

    block: str
    caption: str = ""
    view: str = ""
    depth: int = 0
    open: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FigureStyle:
    """What a style file says; without any, a figure is as its program has it."""

    theme: str = ""
    caption: str = ""
    key: bool = False
    kinds: bool = False
    hide: tuple[str, ...] = ()
    highlight: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    colours: tuple[tuple[str, str], ...] = ()
    panels: tuple[PanelStyle, ...] = ()

    def of_theme(self, theme: Theme) -> Theme:
        """The theme with the colours of the style, and what it asks for."""
        if self.theme:
            other = named(self.theme)
            theme = replace(theme, palette=other.palette, dark=other.dark, axes_in_colour=other.axes_in_colour)
        palette = replace(theme.palette, **dict(self.colours))
        for kind, colour in self.colours:
            if _contrast(colour, palette.ink) < LEAST:
                raise DiagramError(f"{kind} = {colour}: text on it has a contrast below {LEAST}:1; take a lighter one")
        return replace(theme, palette=palette, key=theme.key or self.key, kinds=theme.kinds or self.kinds)


def read_style(path: str | Path) -> FigureStyle:
    """The style of a file. Raises `DiagramError` where it cannot be read, or says what no style says."""
    try:
        found = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DiagramError(f"the style `{Path(path).name}` cannot be read: {_why(error)}") from None
    except tomllib.TOMLDecodeError as error:
        raise DiagramError(f"the style `{Path(path).name}` is no TOML: {error}") from None
    return style_of(found)


def style_of(found: Mapping[str, Any]) -> FigureStyle:
    """The style that a table says. Raises `DiagramError` for what no style says, or not so."""
    made = {key: _read(READERS, key, value, "a style") for key, value in found.items()}
    return FigureStyle(**made)


def _why(error: Exception) -> str:
    return (error.strerror or "").lower() if isinstance(error, OSError) else "it is not text"


def _read(readers: Mapping[str, Callable[[str, Any], Any]], key: str, value: Any, what: str) -> Any:
    if key not in readers:
        near = get_close_matches(key, readers, 1)
        raise DiagramError(
            f"{what} has no `{key}`; " + (f"did you mean `{near[0]}`?" if near else f"it has {', '.join(readers)}")
        )
    return readers[key](key, value)


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise DiagramError(f"`{key}` of a style is a text, not {value!r:.40}")
    return value


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise DiagramError(f"`{key}` of a style is true or false, not {value!r:.40}")
    return value


def _whole(key: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise DiagramError(f"`{key}` of a style is a whole number, not {value!r:.40}")
    return value


def _texts(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise DiagramError(f"`{key}` of a style is a list of names, not {value!r:.40}")
    return tuple(_text(key, each) for each in value)


def _pairs(key: str, value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise DiagramError(f"`{key}` of a style is a table of texts, not {value!r:.40}")
    return tuple((name, _text(f"{key}.{name}", text)) for name, text in value.items())


def _theme(key: str, value: Any) -> str:
    if value not in THEMES:
        raise DiagramError(f"no theme `{value!s:.40}`; there are {', '.join(THEMES)}")
    return _text(key, value)


def _colours(key: str, value: Any) -> tuple[tuple[str, str], ...]:
    for name, colour in _pairs(key, value):
        if name not in KINDS:
            raise DiagramError(f"no kind of block is called `{name}`; there are {', '.join(KINDS)}")
        if not HEX.fullmatch(colour):
            raise DiagramError(f"`{colour}` is no colour; write `#rrggbb`")
    return _pairs(key, value)


def _panels(key: str, value: Any) -> tuple[PanelStyle, ...]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise DiagramError(f"`{key}` of a style are tables: [[{key}]]")
    made = [{name: _read(OF_PANELS, name, part, "a panel") for name, part in each.items()} for each in value]
    if not all("block" in each for each in made):
        raise DiagramError(f"each of [[{key}]] names its `block`")
    return tuple(PanelStyle(**each) for each in made)


READERS: dict[str, Callable[[str, Any], Any]] = {
    "theme": _theme, "caption": _text, "key": _flag, "kinds": _flag, "hide": _texts, "highlight": _texts,
    "rename": _pairs, "colours": _colours, "panels": _panels,
}  # fmt: skip
OF_PANELS: dict[str, Callable[[str, Any], Any]] = {
    "block": _text, "caption": _text, "view": _text, "depth": _whole, "open": _texts,
}  # fmt: skip


def refuse_unknown_names(style: FigureStyle, known: Iterable[str]) -> None:
    """Raises `DiagramError` where a style speaks of what is in no figure."""
    names = set(known)
    for name in (*style.hide, *style.highlight, *(name for name, _ in style.rename)):
        if name not in names:
            near = get_close_matches(name, sorted(names), 1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(sorted(names)[:12])}"
            raise DiagramError(f"nothing in the figure is called `{name}`: {hint}")


def _contrast(a: str, b: str) -> float:
    """As the accessibility guidelines of the web have it."""
    light, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
