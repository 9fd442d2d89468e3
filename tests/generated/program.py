"""A whole random program, and the weights with which its productions are drawn."""

from __future__ import annotations

import random
from collections.abc import Callable

from generated import (
    rules_algebra,
    rules_blocks,
    rules_elementwise,
    rules_kernels,
    rules_layout,
    rules_library,
    rules_lists,
    rules_reduce,
    uses,
)
from generated.blocks import settle
from generated.dims import Dim, Name, Pack, Type
from generated.regions import KINDS, Regions
from generated.scope import Maker, Scope, Var, labels_of
from generated.tree import Block, Input, Output, Parts, Program, Ref, Return, Static, reads

Rule = Callable[[Scope], None]
PLAIN: tuple[tuple[Rule, float], ...] = (
    *rules_elementwise.RULES,
    *rules_layout.RULES,
    *rules_reduce.RULES,
    *rules_kernels.RULES,
    *rules_algebra.RULES,
    *rules_blocks.SIMPLE,
    *rules_library.RULES,
    *rules_lists.RULES,
)
# what ONNX derives: most bodies under `grad` are made of these alone
DERIVED = frozenset(
    ("unary", "guarded", "binary", "divided", "negated", "multiplied", "contracted", "turned", "grown",
    "reduced", "sized",
     "sliced", "parameter", "linear", "mirrored", "softened")
)  # fmt: skip
PAIRS = tuple((outer, inner) for outer in KINDS for inner in KINDS)


class Writer:
    """Fills bodies."""

    def __init__(self) -> None:
        self.regions = Regions(self.fill)
        self.uses = uses.Uses(self.fill)
        self.rules = [*PLAIN, (self.uses.called, 2.0), (self.uses.flat, 0.25)]
        self.weights = [weight for _, weight in self.rules]
        self.derived = [rule for rule, _ in PLAIN if rule.__name__ in DERIVED]

    def fill(self, scope: Scope, steps: int) -> None:
        """So many productions."""
        for _ in range(steps):
            if scope.depth < 3 and scope.chance(0.07 / (1 + scope.depth)):
                self.regions.open(scope, scope.rng.choice(KINDS))
                continue
            if "derived" in scope.allow and "all" not in scope.allow:
                scope.rng.choice(self.derived)(scope)
                continue
            (rule,) = scope.rng.choices([rule for rule, _ in self.rules], self.weights)
            rule(scope)


def program(seed: str) -> Program:
    """The program of a seed."""
    rng = random.Random(seed)
    made = Program(seed)
    maker = Maker(rng, made, rng.randint(24, 60))
    main = Block("Main")
    maker.taken.add("Main")
    allow = (
        {"weights", "tap", "path"}
        | ({"state"} if rng.random() < 0.4 else set())
        | ({"draw"} if rng.random() < 0.15 else set())
    )
    if rng.random() < 0.15:
        allow.add("all")  # under `grad` too
    if rng.random() < 0.25:
        allow.add("bare")
    scope = Scope(maker, main, main.body, [], 0, (), {}, frozenset(allow))
    _inputs(scope)
    _list(scope, seed)
    writer = Writer()
    wanted = [rng.choice(PAIRS) for _ in range(rng.choice((1, 2, 2)))]
    while maker.left > 0 or wanted:
        if wanted and rng.random() < 0.3:
            outer, inner = wanted.pop()
            writer.regions.open(scope, outer, inner)
        else:
            writer.fill(scope, 1)
    _outputs(scope)
    settle(main)
    made.blocks.append(main)
    statics = [name for name in main.values if name.static]
    given = [f"{name.text}={main.values[name]}" for name in statics]
    own = [static.given for static in main.statics if static.given and not any(n.text == static.name for n in statics)]
    made.given = f"[{', '.join([*given, *own])}]" if given or own else ""
    made.optional = [i.ref.hint for i in main.inputs if i.optional and rng.random() < 0.6]
    made.awkward = rng.random() < 0.15
    return made


def _inputs(scope: Scope) -> None:
    """One to four inputs; their sizes are a few names, some of which the model tells."""
    rng, block = scope.rng, scope.block
    names: list[Name] = []
    for text in rng.sample(("b", "n", "d", "k", "h", "t"), rng.randint(2, 4)):
        static = text in "dk" or rng.random() < 0.15
        if not static and rng.random() < 0.06:
            scope.require(f"{text} >= 0")  # it may have no entries
        names.append(scope.size_name(text, rng.choice((1, 2, 2, 3, 3, 4, 4, 5)), static=static))
        if static and rng.random() < 0.6:
            block.statics.append(Static(text, text, f"{text}={block.values[names[-1]]}"))
    packed = rng.random() < 0.1
    if packed:
        scope.maker.program.packs["lead"] = rng.choice(((), (3,), (2, 3), (2, 1, 2)))
    for number in range(rng.randint(1, 4)):
        elem = "float" if number == 0 else rng.choice(("float", "float", "float", "int", "bool", "complex"))
        rank = rng.choice((1, 2, 2, 3, 3, 4)) if elem == "float" else rng.choice((0, 1, 2))
        chosen = rng.sample(names, min(rank, len(names)))
        axes = [Dim.of(name) for name in chosen]
        if axes and rng.random() < 0.15:
            axes[-1] = Dim.of(rng.randint(1, 4))
        if axes and rng.random() < 0.1:
            at = rng.randrange(len(axes))
            axes[at] = axes[at] * 2
        lead = (Pack("lead"),) if packed and (number == 0 or rng.random() < 0.3) else ()
        ref = Ref(("x", "y", "z", "u")[number])
        block.inputs.append(Input(ref, Type(elem, (*lead, *axes))))
        scope.vars.append(Var(ref, block.inputs[-1].type, 4.0, labels_of(block.inputs[-1].type)))
    bound = {n for i in block.inputs for a in i.type.dims if a.name is not None for n in a.names}
    for name in [n for n in names if n not in bound]:
        half = any(n == name for i in block.inputs for a in i.type.dims for n in a.names)
        if not half and not (name.static and any(s.name == name.text for s in block.statics)):
            del block.values[name]
            block.where[:] = [w for w in block.where if w != f"{name.text} >= 0"]
            block.statics[:] = [s for s in block.statics if s.name != name.text]
        elif not half:
            pass


def _list(scope: Scope, seed: str) -> None:
    """An input in its place is sometimes a list of two of its type."""
    rng, inputs = random.Random(f"{seed}/list"), scope.block.inputs
    if rng.random() < 0.15:
        at = rng.randrange(len(inputs))
        inputs.insert(at + 1, Input(Ref("twin"), inputs[at].type))
        scope.vars.append(Var(inputs[at + 1].ref, inputs[at].type, 4.0, labels_of(inputs[at].type)))
        scope.block.taken = at, 2


def _outputs(scope: Scope) -> None:
    """What nothing reads is mostly returned; some is dead."""
    read = {ref for statement in scope.body for ref in reads(statement)}
    given = {i.ref for i in scope.block.inputs}
    unread = [v for v in scope.vars if v.ref not in read and v.ref not in given]
    seen: set[Ref] = set()
    chosen: list[Var] = []
    for var in reversed(unread):
        if var.ref not in seen and (not chosen or (scope.chance(0.75) and len(chosen) < 12)):
            chosen.append(var)
            seen.add(var.ref)
    chosen = chosen or [scope.vars[-1]]
    scope.rng.shuffle(chosen)
    named = scope.chance(0.7)
    pairs = [at for at in range(len(chosen) - 1) if str(chosen[at].type) == str(chosen[at + 1].type)]
    results: list[Parts] = [(var.ref,) for var in chosen]
    if named and pairs:
        at = pairs[0]
        scope.block.given = at, 2
        results[at : at + 2] = [("[", chosen[at].ref, ", ", chosen[at + 1].ref, "]")]
    scope.body.append(Return(results))
    scope.block.result = [var.type for var in chosen]
    scope.block.outputs = [
        Output(var.type, f"o{i}" if named and len(chosen) > 1 else "") for i, var in enumerate(chosen)
    ]
