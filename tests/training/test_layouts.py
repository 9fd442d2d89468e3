"""An emitted module over several devices computes what it does on one, and what one written by hand does."""

from __future__ import annotations

import pytest

from training.fused import right_or_refused
from training.layouts import Options, compare, compare_by_hand, started
from training.processes import together

FSDP: Options = ()
TENSOR: Options = ("--tensor", "2")
SEQUENCE: Options = (*TENSOR, "--sequence")
AGAIN: Options = ("--checkpoint-activations", "--compile", "aot_eager")
ALL = (FSDP, AGAIN, TENSOR, (*TENSOR, *AGAIN), SEQUENCE, (*SEQUENCE, *AGAIN))


def test_two_processes_compute_what_one_does() -> None:
    together(2, compare, (FSDP, TENSOR, (*SEQUENCE, *AGAIN)))


def test_two_processes_give_the_bits_of_a_module_written_by_hand() -> None:
    together(2, compare_by_hand, (("--tensor", "1"), SEQUENCE))


def test_weights_start_alike_on_every_layout() -> None:
    together(2, started, (AGAIN, SEQUENCE))


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_more_layouts_and_processes(processes: int) -> None:
    together(processes, started, ALL)
    together(processes, compare, ALL)
    together(processes, compare_by_hand, (("--tensor", "1"), TENSOR, SEQUENCE))


def test_maps_that_hold_several_things_are_right_or_refused() -> None:
    together(2, right_or_refused)
