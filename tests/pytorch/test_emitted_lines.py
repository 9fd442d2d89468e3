"""Emitted modules are not much longer than what a person writes."""

from __future__ import annotations

import pytest

from bench.emitted import MOST, READINGS, ROOT, lines, ours

SLOW = {"vit:ViTB16", "inception_v3:V3", "efficientnet:B0", "maxvit:MaxViT_T", "yolo:YOLOv3", "densenet:DenseNet121"}


@pytest.mark.parametrize(
    "example", [pytest.param(each, marks=[pytest.mark.slow] if each in SLOW else []) for each in READINGS]
)
def test_a_module_has_few_lines_more_than_a_reading(example: str) -> None:
    file, root = READINGS[example]
    by_hand = lines((ROOT / "bench" / f"{file}.py").read_text(), [root])
    assert ours(example) <= MOST * by_hand


def test_lines_are_those_of_code_that_is_used() -> None:
    text = '''
"""A file."""
class A(B):
    """Words."""

    def __init__(self):  # a comment
        # another
        self.x = helper(other())

    def reset_parameters(self):
        self.x = 0

@once
def other(): return 1
class B: pass
def unused(): return 2
def helper(x): return x
'''
    assert lines(text, ["A"], without=frozenset(["helper"])) == 7
