"""Max, average and the 16 poset pools of four elements in one small network, trained and deployed: digits, 5 seeds."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from digits import SEEDS, compared, row, split, train

import ogive

EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 15
PLAIN = ogive.load(Path(__file__).parents[1] / "poset_cnn.arch").models["Digits"]


def measure(model: ogive.Model) -> list[tuple[float, float, float]]:
    """By seed: accuracies as trained and folded, and the largest change of a logit by folding."""
    found = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        data, net = split(seed), model.torch()
        train(net, data, seed, EPOCHS, 3e-3)
        found.append(compared(net, model, "fold", data))
    return found


def main() -> None:
    """Print the table."""
    print("| pool | mean | deviation | folded, mean | deviation |\n| --- | --- | --- | --- | --- |")
    text = (Path(__file__).parents[1] / "poset_cnn.arch").read_text()
    average = ogive.source(text.replace("max_pool[2]", "avg_pool[2]")).models["Digits"]
    gaps = []
    models = {"max": PLAIN, "average": average}
    models |= {f"poset #{i}": PLAIN.deploy(f'poset_pool[order="#{i}"]') for i in range(16)}
    for name, model in models.items():
        trained, folded, changes = zip(*measure(model), strict=True)
        gaps.append(max(changes))
        print(row(name, trained, folded), flush=True)
    print(f"\nlargest change of a logit by folding, float32: {max(gaps):.1e}")


if __name__ == "__main__":
    main()
