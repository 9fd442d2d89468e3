"""Quantize an emitted module by torchao: whole numbers of 8 bits, each row of a weight with a scale of its own.

python quantized.py OUT.pt
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import nn
from torchao.quantization import Int8WeightOnlyConfig, quantize_

import ogive

ARCH = Path(__file__).parents[1] / "llama.arch"


def main(argv: list[str] | None = None) -> nn.Module:
    """Quantize, compare with what was there before, save and load; what was loaded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="Tiny", help="a model of llama.arch")
    args = parser.parse_args(argv)
    torch.manual_seed(0)
    model = ogive.load(ARCH).models[args.model]
    net = model.torch().eval()
    ids = torch.randint(net.embed_tokens.num_embeddings, (2, 16))
    with torch.no_grad():
        wanted = net(ids)
        quantize_(net, Int8WeightOnlyConfig())
        found = net(ids)
    maps = [name for name, module in net.named_modules() if isinstance(module, nn.Linear)]
    print(f"{len(maps)} maps quantized, {(found - wanted).norm() / wanted.norm():.1%} apart")

    torch.save(net.state_dict(), args.out)
    loaded = model.torch("meta").eval()
    loaded.load_state_dict(torch.load(args.out), assign=True)
    with torch.no_grad():
        print(f"loaded, it computes the same: {torch.equal(loaded(ids), found)}")
    return loaded


if __name__ == "__main__":
    main()
