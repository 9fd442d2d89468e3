"""More names that some paths bind only: in iterations, lists, blocks, states, and where some paths return."""

from __future__ import annotations

from typing import Any

import numpy as np

from language.path_case import Array, Case, Given, Weights, case, lin


@case("""
block Main(x: [b, d], m: [b, d]?, n: [b, d]?) -> [b, d]:
    for i in range(3):
        if i == 0:
            if given(m):
                h = m
        elif given(h):
            h = h * 2 + i
        x = x + 1
    if given(h):
        x = x + h
    return x
""")
def bound_in_one_iteration_for_the_next(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    y = x + 3
    return y if m is None else y + ((m * 2 + 1) * 2 + 2)


@case("""
block Main(x: [b, 4], m: [b, 4]?, n: [b, 4]?) -> [b, 4]:
    repeat 3 as h:
        if given(m):
            y = (m * x) |> Linear[4, 4] as lin
            m = y
        if given(n):
            if not training:
                n = n * 2
        x = x + 1
    if given(m):
        x = x + m
    if given(n):
        x = x - n
    return x
""")
def rebound_in_iterations(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    for i in range(3):
        if m is not None:
            m = lin(m * x, w, f"h.{i}.lin")
        if n is not None and not training:
            n = n * 2
        x = x + 1
    if m is not None:
        x = x + m
    return x if n is None else x - n


@case("""
block Rec[k: nat](x: [b, 4], m: [b, 4]?) -> [b, 4]:
    if k == 0:
        return x
    else:
        if given(m):
            x = x + m
            m = m * 2
        elif training:
            m = x
        return Rec[k - 1](x, m)
block Main(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    return Rec[3](x, m)
""")
def in_a_block_that_uses_itself(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    for _k in range(3):
        if m is not None:
            x, m = x + m, m * 2
        elif training:
            m = x
    return x


@case("""
block Main(x: [b, 4], m: [b, 4]?, n: [b, 4]?) -> (y: [b, 4], o: [b, 4]?, p: [b, 4]?):
    if given(n):
        m, n = n, m
    return x, m, n
""")
def exchanged(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    if n is not None:
        m, n = n, m
    out = [x] + [v for v in (m, n) if v is not None]
    return tuple(out) if len(out) > 1 else x


@case("""
block Main(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    lin = Linear[4, 4]
    f = lin
    if given(m):
        h = f.weight
    elif training:
        h = f.weight * 2
    y = f(x)
    return y @ h if given(h) else y
""")
def weights_read_on_a_path(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    y = lin(x, w, "lin")
    W = w["lin.weight"]
    return y @ W if m is not None else y @ (2 * W) if training else y


@case("""
block Main(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    if given(m):
        for i in range(2) as f:
            x = (x + m) |> Linear[4, 4] as lin
            if training:
                m = m + i
            else:
                last = x
    if given(last):
        x = x + last
    return x |> LayerNorm as ln
""")
def loops_inside_of_an_arm(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    last = None
    if m is not None:
        for i in range(2):
            x = lin(x + m, w, f"f.{i}.lin")
            if training:
                m = m + i
            else:
                last = x
    if last is not None:
        x = x + last
    mu = x.mean(-1, keepdims=True)
    v = x.var(-1, keepdims=True)
    return (x - mu) / np.sqrt(v + 1e-5) * w["ln.weight"] + w["ln.bias"]


@case("""
block Main(x: [b, 4], m: [b, 4]?, n: [b, 4]?) -> [b, 4]:
    if training:
        if given(m):
            return x + m
    elif given(n):
        return x + n
    x = x |> Linear[4, 4] as lin
    if not training:
        if not given(m):
            return x
    return x * 2
""")
def returns_of_some_paths(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    if training:
        if m is not None:
            return x + m
    elif n is not None:
        return x + n
    x = lin(x, w, "lin")
    if not training and m is None:
        return x
    return x * 2


@case("""
block Main(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    if given(m):
        f = Linear[4, 4]
        k = 3
        xs = [x, m]
    if training:
        x = x + 1
    if given(m):
        x = f(x) * k + xs[1]
    return x
""")
def blocks_numbers_and_lists_of_one_path(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    x = x + 1 if training else x
    return x if m is None else lin(x, w, "f") * 3 + m


@case("""
block Main(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    repeat 2 as h:
        if given(m):
            param a: [4] = ones
            x = x * a + m
        elif training:
            param c: [4] = ones
            x = x * c * 2
        else:
            x = x |> Linear[4, 4] as lin
    return x
""")
def weights_of_three_arms(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    for i in range(2):
        if m is not None:
            x = x * w[f"h.{i}.a"] + m
        elif training:
            x = x * w[f"h.{i}.c"] * 2
        else:
            x = lin(x, w, f"h.{i}.lin")
    return x


@case("""
block Main(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    state s: [4] = zeros
    if training:
        update s = s + 1
        if given(m):
            h = s
    elif given(m):
        h = s * 2
    if given(h):
        x = x + h
    if given(m):
        update s = s * 3
    return x * (1 + s)
""")
def states_on_paths(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    s = w["s"]
    if training:
        s = s + 1
        h = s if m is not None else None
    else:
        h = 2 * s if m is not None else None
    if h is not None:
        x = x + h
    if m is not None and training:
        s = s * 3
    return x * (1 + s)


@case("""
block A(x: [b, 4], m: [b, 4]?) -> (y: [b, 4], h: [b, 4]?):
    if training:
        return x + 1
    if given(m):
        return x * m, m * 2
    return x - 1, x
block Main(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    repeat 2 as layers:
        x, h = A(x, m)
        if given(h):
            x = x + h
            if given(m):
                m = h
    return x if not given(m) else x * m
""")
def outputs_that_a_loop_asks_for(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    for _i in range(2):
        if training:
            x, h = x + 1, None
        elif m is not None:
            x, h = x * m, m * 2
        else:
            x, h = x - 1, x
        if h is not None:
            x = x + h
            if m is not None:
                m = h
    return x if m is None else x * m


@case("""
block Main(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    xs = []
    for i in range(2):
        if given(m):
            xs = xs + [m * i]
        else:
            xs = xs + [x]
    y = x
    for a in xs:
        y = y + a
    return y + sum[0](stack[0](*xs))
""")
def lists_that_grow_on_both_paths(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    v = m if m is not None else 2 * x
    return x + 2 * v


@case("""
block Main(x: [b, 4], m: [b, 4]?) -> [b, 4]:
    if given(m):
        if training:
            if given(m):
                q = m
            else:
                q = x
        x = x + 1
    repeat 2 as h:
        if given(q):
            q = q * 2
            x = x + q
        else:
            x = x |> Linear[4, 4] as lin
    return x
""")
def carried_where_it_is_there(x: Array, m: Given, n: Given, training: bool, w: Weights) -> Any:
    q = m if training else None
    if m is not None:
        x = x + 1
    for i in range(2):
        if q is not None:
            q = q * 2
            x = x + q
        else:
            x = lin(x, w, f"h.{i}.lin")
    return x


CASES: tuple[Case, ...] = (
    bound_in_one_iteration_for_the_next,
    rebound_in_iterations,
    in_a_block_that_uses_itself,
    exchanged,
    weights_read_on_a_path,
    loops_inside_of_an_arm,
    returns_of_some_paths,
    blocks_numbers_and_lists_of_one_path,
    weights_of_three_arms,
    states_on_paths,
    outputs_that_a_loop_asks_for,
    lists_that_grow_on_both_paths,
    carried_where_it_is_there,
)
