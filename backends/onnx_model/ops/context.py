"""What a lowering may ask of the graph that is being built, and the type of its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from ogive.compiler.ir.model import Const, Node, Operand, Scalar
from ogive.compiler.ir.types import TensorType
from ogive.compiler.sizes import Size

Args = Sequence[str | None]


class Context(Protocol):
    """The ONNX graph that is being built. Values are names; a complex one has a last axis of 2 more than its type."""

    opset: int

    def type(self, operand: Operand) -> TensorType:
        """The type of an operand that is a tensor: ranks are known, sizes are those of the model's inputs."""

    def elem(self, elem: str) -> str:
        """The element type, with that of the model for `float`."""

    def paired(self, operand: Operand) -> bool:
        """Whether an operand is complex: then its type has a last axis of 2 more."""

    def node(self, op: str, *inputs: str, **attrs: Any) -> str:
        """Add a node with one result, or find an equal one."""

    def nodes(self, op: str, count: int, *inputs: str, **attrs: Any) -> tuple[str, ...]:
        """Add a node with several results."""

    def cast(self, x: str, elem: str) -> str:
        """A tensor in another element type, which is known of the result too."""

    def array(self, value: np.ndarray | Sequence[int]) -> str:
        """A constant; lists of numbers are int64."""

    def number(self, value: Scalar | Size | int | float | bool, elem: str) -> str:
        """A number as a scalar of that element type, computed at run time where it depends on sizes of inputs."""

    def literal(self, const: Const, elem: str) -> str:
        """A literal operand in the element type of its neighbour."""

    def size(self, size: Size | int) -> str:
        """A size as int64[1]."""

    def shape(self, sizes: Sequence[Size | int]) -> str:
        """Sizes as one int64 vector."""

    def reshape(self, x: str, have: Sequence[Size], want: Sequence[Size]) -> str:
        """The tensor in another shape, without asking for sizes at run time where 0 and -1 say them."""

    def scan(
        self,
        starts: Sequence[str],
        sources: Sequence[str],
        inner: Sequence[tuple[str, TensorType]],
        step: Callable[[Sequence[str]], Sequence[tuple[str, TensorType]]],
        axes: Sequence[int],
        out_axes: Sequence[int],
        reverse: bool,
    ) -> tuple[str, ...]:
        """`Scan`: `step` takes states and slices (hints and types: `inner`), and gives the next states and yields."""


Lowering = Callable[[Context, Node, Args], str | tuple[str, ...]]
