"""One check: the library, the specializations made so far, and the uses of blocks."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ogive.compiler.elaborate.calls import calls as uses
from ogive.compiler.elaborate.calls import weights_read
from ogive.compiler.elaborate.calls.blame import of_handed, speaking
from ogive.compiler.elaborate.calls.call_consistency import open_to_all
from ogive.compiler.elaborate.calls.generic import typed_results
from ogive.compiler.elaborate.calls.specializations import (
    abstract,
    bindings_of,
    introductions,
    own_unknowns,
    per_instance,
    takes_blocks,
)
from ogive.compiler.elaborate.driver import typed
from ogive.compiler.elaborate.driver.definitions import elaborate
from ogive.compiler.elaborate.modules.recursion import is_recursive
from ogive.compiler.elaborate.modules.scope import Library
from ogive.compiler.elaborate.rules import statics
from ogive.compiler.elaborate.rules.size_equalities import ties
from ogive.compiler.elaborate.rules.statics import kinds
from ogive.compiler.elaborate.state.allocation import CallSignature
from ogive.compiler.elaborate.state.blocks import BlockRef, ConstRef, Module
from ogive.compiler.elaborate.state.control import (
    CallSignatureConflict,
    GenericProofFailed,
    LimitReached,
    UnresolvedChoice,
)
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.notes import Notes
from ogive.compiler.elaborate.state.specialization import Abstract, Specialization, Use
from ogive.compiler.elaborate.state.values import (
    Given,
    Gradient,
    Handed,
    InstanceValue,
    RepeatedBlock,
    TypedBlock,
    VectorizedBlock,
)
from ogive.compiler.elaborate.state.weight_paths import BlockName
from ogive.compiler.elaborate.walk import brackets, constants, evaluate, names, repeated, vmap_and_grad
from ogive.compiler.elaborate.walk.statements import execute
from ogive.compiler.ir_tools.shown import Shown
from ogive.compiler.sizes import Condition, ExhaustedError, Facts, Unknown, eq, size
from ogive.grammar import syntax
from ogive.grammar.source import Span

NESTING = 64
# what is wrong with a name or a call is wrong whatever a block is given
CERTAIN = ("E0201", "E0202", "E0204", "E0403", "E0405")
OPERATIONS = 32_000  # of a short text, and as many more for each LENGTH characters
LENGTH = 4_000
OPERATION = 3  # steps of thought for which one stands
SPECIALIZATION = 20  # a block that is elaborated once more takes as long as so many statements


@dataclass
class Session:
    """The state of one check."""

    library: Library
    operations: int = OPERATIONS
    nesting: int = NESTING
    specializations: dict[tuple[Any, ...], list[Specialization]] = field(default_factory=dict)
    standard: dict[tuple[Any, ...], list[Specialization]] = field(default_factory=dict)  # those of the library alone
    length: int = 0  # of the text
    allowed: int = OPERATIONS  # for this text
    recursive: dict[BlockRef, bool] = field(default_factory=dict)
    refused: set[BlockRef] = field(default_factory=set)  # blocks whose signature is wrong: uses say nothing more
    const_stack: list[syntax.Const] = field(default_factory=list)
    facts: Facts = field(default_factory=Facts)  # where all blocks begin: it remembers what was proved
    unknowns: dict[Hashable, tuple[Unknown, ...]] = field(default_factory=dict)  # those that blocks own
    introduced: dict[Unknown, Span] = field(default_factory=dict)  # where they stand in the text of this check
    shown: Shown = field(default_factory=Shown)  # what taps of definitions show
    notes: Notes | None = None  # what is found out at each place, where somebody will ask

    # --- what frames call -----------------------------------------------------------------------------------------

    def evaluate(self, frame: Frame, tree: syntax.Expr, name: str | None = None) -> Any:
        """The value of an expression in a frame."""
        return evaluate.evaluate(frame, tree, name)

    def execute(self, frame: Frame, body: tuple[syntax.Stmt, ...]) -> None:
        """Run statements in a frame."""
        execute(frame, body)

    def template(self, frame: Frame, tree: syntax.Brackets) -> Any:
        """Brackets of a block as a template."""
        return brackets.template(frame, tree)

    def handed(self, frame: Frame, tree: syntax.Expr) -> Any:
        """A block as a template, whatever its brackets: the one who takes it allocates."""
        value = statics.handed(frame, tree)
        return value.value if isinstance(value, Handed) else value

    def vectorize(
        self,
        frame: Frame,
        func: VectorizedBlock,
        args: Sequence[Any],
        span: Span,
        node: syntax.Expr,
        name: str | None,
        spans: Sequence[Span],
    ) -> Any:
        """Apply a block at every index of an axis."""
        return vmap_and_grad.vectorize(frame, func, args, span, node, name, spans)

    def repeated(
        self, frame: Frame, func: RepeatedBlock, args: Sequence[Any], span: Span, node: syntax.Expr, name: str | None,
        spans: Sequence[Span],
    ) -> Any:  # fmt: skip
        """Apply a block so many times, each with weights of its own."""
        return repeated.repeated(frame, func, args, span, node, name, spans)

    def gradient(
        self, frame: Frame, func: Gradient, args: Sequence[Any], span: Span, node: syntax.Expr, spans: Sequence[Span]
    ) -> Any:
        """Apply the derivative of a block."""
        return vmap_and_grad.gradient(frame, func, args, span, node, spans)

    def function_of(self, frame: Frame, name: str, tree: syntax.Brackets) -> Any:
        """`over[...]` and its like."""
        if name in ("count", "initial"):
            return weights_read.numbers(frame, name, tree)
        return repeated.make(frame, tree) if name == "repeat" else vmap_and_grad.make(frame, name, tree)

    def block_names(self, frame: Frame) -> BlockName:
        """What `places` asks: the block that an expression would allocate."""
        return lambda tree: names.block_name(frame, tree)

    def count(self, steps: int = 1) -> None:
        """So many steps more. Raises LimitReached where there are too many."""
        try:
            self.facts.tally.effort.spend(steps * OPERATION)
        except ExhaustedError as problem:
            raise self.exhausted() from problem

    def begin(self) -> None:
        """Count the steps of a check anew."""
        self.allowed = self.operations + self.operations * (self.length + self.library.length) // LENGTH
        self.facts.tally.effort.begin(self.allowed * OPERATION)

    def exhausted(self, span: Span | None = None) -> LimitReached:
        """The end of the check, which takes too long."""
        return LimitReached(f"more than {self.allowed:,} operations after unrolling", span, exhausted=True)

    def constant(self, ref: ConstRef) -> Any:
        """The value of a `const`."""
        return constants.constant(self, ref)

    def library_module(self, name: str) -> Module:
        """A module of the library."""
        return self.library.standard(name)

    def noted(self, span: Span, uses: Sequence[Specialization]) -> None:
        """What the declaration there asked for, where somebody will ask what was found out."""
        if self.notes is not None:
            self.notes.root(span, uses)

    def rule(self, frame: Frame, ref: ConstRef, given: dict[str, Any], span: Span) -> Any:
        """The value of a `const` that has statics, at some of them."""
        return constants.rule(frame, ref, given, span)

    # --- uses of blocks -------------------------------------------------------------------------------------------

    def use(
        self,
        frame: Frame,
        instance: InstanceValue,
        operands: Sequence[Tensor | None],
        span: Span,
        spans: Sequence[Span],
        given: Sequence[Given] = (),
    ) -> Any:
        """Apply an instance: its results as tensors of the frame's graph."""
        return uses.use(frame, instance, operands, span, spans, given)

    def bind(
        self, frame: Frame, instance: InstanceValue, operands: Sequence[Tensor], span: Span, spans: Sequence[Span]
    ) -> bool:
        """An instance meets its operands, and is not applied yet; False where they do not fit."""
        return uses.bind(frame, instance, operands, span, spans) is not None

    # --- specializations ------------------------------------------------------------------------------------------

    def held(self, found: Abstract) -> list[Specialization]:
        """The specializations of a key. Those that depend on the library alone outlive a check."""
        ref = found.key[0]
        standard = ref.standard and not any("block" in kinds(decl, ref.tree) for decl in ref.tree.statics)
        return (self.standard if standard else self.specializations).setdefault(found.key, [])

    def find(self, frame: Frame, ref: BlockRef, found: Abstract, span: Span | None = None) -> Specialization:
        """The specialization for a use: one whose choices come out the same here, or a new one."""
        if ref not in self.recursive:
            self.recursive[ref] = is_recursive(ref)
        specializations = self.held(found)
        pins = self._pins(frame, found) if self.recursive[ref] else None
        for specialization in sorted(specializations, key=lambda v: v.pinned or bool(v.ties)):
            if pins is not None and (not specialization.pinned or specialization.pins != tuple(pins)):
                continue  # a recursive block whose numbers are known is elaborated with them
            if specialization.open and not specialization.running and self._pins(frame, found) is not None:
                continue  # and so is a block that uses one
            mapping = dict(zip(specialization.holes, found.sizes, strict=True))
            if not all(frame.peek(tie.subs(mapping)) for tie in specialization.ties):
                continue
            if specialization.running and not specialization.pinned:
                return specialization  # seen by itself through its declared signature
            try:
                choices = [(condition.subs(mapping), outcome) for condition, outcome in specialization.decisions]
            except ZeroDivisionError:
                continue  # a new one says where it is divided by
            if self._same_choices(frame, choices, span):
                if specialization.running:
                    raise LimitReached(f"`{ref.name}` uses itself without end")
                if not specialization.ok and not specialization.pinned and per_instance(specialization, ref):
                    if frame.user_facing or ties(frame, found.sizes, specialization.holes) != list(specialization.ties):
                        continue  # what is known here, or what it is called, is not the same as where it failed
                frame.uses.append(specialization)
                return specialization
        specialization = self.make(frame, ref, found, pins)
        frame.uses.append(specialization)
        return specialization

    def _same_choices(self, frame: Frame, choices: list[tuple[Condition, bool]], span: Span | None) -> bool:
        for condition, outcome in choices:
            seen = frame.peek(condition)
            if seen is None:
                raise UnresolvedChoice(str(condition), span)
            if seen is not outcome:
                return False
        return all(frame.decide(condition, span) is outcome for condition, outcome in choices)

    def _pins(self, frame: Frame, found: Abstract) -> list[tuple[int, int]] | None:
        """The numbers behind the statics of a recursive block; None where they are not known."""
        statics = {v.index for v in found.values.values() if hasattr(v, "index")}
        if not statics and not frame.entered:
            return None  # proved for itself, it sees its own use through the declared signature
        try:
            return [(i, frame.number(s)) for i, s in enumerate(found.sizes) if i in statics]
        except UnresolvedChoice:
            return None

    def make(self, frame: Frame, ref: BlockRef, found: Abstract, pins: list[tuple[int, int]] | None) -> Specialization:
        """Elaborate a new specialization; where its proof for all sizes fails and it may be proved at its instances,
        once more over what ties the sizes of this one together.
        """
        if frame.depth >= self.nesting:
            raise LimitReached(f"instances are nested more than {self.nesting} deep")
        self.count(SPECIALIZATION)
        holes = own_unknowns(found, self.unknowns)
        places = introductions(ref)
        self.introduced.update((hole, places[hole.name]) for hole in holes if hole.name in places)
        if pins is not None:
            pinned = [eq(size(holes[i]), n) for i, n in pins]
            specialization = self._attempt(frame, ref, found, holes, pinned, pins=tuple(pins))
            tied = [tie for tie in ties(frame, found.sizes, holes) if tie not in pinned]
            if specialization.ok or not tied or not per_instance(specialization, ref):
                return specialization
            again = self._attempt(frame, ref, found, holes, [*pinned, *tied], pins=tuple(pins))
            self.held(found).remove(specialization if again.ok else again)
            return again if again.ok else specialization
        second: Specialization | None = None
        try:
            specialization = self._attempt(frame, ref, found, holes, numbered=_numbered(frame, ref, found, holes))
        except GenericProofFailed:
            second = self._attempt(frame, ref, found, holes, ties(frame, found.sizes, holes))
            if second.ok:
                return second
            specialization = self._attempt(frame, ref, found, holes)  # for what it says
        if specialization.ok or not per_instance(specialization, ref):
            return specialization
        if second is None:
            tied = ties(frame, found.sizes, holes)
            second = self._attempt(frame, ref, found, holes, tied) if tied else specialization
        if second.ok:
            self.held(found).remove(specialization)
            return second
        if second is not specialization and not any(fault.severity == "error" for fault in specialization.diagnostics):
            self.held(found).remove(second)  # the fault is in what it uses
            second = specialization
        self._explain(frame, second, found)
        return second

    def _explain(self, frame: Frame, failed: Specialization, found: Abstract) -> None:
        """Say what is wrong in the names of the user."""
        shown = speaking(failed.ref, failed.holes, found.sizes)
        if shown == failed.holes:
            return
        tied = ties(frame, found.sizes, shown) if failed.ties else []
        again = self._attempt(frame, failed.ref, found, shown, tied, speaks=True)
        self.held(found).remove(again)
        failed.diagnostics, failed.handed, failed.uses = again.diagnostics, again.handed, again.uses

    def _attempt(
        self,
        frame: Frame,
        ref: BlockRef,
        found: Abstract,
        holes: tuple[Unknown, ...],
        tied: Sequence[Condition] = (),
        pins: tuple[tuple[int, int], ...] | None = None,
        speaks: bool = False,
        calls: dict[str, CallSignature] | None = None,
        numbered: frozenset[Unknown] = frozenset(),
    ) -> Specialization:
        specialization = Specialization(ref, holes, pinned=pins is not None, pins=pins or (), ties=tuple(tied))
        specializations = self.held(found)
        specializations.append(specialization)
        outer = (frame, dict(zip(holes, found.sizes, strict=True)))
        sub = Frame(self, ref.module, ref, self.facts, outer, frame.depth + 1)
        sub.user_facing = speaks
        if self.notes is not None and not ref.standard:
            own = frame.block is None and not frame.entry
            sub.scope.notes = self.notes.begin(ref.tree.span, specialization, own, frame.entry)
        sub.proof.numeric = numbered
        sub.alloc.calls = calls or {}
        for tie in tied:
            sub.proof.choose(tie, True)
        specialization.decisions = sub.proof.decisions
        try:
            elaborate(sub, specialization, found)
        except UnresolvedChoice as open_:
            specializations.remove(specialization)
            open_.found += [found for found in sub.diagnostics if found.code in CERTAIN]
            raise
        except CallSignatureConflict as conflict:
            specializations.remove(specialization)
            if conflict.of is not sub.alloc:
                raise
            return self._attempt(frame, ref, found, holes, tied, pins, speaks, sub.alloc.calls, numbered)
        except BaseException:
            specializations.remove(specialization)
            raise
        finally:
            sub.outer = None
        specialization.running = False
        return specialization

    def use_of(self, frame: Frame, instance: InstanceValue, span: Span) -> Use | None:
        """The specialization of an instance whose weights are named; before it is applied its statics must be known."""
        if instance.use is not None and instance.use.specialization.definition is not None:
            return instance.use
        match = open_to_all(frame, instance, instance.statics, span)
        if match is None:
            return None
        presence = tuple(each.type.optional for each in instance.block.tree.inputs)
        shape, values = abstract(instance.block, match, presence), match.values
        specialization = self.find(frame, instance.block, shape, span)
        if of_handed(frame, specialization, span) or specialization.definition is None:
            return None
        use = Use(specialization, bindings_of(specialization.holes, shape.sizes))
        instance.use, instance.bound = use, values
        frame.alloc.define(instance, specialization.definition, use.bindings)
        return use

    def misfit(self, frame: Frame, ref: BlockRef, names: Mapping[str, Any], span: Span) -> bool:
        """Whether a static of a block's type was given a block of another type, by what the signature's names mean."""
        return any(decl.type is not None for decl in ref.tree.statics) and typed.misfit(frame, ref, names, span)

    def apply_typed(
        self, frame: Frame, func: TypedBlock, args: Sequence[Any], span: Span, spans: Sequence[Span]
    ) -> Any:
        """Apply a static of a block's type, of which the type is all that is known."""
        return typed_results(frame, func, args, span, spans)


def _numbered(frame: Frame, ref: BlockRef, found: Abstract, holes: Sequence[Unknown]) -> frozenset[Unknown]:
    """The unknowns of a model's block that are numbers, where that block may be proved over them.

    A model has its block to itself: nobody else would use the proof for all sizes.
    """
    if not frame.entry or not takes_blocks(ref):
        return frozenset()
    return frozenset(hole for hole, behind in zip(holes, found.sizes, strict=True) if behind.is_number)
