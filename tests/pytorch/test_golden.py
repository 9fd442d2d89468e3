"""Emitted files, to be read in review: one of each construct, and GPT-2. `--rewrite` writes them anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from ogive.backends.pytorch.module.file import emit
from pytorch.catalog import model

FOLDER = Path(__file__).parents[1] / "golden" / "pytorch"
NAMES = ("gpt2:Tiny", "bert:Tiny", "resnet:Tiny", "moe:Tiny", "scan:Gru", "scan:Rv",
         "repeat:Ca", "repeat:Ma", "repeat:Mx",
         "state:V", "state:K", "state:S", "state:E", "taps:Tt", "misc:Stacked", "misc:Names")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_text_is_as_it_was(name: str, rewrite: bool) -> None:
    path = FOLDER / f"{name.replace(':', '_').lower()}.txt"
    found = emit(model(name))
    if rewrite:
        FOLDER.mkdir(parents=True, exist_ok=True)
        path.write_text(found)
    assert found == path.read_text()
