"""Random uniform partition: tokens are permuted, cut into groups of equal size up to one token, and put back."""

from __future__ import annotations

from collections.abc import Callable

from ogive.compiler.ir.model import Value
from ogive.compiler.ir.types import Axis
from ogive.compiler.ir_tools.graph_builder import Building
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.sizes import Size, ceil_div, size

PARTITIONS = ("all", "shared", "example")


def partitioned(build: Building, x: Value, count: int, partition: str, apply: Callable[[str, Size], str]) -> str:
    """What `apply` makes of `count` groups [g, rows, d] of the tokens of x: [..., d], in the places of the tokens.

    "all" permutes the tokens of all examples together; "shared" those of an example, in the same way for each
    (one permutation of places); "example" permutes each example by itself.
    """
    places = [f"a{at}" for at in range(len(x.type.axes) - 1)]
    if partition != "all" and len(places) < 2:
        raise PassError("E0811", f"tokens {x.type} have no axis of examples: partition `{partition}` needs one")
    lead, rest = ([], places) if partition == "all" else (places[:1], places[1:])
    given = {name: axis.size for name, axis in zip(places, x.type.axes, strict=False)}
    tokens, examples = _product(given, rest), _product(given, lead)
    inside = f"({' '.join(rest)})"
    if partition == "all":
        made = _together(build, build.shaped(x.name, f"{' '.join(rest)} d -> {inside} d"), tokens, count, apply)
        return build.shaped(made, f"{inside} d -> {' '.join(rest)} d", **given)
    if partition == "shared":
        flat = build.shaped(x.name, f"{lead[0]} {' '.join(rest)} d -> {inside} {lead[0]} d")
        made = _together(build, flat, tokens, count, apply, examples)
        return build.shaped(made, f"{inside} {lead[0]} d -> {lead[0]} {' '.join(rest)} d", **given)
    flat = build.shaped(x.name, f"{' '.join(places)} d -> ({' '.join(places)}) d")
    made = _apart(build, flat, tokens, examples, count, apply)
    return build.shaped(made, f"{lead[0]} {inside} d -> {' '.join(places)} d", **given)


def _product(sizes: dict[str, Size], names: list[str]) -> Size:
    found: Size = size(1)
    for name in names:
        found = found * sizes[name]
    return found


def _together(
    build: Building, flat: str, tokens: Size, count: int, apply: Callable[[str, Size], str], width: Size | None = None
) -> str:
    """Rows of `flat` in random groups, each with `width` examples side by side."""
    slots = ceil_div(tokens, count)
    order = build.op("permutation", n=tokens)
    chosen = build.op("take", order, _members(build, tokens, slots, count), axis=0)
    groups = build.op("take", flat, chosen, axis=0)
    rows = slots
    if width is not None:
        groups, rows = build.shaped(groups, "g c b d -> g (c b) d"), slots * width
    made = apply(groups, rows)
    split = "g c d -> (g c) d" if width is None else "g (c b) d -> (g c) b d"
    back = build.shaped(made, split, **({} if width is None else {"b": width}))
    return build.op("take", back, _slots(build, build.op("argsort", order, axis=0), tokens, slots, count), axis=0)


def _apart(
    build: Building, flat: str, tokens: Size, examples: Size, count: int, apply: Callable[[str, Size], str]
) -> str:
    """Rows (b t) of `flat` in groups that are random in each example by itself."""
    slots = ceil_div(tokens, count)
    order = build.op("argsort", build.op("rand", sizes=(Axis(examples), Axis(tokens))), axis=1)
    first = build.shaped(build.op("arange", n=examples), "b -> b 1 1")
    chosen = build.op("take", order, _members(build, tokens, slots, count), axis=1)
    groups = build.op("take", flat, build.op("add", chosen, build.op("mul", first, tokens)), axis=0)
    made = apply(build.shaped(groups, "b g c d -> g (b c) d"), slots * examples)
    back = build.shaped(made, "g (b c) d -> (b g c) d", b=examples)
    slot = _slots(build, build.op("argsort", order, axis=1), tokens, slots, count)
    start = build.op("mul", build.shaped(build.op("arange", n=examples), "b -> b 1"), slots * count)
    return build.op("take", back, build.op("add", slot, start), axis=0)


def _members(build: Building, tokens: Size, slots: Size, count: int) -> str:
    """[g, c]: group g takes places [g T / N, (g + 1) T / N) of the order; a last slot may repeat what follows."""
    starts = build.op("floordiv", build.op("mul", build.op("arange", n=size(count)), tokens), size(count))
    at = build.op("add", build.shaped(starts, "g -> g 1"), build.op("arange", n=slots))
    return build.op("minimum", at, tokens - 1)


def _slots(build: Building, place: str, tokens: Size, slots: Size, count: int) -> str:
    """The slot of each token: at place p of the order it is in group ((p + 1) N - 1) / T."""
    after = build.op("mul", build.op("add", place, size(1)), size(count))
    group = build.op("floordiv", build.op("sub", after, size(1)), tokens)
    start = build.op("floordiv", build.op("mul", group, tokens), size(count))
    return build.op("add", build.op("mul", group, slots), build.op("sub", place, start))
