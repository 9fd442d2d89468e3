"""What a lowering of an operation may ask of the function that is being written, and the type of its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ogive.backends.python_text.expr import Code
from ogive.compiler.ir.model import Const, Node, Operand, Scalar
from ogive.compiler.ir.types import TensorType
from ogive.compiler.sizes import Condition, Size


class Context(Protocol):
    """The emitted function of a target, while it is being written."""

    def type(self, operand: Operand) -> TensorType | None:
        """The type of a value; None for a literal or an absent input."""

    def plain(self, operand: Operand) -> bool:
        """Whether an operand is a number of Python: a literal, or made of the number of an iteration."""

    def told(self, size: Size, operand: Operand) -> bool:
        """Whether a size is known without the shape of this value: stored, or a whole axis of another input."""

    def size(self, size: Size | int) -> Code:
        """A size as an int expression: numbers, statics of the module, sizes read from shapes."""

    def scalar(self, value: Scalar | Size | int | float) -> Code:
        """A number as an expression (`math.sqrt(d // heads)`)."""

    def condition(self, condition: Condition) -> Code:
        """A condition on sizes as a bool expression."""

    def literal(self, const: Const) -> Code:
        """A literal operand as an expression."""

    def shape(self, sizes: Sequence[Size | int]) -> list[Code]:
        """Arguments for view/reshape/expand: at most one of them may come out as -1, where that reads better."""

    def pack(self, pack: str) -> Code:
        """The sizes of a pack of any rank among arguments: `*b_shape`."""

    def anchor(self) -> Code:
        """A tensor of this function from which constants take type and device."""

    def once(self, code: Code, hint: str) -> Code:
        """A name for the expression: binds a variable before this statement, unless it is a name already."""

    def helper(self, name: str) -> Code:
        """The name of a function of the target's helpers, whose text goes to the head of the file."""

    def generator(self) -> Code | None:
        """Where random numbers come from: `generator`, which a caller may hand over; None in an initializer."""

    def seeded(self) -> Code | None:
        """The generator for dropout, if anything else in the model takes one; else dropout draws by itself."""

    def dropper(self, rate: Scalar | Size | float) -> Code | None:
        """The module that drops at this rate, which users find and change; None where no module can have the rate."""

    def derived(self) -> int:
        """In how many `grad` it runs: training then derives what was derived so often already."""

    def training(self) -> Code:
        """Whether the model trains, as a bool expression (`self.training`)."""


# one expression; for several outputs, an expression that is a tuple (`a.unbind(0)`, `torch.topk(...)`)
Lowering = Callable[[Context, Node, Sequence[Code | None]], Code]
