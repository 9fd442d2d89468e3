"""GPT-2 (124M) in float32: transformers' module with its fused attention against ours, with equal weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
import transformers
from torch import Tensor, nn

import ogive
from bench.pairs import Result, Run, best

EXAMPLES = Path(__file__).parents[1] / "examples"


def results() -> Iterator[Result]:
    torch.manual_seed(0)
    # its default spells the same GELU out in many operations: the fused one is the fair peer
    fast = {"activation_function": "gelu_pytorch_tanh", "use_cache": False}
    config = transformers.GPT2Config(attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0, **fast)
    peer = transformers.GPT2LMHeadModel(config).eval()
    model = ogive.load(EXAMPLES / "gpt2.arch").models["GPT2"]
    ours = model.torch()
    ours.load_state_dict(model.load_weights(peer.state_dict(), EXAMPLES / "gpt2.map.toml"))
    ours.eval()
    for shape in ((1, 128), (1, 512)):
        ids = torch.randint(50257, shape)
        torch.testing.assert_close(ours(ids), peer(ids).logits, rtol=1e-3, atol=1e-3)
        size = f"{shape[0]}x{shape[1]}"
        yield best(f"gpt2 forward {size}", forward(ours, ids), forward(peer, ids), pairs=3)
        yield best(f"gpt2 forward+backward {size}", step(ours, ids), step(peer, ids), pairs=3)


def forward(module: nn.Module, ids: Tensor) -> Run:
    def run() -> None:
        with torch.no_grad():
            logits(module, ids)

    return run


def step(module: nn.Module, ids: Tensor) -> Run:
    def run() -> None:
        module.zero_grad()
        logits(module, ids).mean().backward()  # type: ignore[no-untyped-call]

    return run


def logits(module: nn.Module, ids: Tensor) -> Tensor:
    found = module(ids)
    return found if isinstance(found, Tensor) else found.logits
