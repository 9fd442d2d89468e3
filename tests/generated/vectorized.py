"""Productions: blocks that are vectorized over an axis, and derivatives."""

from __future__ import annotations

from collections.abc import Callable

from generated import blocks
from generated.blocks import Made, inherit, instance, make, merged, scalar, several
from generated.dims import Dim, Type
from generated.rules_lists import distinct
from generated.scope import Scope, Var, labels_of
from generated.tree import Let, Parts, Ref

Fill = Callable[[Scope, int], None]


def _weighty(made: Made) -> tuple[str, ...]:
    return ("weighty",) if made.block.weighty else ()


class Vectorizing:
    """Regions that are blocks applied by `over`, `each`, `grad`, `custom_grad`."""

    def _filled(self, scope: Scope, want: str | None, steps: int) -> None:
        raise NotImplementedError

    def _steps(self, scope: Scope) -> int:
        raise NotImplementedError

    def _body(self, want: str | None) -> Fill:
        return lambda scope, steps: self._filled(scope, want, steps)

    def _allow(self, scope: Scope, gone: frozenset[str] = frozenset()) -> frozenset[str]:
        return (scope.allow | {"weights", "path"}) - gone

    def _applied(self, scope: Scope, made: Made, name: str) -> tuple[str | Ref, ...]:
        """A block as it is handed to `over` and `grad`: a name, brackets, or an instance."""
        inherit(scope, made.block)
        text = blocks.brackets(scope, made.block)
        if made.block.weighty or scope.chance(0.2):
            if "weights" in scope.allow or not made.block.weighty:
                return (instance(scope, made.block, scope.place(name)),)
        return (f"{made.block.name}{text}",)

    def _named(self, scope: Scope, var: Var) -> Var:
        """The same value with a type of its own, which names its axes."""
        made = scope.let((var.ref, " * 1.0"), var.type, ("mul",), size=var.size)
        last = scope.body[-1]
        assert isinstance(last, Let)
        last.typed = True
        made.labels = labels_of(made.type)
        return made

    def _by_label(self, scope: Scope, want: str | None) -> bool:
        """`over[n, f](x, y)`: what has the axis is taken apart, what lacks it is seen whole."""
        known = [v for v in scope.vars if v.elem == "float" and v.rank > 0 and distinct(v)]
        if not known:
            return False
        x = self._named(scope, scope.rng.choice(known))
        label = scope.rng.choice([a for a in x.type.dims])
        operands = [x]
        if scope.chance(0.7):
            operands.append(self._named(scope, scope.rng.choice(known)))
        inner = [v.type.over(*(a for a in v.axes if a != label)) for v in operands]
        made = make(
            scope, inner, "over", self._body(want), steps=self._steps(scope), allow=self._allow(scope),
            sizes=[v.size for v in operands],
        )  # fmt: skip
        head = self._applied(scope, made, "f")
        at = x.type.dims.index(label)
        types = []
        for result in made.results:
            place = at if at <= len(result.axes) else 0
            types.append(Type(result.elem, (*result.axes[:place], label, *result.axes[place:])))
        self._bound(scope, several((f"over[{label}, ", *head, "]"), operands), types, ("over", *_weighty(made)))
        return True

    def _ensemble(self, scope: Scope, want: str | None) -> bool:
        """`each[e, F](x)` of an operand without such an axis: copies that see the same."""
        known = [v for v in scope.vars if v.elem == "float" and v.rank > 0 and distinct(v)]
        if not known or "weights" not in scope.allow:
            return False
        x = self._named(scope, scope.rng.choice(known))
        sizes = [n for n in scope.block.values if n.static and Dim.of(n) not in x.type.dims]
        if not sizes:
            return False
        name = scope.rng.choice(sizes)
        made = make(
            scope, [x.type], "each", self._body(want), steps=self._steps(scope), allow=self._allow(scope),
            sizes=[x.size],
        )  # fmt: skip
        inherit(scope, made.block)
        text = blocks.brackets(scope, made.block, open_=True)
        types = [Type(result.elem, (Dim.of(name), *result.axes)) for result in made.results]
        self._bound(
            scope, (f"each[{name.text}, {made.block.name}{text}](", x.ref, ")"), types, ("each", *_weighty(made))
        )
        return True

    def _over(self, scope: Scope, want: str | None) -> None:
        if scope.chance(0.3) and self._by_label(scope, want):
            return
        x = scope.real(1, 4, plain=True)
        at = scope.rng.randrange(x.rank)
        dim = x.type.dims[at]
        inner = x.type.over(*(axis for i, axis in enumerate(x.axes) if i != at))
        made = make(
            scope, [inner], "over", self._body(want), steps=self._steps(scope), allow=self._allow(scope), sizes=[x.size]
        )
        head = self._applied(scope, made, "f")
        position = str(at - x.rank if scope.chance(0.4) else at)
        self._vectorized(scope, "over", position, head, at, dim, x, made)

    def _each(self, scope: Scope, want: str | None) -> None:
        if scope.chance(0.2) and self._ensemble(scope, want):
            return
        x = scope.find(lambda v: v.elem == "float" and not v.type.packed and any(a.static for a in v.type.dims))
        if x is None or "weights" not in scope.allow:
            source = scope.real(0, 2, plain=True)
            names = " ".join(scope.letters(source.rank))
            x = scope.let(
                (f'expand["{names} -> e {names}", e=2](', source.ref, ")"),
                source.type.over(Dim.of(2), *source.axes),
                ("expand",),
                size=source.size,
            )
        at = scope.rng.choice([i for i, a in enumerate(x.type.dims) if a.static])
        dim = x.type.dims[at]
        inner = x.type.over(*(axis for i, axis in enumerate(x.axes) if i != at))
        made = make(
            scope, [inner], "each", self._body(want), steps=self._steps(scope), allow=self._allow(scope), sizes=[x.size]
        )
        inherit(scope, made.block)
        text = blocks.brackets(scope, made.block, open_=True)
        position = str(at - x.rank if scope.chance(0.4) else at)
        self._vectorized(scope, "each", position, (f"{made.block.name}{text}",), at, dim, x, made)

    def _vectorized(
        self, scope: Scope, kind: str, position: str, head: Parts, at: int, dim: Dim, x: Var, made: Made
    ) -> None:
        types = []
        for result in made.results:
            place = at if at <= len(result.axes) else 0
            types.append(Type(result.elem, (*result.axes[:place], dim, *result.axes[place:])))
        tags = (kind, *_weighty(made))
        if kind == "each" and scope.chance(0.5):
            parts: Parts = (x.ref, f" |> {kind}[{position}, ", *head, f"] as {scope.place('e')}")
        else:
            parts = (f"{kind}[{position}, ", *head, "](", x.ref, ")")
        self._bound(scope, parts, types, tags)

    def _bound(self, scope: Scope, parts: Parts, types: list[Type], tags: tuple[str, ...]) -> None:
        if len(types) == 1:
            scope.let(parts, types[0], tags, pure=False, size=9)
        else:
            scope.let_several(parts, types, tags, pure=False, size=9)

    def _grad(self, scope: Scope, want: str | None) -> None:
        x = scope.tame(scope.real(0 if scope.chance(0.15) else 1, 3, plain=True))
        args = [x]
        if scope.chance(0.35):
            args.append(scope.tame(scope.real(0, 2, plain=True)))
        gone = frozenset(("draw",))
        allow = self._allow(scope, gone) | {"derived"}
        types, sizes = [a.type for a in args], [a.size for a in args]
        steps = self._steps(scope)
        made = make(scope, types, "grad", self._body(want), steps=steps, allow=allow, result=scalar, sizes=sizes)
        head = self._applied(scope, made, "g")
        scope.block.facts.add("grad")
        scope.let(
            several(("grad[", *head, "]"), args),
            x.type,
            ("grad", *(("weighty",) if made.block.weighty else ())),
            pure=False,
            size=9,
        )

    def _custom_grad(self, scope: Scope, want: str | None) -> None:
        x = scope.tame(scope.real(0 if scope.chance(0.1) else 1, 3, plain=True))
        kept = scope.chance(0.6)

        def one(body: Scope, inputs: list[Var]) -> list[Var]:
            if kept:
                return [merged(body, inputs[0])]
            late = [v for v in body.vars if v.elem == "float"]
            return [late[-1]]

        gone = frozenset(("draw", "state", "tap"))
        made = make(
            scope,
            [x.type],
            "custom_grad",
            self._body(want),
            steps=self._steps(scope),
            allow=self._allow(scope, gone),
            result=one,
            sizes=[x.size],
        )
        y = made.results[0]

        def back(body: Scope, inputs: list[Var]) -> list[Var]:
            first, g = inputs
            if g.type == first.type:
                return [body.let((g.ref, " * cos(", first.ref, ")"), first.type, ("mul", "cos"))]
            return [body.let(("cos(", first.ref, ") * mean(", g.ref, ")"), first.type, ("cos", "mean", "mul"))]

        behind = make(
            scope, [x.type, y], "custom_grad", lambda body, steps: None, steps=0, allow=frozenset(), result=back
        )
        scope.block.facts.add("cuts")
        head = self._applied(scope, made, "v")
        inherit(scope, behind.block)
        more = f"{behind.block.name}{blocks.brackets(scope, behind.block)}"
        scope.let(("custom_grad[", *head, f", {more}](", x.ref, ")"), y, ("custom_grad",), pure=False, size=9)
