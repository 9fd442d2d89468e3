"""What a file declares: its module, and the blocks and constants that belong to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ogive.grammar import syntax
from ogive.grammar.diagnostics import Diagnostic


@dataclass(eq=False)
class Module:
    """A parsed file with its names. `name` is "std.nn" for the library, "" for the file that is checked."""

    name: str
    path: str
    tree: syntax.File
    diagnostics: list[Diagnostic] = field(default_factory=list)
    scope: dict[str, Any] = field(default_factory=dict)  # BlockRef, ConstRef, syntax.Model, Module, ...
    consts: dict[str, Any] = field(default_factory=dict)  # values of constants, once known
    broken: bool = False  # part of it could not be parsed: names may be missing
    text: str = field(default="", repr=False)  # the whole file, as it was read

    def blocks(self) -> tuple[BlockRef, ...]:
        """The blocks that this file declares, in its order; those that an earlier check made are among them."""
        trees = (tree for tree in self.tree.declarations if isinstance(tree, syntax.Block))
        entries = ((tree, self.scope.get(tree.name)) for tree in trees)
        return tuple(entry for tree, entry in entries if isinstance(entry, BlockRef) and entry.tree is tree)


@dataclass(frozen=True, slots=True, eq=False)
class BlockRef:
    """A block of a module. There is one for each declaration, so it compares by identity."""

    tree: syntax.Block
    module: Module
    target: str = ""  # of an `extern` block: "package.module:Class"
    lists: ListParts | None = None  # of one that stands for a block with lists of tensors

    @property
    def name(self) -> str:
        """Its name in the source."""
        return self.tree.name

    @property
    def qualified(self) -> str:
        """Its name with the module's in front; blocks of the user's own file stand bare."""
        return f"{self.module.name}.{self.tree.name}" if self.module.name else self.tree.name

    @property
    def standard(self) -> bool:
        """Whether it belongs to the library: its source is not the user's."""
        return self.module.name.startswith("std.")


@dataclass(frozen=True, slots=True)
class ListParts:
    """The block for which one with an input or output for each entry stands, and how many entries each of its inputs
    and outputs has; None for a tensor alone.
    """

    block: BlockRef
    inputs: tuple[int | None, ...]
    outputs: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ConstRef:
    """A `const` of a module: a value, or with statics a rule for values, which brackets apply."""

    tree: syntax.Const
    module: Module

    @property
    def name(self) -> str:
        """Its name in the source."""
        return self.tree.target.name
