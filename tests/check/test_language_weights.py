"""Names of weights: a path follows its place, and depends neither on formatting nor on the arm that is taken."""

from __future__ import annotations

import pytest

from check.programs import check
from ogive.compiler.ir.weights import weights

PATHS = {
    "a label names the place": (
        """
        use std.nn (Linear)
        block F[d](x: [b, d]) -> [b, d]:
            return x |> Linear[d, d] as up |> relu |> Linear[d, d] as down
        model M = F[3]
        """,
        ["up.weight", "up.bias", "down.weight", "down.bias"],
    ),
    "a name binds the instance": (
        """
        use std.nn (Linear)
        block F[d](x: [b, d]) -> [b, d]:
            f = Linear[d, d, bias=false]
            return f(relu(f(x)))
        model M = F[3]
        """,
        ["f.weight"],
    ),
    "without a name it takes that of its block": (
        """
        use std.nn (LayerNorm)
        block MLP[d](x: [b, d]) -> [b, d]:
            param w: [d, d]
            return x @ w
        block F[d](x: [b, d]) -> [b, d]:
            return x |> LayerNorm |> MLP |> LayerNorm |> MLP |> MLP
        model M = F[3]
        """,
        ["layer_norm.weight", "layer_norm.bias", "mlp.w",
         "layer_norm_2.weight", "layer_norm_2.bias", "mlp_2.w", "mlp_3.w"],
    ),
    "all arms of an if count": (
        """
        use std.nn (Linear)
        block F[d, k: nat](x: [b, d]) -> [b, d]:
            if k == 0:
                x = x |> Linear[d, d, false]
            else:
                x = x |> Linear[d, d, false] |> relu
            return x |> Linear[d, d, false]
        model M = F[3, 1]
        """,
        ["linear_2.weight", "linear_3.weight"],
    ),
    "a loop is a place": (
        """
        use std.nn (Linear)
        block F[d, depth: nat](x: [b, d]) -> [b, d]:
            repeat depth as h:
                x = x |> Linear[d, d, false] |> Linear[d, d, false]
            repeat depth:
                x = x |> Linear[d, d, false] as f
            for i in range(2) as stages:
                x = x |> Linear[d, d, false]
            return x
        model M = F[3, 2]
        """,
        ["h.0.linear.weight", "h.0.linear_2.weight", "h.1.linear.weight", "h.1.linear_2.weight",
         "layers.0.f.weight", "layers.1.f.weight", "stages.0.linear.weight", "stages.1.linear.weight"],
    ),
    "members of a composition stand under it": (
        """
        use std.nn (Linear)
        block F[d](x: [b, d]) -> [b, d]:
            mlp = Linear[d, d, false] >> relu >> Linear[d, d, false]
            return mlp(x)
        model M = F[3]
        """,
        ["mlp.linear.weight", "mlp.linear_2.weight"],
    ),
    "an instance that is handed in stands under the static": (
        """
        use std.nn (Linear)
        block Around[inner: block](x: [b, d]) -> [b, d]:
            return x + inner(x)
        block F[d](x: [b, d]) -> [b, d]:
            return x |> Around[Linear[d, d, false]]
        model M = F[3]
        """,
        ["around.inner.weight"],
    ),
    "a scan allocates once": (
        """
        use std.nn (Linear)
        block F[d](x: [b, n, d]) -> [b, d]:
            scan x_t in x along n carry h = zeros[b, d]:
                h = tanh(x_t + (h |> Linear[d, d, false]))
            return h
        model M = F[3]
        """,
        ["linear.weight"],
    ),
    "nested blocks": (
        """
        use std.nn (Linear)
        block Attn[d](x: [b, d]) -> [b, d]:
            return x |> Linear[d, d, false] as c_attn
        block F[d](x: [b, d]) -> [b, d]:
            repeat 1 as h:
                x = x |> Attn as attn
            return x
        model M = F[3]
        """,
        ["h.0.attn.c_attn.weight"],
    ),
    "a composition with a name in a loop that is unrolled": (
        """
        use std.nn (Linear)
        block F(x: [b, 4]) -> [b, 4]:
            for f in [tanh, relu] as parts:
                mlp = Linear[4, 3, bias=false] >> f >> Linear[3, 4, bias=false]
                x = mlp(mlp(x))
            return x
        model M = F
        """,
        [f"parts.{i}.mlp.{name}.weight" for i in (0, 1) for name in ("linear", "linear_2")],
    ),
    "what is vectorized or derived makes way for a name": (
        """
        block Scale(x: [d]) -> []:
            param w: [] = ones
            return sum(x * w)
        block F(x: [b, d]) -> [b, d]:
            y = over[b, Scale](x)
            z = x |> each[b, Scale]
            g = over[b, grad[Scale]](x)
            scale = Scale
            return over[b, grad[scale]](x) + g + sum(y) + sum(z)
        model M = F[b=2]
        """,
        ["scale.w", "scale_2.w", "scale_3.w", "scale_4.w"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PATHS)
def test_paths(name: str) -> None:
    source, expected = PATHS[name]
    assert sorted(_paths(source)) == sorted(expected)


@pytest.mark.parametrize("name", PATHS)
def test_paths_do_not_hang_on_layout(name: str) -> None:
    source, expected = PATHS[name]
    spread = source.replace("|>", "# a stage\n                |>").replace("block ", "## A block.\n        block ")
    assert sorted(_paths(spread)) == sorted(expected)


def _paths(source: str) -> list[str]:
    program = check(source)
    assert program.ok, [(d.code, d.message) for d in program.diagnostics]
    return [path for weight in weights(program.models["M"].ir) for path in weight.paths()]
