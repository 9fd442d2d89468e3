"""The example architectures and their peers in transformers: same weights, same outputs, same gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ogive
from ogive.api import Model

transformers = pytest.importorskip("transformers")

EXAMPLES = Path(__file__).parents[2] / "examples"
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-10}


@dataclass(frozen=True)
class Pair:
    """A model of ours by block and statics, its peer by class and settings, and what both are asked."""

    file: str
    block: str
    statics: dict[str, Any]
    peer: str
    config: str
    settings: dict[str, Any]
    inputs: Callable[[], dict[str, Tensor]]
    ours: Callable[[Any], Tensor] = lambda y: y
    theirs: Callable[[Any], Tensor] = lambda y: y.logits
    rename: tuple[tuple[str, str], ...] = ()  # inputs of ours, by the names of theirs
    map: str = ""  # where it is not the file's

    @property
    def text(self) -> str:
        """The example, and a model of the size of the pair."""
        statics = ", ".join(f"{name}={value}" for name, value in self.statics.items())
        return (EXAMPLES / f"{self.file}.arch").read_text() + f"\nmodel Pair = {self.block}[{statics}]\n"


def ids(**more: Tensor) -> dict[str, Tensor]:
    """Token 0 is padding, whose vector gets no gradient in transformers: it is left out."""
    return {"input_ids": torch.randint(1, 97, (3, 11)), **more}


def image(height: int, width: int) -> dict[str, Tensor]:
    return {"pixel_values": torch.randn(2, 3, height, width)}


def padded() -> dict[str, Tensor]:
    """True for the tokens that count: eleven, eight and five of them."""
    return {"attention_mask": torch.arange(11)[None] < torch.tensor([[11], [8], [5]])}


BERT = {"vocab_size": 97, "max_position_embeddings": 16, "hidden_size": 32, "num_attention_heads": 4,
        "intermediate_size": 48, "num_hidden_layers": 2, "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0}  # fmt: skip
OUR_BERT = {"vocab": 97, "context": 16, "segment_types": 2, "d": 32, "heads": 4, "ff": 48, "depth": 2, "drop": 0.0}
T5 = {"vocab_size": 97, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "dropout_rate": 0.0}
OUR_T5 = {"vocab": 97, "d": 32, "heads": 4, "e": 8, "ff": 48, "depth": 2, "drop": 0.0}


def cat(outputs: Any) -> Tensor:
    """All outputs as one, so that each has its part in the loss."""
    return torch.cat([y.flatten() for y in outputs])


PAIRS = [
    Pair("bert", "BERT", OUR_BERT, "BertModel", "BertConfig", BERT, ids, cat,
         lambda y: cat((y.last_hidden_state, y.pooler_output))),
    Pair("bert", "BERT", OUR_BERT, "BertModel", "BertConfig", BERT,
         lambda: ids(token_type_ids=torch.randint(2, (3, 11)), **padded()), cat,
         lambda y: cat((y.last_hidden_state, y.pooler_output)), (("token_type_ids", "segments"),)),
    Pair("llama", "Llama",
         {"vocab": 97, "d": 32, "heads": 4, "kv_heads": 2, "ff": 48, "depth": 2, "theta": 500.0, "eps": 1e-5},
         "LlamaForCausalLM", "LlamaConfig",
         {"vocab_size": 97, "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2,
          "intermediate_size": 48, "num_hidden_layers": 2, "rms_norm_eps": 1e-5,
          "rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}, ids),
    Pair("vit", "ViT", {"image": 24, "patch": 4, "d": 32, "heads": 4, "depth": 2, "classes": 10},
         "ViTForImageClassification", "ViTConfig",
         {"image_size": 24, "patch_size": 4, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 128,
          "num_hidden_layers": 2, "num_labels": 10, "layer_norm_eps": 1e-6}, lambda: image(24, 24),
         map="vit.state_dict"),
    Pair("swin", "Swin",
         {"d": 8, "depths": [2, 2, 2], "heads": [2, 4, 4], "window": 3, "patch": 2, "drop": 0.0, "classes": 10},
         "SwinForImageClassification", "SwinConfig",
         {"image_size": 24, "patch_size": 2, "embed_dim": 8, "depths": [2, 2, 2], "num_heads": [2, 4, 4],
          "window_size": 3, "num_labels": 10, "drop_path_rate": 0.0, "layer_norm_eps": 1e-5}, lambda: image(24, 24),
         map="swin.state_dict"),
    Pair("resnet", "ResNet", {"F": "Bottleneck", "growth": 4, "depths": [1, 2], "widths": [64, 6], "classes": 10},
         "ResNetForImageClassification", "ResNetConfig",
         {"embedding_size": 64, "hidden_sizes": [256, 24], "depths": [1, 2], "layer_type": "bottleneck",
          "num_labels": 10}, lambda: image(32, 24)),
    Pair("resnet", "ResNet", {"F": "Basic", "growth": 1, "depths": [2, 1], "widths": [6, 12], "classes": 10},
         "ResNetForImageClassification", "ResNetConfig",
         {"embedding_size": 6, "hidden_sizes": [6, 12], "depths": [2, 1], "layer_type": "basic", "num_labels": 10},
         lambda: image(33, 40)),
    Pair("convnext", "ConvNeXt", {"depths": [1, 2], "widths": [8, 12], "drop": 0.0, "classes": 10},
         "ConvNextForImageClassification", "ConvNextConfig",
         {"depths": [1, 2], "hidden_sizes": [8, 12], "num_stages": 2, "num_labels": 10, "layer_norm_eps": 1e-6,
          "drop_path_rate": 0.0}, lambda: image(32, 24)),
    Pair("t5_encoder", "T5Encoder", OUR_T5, "T5EncoderModel", "T5Config", T5, ids,
         theirs=lambda y: y.last_hidden_state),
    Pair("t5_encoder", "T5Encoder", OUR_T5, "T5EncoderModel", "T5Config", T5, lambda: ids(**padded()),
         theirs=lambda y: y.last_hidden_state),
]  # fmt: skip


def rms_norm(module: nn.Module, x: Tensor) -> Tensor:
    """As theirs, in the type of `x`: theirs falls to f32, which hides what f64 would show."""
    assert isinstance(module.weight, Tensor)
    eps = module.eps if hasattr(module, "eps") else module.variance_epsilon
    assert isinstance(eps, float)
    weight = 1 + module.weight if type(module).__name__ == "Gemma2RMSNorm" else module.weight
    return weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps))


def nets(pair: Pair, dtype: torch.dtype) -> tuple[Model, nn.Module, nn.Module]:
    """Both modules with the same random weights, away from their usual zeros and ones."""
    model = ogive.source(pair.text, str(EXAMPLES / f"{pair.file}.arch"))["Pair"]
    assert isinstance(model, Model)
    config = getattr(transformers, pair.config)(**pair.settings)
    theirs = getattr(transformers, pair.peer)(config).to(dtype).requires_grad_(True)  # some freeze a part
    for module in theirs.modules():
        if type(module).__name__.endswith("RMSNorm") or type(module).__name__ == "T5LayerNorm":
            module.forward = partial(rms_norm, module)
    with torch.no_grad():
        for name, weight in theirs.named_parameters():
            weight.normal_(std=0.3).add_(1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0)
        for name, state in theirs.named_buffers():
            if name.endswith(("running_mean", "running_var", "correction_bias")):
                state.uniform_(0.5, 1.5)
    ours = model.torch().to(dtype)
    ours.load_state_dict(model.load_weights(theirs.state_dict(), EXAMPLES / f"{pair.map or pair.file}.map.toml"))
    return model, ours.eval(), theirs.eval()


def given(pair: Pair, dtype: torch.dtype) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The inputs under our names and under theirs."""
    theirs = {name: x.to(dtype) if x.is_floating_point() else x for name, x in pair.inputs().items()}
    names = {"input_ids": "ids", "pixel_values": "x", "attention_mask": "mask", **dict(pair.rename)}
    return {names[name]: x for name, x in theirs.items()}, theirs


def difference(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference over the largest value."""
    return ((ours - theirs).abs().max() / theirs.abs().max().clamp_min(1e-30)).item()


def twins(model: Model, ours: nn.Module, theirs: nn.Module, pair: Pair) -> list[tuple[str, Tensor, Tensor]]:
    """The gradients of the weights, theirs under our names."""
    grads = {name: p.grad for name, p in theirs.named_parameters() if p.grad is not None}
    everything = {name: grads.get(name, torch.zeros_like(x)) for name, x in theirs.state_dict(keep_vars=False).items()}
    for name, x in theirs.state_dict(keep_vars=True).items():  # tied names share one gradient
        if isinstance(x, nn.Parameter) and x.grad is not None:
            everything[name] = x.grad
    renamed = model.load_weights(everything, EXAMPLES / f"{pair.map or pair.file}.map.toml")
    return [(n, p.grad, renamed[n]) for n, p in ours.named_parameters() if p.grad is not None]


def agree(pair: Pair, dtype: torch.dtype) -> None:
    """Outputs are the same, and the gradients of all weights."""
    torch.manual_seed(0)
    model, ours, theirs = nets(pair, dtype)
    our_inputs, their_inputs = given(pair, dtype)
    y, z = pair.ours(ours(**our_inputs)), pair.theirs(theirs(**their_inputs))
    assert y.shape == z.shape
    assert difference(y, z) < TOLERANCE[dtype]

    direction = torch.randn_like(z)
    (y * direction).sum().backward()  # type: ignore[no-untyped-call]
    (z * direction).sum().backward()  # type: ignore[no-untyped-call]
    pairs = twins(model, ours, theirs, pair)
    assert len(pairs) == len(list(ours.parameters()))
    largest = max(theirs_grad.abs().max() for _, _, theirs_grad in pairs)
    for name, our_grad, their_grad in pairs:
        # a bias that a softmax or a norm cancels has a gradient of zero: what is left is rounding of the others
        floor = torch.maximum(their_grad.abs().max(), 1e-2 * largest)
        assert ((our_grad - their_grad).abs().max() / floor).item() < TOLERANCE[dtype], name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("pair", PAIRS, ids=[f"{p.file}-{i}" for i, p in enumerate(PAIRS)])
def test_same_outputs_and_gradients(pair: Pair, dtype: torch.dtype) -> None:
    agree(pair, dtype)
