"""Constants: `const name = e`, and rules `const name[statics] = e` of the compile time."""

from __future__ import annotations

from typing import Any

from ogive.compiler.elaborate.modules.statics_advice import named_statics, statics_help
from ogive.compiler.elaborate.rules import statics
from ogive.compiler.elaborate.state.blocks import ConstRef
from ogive.compiler.elaborate.state.control import LimitReached, StatementFailed, UnresolvedChoice
from ogive.compiler.elaborate.state.elaborator import Elaborator
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.values import BROKEN
from ogive.compiler.elaborate.walk import evaluate
from ogive.grammar.diagnostics import Label
from ogive.grammar.source import Span

NESTING = 100


def constant(session: Elaborator[Frame], ref: ConstRef) -> Any:
    """The value of a `const`, which each module keeps."""
    module = ref.module
    if ref.name not in module.consts:
        frame = Frame(session, module, None, session.facts)
        value = _value(frame, ref)
        module.diagnostics.extend(frame.diagnostics)
        module.consts.setdefault(ref.name, value)
    return module.consts[ref.name]


def rule(frame: Frame, ref: ConstRef, given: dict[str, Any], span: Span) -> Any:
    """The value of `const name[statics] = e` at some statics: its names are those of its own module."""
    with frame.in_module(ref.module, given):
        for decl in ref.tree.statics:
            if decl.name in given:
                continue
            if decl.default is None:
                open_ = [d.name for d in ref.tree.statics if d.default is None and d.name not in given]
                text = f"{named_statics(open_)} of `{ref.name}` {'is' if len(open_) == 1 else 'are'} not given"
                raise frame.fail("E0402", text, span, **statics_help(ref, span, open_))
            wanted = statics.kinds(decl, ref.tree)
            frame.scope.variables[decl.name] = statics.static_value(frame, decl.name, wanted, decl.default)
        return _value(frame, ref)


def _value(frame: Frame, ref: ConstRef) -> Any:
    tree, stack = ref.tree, frame.session.const_stack
    if tree in stack:
        round_ = [each.target for each in stack[stack.index(tree) :]]
        path = " -> ".join(f"`{target.name}`" for target in (*round_, tree.target))
        labels = tuple(Label(target.span, "defined by the next") for target in round_[1:])
        help_ = "write one of them without the others"
        frame.report("E0203", f"`{ref.name}` is defined by itself: {path}", tree.target.span, labels=labels, help=help_)
        return BROKEN
    if len(stack) >= NESTING:
        raise LimitReached(f"constants are nested more than {NESTING} deep")
    stack.append(tree)
    try:
        return _fit(frame, evaluate.evaluate(frame, tree.value), tree.value.span)
    except StatementFailed:
        return BROKEN
    except (LimitReached, UnresolvedChoice) as limit:
        if tree.statics:
            raise
        code = "E0701" if isinstance(limit, LimitReached) else "E0407"
        frame.report(code, f"{limit}" if code == "E0701" else f"`{limit}` is not known here", tree.value.span)
        return BROKEN
    finally:
        stack.pop()


def _fit(frame: Frame, value: Any, span: Span) -> Any:
    """The value of a constant: it belongs to no block, so no tensor is in it."""
    match value:
        case Tensor():
            raise frame.fail("E0407", "a constant holds no tensor", span, help="make it in the block that uses it")
        case tuple():
            for item in value:
                _fit(frame, item, span)
        case _:
            pass
    return value
