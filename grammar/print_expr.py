"""Expressions and types as pieces of text, with parentheses where they are needed or where the source has them."""

from __future__ import annotations

from collections.abc import Iterable

from ogive.grammar import syntax as s
from ogive.grammar.layout import Bracketed, Enclosed, Operated, Piece, PipeRows, flat, joined

# How tightly an expression binds: the levels of arch.lark, loosest first.
ANY, CHOICE, OR, AND, NOT, COMPARISON, SUM, PRODUCT, FACTOR, POWER, PRIMARY = range(11)

_BINARY = {
    "or": OR, "and": AND, "+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "//": PRODUCT, "%": PRODUCT, "@": PRODUCT,
    "**": POWER,
}  # fmt: skip


def expr(node: s.Expr) -> str:
    """The text of an expression, on one line."""
    return flat(expression(node))


def expression(node: s.Expr, level: int = ANY) -> Piece:
    """An expression, in parentheses where it binds looser than `level`."""
    own, piece = _expr(node)
    return Enclosed(piece) if own < level else piece


def _operand(node: s.Expr, level: int, whole: s.Expr, product: bool = False) -> Piece:
    """What stands beside an operator of `whole`: parentheses that the source has stay."""
    own, piece = _expr(node, product)
    kept = own < PRIMARY and _parenthesized(node, whole)
    return Enclosed(piece) if own < level or kept else piece


def _parenthesized(node: s.Expr, whole: s.Expr) -> bool:
    """Whether `node` has parentheses of its own within `whole`."""
    text, inner, outer = node.span.chunk.text, node.span, whole.span
    before = text[outer.start : inner.start].rstrip(" \t\n")
    after = text[inner.end : outer.end].lstrip(" \t\n")
    return before.endswith("(") or after.startswith(")")


def _expr(node: s.Expr, product: bool = False) -> tuple[int, Piece]:
    match node:
        case s.Pipe():
            return ANY, _pipe(node)
        case s.Compose(parts=parts):
            first, *rest = (expression(part, PRIMARY) for part in parts)
            return ANY, PipeRows(first, tuple((joined(">> ", part),) for part in rest))
        case s.Conditional(then=then, condition=condition, orelse=orelse):
            choice = (("if", _operand(condition, OR, node)), ("else", _operand(orelse, CHOICE, node)))
            return CHOICE, Operated(_operand(then, OR, node), choice)
        case s.Binary(op="**", left=left, right=right):
            return POWER, joined(_operand(left, PRIMARY, node), "**", _operand(right, FACTOR, node))
        case s.Binary(op="*", left=s.Number(value=int()) as left, right=s.Name() as right) if not product:
            return PRODUCT, joined(expression(left), "*", expression(right))
        case s.Binary(op=op):
            return _BINARY[op], _chain(node, _BINARY[op])
        case s.Unary(op="not", operand=operand):
            return NOT, joined("not ", _operand(operand, NOT, node))
        case s.Unary(op=op, operand=operand):
            return FACTOR, joined(op, _operand(operand, FACTOR, node))
        case s.Compare(op=op, left=left, right=right):
            return COMPARISON, Operated(_operand(left, SUM, node), ((op, _operand(right, SUM, node)),))
    return PRIMARY, _primary(node)


def _chain(node: s.Binary, level: int) -> Operated:
    """`a + b - c`: what associates to the left, as one row."""
    rest: list[tuple[str, Piece]] = []
    product = level == PRODUCT
    at: s.Expr = node
    while True:
        assert isinstance(at, s.Binary)
        rest.append((at.op, _operand(at.right, level + 1, at, product)))
        left = at.left
        if not (isinstance(left, s.Binary) and _BINARY[left.op] == level) or _parenthesized(left, at):
            return Operated(_operand(left, level, at, product), tuple(reversed(rest)))
        at = left


def _pipe(node: s.Pipe) -> PipeRows:
    """A line for each step that has brackets; those without go on with it."""
    rows: list[list[Piece]] = [[]]
    for each in node.stages:
        if not isinstance(each.func, s.Name | s.Attribute):
            rows.append([])
        rows[-1].append(stage(each))
    return PipeRows(expression(node.head, PRIMARY), tuple(tuple(row) for row in rows if row))


def _primary(node: s.Expr) -> Piece:
    match node:
        case s.Name(id=name):
            return name
        case s.Number(value=value):
            return _number(node, value)
        case s.String(value=value):
            return string(value)
        case s.Constant(value=value):
            return {True: "true", False: "false", None: "none"}[value]
        case s.ListExpr(items=items):
            return Bracketed("[", _items(items), "]")
        case s.SetExpr(items=items):
            return Bracketed("{", _items(items), "}")
        case s.TupleExpr(items=items):
            return Bracketed("(", _items(items), ",)" if len(items) == 1 else ")")
        case s.Comprehension(element=element, clauses=clauses):
            rows = tuple(("for", clause(each)) for each in clauses)
            return Bracketed("[", (Operated(expression(element), rows, apart=True),), "]")
        case s.Attribute(base=base, name=name):
            return joined(expression(base, PRIMARY), f".{name}")
        case s.Brackets(base=base, items=items):
            return joined(expression(base, PRIMARY), Bracketed("[", _items(items), "]"))
        case s.Call(func=func, args=args):
            return joined(expression(func, PRIMARY), Bracketed("(", _items(args), ")"))
    raise AssertionError(f"{type(node).__name__} is no expression")


def _number(node: s.Number, value: int | float) -> str:
    """A number as the source has it: 1e-5 is 1e-05 in Python."""
    written = node.span.text
    return written if written[:1].isdigit() else repr(value)


def clause(node: s.Clause) -> Piece:
    """`i in range(n)`, behind `for`."""
    names = ", ".join(node.targets)
    iterable = expression(node.iterable, OR)
    if node.condition is None:
        return joined(f"{names} in ", iterable)
    return joined(f"{names} in ", iterable, " if ", expression(node.condition, OR))


def _items(items: Iterable[s.BracketItem]) -> tuple[Piece, ...]:
    return tuple(map(item, items))


def item(node: s.BracketItem) -> Piece:
    """One item between brackets or parentheses."""
    match node:
        case s.Slice(start=start, stop=stop, step=step):
            parts = [start, stop] if step is None else [start, stop, step]
            return ":".join("" if part is None else expr(part) for part in parts)
        case s.Ellipsis_():
            return "..."
        case s.Splice(value=value):
            return joined("*", expression(value, PRIMARY))
        case s.Keyword(name=name, value=value):
            return joined(f"{name}=", expression(value))
    return expression(node)


def stage(node: s.Stage) -> Piece:
    """`|> f as label`."""
    return joined("|> ", expression(node.func, PRIMARY), "" if node.label is None else f" as {node.label}")


def string(value: str) -> str:
    """A string literal; there are no escapes, so a text cannot hold both kinds of quotes."""
    return f"'{value}'" if '"' in value else f'"{value}"'


def type_(node: s.TypeExpr) -> str:
    """`elem[dims]?`, which stays on a line."""
    elem = "" if node.elem == "float" else node.elem
    return f"{elem}[{', '.join(flat(dim(axis)) for axis in node.dims)}]{'?' * node.optional}"


def dim(node: s.Expr | s.StarDim) -> Piece:
    """One axis of a type."""
    if isinstance(node, s.StarDim):
        return "..." if node.name is None else f"*{node.name}"
    return expression(node)


def block_type(node: s.BlockType) -> Piece:
    """`[*b, d] -> [*b, d]`."""
    return joined(_types(node.inputs), " -> ", _types(node.outputs))


def _types(types: tuple[s.TypeExpr, ...]) -> Piece:
    return type_(types[0]) if len(types) == 1 else Bracketed("(", tuple(map(type_, types)), ")")
