"""Statements to text, in the layout of the standard formatter (ruff, black). Nothing else writes lines of Python."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ogive.backends.python_text.expr import Code
from ogive.backends.python_text.pretty import LINE, flat, target
from ogive.backends.python_text.statements import (
    Assign,
    Class,
    Declare,
    Evaluate,
    FixedText,
    For,
    FunctionDef,
    If,
    Import,
    Parameter,
    Raise,
    Return,
    Statement,
    Within,
)
from ogive.backends.python_text.wrap import STEP, bracketed, laid


def file_text(doc: str, imports: Sequence[Sequence[Import]], body: Sequence[Statement]) -> str:
    """A whole file: its docstring, its imports in groups, then functions and classes, each two empty lines apart."""
    groups = ["\n".join(line for each in group for line in rendered([each])) for group in imports if group]
    head = "\n\n".join([f'"""{doc}"""', *groups])
    return "\n\n\n".join([head, *("\n".join(rendered([each])) for each in body)]) + "\n"


def rendered(body: Sequence[Statement], indent: int = 0, *, opened: bool = False) -> list[str]:
    """The lines of statements, with an empty line around each function among them.

    `opened` says that a docstring, or the head of a branch or loop, stands before them: then one before the first too.
    """
    lines: list[str] = []
    for at, each in enumerate(body):
        inner = isinstance(each, FunctionDef)
        after = bool(at) and _ends_in_function(body[at - 1])
        if after or (inner and (at or opened)):
            lines.append("")
        lines += _lines(each, indent)
    return lines


def _ends_in_function(statement: Statement) -> bool:
    """Whether the last lines of a statement are those of a function."""
    last = next((body[-1] for body in reversed(statement.bodies) if body), None)
    return isinstance(statement, FunctionDef) or (last is not None and _ends_in_function(last))


def _lines(statement: Statement, indent: int) -> list[str]:
    match statement:
        case Assign(target=left, value=value, comment=comment, kind=None):
            return _commented(laid(value.node, f"{target(left.node)} = ", "", indent), comment)
        case Assign(target=left, value=value, kind=Code() as kind):
            return laid(value.node, f"{target(left.node)}: {flat(kind.node)} = ", "", indent)
        case Declare(name=name, kind=kind):
            return laid(kind.node, f"{name}: ", "", indent)
        case Evaluate(value=value):
            return laid(value.node, "", "", indent)
        case Return(value=value):
            return _returned(value, indent)
        case Raise(error=error):
            return laid(error.node, "raise ", "", indent)
        case For(target=left, source=source, body=body):
            return [*laid(source.node, f"for {target(left.node)} in ", ":", indent), *_inner(body, indent)]
        case If(test=test, body=body, other=other, comment=comment):
            head = _commented(laid(test.node, "if ", ":", indent), comment)
            lines = [*head, *_inner(body, indent)]
            if len(other) == 1 and isinstance(other[0], If):
                first, *rest = _lines(other[0], indent)
                return [*lines, f"{' ' * indent}el{first[indent:]}", *rest]
            return [*lines, f"{' ' * indent}else:", *_inner(other, indent)] if other else lines
        case Within(context=context, body=body):
            return [*laid(context.node, "with ", ":", indent), *_inner(body, indent)]
        case FunctionDef():
            return _function(statement, indent)
        case Class():
            return _class(statement, indent)
        case Import(module=module, name=name, names=names):
            if names:
                return [f"from {module} import {', '.join(names)}"]
            return [f"import {module} as {name}" if name else f"import {module}"]
        case FixedText(text=text):
            return text.strip("\n").split("\n")
        case _:
            raise AssertionError(f"not a statement of emitted files: {statement}")


def _inner(body: Sequence[Statement], indent: int) -> list[str]:
    """The body of a branch or a loop."""
    return rendered(body, indent + STEP, opened=True)


def _commented(lines: list[str], comment: str) -> list[str]:
    if comment and len(lines) == 1 and len(lines[0]) + len(comment) + 4 <= LINE:
        return [f"{lines[0]}  # {comment}"]
    return lines


def fits(statement: Statement, indent: int) -> bool:
    """Whether a statement that holds no others stands on one line."""
    if isinstance(statement, Return) and statement.value is not None and isinstance(statement.value.node, ast.Tuple):
        if len(statement.value.node.elts) > 1 and _longer(statement.value.node, LINE - indent):
            return False
    return len(_lines(statement, indent)) == 1


def _longer(node: ast.expr, most: int) -> bool:
    """Whether the names in an expression alone are longer than that: seen without writing it."""
    left = most
    for part in ast.walk(node):
        left -= len(part.id) if isinstance(part, ast.Name) else len(part.attr) if isinstance(part, ast.Attribute) else 0
        if left < 0:
            return True
    return False


def _returned(value: Code | None, indent: int) -> list[str]:
    if value is None:
        return [" " * indent + "return"]
    if isinstance(value.node, ast.Tuple) and len(value.node.elts) > 1:
        line = f"{' ' * indent}return {target(value.node)}"
        if len(line) <= LINE:
            return [line]
    return laid(value.node, "return ", "", indent)


def _function(function: FunctionDef, indent: int) -> list[str]:
    pad = " " * indent
    lines = [f"{pad}@{decorator}" for decorator in function.decorators]
    items = list(map(_parameter, function.parameters))
    head, tail = f"def {function.name}", f" -> {flat(function.returns.node)}:"
    line = f"{pad}{head}({', '.join(items)}){tail}"
    if len(line) <= LINE or not items:
        lines.append(line)
    else:
        lines += bracketed(f"{head}(", items, f"){tail}", indent)
    return [
        *lines,
        *_doc(function.doc, indent + STEP),
        *rendered(function.body, indent + STEP, opened=bool(function.doc)),
    ]


def _parameter(parameter: Parameter) -> str:
    if parameter.kind is None:
        return parameter.name
    default = "" if parameter.default is None else f" = {flat(parameter.default.node)}"
    return f"{parameter.name}: {flat(parameter.kind.node)}{default}"


def _class(made: Class, indent: int) -> list[str]:
    """Its docstring, what it declares, and its functions, with empty lines between these."""
    lines = [f"{' ' * indent}class {made.name}({flat(made.base.node)}):", *_doc(made.doc, indent + STEP)]
    return [*lines, *([""] if made.doc and made.body else []), *rendered(made.body, indent + STEP)]


def _doc(lines: Sequence[str], indent: int) -> list[str]:
    if not lines:
        return []
    first, *rest = lines
    quoted = [f'"""{first}', *rest, '"""'] if rest else [f'"""{first}"""']
    return [f"{' ' * indent}{line}" if line else "" for line in quoted]
