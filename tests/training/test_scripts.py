"""What the scripts of examples/training promise beyond what docs/scale.md shows of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import GPT2Config, GPT2LMHeadModel

from training.scripts import FOLDER, script

ROOT = Path(__file__).parents[2]


def same(first: Path, second: Path) -> bool:
    """Whether two files hold the same weights, to the bit."""
    one, two = load_file(first), load_file(second)
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_a_fine_tuning_that_is_resumed_ends_where_one_does_that_was_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From shards, with LoRA, merged, and taken by transformers' class with `strict=True`."""
    config = GPT2Config(vocab_size=64, n_positions=16, n_embd=16, n_head=2, n_layer=2, bos_token_id=0, eos_token_id=0)
    theirs, lora = tmp_path / "theirs", script("lora")
    GPT2LMHeadModel(config).save_pretrained(theirs, max_shard_size="10KB")
    assert len(list(theirs.glob("*.safetensors"))) > 1
    for out, steps in (("whole", 4), ("parts", 2), ("other", 3), ("parts", 4)):
        lora.main([str(theirs), str(tmp_path / out), "--model", "Tiny", "--steps", str(steps)])
    printed = capsys.readouterr().out
    assert printed.count("goes on after step 2") == 1
    assert printed.count("transformers' class computes the same: True") == 4
    merged = [tmp_path / out / "merged" / "model.safetensors" for out in ("whole", "parts", "other")]
    assert same(merged[0], merged[1])
    assert not same(merged[0], merged[2])


def test_accelerate_resumes(tmp_path: Path) -> None:
    accelerated = script("accelerated")
    for out, steps in (("whole", 4), ("parts", 2), ("parts", 4), ("other", 3)):
        accelerated.main([str(tmp_path / out), "--steps", str(steps)])
    ends = [tmp_path / out / "model.safetensors" for out in ("whole", "parts", "other")]
    assert same(ends[0], ends[1])
    assert not same(ends[0], ends[2])


def test_the_page_has_every_script() -> None:
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    commands = [line for line in page.splitlines() if line.startswith("$ ")]
    for path in FOLDER.glob("*.py"):
        assert any(f"examples/training/{path.name}" in line for line in commands), path.name
