"""A small vision transformer with and without averaged experts: digits, 5 seeds."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from digits import SEEDS, accuracy, row, split, train

import ogive

EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 30
PLAIN = ogive.load(Path(__file__).parents[1] / "ewa_vit.arch").models["Digits"]


def plain(seed: int) -> float:
    """Accuracy of the plain model."""
    torch.manual_seed(seed)
    data, net = split(seed), PLAIN.torch()
    train(net, data, seed, EPOCHS, 2e-3)
    return accuracy(net, data)


def averaged(seed: int, experts: int, share: float, warmup: int) -> float:
    """Accuracy of the plain model whose weights are the means of experts."""
    torch.manual_seed(seed)
    model = PLAIN.deploy(f"expert_average[at=MLP, experts={experts}, share={share}, warmup={warmup}]")
    data, net = split(seed), model.fresh()
    train(net, data, seed, EPOCHS, 2e-3, net.after_step)
    merged = model.deploy("merge_experts")
    used = merged.torch()
    used.load_state_dict(merged.convert(net))
    return accuracy(used, data)


def main() -> None:
    """Print the table."""
    print("| training | mean | deviation |\n| --- | --- | --- |")
    print(row("plain", [plain(seed) for seed in SEEDS]), flush=True)
    for share in (0.0, 0.1, 0.3):
        found = [averaged(seed, 4, share, 200) for seed in SEEDS]
        print(row(f"4 experts, share {share}", found), flush=True)


if __name__ == "__main__":
    main()
