"""What no machine finishes is refused before it is begun: weights, iterations and memory beyond all reason."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ogive.compiler.ir.model import Model
from ogive.compiler.ir.weights import opaque_count, weights
from ogive.compiler.ir_tools.starts import starts
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.source import Chunk, Span
from ogive.refusals import refuse
from ogive.summary import operations

TENSORS = 50_000  # of a module
OPERATIONS = 1_000_000  # that a run takes one by one
BYTES = {"complex": 8, "int": 8, "i64": 8, "f64": 8, "bool": 1, "bf16": 2, "f16": 2}
FEWER = "a smaller number of iterations, or smaller sizes"


def countable(model: Model) -> None:
    """Raises E0701 where a model has more weights, or modules of the user's, than can be listed one by one."""
    count = sum(info.count for info in weights(model)) + opaque_count(model)
    if count > TENSORS:
        _refuse(model, f"{model.name} has {count:,} weights, more than the {TENSORS:,} that a module may hold")


def affordable(model: Model) -> None:
    """Raises E0701 where the weights of a model cannot be made on this machine."""
    countable(model)
    size = sum(info.elements * BYTES.get(info.elem, 4) for info in weights(model))
    memory = _memory()
    if memory is not None and size > memory:
        _refuse(model, f"the weights of {model.name} take {_shown(size)}, and this machine has {_shown(memory)}")


def startable(model: Model, dtype: str) -> None:
    """Raises E0803 where a weight starts by a number that the type of the module does not hold."""
    elem = {"torch.float16": "f16", "torch.bfloat16": "bf16", "torch.float64": "f64"}.get(dtype, "f32")
    for start in starts(model):
        text = start.unheld(elem)
        if text is not None:
            span = start.span or model.definition.span or Span(Chunk(""), 0, 0)
            refuse((Diagnostic("E0803", f"{model.name}: {text}", span, help='a wider type: `dtype="f64"`'),))


def runnable(model: Model, loops: Sequence[str] = ("repeat", "scan")) -> None:
    """Raises E0701 where a run of the model, or a graph in which these loops are unrolled, takes too long."""
    count = operations(model, loops).total()
    if count > OPERATIONS:
        _refuse(model, f"{model.name} runs {count:,} operations one by one, and at most {OPERATIONS:,} are")


def _memory() -> int | None:
    """The memory of the machine in bytes, where it tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _shown(size: int) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            return f"{size:,} {unit}"
        size //= 1024
    raise AssertionError(size)


def _refuse(model: Model, text: str) -> None:
    refuse((Diagnostic("E0701", text, model.definition.span or Span(Chunk(""), 0, 0), help=FEWER),))
