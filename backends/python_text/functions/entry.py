"""What the root module asks before it runs: each input as it is declared, then the conditions on sizes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ogive.backends.python_text.expr import (
    DOTS,
    Code,
    binary,
    both,
    call,
    either,
    is_given,
    list_of,
    literal,
    name,
    prefix,
    starred,
    tuple_of,
)
from ogive.backends.python_text.fstrings import Insertions
from ogive.backends.python_text.functions.writer import Writer
from ogive.backends.python_text.size_exprs import size_code
from ogive.backends.python_text.size_origins import SizeOrigin, origins
from ogive.backends.python_text.size_sources import axis_of, place, solved
from ogive.backends.python_text.statements import Evaluate, If, Raise, Statement
from ogive.compiler.ir.model import Value
from ogive.compiler.ir.types import Axis
from ogive.compiler.ir_tools.entry import axis_text, declared, unmet
from ogive.compiler.sizes import Condition, Size, Unknown, size
from ogive.compiler.sizes.condition import SizeComparison


@dataclass(slots=True)
class EntryChecks:
    """The checks of the root, whose statics have these numbers in the model at hand."""

    writer: Writer
    numbers: Mapping[Unknown, Size]
    later: list[Statement] = field(default_factory=list)  # what is asked once all shapes are read
    told: dict[Unknown, SizeOrigin] = field(default_factory=dict)  # sizes that only inputs tell which may be left out

    def write(self, conditions: Sequence[Condition]) -> tuple[Statement, ...]:
        """The statements that follow the reading of shapes; those before it go to the head of each input."""
        shapes = self.writer.scope.shapes
        self.writer.helper("expect")
        there = {*shapes.known, *shapes.origins}
        alone = origins([value for _, value in shapes.maybe], frozenset(there))
        self.told = {unknown: origin for unknown, origin in alone.items() if unknown not in there}
        for at, (tensor, value) in enumerate(shapes.inputs):
            early = {u for u, origin in shapes.origins.items() if origin.alone and origin.at < at}
            tells = _tells(at, value, shapes.origins, shapes.known)
            codes = self._codes(value, tells, shapes.origins, {*shapes.known, *early}, shapes.inputs[:at])
            shapes.checks[at] = [self._expect(tensor, value, codes)]
            self._late(tensor, value, tells, shapes.origins, codes)
        for at, (tensor, value) in enumerate(shapes.maybe):
            tells = _tells(at, value, self.told, shapes.known)
            codes = self._codes(value, tells, self.told, there, shapes.inputs)
            self._given([tensor], self._expect(tensor, value, codes))
            self._late(tensor, value, tells, self.told, codes)
        for condition in conditions:
            self._condition(condition)
        return tuple(self.later)

    # sizes

    def _name(self, unknown: Unknown) -> Code:
        """A size that is known when the module is made, else that of an input."""
        shapes = self.writer.scope.shapes
        if unknown in shapes.known:
            return shapes.attribute(unknown)
        origin = self.told.get(unknown)
        if origin is None:
            return shapes.name(unknown)
        tensor, value = shapes.maybe[origin.at]
        return solved(axis_of(tensor, place(value, origin.axis)), origin, self._name)

    def _code(self, whole: Size) -> Code:
        return size_code(whole, self._name)

    # inputs

    def _codes(
        self,
        value: Value,
        tells: Sequence[Unknown | None],
        told: Mapping[Unknown, SizeOrigin],
        sizes: Collection[Unknown],
        before: Sequence[tuple[str, Value]],
    ) -> list[Code | None]:
        """The axes of an input by sizes that are there already: a size, or -n for a multiple of n."""
        found: list[Code | None] = []
        for axis, unknown in zip(value.type.axes, tells, strict=True):
            if axis.pack is not None:
                there = any(each.pack == axis.pack for _, value in before for each in value.type.axes)
                found.append(self.writer.pack(axis.pack) if there else None)
            elif unknown is None:
                found.append(self._code(axis.size) if axis.size.unknowns <= set(sizes) else None)
            else:
                slope, rest = told[unknown].slope, told[unknown].rest
                multiple = unknown.low == 1 and rest is size(0) and slope.unknowns <= set(sizes)
                found.append(prefix("-", self._code(slope)) if multiple else None)
        return found

    def _expect(self, tensor: str, value: Value, codes: Sequence[Code | None], *, late: bool = False) -> Evaluate:
        """`expect("x: [b, 4]", x, -1, 4)`."""
        elem = value.type.elem
        kinds = None if elem == "float" else self.writer.file.idioms.kinds(elem)
        sizes = self._sizes(tensor, value, codes, late=late, asked=True)
        return Evaluate(call("expect", self._declared(value), name(tensor), *sizes, kinds=kinds))

    def _sizes(
        self, tensor: str, value: Value, codes: Sequence[Code | None], *, late: bool, asked: bool = False
    ) -> list[Code]:
        """The axes as arguments; where nothing is known, or nothing more, they are open. `asked` is whether `...` may
        stand for a pack: nothing is known of the input yet, not even that it is a tensor.
        """
        found: list[Code] = []
        for axis, code in zip(value.type.axes, codes, strict=True):
            low = axis.size.range[0]
            open_ = literal(-1 if not late and low is not None and low >= 1 else None)
            if axis.pack is not None and code is None and open_ == literal(-1) and asked:
                open_ = DOTS
            elif axis.pack is not None:  # all axes that the others leave
                others, rank = len(value.type.axes) - 1, self.writer.file.idioms.rank(name(tensor))
                open_ = starred(binary(list_of([open_]), "*", binary(rank, "-", others) if others else rank))
            found.append(open_ if code is None else code)
        return found

    def _late(
        self,
        tensor: str,
        value: Value,
        tells: Sequence[Unknown | None],
        told: Mapping[Unknown, SizeOrigin],
        codes: Sequence[Code | None],
    ) -> None:
        """Axes that are expressions of sizes that stand behind them, or that tell a size up to a rest."""
        shapes, optional = self.writer.scope.shapes, told is self.told
        found: dict[tuple[str, ...], list[Code | None]] = {}
        for at, (axis, unknown, code) in enumerate(zip(value.type.axes, tells, codes, strict=True)):
            others = axis.size.unknowns - {unknown}
            if code is not None or axis.pack is not None or not others <= {*shapes.known, *shapes.origins, *self.told}:
                continue  # said already, or told by an argument
            given = [tensor] if optional else []
            given += [shapes.maybe[n][0] for n in sorted({self.told[u].at for u in others & self.told.keys()})]
            if unknown is None:
                late = found.setdefault(tuple(dict.fromkeys(given)), [None] * len(codes))
                late[at] = self._code(axis.size)
            else:
                self._rest(tensor, value, at, unknown, told[unknown], tuple(dict.fromkeys(given)))
        for needs, late in found.items():
            self._given(needs, self._expect(tensor, value, late, late=True))

    def _rest(
        self, tensor: str, value: Value, at: int, unknown: Unknown, origin: SizeOrigin, given: Sequence[str]
    ) -> None:
        """An axis `2*n + 1` tells `n`, if it is 3, 5, 7, ..."""
        whole = axis_of(tensor, place(value, at))
        low, even = origin.slope * size(unknown.low or 0) + origin.rest, origin.rest is size(0)
        tests = [] if even or (low.is_number and low.number <= 1) else [binary(whole, "<", self._code(low))]
        if origin.slope is not size(1):
            top = whole if even else binary(whole, "-", self._code(origin.rest))
            tests.append(binary(top, "%", self._code(origin.slope)))
        if not tests:
            return
        terms = [self._code(low), self._code(low + origin.slope)]
        texts = Insertions()
        marks = [x.text if x.text.isdigit() else texts.mark(x) for x in terms]
        wanted = texts.whole(", ".join([*marks, "..."]))
        codes = [wanted if i == at else None for i in range(len(value.type.axes))]
        sizes = tuple_of(self._sizes(tensor, value, codes, late=True))
        test = both(*(is_given(name(each)) for each in given), either(*tests))
        refusal = _refusal(test, call("misfit", self._declared(value), name(f"{tensor}.shape"), sizes))
        if given:
            self.later.append(refusal)
        else:  # what is solved with the size may divide by it
            self.writer.scope.shapes.guards[unknown] = [refusal]

    def _declared(self, value: Value) -> Code:
        """The literal of a declaration: what the model knows as a number is one."""
        known, texts = self.writer.scope.shapes.known, Insertions()

        def text(axis: Axis) -> str:
            if axis.pack is not None:
                return str(axis)
            if axis.size.unknowns and axis.size.unknowns <= known:
                return texts.mark(self._code(axis.size))
            return axis_text(axis.size.subs(self.numbers))

        return texts.whole(declared(value, [text(axis) for axis in value.type.axes]))

    # conditions

    def _condition(self, condition: Condition) -> None:
        """`if n > self.context: raise ValueError(f"n <= {self.context}, but n is {n}")`."""
        shapes = self.writer.scope.shapes
        test = self.writer.condition(condition.negate())
        absent = sorted((shapes.name(u) for u in condition.unknowns if u in shapes.lent), key=str)
        if absent:  # it speaks of an input that may be left out
            test = both(*map(is_given, absent), test)
        sizes = sorted(condition.unknowns - shapes.known, key=lambda u: u.serial)
        texts = Insertions()
        stated = self._stated(condition, texts)
        text = unmet(stated, {u.name: texts.mark(shapes.name(u)) for u in sizes})
        self.later.append(_refusal(test, texts.whole(text)))

    def _stated(self, condition: Condition, texts: Insertions) -> str:
        """The text of a condition, in which a side is a number where the model knows it."""
        text = str(condition.subs(self.numbers))
        if not isinstance(condition, SizeComparison):
            return text
        sides = (condition.left, condition.right)
        numbers = [str(side.subs(self.numbers)) for side in sides]
        if f" {condition.op} ".join(numbers) != text:
            return text
        known = self.writer.scope.shapes.known
        held = [bool(side.unknowns) and side.unknowns <= known for side in sides]
        codes = zip(sides, numbers, held, strict=True)
        return f" {condition.op} ".join(texts.mark(self._code(side)) if is_held else n for side, n, is_held in codes)

    def _given(self, inputs: Sequence[str], asked: Statement) -> None:
        """A statement for where these inputs are given."""
        self.later.append(If(both(*(is_given(name(each)) for each in inputs)), (asked,)) if inputs else asked)


def _refusal(test: Code, text: Code) -> If:
    return If(test, (Raise(call("ValueError", text)),))


def _tells(
    at: int, value: Value, told: Mapping[Unknown, SizeOrigin], known: Collection[Unknown]
) -> list[Unknown | None]:
    """For each axis of an input the size that it tells, which nothing else does."""
    by_place = {(origin.at, origin.axis): unknown for unknown, origin in told.items() if unknown not in known}
    return [by_place.get((at, axis)) for axis in range(len(value.type.axes))]
