"""Train GPT-2 by accelerate: gradients of several batches added up, a state saved, training resumed.

python accelerated.py OUT --steps 20, or accelerate launch accelerated.py OUT
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch.utils.data import DataLoader

import ogive

ARCH = Path(__file__).parents[1] / "gpt2.arch"


def main(argv: list[str] | None = None) -> dict[str, torch.Tensor]:
    """Train, from the last state on if OUT holds one; the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="Tiny", help="a model of gpt2.arch")
    parser.add_argument("--steps", type=int, default=8)
    args = parser.parse_args(argv)
    torch.manual_seed(0)
    accelerator = Accelerator(gradient_accumulation_steps=2)
    model = ogive.load(ARCH).models[args.model]
    net = model.torch()
    texts = (torch.arange(64)[:, None] + torch.arange(16)) % net.wte.num_embeddings
    net, optimizer, loader = accelerator.prepare(
        net, torch.optim.AdamW(net.parameters(), lr=1e-2), DataLoader(texts, batch_size=4, shuffle=False)
    )
    step = 0
    if (args.out / "state").exists():
        accelerator.load_state(args.out / "state")
        step = optimizer.optimizer.state_dict()["state"][0]["step"].int().item()
        print(f"goes on after step {step}")
    for ids in accelerator.skip_first_batches(loader, 2 * step):
        if step == args.steps:
            break
        with accelerator.accumulate(net):
            loss = F.cross_entropy(net(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
        if accelerator.sync_gradients:
            step += 1
            accelerator.print(f"step {step}: loss {loss.item():.3f}")
    accelerator.save_state(args.out / "state")
    weights = accelerator.get_state_dict(net)
    if accelerator.is_main_process:
        model.save_weights(args.out / "model.safetensors", weights)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return weights


if __name__ == "__main__":
    main()
