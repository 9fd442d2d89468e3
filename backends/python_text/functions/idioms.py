"""How a target says what all targets say. The rest of a function is the same in each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ogive.backends.python_text.expr import Code
from ogive.backends.python_text.statements import Parameter, Statement
from ogive.compiler.ir.model import Definition


@dataclass(frozen=True, slots=True)
class Idioms:
    """What a target writes for what a function of any target does."""

    tensor: Code  # the type of a tensor
    module: Code  # the type of a module
    generator: Parameter  # a source of random numbers, which may be None
    reserved: frozenset[str]  # names that its files use themselves
    attributes: frozenset[str]  # what every module has, so that no size is stored under such a name
    access: Callable[..., Code]  # a member of the module, or of another one, by its path: `self.blocks[0].conv`
    is_layer: Callable[[Definition], bool]  # whether a block is a layer that the framework has itself
    kinds: Callable[[str], Code]  # the types that an element of an input may have, as a tuple
    rank: Callable[[Code], Code]  # how many axes a tensor has
    empty: Callable[[Code, str], Code]  # no entry of the float type of a tensor, which has elements of this type
    stack: Callable[[Code, int], Code]  # a list of tensors as one, along a new axis
    rows: Callable[[Code, int], Code]  # what a loop over an axis of a tensor runs over
    update: Callable[[Code, Code], Statement]  # a state takes a new value
    with_weights: Callable[[Code, Code, Sequence[Code], Code | None], Code]  # a call with these weights instead
    dropper: Callable[[bool], str]  # the class of a dropout; whether it is told where its random numbers come from
    once: Callable[[bool], str]  # the helper that keeps a forward from changing states twice; whether it reads them
