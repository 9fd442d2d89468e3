"""Published sizes of the example architectures, to the last parameter."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import ogive
from ogive.api import Block, Model
from ogive.compiler.analysis.cost.report import multiply_adds
from ogive.compiler.sizes import size

EXAMPLES = Path(__file__).parents[2] / "examples"

COUNTS = [
    ("resnet", "ResNet18", 11_689_512),
    ("resnet", "ResNet34", 21_797_672),
    ("resnet", "ResNet50", 25_557_032),
    ("resnet", "ResNet101", 44_549_160),
    ("resnet", "ResNet152", 60_192_808),
    ("mobilenet_v2", "MobileNetV2_1", 3_504_872),
    ("vit", "ViTB16", 86_567_656),
    ("vit", "ViTB32", 88_224_232),
    ("vit", "ViTL16", 304_326_632),
    ("convnext", "ConvNeXtT", 28_589_128),
    ("convnext", "ConvNeXtS", 50_223_688),
    ("convnext", "ConvNeXtB", 88_591_464),
    ("swin", "SwinT", 28_288_354),
    ("swin", "SwinS", 49_606_258),
    ("swin", "SwinB", 87_768_224),
    ("mixer", "MixerS32", 19_104_624),
    ("mixer", "MixerS16", 18_528_264),
    ("mixer", "MixerB16", 59_880_472),
    ("mixer", "MixerL16", 208_196_168),
    ("bert", "BERTBase", 109_482_240),
    ("bert", "BERTLarge", 335_141_888),
    ("llama", "Llama2_7B", 6_738_415_616),
    ("llama", "Llama2_13B", 13_015_864_320),
    ("llama", "Llama2_70B", 68_976_648_192),
    ("llama", "Llama3_8B", 8_030_261_248),
    ("unet", "UNet572", 31_030_658),
    ("repvgg", "RepVGGA0", 9_108_968),
    ("repvgg", "RepVGGA2", 28_210_600),
    ("repvgg", "RepVGGB1", 57_415_016),
    ("mobileone", "MobileOneS0", 5_293_272),
    ("fastvit", "FastViTT8", 4_026_232),
    ("fastvit", "FastViTT12", 7_553_704),
    ("fastvit", "FastViTS12", 9_473_576),
    ("qwen3", "Qwen3_8B", 8_190_735_360),
    ("mixtral", "Mixtral_8x7B", 46_702_792_704),
    ("gemma2", "Gemma2_2B", 2_614_341_888),
    ("gemma2", "Gemma2_9B", 9_241_705_984),
    ("clip", "ViTB32", 151_277_313),
    ("bart", "BARTBase", 139_420_416),
    ("bart", "BARTLarge", 406_291_456),
    ("whisper", "WhisperTiny", 37_760_640 - 1500 * 384),  # theirs holds the places of the encoder as a parameter
    ("dit", "XL2", 675_129_632 - 256 * 1152),  # here too
    ("densenet", "DenseNet121", 7_978_856),
    ("efficientnet", "B0", 5_288_548),
    ("regnet", "Y400MF", 4_344_144),
    ("inception_v3", "V3", 27_161_264 - 3_326_696),  # without the auxiliary classifier
    ("maxvit", "MaxViT_T", 30_919_624),
    ("mamba2", "Codestral7B", 7_285_403_648),
    ("deepseek_v3", "V3", 671_026_404_352),  # as they count: 671B, of which the corrections are no parameters
    ("sam_encoder", "ViTB", 89_670_912),
    ("rwkv", "RWKV169M", 169_342_464),
    ("yolo", "YOLOv3", 61_949_149),
]
# after `fold`, with norms in the maps; the last two are the convolutions of VGG-16, 14,714,688, and a classifier
DEPLOYED = [
    ("resnet", "ResNet18", 11_684_712),
    ("resnet", "ResNet50", 25_530_472),
    ("mobilenet_v2", "MobileNetV2_1", 3_487_816),
    ("repvgg", "RepVGGA0", 8_309_384),
    ("repvgg", "RepVGGA2", 25_499_944),
    ("repvgg", "RepVGGB1", 51_829_480),
    ("mobileone", "MobileOneS0", 2_078_504),
    ("acnet", "ACVGG16", 14_714_688 + 513 * 10),
    ("diverse_branch", "DBBVGG16", 14_714_688 + 513 * 100),
]


@cache
def program(file: str) -> ogive.Program:
    return ogive.load(EXAMPLES / f"{file}.arch")


def model(file: str, name: str) -> Model:
    found = program(file)[name]
    assert isinstance(found, Model)
    return found


@pytest.mark.parametrize(("file", "name", "count"), COUNTS, ids=[name for _, name, _ in COUNTS])
def test_the_published_count(file: str, name: str, count: int) -> None:
    assert model(file, name).parameters == count


@pytest.mark.parametrize(("file", "name", "count"), DEPLOYED, ids=[name for _, name, _ in DEPLOYED])
def test_the_published_count_of_what_is_deployed(file: str, name: str, count: int) -> None:
    assert model(file, name).deploy("fold").parameters == count


@pytest.mark.parametrize(("d", "heads", "count"), [(384, 6, 22_050_664), (192, 3, 5_717_416)], ids=["S16", "Ti16"])
def test_the_published_count_of_smaller_vits(d: int, heads: int, count: int) -> None:
    block = program("vit")["ViT"]
    assert isinstance(block, Block)
    assert block(image=224, patch=16, d=d, heads=heads, depth=12).parameters == count


# in thousands of millions, at 224 x 224, as torchvision publishes them with its weights
MULTIPLY_ADDS = [
    ("resnet", "ResNet18", 1.814),
    ("resnet", "ResNet50", 4.089),
    ("resnet", "ResNet152", 11.514),
    ("mobilenet_v2", "MobileNetV2_1", 0.301),
    ("convnext", "ConvNeXtT", 4.456),
    ("swin", "SwinT", 4.491),
    ("vit", "ViTB16", 17.564),
]


@pytest.mark.parametrize(("file", "name", "count"), MULTIPLY_ADDS, ids=[name for _, name, _ in MULTIPLY_ADDS])
def test_the_published_multiply_adds(file: str, name: str, count: float) -> None:
    ir = model(file, name).ir
    sizes = {unknown: size(1 if unknown.name == "b" else 224) for unknown in ir.definition.sizes}
    assert round(multiply_adds(ir).subs(sizes).number / 1e9, 3) == count


def test_mobilenet_counts_its_buffers() -> None:
    slots = model("mobilenet_v2", "MobileNetV2_1").slots.values()
    assert sum(slot.count for slot in slots if slot.kind == "state") == 34_164


def repvgg(stem: int, depths: list[int], widths: list[int]) -> int:
    """Each block: 3 × 3 and 1 × 1 kernels with a norm each, and a norm alone where the identity fits."""
    total, cin = 3 * stem * 10 + 4 * stem, stem
    for depth, c in zip(depths, widths, strict=True):
        total += cin * c * 10 + 4 * c + (depth - 1) * (c * c * 10 + 6 * c)
        cin = c
    return total + (cin + 1) * 1000


@pytest.mark.parametrize(
    ("name", "stem", "depths", "widths"),
    [
        ("RepVGGA0", 48, [2, 4, 14, 1], [48, 96, 192, 1280]),
        ("RepVGGA2", 64, [2, 4, 14, 1], [96, 192, 384, 1408]),
        ("RepVGGB1", 64, [4, 6, 16, 1], [128, 256, 512, 2048]),
    ],
)
def test_repvgg_has_the_count_of_its_formula(name: str, stem: int, depths: list[int], widths: list[int]) -> None:
    assert model("repvgg", name).parameters == repvgg(stem, depths, widths)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("T5Small", {"d_model": 512, "d_kv": 64, "d_ff": 2048, "num_layers": 6, "num_heads": 8}),
        ("T5Base", {"d_model": 768, "d_kv": 64, "d_ff": 3072, "num_layers": 12, "num_heads": 12}),
        ("T5Large", {"d_model": 1024, "d_kv": 64, "d_ff": 4096, "num_layers": 24, "num_heads": 16}),
    ],
)
def test_t5_has_the_count_of_its_peer(name: str, sizes: dict[str, int], on_meta: Callable[[str, Any], Any]) -> None:
    transformers = pytest.importorskip("transformers")
    peer = on_meta("T5EncoderModel", transformers.T5Config(**sizes))
    assert model("t5_encoder", name).parameters == sum(p.numel() for p in peer.parameters())
