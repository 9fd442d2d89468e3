"""Names of PyTorch and numpy are not taken for other operations, whose names happen to be close."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

import ogive
from ogive.compiler.elaborate.modules.foreign_names import MEANT
from ogive.compiler.ops import OPS
from ogive.grammar.spelling import few

INTERNAL = re.compile(
    r"^(cudnn|mkldnn|miopen|quantized|native|sym)_|_copy$|_indices$|^poly|^batch_norm_|^max_unpool|^saddmm|^to_"
)
POOL = re.compile(r"((adaptive_)?(avg|max)_pool|conv_transpose)\dd")
SAME = {
    "divide": "div", "power": "pow", "new_zeros": "zeros", "new_full": "full", "new_ones": "ones", "sgn": "sign",
    "randint_like": "randint", "clamp_max": "clamp", "clamp_min": "clamp",
}  # fmt: skip


def _functions() -> list[str]:
    places = (torch, torch.nn.functional, torch.Tensor, torch.linalg, torch.special, torch.fft, np)
    names = {name for place in places for name in dir(place) if name.islower() and not name.startswith("_")}
    callable_ = {name for name in names if any(callable(getattr(place, name, None)) for place in places)}
    types = {name for name in names if any(isinstance(getattr(place, name, None), type) for place in places)}
    return sorted(n for n in callable_ - types if n not in OPS and not n.endswith("_") and not INTERNAL.search(n))


def test_a_function_elsewhere_is_no_spelling_of_another_here() -> None:
    names, guessed = _functions(), {}
    assert len(names) > 500
    head = "(zzz81: [www77, vvv66]) -> [www77, vvv66]"
    text = "".join(f"block Kkk{i}{head}:\n    return {name}(zzz81)\n" for i, name in enumerate(names))
    with pytest.raises(ogive.ArchError) as raised:
        ogive.source(text)
    for fault in raised.value.diagnostics:
        if fault.code == "E0201" and (guess := re.fullmatch(r"did you mean `(\w+)`\?", fault.help)):
            guessed[fault.span.text] = guess[1]
            assert all(edit.text == guess[1] for edit in fault.edits)
    assert len(guessed) > 10
    same = {name: name[:-2] for name in guessed if POOL.fullmatch(name)} | SAME
    # a name that is close to a new operation, and means something else, belongs into ELSEWHERE or into MEANT
    assert {name: guess for name, guess in guessed.items() if same.get(name) != guess} == {}


GIVES = {"nansum": "[i]", "trace": "[]"}


@pytest.mark.parametrize("name", "square exp2 erfc logit hypot fmod logaddexp nan_to_num nansum trace".split())
def test_what_is_meant_by_frequent_names_checks_as_it_is_written(name: str) -> None:
    advice = re.findall(r"`([^`]*)`", MEANT[name])[-2 if name == "fmod" else 0].replace("axis", "1")
    x = "x: [i, i]" if name == "trace" else "x: [i, j]"
    ogive.source(f"block F({x}, a: [i, j], b: [i, j]) -> {GIVES.get(name, '[i, j]')}:\n    return {advice}\n")


LAST = "block Last(x: [b]) -> [b]:\n    return x |> Blok399\n"


def test_many_faults_take_time_in_proportion() -> None:
    """A name that is close is looked for among all names of a file, for each fault of it."""
    asked = few("Blokc7", [f"Block{i}" for i in range(100_000)])
    assert "Block7" in asked
    assert len(asked) < 100
    assert few("Blokc7", ["Block7", "other"]) == ["Block7", "other"]
    with pytest.raises(ogive.ArchError, match=r"did you mean `Block399`\?"):
        ogive.source("".join(f"block Block{i}(x: [b]) -> [b]:\n    return x\n" for i in range(400)) + LAST)
