"""ViT-B/16 and ResNet-50 in float32: transformers' modules and hand-written ones against ours, with equal weights."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
import transformers
from torch import Tensor, nn

import ogive
from bench.calls import called
from bench.handwritten import ResNet50, ViTB16
from bench.pairs import Count, Result, Run, best

EXAMPLES = Path(__file__).parents[1] / "examples"


def results() -> Iterator[Result | Count]:
    torch.manual_seed(0)
    vit = transformers.ViTForImageClassification(transformers.ViTConfig(num_labels=1000)).eval()
    resnet = transformers.ResNetForImageClassification(transformers.ResNetConfig(num_labels=1000)).eval()
    image = torch.randn(1, 3, 224, 224)
    for file, name, peer, map_, written in (
        ("vit", "ViTB16", vit, "vit.state_dict", ViTB16()),
        ("resnet", "ResNet50", resnet, "resnet", ResNet50()),
    ):
        model = ogive.load(EXAMPLES / f"{file}.arch").models[name]
        ours = model.torch()
        ours.load_state_dict(model.load_weights(peer.state_dict(), EXAMPLES / f"{map_}.map.toml"))
        ours.eval()
        written.eval()
        torch.testing.assert_close(ours(image), peer(image).logits, rtol=1e-3, atol=1e-3)
        for peer_name, other in (("transformers", peer), ("hand-written", written)):
            yield best(f"{name} forward, {peer_name}", forward(ours, image), forward(other, image), pairs=3)
            yield best(f"{name} with backward, {peer_name}", step(ours, image), step(other, image), pairs=3)
            a, b = (len(called(partial(module, image))) for module in (ours, other))
            yield Count(f"{name} aten operations, {peer_name}", a, b)


def forward(module: nn.Module, image: Tensor) -> Run:
    def run() -> None:
        with torch.no_grad():
            module(image)

    return run


def step(module: nn.Module, image: Tensor) -> Run:
    def run() -> None:
        module.zero_grad()
        found = module(image)
        (found if isinstance(found, Tensor) else found.logits).mean().backward()

    return run
