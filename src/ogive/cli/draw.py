"""`ogive draw`: circuit diagrams and overviews of models and blocks."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ogive.backends.diagram.diagram import FORMATS, SHEETED, VIEWS, Diagram, beside, diagram
from ogive.backends.diagram.figure.errors import DiagramError
from ogive.backends.diagram.figure.page import LEAST, LEGIBLE, PIXELS, POINTS, on_page
from ogive.backends.diagram.figure.style import FigureStyle, PanelStyle, read_style, refuse_unknown_names
from ogive.backends.diagram.figure.styled import names_in
from ogive.backends.diagram.figure.theme import THEMES, Theme
from ogive.backends.diagram.from_ir.numbers import refuse_unknown_sizes
from ogive.backends.diagram.from_ir.places import refuse_unknown
from ogive.backends.diagram.layout.u_shape import encodes
from ogive.backends.diagram.wrong import broken_diagrams
from ogive.cli.common import EXTERN, FORCE, colored, once, progress, say, setting, size_number, split_target, targets
from ogive.compiler.driver.workspace import CheckedProgram, check_text
from ogive.compiler.ir.model import Definition, Model
from ogive.drawn import subjects
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.files import read_source
from ogive.grammar.render import render
from ogive.origin import Origin
from ogive.outputs import write


@click.command()
@click.argument("target", metavar="FILE[:NAME]", shell_complete=targets)
@click.option("-o", "--out", "named", metavar="PATH",
              help=f"Where to write: a file that ends in {' '.join('.' + f for f in FORMATS)}; a folder, PATH/, for "
              "many; "
              "without it, text on the terminal, as wide as that.")  # fmt: skip
@click.option("--view", type=click.Choice(VIEWS), default="circuit", show_default=True)
@click.option("--direction", type=click.Choice(["TB", "LR"]), default="TB", show_default=True,
              help="Of an overview: from top to bottom, or from left to right.")  # fmt: skip
@click.option("--engine", type=click.Choice(["ogive", "dot"]), default="ogive", show_default=True,
              help="What lays an overview out; dot needs Graphviz, whose versions differ in their bytes.")  # fmt: skip
@click.option("--depth", type=click.IntRange(min=0), default=0, show_default=True, help="Levels of blocks to open.")
@click.option("--open", "open_", multiple=True, metavar="NAME", help="A block, or a place, to open.")
@click.option("--theme", type=click.Choice(THEMES), default="auto", show_default=True)
@click.option("--style", "style_", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="A TOML file: caption, key, names, what is hidden or in view, colours, panels.")  # fmt: skip
@click.option("--layers", is_flag=True, help="An SVG with a layer of Inkscape for each block.")
@click.option("--weights", is_flag=True, help="Draw weights as data.")
@click.option("--settings", is_flag=True, help="Write settings that change numbers alone, like eps, under the glyphs.")
@click.option("--sizes", type=click.Choice(["symbolic", "numeric", "both"]),
              help="How sizes are written; without it symbolic, or numeric with --at or for long ones.")  # fmt: skip
@click.option("--at", multiple=True, metavar="SIZE=NUMBER,...", help="Numbers for sizes that are open: h=572,w=572.")
@click.option("--width", metavar="WIDTH", help="Of the page or column: 85mm, 6.5in, slide, a number of millimetres.")
@click.option(
    "--shape",
    type=click.Choice(["rows", "u"]),
    default="rows",
    show_default=True,
    help="How the rows of a circuit stand: one under the other, or an encoder and a decoder as a U.",
)
@click.option("--unfold", is_flag=True, help="Draw every copy of a run that the source has unrolled.")
@click.option("--deploy", "deployed", is_flag=True, help="Beside it, what `ogive deploy` makes of the model.")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="svg", show_default=True,
              help="The format in a folder.")  # fmt: skip
@click.option("-D", "statics", multiple=True, metavar="NAME=VALUE", help="A static, where NAME is a block.")
@FORCE
@EXTERN
def command(
    target: str, named: str | None, view: str, direction: str, engine: str, depth: int, open_: tuple[str, ...],
    theme: str, style_: Path | None, layers: bool, weights: bool, settings: bool, sizes: str | None,
    at: tuple[str, ...], width: str | None, shape: str,
    unfold: bool, deployed: bool, format_: str, statics: tuple[str, ...], force: bool,
    allow_extern: bool,
) -> None:  # fmt: skip
    """Draw a model or a block; without a NAME, every block and model of the file.

    A block that does not type-check is drawn too, as far as it is understood, with the fault marked. A file that is
    there is replaced if it is a drawing that nobody has changed, others with --force.

    \b
    Examples:
      ogive draw gpt2.arch:Attention -o attention.svg
      ogive draw gpt2.arch:GPT2 --depth 1 -o gpt2.html
      ogive draw gpt2.arch:GPT2 --view overview -o gpt2.mmd
      ogive draw gpt2.arch -o figures/
    """
    path, name = split_target(target)
    with progress(f"Checking {path}"):
        program = program_of(path, allow_extern)
    options: dict[str, Any] = {"view": view, "depth": depth, "open": open_, "theme": theme, "weights": weights,
                               "fold": not unfold, "settings": settings, "sizes": sizes,
                               "direction": direction, "engine": engine, "width": width, "shape": shape,
                               "at": once(size_number(text) for texts in at for text in texts.split(","))}  # fmt: skip
    try:
        on_page(Theme(), width)  # a bad width is refused before anything is drawn
        with progress(f"Drawing {target}"):
            found = _subjects(program, name, once(map(setting, statics)))
            diagrams = {key: diagram(subject, **options) for key, subject in found.items()}
            if not program.ok:
                diagrams |= broken_diagrams(program, name, **options)
            if name is not None and name not in diagrams:
                _refuse(program, path, name)
            refuse_unknown((made.subject for made in diagrams.values()), open_)
            refuse_unknown_sizes((made.subject for made in diagrams.values()), options["at"].items())
            if deployed:
                diagrams = {key: _beside(program, key, made, options) for key, made in diagrams.items()}
            if style_ is not None:
                diagrams = _styled(diagrams, read_style(style_), name)
            if layers:
                diagrams = {key: replace(made, layered=True) for key, made in diagrams.items()}
            origin = Origin.of(program)
            origins = {key: _origin(origin, key, found.get(key)) for key in diagrams}
            if named is not None:
                folder = named.endswith(FOLDERS)
                _write(diagrams, origins, _places(list(diagrams), Path(named), name, format_, folder), force)
    except DiagramError as error:
        raise click.ClickException(str(error)) from None
    if named is None:
        for made in diagrams.values():
            click.echo(made.on_terminal(shutil.get_terminal_size().columns if sys.stdout.isatty() else None))
    if not program.ok:
        click.echo(render(program.diagnostics, color=colored()), err=True)


FOLDERS = tuple(sep for sep in (os.sep, os.altsep) if sep)  # at the end of the name of a folder


def program_of(path: Path, allow_extern: bool = False) -> CheckedProgram:
    """The checked file; ends the command where it cannot be read."""
    source = read_source(path)
    if isinstance(source, Diagnostic):
        raise click.ClickException(render((source,), color=colored()))
    return check_text(source, str(path), extern=allow_extern)


def _subjects(program: CheckedProgram, name: str | None, statics: dict[str, Any]) -> dict[str, Definition | Model]:
    """Models, and blocks: for all sizes where these are proved, else as a model uses them; or with statics given."""
    found = subjects(program)
    if name is None:
        return found
    if statics:
        if name not in {report.name for report in program.blocks}:
            raise click.UsageError(f"-D gives the statics of a block; `{name}` is none")
        made = program.instantiate(name, statics)
        if isinstance(made, tuple):
            raise click.ClickException(render(made, color=colored()))
        return {name: made.ir}
    return {key: subject for key, subject in found.items() if key == name}


def _beside(program: CheckedProgram, name: str, trained: Diagram, settings: dict[str, Any]) -> Diagram:
    """A model as it trains and as it is used, in one figure; a block as it is."""
    from ogive.api import Model as Front

    if name not in program.models:
        return trained
    folded = Front(program.models[name]).deploy("fold")
    return beside(train=trained, deployed=diagram(folded.ir, **settings))


def _styled(diagrams: dict[str, Diagram], style: FigureStyle, name: str | None) -> dict[str, Diagram]:
    """The diagrams with a style; with panels they are one, by the name of the first of these."""
    refuse_unknown_names(style, (each for made in diagrams.values() for each in names_in(made.plain_figure)))
    plain = replace(style, panels=(), caption="" if style.panels else style.caption)
    made = {key: replace(each, style=plain, theme=style.of_theme(each.theme)) for key, each in diagrams.items()}
    if not style.panels:
        return made
    if name is not None:
        raise DiagramError("a style with [[panels]] names the blocks itself: draw the FILE without a NAME")
    parts = [(panel.caption, _panel(made, panel)) for panel in style.panels]
    first = parts[0][1]
    return {style.panels[0].block: replace(first, style=replace(style, panels=()), panels=tuple(parts))}


def _panel(diagrams: dict[str, Diagram], panel: PanelStyle) -> Diagram:
    made = diagrams.get(panel.block)
    if made is None:
        raise DiagramError(f"no block or model is called `{panel.block}`; there are {', '.join(diagrams)}")
    if panel.view not in ("", *VIEWS):
        raise DiagramError(f"no view `{panel.view}`; there are {', '.join(VIEWS)}")
    refuse_unknown([made.subject], panel.open)
    options = replace(made.options, depth=panel.depth or made.options.depth, open=made.options.open | {*panel.open})
    page = made.theme.page and (made.theme.page[0], made.theme.page[1] - CAPTIONED)
    theme = replace(made.theme, page=page)
    return replace(made, options=options, view=panel.view or made.view, theme=theme)  # type: ignore[arg-type]


CAPTIONED = 60.0  # the height of the captions under a panel


def _refuse(program: CheckedProgram, path: Path, name: str) -> None:
    names = [report.name for report in program.blocks]
    if name in names:
        text = f"`{name}` depends on its statics, and no model uses it: give them with -D"
        raise click.UsageError(text)
    listed = ", ".join([*program.models, *names]) or "none"
    if not program.ok:  # it may be declared, and what is wrong with it may stand elsewhere
        shown = render(program.diagnostics, color=colored())
        raise click.ClickException(f"{path} has errors: `{name}` is not understood; {listed} can be drawn\n\n{shown}")
    raise click.UsageError(f"{path} has no model or block `{name}`; it has {listed}")


def _origin(origin: Origin, name: str, subject: Definition | Model | None) -> Origin:
    """Where a picture comes from; a model has its statics with it."""
    return origin.model(subject) if isinstance(subject, Model) else origin.named(name)


def _places(names: list[str], out: Path, name: str | None, format_: str, folder: bool) -> dict[str, Path]:
    """Where each picture goes: to the file that was named, or into a folder, which a slash at its end says it is."""
    single = name is not None or len(names) == 1
    folder = folder or out.is_dir()
    if out.suffix.lstrip(".") in FORMATS and not folder:
        if not single:
            raise click.UsageError(f"{len(names)} diagrams do not fit in `{out}`: name one, or give a folder")
        return {names[0]: out}
    if out.suffix and not folder:
        raise click.UsageError(f"`{out}`: a diagram ends in {' '.join('.' + f for f in FORMATS)}")
    if out.exists() and not out.is_dir():
        raise click.UsageError(f"`{out}` is no folder, and a file of diagrams ends in one of {' '.join(FORMATS)}")
    found: dict[str, Path] = {}
    taken: set[str] = set()
    for key in names:
        base = stem = re.sub(r"[^A-Za-z0-9_]", "_", key)
        number = 1
        while stem.casefold() in taken:  # names that differ in primes, or in the case of letters, are two files
            number += 1
            stem = f"{base}_{number}"
        taken.add(stem.casefold())
        found[key] = out / f"{stem}.{format_}"
    return found


def _write(diagrams: dict[str, Diagram], origins: dict[str, Origin], places: dict[str, Path], force: bool) -> None:
    """All pictures, or none."""
    files = {}
    written: dict[Path, tuple[str, list[str]]] = {}
    for key, path in places.items():
        format = path.suffix.lstrip(".")
        made = diagrams[key].sheets
        for k, each in enumerate(made if format in SHEETED else (diagrams[key],)):
            place = path if not k else _free(path, k + 1, (*places.values(), *written))
            output = origins[key].keeper.output(place)
            files[output] = output.stamp.signed(each.bytes(format), format)
            sheets = made if format == "pptx" else (each,)
            notes = [note for sheet in sheets for note in _said(sheet, len(made))]
            written[place] = (key if not k else place.name), notes
    for folder in {path.parent for path in places.values()}:
        folder.mkdir(parents=True, exist_ok=True)
    write(files, next(iter(origins.values())).files, force)
    for place, (called, notes) in written.items():
        say(f"wrote {place}")
        for said in notes:
            say(f"note: {called} {said}", err=True)


def _free(path: Path, number: int, taken: Collection[Path]) -> Path:
    """The file of a further sheet: `name_2.svg`, or else with more lines."""
    stem = f"{path.stem}_{number}"
    while path.with_stem(stem) in taken:
        stem = f"{path.stem}_{stem.removeprefix(path.stem)}"
    return path.with_stem(stem)


def _said(made: Diagram, sheets: int) -> list[str]:
    """What became of a figure, or of one of its sheets, that was made for a page."""
    if made.theme.page is None:
        return []
    more = made.drawing.parts - len(made.figure.sections) if made.view == "circuit" else 0
    count = "a part" if more == 1 else f"{more} parts"
    first = made.sheet is None or made.drawing.title.endswith(f"(1 of {sheets})")
    parts = [f"has {count} under it, from (i) on: what has no room in its place"] if more > 0 and first else []
    parts += [f"is in {sheets} figures: all of it is higher than a page"] if first and sheets > 1 else []
    return [*parts, *filter(None, [_misfit(made)])]


def _misfit(made: Diagram) -> str:
    """What is wrong with the size of a figure that was made for a page."""
    drawing, page = made.drawing, made.theme.page
    assert page is not None
    high, points = drawing.height * drawing.scale, drawing.smallest * POINTS
    if points < LEAST or (points < LEGIBLE and not (made.view == "circuit" and encodes(made.figure))):
        return f"is too wide for that width at 7 pt: its smallest label has {points:.1f} pt"
    if high > page[1] * made.theme.scale + 1:
        return f"is {high / PIXELS:.0f} mm high, more than a page: close blocks, or draw them in figures of their own"
    return ""
