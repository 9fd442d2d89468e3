"""Weights that start while they are sharded: what is gathered is a direct build, on every rank."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytorch.starts import examples, replicated, small, tensor_parallel, together


def test_two_processes_start_a_sharded_module_as_one_does() -> None:
    together(2, small)


@pytest.mark.slow
@pytest.mark.parametrize(("count", "body"), [(2, examples), (4, replicated), (4, tensor_parallel)])
def test_so_they_do_for_all_examples_and_other_layouts(count: int, body: Callable[[int], None]) -> None:
    together(count, body)
