"""Figures as they are printed: `python bench/gallery.py [--png FOLDER] [NAME ...]` draws `docs/gallery/print` anew.

Thirty figures of the examples at the width of a column, of a page and of a slide, and a page that shows them with
what was measured: pairs of wires that cross, wires that bend, the smallest label in points, millimetres, kilobytes.
`--png` draws those that are named (or all) as pictures instead, to be looked at.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ogive.backends.diagram.diagram import Diagram, diagram
from ogive.backends.diagram.figure.geometry import Path as Line
from ogive.backends.diagram.figure.page import PIXELS, POINTS
from ogive.compiler.driver.workspace import Workspace

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "gallery" / "print"
AT = {"h": 224, "w": 224}

# figure: file, block or model, width, further options
FIGURES: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "attention": ("gpt2", "Attention", "85mm", {}),
    "gpt2": ("gpt2", "GPT2", "85mm", {}),
    "gpt2_open": ("gpt2", "GPT2", "170mm", {"depth": 1}),
    "gpt2_stack": ("gpt2", "GPT2", "85mm", {"view": "stack"}),
    "gpt2_cache": ("gpt2_cache", "GPT", "85mm", {}),
    "llama_stack": ("llama", "Llama3_8B", "85mm", {"view": "stack"}),
    "bert_stack": ("bert", "BERTBase", "170mm", {"view": "stack"}),
    "whisper_stack": ("whisper", "WhisperTiny", "170mm", {"view": "stack"}),
    "t5": ("t5_encoder", "T5Small", "170mm", {}),
    "vit": ("vit", "ViTB16", "170mm", {}),
    "swin": ("swin", "SwinT", "170mm", {}),
    "swin_overview": ("swin", "SwinT", "170mm", {"view": "overview", "at": AT}),
    "resnet50": ("resnet", "ResNet50", "170mm", {}),
    "resnet50_overview": ("resnet", "ResNet50", "170mm", {"view": "overview", "at": AT}),
    "resnet50_maps": ("resnet", "ResNet50", "170mm", {"view": "maps", "at": AT}),
    "unet": ("unet", "UNet572", "170mm", {"at": {"b": 1, "h": 572, "w": 572}}),
    "unet_u": ("unet", "UNet572", "170mm", {"shape": "u", "at": {"b": 1, "h": 572, "w": 572}}),
    "unet_maps": ("unet", "UNet572", "170mm", {"view": "maps", "at": {"h": 572, "w": 572}}),
    "diffusion": ("diffusion_unet", "CIFAR10", "170mm", {}),
    "diffusion_overview": ("diffusion_unet", "CIFAR10", "170mm", {"view": "overview", "at": {"h": 32, "w": 32}}),
    "inception_overview": ("inception_v3", "V3", "170mm", {"view": "overview"}),
    "detr_overview": ("detr", "Tiny", "170mm", {"view": "overview"}),
    "convnext": ("convnext", "ConvNeXtT", "170mm", {}),
    "mamba": ("mamba", "Mamba130M", "170mm", {"depth": 1}),
    "moe": ("moe", "Tiny", "85mm", {}),
    "deepseek": ("deepseek_v3", "Tiny", "slide", {}),
    "vae": ("vae", "MNIST", "85mm", {}),
    "lstm": ("lstm_tagger", "PartsOfSpeech", "85mm", {"depth": 1}),
    "gnn": ("gnn", "CoraAttention", "85mm", {}),
    "hypernetwork": ("hypernetwork", "Images", "170mm", {}),
}


def made(name: str) -> Diagram:
    """A figure."""
    stem, subject, width, options = FIGURES[name]
    path = ROOT / "examples" / f"{stem}.arch"
    program = Workspace().check(path.read_text(), path.name)
    found = program.models[subject].ir if subject in program.models else None
    blocks = (report.definition for report in program.blocks if report.name == subject)
    return diagram(found or next(block for block in blocks if block is not None), width=width, **options)


def command(name: str) -> str:
    """How the figure is asked for."""
    stem, subject, width, options = FIGURES[name]
    told = {
        key: ",".join(f"{k}={v}" for k, v in value.items()) if key == "at" else value for key, value in options.items()
    }
    more = "".join(f" --{key} {value}" for key, value in told.items())
    return f"ogive draw examples/{stem}.arch:{subject} --width {width}{more}"


def row(name: str, each: Diagram, size: float) -> str:
    """A row of the table, with the size of the largest of its sheets."""
    drawing = each.drawing
    sheets = [made.drawing for made in each.sheets]
    wires = [item for item in drawing.items if isinstance(item, Line) and item.style == "wire"]
    bends = sum(any(key == "C" for key, _ in wire.commands) for wire in wires)
    crossings = str(drawing.crossings) if each.view == "circuit" else "–"
    points = drawing.smallest * POINTS
    sides = (max(sheet.width for sheet in sheets), max(sheet.height for sheet in sheets))
    wide, high = (round(side * drawing.scale / PIXELS) for side in sides)
    size_of = f"{wide} × {high}" + (f", {len(sheets)} sheets" if len(sheets) > 1 else "")
    width = FIGURES[name][2]
    return f"| [{name}](#{name}) | {width} | {size_of} | {points:.1f} | {crossings} | {bends} | {size:.0f} |"


def pictures(name: str) -> str:
    """The sheets of a figure, as they stand in the folder."""
    return "".join(f"![{path.stem}](print/{path.name})\n" for path in sorted(FOLDER.glob(f"{name}.svg")) + sorted(
        FOLDER.glob(f"{name}_[0-9].svg")
    ))  # fmt: skip


def page(rows: list[str]) -> str:
    """The page of the gallery."""
    head = (
        "# Figures in print\n\n"
        "Figures of the [examples](../../examples) at the width of a column (85 mm), of a page (170 mm) and of a\n"
        "slide, as `python bench/gallery.py` draws them. Each may be put into a paper without scaling. Measured are\n"
        "its size, its smallest label, the pairs of its wires that cross, the wires that bend, and its SVG.\n\n"
        "| figure | for | mm | smallest label, pt | crossings | bends | kB |\n"
        "| --- | --- | --: | --: | --: | --: | --: |\n"
    )
    shown = "".join(f"\n## {name}\n\n```sh\n{command(name)}\n```\n\n{pictures(name)}" for name in FIGURES)
    return head + "\n".join(rows) + "\n" + shown


def main(arguments: list[str]) -> None:
    """Draw and write all, or pictures of some."""
    if "--png" in arguments:
        at = arguments.index("--png")
        folder, names = Path(arguments[at + 1]), arguments[:at] + arguments[at + 2 :]
        for name in names or FIGURES:
            (folder / f"{name}.png").write_bytes(made(name).bytes("png"))
        return
    FOLDER.mkdir(exist_ok=True)
    rows = []
    for name in FIGURES:
        each = made(name)
        texts = [sheet.text("svg") for sheet in each.sheets]
        for old in [FOLDER / f"{name}.svg", *FOLDER.glob(f"{name}_[0-9].svg")]:
            old.unlink(missing_ok=True)
        for k, text in enumerate(texts):
            (FOLDER / f"{name}{f'_{k + 1}' if k else ''}.svg").write_text(text)
        rows.append(row(name, each, sum(len(text.encode()) for text in texts) / 1024))
    (FOLDER.parent / "print.md").write_text(page(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
