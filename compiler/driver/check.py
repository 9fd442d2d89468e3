"""What a check finds: diagnostics in source order, the signature of each block, the models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ogive.compiler.driver import signatures as report
from ogive.compiler.driver.interpreter_limits import deep_recursion
from ogive.compiler.driver.open_choices import unresolved
from ogive.compiler.driver.python_statics import statics_of
from ogive.compiler.driver.reports import BlockReport, ModelReport
from ogive.compiler.elaborate.calls import blame, listed
from ogive.compiler.elaborate.calls.generic import all_open, open_match, open_static, with_entries
from ogive.compiler.elaborate.calls.signature import faults
from ogive.compiler.elaborate.calls.specializations import abstract, bindings_of
from ogive.compiler.elaborate.calls.unify import InputMatch
from ogive.compiler.elaborate.driver.session import Session
from ogive.compiler.elaborate.modules import lint
from ogive.compiler.elaborate.modules.scope import EXTERN_HELP, EXTERN_OFF
from ogive.compiler.elaborate.rules.statics import names_in
from ogive.compiler.elaborate.state.blocks import BlockRef, ConstRef, Module
from ogive.compiler.elaborate.state.control import LimitReached, StatementFailed, UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame, too_complex
from ogive.compiler.elaborate.state.specialization import Specialization
from ogive.compiler.elaborate.state.values import BROKEN, Template
from ogive.compiler.ir.model import Definition, Model
from ogive.compiler.ir_tools.known_weights import known_weights
from ogive.compiler.ir_tools.powers import without_number
from ogive.compiler.ir_tools.starts import misfit
from ogive.compiler.sizes import Answer, Condition, Facts, Size, TooComplexError, Unknown, simplify, size
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Diagnostic, Edit, Label
from ogive.grammar.source import Span

if TYPE_CHECKING:
    from ogive.compiler.passes.pipelines.recipes import Recipe


LESS = "`repeat` runs a body many times and is checked once, `--operations` allows for more"


def limited(limit: LimitReached, span: Span) -> Diagnostic:
    """What is said of a limit that was reached."""
    labels = (Label(limit.span, "it came to that here"),) if limit.span not in (None, span) else ()
    return Diagnostic("E0701", str(limit), span, labels=labels, help=LESS if limit.exhausted else "")


@dataclass
class CheckedProgram:
    """A checked file."""

    path: str
    diagnostics: tuple[Diagnostic, ...]
    blocks: tuple[BlockReport, ...]
    models: dict[str, ModelReport]
    _module: Module = field(repr=False)
    _session: Session = field(repr=False)
    recipes: dict[str, Recipe] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not any(d.severity == "error" for d in self.diagnostics)

    def instantiate(self, name: str, statics: Mapping[str, Any]) -> ModelReport | tuple[Diagnostic, ...]:
        """A block of the file with all its statics given, as a model; or what is wrong with that."""
        entry = self._module.scope.get(name)
        if not isinstance(entry, BlockRef):
            raise KeyError(name)
        work = _Checked(self._session, self._module)
        given = work.from_python(entry, statics)
        if given is None:
            return tuple(work.diagnostics)
        with deep_recursion():
            made = work.instance(name, Template(entry, tuple(given.items())), entry.tree, None, entry.tree.doc)
        return made if made is not None else tuple(work.diagnostics)


def check_module(session: Session, module: Module, memo: Memo | None = None) -> CheckedProgram:
    """Check a module whose names are collected. `memo` holds what an earlier check found of the same declarations."""
    work = _Checked(session, module)
    memo = Memo() if memo is None else memo
    session.refused.update(ref for ref in module.blocks() if faults(ref))
    session.begin()
    blocks = tuple(_remembered(work, memo, ref, partial(work.block, ref)) for ref in module.blocks())
    models: dict[str, ModelReport] = {}
    for tree in module.tree.declarations:
        if isinstance(tree, syntax.Const) and not tree.statics:
            session.constant(ConstRef(tree, module))
        elif isinstance(tree, syntax.Model) and tree.name not in models:
            made = _remembered(work, memo, tree, partial(work.model, tree))
            if made is not None:
                models[tree.name] = made
        elif isinstance(tree, syntax.Extern) and not session.library.allow_extern:
            work.add([Diagnostic("E0202", EXTERN_OFF, tree.name_span, help=EXTERN_HELP)])
    recipes = _recipes(work, module)
    work.add(module.diagnostics)
    work.add([found for found in session.library.diagnostics if found.severity == "error"])
    work.add(lint.of_module(module))
    found = sorted(work.diagnostics, key=Diagnostic.order)
    return CheckedProgram(module.path, tuple(found), blocks, models, module, session, recipes)


def _recipes(work: _Checked, module: Module) -> dict[str, Recipe]:
    trees = [tree for tree in module.tree.declarations if isinstance(tree, syntax.Recipe)]
    if not trees:
        return {}
    # the passes take as long to import as all the rest, and few files have a recipe
    from ogive.compiler.passes.pipelines.recipes import Recipe, recipe

    recipes: dict[str, Recipe] = {}
    for tree in trees:
        listed = recipe(tree, [d.name for d in module.tree.declarations if isinstance(d, syntax.Model)])
        if isinstance(listed, Recipe):
            recipes[tree.name] = listed
        else:
            work.add(listed)
    return recipes


@dataclass
class Memo:
    """What a check found of each declaration: its report, what was said of it, and the steps that it took."""

    entries: dict[int, tuple[object, Any, list[list[Diagnostic]], int]] = field(default_factory=dict)


def _remembered(work: _Checked, memo: Memo, of: BlockRef | syntax.Model, run: Callable[[], Any]) -> Any:
    effort = work.session.facts.tally.effort
    known = memo.entries.get(id(of))
    if known is not None and known[0] is of:
        for each in known[2]:
            work.add(each)
        effort.spent += known[3]
        return known[1]
    outer, work.said, before = work.said, [], effort.spent
    work.session.noted(of.tree.span if isinstance(of, BlockRef) else of.span, ())
    try:
        made = run()
    finally:
        said, work.said = work.said, outer
    memo.entries[id(of)] = (of, made, said, effort.spent - before)
    return made


class _Checked:
    """Blocks and models of a module, and what is found on the way."""

    def __init__(self, session: Session, module: Module) -> None:
        self.session, self.module = session, module
        self.diagnostics: list[Diagnostic] = []
        self.said: list[list[Diagnostic]] = []  # by the declaration at hand, also what was said before
        self._seen: set[tuple[Any, ...]] = set()
        self._blamed: set[tuple[Any, ...]] = set()  # lines: one fault of a block is not said again at another use

    def add(self, diagnostics: list[Diagnostic]) -> None:
        """Add findings, each once: a block that is elaborated twice says the same twice."""
        self.said.append(diagnostics)
        lines: set[tuple[Any, ...]] = set()
        for each in diagnostics:
            line = (each.span.chunk, each.span.begin()[0] - each.span.chunk.line, each.code)
            key = (each.span.chunk, each.span.start, each.span.end, each.code)
            if each.severity == "error":
                lines.add(line)
            if key not in self._seen and line not in self._blamed:
                self._seen.add(key)
                self.diagnostics.append(each)
        self._blamed |= lines

    def _add_specialization(self, specialization: Specialization, done: set[Specialization]) -> None:
        if specialization in done:
            return
        done.add(specialization)
        if not specialization.ref.standard:  # what is wrong inside of the library is said where it is used
            self.add(specialization.diagnostics)
        for each in specialization.uses:
            self._add_specialization(each, done)

    def from_python(self, ref: BlockRef, statics: Mapping[str, Any]) -> dict[str, Any] | None:
        """Python values as statics of a block; None where one does not fit."""
        frame = Frame(self.session, self.module, ref, self.session.facts)
        self.session.begin()
        given = statics_of(frame, ref, statics)
        self.add(frame.diagnostics)
        return None if frame.diagnostics else given

    def block(self, ref: BlockRef) -> BlockReport:
        """Prove a block once, for all sizes, where its control flow does not depend on a static."""
        if wrong := faults(ref):
            self.add(wrong)
            return report.block(ref, None)
        root = Frame(self.session, self.module, None, self.session.facts)
        specialization: Specialization | None = None
        if self.session.facts.tally.effort.exhausted:
            return report.block(ref, None)  # said where it came to that
        try:
            whole = with_entries(root, ref)
            match = all_open(root, whole)
            found = abstract(whole, match, tuple(e.type.optional for e in whole.tree.inputs))
            specialization = self.session.find(root, whole, found)
            self._add_specialization(specialization, set())
            self.add([wrong for _, wrong in specialization.handed])  # an axis that is the default
        except UnresolvedChoice as open_:
            self.add(open_.found)
        except LimitReached as limit:
            self.add([limited(limit, limit.span or ref.tree.name_span)])
        except TooComplexError as problem:
            self.add([too_complex(problem, ref.tree.name_span)])
        except StatementFailed:
            self.add(root.diagnostics)
        finally:
            self.session.noted(ref.tree.span, root.uses)
        definition = specialization.definition if specialization is not None else None
        if not any(d.severity == "error" and d.span.chunk is ref.tree.span.chunk for said in self.said for d in said):
            self.add(lint.of_block(ref, definition))
        return report.block(ref, specialization)

    def model(self, tree: syntax.Model) -> ModelReport | None:
        """`model Name = Block[...] where pins`."""
        if self.session.facts.tally.effort.exhausted:
            return None
        frame = Frame(self.session, self.module, None, self.session.facts)
        try:
            if isinstance(tree.value, syntax.Call | syntax.Compose):
                shown = (tree.value.span.text.replace("(", "[", 1).removesuffix(")") + "]").removesuffix("[]")
                edits = (Edit(tree.value.span, shown),) if isinstance(tree.value, syntax.Call) else ()
                help_ = f"write `model {tree.name} = {shown}`" if isinstance(tree.value, syntax.Call) else ""
                help_ = help_ or "write a block that applies it, and make a model of that"
                text = "a model is a block with its statics in brackets"
                raise frame.fail("E0411", text, tree.value.span, help=help_, edits=edits)
            if not isinstance(tree.value, syntax.Brackets):
                value = self.session.evaluate(frame, tree.value)
                value = Template(value) if isinstance(value, BlockRef) else value
            else:
                value = self.session.template(frame, tree.value)
            if value is BROKEN:
                return None
            if not isinstance(value, Template):
                raise frame.fail(
                    "E0411", "a model is a block with its statics: `model M = Block[...]`", tree.value.span
                )
        except (StatementFailed, UnresolvedChoice, LimitReached):
            self.add(frame.diagnostics)
            return None
        return self.instance(tree.name, value, tree, tree.where, tree.doc)

    def instance(
        self, name: str, value: Template, tree: Any, pins: tuple[syntax.Expr, ...] | None, doc: str
    ) -> ModelReport | None:
        """A block with all its statics, over open sizes of its inputs."""
        root = Frame(self.session, self.module, None, self.session.facts)
        root.entry = True
        span = tree.value.span if isinstance(tree, syntax.Model) else tree.name_span
        try:
            value = replace(value, block=listed.known(root, value.block, dict(value.statics), span))
            match = self._match(root, value, span)
            if match is None:
                return None
            found = abstract(value.block, match, tuple(e.type.optional for e in value.block.tree.inputs))
            specialization = self.session.find(root, value.block, found, span)
        except LimitReached as limit:
            self.add([limited(limit, span)])
            return None
        except TooComplexError as problem:
            self.add([too_complex(problem, span)])
            return None
        except UnresolvedChoice as open_:
            self.add([unresolved(open_, value.block, span)])
            return None
        except StatementFailed:
            self.add(root.diagnostics)
            return None
        finally:
            self.add(root.diagnostics)
            self.session.noted(tree.span, root.uses)
        self._add_specialization(specialization, set())
        if blame.at_use(root, specialization, span) or blame.of_handed(root, specialization, span):
            self.add(root.diagnostics)
        if specialization.definition is None or not specialization.ok:
            return None
        try:
            return self._report(name, specialization, bindings_of(specialization.holes, found.sizes), pins, doc, tree)
        except TooComplexError as problem:
            self.add([too_complex(problem, span)])
            return None

    def _match(self, root: Frame, value: Template, span: Any) -> InputMatch | None:
        given = dict(value.statics)
        for decl in value.block.tree.statics:  # a size that only the inputs determine is open at a model's entry
            if decl.name not in given and decl.default is None and self._in_inputs(value.block, decl.name):
                given[decl.name] = open_static(decl, value.block.tree)
        match = open_match(root, value.block, given, span)
        if match is None or not self._stated(root, value, match, span):
            self.add(root.diagnostics)
            return None
        return match

    def _in_inputs(self, ref: BlockRef, name: str) -> bool:
        dims = [dim for each in ref.tree.inputs for dim in each.type.dims]
        return any(isinstance(dim, syntax.Expr) and name in names_in(dim) for dim in dims)

    def _stated(self, root: Frame, value: Template, match: InputMatch, span: Any) -> bool:
        assert match.env is not None
        for tree in value.block.tree.where:
            condition = match.env.evaluate(tree)
            never = condition is False or (
                isinstance(condition, Condition) and root.proof.facts.decide(condition) is Answer.NEVER
            )
            if never:
                root.report("E0401", f"`{value.block.name}` demands {tree.span.text}: it never holds here", span)
                return False
        return True

    def _report(
        self, name: str, specialization: Specialization, bindings: Any, pins: Any, doc: str, tree: Any
    ) -> ModelReport | None:
        span = tree.value.span if isinstance(tree, syntax.Model) else tree.name_span
        definition = specialization.definition
        assert definition is not None
        numbers = {u: s.number for u, s in bindings if s.is_number}
        known = {u: size(n) for u, n in numbers.items()}
        for condition in definition.conditions:
            if self._never(condition, known):
                values = ", ".join(f"{u} = {n}" for u, n in numbers.items() if u in condition.unknowns)
                text = f"`{specialization.ref.name}` demands {condition}: with {values} it never holds"
                self.add([Diagnostic("E0401", text, span)])
                return None
        if (large := without_number(definition, known)) is not None:
            values = ", ".join(f"{u} = {n}" for u, n in numbers.items() if n)
            self.add([Diagnostic("E0701", f"the size `{large}` is too large a number here, with {values}", span)])
            return None
        conditions = simplify(self.session.facts, [c.subs(known) for c in definition.conditions])
        ir = Model(name, definition, tuple(numbers.items()), tuple(conditions), (), doc or definition.doc)
        if pins is not None and not self._pinned(definition, known, conditions, pins):
            return None
        count = known_weights(ir, span)
        if isinstance(count, Diagnostic):
            self.add([count])
            return None
        if (wrong := misfit(ir, span)) is not None:
            self.add([wrong])
            return None
        texts = tuple(str(c) for c in conditions)
        return ModelReport(name, report.signature(specialization, known), texts, count, ir, tree.name_span)

    def _never(self, condition: Condition, known: dict[Unknown, Size]) -> bool:
        """Whether a condition cannot hold at these numbers: so it is where it divides by 0."""
        try:
            return self.session.facts.decide(condition.subs(known)) is Answer.NEVER
        except ZeroDivisionError:
            return True

    def _pinned(
        self,
        definition: Definition,
        known: dict[Unknown, Size],
        conditions: list[Condition],
        pins: tuple[syntax.Expr, ...],
    ) -> bool:
        """A pin must say exactly what was inferred."""
        frame = Frame(self.session, self.module, None, self.session.facts)
        for unknown in (*definition.sizes, *(s.unknown for s in definition.statics if s.unknown)):
            frame.scope.variables[unknown.name] = known.get(unknown, size(unknown))
        stated: list[Condition] = []
        try:
            for tree in pins:
                value = frame.evaluate(tree)
                if isinstance(value, Condition):
                    stated.append(value)
                elif value is not True:
                    raise frame.fail("E0407", "a pin is a condition on sizes", tree.span)
        except StatementFailed:
            self.add(frame.diagnostics)
            return False
        except UnresolvedChoice as open_:
            text = f"a pin is a condition on whole sizes; `{open_.what}` compares others"
            self.add(
                [Diagnostic("E0407", text, open_.span or pins[0].span, help="multiply it out: `n / 2 < 3` is `n < 6`")]
            )
            return False
        pinned, inferred = Facts.of(stated), Facts.of(conditions)
        extra = [c for c in stated if not inferred.holds(c)]
        missing = [c for c in conditions if not pinned.holds(c)]
        if not extra and not missing:
            return True
        said = ", ".join(map(str, conditions)) or "no condition"
        self.add(
            [
                Diagnostic(
                    "E0401",
                    f"the pin is not what was inferred: {said}",
                    pins[0].span.to(pins[-1].span),
                    help=f"where {said}" if conditions else "leave the `where` out",
                )
            ]
        )
        return False
