"""What a diagram cannot do here."""

from __future__ import annotations


class DiagramError(Exception):
    """A format that cannot be written: a missing program or library, or an ending that says nothing."""
