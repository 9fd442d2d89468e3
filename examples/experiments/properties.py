"""How many of 50 properties of small nets branch and bound decides in 10 seconds each; half of them hold.

    python properties.py

A net has two layers of tanh, sin or GELU, half of them a product, no more than 50 neurons, and 2 or 3 inputs between
-1 and 1. A property says that an output stays above a number: one that is a tenth of its spread below what 100,000
points and descents from the lowest reach, or 2 % above that, which then does not hold.
"""

from __future__ import annotations

import time
from collections import Counter
from itertools import islice, product

import torch
from torch import nn

import ogive

NET = """
use std.nn (Linear)
block Net(x: [b, {inputs}]) -> [b, 2]:
    h = x |> Linear[{inputs}, {width}] as a |> {act}
    g = h |> Linear[{width}, {width}] as b |> {act}
    k = x |> Linear[{inputs}, {width}] as c
    return {body} |> Linear[{width}, 2] as d
model M = Net
"""
BODIES = {"chain": ("g", 24), "product": ("g * k", 16)}
SECONDS = 10


def lowest(net: nn.Module, inputs: int) -> tuple[float, float]:
    """The lowest value of the first output that is found, and its spread."""
    points = 2 * torch.rand(100_000, inputs, dtype=torch.float64) - 1
    values = net(points)[:, 0].detach()
    best = points[values.argsort()[:100]].requires_grad_()
    for step in range(200):
        (slope,) = torch.autograd.grad(net(best)[:, 0].sum(), best)
        best = (best - 0.05 * 0.98**step * slope.sign()).clamp(-1, 1).detach().requires_grad_()
    return min(float(values.min()), float(net(best.detach())[:, 0].detach().min())), float(values.max() - values.min())


def main() -> None:
    """Print a line for each kind of net, and the whole."""
    counts: Counter[tuple[str, str, bool, str]] = Counter()
    slowest: Counter[tuple[str, str]] = Counter()
    torch.set_num_threads(1)
    nets = product(range(5), ("tanh", "sin", "gelu"), BODIES)
    for seed, act, body in islice(nets, 25):
        torch.manual_seed(seed)
        inputs, (text, width) = 2 + seed % 2, BODIES[body]
        model = ogive.source(NET.format(inputs=inputs, width=width, act=act, body=f"({text})"))["M"]
        net = model.torch().double()
        for weight in net.parameters():
            weight.data.mul_(1.5)
        least, spread = lowest(net, inputs)
        for holds in (True, False):
            number = least - 0.1 * spread if holds else least + 0.02 * spread
            start = time.perf_counter()
            options = f'low=-1, high=1, method=bab, seconds={SECONDS}, property="y[0, 0] > {number!r}"'
            found = model.analyze(f"bounds[{options}]", sizes={"b": 1}, weights=net)
            counts[act, body, holds, str(found.totals["verdict"])] += 1
            slowest[act, body] = max(slowest[act, body], round(time.perf_counter() - start))
    print("net            holds  verified  falsified  unknown   slowest")
    for act, body in dict.fromkeys((act, body) for act, body, *_ in counts):
        for holds in (True, False):
            row = [counts[act, body, holds, verdict] for verdict in ("verified", "falsified", "unknown")]
            print(f"{act + ' ' + body:<14} {holds!s:<6} {row[0]:>8} {row[1]:>10} {row[2]:>8} {slowest[act, body]:>8}s")
    right = sum(counts[act, body, True, "verified"] + counts[act, body, False, "falsified"] for act, body in slowest)
    wrong = sum(counts[act, body, True, "falsified"] + counts[act, body, False, "verified"] for act, body in slowest)
    print(f"decided {right} of {sum(counts.values())}, wrongly {wrong}")


if __name__ == "__main__":
    main()
