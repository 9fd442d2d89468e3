"""Productions: uses of blocks that are made on the way, in all ways to apply one."""

from __future__ import annotations

from collections.abc import Callable

from generated import blocks
from generated.blocks import inherit, instance, make, several
from generated.dims import Dim, Name, Type
from generated.rules_blocks import linear, parameter
from generated.scope import Scope, Var
from generated.tree import Block, Let, Parts, Ref, Weight

Fill = Callable[[Scope, int], None]


class Uses:
    """Uses of blocks that are made on the way."""

    def __init__(self, fill: Fill) -> None:
        self.fill = fill

    def called(self, scope: Scope) -> None:
        """A block of the program, new or known, in one of the ways to apply it."""
        if scope.depth > 3:
            return
        args = [scope.real(1)]
        for _ in range(scope.rng.choice((0, 0, 1, 2))):
            args.append(scope.find(lambda v: v.rank < 4 and not (v.type.packed and not args[0].type.packed)) or args[0])
        known = self._again(scope, args)
        if known is not None:
            return
        allow, steps, pack = scope.allow | {"weights", "path"}, scope.rng.randint(2, 5), scope.chance(0.25)
        types, sizes = [a.type for a in args], [a.size for a in args]
        made = make(scope, types, "", self.fill, steps=steps, allow=allow, pack=pack, sizes=sizes)
        self._use(scope, made.block, args, [blocks.spread(t) for t in made.results], made.sizes)

    def _again(self, scope: Scope, args: list[Var]) -> bool | None:
        """A block that is there already and takes these values: its sizes are those at which it is known to work."""
        if not scope.chance(0.35):
            return None
        for block in scope.rng.sample(scope.maker.program.blocks, len(scope.maker.program.blocks)):
            found = self._match(scope, block)
            if found is not None:
                operands, sizes = found
                types = [Type(t.elem, tuple(a.subs(sizes) for a in t.dims)) for t in block.result]
                for kind in block.regions:
                    if scope.regions:
                        scope.maker.program.pairs.add((scope.regions[-1], kind))
                self._use(scope, block, operands, types, sizes)
                return True
        return None

    def _match(self, scope: Scope, block: Block) -> tuple[list[Var], dict[Name, Dim]] | None:
        """Operands for the inputs of a block, with sizes of the values that it knows."""
        if any(t.packed for t in block.result) or any(
            "draws" in block.facts and "draw" not in scope.allow for _ in (0,)
        ):
            return None
        if ("states" in block.facts and "state" not in scope.allow) or (
            "taps" in block.facts and "tap" not in scope.allow
        ):
            return None
        sizes: dict[Name, Dim] = {}
        operands = []
        for each in block.inputs:
            if each.optional:
                continue
            if each.type.packed:
                return None
            found = [
                v
                for v in scope.vars
                if v.elem == each.type.elem and v.rank == len(each.type.axes) and not v.type.packed
            ]
            scope.rng.shuffle(found)
            for var in found:
                more = dict(sizes)
                if all(
                    self._bind(scope, block, more, a, b) for a, b in zip(each.type.dims, var.type.dims, strict=True)
                ):
                    sizes = more
                    operands.append(var)
                    break
            else:
                return None
        if not operands or set(sizes) != set(block.values):
            return None
        for static in block.statics:
            name = next((n for n in block.values if n.text == static.name), None)
            if name is not None and not sizes[name].static:
                return None
        return operands, sizes

    def _bind(self, scope: Scope, block: Block, sizes: dict[Name, Dim], inner: Dim, outer: Dim) -> bool:
        name = inner.name
        if name is None:
            return inner.is_number and inner == outer
        if name in sizes:
            return sizes[name] == outer
        if scope.at(outer) != block.values[name] or (name.static and not outer.static):
            return False
        sizes[name] = outer
        return True

    def _use(self, scope: Scope, block: Block, args: list[Var], types: list[Type], sizes: dict[Name, Dim]) -> None:
        inherit(scope, block)
        args = [*args, *self._optional(scope, block, sizes)]
        again = [s.given for s in block.statics if s.given and not any(n.text == s.name for n in block.values)]
        text = f"[{', '.join(again)}]" if again else ""
        tags = ("call", *(("weighty",) if block.weighty else ()))
        pure = not (block.facts & {"draws", "drops", "states"}) and not block.weighty
        if block.weighty and scope.chance(0.5):
            ref = Ref(scope.place("f"))
            scope.body.append(Let([ref], (f"{block.name}{text or '[]'}",), [None], ("instance",), pure=False))
            self._apply(scope, (ref,), args, types, ("call",))
            if scope.chance(0.5):
                self._apply(scope, (ref,), args, types, ("call", "shared"))
            return
        if block.weighty and len(args) == 1 and scope.chance(0.6):
            parts: Parts = (
                args[0].ref,
                f" |> {block.name}{text} as {scope.place(scope.rng.choice(('part', 'unit', 'mlp')))}",
            )
            self._let(scope, parts, types, tags, pure)
            return
        self._apply(scope, (f"{block.name}{text}",), args, types, tags, pure)
        made = scope.body[-1]
        assert isinstance(made, Let)
        made.use = (block.name, tuple(arg.ref for arg in args), sizes)

    def _optional(self, scope: Scope, block: Block, sizes: dict[Name, Dim]) -> list[Var]:
        """Optional inputs that are given: the first ones for which there is a value of their type."""
        found: list[Var] = []
        for each in block.inputs:
            if not each.optional:
                continue
            if each.type.packed or not all(a.names <= sizes.keys() for a in each.type.dims) or scope.chance(0.4):
                break
            type = Type(each.type.elem, tuple(a.subs(sizes) for a in each.type.dims))
            var = scope.find(lambda v, type=type: v.type == type)  # type: ignore[misc]
            if var is None:
                break
            found.append(var)
        return found

    def _apply(
        self, scope: Scope, head: Parts, args: list[Var], types: list[Type], tags: tuple[str, ...], pure: bool = False
    ) -> None:
        roll = scope.rng.random()
        if roll < 0.6:
            parts = several(head, args)
        elif len(args) == 1:
            parts = (args[0].ref, " |> ", *head)
        else:
            inside: list[str | Ref] = ["("]
            for number, arg in enumerate(args):
                inside += [", ", arg.ref] if number else [arg.ref]
            parts = (*inside, ") |> ", *head)
        self._let(scope, parts, types, tags, pure)

    def _let(self, scope: Scope, parts: Parts, types: list[Type], tags: tuple[str, ...], pure: bool) -> None:
        if len(types) == 1:
            scope.let(parts, types[0], tags, size=9, pure=pure)
        else:
            scope.let_several(parts, types, tags, size=9, pure=pure)

    def flat(self, scope: Scope) -> None:
        """`f(x, weights=theta)`, and how many numbers there are: `count[F]`."""
        x = scope.find(lambda v: v.elem == "float" and not v.type.packed and 0 < v.rank < 3 and v.type.dims[-1].static)
        if x is None or scope.depth > 2:
            return parameter(scope)

        def body(inner: Scope, steps: int) -> None:
            parameter(inner)
            if inner.chance(0.5):
                linear(inner)
            self.fill(inner, steps)

        made = make(scope, [x.type], "", body, steps=1, allow=frozenset(("weights", "path")), sizes=[x.size])
        if not made.block.weighty or "states" in made.block.facts or any(i.optional for i in made.block.inputs):
            return
        inherit(scope, made.block)
        given = [
            f"{name.text}={dim}"
            for name, dim in made.sizes.items()
            if name.static and any(s.name == name.text for s in made.block.statics)
        ]
        missing = [
            name
            for name in made.block.values
            if name.static and not any(s.name == name.text for s in made.block.statics)
        ]
        if missing:
            return
        more = [s.given for s in made.block.statics if s.given and not any(n.text == s.name for n in made.block.values)]
        text = f"{made.block.name}[{', '.join([*given, *more])}]" if given or more else made.block.name
        theta = Ref(scope.place("theta"))
        # its length is no size of ours: nothing else reads it
        scope.body.append(Weight("param", theta, _Raw(f"[count[{text}]]"), ("normal[std=0.4]",)))  # type: ignore[arg-type]
        scope.block.weighty = True
        f = instance(scope, made.block, scope.place("f"))
        last = scope.body[-1]
        assert isinstance(last, Let)
        last.parts = (text if "[" in text else f"{text}[]",)
        types = list(made.results)
        self._let(scope, (f, "(", x.ref, ", weights=", theta, ")"), types, ("call", "weights"), False)


class _Raw:
    """A type as text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text
