"""What counts as recursion, and how blocks that are recursive are proved."""

from __future__ import annotations

import ogive

TEXT = """
use std.nn (Linear)

block Twice[k: nat, F: block = tanh](x: [*s]) -> [*s]:
    y = F(x)
    if k > 0:
        y = Twice[k - 1, F](y)
    return F(y) + 0.5 * x

block {name}[u](x: [u]) -> [u]:
    v = rearrange["... d -> ... d 1"](x)
    w = v |> Twice[{depth}, Linear[1, 1]] as twice
    return x + mean(w)

model M = {name}[u=4]
model N = {name}
"""


def test_a_block_called_as_a_static_of_another_is_not_recursive() -> None:
    assert ogive.source(TEXT.format(name="F", depth=0))["M"].torch() is not None


def test_recursive_blocks_are_proved_over_what_is_known_at_their_instances() -> None:
    program = ogive.source(TEXT.format(name="G", depth=2))
    for name in ("M", "N"):
        net = program[name].torch()
        assert sum(weight.numel() for weight in net.parameters()) == 2
