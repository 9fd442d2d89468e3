"""Names and shapes of models of torchvision, which no test needs installed; `python tests/peers/names.py` writes them.

Made with torchvision 0.28.0 (`pip install --no-deps torchvision==0.28.0`). Each model is also run beside ours with the
same random weights, loaded by our map, and the weights go back into it with `strict=True`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

import torch
from torch import nn

import ogive

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
FILE = HERE / "torchvision.txt"
# theirs: the file of ours, without its ending, and the model in it
PEERS = {
    "densenet121": (EXAMPLES / "densenet", "DenseNet121"),
    "efficientnet_b0": (EXAMPLES / "efficientnet", "B0"),
    "mobilenet_v2": (EXAMPLES / "mobilenet_v2", "MobileNetV2_1"),
    "resnet18": (EXAMPLES / "resnet", "ResNet18"),
}
MAPPED = ("densenet121", "efficientnet_b0", "mobilenet_v2")
# those that are run beside ours alone
RUN: dict[str, tuple[Path, str, dict[str, Any]]] = {
    "inception_v3": (EXAMPLES / "inception_v3", "V3", {"aux_logits": False, "init_weights": False}),
    "maxvit_t": (EXAMPLES / "maxvit", "MaxViT_T", {}),
    "detection.backbone_utils.resnet_fpn_backbone": (
        EXAMPLES / "fpn", "ResNet50FPN",
        {"backbone_name": "resnet50", "weights": None, "norm_layer": torch.nn.BatchNorm2d, "trainable_layers": 5},
    ),
}  # fmt: skip


def stored() -> dict[str, dict[str, tuple[int, ...]]]:
    """For each peer its state dict: names and shapes, in order."""
    found: dict[str, dict[str, tuple[int, ...]]] = {}
    for line in FILE.read_text().splitlines():
        peer, name, *sizes = line.split()
        found.setdefault(peer, {})[name] = tuple(map(int, sizes))
    return found


def apart(file: Path, name: str, theirs: nn.Module, size: int) -> float:
    """How far the outputs of both are, of the largest one; the weights go there and back."""
    for key, state in theirs.named_buffers():
        if key.endswith("running_var"):
            state.uniform_(0.5, 1.5)
    model = ogive.load(file.with_suffix(".arch")).models[name]
    ours = model.torch().eval()
    ours.load_state_dict(model.load_weights(theirs, f"{file}.map.toml"))
    x = torch.randn(2, 3, size, size)
    with torch.no_grad():
        y, z = ours(x), theirs(x)
    pairs = zip(y, z.values(), strict=True) if isinstance(z, dict) else [(y, z)]
    worst = max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)
    theirs.load_state_dict({**theirs.state_dict(), **model.unload_weights(ours, f"{file}.map.toml")}, strict=True)
    return worst


def main() -> int:
    """Write the names, and compare the outputs."""
    # the build of torchvision for other devices than torch's own has no operations, which none of these models needs
    library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    models = import_module("torchvision").models
    lines, worst = [], 0.0
    for peer, (file, name) in PEERS.items():
        torch.manual_seed(0)
        theirs = getattr(models, peer)().eval()
        lines += [" ".join([peer, key, *map(str, t.shape)]) for key, t in theirs.state_dict().items()]
        if peer in MAPPED:
            worst = max(worst, apart(file, name, theirs, 64))
    FILE.write_text("\n".join(lines) + "\n")
    for peer, (file, name, settings) in RUN.items():
        torch.manual_seed(0)
        theirs = attrgetter(peer)(models)(**settings).eval()
        found = apart(file, name, theirs, 224)
        print(f"{file.name}: {found}")
        worst = max(worst, found)
    print(f"the largest difference is {worst} of the largest output")
    return int(worst > 1e-5)


if __name__ == "__main__":
    sys.exit(main())
