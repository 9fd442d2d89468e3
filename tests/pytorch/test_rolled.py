"""Iterations of an unrolled loop that are written alike are one loop in the emitted text, and compute the same."""

from __future__ import annotations

import pytest
import torch

import ogive

HEAD = "use std.nn (Linear, LayerNorm)\n\n"


def forward(body: str) -> tuple[str, torch.nn.Module]:
    """The text of `forward`, and the module."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    model = ogive.source(f"{HEAD}block B(x: [b, 4]) -> [b, 4]:\n{lines}\n\nmodel M = B[]\n").models["M"]
    text = model.torch_source(checks=False)
    return text[text.index("    def forward") : text.index("\n\n\ndef M")], model.torch()


def unrolled(net: torch.nn.Module, x: torch.Tensor, iterations: int) -> torch.Tensor:
    for number in range(iterations):
        x = torch.relu(net.get_submodule(f"layers.{number}.lin")(x))
    return x


def test_iterations_that_are_alike() -> None:
    text, net = forward("for i in range(3) as layers:\n    x = relu(x |> Linear[4, 4] as lin)\nreturn x * 2")
    assert text.splitlines()[1:] == [
        "        for layer in self.layers:",
        "            x = F.relu(layer.lin(x))",
        "        return x * 2",
    ]
    x = torch.randn(2, 4)
    torch.testing.assert_close(net(x), unrolled(net, x, 3) * 2)


def test_what_the_last_iteration_gives_is_returned() -> None:
    text, net = forward("for i in range(3) as layers:\n    x = relu(x |> Linear[4, 4] as lin)\nreturn x")
    assert text.splitlines()[1:] == [
        "        for layer in self.layers:",
        "            x = F.relu(layer.lin(x))",
        "        return x",
    ]
    x = torch.randn(2, 4)
    torch.testing.assert_close(net(x), unrolled(net, x, 3))


def test_loops_in_loops() -> None:
    body = """for i, n in enumerate([2, 1, 3]) as stages:
    for j in range(n) as layers:
        y = x |> Linear[4, 4] as lin
        x = x + y
return x * 2"""
    text, net = forward(body)
    assert text.splitlines()[1:] == [
        "        for stage in self.stages:",
        "            for layer in stage.layers:",
        "                y = layer.lin(x)",
        "                x = x + y",
        "        return x * 2",
    ]
    x = wanted = torch.randn(2, 4)
    for name, module in net.named_modules():
        if name.endswith("lin"):
            wanted = wanted + module(wanted)
    torch.testing.assert_close(net(x), wanted * 2)


def test_a_last_iteration_that_is_used_otherwise_stands_behind_the_loop() -> None:
    text, net = forward("for i in range(3) as layers:\n    y = relu(x |> Linear[4, 4] as lin)\n    x = x + y\nreturn y")
    assert text.splitlines()[1:] == [
        "        for layer in list(self.layers)[:-1]:",
        "            y = F.relu(layer.lin(x))",
        "            x = x + y",
        "        return F.relu(self.layers[2].lin(x))",
    ]
    x = torch.randn(2, 4)
    first, second, last = (net.get_submodule(f"layers.{number}.lin") for number in range(3))
    x_2 = x + torch.relu(first(x))
    torch.testing.assert_close(net(x), torch.relu(last(x_2 + torch.relu(second(x_2)))))


@pytest.mark.parametrize(
    "body",
    [
        "for i in range(3) as layers:\n    x = relu(x |> Linear[4, 4] as lin) * (i + 1)\nreturn x * 2",  # not alike
        "x = x |> Linear[4, 4] as one\nx = x |> Linear[4, 4] as two\nreturn x * 2",  # no loop
    ],
)
def test_what_is_not_alike_stays(body: str) -> None:
    text, _ = forward(body)
    assert "for " not in text


def test_ten_iterations_and_more_are_told_apart() -> None:
    text, net = forward("for i in range(12) as layers:\n    x = relu(x |> Linear[4, 4] as lin)\nreturn x * 2")
    assert "for layer in self.layers:" in text
    assert "[1]" not in text
    x = torch.randn(2, 4)
    torch.testing.assert_close(net(x), unrolled(net, x, 12) * 2)


def test_variables_of_loops_are_new() -> None:
    text, _ = forward(
        "layer = x * 2\nfor i in range(3) as layers:\n    x = relu(x |> Linear[4, 4] as lin)\nreturn x + layer"
    )
    assert "for layer_2 in self.layers:" in text


def test_exported_programs_have_all_iterations() -> None:
    _, net = forward("for i in range(3) as layers:\n    x = relu(x |> Linear[4, 4] as lin)\nreturn x * 2")
    program = torch.export.export(net, (torch.randn(2, 4),))
    assert sum("linear" in str(node.target) for node in program.graph.nodes) == 3
