"""A frozen emitted module in the processes of a loader, and one in each process that `mp.spawn` starts.

python spawned.py --processes 2

Both get the module as a pickle, which carries the text of its class.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import ogive

ARCH = Path(__file__).parents[1] / "vit.arch"


class Encoded(Dataset[Tensor]):
    """Images as a frozen encoder sees them; it runs where the loader does."""

    def __init__(self, encoder: nn.Module, images: Tensor) -> None:
        self.encoder = encoder
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    @torch.no_grad()
    def __getitem__(self, at: int) -> Tensor:
        found: Tensor = self.encoder(self.images[at : at + 1])[0]
        return found


def work(rank: int, processes: int, net: nn.Module, images: Tensor, found: Tensor) -> None:
    """What each process does: its part of the images; `found` is shared."""
    with torch.no_grad():
        found[rank::processes] = net(images[rank::processes])


def main(argv: list[str] | None = None) -> None:
    """Compare both with what the module computes here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    processes = parser.parse_args(argv).processes
    torch.manual_seed(0)
    net = ogive.load(ARCH).models["Tiny"].torch().eval().requires_grad_(False)
    nn.init.normal_(net.head.weight)  # zeros otherwise
    images = torch.randn(8, 3, 16, 16)
    wanted = net(images)

    loader = DataLoader(Encoded(net, images), batch_size=4, num_workers=processes, multiprocessing_context="spawn")
    torch.testing.assert_close(torch.cat(list(loader)), wanted)
    print(f"a loader with {processes} workers: the same")

    found = torch.zeros_like(wanted).share_memory_()
    mp.spawn(work, (processes, net, images, found), nprocs=processes)
    torch.testing.assert_close(found, wanted)
    print(f"{processes} spawned: the same")


if __name__ == "__main__":
    main()
