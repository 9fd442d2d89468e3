"""A list of calls that differ in their settings is one call over a table of these.

`[A(64, 1), A(128, 2), A(256, 2)]` is `A(c, stride) for c, stride in ((64, 1), (128, 2), (256, 2))`. Lists inside of the
items may differ in length: then each row holds a table of their own, or how many they are where nothing else differs.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ogive.backends.python_text.affine import at_number, factor, floored, step_of
from ogive.backends.python_text.expr import LOAD, Code, call, literal, with_parts
from ogive.backends.python_text.names import fresh
from ogive.backends.python_text.pretty import flat

WIDEST = 4  # numbers that are multiples of others are widths: none is less than this
PLAIN = (ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.Tuple)


@dataclass(frozen=True, slots=True)
class SizeArguments:
    """What the first arguments of a function are called, and its settings that calls leave out."""

    arguments: Sequence[str] = ()
    defaults: Mapping[str, float | str] = field(default_factory=dict)


Signatures = Mapping[str, SizeArguments]
NONE_KNOWN = SizeArguments()


@dataclass(frozen=True, slots=True)
class TableColumn:
    """What differs from row to row: the name that stands for it, which no program can have, and its values."""

    place: str
    values: tuple[ast.expr, ...]

    @property
    def node(self) -> ast.expr:
        """The name as an expression."""
        return ast.Name(self.place, LOAD)


def tabulated(items: Sequence[Code], signatures: Signatures, taken: frozenset[str]) -> Code | None:
    """`item for c, stride in ((64, 1), (128, 2))`, where all items are one but for such settings.

    The variables are called as the arguments of what is called, by `signatures`, and none is one of `taken`.
    """
    hints: dict[str, str] = {}
    made = TableColumns(hints, signatures).repeated([[item.node for item in items]])
    if made is None:
        return None
    used = taken.union(*(item.names for item in items))
    stands = {node.id for node in ast.walk(made) if isinstance(node, ast.Name)}
    names: dict[str, str] = {}
    for place, hint in hints.items():
        if place in stands:
            names[place] = fresh(hint, used | set(names.values()))
    return Code(_put(made, {place: ast.Name(variable, LOAD) for place, variable in names.items()}))


@dataclass(slots=True)
class TableColumns:
    """The columns of a table that is being made."""

    hints: dict[str, str]  # what columns could be called, those of tables inside of the rows too
    signatures: Signatures
    found: dict[tuple[str, ...], TableColumn] = field(default_factory=dict)

    def template(self, nodes: Sequence[ast.expr], hint: str = "n") -> ast.expr | None:
        """What expressions have in common, with columns where they differ; None where that is too little."""
        first = nodes[0]
        if all(flat(node) == flat(first) for node in nodes[1:]):
            return first
        if all(map(is_list, nodes)):
            return self._lists(nodes)
        if not all(isinstance(node, PLAIN) for node in nodes):
            return self._call(nodes)
        trial = self._copy()
        inner = trial._operation(nodes, hint)
        new = [column for key, column in trial.found.items() if key not in self.found]
        if inner is not None and len(new) < 2 and all(map(_widths, new)):
            self.found = trial.found
            return inner
        return self._column(nodes, hint).node

    def _copy(self) -> TableColumns:
        return TableColumns(self.hints, self.signatures, dict(self.found))

    def _column(self, values: Sequence[ast.expr], hint: str) -> TableColumn:
        key = tuple(map(flat, values))
        if key not in self.found:
            self.found[key] = TableColumn(self._place(hint), tuple(values))
        return self.found[key]

    def _place(self, hint: str) -> str:
        place = f"<{len(self.hints)}>"
        self.hints[place] = hint
        return place

    def _operation(self, nodes: Sequence[ast.expr], hint: str) -> ast.expr | None:
        sides = [(node.left, node.right) for node in nodes if isinstance(node, ast.BinOp)]
        signs = {type(node.op) for node in nodes if isinstance(node, ast.BinOp)}
        if len(sides) < len(nodes) or len(signs) > 1:
            return None
        left, right = (self.template(side, hint) for side in zip(*sides, strict=True))
        assert left is not None
        assert right is not None
        assert isinstance(nodes[0], ast.BinOp)
        return ast.BinOp(left, nodes[0].op, right)

    def _call(self, nodes: Sequence[ast.expr]) -> ast.expr | None:
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        kinds = {(flat(node.func), len(node.args)) for node in calls}
        if len(calls) < len(nodes) or len(kinds) > 1:
            return None
        first = calls[0]
        known = self.signatures.get(flat(first.func), NONE_KNOWN)
        hints = [*known.arguments, *["n"] * len(first.args)]
        args = [self.template([node.args[at] for node in calls], hints[at]) for at in range(len(first.args))]
        named: dict[str | None, ast.expr | None] = {}
        keys = {each.arg for node in calls for each in node.keywords}
        for key in dict.fromkeys((*known.defaults, *(each.arg for each in first.keywords), *keys)):
            if key not in keys:
                continue
            values = [_setting(node, key, known) for node in calls]
            given = [value for value in values if value is not None]
            named[key] = self.template(given, str(key)) if key and len(given) == len(calls) else None
        if None in args or None in named.values():
            return None
        keywords = [ast.keyword(key, value) for key, value in named.items() if value]
        return ast.Call(first.func, [each for each in args if each], keywords)

    def _lists(self, nodes: Sequence[ast.expr]) -> ast.expr | None:
        """Lists that may differ in length: alike from the first item or the second on, or item by item."""
        functions = [node.func for node in nodes if isinstance(node, ast.Call)]
        if len(set(map(flat, functions))) > 1:
            return None
        lists = [items_of(node) for node in nodes]
        found: list[tuple[int, TableColumns, ast.expr]] = []
        for alone in (0, 1, max(map(len, lists))):
            if min(map(len, lists)) < alone:
                continue
            trial = self._copy()
            heads = [trial.template([items[at] for items in lists]) for at in range(alone)]
            rests = [items[alone:] for items in lists]
            rest = trial.repeated(rests) if any(rests) else None
            if any(head is None for head in heads) or (any(rests) and rest is None):
                continue
            items = [head for head in heads if head] + ([ast.Starred(rest, LOAD)] if rest and alone else [])
            argument = rest if rest and not alone else ast.List(items, LOAD)
            node = ast.Call(functions[0], [argument], [])
            new = [column for key, column in trial.found.items() if key not in self.found]
            found.append((sum(map(_leaves, (node, *(each for one in new for each in one.values)))), trial, node))
        if not found:
            return None
        _, best, made = min(found, key=lambda each: each[0])
        self.found = best.found
        return made

    def repeated(self, lists: Sequence[Sequence[ast.expr]]) -> ast.expr | None:
        """`item for c, stride in rows`: all items of lists, of which each has rows of its own."""
        inner = TableColumns(self.hints, self.signatures)
        item = inner.template([item for items in lists for item in items])
        if item is None:
            return None
        ends = [0]
        for items in lists:
            ends.append(ends[-1] + len(items))
        varying: list[TableColumn] = []
        outer: dict[str, ast.expr] = {}
        for column in inner.found.values():
            own = [column.values[a:b] for a, b in pairwise(ends)]
            if len(lists) == 1 or any(len(set(map(flat, values))) > 1 for values in own):
                varying.append(column)
                continue
            shared = self._shared([values[0] if values else None for values in own], self.hints[column.place])
            if shared is None:
                return None
            outer[column.place] = shared.node
        item = _put(item, outer)
        counted = self._counted(item, varying, ends)
        if counted is not None:
            return counted
        kept, others = _independent(varying)
        sources = [_rows([column.values[a:b] for column in kept]) for a, b in pairwise(ends)]
        source = self.template(sources, "rows" if len(kept) > 1 else f"{self.hints[kept[0].place]}s")
        targets = [column.node for column in kept]
        return source and _each(_put(item, others), targets, source)

    def _counted(self, item: ast.expr, varying: Sequence[TableColumn], ends: Sequence[int]) -> ast.expr | None:
        """`A(c + i * growth) for i in range(n)`, where all that differs inside of the rows grows evenly."""
        index = ast.Name(self._place("i"), LOAD)
        trial = self._copy()
        grown: dict[str, ast.expr] = {}
        for column in varying:
            own = [column.values[a:b] for a, b in pairwise(ends)]
            step = step_of(own)
            first = trial._shared([values[0] if values else None for values in own], self.hints[column.place])
            if step is None or first is None:
                return None
            made = index if flat(step) == "1" else ast.BinOp(index, ast.Mult(), step)
            grown[column.place] = ast.BinOp(first.node if len(own) > 1 else own[0][0], ast.Add(), made)
        source = trial.template([call("range", b - a).node for a, b in pairwise(ends)])
        assert source is not None, ends
        self.found = trial.found
        return _each(_put(item, grown), [index if varying else ast.Name("_", LOAD)], source)

    def _shared(self, values: Sequence[ast.expr | None], hint: str) -> TableColumn | None:
        """The column with these values; where there is none for a row, one that exists and has the others."""
        given = [value for value in values if value is not None]
        if len(given) == len(values):
            return self._column(given, hint)
        for column in self.found.values():
            pairs = zip(column.values, values, strict=True)
            if all(other is None or flat(value) == flat(other) for value, other in pairs):
                return column
        return None


def grown(nodes: Sequence[ast.expr], at: int, period: int, signatures: Signatures) -> ast.expr | None:
    """What the items at `at`, `at + period`, ... of a list have in common, by the number `i` of the item: sizes in
    which they differ grow evenly. None where they differ in another way.
    """
    columns = TableColumns({}, signatures)
    made = columns.template(nodes)
    if made is None:
        return None
    found = {column.place: at_number(column.values, at, period) for column in columns.found.values()}
    values = {place: value for place, value in found.items() if value is not None}
    return _put(made, values) if len(values) == len(found) else None


def _setting(node: ast.Call, key: str | None, known: SizeArguments) -> ast.expr | None:
    given = next((each.value for each in node.keywords if each.arg == key), None)
    return literal(known.defaults[key]).node if given is None and key is not None and key in known.defaults else given


def _each(item: ast.expr, targets: Sequence[ast.expr], source: ast.expr) -> ast.expr:
    target = targets[0] if len(targets) == 1 else ast.Tuple(list(targets), LOAD)
    return ast.GeneratorExp(item, [ast.comprehension(target, source, [], 0)])


def _rows(columns: Sequence[Sequence[ast.expr]]) -> ast.expr:
    """`((64, 1), (128, 2))`; a column alone is `(64, 128)`."""
    if len(columns) == 1:
        return ast.Tuple(list(columns[0]), LOAD)
    return ast.Tuple([ast.Tuple(list(row), LOAD) for row in zip(*columns, strict=True)], LOAD)


def _independent(columns: Sequence[TableColumn]) -> tuple[list[TableColumn], dict[str, ast.expr]]:
    """The columns that are no multiple of another one, and the others by these: `4 * c`."""
    others: dict[str, ast.expr] = {}
    for column in columns:
        for base in columns:
            times = factor(column.values, base.values) if _widths(base) and base.place not in others else None
            if times is not None:
                others[column.place] = ast.BinOp(literal(times).node, ast.Mult(), base.node)
                break
    return [column for column in columns if column.place not in others], others


def _widths(column: TableColumn) -> bool:
    """Whether numbers that are multiples of these hardly are so by chance."""
    numbers = [found.number for value in column.values if (found := floored(value)) is not None]
    return len(numbers) == len(column.values) and all(number is None or number >= WIDEST for number in numbers)


def _put(node: ast.expr, values: Mapping[str, ast.expr]) -> ast.expr:
    """An expression with others for some names, in its targets too."""

    def change(part: ast.expr) -> ast.expr | None:
        return values.get(part.id) if isinstance(part, ast.Name) else None

    return with_parts(Code(node), change).node if values else node


def _leaves(node: ast.AST) -> int:
    return sum(isinstance(each, ast.Name | ast.Constant) for each in ast.walk(node))


def is_list(node: ast.expr) -> bool:
    """Whether it is a call of nothing but a list, `nn.ModuleList([a, b])`."""
    match node:
        case ast.Call(args=[ast.List(elts=items)], keywords=[]):
            return all(isinstance(item, ast.Call) for item in items)
        case _:
            return False


def items_of(node: ast.expr) -> list[ast.expr]:
    """The items of such a list."""
    assert is_list(node), node
    assert isinstance(node, ast.Call)
    assert isinstance(node.args[0], ast.List)
    return node.args[0].elts
