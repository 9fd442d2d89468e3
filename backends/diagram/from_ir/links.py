"""Which wires of an operation's operands become which of its results: one rule for each kind of operation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ogive.backends.diagram.figure.figure import Link
from ogive.backends.diagram.from_ir.joints import Links, Operands, Rule, given, joined
from ogive.backends.diagram.from_ir.products import einsum, grouped_product, matmul
from ogive.backends.diagram.from_ir.shuffles import shuffles
from ogive.backends.diagram.from_ir.wires import Wires
from ogive.compiler.ir.model import Node
from ogive.compiler.ops import OPS
from ogive.compiler.ops.recipe import Side, components


def links_of(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """The links of a primitive operation. What its rule does not speak of ends on the glyph and starts there."""
    rule = RULES.get(node.op)
    if rule is None and node.op in OPS:
        rule = BY_KIND.get(OPS[node.op].kind)
    return completed(rule(node, ins, outs) if rule else [], ins, outs)


def completed(found: Iterable[Link], ins: Operands, outs: Iterable[Wires]) -> Links:
    """With element types that go on, and everything else ending on the glyph or starting there."""
    links = [link for link in found if link.left or link.right]
    left, right = _spoken(links)
    types = {w.type.elem: w for w in outs if w.dtype and w.dtype not in right}
    for elem, out in types.items():
        same = [w.dtype for w in ins if w and w.type.elem == elem and w.dtype and w.dtype not in left]
        if same and out.dtype:
            links.append(joined(tuple(dict.fromkeys(same)), (out.dtype,)))
    left, right = _spoken(links)
    for each in dict.fromkeys(w for w in ins if w):
        links += [Link("in", (sid,), ()) for sid in each.all if sid not in left]
    for out in outs:
        links += [Link("out", (), (sid,)) for sid in out.all if sid not in right]
    return links


def _spoken(links: Iterable[Link]) -> tuple[set[str], set[str]]:
    links = list(links)
    return {sid for link in links for sid in link.left}, {sid for link in links for sid in link.right}


def elementwise(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """Axes align from the right; an axis of size 1 meets any other."""
    out = outs[0]
    links = []
    for back in range(1, len(out.axes) + 1):
        left = tuple(dict.fromkeys(w.axes[-back] for w in given(ins) if back <= len(w.axes)))
        links.append(joined(left, (out.axes[-back],)) if left else Link("fresh", (), (out.axes[-back],)))
    return links


def _past(ins: Operands, outs: Sequence[Wires], targets: set[int]) -> Links:
    """All axes of the first operand but the targets run past the glyph, to the same places of each result."""
    first = ins[0]
    if first is None or any(len(w.axes) != len(first.axes) for w in outs):
        return []
    return [joined((sid,), tuple(w.axes[i] for w in outs)) for i, sid in enumerate(first.axes) if i not in targets]


def on_axis(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """`attrs["axis"]` goes into the glyph."""
    axis = node.attr("axis")
    return _past(ins, outs, {axis} if isinstance(axis, int) else set())


def on_axes(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """`attrs["axes"]` go into the glyph."""
    return _past(ins, outs, set(node.attr("axes") or ()))


def on_channel(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """Statistics that are given, of each channel: axis 1 carries the glyph."""
    return _past(ins[:1], outs[:1], {1})


def around_channel(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """Statistics over the batch and space: these axes go into the glyph, the channels run past it."""
    return _past(ins[:1], outs[:1], {i for i in range(len(ins[0].axes)) if i != 1}) if ins[0] else []


def grouped(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """Statistics over space and the channels of a group; groups of one channel run past."""
    if ins[0] is not None and str(node.attr("groups")) == str(ins[0].type.axes[1].size):
        return on_space(node, ins[:1], outs)
    return after_batch(node, ins, outs)


def convolved(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """A window of one that moves by one is a linear map of the channels, repeated over every place."""
    x, out = ins[0], outs[0]
    taps = node.attr("kernel")
    taps = taps if isinstance(taps, tuple) else (taps,)
    dense = str(node.attr("groups") or 1) == "1" and all(str(tap) == "1" for tap in taps)
    if x is not None and dense and [a.size for a in x.type.axes[2:]] == [a.size for a in out.type.axes[2:]]:
        return _past(ins[:1], outs, {1})
    return after_batch(node, ins, outs)


def on_space(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """All axes after the channels go into the glyph."""
    return _past(ins, outs, set(range(2, len(ins[0].axes)))) if ins[0] else []


def after_batch(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """All axes but the first go into the glyph."""
    return [Link("through", (ins[0].axes[0],), (outs[0].axes[0],))] if ins[0] and ins[0].axes else []


def after_channels(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """All axes but the first two go into the glyph, and new ones come out."""
    return [Link("through", (ins[0].axes[i],), (outs[0].axes[i],)) for i in range(2)] if ins[0] else []


def reduced(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """The axes that are reduced end; the others go on."""
    first, out = ins[0], outs[0]
    if first is None:
        return []
    recipe = node.attr("recipe")
    if recipe is not None:
        return _by_recipe(recipe.inputs, recipe.outputs, given(ins), outs, ends="in")
    axes = set(node.attr("axes") or ())
    if isinstance(node.attr("axis"), int):
        axes = {node.attr("axis")}
    kept = [sid for i, sid in enumerate(first.axes) if i not in axes]
    return [Link("through", (a,), (b,)) for a, b in zip(kept, out.axes, strict=False)]


def rearranged(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """By the pattern: crossings, bars where axes are merged or cut, dots where they begin and end."""
    recipe = node.attr("recipe")
    if node.op == "split" and len(outs) > 1:
        return _split(recipe.inputs[0], recipe.outputs[0], given(ins)[0], outs)
    if any(place.joined for side in (*recipe.inputs, *recipe.outputs) for place in side):
        return _joining(recipe.inputs, recipe.outputs, given(ins), outs)
    links = _by_recipe(recipe.inputs, recipe.outputs, given(ins), outs, ends="drop")
    ended = {given(ins)[0].axes[i] for i, *_ in shuffles(recipe.inputs[0], recipe.outputs[0])}  # on a glyph
    return [link for link in links if not ended & set(link.left)]


def _by_recipe(
    left: Sequence[Side], right: Sequence[Side], ins: Sequence[Wires], outs: Sequence[Wires], ends: str
) -> Links:
    """Places that share an elementary axis belong together."""
    owners: list[tuple[set[str], list[str], list[str]]] = []
    for sides, wires, is_left in ((left, ins, True), (right, outs, False)):
        for side, tensor in zip(sides, wires, strict=False):
            for place, sid in zip(side, tensor.axes, strict=False):
                names = {atom.name for part in place.parts for atom in part} or {f"1 {sid}"}
                entry: tuple[set[str], list[str], list[str]] = (set(names), [], [])
                for other in [o for o in owners if o[0] & names]:
                    owners.remove(other)
                    entry = (entry[0] | other[0], other[1] + entry[1], other[2] + entry[2])
                (entry[1] if is_left else entry[2]).append(sid)
                owners.append(entry)
    return [_bar(tuple(a), tuple(b), ends) for _, a, b in owners]


def _bar(left: tuple[str, ...], right: tuple[str, ...], ends: str) -> Link:
    if not right:
        return Link(ends, left, ()) if len(left) == 1 else Link("cup", left, ())
    if not left:
        return Link("fresh", (), right)
    many = (len(left) > 1, len(right) > 1)
    kinds = {(False, False): "through", (True, False): "merge", (False, True): "unmerge", (True, True): "regroup"}
    return Link(kinds[many], left, right)


def _split(left: Side, right: Side, tensor: Wires, outs: Sequence[Wires]) -> Links:
    """The first axis on the right is taken apart into the results; each has the others."""
    first = {atom.name for part in right[0].parts for atom in part}
    groups = _by_recipe((left,), (right[1:],), (tensor,), (outs[0],), ends="drop")
    places = zip(left, tensor.axes, strict=False)
    cut = {sid for place, sid in places if first & {a.name for p in place.parts for a in p}}
    links = []
    for link in groups:
        ends = tuple(w.axes[outs[0].axes.index(sid)] for w in outs for sid in link.right)
        if link.left and link.left[0] in cut:
            links.append(
                Link("uncat" if len(link.left) == 1 and ends else "regroup", link.left, ends) if ends else link
            )
        elif link.kind == "through":
            links.append(Link("split", link.left, ends))
        elif ends:
            kind = "unmerge" if len(link.left) == 1 else "regroup"
            links += [Link("fresh", (), (e,)) for e in ends] if not link.left else [Link(kind, link.left, ends)]
        else:
            links.append(link)
    return links


def _joining(left: Sequence[Side], right: Sequence[Side], ins: Sequence[Wires], outs: Sequence[Wires]) -> Links:
    """Axes laid end to end, or taken apart: a bar across tensors; the other axes are shared."""
    halves = []
    for sides, wires in ((left, ins), (right, outs)):
        found: dict[str, list[str]] = {}
        bars: list[str] = []
        for part in components(sides):
            for i, (place, sid) in enumerate(zip(part.side, wires[part.tensor].axes, strict=False)):
                key = str(sorted(atom.name for p in place.parts for atom in p))
                if i == part.axis:
                    bars.append(sid)
                found.setdefault(key, []).append(sid)
        halves.append((found, tuple(dict.fromkeys(bars))))
    (before, cats), (after, cuts) = halves
    if cats and not cuts:
        ends = tuple(s for k, sids in after.items() if set(before.get(k, ())) & set(cats) for s in sids)
        links = [Link("uncat", cats[:1], tuple(dict.fromkeys(ends)))]
    elif cuts and not cats:
        ends = tuple(s for k, sids in before.items() if set(after.get(k, ())) & set(cuts) for s in sids)
        links = [Link("cat", tuple(dict.fromkeys(ends)), cuts[:1])]
    else:
        return []
    used = {sid for link in links for sid in (*link.left, *link.right)}
    for key, sids in before.items():
        a = tuple(dict.fromkeys(s for s in sids if s not in used))
        b = tuple(dict.fromkeys(s for s in after.get(key, ()) if s not in used))
        if a and b and (len(a) == 1 or len(b) == 1):
            links.append(joined(a, b))
    return links


def concat(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """One axis laid end to end at a bar, the others shared at dots."""
    out, axis = outs[0], node.attr("axis")
    tensors = list(dict.fromkeys(given(ins)))
    links = [Link("cat", tuple(w.axes[axis] for w in tensors), (out.axes[axis],))]
    rest = [i for i in range(len(out.axes)) if i != axis]
    return links + [joined(tuple(w.axes[i] for w in tensors), (out.axes[i],)) for i in rest]


def stack(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """A new axis begins; the others are shared."""
    out, axis = outs[0], node.attr("axis")
    tensors = list(dict.fromkeys(given(ins)))
    kept = [sid for i, sid in enumerate(out.axes) if i != axis]
    links = [joined(tuple(w.axes[i] for w in tensors), (sid,)) for i, sid in enumerate(kept)]
    return [*links, Link("fresh", (), (out.axes[axis],))]


def padded(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """The axes whose size changes go into the glyph."""
    first, out = ins[0], outs[0]
    if first is None or len(first.axes) != len(out.axes):
        return on_axis(node, ins, outs)
    changed = {i for i, (a, b) in enumerate(zip(first.type.axes, out.type.axes, strict=True)) if a != b}
    axis = node.attr("axis")
    return _past(ins, outs, changed | ({axis} if isinstance(axis, int) else set(axis or ())))


def sliced(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """Axes that are taken whole run past; others are cut on the glyph, or indexed away."""
    first, out = ins[0], outs[0]
    links: Links = []
    a = b = 0
    for item in node.attr("items") or ():
        kind = item[0]
        if kind == "all":
            links.append(Link("through", (first.axes[a],), (out.axes[b],)) if first else Link("fresh", (), ()))
        a, b = a + (kind != "new"), b + (kind not in ("index", "at"))
    return links


def taken(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """y[i, ...] = x[index[i], ...]: the index and the axis close in an arrowed cup."""
    x, index = ins[0], ins[1]
    if x is None or index is None or index.dtype is None:
        return []
    axis, out = node.attr("axis"), outs[0]
    places = [*x.axes[:axis], *index.axes, *x.axes[axis + 1 :]]
    links = [Link("select", (x.axes[axis], index.dtype), ())]
    return links + [Link("through", (a,), (b,)) for a, b in zip(places, out.axes, strict=False)]


def gathered(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """y[i, j] = x[index[i, j], j]: the same rank, one axis chosen by the index."""
    x, index = ins[0], ins[1]
    if x is None or index is None or index.dtype is None or x is index:
        return []
    axis, out = node.attr("axis"), outs[0]
    links = [Link("select", (x.axes[axis], index.dtype), ()), Link("through", (index.axes[axis],), (out.axes[axis],))]
    rest = [i for i in range(len(out.axes)) if i != axis]
    return links + [Link("join", (x.axes[i], index.axes[i]), (out.axes[i],)) for i in rest]


def one_hot(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """A new last axis that is 1 at the index."""
    return [Link("through", (a,), (b,)) for a, b in zip(given(ins)[0].axes, outs[0].axes, strict=False)]


def linear(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """y[o] = sum over i of x[i] w[o, i] + b[o]; with the weight as data, the sum is a cup."""
    x, w = ins[0], ins[1] if len(ins) > 1 else None
    if x is None:
        return []
    past = _past(ins[:1], outs, {len(x.axes) - 1})
    if w is None or w is x:
        return past
    b = ins[2] if len(ins) > 2 else None
    kept = (w.axes[0], b.axes[0]) if b else (w.axes[0],)
    return [*past, Link("cup", (x.axes[-1], w.axes[1]), ()), joined(kept, (outs[0].axes[-1],))]


def attention(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """What stands before the last two axes is shared by queries, keys and values."""
    out = outs[0]
    tensors = [w for w in dict.fromkeys(given(ins)) if len(w.axes) == len(out.axes)]
    return [joined(tuple(w.axes[i] for w in tensors), (out.axes[i],)) for i in range(len(out.axes) - 2)]


def values(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """What is made from nothing starts on the glyph."""
    return []


def last_two(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """The glyph takes the last two axes."""
    return _past(ins[:1], outs, {len(ins[0].axes) - 1, len(ins[0].axes) - 2}) if ins[0] else []


def scanned(node: Node, ins: Operands, outs: Sequence[Wires]) -> Links:
    """The axis of time goes into the glyph."""
    axis, out = node.attr("axis"), outs[0]
    tensors = [w for w in dict.fromkeys(given(ins)) if len(w.axes) == len(out.axes)]
    rest = [i for i in range(len(out.axes)) if i != axis]
    return [joined(tuple(w.axes[i] for w in tensors), (out.axes[i],)) for i in rest]


BY_KIND: dict[str, Rule] = {
    "elementwise": elementwise, "contraction": einsum, "reduction": reduced, "index": on_axis, "value": values,
}  # fmt: skip

RULES: dict[str, Rule] = {
    "rearrange": rearranged, "expand": rearranged, "split": rearranged, "concat": concat, "stack": stack,
    "flip": on_axis, "roll": on_axis, "pad": padded, "slice": sliced, "matmul": matmul, "linear": linear,
    "take": taken, "gather": gathered, "one_hot": one_hot, "topk": on_axis, "argmax": reduced, "argmin": reduced,
    "tril": last_two, "triu": last_two, "diag": last_two,
    "softmax": on_axis, "log_softmax": on_axis, "attention": attention, "conv": convolved,
    "conv_transpose": after_batch, "interpolate": on_space, "max_pool": on_space, "avg_pool": on_space,
    "adaptive_avg_pool": on_space, "adaptive_max_pool": on_space, "layer_norm": on_axes, "rms_norm": on_axes,
    "batch_norm": on_channel, "batch_norm_train": around_channel, "group_norm": grouped, "dropout": elementwise,
    "fft": on_axes, "ifft": on_axes, "rfft": on_axes, "irfft": on_axes, "cholesky": last_two, "inverse": last_two,
    "grouped_matmul": grouped_product,
    "linear_scan": scanned, "unfold": after_channels, "fold": after_channels, "grid_sample": after_channels,
}  # fmt: skip
"""Rules that differ from that of their kind."""
