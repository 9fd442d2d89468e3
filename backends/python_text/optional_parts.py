"""Two forms of a block, of which one has what the other lacks, as one class that is told whether it has it.

A shortcut, an activation, a part that widens first: where a block has them by a choice of compile time, its forms are
the same but for some modules and for what is computed with these. Both are read as what they give, as one expression of
their inputs. Where that of the longer form is that of the other with something around parts of it (`relu(y)` for `y`,
`x + y` for `y`), the longer one is written with a condition at each such place.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ogive.backends.python_text.expr import (
    NONE,
    Code,
    both,
    conditional,
    is_given,
    literal,
    name,
    parts_of,
    with_parts,
)
from ogive.backends.python_text.handed_values import literal_of
from ogive.backends.python_text.names import fresh
from ogive.backends.python_text.sections import locals_of
from ogive.backends.python_text.statements import Assign, Class, FunctionDef, If, Parameter, Return, Statement

Told = list[tuple[str, bool | float]]  # what a call says beside what it hands over
BOOL, FLOAT = name("bool"), name("float")
LONGEST = 60  # statements of a function that is read
STEPS = 2000  # of a comparison, which then finds nothing


@dataclass(frozen=True, slots=True)
class WithOptionalPart:
    """A class for two forms, and what the calls of each tell it."""

    made: Class
    longer: Told
    shorter: Told


@dataclass(frozen=True, slots=True, eq=False)
class _Meaning:
    """An expression of the inputs of a function: what it is made of, and the place of the text that it is from.

    Those that say the same have the same number.
    """

    number: int
    label: str
    parts: tuple[_Meaning, ...]
    origin: ast.AST | Statement


@dataclass(slots=True)
class _Difference:
    """What the longer form has beside the shorter: at places of its text, the part that is left; flags of its own."""

    flags: Mapping[str, str]  # by the text of a test, what the class is told
    around: dict[int, int] = field(default_factory=dict)
    told: dict[str, bool] = field(default_factory=dict)
    steps: int = 0

    def matched(self, a: _Meaning, b: _Meaning) -> bool:
        """Whether the second is the first without some of this; notes it."""
        self.steps += 1
        if a.number == b.number or self.steps > STEPS:
            return a.number == b.number
        if a.label == b.label and len(a.parts) == len(b.parts):
            if self._all(zip(a.parts, b.parts, strict=True)):
                return True
        flag = self._flag(a)
        if flag is not None:
            return any(
                self.told.get(flag, chosen) == chosen and self._all([(part, b)], told=(flag, chosen))
                for part, chosen in ((a.parts[2], False), (a.parts[1], True))
            )
        return any(self._all([(part, b)], around=(id(a.origin), at)) for at, part in reversed(list(enumerate(a.parts))))

    def _flag(self, a: _Meaning) -> str | None:
        """What decides which part of a choice it is, where the class is told that."""
        if a.label not in ("IfExp", "if"):
            return None
        test = a.parts[0].origin
        first = test.values[0] if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else test
        return self.flags.get(Code(first).text) if isinstance(first, ast.expr) else None

    def _all(
        self,
        pairs: Iterable[tuple[_Meaning, _Meaning]],
        around: tuple[int, int] | None = None,
        told: tuple[str, bool] | None = None,
    ) -> bool:
        before = dict(self.around), dict(self.told)
        if around is not None:
            self.around[around[0]] = around[1]
        if told is not None:
            self.told[told[0]] = told[1]
        if all(self.matched(x, y) for x, y in pairs):
            return True
        self.around, self.told = before
        return False


def with_optional_part(
    longer: Statement, shorter: Statement, taken: Collection[str], *, has: bool
) -> WithOptionalPart | None:
    """The class for two; None where the second is not the first without a part.

    `taken` are names of attributes; `has` is whether it has the part if a call does not say.
    """
    mine, other = _methods(longer), _methods(shorter)
    if not isinstance(longer, Class) or mine.keys() != other.keys() or not {"__init__", "forward"} <= mine.keys():
        return None
    if any(mine[each] != other[each] for each in mine if each not in ("__init__", "forward")):
        return None
    (init, forward), (short_init, short) = ((each["__init__"], each["forward"]) for each in (mine, other))
    if (forward.parameters, forward.returns, forward.decorators) != (short.parameters, short.returns, short.decorators):
        return None
    forward = forward.changed(lambda code: Code(_own(code.node)))  # a place is a node, and texts share nodes
    count = len(short_init.parameters)
    more, extra = init.parameters[count:], _inserted(init.body, short_init.body)
    reader = _Reader()
    first, second = reader.returned(forward.body), reader.returned(short.body)
    if init.parameters[:count] != short_init.parameters or extra is None or first is None or second is None:
        return None
    found = _Difference(_flags(more))
    if not found.matched(first, second) or not (found.around or found.told):
        return None
    told: Told = [(each.name, found.told.get(each.name, False if each.kind == BOOL else 0.0)) for each in more]
    if any(each.kind not in (BOOL, FLOAT) for each in more):
        return None
    unasked = [each for each in extra if not _untold(each, found.told)]
    init = init.but(parameters=(*init.parameters[:count], *map(_with_default, more)))
    told = [(key, value) for key, value in told if value != _default(init, key)]
    if not found.around:
        return None if unasked else WithOptionalPart(longer, [], told)
    made = _Telling(longer, init, forward, unasked, found.around, taken, has).made()
    if made is None:
        return None
    statement, flag = made
    return WithOptionalPart(statement, [] if has else [(flag, True)], [*told, (flag, False)] if has else told)


def _with_default(parameter: Parameter) -> Parameter:
    return parameter if parameter.default else Parameter(parameter.name, parameter.kind, literal(0.0))


def _default(function: FunctionDef, key: str) -> object:
    default = next(each.default for each in function.parameters if each.name == key)
    return None if default is None else literal_of(default.node)


def _methods(made: Statement) -> dict[str, FunctionDef]:
    body = made.body if isinstance(made, Class) else ()
    return {each.name: each for each in body if isinstance(each, FunctionDef)}


def _flags(parameters: Sequence[Parameter]) -> dict[str, str]:
    """How a class asks for what it is told."""
    flags = [each.name for each in parameters if each.kind == BOOL]
    asked = {is_given(name(f"self.{each}")).text: each for each in flags}
    return {**{f"self.{each}": each for each in flags}, **asked}


def _inserted(mine: Sequence[Statement], other: Sequence[Statement]) -> list[Statement] | None:
    """The statements that the first has beside those of the second."""
    left, found = list(other), []
    for each in mine:
        if left and each == left[0]:
            del left[0]
        else:
            found.append(each)
    return None if left else found


def _untold(statement: Statement, told: Mapping[str, bool]) -> bool:
    """Whether a statement of a constructor stores what it is handed, or makes nothing where it is told so."""
    match statement:
        case Assign(value=value) if isinstance(value.node, ast.IfExp):
            return told.get(Code(value.node.test).text) is False
        case Assign(value=value):
            return isinstance(value.node, ast.Name)
        case If(test=test):
            return told.get(test.text) is False
        case _:
            return False


class _Reader:
    """Reads what functions return."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[object, ...], int] = {}

    def returned(self, body: Sequence[Statement]) -> _Meaning | None:
        """What a function returns; None for what is not plain assignments and branches of such, or too long."""
        known: dict[str, _Meaning] = {}
        for each in body if len(body) <= LONGEST else ():
            if isinstance(each, Return) and each.value is not None:
                return self._of(each.value.node, known)
            if not self._assigned(each, known):
                return None
        return None

    def _made(self, label: str, parts: tuple[_Meaning, ...], origin: ast.AST | Statement) -> _Meaning:
        key = label, *(part.number for part in parts)
        return _Meaning(self.numbers.setdefault(key, len(self.numbers)), label, parts, origin)

    def _of(self, node: ast.AST, known: Mapping[str, _Meaning]) -> _Meaning:
        if isinstance(node, ast.Name) and node.id in known:
            return known[node.id]
        words = [repr(getattr(node, each, None)) for each in node._fields if each in ("id", "attr", "arg", "value")]
        words = words if isinstance(node, ast.Constant) else [word for word in words if word[0] in "'\""]
        label = " ".join([type(node).__name__, *words])
        return self._made(label, tuple(self._of(part, known) for part in _parts(node)), node)

    def _assigned(self, statement: Statement, known: dict[str, _Meaning]) -> bool:
        match statement:
            case Assign(target=target, value=value) if isinstance(target.node, ast.Name):
                known[target.node.id] = self._of(value.node, known)
                return True
            case Assign(target=target, value=value) if isinstance(target.node, ast.Tuple):
                whole = self._of(value.node, known)
                for at, item in enumerate(target.node.elts):
                    if isinstance(item, ast.Name):
                        known[item.id] = self._made(f"part {at} of", (whole,), item)
                return True
            case If():
                return self._chosen(statement, known)
            case _:
                return False

    def _chosen(self, statement: If, known: dict[str, _Meaning]) -> bool:
        inside, outside = dict(known), dict(known)
        if not all(self._assigned(each, inside) for each in statement.body):
            return False
        if not all(self._assigned(each, outside) for each in statement.other):
            return False
        condition = self._of(statement.test.node, known)
        for variable in inside.keys() & outside.keys():
            one, other = inside[variable], outside[variable]
            known[variable] = (
                one if one.number == other.number else self._made("if", (condition, one, other), statement)
            )
        return True


def _own(value: Any) -> Any:
    """An expression of nodes that nothing else has."""
    if isinstance(value, list):
        return [_own(each) for each in value]
    if not isinstance(value, ast.AST) or isinstance(value, ast.expr_context | ast.operator | ast.unaryop | ast.cmpop):
        return value
    return type(value)(**{each: _own(getattr(value, each)) for each in value._fields if hasattr(value, each)})


def _parts(node: ast.AST) -> list[ast.AST]:
    return [part for part in parts_of(node) if not isinstance(part, ast.expr_context)]


def _put(whole: ast.expr, old: ast.expr, new: Code) -> Code:
    """An expression with another one in the place of a part of it."""
    return with_parts(Code(whole), lambda node: new.node if node is old else None)


class _Telling:
    """Writes the longer form with a condition around what the shorter one lacks."""

    def __init__(
        self,
        longer: Class,
        init: FunctionDef,
        forward: FunctionDef,
        extra: Sequence[Statement],
        around: Mapping[int, int],
        taken: Collection[str],
        has: bool,
    ) -> None:
        self.longer, self.init, self.forward, self.around = longer, init, forward, around
        self.others, self.has = extra, has
        stored = {each.target.text.removeprefix("self.") for each in init.body if isinstance(each, Assign)}
        self.variables = {*locals_of(init), *init.uses}
        self.attributes = {*taken, *self.variables, *stored}

    def made(self) -> tuple[Class, str] | None:
        """The class, and what it is told by."""
        modules = {each.target.text: each for each in self.others if isinstance(each, Assign)}
        if len(modules) < len(self.others) or not all(isinstance(m.value.node, ast.Call) for m in modules.values()):
            return None
        nodes = [node for node in self._nodes(self.forward.body) if id(node) in self.around]
        called = [Code(node.func).text for node in nodes if isinstance(node, ast.Call)]
        added = any(isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) for node in nodes)
        member = None if added else next((each for each in called if each in modules), None)
        words = "residual" if added else (member or (called[0] if called else "whole")).rpartition(".")[2]
        flag = fresh(words, self.attributes if member is None else self.variables)
        forward = self._forward(name(f"self.{flag}") if member is None else is_given(name(member)))
        if forward is None:
            return None
        changed = {"__init__": self._init(flag, member), "forward": forward}
        body = (changed.get(each.name, each) if isinstance(each, FunctionDef) else each for each in self.longer.body)
        return self.longer.but(body=tuple(body)), flag

    def _nodes(self, body: Sequence[Statement]) -> Iterator[ast.AST]:
        for each in body:
            for value in each.values:
                yield from ast.walk(value.node)
            for inner in each.bodies:
                yield from self._nodes(inner)

    def _forward(self, test: Code) -> FunctionDef | None:
        body: list[Statement] = []
        used = set(locals_of(self.forward))
        met: set[int] = set()
        for each in self.forward.body:
            value = each.values[0].node if isinstance(each, Assign | Return) and each.values else None
            if isinstance(each, If) and self.around.get(id(each)) == 2 and not each.other:
                met.add(id(each))
                body.append(each.but(test=both(test, each.test)))
            elif value is not None and id(value) in self.around:
                left: ast.AST = value
                while id(left) in self.around:
                    met.add(id(left))
                    left = _parts(left)[self.around[id(left)]]
                if not isinstance(left, ast.expr):
                    return None
                kept = Code(left)
                if not isinstance(left, ast.Name):
                    kept = name(fresh("y", used))
                    used.add(kept.text)
                    body.append(Assign(kept, Code(left), "", True))
                told = conditional(_put(value, left, kept), test, kept)
                body.append(each.but(value=told, **({"comment": ""} if isinstance(each, Assign) else {})))
            else:
                body.append(each)
        return self.forward.but(body=tuple(body)) if met == self.around.keys() else None

    def _init(self, flag: str, member: str | None) -> FunctionDef:
        body: list[Statement] = []
        for each in self.init.body:
            if not any(each is other for other in self.others):
                body.append(each)
            elif isinstance(each, Assign) and each.target.text == member:
                body.append(each.but(value=conditional(each.value, name(flag), NONE)))
            elif body and isinstance(body[-1], If) and body[-1].test == name(flag):
                body[-1] = body[-1].but(body=(*body[-1].body, each))
            else:
                body.append(If(name(flag), (each,)))
        if member is None:
            body.insert(1, Assign(name(f"self.{flag}"), name(flag)))
        parameters = (*self.init.parameters, Parameter(flag, BOOL, literal(self.has)))
        return self.init.but(parameters=parameters, body=tuple(body))
