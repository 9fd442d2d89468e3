"""What `ogive check --fix` makes of a line of PyTorch computes what that line computes."""

from __future__ import annotations

import ast
import math
import re
import textwrap
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import ogive
from check.test_habits import EDITED, checked
from ogive.mend import mend

HEADER = re.compile(r"block f(?:\[(?P<statics>[^]]*)\])?\((?P<inputs>.*)\) -> .*")
INPUT = re.compile(r"(\w+): (\w*)\[([^]]*)\]")
SIZES = {"b": 2, "n": 4, "d": 8, "h": 4, "c": 3, "w": 4, "k": 5, "o": 2, "e": 2, "heads": 4, "v": 11, "m": 6, "f": 3}


def function(text: str) -> Any:
    """The body as a function of Python, where it is one."""
    head = HEADER.match(text)
    if head is None or "[h]" in text or "*b" in text or "?" in text:
        return None
    body = re.sub(r"\A.*:\n", "", text[head.end() - 1 :] if text[head.end() - 1] == ":" else text[head.end() :])
    names = [name for name, _, _ in INPUT.findall(head["inputs"])]
    source = f"def f({', '.join(names)}):\n{textwrap.indent(textwrap.dedent(body), '    ')}"
    try:
        ast.parse(source)
    except SyntaxError:
        return None
    space = {**vars(F), **vars(torch), **vars(math), **SIZES, "float": float, "range": range, "enumerate": enumerate}
    space |= {"torch": torch, "F": F, "np": torch, "math": math, "training": False}
    exec(compile(source, "<habit>", "exec"), space)
    return space["f"]


def inputs(text: str) -> list[torch.Tensor]:
    """Tensors for the inputs of the block."""
    head = HEADER.match(text)
    assert head is not None
    found = []
    for _, elem, terms in INPUT.findall(head["inputs"]):
        shape = [int(eval(term, {}, dict(SIZES))) for term in terms.split(",") if term.strip()]
        found.append(torch.randint(0, 2, shape) if elem == "int" else torch.randn(shape))
    return found


# left out: what draws or has weights, what is no line of Python, and what is told to mean something else here
OTHER = re.compile(r"nn\.|drop|rand|bernoulli|x > 0\]|Float|,\n|\.item|assert|Tensor")
PURE = [text for text in EDITED if function(text) is not None and not OTHER.search(text)]


def test_most_are_lines_of_python() -> None:
    assert len(PURE) > 70


@pytest.mark.parametrize("text", PURE)
def test_what_mends_it_computes_the_same(text: str) -> None:
    given = inputs(text)
    try:
        wanted = function(text)(*(each.clone() for each in given))
    except (TypeError, AttributeError, NameError, RuntimeError) as error:
        assert not re.search(r"torch\.|F\.|x\.\w+\(", text), (text, error)  # brackets of ours, or a name of einops
        return
    head = HEADER.match(text)
    assert head is not None
    statics = {name: SIZES[name] for name in re.findall(r"\w+", head["statics"] or "")}
    found = ogive.source(mend(text, checked).text)["f"](**statics).torch()(*given)
    torch.testing.assert_close(found, wanted, check_dtype=False)
