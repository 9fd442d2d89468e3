"""A choice at compile time that only a run would settle: what it depends on, and how that becomes known."""

from __future__ import annotations

from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.control import UnresolvedChoice
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.source import Span

SIZE = "give the size in brackets (`model M = Block[n=128]`), make it a static, or choose by `select(c, a, b)`"
RANK = "the number of axes in *"


def unresolved(choice: UnresolvedChoice, ref: BlockRef, span: Span) -> Diagnostic:
    """E0602 at the model, or where the choice is."""
    ranked = choice.what.startswith(RANK)
    what = choice.what if ranked else f"`{choice.what}`"
    text = f"a choice at compile time depends on {what}, which is known at run time alone"
    return Diagnostic("E0602", text, choice.span or span, help=_rank(choice.what, ref) if ranked else SIZE)


def _rank(what: str, ref: BlockRef) -> str:
    """A pack has a length where its axes have names: in a block that hands on a tensor of such a type."""
    name = what.removeprefix(RANK)
    given = ", ".join(each.name for each in ref.tree.inputs)
    named = ", ".join(f"{each.name}: {each.type.span.text.replace(f'*{name}', 'n, m')}" for each in ref.tree.inputs)
    outputs = ", ".join(each.type.span.text.replace(f"*{name}", "n, m") for each in ref.tree.outputs)
    outputs = outputs if len(ref.tree.outputs) == 1 else f"({outputs})"
    block = f"`block g({named}) -> {outputs}:` with `return {ref.name}({given})`"
    return f"make a model of a block that names the axes: {block}"
