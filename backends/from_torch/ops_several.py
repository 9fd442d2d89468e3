"""Operations with several results, of which a body reads one or some; cells of recurrent layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch.fx import Node

from ogive.backends.from_torch.builder import BlockBody, Operation
from ogive.backends.from_torch.code import TracedCode, binary, call, number
from ogive.backends.from_torch.ops_table import TABLE, argument, axes_of, where_largest
from ogive.backends.from_torch.refused import Untraceable
from ogive.backends.from_torch.trace import shape

_Write = Callable[[BlockBody, Node, TracedCode], Sequence[TracedCode | None]]


def several(write: _Write) -> Operation:
    """Each result that is read, from the first operand; None for one that has no form here."""

    def run(body: BlockBody, node: Node) -> TracedCode | None:
        reads = [user for user in node.users if isinstance(user.args[1], int) and user.users]
        source = _named(body, node.args[0]) if len(reads) > 1 else body.first(node.args[0])
        codes = write(body, node, source)
        for user in reads:
            place = user.args[1]
            assert isinstance(place, int)
            code = codes[place] if place < len(codes) else None
            if code is None:
                raise Untraceable(f"result {place} of `{node.target}` has no operation here", node)
            body.bind(user, code)
        return None

    return run


def _named(body: BlockBody, node: Any) -> TracedCode:
    """An operand that is read several times."""
    code = body.operand(node)
    if not code.text.startswith("§") or code.stages:
        body.name(node, code)
        return body.bound[node]
    return code


def _extremes(name: str) -> Operation:
    """The largest of an axis, and where it is."""

    def parts(body: BlockBody, node: Node, x: TracedCode) -> Sequence[TracedCode | None]:
        kept = bool(argument(node, 2, "keepdim", False))
        inner = axes_of(node, node.args[1], _source(node)) + (", keepdim=true" if kept else "")
        return [x.then(f"{name}[{inner}]"), where_largest(x, f"arg{name}", node, _source(node), kept)]

    inner = several(parts)

    def write(body: BlockBody, node: Node) -> TracedCode | None:
        return inner(body, node) if str(node.target).endswith(".dim") else TABLE[name](body, node)

    return write


def _source(node: Node) -> Node:
    source = node.args[0]
    assert isinstance(source, Node)
    return source


def _with_mean(spread: str) -> Operation:
    def write(body: BlockBody, node: Node, x: TracedCode) -> Sequence[TracedCode | None]:
        axes = axes_of(node, argument(node, 1, "dim"), _source(node))
        corrected = str(node.target).endswith("correction")
        by = node.kwargs.get("correction", 1) if corrected else int(argument(node, 2, "unbiased", True))
        if by not in (0, 1):
            raise Untraceable(f"a correction by {by}", node)
        kept = node.kwargs.get("keepdim", False) if corrected else argument(node, 3, "keepdim", False)
        keep = ", keepdim=true" if kept else ""
        return [x.then(f"{spread}[{axes}{', unbiased=true' if by else ''}{keep}]"), x.then(f"mean[{axes}{keep}]")]

    return several(write)


def _pooled(body: BlockBody, node: Node, x: TracedCode) -> Sequence[TracedCode | None]:
    sizes = node.args[1] if isinstance(node.args[1], list | tuple) else [node.args[1]]
    shown = [number(int(each), "size") for each in sizes]  # type: ignore[arg-type]
    return [x.then(f"adaptive_max_pool[{shown[0] if len(set(shown)) == 1 else '[' + ', '.join(shown) + ']'}]")]


def _running(name: str) -> Operation:
    return several(lambda body, node, x: [x.then(f"{name}[{axes_of(node, node.args[1], _source(node))}]")])


def _grid(body: BlockBody, node: Node) -> TracedCode | None:
    tensors: Any = node.args[0]
    swapped = node.kwargs.get("indexing", argument(node, 1, "indexing", "ij")) == "xy"
    if swapped and len(tensors) != 2:
        raise Untraceable("a grid of `xy` of other than two axes", node)
    sizes = [shape(each)[0] for each in tensors]
    order = [1, 0] if swapped else list(range(len(tensors)))
    labels = "ijkl"[: len(tensors)]
    for user in node.users:
        place = user.args[1]
        assert isinstance(place, int)
        right = " ".join(labels[i] for i in order)
        given = ", ".join(f"{labels[i]}={body.sizes.code(sizes[i]).text}" for i in order if i != place)
        step = f'expand["{labels[place]} -> {right}"{", " + given if given else ""}]'
        body.bind(user, body.operand(tensors[place]).then(step))
    return None


def _gates(body: BlockBody, x: Any, h: Any, weights: Sequence[Any]) -> tuple[TracedCode, TracedCode]:
    wi, wh, bi, bh = (*weights, None, None)[:4]
    return tuple(  # type: ignore[return-value]
        call("linear", *(body.operand(each, 40) for each in (v, w, b) if each is not None))
        for v, w, b in ((x, wi, bi), (h, wh, bh))
    )


def _lstm_cell(body: BlockBody, node: Node) -> TracedCode | None:
    x, state = node.args[0], node.args[1]
    assert isinstance(state, list | tuple)
    h, c = state
    held = body.operand(c)
    one, two = _gates(body, x, h, node.args[2:])
    size = body.sizes.code(shape(c)[-1]).text  # type: ignore[arg-type]
    i, f, g, o = body.split(node, "ifgo", binary("+", one, two).then(f"split[-1, [{', '.join([size] * 4)}]]"))
    kept = binary("*", f.then("sigmoid"), held)
    (cell,) = body.split(node, "c", binary("+", kept, binary("*", i.then("sigmoid"), g.then("tanh"))))
    for user in node.users:
        body.bind(user, cell if user.args[1] == 1 else binary("*", o.then("sigmoid"), cell.then("tanh")))
    return None


def _gru_cell(body: BlockBody, node: Node) -> TracedCode | None:
    x, h = node.args[:2]
    before = _named(body, h)
    one, two = _gates(body, x, h, node.args[2:])
    size = body.sizes.code(shape(h)[-1]).text  # type: ignore[arg-type]
    parts = f"split[-1, [{size}, {size}, {size}]]"
    r, z, n = body.split(node, "rzn", one.then(parts))
    r2, z2, n2 = body.split(node, "suv", two.then(parts))
    (new,) = body.split(node, "m", binary("+", n, binary("*", binary("+", r, r2).then("sigmoid"), n2)).then("tanh"))
    return binary("+", new, binary("*", binary("+", z, z2).then("sigmoid"), binary("-", before, new)))


def _rnn_cell(name: str) -> Operation:
    def write(body: BlockBody, node: Node) -> TracedCode | None:
        one, two = _gates(body, node.args[0], node.args[1], node.args[2:])
        return binary("+", one, two).then(name)

    return write


SEVERAL: dict[str, Operation] = {
    "max": _extremes("max"), "min": _extremes("min"), "var_mean": _with_mean("var"), "std_mean": _with_mean("std"),
    "adaptive_max_pool1d": several(_pooled), "adaptive_max_pool2d": several(_pooled),
    "adaptive_max_pool3d": several(_pooled), "cummax": _running("cummax"), "cummin": _running("cummin"),
    "meshgrid": _grid, "lstm_cell": _lstm_cell, "gru_cell": _gru_cell, "rnn_tanh_cell": _rnn_cell("tanh"),
    "rnn_relu_cell": _rnn_cell("relu"),
}  # fmt: skip
