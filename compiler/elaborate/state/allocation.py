"""What a body allocates: weights and instances, at their paths."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ogive.compiler.elaborate.state.values import InstanceValue
from ogive.compiler.ir.model import Bindings, Definition, Init, Member, Weight
from ogive.compiler.ir.model import Instance as InstanceMember
from ogive.compiler.ir.types import TensorType
from ogive.compiler.sizes import Size
from ogive.grammar import syntax
from ogive.grammar.source import Span

InputPresence = tuple[bool | None, ...]  # of each input: absent (None), given (False), known when the model runs (True)


@dataclass
class WeightScope:
    """A body or an iteration: the prefix of the paths of what it allocates, and the names planned in it."""

    prefix: str
    names: dict[int, tuple[str, bool]]  # by the identity of a node: its name, and whether source order tells it


@dataclass(frozen=True, slots=True)
class Override:
    """`init path = e`: a named initializer, or an expression that is evaluated for each weight that it fits."""

    target: tuple[str, ...]
    init: Init | syntax.Expr
    variables: dict[str, Any]
    span: Span


@dataclass(frozen=True, slots=True)
class CallSignature:
    """What the calls of an instance have in common. `sizes` are those of inputs that some of them leave out."""

    presence: InputPresence
    sizes: dict[str, Size]
    span: Span  # the first of them

    def joined(self, presence: InputPresence) -> InputPresence:
        """The presence that holds of one more call too."""
        return tuple(a if a is b else True for a, b in zip(self.presence, presence, strict=True))


@dataclass
class Allocation:
    """The members of one elaboration, and the paths that are taken."""

    members: list[Member | None] = field(default_factory=list)  # None: an instance that nothing has applied yet
    instances: list[InstanceValue] = field(default_factory=list)
    scopes: list[WeightScope] = field(default_factory=list)  # those we are in, the innermost last
    taken: dict[str, Span] = field(default_factory=dict)
    order_dependent: dict[str, Span] = field(default_factory=dict)  # paths that depend on source order
    inits: list[Override] = field(default_factory=list)
    keeps: list[Override] = field(default_factory=list)
    read: set[str] = field(default_factory=set)  # paths of weights and instances that something reads
    initialized: TensorType | None = None  # the weight whose initializer is evaluated: named ones take its shape
    stacked: Size | None = None  # `each`: what is allocated here has one set of weights for each of so many
    calls: dict[str, CallSignature] = field(default_factory=dict)  # by instance, what its calls give together

    @property
    def scope(self) -> WeightScope:
        """Where we are in the tree of weights."""
        return self.scopes[-1]

    def enter(self, scope: WeightScope) -> None:
        """Begin a body at the scope."""
        self.scopes.append(scope)

    @contextmanager
    def inside(self, scope: WeightScope) -> Iterator[None]:
        """Elaborate inside a scope."""
        self.scopes.append(scope)
        try:
            yield
        finally:
            self.scopes.pop()

    @contextmanager
    def back_at(self, depth: int) -> Iterator[None]:
        """Elaborate in the innermost of the first so many scopes: outside of the iterations of a `for` further in."""
        saved = self.scopes
        self.scopes = saved[:depth]
        try:
            yield
        finally:
            self.scopes = saved

    @contextmanager
    def initializing(self, type: TensorType) -> Iterator[None]:
        """Evaluate the initializer of a weight of this type."""
        saved, self.initialized = self.initialized, type
        try:
            yield
        finally:
            self.initialized = saved

    @contextmanager
    def stacking(self, count: Size | None) -> Iterator[None]:
        """Allocate so many sets of weights of everything."""
        saved, self.stacked = self.stacked, count
        try:
            yield
        finally:
            self.stacked = saved

    def planned(self, node: syntax.Tree, base: str, name: str | None) -> tuple[str, bool]:
        """The name of what is allocated at a node: its own, the one planned for it, or `base`; whether it depends on
        source order.
        """
        planned, ordered = self.scope.names.get(id(node), (None, False))
        if planned is not None and name is None and not planned.startswith(base):
            planned, ordered = None, False  # of another block that is allocated there
        return name or planned or base, ordered

    def path_of(self, name: str) -> str:
        """The path of a name in the scope where we are."""
        prefix = self.scope.prefix
        return f"{prefix}.{name}" if prefix else name

    def claim(self, path: str, span: Span, ordered: bool) -> str:
        """Take a path, made unique."""
        free, number = path, 1
        while free in self.taken:
            number += 1
            free = f"{path}_{number}"
        if ordered:
            self.order_dependent[free] = span
        self.taken[free] = span
        return free

    def add(self, member: Member | None) -> int:
        """Add a member and return its index."""
        self.members.append(member)
        return len(self.members) - 1

    def define(self, instance: InstanceValue, definition: Definition | None, bindings: Bindings) -> None:
        """Note what an instance allocates, where that is known now and was not before."""
        if definition is None or definition.stateless or instance.member < 0:
            return
        if self.members[instance.member] is None:
            self.members[instance.member] = InstanceMember(
                instance.path, definition, bindings, vectorized=instance.vectorized, span=instance.span
            )

    def weight(self, path: str) -> Weight | None:
        """The weight of this body at a path."""
        return next((m for m in self.members if isinstance(m, Weight) and m.path == path), None)
