"""Names that one path binds, through loops, vectorized blocks and derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from language.path_case import Array, Case, Given, Weights, case, lin, relu


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


@case("""
block Main(x: [b, d], m: [b, d]?, n: [b, d]?) -> [b, d]:
    repeat 2 as h:
        u = relu(x)
        x = x + u
    if given(m):
        u = m
    repeat 2 as k:
        if given(m):
            u = u * x
    if given(u):
        x = x + u
    return x
""")
def bound_again_where_a_loop_had_it(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    for _ in range(2):
        x = x + relu(x)
    return x if m is None else x + m * x * x


@case("""
block Main(x: [b, d], m: [b, d]?, n: [b, d]?) -> [b, d]:
    if given(m):
        v = x * m
    else:
        v = m if training else m
    if given(v):
        x = v + 1
    return x
""")
def chosen_where_both_sides_are_absent(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    return x if m is None else x * m + 1


CASES: tuple[Case, ...] = (
    carried_through_a_loop,
    carried_and_collected_by_a_scan,
    over_with_and_without,
    each_with_and_without,
    derivative_with_and_without,
    loops_in_loops,
    collected_inside_of_an_arm,
    bound_again_where_a_loop_had_it,
    chosen_where_both_sides_are_absent,
)
