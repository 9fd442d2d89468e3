"""A small vision transformer with and without averaged experts, trained and deployed: digits, 5 seeds."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from digits import SEEDS, compared, row, split, train

import ogive

EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 30
PLAIN = ogive.load(Path(__file__).parents[1] / "ewa_vit.arch").models["Digits"]


def plain(seed: int) -> tuple[float, float, float]:
    """Accuracies of the plain model as trained and folded, and the largest change of a logit by folding."""
    torch.manual_seed(seed)
    data, net = split(seed), PLAIN.torch()
    train(net, data, seed, EPOCHS, 2e-3)
    return compared(net, PLAIN, "fold", data)


def averaged(seed: int, experts: int, share: float, warmup: int) -> tuple[float, float, float]:
    """The same for a model that trains experts: in use it has their means, and is deployed as the plain one, folded."""
    torch.manual_seed(seed)
    model = PLAIN.deploy(f"expert_average[at=MLP, experts={experts}, share={share}, warmup={warmup}]")
    data, net = split(seed), model.fresh()
    train(net, data, seed, EPOCHS, 2e-3, net.after_step)
    return compared(net, model, "merge_experts, fold", data)


def main() -> None:
    """Print the table."""
    print("| training | mean | deviation | folded, mean | deviation |\n| --- | --- | --- | --- | --- |")
    gaps: list[float] = []

    def shown(name: str, found: list[tuple[float, float, float]]) -> None:
        trained, folded, changes = zip(*found, strict=True)
        gaps.extend(changes)
        print(row(name, trained, folded), flush=True)

    shown("plain", [plain(seed) for seed in SEEDS])
    for share in (0.0, 0.1, 0.3):
        shown(f"4 experts, share {share}", [averaged(seed, 4, share, 200) for seed in SEEDS])
    print(f"\nlargest change of a logit by folding, float32: {max(gaps):.1e}")


if __name__ == "__main__":
    main()
