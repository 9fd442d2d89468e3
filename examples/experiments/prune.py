"""Half of the multiply-adds of two trained networks pruned, and trained on: digits, 3 seeds."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import mean, stdev

import torch
from digits import Split, accuracy, split, train
from torch import nn

import ogive

EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 10
FOLDER, SEEDS = Path(__file__).parents[1], range(3)
MODELS = {"CNN": "poset_cnn", "ViT": "ewa_vit"}
SCORES = ("magnitude", "taylor", "hesso", "fisher")


def trained(net: nn.Module, data: Split, seed: int, epochs: int) -> float:
    """Its accuracy after so many epochs more."""
    train(net, data, seed, epochs, 2e-3)
    return accuracy(net, data)


def pruned(model: ogive.Model, net: nn.Module, data: Split, by: str, chosen: nn.Module) -> nn.Module:
    """The network with half of the multiply-adds; channels are chosen by the weights of `chosen`."""
    seen = {"x": data[0][:256], "target": data[1][:256]}
    call = f"prune[by={by}, multiply_adds=0.5]"
    made = model.deploy(call, weights=chosen, data=seen, loss="cross_entropy")
    found = made.torch()
    found.load_state_dict(made.convert(net.eval()))
    return found


def measured(model: ogive.Model, seed: int) -> dict[str, tuple[float, float]]:
    """For each way of choosing the accuracy before and after it was trained on."""
    data = split(seed)
    torch.manual_seed(seed)
    net = model.torch()
    start = trained(net, data, seed, EPOCHS)
    found = {}
    for by in (*SCORES, "random"):
        score, chosen = ("magnitude", model.torch().eval()) if by == "random" else (by, net.eval())
        small = pruned(model, net, data, score, chosen)
        found[by] = accuracy(small, data), trained(small, data, seed + 100, EPOCHS)
    scratch = model.deploy("prune[multiply_adds=0.5]", weights=net.eval()).torch()
    found["small, from scratch"] = accuracy(scratch, data), trained(scratch, data, seed, 2 * EPOCHS)
    found["whole"] = start, trained(net, data, seed + 100, EPOCHS)
    return found


def main() -> None:
    """Print the table."""
    print("| network | channels by | before | after | deviation |\n| --- | --- | --- | --- | --- |")
    for name, file in MODELS.items():
        model = ogive.load(FOLDER / f"{file}.arch").models["Digits"]
        runs = [measured(model, seed) for seed in SEEDS]
        for by in runs[0]:
            before, after = zip(*(run[by] for run in runs), strict=True)
            print(f"| {name} | {by} | {mean(before):.2f} | {mean(after):.2f} | {stdev(after):.2f} |", flush=True)


if __name__ == "__main__":
    main()
