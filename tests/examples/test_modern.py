"""Later architectures and their peers in transformers: same weights, same outputs, same gradients; files both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from examples.test_transformers import TOLERANCE, Pair, agree, difference, given, ids, nets

transformers = pytest.importorskip("transformers")
EXAMPLES = Path(__file__).parents[2] / "examples"


def rope(theta: float) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": "default", "rope_theta": theta}}


DECODER = {"vocab_size": 97, "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2,
           "intermediate_size": 48, "num_hidden_layers": 2}  # fmt: skip
OUR_DECODER = {"vocab": 97, "d": 32, "heads": 4, "kv_heads": 2, "ff": 48, "depth": 2}
EXACT = [
    Pair("qwen3", "Qwen3", {**OUR_DECODER, "e": 12, "theta": 500.0}, "Qwen3ForCausalLM", "Qwen3Config",
         {**DECODER, "head_dim": 12, **rope(500.0)}, ids),
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
