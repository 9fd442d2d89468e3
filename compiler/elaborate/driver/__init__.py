"""The order in which definitions are elaborated."""
