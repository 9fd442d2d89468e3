"""The function that is being written: its variables, the expressions that wait for their one use, its statements."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ogive.backends.python_text.expr import Code, name
from ogive.backends.python_text.names import fresh, identifier
from ogive.backends.python_text.pretty import LINE
from ogive.backends.python_text.size_sources import Shapes
from ogive.backends.python_text.statements import Assign, Statement
from ogive.backends.python_text.wrap import STEP
from ogive.compiler.ir.model import Graph, Node, Operand, Value
from ogive.compiler.ir.types import TensorType


@dataclass(slots=True)
class WritingFrame:
    """A graph that is being written, and how far the writing is."""

    graph: Graph
    last: dict[str, int]  # the node at which a value is read last; the number of nodes for an output
    function: bool  # whether its outputs are returned
    at: int = 0
    now: bool = True  # whether the node at `at` has still to read its operands


@dataclass(frozen=True, slots=True)
class Waiting:
    """An expression that stands where it is used, once."""

    code: Code
    value: Value
    acts: bool  # it draws random numbers or changes a state, so it keeps its place among such


@dataclass(slots=True)
class FunctionScope:
    """Variables and statements of one function."""

    indent: int  # how far to the right its statements will stand
    reserved: frozenset[str]  # what the file uses itself
    functions: frozenset[str] = frozenset()  # of the file: no variable that is made up here hides one
    shapes: Shapes = field(init=False)
    body: list[Statement] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    fixed: set[str] = field(default_factory=set)  # variables that are never bound again
    codes: dict[str, Code] = field(default_factory=dict)
    types: dict[str, TensorType] = field(default_factory=dict)
    holders: dict[str, set[str]] = field(default_factory=dict)  # by variable, the values that read it
    home: dict[str, WritingFrame] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    frames: list[WritingFrame] = field(default_factory=list)
    wanted: dict[str, str] = field(default_factory=dict)  # the variable that a value should have
    training: bool = False  # inside of a branch that runs in training only
    asked: bool = False  # inside of a branch that runs where taps are asked for

    def enter(self, graph: Graph, function: bool, keep: Sequence[str] = ()) -> WritingFrame:
        """Start a graph; the values in `keep` stay live throughout (a loop reads them again)."""
        last: dict[str, int] = {}
        for at, node in enumerate(graph.nodes):
            last.update(dict.fromkeys(node.operands, at))
        outputs = (x for x in graph.outputs if isinstance(x, str))
        last.update(dict.fromkeys((*outputs, *keep), len(graph.nodes)))
        frame = WritingFrame(graph, last, function)
        self.frames.append(frame)
        self.types.update((name, value.type) for name, value in graph.values.items())
        self.home.update(dict.fromkeys(graph.values, frame))
        return frame

    def leave(self) -> None:
        """End the graph that was entered last."""
        self.frames.pop()

    def live(self, variable: str) -> bool:
        """Whether a variable may not be bound to another value now."""
        if variable in self.fixed:
            return True
        values = self.holders.get(variable)
        if values:  # a value that is needed no more never is again
            values.difference_update([value for value in values if not self._needed(value)])
        return bool(values)

    def live_value(self, value: str) -> bool:
        """Whether the variable of a value still holds it."""
        return self._needed(value)

    def _needed(self, value: str) -> bool:
        if value in self.waiting or value not in self.home:
            return True
        frame = self.home[value]
        if frame not in self.frames:
            return False
        last = frame.last.get(value, -1)
        return last > frame.at or (last == frame.at and frame.now and frame is self.frames[-1])

    def claim(self, hint: str) -> str:
        """A variable that nothing else in the function uses."""
        variable = fresh(hint, self.taken | self.functions, self.reserved)
        self.taken.add(variable)
        self.fixed.add(variable)
        return variable

    def variable(self, value: Value, hint: str) -> str:
        """The variable for a value that is bound now: that of its source name, unless another value lives there."""
        wanted = self.wanted.get(value.name)
        if wanted is not None and not self.live(wanted):
            return wanted
        return self.unused(value.hint or hint, () if value.hint else self.functions)

    def unused(self, hint: str, others: Collection[str] = ()) -> str:
        """A variable that holds nothing now, and is none of `others`."""
        base = identifier(hint)
        variable, number = base, 1
        while variable in self.reserved or self.live(variable) or variable in others:
            number += 1
            variable = f"{base}_{number}"
        self.taken.add(variable)
        return variable

    def hold(self, value: str, code: Code) -> None:
        """The value can be had by this expression, which costs nothing."""
        self.codes[value] = code
        for variable in code.names:
            self.holders.setdefault(variable, set()).add(value)

    def wait(self, value: Value, code: Code, acts: bool) -> None:
        """The value stands where it is used."""
        self.waiting[value.name] = Waiting(code, value, acts)
        for variable in code.names:
            self.holders.setdefault(variable, set()).add(value.name)

    def operand(self, operand: Operand, literal: Callable[[Operand], Code | None]) -> Code | None:
        """The expression of an operand."""
        if isinstance(operand, str):
            return self.waiting[operand].code if operand in self.waiting else self.codes[operand]
        return literal(operand)

    def consume(self, node: Node) -> None:
        """The node's operands that waited now stand in its expression."""
        for value in node.operands:
            self.waiting.pop(value, None)

    def flush(self, which: Callable[[Waiting], bool] = lambda _: True, keep: Sequence[str] = ()) -> None:
        """Bind expressions that wait to variables."""
        for value, waiting in list(self.waiting.items()):
            if value not in keep and which(waiting):
                self.bind(waiting.value, waiting.code)

    def bind(self, value: Value, code: Code, comment: str = "", hint: str = "y") -> None:
        """`name = expression`."""
        self.waiting.pop(value.name, None)
        for variable in code.names:
            self.holders.get(variable, set()).discard(value.name)
        variable = self.variable(value, hint)
        if code.text != variable:
            self.add(Assign(name(variable), code, comment, not value.hint))
        self.hold(value.name, name(variable))

    def add(self, statement: Statement) -> None:
        """Write a statement."""
        self.body.append(statement)

    @contextmanager
    def block(self) -> Iterator[list[Statement]]:
        """What is written inside goes into the list, for the body of a statement."""
        outer, self.body = self.body, []
        self.indent += STEP
        yield self.body
        self.indent -= STEP
        self.body = outer

    def room(self) -> int:
        """How long an expression may be to stand in one line."""
        return LINE - self.indent - 8
