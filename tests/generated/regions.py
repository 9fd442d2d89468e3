"""Productions: loops, choices, vectorized blocks and derivatives, each with a body of its own."""

from __future__ import annotations

from collections.abc import Callable

from generated import blocks
from generated.blocks import merged
from generated.dims import Dim, Type
from generated.scope import Scope, Var
from generated.shapes import like
from generated.tree import Input, Let, Parts, Plain, Ref, Region, Stmt
from generated.vectorized import Vectorizing

Fill = Callable[[Scope, int], None]
KINDS = ("repeat", "for", "scan", "over", "each", "grad", "custom_grad", "training", "given", "if")


class Regions(Vectorizing):
    """Regions whose bodies are filled by `fill`, the first statement of a body being a region that is wanted."""

    def __init__(self, fill: Fill) -> None:
        self.fill = fill

    def open(self, scope: Scope, kind: str, want: str | None = None) -> None:
        """One region; where it cannot stand here, nothing."""
        if scope.regions:
            scope.maker.program.pairs.add((scope.regions[-1], kind))
        else:
            scope.block.regions.append(kind)
        getattr(self, f"_{'if' if kind == 'if' else kind}")(scope, want)

    def _filled(self, scope: Scope, want: str | None, steps: int) -> None:
        before = scope.rng.randint(0, 1)
        for _ in range(before):
            self.fill(scope, 1)
        if want is not None:
            self.open(scope, want)
        self.fill(scope, max(0, steps - before))

    def _inside(
        self, scope: Scope, kind: str, body: list[Stmt], more: list[Var], gone: frozenset[str] = frozenset()
    ) -> Scope:
        """The scope of a body that stands in this one."""
        return Scope(
            scope.maker,
            scope.block,
            body,
            [*scope.vars, *more],
            scope.depth + 1,
            (*scope.regions, kind),
            scope.names,
            scope.allow - gone - {"return"} - ({"path"} if kind in ("repeat", "for") else set()),
        )

    def _steps(self, scope: Scope) -> int:
        return scope.rng.randint(1, 3 if scope.depth < 2 else 2)

    # --- loops --------------------------------------------------------------------------------------------------------

    def _carried(self, scope: Scope) -> list[Var]:
        """One or two float values that a body binds again."""
        found: list[Var] = []
        for _ in range(scope.rng.choice((1, 1, 2))):
            var = scope.tame(scope.real(0 if scope.chance(0.2) else 1))
            if var.fixed:
                var = scope.let((var.ref, " * 0.5"), var.type, ("mul",), size=var.size)
            if all(var.ref is not other.ref for other in found):
                found.append(var)
        return found

    def _rebound(self, inner: Scope, carried: list[Var]) -> None:
        """Bind the carried values again, to the same types."""
        for var in carried:
            made = merged(inner, var)
            last = inner.body[-1]
            assert isinstance(last, Let)
            last.targets = [var.ref]
            inner.vars.remove(made)
            var.size = max(var.size, 3.0) * 2

    def _repeat(self, scope: Scope, want: str | None) -> None:
        count = scope.rng.choice((1, 2, 2, 3)) if want or scope.chance(0.93) else 0
        text, size = str(count), Dim.of(count)
        statics = [name for name in scope.block.values if name.static]
        if statics and scope.chance(0.25):
            name = scope.rng.choice(statics)
            text, size, count = name.text, Dim.of(name), scope.block.values[name]
        label = scope.place(scope.rng.choice(("h", "layers", "turn")))
        carried = self._carried(scope)
        body: list[Stmt] = []
        withs: list[Parts] = []
        more: list[Var] = []
        inner_refs: list[Ref] = []
        if count and scope.chance(0.35):
            source = scope.find(lambda v: v.elem == "float" and v.rank > 1 and v.axes[0] == size)
            if source is None:
                source = like(scope, Type("float", (size, *(scope.real(1, 2, plain=True).type.dims))))
            ref = Ref("s")
            withs.append((ref, " in ", source.ref))
            more.append(Var(ref, source.type.over(*source.axes[1:]), source.size))
            inner_refs.append(ref)
        if scope.chance(0.35):
            ref = Ref("i")
            withs.append((ref, f" in range({text})"))
            inner_refs.append(ref)
            number: Ref | None = ref
        else:
            number = None
        inner = self._inside(scope, "repeat", body, more)
        if number is not None:
            var = carried[0]
            inner.let(
                (var.ref, scope.rng.choice((" * (", " + (")), number, scope.rng.choice((" + 1)", " * 0.5)", " / 3)"))),
                var.type,
                ("mul",),
                size=var.size * 3,
            )
        self._filled(inner, want, self._steps(scope))
        self._rebound(inner, carried)
        yielded = self._yields(inner, size, 0) if count else []
        head: list[str | Ref] = [f"repeat {text}"]
        if scope.chance(0.8):
            head.append(f" as {label}")
        for number_, part in enumerate(withs):
            head += [" with " if not number_ else ", ", *part]
        scope.body.append(
            Region("repeat", [tuple(head)], [body], inner_refs, [(v.ref, v.type) for v in carried], ("repeat",), count)
        )
        self._finished(scope, carried, yielded)

    def _yields(self, inner: Scope, count: Dim, axis: int) -> list[Var]:
        """What the iterations collect, and the values that stand for it afterwards."""
        found = []
        for _ in range(inner.rng.choice((0, 1, 1, 2))):
            var = inner.find(
                lambda v: v.rank >= axis and v.elem in ("float", "float", "int", "bool") and not v.type.packed
            )
            if var is None:
                continue
            ref = Ref("all")
            type = var.type.over(*var.axes[:axis], count, *var.axes[axis:])
            inner.body.append(Plain(("yield ", ref, " = ", var.ref), ("yield",), (ref, type)))
            found.append(Var(ref, type, var.size))
        return found

    def _finished(self, scope: Scope, carried: list[Var], yielded: list[Var]) -> None:
        for var in carried:
            for known in scope.vars:
                if known.ref is var.ref:
                    known.labels = None
                    known.size = max(known.size, var.size)
        scope.vars.extend(yielded)

    def _scan(self, scope: Scope, want: str | None) -> None:
        x = scope.real(1, 4, plain=True)
        at, text = scope.axis(x)
        dim = x.type.dims[at]
        step = Ref("t")
        kept = x.type.over(*(axis for i, axis in enumerate(x.axes) if i != at))
        steps: list[str | Ref] = ["scan ", step, " in ", x.ref]
        more = [Var(step, kept, x.size)]
        inner_refs = [step]
        other = scope.find(lambda v: v.elem == "float" and not v.type.packed and v.type == x.type and v is not x)
        if other is not None and scope.chance(0.25) and not text.isidentifier():
            second = Ref("r")
            steps += [", ", second, " in ", other.ref]
            more.append(Var(second, kept, other.size))
            inner_refs.append(second)
        start = scope.tame(scope.real(0 if scope.chance(0.3) else 1))
        carry = Ref("h")
        carried_var = Var(carry, start.type, start.size)
        explicit = scope.chance(0.8)
        carried = [carried_var] if explicit else self._carried(scope)
        body: list[Stmt] = []
        inner = self._inside(scope, "scan", body, [*more, *([carried_var] if explicit else [])])
        self._filled(inner, want, self._steps(scope))
        self._rebound(inner, carried)
        yielded = self._yields(inner, dim, at)
        head = [*steps, f" along {text}", " reverse" if scope.chance(0.3) else ""]
        if explicit:
            head += [" carry ", carry, " = ", start.ref]
            inner_refs.append(carry)
        scope.body.append(
            Region("scan", [tuple(head)], [body], inner_refs, [(v.ref, v.type) for v in carried], ("scan",))
        )
        scope.maker.left -= 1
        if explicit:
            scope.vars.append(carried_var)
            carried_var.size *= 2
        self._finished(scope, carried, yielded)

    def _for(self, scope: Scope, want: str | None) -> None:
        carried = self._carried(scope)
        body: list[Stmt] = []
        loop, item = Ref("k"), Ref("c")
        form = scope.rng.choice(("range", "list", "enumerate", "zip", "blocks"))
        inner = self._inside(scope, "for", body, [])
        var = carried[0]
        if form == "range":
            head: Parts = ("for ", item, f" in range({scope.rng.randint(1, 3)})")
            inner.let((var.ref, " + 0.5 * ", item), var.type, ("mul", "add"), size=var.size + 2)
        elif form == "list":
            head = (
                "for ",
                item,
                f" in {scope.rng.choice(('[0.5, 1.25]', '[2, 1, 3]', '[0.1]', '[2 * j for j in range(3)]'))}",
            )
            inner.let((var.ref, " * ", item), var.type, ("mul",), size=var.size * 3)
        elif form == "enumerate":
            head = ("for ", loop, ", ", item, " in enumerate([1.5, 0.5])")
            inner.let((var.ref, " * ", item, " - ", loop), var.type, ("mul", "sub"), size=var.size * 2 + 2)
        elif form == "zip":
            head = ("for ", loop, ", ", item, " in zip([1, 2], [0.3, 0.6])")
            inner.let((var.ref, " * ", item, " + ", loop), var.type, ("mul", "add"), size=var.size + 2)
        else:
            head = ("for ", item, " in [tanh, relu, sin]")
            inner.let((item, "(", var.ref, ")"), var.type, ("tanh", "relu", "sin"), size=var.size)
        label = scope.place("stage")
        self._filled(inner, want, self._steps(scope))
        self._rebound(inner, carried)
        head = (*head, f" as {label}")
        scope.body.append(Region("for", [head], [body], [loop, item], [(v.ref, v.type) for v in carried], ("for",), 0))
        self._finished(scope, carried, [])

    # --- choices ------------------------------------------------------------------------------------------------------

    def _arms(self, scope: Scope, kind: str, heads: list[Parts], want: str | None, more: list[list[Var]]) -> None:
        carried = self._carried(scope)
        bodies: list[list[Stmt]] = []
        for number in range(len(heads)):
            body: list[Stmt] = []
            inner = self._inside(scope, kind, body, more[number], frozenset(("yield",)))
            self._filled(inner, want if number == 0 else None, 1 if number else self._steps(scope))
            self._rebound(inner, carried)
            bodies.append(body)
        scope.body.append(Region(kind, heads, bodies, [], [(v.ref, v.type) for v in carried], (kind,)))
        self._finished(scope, carried, [])

    def _training(self, scope: Scope, want: str | None) -> None:
        heads: list[Parts] = [("if training",)]
        if scope.chance(0.5):
            heads.append(("else",))
        self._arms(scope, "training", heads, want, [[], []])
        scope.block.facts.add("training")

    def _given(self, scope: Scope, want: str | None) -> None:
        known = [i for i in scope.block.inputs if i.optional]
        if known and scope.chance(0.5):
            chosen = scope.rng.choice(known)
        else:
            source = scope.find(
                lambda v: (
                    v.elem in ("float", "bool", "int")
                    and v.rank < 4
                    and all(a.names <= scope.block.values.keys() for a in v.type.dims)
                    and not v.type.packed
                )
            )
            if source is None or any(isinstance(a, Dim) and a.name is None and not a.is_number for a in source.axes):
                source = scope.find(
                    lambda v: (
                        v.elem == "float"
                        and not v.type.packed
                        and all(a.name is not None or a.is_number for a in v.type.dims)
                    )
                )
            type = source.type if source is not None else Type("float", ())
            bound = {name for i in scope.block.inputs if not i.optional for a in i.type.dims for name in a.names}
            if not all(name in bound for a in type.dims for name in a.names):
                type = Type("float", ())
            chosen = Input(Ref(f"opt{len(scope.block.inputs)}"), type, optional=True)
            scope.block.inputs.append(chosen)
        there = Var(chosen.ref, chosen.type, 3.0)
        heads: list[Parts] = [("if given(", chosen.ref, ")")]
        if scope.chance(0.5):
            heads.append(("else",))
        self._arms(scope, "given", heads, want, [[there], []])

    def _if(self, scope: Scope, want: str | None) -> None:
        """Decided at compile time: by a literal, a static, a size that the model tells."""
        flag = scope.rng.choice(("true", "false", "1 < 2", "not false", "3 in {1, 3}"))
        roll = scope.rng.random()
        if roll < 0.3:
            name = scope.maker.fresh("flag")
            default = scope.rng.choice(("true", "false"))
            scope.block.statics.append(blocks.Static(name, f"{name}={default}", scope.rng.choice(("", f"{name}=true"))))
            flag = name
        elif roll < 0.45:
            name = scope.maker.fresh("mode")
            scope.block.statics.append(blocks.Static(name, f'{name}="a"', scope.rng.choice(("", f'{name}="b"'))))
            flag = f'{name} == "a"'
        elif roll < 0.6:
            statics = [name.text for name in scope.block.values if name.static]
            if statics:
                flag = f"{scope.rng.choice(statics)} >= 2"
        heads: list[Parts] = [(f"if {flag}",)]
        if scope.chance(0.3):
            heads.append((f"elif {scope.rng.choice(('true', 'false'))}",))
        if scope.chance(0.6):
            heads.append(("else",))
        self._arms(scope, "if", heads, want, [[], [], []])


__all__ = ["KINDS", "Regions"]
