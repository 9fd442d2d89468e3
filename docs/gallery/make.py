"""Draws the gallery: `PYTHONPATH=src python docs/gallery/make.py`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import ogive
from ogive.diagrams import Diagram, Difference, beside, hasse, svg
from ogive.posets import product

View = Literal["circuit", "overview", "stack", "maps"]
SizeStyle = Literal["symbolic", "numeric", "both"]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

# picture: file, block or model, levels to open
PICTURES = {
    "attention": ("examples/gpt2.arch", "Attention", 0),
    "gpt2": ("examples/gpt2.arch", "GPT2", 0),
    "gpt2_open": ("examples/gpt2.arch", "GPT2", 1),
    "residual": ("docs/gallery/residual.arch", "Residual", 0),
    "unet_level": ("docs/gallery/unet_level.arch", "Level", 0),
    "moe": ("docs/gallery/moe.arch", "MoE", 0),
    "gru": ("docs/gallery/gru.arch", "GRU", 0),
    "lstm": ("examples/lstm_tagger.arch", "PartsOfSpeech", 1),
    "spectral": ("docs/gallery/spectral.arch", "SpectralConv", 0),
    "unet": ("examples/unet.arch", "UNet572", 0),
    "resnet50": ("examples/resnet.arch", "ResNet50", 0),
    "vit": ("examples/vit.arch", "ViTB16", 0),
    "swin": ("examples/swin.arch", "SwinT", 0),
    "mamba": ("examples/mamba.arch", "Mamba130M", 1),
    "hypernetwork": ("examples/hypernetwork.arch", "Images", 0),
    "convex": ("examples/input_convex.arch", "LearnedProximal", 1),
    "vae": ("examples/vae.arch", "MNIST", 0),
}


# other views: file, model, view, style of sizes, open sizes
VIEWS: dict[str, tuple[str, str, View, SizeStyle | None, dict[str, int]]] = {
    "gpt2_stack": ("examples/gpt2.arch", "GPT2", "stack", None, {}),
    "whisper_stack": ("examples/whisper.arch", "WhisperTiny", "stack", None, {}),
    "resnet50_maps": ("examples/resnet.arch", "ResNet50", "maps", None, {"h": 224, "w": 224}),
    "resnet50_overview": ("examples/resnet.arch", "ResNet50", "overview", "numeric", {"h": 224, "w": 224}),
    "diffusion_overview": ("examples/diffusion_unet.arch", "CIFAR10", "overview", "numeric", {"h": 32, "w": 32}),
}


def picture(file: str, name: str, depth: int) -> Diagram:
    """One picture."""
    return ogive.load(file)[name].diagram(depth=depth)


def repvgg_block() -> ogive.Model:
    """A block of RepVGG with numbers."""
    text = "ogive 1\nuse std.reparam (RepConv)\nmodel Block = RepConv[cin=64, c=64]\n"
    block = ogive.source(text, "examples/block.arch")["Block"]
    assert isinstance(block, ogive.Model)
    return block


def repvgg() -> Diagram:
    """The block that is trained, and what is left of it where it is deployed."""
    block = repvgg_block()
    return beside(train=block.diagram(), deployed=block.deploy("fold").diagram())


def conversion() -> Diagram:
    """How the weights of that block become those of the folded one."""
    return repvgg_block().deploy("fold").conversion_diagram()


def difference() -> Diagram:
    """GPT-2's feed-forward block with another activation."""
    text = Path("examples/gpt2.arch").read_text()
    old, new = (ogive.source(t)["MLP"].diagram() for t in (text, text.replace("gelu_tanh", "silu |> dropout[0.1]")))
    return Difference(old.subject, new.subject).diagram(old)


def deeper() -> Diagram:
    """What ResNet-101 has more than ResNet-50."""
    resnet = ogive.load("examples/resnet.arch")
    old, new = (resnet[name].diagram(view="overview") for name in ("ResNet50", "ResNet101"))
    return Difference(old.subject, new.subject).diagram(old)


def main() -> None:
    """Write all pictures."""
    os.chdir(ROOT)
    for name, (file, block, depth) in PICTURES.items():
        picture(file, block, depth).save(HERE / f"{name}.svg", force=True)
    for name, (file, block, view, sizes, at) in VIEWS.items():
        ogive.load(file)[block].diagram(view=view, sizes=sizes, at=at).save(HERE / f"{name}.svg", force=True)
    repvgg().save(HERE / "repvgg.svg", force=True)
    conversion().save(HERE / "conversion.svg", force=True)
    difference().save(HERE / "diff.svg", force=True)
    deeper().save(HERE / "deeper.svg", force=True)
    (HERE / "poset.svg").write_text(svg(hasse(product(2), "the order of a 2 x 2 window")))


if __name__ == "__main__":
    main()
