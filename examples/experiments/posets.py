"""Max, average and the 16 poset pools of four elements in one small network, trained and deployed: digits, 5 seeds."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from digits import SEEDS, accuracy, row, split, train

import ogive

EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 15
PLAIN = ogive.load(Path(__file__).parents[1] / "poset_cnn.arch").models["Digits"]


def measure(model: ogive.Model) -> tuple[list[float], list[float], float]:
    """Accuracies by seed, as trained and folded, and the largest change of a logit by folding."""
    trained, deployed, gap = [], [], 0.0
    for seed in SEEDS:
        torch.manual_seed(seed)
        data, net = split(seed), model.torch()
        train(net, data, seed, EPOCHS, 3e-3)
        trained.append(accuracy(net, data))
        folded = model.deploy("fold")
        used = folded.torch()
        used.load_state_dict(folded.convert(net))
        deployed.append(accuracy(used, data))
        with torch.no_grad():
            gap = max(gap, float((used.eval()(data[2]) - net.eval()(data[2])).abs().max()))
    return trained, deployed, gap


def main() -> None:
    """Print the table."""
    print("| pool | mean | deviation | folded, mean | deviation |\n| --- | --- | --- | --- | --- |")
    text = (Path(__file__).parents[1] / "poset_cnn.arch").read_text()
    average = ogive.source(text.replace("max_pool[2]", "avg_pool[2]")).models["Digits"]
    gaps = []
    models = {"max": PLAIN, "average": average}
    models |= {f"poset #{i}": PLAIN.deploy(f'poset_pool[order="#{i}"]') for i in range(16)}
    for name, model in models.items():
        trained, folded, gap = measure(model)
        gaps.append(gap)
        print(row(name, trained, folded), flush=True)
    print(f"\nlargest change of a logit by folding, float32: {max(gaps):.1e}")


if __name__ == "__main__":
    main()
