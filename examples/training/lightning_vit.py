"""Train a ViT by Lightning, on one device or several.

torchrun --nproc-per-node 2 lightning_vit.py OUT --strategy fsdp2

`ddp` holds the whole model on each device, `fsdp2` a share of it (`fully_shard`, which Lightning calls
`ModelParallelStrategy`). With both, one is trained after the other, from the same weights and on the same images.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import lightning
import torch
import torch.nn.functional as F
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy
from torch import Tensor, distributed, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import fully_shard
from torch.utils.data import DataLoader, TensorDataset

import ogive

ARCH = Path(__file__).parents[1] / "vit.arch"


class Classifier(lightning.LightningModule):
    """What is trained: the module as it was emitted, and what Lightning asks of it."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """The loss of a batch."""
        images, classes = batch
        loss = F.cross_entropy(self.net(images), classes)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimizer."""
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


class Shared(Classifier):
    """The same, where each device has a share of every block, and of what is outside; no device ever holds it whole."""

    def configure_model(self) -> None:
        """Called by Lightning, which has made the mesh."""
        mesh = self.device_mesh["data_parallel"]
        for block in self.net.blocks:
            fully_shard(block, mesh=mesh)
        fully_shard(self.net, mesh=mesh)
        self.net.to_empty(device=self.device)
        self.net.init_weights()


def squares(count: int) -> TensorDataset:
    """Images [count, 3, 16, 16] and their classes: which of nine squares is bright."""
    generator = torch.Generator().manual_seed(0)
    classes = torch.randint(9, (count,), generator=generator)
    images = torch.randn(count, 3, 16, 16, generator=generator)
    for image, at in zip(images, classes.tolist(), strict=True):
        image[:, at // 3 * 5 : at // 3 * 5 + 5, at % 3 * 5 : at % 3 * 5 + 5] += 2
    return TensorDataset(images, classes)


def train(name: str, args: argparse.Namespace) -> dict[str, Tensor]:
    """The weights after training, whole, on the first device; nothing on the others."""
    lightning.seed_everything(0, verbose=False)
    model = ogive.load(ARCH).models["Tiny"]
    classifier, strategy = Classifier(model.torch()), DDPStrategy()
    if name == "fsdp2":
        classifier = Shared(model.torch("meta"))
        strategy = ModelParallelStrategy(data_parallel_size=args.devices, tensor_parallel_size=1)
    trainer = lightning.Trainer(
        accelerator=args.accelerator, devices=args.devices, strategy=strategy, max_steps=args.steps,
        default_root_dir=args.out / name, logger=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(classifier, DataLoader(squares(256), batch_size=8))  # Lightning gives each device its part
    whole = get_model_state_dict(classifier.net, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    if trainer.is_global_zero:
        print(f"{name}: loss {trainer.callback_metrics['loss']:.4f} after {trainer.global_step} steps")
        model.save_weights(args.out / name / "vit.safetensors", whole)
    return whole


def main(argv: list[str] | None = None) -> None:
    """Train with each strategy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--strategy", choices=("ddp", "fsdp2"), nargs="+", default=["ddp"])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--devices", type=int, default=2)
    parser.add_argument("--accelerator", default="auto")
    args = parser.parse_args(argv)
    first, *others = [train(name, args) for name in args.strategy]
    for other in others:
        if other:
            torch.testing.assert_close(other, first)
            print("the weights are the same")
    if distributed.is_initialized():  # Lightning leaves this to the script
        distributed.barrier()
        distributed.destroy_process_group()
        time.sleep(0.1)  # a thread of gloo (torch 2.13) that still lets go of a tensor while Python ends aborts it


if __name__ == "__main__":
    main()
