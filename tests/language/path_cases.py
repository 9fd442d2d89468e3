"""Names that one path of a choice binds, rebinds, returns, hands on."""

from __future__ import annotations

from typing import Any

import numpy as np

from language.path_case import Array, Case, Given, Weights, attend, case, lin, relu


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


CASES: tuple[Case, ...] = (
    mask_made_of_an_input,
    mask_bound_on_one_path,
    rebound_input_handed_on,
    bound_while_training,
    bound_in_the_other_arm,
    nested_and_chained,
    optional_outputs,
    outputs_listed_on_one_path,
    four_calls,
    one_instance_with_and_without,
    numbers_and_lists,
    returns_on_some_paths,
    only_optional_outputs,
    choices_as_expressions,
    states_on_some_paths,
    handed_from_layer_to_layer,
    through_a_block_that_is_handed_on,
    sizes_named_on_one_path,
    weights_of_one_path,
    taps_on_some_paths,
)
