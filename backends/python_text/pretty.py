"""Python expressions in the layout of the standard formatter (ruff, black): spaces, parentheses, line breaks."""

from __future__ import annotations

import ast

LINE = 88

TERNARY, OR, AND, NOT, COMPARE, BITOR, BITXOR, BITAND, SHIFT, SUM, PRODUCT, UNARY, POWER, ATOM = range(14)

BINARY: dict[type[ast.operator], tuple[str, int]] = {
    ast.Add: ("+", SUM), ast.Sub: ("-", SUM), ast.Mult: ("*", PRODUCT), ast.Div: ("/", PRODUCT),
    ast.FloorDiv: ("//", PRODUCT), ast.Mod: ("%", PRODUCT), ast.MatMult: ("@", PRODUCT), ast.Pow: ("**", POWER),
    ast.BitAnd: ("&", BITAND), ast.BitOr: ("|", BITOR), ast.BitXor: ("^", BITXOR),
    ast.LShift: ("<<", SHIFT), ast.RShift: (">>", SHIFT),
}  # fmt: skip
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip
TIGHT = frozenset((ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.Constant))
PREFIXES: dict[type[ast.unaryop], str] = {ast.USub: "-", ast.UAdd: "+", ast.Invert: "~", ast.Not: "not "}


def level(node: ast.expr) -> int:
    """How tightly an expression binds."""
    if type(node) in TIGHT:
        return ATOM
    match node:
        case ast.IfExp() | ast.Lambda() | ast.Starred():
            return TERNARY
        case ast.BoolOp(op=op):
            return OR if isinstance(op, ast.Or) else AND
        case ast.Compare():
            return COMPARE
        case ast.BinOp(op=op):
            return BINARY[type(op)][1]
        case ast.UnaryOp(op=op):
            return NOT if isinstance(op, ast.Not) else UNARY
        case _:
            return ATOM


def flat(node: ast.expr, least: int = TERNARY) -> str:
    """The expression on one line, in parentheses where it binds more loosely than `least`."""
    text = _flat(node)
    return text if least == TERNARY or level(node) >= least else f"({text})"


def _flat(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Constant(value=value):
            return constant(value)
        case ast.Attribute(value=base, attr=attr):
            number = isinstance(base, ast.Constant) and isinstance(base.value, int)
            return f"({flat(base)}).{attr}" if number else f"{flat(base, ATOM)}.{attr}"
        case ast.Call(func=func):
            return f"{flat(func, ATOM)}({', '.join(arguments(node))})"
        case ast.Subscript(value=base, slice=index):
            return f"{flat(base, ATOM)}[{_index(index)}]"
        case ast.BinOp():
            return _binary(node)
        case ast.UnaryOp(op=op, operand=operand):
            power = isinstance(operand, ast.BinOp) and isinstance(operand.op, ast.Pow)
            return PREFIXES[type(op)] + flat(operand, NOT if isinstance(op, ast.Not) else ATOM if power else UNARY)
        case ast.BoolOp(op=op, values=values):
            word, least = (" or ", AND) if isinstance(op, ast.Or) else (" and ", NOT)
            return word.join(flat(value, least) for value in values)
        case ast.Compare(left=left, ops=ops, comparators=rest):
            pairs = (f" {COMPARISONS[type(op)]} {flat(x, BITOR)}" for op, x in zip(ops, rest, strict=True))
            return flat(left, BITOR) + "".join(pairs)
        case _:
            return _structure(node)


def _structure(node: ast.expr) -> str:
    """Displays, ternaries, comprehensions and the rest."""
    match node:
        case ast.IfExp(test=test, body=body, orelse=other):
            return f"{flat(body, OR)} if {flat(test, OR)} else {flat(other)}"
        case ast.Tuple(elts=items):
            return f"({', '.join(map(flat, items))}{',' if len(items) == 1 else ''})"
        case ast.List(elts=items):
            return f"[{', '.join(map(flat, items))}]"
        case ast.Set(elts=items):
            return f"{{{', '.join(map(flat, items))}}}"
        case ast.Dict(keys=keys, values=values):
            pairs = (f"{flat(k) if k else '**'}{': ' if k else ''}{flat(v)}" for k, v in zip(keys, values, strict=True))
            return f"{{{', '.join(pairs)}}}"
        case ast.Starred(value=value):
            return "*" + flat(value, BITOR)
        case ast.GeneratorExp(elt=each, generators=loops):
            return f"({flat(each)}{_loops(loops)})"
        case ast.ListComp(elt=each, generators=loops):
            return f"[{flat(each)}{_loops(loops)}]"
        case ast.Lambda(args=args, body=body):
            names = ", ".join(arg.arg for arg in args.args)
            return f"lambda{' ' if names else ''}{names}: {flat(body)}"
        case ast.DictComp(key=key, value=value, generators=loops):
            return f"{{{flat(key)}: {flat(value)}{_loops(loops)}}}"
        case ast.JoinedStr(values=parts):
            return f'f"{"".join(map(_formatted, parts))}"'
        case ast.Slice():
            return item(node)
        case _:
            raise AssertionError(f"not an expression of emitted files: {ast.dump(node)}")


def _formatted(part: ast.expr) -> str:
    """A part of an f-string."""
    if isinstance(part, ast.FormattedValue):
        return f"{{{flat(part.value)}}}"
    assert isinstance(part, ast.Constant), part
    return str(part.value).translate(ESCAPED)


ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "{": "{{", "}": "}}", "\n": "\\n"})


def constant(value: object) -> str:
    """A literal: strings in double quotes, exponents without a leading zero."""
    if isinstance(value, str):
        body = repr(value)[1:-1]
        quoted = body.replace("\\'", "'") if "'" in value else body
        return f'"{quoted}"' if '"' not in value else repr(value)
    if isinstance(value, float):
        return repr(value).replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    return "..." if value is ... else repr(value)


def arguments(node: ast.Call) -> list[str]:
    """The arguments of a call; a lone generator needs no parentheses of its own."""
    if len(node.args) == 1 and not node.keywords and isinstance(node.args[0], ast.GeneratorExp):
        return [flat(node.args[0])[1:-1]]
    named = (f"{k.arg}={flat(k.value)}" if k.arg else f"**{flat(k.value, BITOR)}" for k in node.keywords)
    return [*map(flat, node.args), *named]


def _loops(loops: list[ast.comprehension]) -> str:
    return "".join(
        f" for {target(loop.target)} in {flat(loop.iter, OR)}" + "".join(f" if {flat(c, OR)}" for c in loop.ifs)
        for loop in loops
    )


def target(node: ast.expr) -> str:
    """What stands left of `=` or after `for`: a tuple of several has no parentheses."""
    return ", ".join(map(flat, node.elts)) if isinstance(node, ast.Tuple) and len(node.elts) > 1 else flat(node)


def _binary(node: ast.BinOp) -> str:
    sign, tight = BINARY[type(node.op)]
    if sign == "**":
        joined = not isinstance(node.left, ast.UnaryOp) and _simple(node.left) and _simple(node.right)
        space = "" if joined else " "
        return f"{flat(node.left, ATOM)}{space}**{space}{flat(node.right, UNARY)}"
    return f"{flat(node.left, tight)} {sign} {flat(node.right, tight + 1)}"


def _simple(node: ast.expr) -> bool:
    """An operand that the formatter joins to `**` and `:` without spaces."""
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _simple(operand)
        case ast.Attribute(value=base):
            return isinstance(base, ast.Name | ast.Attribute) and _simple(base)
        case _:
            return isinstance(node, ast.Name) or (
                isinstance(node, ast.Constant) and isinstance(node.value, int | float | complex | None)
            )


def _index(node: ast.expr) -> str:
    if isinstance(node, ast.Tuple) and node.elts:
        return ", ".join(map(item, node.elts)) + ("," if len(node.elts) == 1 else "")
    return item(node)


def item(node: ast.expr) -> str:
    """A slice: the colon has spaces where a bound is more than a name or a number."""
    if not isinstance(node, ast.Slice):
        return flat(node)
    bounds = [node.lower, node.upper] + ([node.step] if node.step else [])
    spaced = any(bound is not None and not _lone(bound) for bound in bounds)
    text = flat(bounds[0]) if bounds[0] else ""
    for bound in bounds[1:]:
        text += " :" if spaced and text else ":"
        text += (" " if spaced and bound else "") + (flat(bound) if bound else "")
    return text


def _lone(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not):
        node = node.operand
    return isinstance(node, ast.Name | ast.Constant)
