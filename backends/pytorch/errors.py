"""What this backend cannot say, as an error that names the operation and the reason."""

from __future__ import annotations


class LoweringError(Exception):
    """An operation has no form in torch here (E0801): `text` names it and says why."""

    code = "E0801"

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
