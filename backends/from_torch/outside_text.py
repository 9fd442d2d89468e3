"""The Python file of the parts of a program that stay modules of the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ogive.backends.from_torch.draft_parts import BlockDraft

HEAD = '''"""Parts of `{program}` that stay modules of the source. Importing it imports {what}."""

from __future__ import annotations

import copy
from functools import cache

import torch
from torch import nn
{imports}

@cache
def source() -> nn.Module:
    """The module that was imported."""
{body}

def part(path: str) -> nn.Module:
    """A part of it, by its path."""
    return copy.deepcopy(source().get_submodule(path))
'''
CLASS = '''

class {name}(nn.Module):
    """{doc}"""

    def __init__(self{statics}) -> None:
        super().__init__()
        self.inner = part({path})

    def forward(self, {inputs}):
        {returns}
'''


def outside_text(
    program: str,
    members: Mapping[str, Sequence[BlockDraft]],
    statics: Mapping[str, Sequence[Sequence[tuple[str, int]]]],
    imports: str,
    body: str,
    what: str,
) -> str:
    """The file: `body` gives the source, a class for each block calls the part of it that its statics tell."""
    parts = [HEAD.format(program=program, imports=imports, body=body, what=what)]
    for name, drafts in members.items():
        told = drafts[0].outside
        if told is None:
            continue
        rows = statics[name]
        paths = {
            tuple(v for _, v in row): each.outside.path for row, each in zip(rows, drafts, strict=True) if each.outside
        }
        keys = [key for key, _ in rows[0]]
        path = repr(told.path)
        if len(set(paths.values())) > 1:
            path = f"{paths!r}[{', '.join(keys)}{',' if len(keys) == 1 else ''}]"
        called = f"self.inner({told.call})"
        if told.single:
            returns = f"return {called}"
        else:
            picked = ", ".join(f"leaves[{i}]" for i in told.returned)
            returns = f"leaves = torch.utils._pytree.tree_leaves({called})\n        return {picked}"
        doc = f"{', '.join(f'`{each}`' for each in paths.values())}: {told.reason}".replace('"', "'").replace("\\", "/")
        parts.append(
            CLASS.format(
                name=name, doc=doc, path=path, inputs=", ".join(told.inputs), returns=returns,
                statics="".join(f", {key}: int" for key in keys),
            )
        )  # fmt: skip
    return "".join(parts)
