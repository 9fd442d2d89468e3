"""What is not imported, with its place."""

from __future__ import annotations

from torch.fx import Node


class Untraceable(Exception):
    """The module is not traced, or uses what has no operation: why, and where: a node, or the path of a module."""

    def __init__(self, why: str, node: Node | None = None, path: str | None = None, *, untraced: bool = False) -> None:
        super().__init__(why)
        self.node, self.path, self.untraced = node, path, untraced
