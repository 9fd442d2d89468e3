"""Expressions broken over lines as the standard formatter breaks them."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ogive.backends.python_text.pretty import (
    AND,
    ATOM,
    BINARY,
    BITOR,
    COMPARISONS,
    LINE,
    NOT,
    OR,
    TERNARY,
    UNARY,
    arguments,
    flat,
    item,
    level,
    target,
)

STEP = 4


def bracketed(head: str, items: Sequence[str], tail: str, indent: int) -> list[str]:
    """`def f(a, b) -> c:`, broken after the bracket and then at every comma."""
    pad, inner = " " * indent, " " * (indent + STEP)
    joined = inner + ", ".join(items)
    if len(joined) <= LINE:
        return [pad + head, joined, pad + tail]
    return [pad + head, *(f"{inner}{item}," for item in items), pad + tail]


def laid(node: ast.expr, before: str, after: str, indent: int, *, within: bool = False) -> list[str]:
    """The expression between two texts: on one line, in its own brackets, or in parentheses over several lines.

    `within` brackets operators are broken at as they stand.
    """
    line = " " * indent + before + flat(node) + after
    if len(line) <= LINE:
        return [line]
    if isinstance(node, ast.Starred):
        return laid(node.value, f"{before}*", after, indent)
    if _owns_brackets(node):
        broken = _broken(node, before, after, indent)
        if len(broken[0]) <= LINE:
            return broken
    if not _chain(node) and (lines := _broken_earlier(node, before, after, indent)):
        return lines
    if isinstance(node, ast.Name | ast.Attribute | ast.Constant | ast.JoinedStr):
        inner = " " * (indent + STEP) + flat(node)
        return [" " * indent + before + "(", inner, " " * indent + ")" + after] if len(inner) <= LINE else [line]
    if within and isinstance(node, ast.BinOp | ast.BoolOp | ast.Compare):
        first, *rest = _split(node, indent, most=LINE - len(before) - len(after))
        *lines, last = [f"{' ' * indent}{before}{first[indent:]}", *rest]
        return [*lines, last + after]
    if not _chain(node) and (lines := _last_operand(node, before, after, indent)):
        return lines
    return _parenthesized(node, before, after, indent)


def _broken_earlier(node: ast.expr, before: str, after: str, indent: int) -> list[str] | None:
    """`f(...).g(x)`, `f(...).mT` broken inside the brackets of `f`, where what stands before others is too long."""
    match node:
        case (
            ast.Call(func=ast.Attribute(value=ast.Call(args=args, keywords=named) as inner))
            | ast.Attribute(value=ast.Call(args=args, keywords=named) as inner)
        ) if args or named:
            lines = _broken(inner, before, flat(node)[len(flat(inner)) :] + after, indent)
            return lines if all(len(line) <= LINE for line in lines) else None
        case _:
            return None


def _parenthesized(node: ast.expr, before: str, after: str, indent: int) -> list[str]:
    inner = indent + STEP
    return [" " * indent + before + "(", *_split(node, inner), " " * indent + ")" + after]


def _owns_brackets(node: ast.expr) -> bool:
    match node:
        case ast.Call(args=args, keywords=keywords):
            return bool(args or keywords) and not _chain(node)
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items) | ast.Dict(values=items):
            return bool(items)
        case ast.GeneratorExp() | ast.ListComp() | ast.DictComp():
            return True
        case ast.Subscript():
            return not _chain(node)
        case _:
            return False


def _chain(node: ast.expr) -> bool:
    """Two or more attributes of calls, `x.view(a).permute(b).unbind(0)`, are broken before their dots."""
    return _dots(node) >= 2


def _dots(node: ast.expr) -> int:
    match node:
        case ast.Call(func=ast.Attribute(value=base)) if isinstance(base, ast.Call | ast.Subscript):
            return 1 + _dots(base)
        case ast.Call(func=inner) | ast.Attribute(value=inner) | ast.Subscript(value=inner):
            return _dots(inner)
        case _:
            return 0


def _broken(node: ast.expr, before: str, after: str, indent: int) -> list[str]:
    """The expression broken inside its own brackets."""
    pad, inner = " " * indent, " " * (indent + STEP)
    match node:
        case ast.Call(func=func):
            head, items, tail = f"{flat(func, ATOM)}(", arguments(node), ")"
            parts: list[tuple[str, ast.expr]] = [("", x) for x in node.args]
            parts += [(f"{k.arg}=" if k.arg else "**", k.value) for k in node.keywords]
        case ast.Subscript(value=base, slice=index):
            entries = index.elts if isinstance(index, ast.Tuple) else [index]
            head, tail, parts = f"{flat(base, ATOM)}[", "]", [("", entry) for entry in entries]
            items = [flat(node)[len(head) : -1]] if len(entries) == 1 else [item(entry) for entry in entries]
        case ast.Tuple(elts=elements):
            head, tail, parts, items = "(", ")", [("", x) for x in elements], [flat(x) for x in elements]
        case ast.Set(elts=elements):
            head, tail, parts, items = "{", "}", [("", x) for x in elements], [flat(x) for x in elements]
        case ast.List(elts=elements):
            head, tail, parts, items = "[", "]", [("", x) for x in elements], [flat(x) for x in elements]
        case ast.Dict(keys=keys, values=found):
            parts = [(f"{flat(key)}: " if key else "**", x) for key, x in zip(keys, found, strict=True)]
            head, tail, items = "{", "}", [prefix + flat(x) for prefix, x in parts]
        case ast.GeneratorExp() | ast.ListComp() | ast.DictComp():
            text = flat(node)
            head, tail, parts, items = text[0], text[-1], [("", node)], [text[1:-1]]
        case _:
            return [pad + before + flat(node) + after]
    joined = inner + ", ".join(items)
    first, last = pad + before + head, pad + tail + after
    display = isinstance(node, ast.Tuple | ast.List | ast.Set | ast.Dict)
    if len(joined) <= LINE and not display:
        return [first, joined, last]
    lone = parts[0][1] is node or isinstance(parts[0][1], ast.GeneratorExp)
    if lone and len(parts) == 1:
        return [first, *_comprehension(parts[0][1], indent + STEP), last]
    lines = [first]
    for prefix, part in parts:
        whole = isinstance(part, ast.Slice)
        lines += [f"{inner}{item(part)},"] if whole else laid(part, prefix, ",", indent + STEP, within=True)
    return [*lines, last]


def _comprehension(node: ast.expr, indent: int) -> list[str]:
    text = flat(node)[1:-1]
    if isinstance(node, ast.DictComp):
        key = f"{flat(node.key)}: "
        lines, item = laid(node.value, key, "", indent), key + flat(node.value)
    else:
        assert isinstance(node, ast.GeneratorExp | ast.ListComp)
        lines, item = laid(node.elt, "", "", indent), flat(node.elt)
    loops = " " * indent + text[len(item) + 1 :]
    if len(loops) <= LINE or len(node.generators) > 1 or node.generators[0].ifs:
        return [*lines, loops]
    (loop,) = node.generators
    return [*lines, *laid(loop.iter, f"for {target(loop.target)} in ", "", indent)]


def _last_operand(node: ast.expr, before: str, after: str, indent: int) -> list[str] | None:
    """`x + f(...)` broken inside the brackets of its last operand, where the loosest operator stands alone."""
    match node:
        case ast.BinOp(left=left) if level(left) != level(node):
            head, last, least = _spine(node)
        case ast.BoolOp(op=op, values=[left, last]):
            word, least = ("or", AND) if isinstance(op, ast.Or) else ("and", NOT)
            if any(isinstance(side, ast.BoolOp) and level(side) >= least for side in (left, last)):
                return None
            head = f"{flat(left, least)} {word} "
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            head, last, least = f"{flat(left, BITOR)} {COMPARISONS[type(op)]} ", right, BITOR
        case _:
            return None
    if level(last) < least:
        lines = [" " * indent + before + head + "(", *_split(last, indent + STEP), " " * indent + ")" + after]
    elif _owns_brackets(last):
        lines = _broken(last, before + head, after, indent)
    else:
        return None
    return lines if all(len(line) <= LINE for line in lines) else None


def _spine(node: ast.BinOp) -> tuple[str, ast.expr, int]:
    """The text before the rightmost operand, that operand, and how tightly it must bind."""
    sign, tight = BINARY[type(node.op)]
    least = UNARY if sign == "**" else tight + 1
    space = " " if sign != "**" or f" {sign} " in flat(node) else ""
    head = f"{flat(node.left, ATOM if sign == '**' else tight)}{space}{sign}{space}"
    if isinstance(node.right, ast.BinOp) and level(node.right) >= least:
        inner, last, bound = _spine(node.right)
        return head + inner, last, bound
    return head, node.right, least


def _split(node: ast.expr, indent: int, most: int = LINE) -> list[str]:
    """The expression on its own lines, inside parentheses: at its loosest operators, or before its dots."""
    pad = " " * indent
    if len(pad + flat(node)) <= most:
        return [pad + flat(node)]
    if _chain(node):
        return _links(node, indent)
    lines: list[str] = []
    operands = _operands(node)
    if len(operands) == 1:  # nothing to break at
        return [pad + flat(node)]
    for word, least, operand in operands:
        if level(operand) >= least and isinstance(operand, ast.BinOp) and len(pad + word + flat(operand)) > LINE:
            first, *rest = _split(operand, indent)
            lines += [pad + word + first[indent:], *rest]
        elif level(operand) >= least:
            lines += laid(operand, word, "", indent)
        elif len(line := f"{pad}{word}({flat(operand)})") <= LINE:
            lines.append(line)
        else:
            lines += [f"{pad}{word}(", *_split(operand, indent + STEP), f"{pad})"]
    return lines


def _operands(node: ast.expr) -> list[tuple[str, int, ast.expr]]:
    """The operands of the loosest operators, each with the operator before it and how tightly it must bind."""
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            sign, tight = BINARY[type(op)]
            same = isinstance(left, ast.BinOp) and level(left) == tight and sign != "**"
            return [*(_operands(left) if same else [("", tight, left)]), (f"{sign} ", tight + 1, right)]
        case ast.BoolOp(op=op, values=[first, *rest]):
            word, least = ("or ", AND) if isinstance(op, ast.Or) else ("and ", NOT)
            found: list[tuple[str, int, ast.expr]] = []
            for sign, value in [("", first), *((word, value) for value in rest)]:
                if isinstance(op, ast.Or) and isinstance(value, ast.BoolOp) and isinstance(value.op, ast.And):
                    (_, tight, inner), *more = _operands(value)
                    found += [(sign, tight, inner), *more]
                else:
                    found.append((sign, least, value))
            return found
        case ast.Compare(left=left, ops=ops, comparators=rest):
            pairs = [(f"{COMPARISONS[type(op)]} ", BITOR, x) for op, x in zip(ops, rest, strict=True)]
            return [("", BITOR, left), *pairs]
        case ast.IfExp(test=test, body=body, orelse=other):
            (_, tight, first), *more = _operands(other) if isinstance(other, ast.IfExp) else [("", TERNARY, other)]
            return [("", OR, body), ("if ", OR, test), ("else ", tight, first), *more]
        case _:
            return [("", TERNARY, node)]


def _links(node: ast.expr, indent: int) -> list[str]:
    """A chain of calls, one line for the head and one for each call after it."""
    match node:
        case ast.Call(func=ast.Attribute(value=base, attr=name)) if isinstance(base, ast.Call | ast.Subscript):
            link = ast.Call(ast.Name(f".{name}"), node.args, node.keywords)
            return [*_links(base, indent), *laid(link, "", "", indent)]
        case ast.Subscript(value=base) if _dots(base):
            *lines, last = _links(base, indent)
            return [*lines, last + flat(node)[len(flat(base)) :]]
        case ast.Attribute(value=base, attr=name) if _dots(base):
            *lines, last = _links(base, indent)
            return [*lines, f"{last}.{name}"]
        case _:
            return laid(node, "", "", indent)
