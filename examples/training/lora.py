"""Fine-tune GPT-2 from a checkpoint of transformers with LoRA, resume, merge, and give it back to transformers.

python lora.py CHECKPOINT OUT --steps 20

CHECKPOINT is what `save_pretrained` wrote, in one file or in shards. After every step OUT/adapter holds the adapter and
OUT/state.pt the rest, so the same command with more steps goes on where it stopped, to the same bits.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor
from transformers import GPT2LMHeadModel

import ogive

ARCH = Path(__file__).parents[1] / "gpt2.arch"
MAP = Path(__file__).parents[1] / "gpt2.map.toml"


def batch(vocab: int, generator: torch.Generator) -> Tensor:
    """Tokens to learn, [4, 16]: each is the one before it plus one. A loader of yours stands here."""
    first = torch.randint(vocab, (4, 1), generator=generator)
    return (first + torch.arange(16)) % vocab


def main(argv: list[str] | None = None) -> PeftModel:
    """Train, and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="GPT2", help="a model of gpt2.arch")
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args(argv)
    model = ogive.load(ARCH).models[args.model]
    net = model.torch()
    net.load_state_dict(model.load_weights(args.checkpoint, MAP))
    vocab = net.wte.num_embeddings

    torch.manual_seed(0)  # the adapter starts with random numbers
    step, state, adapter = 0, args.out / "state.pt", args.out / "adapter"
    generator = torch.Generator().manual_seed(0)
    if state.exists():
        tuned = PeftModel.from_pretrained(net, adapter, is_trainable=True)
    else:
        tuned = get_peft_model(net, LoraConfig(r=4, lora_alpha=8, target_modules=["c_attn", "c_fc", "c_proj"]))
    optimizer = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], lr=1e-2)
    if state.exists():
        kept = torch.load(state)
        step = kept["step"]
        optimizer.load_state_dict(kept["optimizer"])
        generator.set_state(kept["generator"])
        print(f"goes on after step {step}")

    while step < args.steps:
        ids = batch(vocab, generator)
        loss = F.cross_entropy(tuned(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        print(f"step {step}: loss {loss.item():.3f}")
        tuned.save_pretrained(adapter)
        torch.save({"step": step, "optimizer": optimizer.state_dict(), "generator": generator.get_state()}, state)

    tuned.eval()
    ids = batch(vocab, generator)
    with torch.no_grad():
        before = tuned(ids)
    merged = tuned.merge_and_unload()
    (args.out / "merged").mkdir(exist_ok=True)
    model.save_weights(args.out / "merged", merged, MAP, max_shard_size="500MB")
    peer = GPT2LMHeadModel.from_pretrained(args.checkpoint).eval()
    peer.load_state_dict(model.unload_weights(merged, MAP), strict=True)
    with torch.no_grad():
        apart = (peer(ids).logits - before).abs().max() / before.abs().max()
    print(f"transformers' class computes the same: {bool(apart < 1e-5)}")
    return tuned


if __name__ == "__main__":
    main()
