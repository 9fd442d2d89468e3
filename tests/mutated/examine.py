"""One mutant: checked and built, in how much time, and what goes wrong."""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import ogive
from ogive.compiler.driver.workspace import check_text
from ogive.grammar.render import render, to_json

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMES, MORE = 10, 2.0  # of the seconds per kB of the examples, and seconds
LARGEST = 10_000_000  # parameters of what is built


class TooLong(BaseException):
    """The budget is spent."""


@dataclass
class Found:
    """How many there were."""

    checked: int = 0
    parsed: int = 0
    right: int = 0
    built: int = 0
    refused: int = 0
    slowest: float = 0.0  # as a part of the budget

    def __str__(self) -> str:
        parsed, right = (100 * n / max(1, self.checked) for n in (self.parsed, self.right))
        return (
            f"{self.checked} checked, {parsed:.0f} % parsed, {right:.0f} % right; {self.built} built, {self.refused} of"
            f" them refused; the slowest took {self.slowest:.2f} of its budget"
        )


@cache
def rate(build: bool) -> float:
    """Seconds of CPU per kB of the examples, as they are checked or built here."""
    spent = size = 0.0
    for path in sorted(EXAMPLES.glob("*.arch"))[::4]:
        text = path.read_text(encoding="utf-8")
        start = time.process_time()
        if build:
            built(text)
        else:
            check_text(text)
        spent, size = spent + time.process_time() - start, size + len(text) / 1000
    return spent / size


@contextmanager
def budget(seconds: float) -> Iterator[None]:
    """Ends what takes more seconds of CPU."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooLong(f"more than {seconds:.1f} s")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def examine(text: str, whole: Found, *, build: bool = False, slack: float = 1) -> list[tuple[str, str]]:
    """What is wrong with it: a mark that is the same for the same fault, and the text with the traceback.

    With `slack` the budget is so many times larger: in tests it finds what does not end. The script measures seconds.
    """
    allowed = slack * (TIMES * rate(False) * len(text) / 1000 + MORE)
    start = time.process_time()
    try:
        with budget(allowed):
            program = check_text(text, "mutant.arch")
            for each in program.diagnostics:
                to_json(each)
            assert render(program.diagnostics) or not program.diagnostics
    except (Exception, TooLong) as error:
        return [fault("check", text, error)]
    whole.checked += 1
    whole.slowest = max(whole.slowest, (time.process_time() - start) / allowed)
    codes = [each.code for each in program.diagnostics if each.severity == "error"]
    whole.parsed += not any(code.startswith("E01") for code in codes)
    whole.right += not codes
    if not build or codes or not program.models:
        return []
    allowed = slack * (TIMES * rate(True) * len(text) / 1000 + MORE)
    whole.built += 1
    try:
        with budget(allowed):
            whole.refused += built(text)
    except (Exception, TooLong) as error:
        return [fault("build", text, error)]
    return []


def built(text: str) -> bool:
    """The first model of a program, for both targets; whether that was refused."""
    from ogive.backends.onnx_model.export import Settings, exported
    from ogive.backends.onnx_model.graph.errors import OnnxError
    from ogive.backends.onnx_model.serialize.external_data import arrays

    try:
        model = next(iter(ogive.source(text).models.values()))
        model.torch_source()
        if sum(slot.count for slot in model.slots.values()) > LARGEST:
            return False
        net = model.torch()
        try:
            exported(model.ir, arrays(net), Settings())
        except OnnxError:
            return True
    except ogive.ArchError:
        return True
    return False


def fault(what: str, text: str, error: BaseException) -> tuple[str, str]:
    """The innermost places in our code say which fault it is."""
    frames: list[Any] = [
        f for f in traceback.extract_tb(error.__traceback__) if "ogive" in f.filename or "wt" in f.filename
    ]
    last = frames[-1] if frames else None
    where = f"{Path(last.filename).name}:{last.lineno}" if last is not None and not isinstance(error, TooLong) else ""
    return f"{what}: {type(error).__name__} {where}", "".join(traceback.format_exception(error)[-6:]) + "\n" + text


__all__ = ["Found", "built", "examine"]
