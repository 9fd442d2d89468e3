"""What this backend cannot say, as an error that names the operation and the reason."""

from __future__ import annotations

from ogive.grammar.source import Span


class OnnxError(Exception):
    """An operation is not supported in ONNX (E0802): `text` names it and says why."""

    code = "E0802"

    def __init__(self, text: str, span: Span | None = None) -> None:
        super().__init__(text)
        self.text, self.span = text, span


class Unheld(OnnxError):
    """A number does not fit the float type of the ONNX model (E0803)."""

    code = "E0803"


def held(number: int) -> int:
    """A size or a place, as ONNX holds it. Raises OnnxError where it does not."""
    if not -(1 << 63) <= number < 1 << 63:
        raise OnnxError(f"{number} is no size that ONNX can hold, which is below 2**63")
    return number
