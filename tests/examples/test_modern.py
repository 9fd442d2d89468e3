"""Later architectures and their peers in transformers: same weights, same outputs, same gradients; files both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from examples.test_transformers import TOLERANCE, Pair, agree, cat, difference, given, ids, image, nets, padded

transformers = pytest.importorskip("transformers")
EXAMPLES = Path(__file__).parents[2] / "examples"


def rope(theta: float) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": "default", "rope_theta": theta}}


DECODER = {"vocab_size": 97, "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2,
           "intermediate_size": 48, "num_hidden_layers": 2}  # fmt: skip
OUR_DECODER = {"vocab": 97, "d": 32, "heads": 4, "kv_heads": 2, "ff": 48, "depth": 2}
BART = {"vocab_size": 97, "max_position_embeddings": 12, "d_model": 32, "encoder_attention_heads": 4,
        "decoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "encoder_layers": 2,
        "decoder_layers": 2, "dropout": 0.0, "forced_eos_token_id": None}  # fmt: skip
OUR_BART = {"vocab": 97, "context": 12, "d": 32, "heads": 4, "ff": 48, "depth": 2, "drop": 0.0}


def both(**more: Tensor) -> dict[str, Tensor]:
    """Token 1 is padding."""
    return {"input_ids": torch.randint(3, 97, (3, 11)), "decoder_input_ids": torch.randint(3, 97, (3, 7)), **more}


EXACT = [
    Pair("qwen3", "Qwen3", {**OUR_DECODER, "e": 12, "theta": 500.0}, "Qwen3ForCausalLM", "Qwen3Config",
         {**DECODER, "head_dim": 12, **rope(500.0)}, ids),
    Pair("clip", "CLIP",
         {"d": 24, "image": 24, "vision": "Vision[8, 32, 4, 2, ...]", "text": "Text[97, 12, 16, 2, 3, ...]"},
         "CLIPModel", "CLIPConfig",
         {"projection_dim": 24, "vision_config": {"hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2,
                                                  "intermediate_size": 128, "image_size": 24, "patch_size": 8},
          "text_config": {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 3, "vocab_size": 97,
                          "intermediate_size": 64, "max_position_embeddings": 12, "eos_token_id": 2}},
         lambda: ids(pixel_values=torch.randn(2, 3, 24, 24)), cat,
         lambda y: cat((y.logits_per_image, y.image_embeds, y.text_embeds))),
    Pair("bart", "BART", OUR_BART, "BartForConditionalGeneration", "BartConfig", BART, both,
         rename=(("input_ids", "source"), ("decoder_input_ids", "target"))),
    Pair("bart", "BART", OUR_BART, "BartForConditionalGeneration", "BartConfig", BART, lambda: both(**padded()),
         rename=(("input_ids", "source"), ("decoder_input_ids", "target"))),
    Pair("whisper", "Whisper",
         {"mels": 8, "frames": 10, "vocab": 97, "context": 12, "d": 32, "heads": 4, "depth": 2},
         "WhisperForConditionalGeneration", "WhisperConfig",
         {"num_mel_bins": 8, "max_source_positions": 10, "vocab_size": 97, "max_target_positions": 12, "d_model": 32,
          "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_layers": 2, "decoder_layers": 2,
          "encoder_ffn_dim": 128, "decoder_ffn_dim": 128, "dropout": 0.0, "pad_token_id": 0},
         lambda: {"input_features": torch.randn(2, 8, 20), "decoder_input_ids": torch.randint(1, 97, (2, 11))},
         rename=(("input_features", "x"), ("decoder_input_ids", "ids"))),
    Pair("regnet", "RegNet", {"group": 4, "stages": [[8, 2], [16, 1]], "stem": 8, "classes": 10},
         "RegNetForImageClassification", "RegNetConfig",
         {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [2, 1], "groups_width": 4, "layer_type": "y",
          "num_labels": 10}, lambda: image(32, 24)),
    Pair("detr", "DETR",
         {"depths": [1, 2], "widths": [8, 12], "d": 16, "heads": 2, "ff": 24, "depth": 2, "queries": 5, "classes": 7,
          "drop": 0.0}, "DetrForObjectDetection", "DetrConfig",
         {"backbone_config": {"model_type": "resnet", "embedding_size": 8, "hidden_sizes": [32, 48], "depths": [1, 2],
                              "out_features": ["stage2"]}, "d_model": 16, "encoder_layers": 2, "decoder_layers": 2,
          "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24,
          "num_queries": 5, "num_labels": 7, "dropout": 0.0}, lambda: image(32, 24), cat,
         lambda y: cat((y.logits, y.pred_boxes))),
    Pair("wav2vec2", "Wav2Vec2",
         {"c": 8, "steps": [[5, 3], [2, 2]], "d": 16, "heads": 2, "depth": 2, "kernel": 4, "groups": 2, "vocab": 10,
          "drop": 0.0}, "Wav2Vec2ForCTC", "Wav2Vec2Config",
         {"conv_dim": [8, 8], "conv_kernel": [5, 2], "conv_stride": [3, 2], "num_feat_extract_layers": 2,
          "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 64,
          "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "vocab_size": 10, "hidden_dropout": 0.0},
         lambda: {"input_values": torch.randn(2, 50)}, rename=(("input_values", "wave"),)),
    Pair("sam_encoder", "SamEncoder",
         {"image": 24, "patch": 4, "d": 16, "heads": 2, "depth": 2, "window": 4, "period": 2, "out": 8},
         "SamVisionModel", "SamVisionConfig",
         {"image_size": 24, "patch_size": 4, "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2,
          "window_size": 4, "global_attn_indexes": [1], "output_channels": 8, "mlp_dim": 64},
         lambda: image(24, 24), theirs=lambda y: y.last_hidden_state),
]  # fmt: skip
# what theirs computes in f32 whatever its type: a softmax, an embedding's scale, a router
SINGLE = [
    Pair("mixtral", "Mixtral", {**OUR_DECODER, "experts": 4, "k": 2, "theta": 500.0}, "MixtralForCausalLM",
         "MixtralConfig", {**DECODER, "num_local_experts": 4, "num_experts_per_tok": 2, **rope(500.0)}, ids,
         map="mixtral.state_dict"),
    Pair("gemma2", "Gemma2", {**OUR_DECODER, "e": 12, "window": 4, "cap": 3.0, "last_cap": 2.0, "scale": 0.25},
         "Gemma2ForCausalLM", "Gemma2Config",
         {**DECODER, "head_dim": 12, "sliding_window": 4, "attn_logit_softcapping": 3.0, "final_logit_softcapping": 2.0,
          "query_pre_attn_scalar": 16, "attn_implementation": "eager"}, ids),
    Pair("mamba2", "Mamba2", {"vocab": 97, "d": 8, "heads": 4, "e": 4, "states": 6, "groups": 2, "depth": 2},
         "Mamba2ForCausalLM", "Mamba2Config",
         {"vocab_size": 97, "hidden_size": 8, "num_heads": 4, "head_dim": 4, "state_size": 6, "n_groups": 2,
          "num_hidden_layers": 2, "chunk_size": 4}, ids),
    Pair("deepseek_v3", "DeepSeek",
         {"vocab": 97, "d": 16, "heads": 2, "q_rank": 12, "kv_rank": 8, "e": 6, "turned": 4, "f": 5, "ff": 24,
          "expert_ff": 8, "experts": 8, "k": 2, "groups": 4, "kept": 2, "dense": 3, "depth": 5},
         "DeepseekV3ForCausalLM", "DeepseekV3Config",
         {"vocab_size": 97, "hidden_size": 16, "num_attention_heads": 2, "num_key_value_heads": 2, "q_lora_rank": 12,
          "kv_lora_rank": 8, "qk_nope_head_dim": 6, "qk_rope_head_dim": 4, "v_head_dim": 5, "intermediate_size": 24,
          "moe_intermediate_size": 8, "n_routed_experts": 8, "num_experts_per_tok": 2, "n_group": 4, "topk_group": 2,
          "first_k_dense_replace": 3, "num_hidden_layers": 5, "num_mtp_layers": 0}, ids,
         map="deepseek_v3.state_dict"),
    Pair("rwkv", "RWKV", {"vocab": 97, "d": 8, "depth": 2}, "RwkvForCausalLM", "RwkvConfig",
         {"vocab_size": 97, "hidden_size": 8, "num_hidden_layers": 2, "context_length": 32, "use_cache": False}, ids),
]  # fmt: skip


@pytest.mark.parametrize("pair", EXACT + SINGLE, ids=lambda pair: pair.file)
def test_same_outputs_and_gradients(pair: Pair) -> None:
    agree(pair, torch.float64 if pair in EXACT else torch.float32)


@pytest.mark.parametrize("pair", [p for p in EXACT + SINGLE if p.map], ids=lambda pair: pair.file)
def test_published_files_have_other_names(pair: Pair, tmp_path: Path) -> None:
    """Those that transformers writes, which are those of the first release."""
    torch.manual_seed(0)
    model, _, theirs = nets(pair, torch.float32)
    theirs.save_pretrained(tmp_path)  # type: ignore[operator]
    ours = model.torch().eval()
    ours.load_state_dict(model.load_weights(tmp_path, EXAMPLES / f"{pair.file}.map.toml"))
    our_inputs, their_inputs = given(pair, torch.float32)
    assert difference(pair.ours(ours(**our_inputs)), pair.theirs(theirs(**their_inputs))) < TOLERANCE[torch.float32]
