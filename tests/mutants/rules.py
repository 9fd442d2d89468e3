"""What a mutation does to a node of a syntax tree: general rules, which know nothing of the compiler."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from types import MappingProxyType

Rule = Callable[[ast.AST], Iterator[ast.AST]]

COMPARISONS: Mapping[type[ast.cmpop], type[ast.cmpop]] = MappingProxyType(
    {
        ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
        ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    }
)  # fmt: skip
OPERATORS: Mapping[type[ast.operator], type[ast.operator]] = MappingProxyType(
    {
        ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
        ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
    }
)  # fmt: skip
ONE_WAY = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult)  # operands that may not be exchanged
PAIRS = (
    ("add", "sub"), ("mul", "div"), ("maximum", "minimum"), ("max", "min"), ("sum", "mean"), ("exp", "log"),
    ("sin", "cos"), ("sqrt", "rsqrt"), ("lt", "le"), ("gt", "ge"), ("eq", "ne"), ("floor", "round"), ("tril", "triu"),
    ("var", "std"), ("any", "all"), ("zeros", "ones"), ("linear", "matmul"), ("rearrange", "expand"), ("float", "int"),
    ("bool", "float"), ("training", "deployed"), ("Add", "Sub"), ("Mul", "Div"), ("Max", "Min"), ("Floor", "Ceil"),
    ("ReduceSum", "ReduceMean"), ("ReduceMax", "ReduceMin"), ("Less", "LessOrEqual"), ("Greater", "GreaterOrEqual"),
    ("And", "Or"), ("Exp", "Log"), ("Sin", "Cos"), ("Sqrt", "Reciprocal"), ("Abs", "Neg"), ("Unsqueeze", "Squeeze"),
    ("repeat", "scan"), ("over", "each"), ("size", "index"), ("before", "after"), ("weight", "bias"), ("*", "+"),
    ("//", "*"), ("-", "+"), ("/", "*"), ("%", "//"), ("constant", "reflect"), ("edge", "wrap"), ("nearest", "linear"),
)  # fmt: skip
NAMED = frozenset(  # what is said to people, or guards what never is
    ("strict", "span", "doc", "hint", "text", "note", "notes", "reason", "message", "help", "label", "labels")
)
SYMMETRIC = frozenset(
    (
        "add", "mul", "Add", "Mul", "And", "Or", "Max", "Min", "Equal", "max", "min", "gcd", "eq", "equal", "maximum",
        "minimum",
    )
)  # fmt: skip
PARTNERS: Mapping[str, str] = MappingProxyType({a: b for pair in PAIRS for a, b in (pair, pair[::-1])} | dict(PAIRS))


def operands_swapped(node: ast.AST) -> Iterator[ast.AST]:
    """`a - b` is `b - a`, `f(a, b)` is `f(b, a)`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ONE_WAY):
        yield ast.BinOp(node.right, node.op, node.left)
    if isinstance(node, ast.Call) and not any(isinstance(arg, ast.Starred) for arg in node.args):
        for at in range(len(node.args) - 1):
            alike = _text(node.args[at]) == _text(node.args[at + 1])
            if alike and ast.dump(node.args[at]) != ast.dump(node.args[at + 1]) and not _symmetric(node):
                args = [*node.args[:at], node.args[at + 1], node.args[at], *node.args[at + 2 :]]
                yield ast.Call(node.func, args, node.keywords)
    if isinstance(node, ast.IfExp):
        yield ast.IfExp(node.test, node.orelse, node.body)


def dropped(node: ast.AST) -> Iterator[ast.AST]:
    """A call is its operand, a condition one of its parts, a list lacks an entry, a statement is not there."""
    if isinstance(node, ast.Call):
        args = [arg for arg in node.args if not _text(arg) and not isinstance(arg, ast.Starred)]
        yield from args[:1]
        if not node.args and isinstance(node.func, ast.Attribute):
            yield node.func.value
        for at in (at for at, each in enumerate(node.keywords) if each.arg not in NAMED):
            yield ast.Call(node.func, node.args, [*node.keywords[:at], *node.keywords[at + 1 :]])
    if isinstance(node, ast.BoolOp):
        for at in range(len(node.values)):
            rest = [*node.values[:at], *node.values[at + 1 :]]
            yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
    if isinstance(node, ast.UnaryOp) and not isinstance(node.operand, ast.Constant):
        yield node.operand
    if isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
    if isinstance(node, ast.List | ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) > 1:
        for at in (0, len(node.elts) - 1):
            yield type(node)([*node.elts[:at], *node.elts[at + 1 :]], node.ctx)
    if isinstance(node, ast.comprehension) and node.ifs:
        yield ast.comprehension(node.target, node.iter, node.ifs[1:], node.is_async)
    if (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)) or isinstance(node, ast.AugAssign):
        yield ast.Pass()


def comparison_flipped(node: ast.AST) -> Iterator[ast.AST]:
    """`<` is `<=`, `==` is `!=`, `in` is `not in`."""
    if isinstance(node, ast.Compare):
        for at, op in enumerate(node.ops):
            ops = [*node.ops[:at], COMPARISONS[type(op)](), *node.ops[at + 1 :]]
            yield ast.Compare(node.left, ops, node.comparators)


def logic_flipped(node: ast.AST) -> Iterator[ast.AST]:
    """`and` is `or`, an `if` takes its other arm, `True` is `False`."""
    if isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
    if isinstance(node, ast.If) and not isinstance(node.test, ast.Compare):
        changed = copy(node)
        changed.test = ast.UnaryOp(ast.Not(), node.test)
        yield changed
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)


def off_by_one(node: ast.AST) -> Iterator[ast.AST]:
    """A whole number is the next one: a length, an axis, a place."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield ast.Constant(node.value + 1)
        yield ast.Constant(node.value - 1)
    if isinstance(node, ast.Constant) and type(node.value) is float:
        yield ast.Constant(node.value + 1.0)


def arithmetic_changed(node: ast.AST) -> Iterator[ast.AST]:
    """`+` is `-`, `*` is `+`."""
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS and not _text(node.left) and not _text(node.right):
        yield ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
    if isinstance(node, ast.AugAssign) and type(node.op) in OPERATORS:
        yield ast.AugAssign(node.target, OPERATORS[type(node.op)](), node.value)


def word_changed(node: ast.AST) -> Iterator[ast.AST]:
    """The name of an operation, a type or a setting is that of its neighbour."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in PARTNERS:
        yield ast.Constant(PARTNERS[node.value])


def slice_changed(node: ast.AST) -> Iterator[ast.AST]:
    """A slice has no bound, an order is turned around."""
    if isinstance(node, ast.Slice):
        if node.lower is not None:
            yield ast.Slice(None, node.upper, node.step)
        if node.upper is not None:
            yield ast.Slice(node.lower, None, node.step)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("reversed", "sorted"):
        yield ast.Call(ast.Name("list", ast.Load()), node.args[:1], [])


def _symmetric(node: ast.Call) -> bool:
    """Whether the order of the last two arguments means nothing."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    first = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
    return name in SYMMETRIC or first in SYMMETRIC


def _text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


RULES: tuple[Rule, ...] = (
    operands_swapped, dropped, comparison_flipped, logic_flipped, off_by_one, arithmetic_changed, word_changed,
    slice_changed,
)  # fmt: skip
