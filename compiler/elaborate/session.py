"""One check: the library, the variants made so far, and the uses of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ogive.compiler.elaborate import brackets, evaluate, lifting, statics, unify
from ogive.compiler.elaborate.body import execute
from ogive.compiler.elaborate.definitions import elaborate
from ogive.compiler.elaborate.frame import Frame
from ogive.compiler.elaborate.generic import open_match, typed_results
from ogive.compiler.elaborate.modules import Library, Module
from ogive.compiler.elaborate.places import BlockName
from ogive.compiler.elaborate.recursion import is_recursive
from ogive.compiler.elaborate.statics import kinds, names_in
from ogive.compiler.elaborate.unify import Match
from ogive.compiler.elaborate.values import (
    BROKEN,
    Absent,
    BlockRef,
    Fault,
    Gradient,
    Handed,
    Instance,
    Lifted,
    LimitReached,
    Tensor,
    TypedBlock,
    Undecided,
)
from ogive.compiler.elaborate.variants import (
    Abstract,
    Use,
    Variant,
    abstract,
    bindings_of,
    own_unknowns,
)
from ogive.compiler.ir import Instance as InstanceMember
from ogive.compiler.sizes import Condition, Facts, Size, eq, size
from ogive.compiler.types import Axis, TensorType
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Diagnostic, Label
from ogive.grammar.source import Span

NESTING = 64
OPERATIONS = 100_000


@dataclass
class Session:
    """The state of one check."""

    library: Library
    operations: int = OPERATIONS
    nesting: int = NESTING
    variants: dict[tuple[Any, ...], list[Variant]] = field(default_factory=dict)
    standard: dict[tuple[Any, ...], list[Variant]] = field(default_factory=dict)  # those of the library alone
    steps: int = 0
    recursive: dict[BlockRef, bool] = field(default_factory=dict)
    const_stack: list[syntax.Const] = field(default_factory=list)

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

    def lift(
        self,
        frame: Frame,
        func: Lifted,
        args: Sequence[Any],
        span: Span,
        node: syntax.Expr,
        name: str | None,
        spans: Sequence[Span],
    ) -> Any:
        """Apply a block at every index of an axis."""
        return lifting.lift(frame, func, args, span, node, name, spans)

    def gradient(
        self, frame: Frame, func: Gradient, args: Sequence[Any], span: Span, node: syntax.Expr, spans: Sequence[Span]
    ) -> Any:
        """Apply the derivative of a block."""
        return lifting.gradient(frame, func, args, span, node, spans)

    def function_of(self, frame: Frame, name: str, tree: syntax.Brackets) -> Any:
        """`over[...]` and its like."""
        return lifting.make(frame, name, tree)

    def block_names(self, frame: Frame) -> BlockName:
        """What `places` asks: the block that an expression would allocate."""
        return lambda tree: evaluate.block_name(frame, tree)

    def count(self, frame: Frame, span: Span) -> None:
        """One more step. Raises LimitReached where there are too many."""
        self.steps += 1
        if self.steps > self.operations:
            raise LimitReached(f"more than {self.operations:,} operations after unrolling")

    def constant(self, module: Module, tree: syntax.Const, span: Span) -> Any:
        """The value of a `const`."""
        name = tree.target.name
        if name not in module.consts:
            frame = Frame(self, module, None, Facts())
            if tree in self.const_stack:
                module.diagnostics.append(Diagnostic("E0203", f"`{name}` is defined by itself", tree.target.span))
                module.consts[name] = BROKEN
                return BROKEN
            self.const_stack.append(tree)
            try:
                value = evaluate.evaluate(frame, tree.value)
            except Fault:
                value = BROKEN
            finally:
                self.const_stack.pop()
            module.diagnostics.extend(frame.diagnostics)
            module.consts.setdefault(name, value)
        return module.consts[name]

    # --- uses of blocks -------------------------------------------------------------------------------------------

    def use(
        self, frame: Frame, instance: Instance, operands: Sequence[Tensor | None], span: Span, spans: Sequence[Span]
    ) -> Any:
        """Apply an instance: its results as tensors of the frame's graph."""
        ref = instance.block
        given = instance.bound or instance.statics
        key = (ref, tuple(given.items()), tuple(None if t is None else signature_of(t) for t in operands))
        known = frame.applied.get(key)
        if known is not None:
            match, use, types = known
            self._allocated(frame, instance, match, use)
            return self._results(frame, instance, use, types, operands, span)
        match = unify.match_inputs(frame, ref, given, operands, span, spans)
        if match.failed:
            return BROKEN
        if not self._stated(frame, ref, match, span):
            return BROKEN
        presence = tuple(None if t is None else t.maybe is not None for t in operands)
        found = abstract(ref, match, presence)
        try:
            variant = self.find(frame, ref, found, span)
        except LimitReached as limit:
            if not frame.catches:
                raise
            frame.report("E0701", f"{limit}", span, note="asked for here")
            return BROKEN
        bindings = bindings_of(variant.holes, found.sizes)
        self._allocated(frame, instance, match, Use(variant, bindings))
        if not self._flow(frame, variant, bindings, span) or variant.outputs is None:
            return BROKEN
        use = Use(variant, bindings)
        types = types_of(use, match)
        if not variant.running:
            frame.applied[key] = (match, use, types)  # what it demanded is noted: the same use demands nothing new
        return self._results(frame, instance, use, types, operands, span)

    def _stated(self, frame: Frame, ref: BlockRef, match: Match, span: Span) -> bool:
        """What the block states must be possible here; what is not known flows up."""
        assert match.env is not None
        fine = True
        for tree in ref.tree.where:
            value = match.env.evaluate(tree)
            if value is True or value is BROKEN:
                continue
            condition = value if isinstance(value, Condition) else None
            if condition is None or not frame.flow(condition, span, f"`{ref.name}` demands it"):
                values = ", ".join(f"{n} = {v}" for n, v in self._behind(tree, match) if str(v) != n)
                labels = () if ref.module.name.startswith("std.") else (Label(tree.span, "stated here"),)
                shown = f"`{ref.name}` demands {tree.span.text}"
                frame.report("E0401", f"{shown}: it never holds here" + (f", with {values}" if values else ""), span,
                             labels=labels)  # fmt: skip
                fine = False
        return fine

    def _behind(self, tree: syntax.Expr, match: Match) -> list[tuple[str, Any]]:
        known = {**match.values, **match.sizes}
        return [(n, known[n]) for n in dict.fromkeys(names_in(tree)) if isinstance(known.get(n), Size)]

    def _flow(self, frame: Frame, variant: Variant, bindings: Any, span: Span) -> bool:
        mapping = dict(bindings)
        for condition in variant.conditions:
            here = condition.subs(mapping)
            if not frame.flow(here, span, f"`{variant.ref.name}` demands it"):
                frame.report(
                    "E0401", f"`{variant.ref.name}` demands {condition}: here that is {here}, which never holds", span
                )
                return False
        return True

    def _allocated(self, frame: Frame, instance: Instance, match: Match, use: Use) -> None:
        """Note what the first application says of the instance."""
        if instance.use is None or instance.use.variant.running:
            instance.use = use
        instance.bound = {**match.values, **{n: s for n, s in instance.statics.items() if n in match.sizes}}
        definition = use.variant.definition
        if definition is not None and not definition.stateless and frame.members[instance.member] is None:
            frame.members[instance.member] = InstanceMember(
                instance.path, definition, use.bindings, lift=instance.lift, span=instance.span
            )

    def _results(
        self, frame: Frame, instance: Instance, use: Use, types: tuple[TensorType, ...],
        operands: Sequence[Tensor | None], span: Span,
    ) -> Any:  # fmt: skip
        definition = use.variant.definition
        stateless = definition is None or definition.stateless
        made = frame.builder.node(
            "call", tuple(None if t is None else frame.builder.use(t) for t in operands), types,
            path="" if stateless else instance.path, callee=definition, bindings=use.bindings, span=span,
        )  # fmt: skip
        if not stateless:
            frame.read.add(instance.path)
        names = use.variant.absent_outputs
        values: list[Any] = list(made)
        for index in names:
            values.insert(index, Absent(instance.block.tree.outputs[index].name or "output", span))
        return values[0] if len(instance.block.tree.outputs) == 1 else tuple(values)

    # --- variants -------------------------------------------------------------------------------------------------

    def held(self, found: Abstract) -> list[Variant]:
        """The variants of a key. Those that hang on the library alone outlive a check."""
        ref = found.key[0]
        standard = ref.module.name.startswith("std.") and not any(
            "block" in kinds(decl, ref.tree) for decl in ref.tree.statics
        )
        return (self.standard if standard else self.variants).setdefault(found.key, [])

    def find(self, frame: Frame, ref: BlockRef, found: Abstract, span: Span | None = None) -> Variant:
        """The variant for a use: one whose choices come out the same here, or a new one."""
        if ref not in self.recursive:
            self.recursive[ref] = is_recursive(ref)
        variants = self.held(found)
        pins = self._pins(frame, found) if self.recursive[ref] else None
        for variant in sorted(variants, key=lambda v: v.pinned):
            if pins is not None and not variant.pinned:
                continue  # a recursive block whose numbers are known is elaborated with them
            mapping = dict(zip(variant.holes, found.sizes, strict=True))
            if variant.running and not variant.pinned:
                return variant  # seen by itself through its declared signature
            choices = [(condition.subs(mapping), outcome) for condition, outcome in variant.decisions]
            if self._same_choices(frame, choices, span):
                if variant.running:
                    raise LimitReached(f"`{ref.name}` uses itself without end")
                frame.uses.append(variant)
                return variant
        variant = self.make(frame, ref, found, pins, span)
        if variant is not None:
            frame.uses.append(variant)
        return variant

    def _same_choices(self, frame: Frame, choices: list[tuple[Condition, bool]], span: Span | None) -> bool:
        for condition, outcome in choices:
            seen = frame.peek(condition)
            if seen is None:
                raise Undecided(str(condition), span)
            if seen is not outcome:
                return False
        return all(frame.decide(condition, span) is outcome for condition, outcome in choices)

    def _pins(self, frame: Frame, found: Abstract) -> list[tuple[int, int]] | None:
        """The numbers behind the statics of a recursive block; None where they are not known."""
        statics = {v.index for v in found.values.values() if hasattr(v, "index")}
        try:
            return [(i, frame.number(s)) for i, s in enumerate(found.sizes) if i in statics]
        except Undecided:
            return None

    def make(
        self, frame: Frame, ref: BlockRef, found: Abstract, pins: list[tuple[int, int]] | None, span: Span | None
    ) -> Variant:
        """Elaborate a new variant; where its proof for all sizes fails and it may be proved at its instances, once more
        with the numbers that are known here.
        """
        if frame.depth >= self.nesting:
            raise LimitReached(f"instances are nested more than {self.nesting} deep")
        variant = self._attempt(frame, ref, found, pins)
        if variant.ok or pins is not None or not per_instance(variant, ref):
            return variant
        known = [(i, n) for i, s in enumerate(found.sizes) if (n := self._number(frame, s)) is not None]
        if not known:
            return variant
        second = self._attempt(frame, ref, found, known)
        if second.ok:
            self.held(found).remove(variant)
        return second

    def _number(self, frame: Frame, size: Size) -> int | None:
        try:
            return frame.number(size)
        except Undecided:
            return None

    def _attempt(self, frame: Frame, ref: BlockRef, found: Abstract, pins: list[tuple[int, int]] | None) -> Variant:
        holes = own_unknowns(found, births(ref))
        variant = Variant(ref, holes, pinned=pins is not None)
        variants = self.held(found)
        variants.append(variant)
        outer = (frame, dict(zip(holes, found.sizes, strict=True)))
        sub = Frame(self, ref.module, ref, Facts(), outer, frame.depth + 1)
        for index, number in pins or ():
            pin = eq(size(holes[index]), number)
            sub.decisions.append((pin, True))
            sub.facts = sub.facts.assume(pin)
        variant.decisions = sub.decisions
        try:
            elaborate(sub, variant, found)
        except BaseException:
            variants.remove(variant)
            raise
        finally:
            sub.outer = None
        variant.running = False
        return variant

    def variant_of(self, frame: Frame, instance: Instance, span: Span) -> Use | None:
        """The variant of an instance whose weights are named; before its first application its statics must be known."""
        if instance.use is not None and instance.use.variant.definition is not None:
            return instance.use
        match = open_match(frame, instance.block, instance.statics, span)
        if match is None:
            return None
        presence = tuple(each.type.optional for each in instance.block.tree.inputs)
        shape, values = abstract(instance.block, match, presence), match.values
        variant = self.find(frame, instance.block, shape, span)
        if variant.definition is None:
            return None
        use = Use(variant, bindings_of(variant.holes, shape.sizes))
        instance.use, instance.bound = use, values
        if frame.members[instance.member] is None and not variant.definition.stateless:
            frame.members[instance.member] = InstanceMember(
                instance.path, variant.definition, use.bindings, lift=instance.lift, span=instance.span
            )
        return use

    def apply_typed(
        self, frame: Frame, func: TypedBlock, args: Sequence[Any], span: Span, spans: Sequence[Span]
    ) -> Any:
        """Apply a static of a block's type, of which the type is all that is known."""
        return typed_results(frame, func, args, span, spans)


def types_of(use: Use, match: Match) -> tuple[TensorType, ...]:
    """The types of the results in the user's sizes."""
    mapping = dict(use.bindings)
    assert use.variant.outputs is not None
    packs = {a.size: a.pack for axes in match.packs.values() for a in axes if a.pack is not None}
    return tuple(
        TensorType(t.elem, tuple(_seen_from_outside(a, mapping, match, packs) for a in t.axes))
        for t in use.variant.outputs
    )


def signature_of(tensor: Tensor) -> tuple[Any, ...]:
    """All of a tensor's type that a use can see: labels and presence too."""
    return (tensor.type, tuple((a.label, a.pack) for a in tensor.type.axes), tensor.maybe is not None)


def _seen_from_outside(axis: Axis, mapping: dict[Any, Size], match: Match, packs: dict[Size, str]) -> Axis:
    """An axis of a result in the user's sizes, with the label of the input axis that bound its name."""
    size = axis.size.subs(mapping)
    return Axis(size, match.labels.get(axis.label or ""), packs.get(size, axis.pack) if axis.pack else None)


def births(ref: BlockRef) -> dict[str, Any]:
    """Where each size of a block is born: its static, or its first place in the inputs."""
    born: dict[str, Any] = {decl.name: decl.span for decl in ref.tree.statics}
    for each in ref.tree.inputs:
        for dim in each.type.dims:
            if isinstance(dim, syntax.StarDim):
                born.setdefault(dim.name or "s", dim.span)
            else:
                for name in names_in(dim):
                    born.setdefault(name, dim.span)
    return born


def per_instance(variant: Variant, ref: BlockRef) -> bool:
    """Whether a block is proved at each instance: its control flow hangs on a static, or it takes a block or a list."""
    return bool(variant.decisions) or any({"block", "list"} & set(kinds(d, ref.tree)) for d in ref.tree.statics)
