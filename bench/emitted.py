"""Lines of emitted modules beside those of a person: a plain reading where `bench/` has one, else the peer's own.

Lines are counted in the layout of `ruff format`, all 88 wide, without empty lines, comments and docstrings. What a
reading has not is not counted in ours: checks of inputs, helpers that every file holds, how weights start. Of a peer in
`transformers` the classes and functions of its file count that the class of the model uses, less how weights start.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import ogive
from bench.pairs import Count

ROOT = Path(__file__).parents[1]
LEFT_OUT = frozenset(("reset_parameters", "init_weights", "_init_weights", "initialize_weights"))
MOST = 1.5
READINGS = {
    "vit:ViTB16": ("handwritten", "ViTB16"),
    "resnet:ResNet50": ("handwritten", "ResNet50"),
    "inception_v3:V3": ("handwritten_more", "InceptionV3"),
    "fpn:ResNet50FPN": ("handwritten_more", "FPN"),
    "dit:XL2": ("handwritten_more", "DiT"),
    "densenet:DenseNet121": ("handwritten_vision", "DenseNet"),
    "efficientnet:B0": ("handwritten_vision", "efficientnet_b0"),
    "maxvit:MaxViT_T": ("handwritten_vision", "MaxViT"),
    "yolo:YOLOv3": ("handwritten_vision", "YOLO"),
}
PEERS = {
    "qwen3:Qwen3_8B": ("qwen3", "Qwen3ForCausalLM"),
    "gemma2:Gemma2_2B": ("gemma2", "Gemma2ForCausalLM"),
    "deepseek_v3:V3": ("deepseek_v3", "DeepseekV3ForCausalLM"),
    "mixtral:Mixtral_8x7B": ("mixtral", "MixtralForCausalLM"),
    "mamba2:Codestral7B": ("mamba2", "Mamba2ForCausalLM"),
    "rwkv:RWKV169M": ("rwkv", "RwkvForCausalLM"),
    "whisper:WhisperSmall": ("whisper", "WhisperForConditionalGeneration"),
    "wav2vec2:Base": ("wav2vec2", "Wav2Vec2ForCTC"),
    "bart:BARTBase": ("bart", "BartForConditionalGeneration"),
    "clip:ViTB32": ("clip", "CLIPModel"),
    "sam_encoder:ViTB": ("sam", "SamVisionModel"),
    "detr:ResNet50": ("detr", "DetrForObjectDetection"),
    "regnet:Y400MF": ("regnet", "RegNetForImageClassification"),
}


def results() -> Iterator[Count]:
    for example, (file, root) in READINGS.items():
        text = (ROOT / "bench" / f"{file}.py").read_text()
        yield Count(f"lines of {example}, by hand", ours(example), lines(text, [root]))
    for example, (family, root) in PEERS.items():
        module = importlib.import_module(f"transformers.models.{family}.modeling_{family}")
        yield Count(f"lines of {example}, transformers", ours(example), lines(inspect.getsource(module), [root]))


def ours(example: str) -> int:
    """The lines of the emitted module of a model, `file:Model`, and of the function that makes it."""
    file, _, name = example.partition(":")
    text = ogive.load(ROOT / "examples" / f"{file}.arch").models[name].torch_source(checks=False)
    return lines(text, [name], without=helpers())


def helpers() -> frozenset[str]:
    """What stands in files for all models alike."""
    from ogive.backends.pytorch.module.file import PLACES
    from ogive.backends.pytorch.module.replay import REPLAY
    from ogive.backends.pytorch.ops.helpers import HELPERS

    return frozenset((*PLACES, *REPLAY, *HELPERS, "reset"))


def lines(text: str, roots: Iterable[str], without: frozenset[str] = frozenset()) -> int:
    """Lines of code of the classes and functions of a file that some of them use."""
    laid = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "format",
            "--isolated",
            "--config",
            "format.skip-magic-trailing-comma=true",
            "-",
        ],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    made = {each.name: each for each in ast.parse(laid).body if isinstance(each, ast.ClassDef | ast.FunctionDef)}
    found: dict[str, None] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in made and name not in found and name not in without:
            found[name] = None
            waiting += [each.id for each in ast.walk(made[name]) if isinstance(each, ast.Name)]
    code = laid.splitlines()
    return sum(_length(made[name], code) for name in found)


def _length(node: ast.ClassDef | ast.FunctionDef, code: list[str]) -> int:
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    kept = set(range(first, (node.end_lineno or first) + 1))
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef) and each.name in LEFT_OUT:
            kept -= set(range(each.lineno, (each.end_lineno or 0) + 1))
        if isinstance(each, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(each, clean=False) is not None:
            kept -= set(range(each.body[0].lineno, (each.body[0].end_lineno or 0) + 1))
    texts = (code[number - 1].strip() for number in sorted(kept))
    return sum(bool(each) and not each.startswith(("#", "@once")) for each in texts)
