"""From the folders of transformers and back: sharded checkpoints, tuned here, loaded there without a key missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_model

from examples.test_transformers import TOLERANCE, Pair, difference, given, nets
from test_drafts import FIRST

transformers = pytest.importorskip("transformers")
EXAMPLES = Path(__file__).parents[1] / "examples"


CASES = [
    pytest.param(pair, id=f"{key[0]}-{i}", marks=() if key[0] in ("gpt2", "bert", "vit") else pytest.mark.slow)
    for i, (key, pair) in enumerate(FIRST.items())
]


@pytest.mark.parametrize("pair", CASES)
def test_a_sharded_checkpoint_is_tuned_and_handed_back(pair: Pair, tmp_path: Path) -> None:
    torch.manual_seed(0)
    # some files have other names than the modules that are loaded from them
    of_files, of_module = EXAMPLES / f"{pair.file}.map.toml", EXAMPLES / f"{pair.map or pair.file}.map.toml"
    kind = getattr(transformers, pair.peer)
    model, _, theirs = nets(pair, torch.float32)
    theirs.save_pretrained(tmp_path / "theirs", max_shard_size="4KB")  # type: ignore[operator]
    assert (tmp_path / "theirs" / "model.safetensors.index.json").exists()
    ours = model.torch().eval()
    ours.load_state_dict(model.load_weights(tmp_path / "theirs", of_files))
    our_inputs, their_inputs = given(pair, torch.float32)
    assert difference(pair.ours(ours(**our_inputs)), pair.theirs(theirs(**their_inputs))) < TOLERANCE[torch.float32]

    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    (tmp_path / "tuned").mkdir()
    written = model.save_weights(tmp_path / "tuned", ours, of_files, max_shard_size="4KB")
    assert len(written) > 2
    shutil.copy(tmp_path / "theirs" / "config.json", tmp_path / "tuned")
    tuned, told = kind.from_pretrained(tmp_path / "tuned", output_loading_info=True)
    assert not any(told[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"))
    z = pair.theirs(tuned.eval()(**their_inputs))
    assert difference(pair.ours(ours(**our_inputs)), z) < TOLERANCE[torch.float32]

    tuned.load_state_dict(model.unload_weights(ours, of_module), strict=True)
    model.save_weights(tmp_path / "one.safetensors", ours, of_module)
    assert load_model(kind(tuned.config), str(tmp_path / "one.safetensors"), strict=True) == (set(), [])
