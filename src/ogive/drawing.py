"""What models and blocks share of being drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from ogive.arguments import either, flag, maybe, named, names, one_of, takes, text, theme, whole

if TYPE_CHECKING:
    from ogive.backends.diagram.diagram import Diagram, PictureWriter, View
    from ogive.backends.diagram.from_ir.options import SizeStyle
    from ogive.compiler.ir.model import Definition
    from ogive.compiler.ir.model import Model as IrModel

drawable = takes(
    view=one_of("circuit", "overview", "stack", "maps"),
    depth=whole(0), open=names, theme=theme, weights=flag, fold=flag, settings=flag,
    sizes=maybe(one_of("symbolic", "numeric", "both")), at=maybe(named(whole(0))),
    direction=one_of("TB", "LR"), shape=one_of("rows", "u"),
    width=maybe(either(text, whole(1))),
)  # fmt: skip


def drawn(
    subject: Definition | IrModel, keeper: PictureWriter, view: View, depth: int,
    open: Iterable[str], theme: str, weights: bool, fold: bool, settings: bool, sizes: SizeStyle | None,
    at: Mapping[str, int] | None, direction: Literal["TB", "LR"], width: str | float | None,
    shape: Literal["rows", "u"],
) -> Diagram:  # fmt: skip
    """The diagram of a model or a block.

    Raises `DiagramError` where nothing is called what is to be opened, or no size what has a number.
    """
    from ogive.backends.diagram.diagram import diagram
    from ogive.backends.diagram.from_ir.numbers import refuse_unknown_sizes
    from ogive.backends.diagram.from_ir.places import refuse_unknown

    open = tuple(open)
    refuse_unknown([subject], open)
    refuse_unknown_sizes([subject], (at or {}).items())
    made = diagram(subject, view=view, depth=depth, open=open, theme=theme, weights=weights, fold=fold,
                   settings=settings, sizes=sizes, at=at, direction=direction, width=width,
                   shape=shape)  # fmt: skip
    return replace(made, keeper=keeper)
