"""What PyTorch cannot say besides operations that it lacks."""

from __future__ import annotations

from ogive.backends.python_text.errors import LoweringError


class Unheld(LoweringError):
    """A number does not fit its float type in PyTorch (E0803)."""

    code = "E0803"
