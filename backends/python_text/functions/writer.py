"""Graphs to statements: the writer of one function, which is also what lowerings ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ogive.backends.python_text.errors import LoweringError
from ogive.backends.python_text.expr import Code, is_place, literal, name, starred, tuple_of
from ogive.backends.python_text.functions.file_state import EmittedFile, Rate
from ogive.backends.python_text.liveness import FunctionScope
from ogive.backends.python_text.module_tree import Unit, numbers_of
from ogive.backends.python_text.names import fresh, identifier
from ogive.backends.python_text.size_exprs import condition_code, scalar_code, unknowns_of
from ogive.backends.python_text.statements import Assign, Evaluate
from ogive.compiler.ir.model import Const, Graph, Node, Operand, Scalar, Value
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops.empty import may_be_empty
from ogive.compiler.sizes import Condition, Size, Unknown

Dispatch = Callable[["Writer", Node], None]


@dataclass(slots=True)
class Writer:
    """Writes the body of one function; keeps what it needs from outside."""

    unit: Unit
    file: EmittedFile
    scope: FunctionScope
    dispatch: Dispatch  # writes one node
    function: bool = False  # a function of the module, without `self`
    root: bool = False  # nothing calls it but the user
    outside: dict[str, str] = field(default_factory=dict)  # paths outside of the iteration: arguments
    trains: bool = False
    copied: frozenset[str] = frozenset()  # states that are read beside their update
    draws: bool = False  # it is told where its random numbers come from
    drawn: bool = False  # and draws some itself
    deriving: int = 0  # the `grad` of this function around what is written
    taps: bool = False  # it is told what the caller wants to see
    iterations: dict[str, str] = field(default_factory=dict)  # loops that are written in place: their indices
    flags: set[str] = field(default_factory=set)  # values that are written as the condition under which they are there
    repeated: dict[str, str] = field(default_factory=dict)  # by path of an iteration that is an instance: its variable
    stored: dict[str | Code, str] = field(default_factory=dict)  # values that are weights, their expressions: paths
    target: Code | None = None  # the weight that an initializer fills
    own: Code | None = None  # the same, in the root
    droppers: dict[Rate, str] = field(default_factory=dict)  # by rate, modules of dropout: members, or arguments
    lists: tuple[str, ...] = ()  # parameters that are lists of tensors
    like: str = ""  # an argument from which constants take type and device, where there is nothing else

    # what lowerings ask

    def type(self, operand: Operand) -> TensorType | None:
        """The type of a value; None for a literal or an absent input."""
        return self.scope.types[operand] if isinstance(operand, str) else None

    def plain(self, operand: Operand) -> bool:
        """Whether an operand is a number of Python: a literal."""
        return isinstance(operand, Const)

    def told(self, size: Size, operand: Operand) -> bool:
        """Whether a size is known without the shape of this value."""
        given = any(value.name == operand for _, value in self.scope.shapes.inputs)
        return not given and self.scope.shapes.told(size)

    def size(self, size: Size | int) -> Code:
        """A size as an int expression."""
        plain = size if isinstance(size, int) else self.file.plain.plain(self.unit.definition, size)
        return self.scope.shapes.code(plain)

    def scalar(self, value: Scalar | Size | int | float) -> Code:
        """A number as an expression."""
        if isinstance(value, Size):
            return self.size(value)
        return scalar_code(value, self.scope.shapes.name)

    def number(self, value: object) -> Code:
        """A setting of an initializer."""
        return literal(value) if isinstance(value, float) else self.scalar(value)  # type: ignore[arg-type]

    def condition(self, condition: Condition) -> Code:
        """A condition on sizes as a bool expression."""
        return condition_code(condition, self.scope.shapes.name)

    def literal(self, const: Const) -> Code:
        """A literal operand as an expression; no framework takes an integer of more than 64 bits."""
        value = const.value
        if isinstance(value, Size) and value.is_number and not -(2**63) <= value.number < 2**63:
            value = float(value.number)
        return literal(value) if isinstance(value, float) else self.scalar(value)

    def shape(self, sizes: Sequence[Size | int]) -> list[Code]:
        """Arguments for view and reshape: the first size that must be computed comes out as -1.

        Beside an axis that may be empty none does: of no elements -1 says nothing.
        """
        found: list[Code] = []
        left = not any(isinstance(size, Size) and may_be_empty(size) for size in sizes)
        for size in sizes:
            computed = (
                isinstance(size, Size) and not size.is_number and str(size) not in {u.name for u in size.unknowns}
            )
            found.append(literal(-1) if computed and left else self.size(size))
            left = left and not computed
        return found

    def pack(self, pack: str) -> Code:
        """The sizes of a pack of any rank among arguments: `*b_shape`."""
        found = self.scope.shapes.pack(pack)
        if found is None:
            raise LoweringError(f"`*{pack}` is any number of axes, and no input at hand has them")
        return starred(name(found))

    def anchor(self) -> Code:
        """A tensor of the model's float type, from which constants take type and device."""
        if self.target is not None:
            return self.target
        for frame in reversed(self.scope.frames):
            for value in frame.graph.values.values():
                known = value.name in self.scope.codes and self.scope.live_value(value.name)
                if value.type.elem == "float" and known and value.name not in self.unit.maybe:
                    return self.scope.codes[value.name]
        weight = self.file.anchor(self.unit)
        if weight is not None and not self.function:
            return self.path(weight)
        if self.root:
            return self._typed()
        if not self.like:
            self.like = "like"
        return name(self.like)

    def _typed(self) -> Code:
        """A tensor of the model's type where no value and no weight has it: made of an input, else a buffer."""
        if self.own is None:
            kinds = {tensor: value.type.elem for tensor, value in self.scope.shapes.inputs}
            tensor = next((x for x, elem in kinds.items() if elem in ("float", "complex")), None)
            if tensor is None:
                buffer = "like"
                while buffer in self.unit.place.children:
                    buffer += "_"
                self.file.typed, self.own = buffer, name(f"self.{buffer}")
            else:
                variable = self.scope.claim("empty")
                empty = self.file.idioms.empty(name(tensor), kinds[tensor])
                self.scope.shapes.solved.append((variable, empty))
                self.own = name(variable)
        return self.own

    def once(self, code: Code, hint: str) -> Code:
        """A name for the expression."""
        if is_place(code):
            return code
        variable = name(self.scope.claim(hint))
        self.scope.add(Assign(variable, code))
        return variable

    def helper(self, helper: str) -> Code:
        """The name of a helper function, whose text goes to the head of the file."""
        return name(self.file.helper(helper))

    def derived(self) -> int:
        """In how many `grad` it runs: training then derives what was derived so often already."""
        return self.deriving + self.file.derived.get(self.unit.definition.name, 0)

    def training(self) -> Code:
        """Whether the model trains, as a bool expression."""
        self.trains = True
        return name("training" if self.function else "self.training")

    def generator(self, *, passed: bool = False) -> Code | None:
        """Where random numbers come from: a generator that the caller may hand over. `passed`: a module gets it."""
        if self.target is not None:
            return None
        self.draws, self.drawn = True, self.drawn or not passed
        return name("generator")

    def seeded(self) -> Code | None:
        """The generator for dropout, if anything else in the model takes one; else dropout draws by itself."""
        return self.generator() if self.file.seeded else None

    def dropper(self, rate: Rate) -> Code | None:
        """The module that drops at this rate, one for each rate of a class; a function is handed it."""
        needed = unknowns_of(rate)
        if self.target is not None or not needed <= self._at_start():
            return None
        if rate not in self.droppers:
            self.droppers[rate] = self.scope.claim("dropout") if self.function else self._member("dropout")
        return name(self.droppers[rate] if self.function else f"self.{self.droppers[rate]}")

    def _at_start(self) -> frozenset[Unknown]:
        """What is a number where the module is made: of loops inside of it, no number of an iteration is."""
        definition, inside = self.unit.definition, f"{self.unit.prefix}."
        if self.function:
            return frozenset()
        numbers = numbers_of(definition).items()
        return self.file.made[definition.name] - {n for path, n in numbers if not inside.startswith(f"{path}.*.")}

    def _member(self, hint: str) -> str:
        """A name for a member that the source does not have."""
        definition = self.unit.definition
        sizes = (*definition.sizes, *(each.unknown for each in definition.statics if each.unknown is not None))
        taken = {identifier(each.name) for each in sizes} | self.unit.place.children.keys()
        return fresh(hint, taken | set(self.droppers.values()) | self.file.idioms.attributes)

    def tapping(self) -> Code:
        """What the caller wants to see, or None."""
        self.taps = True
        self.file.helper("Taps")
        return name("taps")

    # places of weights

    def path(self, path: str) -> Code:
        """The expression of a weight or an instance of the definition."""
        held = next((each for each in self.repeated if path == each or path.startswith(f"{each}.")), None)
        if held is not None:
            base, below = name(self.repeated[held]), path[len(held) + 1 :]
            return self.file.idioms.access(below, base) if below else base
        own = self.unit.own(path)
        if own is not None:
            return self.file.idioms.access(own)
        if path not in self.outside:
            self.outside[path] = self.scope.claim(identifier(path.replace(".*", "").replace(".", "_")))
        return name(self.outside[path])

    # graphs

    def run(self, graph: Graph) -> None:
        """Write the statements of a graph that has been entered."""
        frame = self.scope.frames[-1]
        for at, node in enumerate(graph.nodes):
            frame.at, frame.now = at, True
            self.dispatch(self, node)
        frame.at, frame.now = len(graph.nodes), True  # the outputs are still to be read

    def args(self, node: Node) -> list[Code | None]:
        """The expressions of a node's operands."""
        return [self._operand(x) for x in node.inputs]

    def _operand(self, operand: Operand) -> Code | None:
        return self.scope.operand(operand, self._literal)

    def operands(self, operands: Sequence[Operand]) -> list[Code | None]:
        """The expressions of operands; None for one that is absent."""
        return [self._operand(x) for x in operands]

    def _literal(self, operand: Operand) -> Code | None:
        return self.literal(operand) if isinstance(operand, Const) else None

    def express(self, node: Node, lower: Callable[[list[Code | None]], Code], *, acts: bool) -> None:
        """Bind the node's expression, or let it wait; operands that make it too long for a line are bound first."""
        scope = self.scope
        while True:
            mark = len(scope.body)
            code = lower(self.args(node))
            waiting = [value for value in dict.fromkeys(node.operands) if value in scope.waiting]
            longest = max(waiting, key=lambda value: len(scope.waiting[value].code.text), default=None)
            if longest is None or len(code.text) <= scope.room():
                break
            del scope.body[mark:]
            scope.flush(keep=[value for value in scope.waiting if value != longest])
        scope.consume(node)
        if acts:
            scope.flush(lambda other: other.acts)
        scope.frames[-1].now = False
        self.place(node, code, acts)

    def place(self, node: Node, code: Code, acts: bool) -> None:
        """Bind the one expression of a node, let it wait for its use, or take it apart."""
        scope = self.scope
        if len(node.outputs) != 1:
            self._unpack(node, code)
            return
        (value,) = node.outputs
        uses = self.uses(value)
        if not uses:
            if acts:
                scope.add(Evaluate(code))
        elif is_place(code):
            scope.hold(value.name, code)
        elif uses == 1 and self.stands_inside(value):
            scope.wait(value, code, acts)
        else:
            scope.bind(value, code, self.comment(node, value), self.hint(node))

    def uses(self, value: Value) -> int:
        """How often a value of the graph in hand is read."""
        graph = self.scope.frames[-1].graph
        return len(graph.users[value.name]) + graph.outputs.count(value.name)

    def stands_inside(self, value: Value) -> bool:
        """Whether a value that is used once stands where it is used: it has no name in the source, or is returned."""
        frame = self.scope.frames[-1]
        returned = value.name in frame.graph.outputs
        return frame.function if returned else not value.hint

    def _unpack(self, node: Node, code: Code) -> None:
        scope = self.scope
        names: list[Code] = []
        for value in node.outputs:
            variable = name(scope.variable(value, "y") if self.uses(value) else "_")
            if self.uses(value):
                scope.hold(value.name, variable)
            names.append(variable)
        scope.add(Assign(tuple_of(names), code, self.comment(node, node.outputs[0])) if names else Evaluate(code))

    def hint(self, node: Node) -> str:
        """A name for a value that has none in the source."""
        return node.path.split(".")[-1] if node.op == "call" and node.path else "y"

    def comment(self, node: Node, value: Value) -> str:
        """The shape, where it is not that of the first operand."""
        types = [t for t in map(self.type, node.operands) if t is not None]
        if not value.type.axes or (types and types[0].axes == value.type.axes):
            return ""
        shown = self.file.plain.shown(self.unit.definition, value.type)
        return f"[{', '.join(map(str, shown.axes))}]"
