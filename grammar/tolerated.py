"""Messages for statements that arch.lark reads but the language does not have."""

from __future__ import annotations

from ogive.grammar import syntax as s
from ogive.grammar.diagnostics import Diagnostic, Edit
from ogive.grammar.source import Span

# Python's statements of one word, and what does their work here.
WORDS = {
    "pass": "leave the line out; a body that does nothing returns its input",
    "break": "a `for` runs over its whole list: build the list that it needs, `[c for c in cs if c > 1]`",
    "continue": "put the rest of the body under an `if`",
}


def odd_target(target: s.Expr) -> Diagnostic:
    """`target` stands on the left of `=`, and is no name."""
    message, help_ = "only a name can be bound", "write `name = ...`"
    edits: tuple[Edit, ...] = ()
    match target:
        case s.Attribute(base=s.Name(id="self"), name=name):
            message, help_ = "there is no `self`: what a body makes has plain names", f"write `{name} = ...`"
            edits = (Edit(target.span, name),)
        case s.Attribute(name=name):
            help_ = f"a weight is supplied at the call: `f(x, {name} = ...)`"
        case s.Brackets(base=base) if isinstance(base, s.Name):
            message = "a tensor is not written into"
            help_ = f"write `{base.id} = put[axis, start]({base.id}, value)`"
        case s.TupleExpr() | s.ListExpr():
            help_ = "unpack one level a statement: `a, rest = e`, then `b, c = rest`"
    return Diagnostic("E0101", message, target.span, help=help_, edits=edits)


def without_effect(values: tuple[s.Expr, ...], span: Span) -> Diagnostic:
    """An expression stands alone on its line."""
    message, text = "this statement has no effect", _text(span)
    help_ = f"bind the value, `y = {text}`, or return it, `return {text}`" if len(text) < 40 else "bind or return it"
    changed = ""
    match values[0]:
        case s.Name(id=word) if word in WORDS:
            message, help_ = f"there is no `{word}`", WORDS[word]
        case s.Call(func=s.Attribute(base=base, name="append"), args=(item,)):
            message = "a list is not changed in place; this statement has no effect"
            changed = f"{_text(base.span)} = {_text(base.span)} + [{_text(item.span)}]"
        case s.Call(func=s.Attribute(base=base, name="extend"), args=(item,)):
            message = "a list is not changed in place; this statement has no effect"
            changed = f"{_text(base.span)} = {_text(base.span)} + {_text(item.span)}"
        case s.Call(func=s.Name(id="print"), args=(item, *_)):
            message, help_ = (
                "nothing is printed",
                f"write `tap name = {_text(item.span)}`: a caller can ask for its value",
            )
        case s.Call(func=s.Name(id="assert")):
            message, help_ = "there is no `assert`", "write `require c` for sizes, `assume c` where no proof exists"
        case s.Compare(op="==", left=left, right=right) if len(values) == 1:
            help_ = f"to bind a name, write `{_text(left.span)} = {_text(right.span)}`"
    if changed:
        return Diagnostic("E0101", message, span, help=f"write `{changed}`", edits=(Edit(span, changed),))
    return Diagnostic("E0101", message, span, help=help_)


def augmented_assignment(left: tuple[s.Expr, ...], op: Span, right: tuple[s.Expr, ...]) -> Diagnostic:
    """`x += y`."""
    name, sign = _text(left[0].span), op.text[:-1]
    value = _text(right[0].span)
    if isinstance(right[0], s.Binary | s.Compare | s.Conditional | s.Pipe | s.Compose) and not value.startswith("("):
        value = f"({value})"
    text = f"{name} = {name} {sign} {value}"
    edits = (Edit(left[0].span.to(right[0].span), text),) if len(left) == len(right) == 1 else ()
    return Diagnostic("E0101", f"there is no `{op.text}`", op, help=f"write `{text}`", edits=edits)


def _text(span: Span) -> str:
    """What stands there, on one line."""
    return " ".join(span.text.split())
