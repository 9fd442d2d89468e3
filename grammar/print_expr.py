"""Expressions and types as text, with the fewest parentheses."""

from __future__ import annotations

from ogive.grammar import syntax as s

# How tightly an expression binds: the levels of arch.lark, loosest first.
ANY, CHOICE, OR, AND, NOT, COMPARISON, SUM, PRODUCT, FACTOR, POWER, PRIMARY = range(11)

_BINARY = {
    "or": OR, "and": AND, "+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "//": PRODUCT, "%": PRODUCT, "@": PRODUCT,
    "**": POWER,
}  # fmt: skip


def expr(node: s.Expr, level: int = ANY) -> str:
    """The text of an expression, in parentheses where it binds looser than `level`."""
    own, text = _expr(node)
    return f"({text})" if own < level else text


def _expr(node: s.Expr) -> tuple[int, str]:
    match node:
        case s.Pipe(head=head, stages=stages):
            return ANY, " ".join([expr(head, PRIMARY), *map(stage, stages)])
        case s.Compose(parts=parts):
            return ANY, " >> ".join(expr(part, PRIMARY) for part in parts)
        case s.Conditional(then=then, condition=condition, orelse=orelse):
            return CHOICE, f"{expr(then, OR)} if {expr(condition, OR)} else {expr(orelse, CHOICE)}"
        case s.Binary(op="**", left=left, right=right):
            return POWER, f"{expr(left, PRIMARY)}**{expr(right, FACTOR)}"
        case s.Binary(op="*", left=s.Number() as left, right=s.Name() as right):
            return PRODUCT, f"{expr(left)}*{expr(right)}"
        case s.Binary(op=op, left=left, right=right):
            level = _BINARY[op]
            return level, f"{expr(left, level)} {op} {expr(right, level + 1)}"
        case s.Unary(op="not", operand=operand):
            return NOT, f"not {expr(operand, NOT)}"
        case s.Unary(op=op, operand=operand):
            return FACTOR, f"{op}{expr(operand, FACTOR)}"
        case s.Compare(op=op, left=left, right=right):
            return COMPARISON, f"{expr(left, SUM)} {op} {expr(right, SUM)}"
    return PRIMARY, _primary(node)


def _primary(node: s.Expr) -> str:
    match node:
        case s.Name(id=name):
            return name
        case s.Number(value=value):
            return repr(value)
        case s.String(value=value):
            return string(value)
        case s.Constant(value=value):
            return {True: "true", False: "false", None: "none"}[value]
        case s.ListExpr(items=items):
            return f"[{commas(items)}]"
        case s.SetExpr(items=items):
            return f"{{{commas(items)}}}"
        case s.TupleExpr(items=items):
            return f"({commas(items)}{',' * (len(items) == 1)})"
        case s.Comprehension():
            return _comprehension(node)
        case s.Attribute(base=base, name=name):
            return f"{expr(base, PRIMARY)}.{name}"
        case s.Brackets(base=base, items=items):
            return f"{expr(base, PRIMARY)}[{commas(items)}]"
        case s.Call(func=func, args=args):
            return f"{expr(func, PRIMARY)}({commas(args)})"
    raise AssertionError(f"{type(node).__name__} is no expression")


def _comprehension(node: s.Comprehension) -> str:
    return f"[{expr(node.element)}{''.join(map(_clause, node.clauses))}]"


def _clause(node: s.Clause) -> str:
    condition = "" if node.condition is None else f" if {expr(node.condition, OR)}"
    return f" for {', '.join(node.targets)} in {expr(node.iterable, OR)}{condition}"


def commas(items: tuple[s.BracketItem, ...]) -> str:
    """Items between brackets or parentheses."""
    return ", ".join(map(item, items))


def item(node: s.BracketItem) -> str:
    """One item between brackets or parentheses."""
    match node:
        case s.Slice(start=start, stop=stop, step=step):
            parts = [start, stop] if step is None else [start, stop, step]
            return ":".join("" if part is None else expr(part) for part in parts)
        case s.Ellipsis_():
            return "..."
        case s.Splice(value=value):
            return f"*{expr(value, PRIMARY)}"
        case s.Keyword(name=name, value=value):
            return f"{name}={expr(value)}"
    return expr(node)


def stage(node: s.Stage) -> str:
    """`|> f as label`."""
    return f"|> {expr(node.func, PRIMARY)}" + ("" if node.label is None else f" as {node.label}")


def string(value: str) -> str:
    """A string literal; there are no escapes, so a text cannot hold both kinds of quotes."""
    return f"'{value}'" if '"' in value else f'"{value}"'


def type_(node: s.TypeExpr) -> str:
    """`elem[dims]?`."""
    elem = "" if node.elem == "float" else node.elem
    return f"{elem}[{', '.join(map(dim, node.dims))}]{'?' * node.optional}"


def dim(node: s.Expr | s.StarDim) -> str:
    """One axis of a type."""
    if isinstance(node, s.StarDim):
        return "..." if node.name is None else f"*{node.name}"
    return expr(node)


def block_type(node: s.BlockType) -> str:
    """`[*b, d] -> [*b, d]`."""
    return f"{_types(node.inputs)} -> {_types(node.outputs)}"


def _types(types: tuple[s.TypeExpr, ...]) -> str:
    return type_(types[0]) if len(types) == 1 else f"({', '.join(map(type_, types))})"
