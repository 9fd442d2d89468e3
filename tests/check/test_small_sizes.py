"""Sizes that may fall below what takes them, and divisors that may be 0: a condition that flows up, or an error."""

from __future__ import annotations

import pytest
import torch

import ogive
from check.programs import conditions, errors

# a body over `x: [b, n]` and `k: int`, and what it demands of `n` and `k`
CONSTRAINTS = [
    ("concat[1](x, zeros[b, n - 4])", ("n >= 5",)),
    ("concat[1](x, zeros[b, k])", ("k >= 0",)),
    ("x + sum(randn[k])", ("k >= 0",)),
    ("x + sum(cast[float](arange[n - 4]))", ("n >= 5",)),
    ("x + sum(cast[float](permutation[n - 4]))", ("n >= 5",)),
    ("x + sum(eye[2*n - 4])", ("n >= 3",)),
    ("x + sum(cast[float](randint[n, n=k]))", ("k >= 1",)),
    ("pad[-1, k, 0](x)", ("k >= 0",)),
    ("pad[-1, 0, 10 - n](x)", ("n <= 10",)),
    ('avg_pool[k](rearrange["b n -> b 1 n"](x))', ("k >= 1", "n >= k")),
    ('avg_pool[2, stride=k](rearrange["b n -> b 1 n"](x))', ("k >= 1", "n >= 2")),
    ("x * (6 // k)", ("k >= 1",)),
    ("x * (6 / k)", ("k != 0",)),
    ("x * (n // (n - 3))", ("n >= 4",)),
    ("x * sqrt(n - 3)", ("n >= 3",)),
    ("x * log(k)", ("k >= 1",)),
]


@pytest.mark.parametrize(("body", "required"), CONSTRAINTS)
def test_what_is_not_proved_flows_up(body: str, required: tuple[str, ...]) -> None:
    rank = "[b, 1, m]" if "pool" in body else "[b, m]"
    text = f"block f[k: int](x: [b, n]) -> {rank}:\n    return {body}\n"
    assert set(conditions(text)["f"]) == set(required)


@pytest.mark.parametrize("kind", ["param", "state"])
def test_a_weight_has_as_many_entries_as_its_type_says(kind: str) -> None:
    text = f"block F[k: int](x: [b, n]) -> [b, n]:\n    {kind} w: [k - 3] = zeros\n    return x + sum(w)\n"
    assert conditions(text)["F"] == ("k >= 4",)
    assert errors(f"{text}\nmodel M = F[k=3]\n") == ["E0401"]
    assert errors(f"{text}\nmodel M = F[k=4]\n") == []


def test_padding_of_the_result_is_below_the_stride() -> None:
    text = """
        use std.vision (ConvTranspose)
        block Up[s, o: nat](x: [b, 2, n]) -> [b, 2, m]:
            return ConvTranspose[2, 2, 3, stride=s, pad=1, out_pad=o](x)
        model Fits = Up[s=2, o=1]
    """
    assert conditions(text)["Fits"] == ()
    assert errors(text.replace("o=1", "o=2")) == ["E0401"]


def test_what_may_be_empty_on_purpose_is_left_so() -> None:
    text = """
        block f[k: nat](x: [b, n], q: [b, p]) -> [b, m]
        where p >= 0:
            param w: [k] = zeros
            return concat[1](x, zeros[b, k], zeros[b, 2 * p]) + sum(w)

        model M = f[k=0]
    """
    assert conditions(text) == {"f": ("p >= 0",), "M": ()}


def test_what_is_collected_has_an_iteration() -> None:
    body = "    repeat k:\n        x = 2 * x\n        yield ys = x\n    return ys\n"
    repeated = f"block F[k: nat](x: [b, n]) -> [k, b, n]:\n{body}"
    assert conditions(repeated)["F"] == ("k >= 1",)
    assert errors(f"{repeated}\nmodel M = F[k=0]\n") == ["E0401"]
    assert errors(repeated.replace("repeat k", "repeat 0").replace("[k, b, n]", "[m, b, n]")) == ["E0304"]
    scanned = """
        block f(x: [b, p]) -> [b, p]
        where p >= 0:
            scan t in x along p carry h = zeros[b]:
                h = h + t
                yield hs = h
            return hs
    """
    assert "p >= 1" in conditions(scanned)["f"]


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin"])
def test_the_largest_of_nothing_is_refused(name: str) -> None:
    text = f"block f(x: [b, p]) -> [b]\nwhere p >= 0:\n    return cast[float]({name}[1](x))\n"
    assert "p >= 1" in conditions(text)["f"]
    assert conditions(text.replace(name, "sum"))["f"] == ("p >= 0",)


@pytest.mark.parametrize("given", ["zeros[-2]", "zeros[n - 2*n]", "arange[0 - n]"])
def test_what_is_never_so_large_is_an_error(given: str) -> None:
    assert errors(f"block f(x: [b, n]) -> [b, n]:\n    return x + cast[float](sum({given}))\n") in (
        ["E0304"],
        ["E0404"],
    )


def test_torch_runs_where_the_conditions_hold() -> None:
    text = (
        "block f(x: [b, n]) -> [b, m]:\n    return concat[1](x, zeros[b, n - 4]) |> pad[-1, 10 - n, 0]\n\nmodel M = f\n"
    )
    program = ogive.source(text)
    model = program.models["M"].ir
    (_, n) = model.definition.sizes
    net = program.models["M"].torch()
    for length in range(1, 14):
        if all(condition.at({n: length}) for condition in model.conditions):
            assert net(torch.zeros(2, length)).shape == (2, 2 * length - 4 + 10 - length)
        else:
            with pytest.raises(ValueError, match="n"):
                net(torch.zeros(2, length))


# --- divisors ---------------------------------------------------------------------------------------------------------

DIVIDED = [
    "    if n % k == 0:\n        x = 2 * x\n    return x\n",
    "    for i in range(6 // k):\n        x = 2 * x\n    return x\n",
    "    return x * (6 // k)\n",
    "    return x * (6 / k)\n",
    "    require n % k == 0\n    return x\n",
    "    return concat[1](x[:, :n % k], x[:, n % k:])\n",
]


@pytest.mark.parametrize("body", DIVIDED)
@pytest.mark.parametrize("before", ["", "model Before = F[k=1, n=12]\n"])
def test_a_division_by_zero_is_an_error(body: str, before: str) -> None:
    text = f"block F[k: nat](x: [b, n]) -> [b, n]:\n{body}\n{before}model M = F[k=0, n=12]\n"
    assert [code for code in errors(text) if code in ("E0401", "E0410")]


@pytest.mark.parametrize("divisor", ["0**k", "(k - 1)", "(2 - k)"])
def test_a_recursive_use_may_not_divide_by_zero(divisor: str) -> None:
    text = f"""
        block F[k: nat](x: [b, n]) -> [b, n // {divisor}]:
            if k == 0:
                return x
            return F[k - 1](x[:, ::2])

        model M = F[k=2]
    """
    assert "E0410" in errors(text) or "E0401" in errors(text)


def test_a_condition_may_keep_a_division_from_zero() -> None:
    text = """
        block f[k: nat](x: [b, n]) -> [b, n]
        where k == 0 or n % k == 0:
            return x * (6 // k) if k > 0 else x

        block g[k: nat](x: [b, n]) -> [b, n]:
            if k > 0 and 12 % k == 0:
                x = x * (12 // k)
            return x

        model F0 = f[k=0]
        model F3 = f[k=3]
        model G0 = g[k=0]
        model G3 = g[k=3]
    """
    found = conditions(text)
    assert found["F0"] == ()
    assert found["F3"] == ("n % 3 == 0",)
    assert found["f"] == ("k == 0 or n % k == 0",)


def test_states_under_over_take_the_mean_of_some() -> None:
    text = """
        block f(x: [b]) -> [b]:
            state old: [] = ones
            update old = 0.75 * old + 0.25 * mean[0](x)
            return x + old

        block G(x: [p, b]) -> [p, b]
        where p >= 0:
            return over[0, f](x)

        block H(x: [p, b]) -> [p, b]
        where p >= 0:
            return over[0, tanh](x)
    """
    found = conditions(text)
    assert "p >= 1" in found["G"]
    assert "p >= 1" not in found["H"]
