"""Operations on numbers alone: computed, made tensors, or refused at the call; none reaches a backend."""

from __future__ import annotations

import pytest
import torch

import ogive
from ogive.compiler.ops import OPS

LITERAL = sorted(name for name, spec in OPS.items() if spec.literals and not spec.statics)


@pytest.mark.parametrize("name", LITERAL)
def test_what_is_accepted_runs(name: str) -> None:
    accepted, codes = 0, set[str]()
    count = OPS[name].inputs.count(",") + 1 if OPS[name].inputs else 1
    for numbers in (("0.25", "0.5", "0.75"), ("1", "2", "3"), ("true", "2.0", "3.0")):
        text = f"block F(x: [n]):\n    y = {name}({', '.join(numbers[:count])})\n    return {{}}\nmodel M = F\n"
        for kind, result in (("[n]", "x * y"), ("complex[n]", "cast[complex](x) * y"), ("[n]", "select(y, x, x)")):
            source = text.format(result).replace("(x: [n]):", f"(x: [n]) -> {kind}:")
            try:
                model = ogive.source(source)["M"]
            except ogive.ArchError as refused:
                codes.update(each.code for each in refused.diagnostics)
                continue
            accepted += 1
            assert model.torch()(torch.ones(2)).shape == (2,)
    assert "E0405" in codes or name == "complex"
    assert (accepted > 0) == (name == "complex")


def test_a_number_to_choose_by_is_refused() -> None:
    with pytest.raises(ogive.ArchError, match=r"`x if flag else -x` chooses at compile time"):
        ogive.source("block F[flag=true](x: [n]) -> [n]:\n    return select(flag, x, -x)\nmodel M = F\n")
