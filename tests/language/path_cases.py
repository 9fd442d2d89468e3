"""Small programs whose names some paths bind only, beside the same in numpy: `m` and `n` are None where absent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Given = Array | None
Weights = Mapping[str, Array]
Theirs = Callable[[Array, Given, Given, bool, Weights], Any]


@dataclass(frozen=True)
class Case:
    """A program over `x`, and `m` and `n` where it has such inputs, of shape [3, 4]."""

    name: str
    text: str
    theirs: Theirs

    def __str__(self) -> str:
        return self.name

    @property
    def optional(self) -> tuple[str, ...]:
        """The optional inputs of its model."""
        head = self.text.rsplit("block Main", 1)[1].split("->")[0]
        return tuple(name for name in ("m", "n") if f" {name}:" in head)


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def lin(x: Array, w: Weights, path: str) -> Array:
    return x @ w[f"{path}.weight"].T + w[f"{path}.bias"]


def attend(q: Array, k: Array, v: Array, mask: Given = None) -> Array:
    scores = q @ k.T / np.sqrt(q.shape[-1])
    scores = scores if mask is None else np.where(mask > 0, scores, -np.inf)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares = shares / shares.sum(-1, keepdims=True)
    return np.asarray(shares @ v)


CASES: list[Case] = []


def case(text: str) -> Callable[[Theirs], Theirs]:
    """Note a program with what it means."""

    def note(theirs: Theirs) -> Theirs:
        head = "use std.nn (Linear, Dropout)\n\n"
        CASES.append(Case(theirs.__name__, head + text.strip() + "\nmodel M = Main\n", theirs))
        return theirs

    return note


@case(
    """
block Main(x: [b, d], m: [b, d]?) -> [b, d]:
    local: bool[b, b] = abs(expand["i -> i 1"](arange[b]) - arange[b]) <= 1
    if given(m):
        near: bool[b, b] = einsum["i d, j d -> i j"](m, m) > 0
        return (x, x, x, select(local, near, false)) |> attention
    return (x, x, x, local) |> attention
"""
)
def mask_made_of_an_input(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    at = np.arange(len(x))
    local = np.abs(at[:, None] - at) <= 1
    return attend(x, x, x, (local if m is None else local & (m @ m.T > 0)).astype(float))


@case(
    """
block Main(x: [b, d], m: [b, d]?) -> [b, d]:
    if given(m):
        mask = einsum["i d, j d -> i j"](m, m) > 0
    return (x, x, x, mask) |> attention
"""
)
def mask_bound_on_one_path(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    return attend(x, x, x, None if m is None else (m @ m.T > 0).astype(float))


@case(
    """
block Scale(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    if given(m):
        x = x * m
    return x |> Linear[4, 4] as lin
block Main(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    if given(m):
        m = relu(m)
    return (x, m) |> Scale as s
"""
)
def rebound_input_handed_on(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    return lin(x if m is None else x * relu(m), w, "s.lin")


@case("""
block Main(x: [b, d]) -> [b, d]:
    u = x + 1
    if training:
        h = 2 * u
    if given(h):
        u = u + h
    return u
""")
def bound_while_training(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    return 3 * (x + 1) if training else x + 1


@case("""
block Main(x: [b, d], m: [b, d]?) -> [b, d]:
    if given(m):
        x = x + m
    else:
        h = 2 * x
    if given(h):
        x = h * 3
    return x
""")
def bound_in_the_other_arm(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    return 6 * x if m is None else x + m


@case("""
block Main(x: [b, d], m: [b, d]?, n: [b, d]?) -> [b, d]:
    if given(m):
        if given(n):
            h = m * n
        elif training:
            h = m
    elif given(n):
        h = n
    if not given(h):
        x = x * 5
    else:
        x = x + h
    return x
""")
def nested_and_chained(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    if m is not None:
        h = m * n if n is not None else m if training else None
    else:
        h = n
    return x * 5 if h is None else x + h


@case("""
block Main(x: [b, d], m: [b, d]?) -> (y: [b, d], h: [b, d]?, k: [d]?):
    if given(m):
        h = x * m
        if training:
            k = sum[0](h)
    return x + 1, h, k
""")
def optional_outputs(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    if m is None:
        return x + 1
    return (x + 1, x * m, (x * m).sum(0)) if training else (x + 1, x * m)


@case("""
block Part(x: [b, d], m: [b, d]?) -> (y: [b, d], h: [b, d]?):
    if given(m):
        return x * m, m + 1
    return x
block Main(x: [b, d], m: [b, d]?) -> [b, d]:
    y, h = Part(x, m)
    z, k = Part(y, h)
    if given(k):
        z = z + k
    return z
""")
def outputs_listed_on_one_path(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    return x if m is None else x * m * (m + 1) + m + 2


@case(
    """
block Part(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    y = x |> Linear[4, 4] as lin
    if given(m):
        y = y * m
    return y
block Main(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    f = Part
    if training:
        h = relu(x)
    return f(x, h) + f(x) + f(x, m) + f(x, x)
"""
)
def four_calls(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    def part(k: Given, path: str) -> Array:
        y = lin(x, w, f"{path}.lin")
        return y if k is None else y * k

    found = (part(relu(x) if training else None, "part"), part(None, "part_2"), part(m, "part_3"), part(x, "part_4"))
    return sum(found)


@case("""
block Part[d](x: [b, d], m: [b, d]?) -> [b, d]:
    y = x |> Linear[d, d] as lin
    if given(m):
        y = y * m
    return y
block Main(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    f = Part[4]
    if training:
        h = relu(x)
    return f(x, h) + f(x) + f(x, m) + f(x, x)
""")
def one_instance_with_and_without(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    y = lin(x, w, "f.lin")
    return y * (relu(x) if training else 1) + y + (y if m is None else y * m) + y * x


@case("""
block Main(x: [b, 4], m: [b, 4]?, n: [b, 4]?) -> [b, 4]:
    if training:
        h = 2 * x
    repeat 3 as layers:
        x = x |> Linear[4, 4] as lin
        if given(h):
            x = x + h
            h = relu(h - x)
        if given(m):
            m = m + x
            if given(n):
                n = n * 2
                x = x + n
    if given(m):
        x = x * m
    return x
""")
def carried_through_a_loop(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    h = 2 * x if training else None
    for i in range(3):
        x = lin(x, w, f"layers.{i}.lin")
        if h is not None:
            x = x + h
            h = relu(h - x)
        if m is not None:
            m = m + x
            if n is not None:
                n = n * 2
                x = x + n
    return x if m is None else x * m


@case("""
block Main(x: [b, d], m: [b, d]?) -> [b, d]:
    if given(m):
        start = sum[0](m)
    scan t in x along b carry s = zeros[d]:
        s = s * 0.5 + t
        if given(start):
            s = s + start
            start = start * 2
            yield steps = s * 3
        if training:
            yield seen = t
    if given(steps):
        x = x + steps
    if given(seen):
        x = x * seen
    return x + s
""")
def carried_and_collected_by_a_scan(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    start, s, steps = None if m is None else m.sum(0), np.zeros(4), []
    for t in x:
        s = s * 0.5 + t
        if start is not None:
            s = s + start
            start = start * 2
            steps.append(s * 3)
    y = x + np.stack(steps) if steps else x
    return (y * x if training else y) + s


@case("""
block Row(x: [d], m: [d]?, n: [d]?) -> (y: [d], h: [d]?):
    if given(m):
        x = x * m
        if given(n):
            h = n + x
    return x, h
block Main(x: [b, d], m: [b, d]?, n: [b, d]?) -> [b, d]:
    if given(n):
        n = n * 2
        part = sum[0](n)
    y, h = over[b, Row](x, m, part)
    if given(h):
        y = y - h
    return y
""")
def over_with_and_without(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    if m is None:
        return x
    y = x * m
    return y if n is None else y - ((2 * n).sum(0) + y)


@case("""
block Row(x: [4], m: [4]?, n: [4]?) -> [4]:
    y = x |> Linear[4, 4] as lin
    if given(m):
        if given(n):
            y = y + ((m * n) |> Linear[4, 4] as two)
        else:
            y = y - m
    return y
block Main(x: [3, 4], m: [3, 4]?, n: [3, 4]?) -> [3, 4]:
    if training:
        m = x
    return each[0, Row](x, m, n)
""")
def each_with_and_without(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    m = x if training else m
    rows = []
    for i, row in enumerate(x):
        y = w["row.lin.weight"][i] @ row + w["row.lin.bias"][i]
        if m is not None:
            more = None if n is None else w["row.two.weight"][i] @ (m[i] * n[i]) + w["row.two.bias"][i]
            y = y - m[i] if more is None else y + more
        rows.append(y)
    return np.stack(rows)


@case("""
block Loss(x: [b, d], m: [b, d]?) -> []:
    y = x * x
    if given(m):
        y = y * m
    return sum(y)
block Main(x: [b, d], m: [b, d]?) -> [b, d]:
    if training:
        m = x + 1
    elif given(m):
        m = m + 1
    return grad[Loss](x, m)
""")
def derivative_with_and_without(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    return 2 * x * (x + 1 if training else 1 if m is None else m + 1)


@case("""
block Main(x: [b, d], m: [b, d]?) -> [b, d]:
    if given(m):
        scale = 2
        parts = [x, m]
        offsets = [1, 2, 3]
    else:
        parts = [x, x * x]
    if given(scale):
        x = x * scale + offsets[2]
    for part in parts:
        x = x + part
    return x
""")
def numbers_and_lists(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    y = x if m is None else x * 2 + 3
    return y + x + (x * x if m is None else m)


@case("""
block Main(x: [b, 4], m: [b, 4]?, n: [b, 4]?) -> [b, 4]:
    if given(m):
        if training:
            return x * m
        x = x + m
    else:
        if given(n):
            return x - n
        x = x * 3
    x = x |> Linear[4, 4] as lin
    if given(n):
        return x * n
    return relu(x) |> Linear[4, 4] as last
""")
def returns_on_some_paths(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    if m is not None:
        if training:
            return x * m
        x = x + m
    else:
        if n is not None:
            return x - n
        x = x * 3
    x = lin(x, w, "lin")
    return x * n if n is not None else lin(relu(x), w, "last")


@case("""
block Main(x: [b, d], m: [b, d]?, n: [b, d]?) -> (y: [b, d]?, h: [b, d]?):
    if given(m):
        if training:
            return m, n
        if given(n):
            return n
    if training:
        return n, x
    x = x + 1
    return x
""")
def only_optional_outputs(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    if m is not None and (training or n is not None):
        return (m, n) if training else n
    return (n, x) if training else x + 1


@case("""
block Main(x: [b, d], m: [b, d]?) -> [b, d]:
    h = x if training else m
    k = m * 2 if given(m) else h
    if given(h):
        x = x + h
    return x * k if given(k) else x - 1
""")
def choices_as_expressions(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    h = x if training else m
    k = m * 2 if m is not None else h
    x = x if h is None else x + h
    return x - 1 if k is None else x * k


@case("""
block Main(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    state mean: [4] = zeros
    if given(m):
        at = sum[0](m)
    elif training:
        at = sum[0](x)
    if given(at):
        update mean = mean + at
        x = x - at
    return x + mean
""")
def states_on_some_paths(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    at = m.sum(0) if m is not None else x.sum(0) if training else None
    mean = w["mean"] + at if at is not None and training else w["mean"]
    return (x if at is None else x - at) + mean


@case("""
block Layer(x: [b, 4], m: [b, 4]?) -> (y: [b, 4], m: [b, 4]?):
    y = x |> Linear[4, 4] as lin
    if given(m):
        m = m + y
    elif training:
        m = y
    return y, m
block Main(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    for i in range(3) as stages:
        x, m = (x, m) |> Layer as layer
    if given(m):
        x = x + m
    return x
""")
def handed_from_layer_to_layer(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    for i in range(3):
        x = lin(x, w, f"stages.{i}.layer.lin")
        m = m + x if m is not None else x if training else None
    return x if m is None else x + m


@case("""
block Layer(x: [b, 4], m: [b, 4]?) -> (y: [b, 4], h: [b, 4]?):
    y = x |> Linear[4, 4] as lin
    if given(m):
        h = m * y
    return y, h
block Main(x: [b, 4], m: [b, 4]?, n: [b, 4]?) -> [b, 4]:
    if given(n):
        m = n
    repeat 2 as h:
        x, k = (x, m) |> Layer as layer
        if given(k):
            x = x + k
            m = k
        repeat 2 as inner:
            x = x |> Linear[4, 4] as lin
            if given(m):
                m = m * 2
    return x if not given(m) else x - m
""")
def loops_in_loops(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    m = m if n is None else n
    for i in range(2):
        x = lin(x, w, f"h.{i}.layer.lin")
        if m is not None:
            k = m * x
            x, m = x + k, k
        for j in range(2):
            x = lin(x, w, f"h.{i}.inner.{j}.lin")
            m = None if m is None else m * 2
    return x if m is None else x - m


@case("""
block Wrap[F: block](x: [b, 4], m: [b, 4]?) -> [b, 4]:
    if given(m):
        k = m + 1
    return F(x, k)
block Part(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    y = x |> Linear[4, 4] as lin
    if given(m):
        y = y * m
    return y
block Main(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    if training:
        m = x
    return (x, m) |> Wrap[F=Part] as w
""")
def through_a_block_that_is_handed_on(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    y = lin(x, w, "w.part.lin")
    m = x if training else m
    return y if m is None else y * (m + 1)


@case(
    """
block Main(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    if given(m):
        h, k = x |> split["b (t d) -> t b d", t=2]
        h: [b, e] = h * 2
        y = concat[1](h, k)
    if training:
        if given(y):
            return y + m
        y = x * 4
    elif given(y):
        y = y * 2
    return y if given(y) else x
"""
)
def sizes_named_on_one_path(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    y = None if m is None else np.concatenate([2 * x[:, :2], x[:, 2:]], 1)
    if training:
        return x * 4 if y is None or m is None else y + m
    return x if y is None else y * 2


@case("""
block Main(x: [b, d], m: [b, d]?) -> [b, d]:
    if given(m):
        repeat 2:
            yield rows = m + x
            m = m * 2
        x = sum[0](rows)
    scan t in x along b carry s = zeros[d]:
        s = s + t
        yield all = s
    if given(rows):
        return all * m
    return all
""")
def collected_inside_of_an_arm(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    y = x if m is None else (m + x) + (2 * m + x)
    y = np.cumsum(y, 0)
    return y if m is None else y * 4 * m


@case(
    """
block Main(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    if given(m):
        param a: [4] = constant[2]
        f = Linear[4, 4]
        x = f(x * a)
    if given(m):
        x = x + f(m) * a
    return x
"""
)
def weights_of_one_path(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    if m is None:
        return x
    return lin(x * w["a"], w, "f") + lin(m, w, "f") * w["a"]


@case("""
block Main(x: [b, d], m: [b, d]?) -> [b, d]:
    if training:
        noise = zeros[b, d] + 1
    if given(m):
        tap place = m * 2
        x = x + place
    tap all = x * 3
    if given(noise):
        x = x + noise
    if given(place):
        return x * place
    return x + all
""")
def taps_on_some_paths(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    x = x if m is None else x + 2 * m
    y = x + 1 if training else x
    return y + 3 * x if m is None else y * 2 * m
