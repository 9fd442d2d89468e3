"""The weights of a model: paths, shapes and how many there are, without unrolling `repeat`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod

from ogive.compiler.ir.model import Definition, Init, Instance, Loop, Model, Weight
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.sizes import Size, Unknown, size


@dataclass(frozen=True, slots=True)
class WeightInfo:
    """A weight of a model. Iterations of `repeat` are `*` in `path`; `iterations` are their counts, outermost first."""

    path: str
    shape: tuple[int, ...]
    elem: str
    kind: str
    iterations: tuple[int, ...]
    weight: Weight
    init: Init

    @property
    def count(self) -> int:
        """How many tensors the path stands for."""
        return prod(self.iterations)

    @property
    def elements(self) -> int:
        """How many numbers they hold together."""
        return self.count * prod(self.shape)

    def paths(self) -> Iterator[str]:
        """The path of each tensor, iterations filled in."""
        yield from _expand(self.path, self.iterations)


def _expand(path: str, iterations: tuple[int, ...]) -> Iterator[str]:
    if not iterations:
        yield path
        return
    for number in range(iterations[0]):
        yield from _expand(path.replace("*", str(number), 1), iterations[1:])


def weights(model: Model) -> tuple[WeightInfo, ...]:
    """All weights in source order; those of `each` are stacked on first axes.

    Raises KeyError with the path of one whose size is not a number.
    """
    known = {unknown: size(number) for unknown, number in model.bindings}
    return tuple(_below(model.definition, known, "", (), ()))


def opaque(model: Model) -> tuple[str, ...]:
    """The paths of the modules of the user's (`extern`), iterations filled in: what they hold is not known here."""
    known = {unknown: size(number) for unknown, number in model.bindings}
    found = [each for each in _stored(model.definition, known) if each[1] == "opaque"]
    return tuple(
        state_order((path, kind) for pattern, kind, iterations in found for path in _expand(pattern, iterations))
    )


def opaque_count(model: Model) -> int:
    """How many modules of the user's there are, without unrolling `repeat`."""
    known = {unknown: size(number) for unknown, number in model.bindings}
    return sum(prod(iterations) for _, kind, iterations in _stored(model.definition, known) if kind == "opaque")


def stored(model: Model) -> list[tuple[str, str]]:
    """Path and kind of all that is stored, iterations filled in, in the order of the state dict."""
    known = {unknown: size(number) for unknown, number in model.bindings}
    found = {
        path: kind
        for pattern, kind, iterations in _stored(model.definition, known)
        for path in _expand(pattern, iterations)
    }
    return [(path, found[path]) for path in state_order(found.items())]


def _stored(
    definition: Definition,
    known: Mapping[Unknown, Size],
    prefix: str = "",
    iterations: tuple[int, ...] = (),
    omitted: tuple[str, ...] = (),
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """In source order, as `_below` has the weights."""
    if definition.foreign is not None:
        yield prefix.removesuffix("."), "opaque", iterations
    loops = {path: loop.count.subs(known) for path, loop in definition.loops.items()}
    for member in definition.members:
        path = prefix + member.path
        if member.path in omitted or isinstance(member, Loop):
            continue
        here = (*iterations, *_iterations(member.path, loops, path))
        if isinstance(member, Weight):
            yield path, member.kind, here
        else:
            inner = {unknown: value.subs(known) for unknown, value in member.bindings}
            below = (p[len(member.path) + 1 :] for p in omitted if p.startswith(member.path + "."))
            yield from _stored(member.definition, inner, path + ".", here, (*member.omitted, *below))


def state_order(paths: Iterable[tuple[str, str]]) -> list[str]:
    """Paths in the order of a state dict, from (path, kind) in the order of the source.

    At each place stand its own parameters, then its own states, then what is below it; iterations go by their index. A
    path of the kind "opaque" stands for all that is below it.
    """
    firsts: dict[tuple[str, ...], int] = {}
    ranked = []
    for number, (path, kind) in enumerate(paths):
        parts = tuple(path.split("."))
        key = []
        for length, part in enumerate(parts, 1):
            rank = 2 if length < len(parts) or kind == "opaque" else 0 if kind == "param" else 1
            iteration = int(part) if part.isdecimal() else -1
            key.append((rank, iteration, firsts.setdefault(parts[:length], number)))
        ranked.append((tuple(key), path))
    return [path for _, path in sorted(ranked)]


def parameter_count(model: Model) -> int:
    """The number of learned parameters. Raises KeyError with the path of a weight whose size is not a number."""
    known = {unknown: size(number) for unknown, number in model.bindings}
    if _omits(model.definition):
        return sum(w.elements for w in weights(model) if w.kind == "param")
    return _count(model.definition, known, "", {})


def _omits(definition: Definition) -> bool:
    return any(i.omitted or _omits(i.definition) for i in definition.instances)


def _count(
    definition: Definition, known: Mapping[Unknown, Size], prefix: str, memo: dict[tuple[int, tuple[Size, ...]], int]
) -> int:
    """The parameters at and below a definition; each definition is counted once for each choice of its sizes."""
    key = (id(definition), tuple(known.values()))
    if key not in memo:
        loops = {path: loop.count.subs(known) for path, loop in definition.loops.items()}
        total = 0
        for member in definition.members:
            if isinstance(member, Loop):
                continue
            path = prefix + member.path
            iterations = prod(_iterations(member.path, loops, path))
            if isinstance(member, Weight):
                numbers = [_number(axis.size.subs(known), path) for axis in member.type.axes]
                total += iterations * prod(numbers) if member.kind == "param" else 0
            else:
                inner = {unknown: value.subs(known) for unknown, value in member.bindings}
                many = 1 if member.vectorized is None else _number(member.vectorized.subs(known), path)
                total += iterations * many * _count(member.definition, inner, path + ".", memo)
        memo[key] = total
    return memo[key]


def weight_types(
    definition: Definition, mapping: Mapping[Unknown, Size], kinds: Collection[str] = ("param", "state")
) -> list[tuple[str, TensorType]]:
    """The stored weights of some kinds at or below a definition, in the user's sizes.

    A path with iterations (`h.*.lin.weight`) stands for those of all iterations, stacked on first axes.
    """
    found: list[tuple[str, TensorType]] = []
    loops = {path: loop.count.subs(mapping) for path, loop in definition.loops.items()}
    for member in definition.members:
        if isinstance(member, Weight) and member.kind in kinds:
            axes = tuple(Axis(a.size.subs(mapping)) for a in member.type.axes)
            found.append((member.path, TensorType(member.type.elem, (*_loops(member.path, loops), *axes))))
        elif isinstance(member, Instance):
            inner = {unknown: value.subs(mapping) for unknown, value in member.bindings}
            vectorized = () if member.vectorized is None else (Axis(member.vectorized.subs(mapping)),)
            for path, kind in weight_types(member.definition, inner, kinds):
                if path in member.omitted:
                    continue
                at = loops_in(path)
                axes = (*_loops(member.path, loops), *kind.axes[:at], *vectorized, *kind.axes[at:])
                found.append((f"{member.path}.{path}", TensorType(kind.elem, axes)))
    return found


def loops_in(path: str) -> int:
    """How many loops stand around the weight at a path."""
    return path.split(".").count("*")


def _loops(path: str, loops: Mapping[str, Size]) -> tuple[Axis, ...]:
    parts = path.split(".")
    return tuple(Axis(loops[".".join(parts[:index])]) for index, part in enumerate(parts) if part == "*")


def _below(
    definition: Definition,
    known: Mapping[Unknown, Size],
    prefix: str,
    iterations: tuple[int, ...],
    inits: tuple[tuple[str, Init], ...],
    vectorized: tuple[int, ...] = (),
    omitted: tuple[str, ...] = (),
) -> Iterator[WeightInfo]:
    loops = {path: loop.count.subs(known) for path, loop in definition.loops.items()}
    for member in definition.members:
        if member.path in omitted:
            continue
        if isinstance(member, Weight):
            path = prefix + member.path
            here = (*iterations, *_iterations(member.path, loops, path))
            shape = (*vectorized, *(_number(axis.size.subs(known), path) for axis in member.type.axes))
            init = next((i for p, i in reversed(inits) if p == member.path), member.init)
            yield WeightInfo(path, shape, member.type.elem, member.kind, here, member, init)
        elif not isinstance(member, Loop):
            path = prefix + member.path
            here = (*iterations, *_iterations(member.path, loops, path))
            inner = {unknown: value.subs(known) for unknown, value in member.bindings}
            outer = [(p[len(member.path) + 1 :], i) for p, i in inits if p.startswith(member.path + ".")]
            more = () if member.vectorized is None else (_number(member.vectorized.subs(known), path),)
            gone = (*member.omitted, *(p[len(member.path) + 1 :] for p in omitted if p.startswith(member.path + ".")))
            yield from _below(
                member.definition, inner, path + ".", here, (*member.inits, *outer), (*vectorized, *more), gone
            )


def _iterations(path: str, loops: Mapping[str, Size], shown: str) -> tuple[int, ...]:
    found = []
    parts = path.split(".")
    for index, part in enumerate(parts):
        if part == "*":
            found.append(_number(loops[".".join(parts[:index])], shown))
    return tuple(found)


def _number(value: Size, path: str) -> int:
    if not value.is_number:
        raise KeyError(path)
    return value.number


def instance_at(owner: Definition, path: str) -> Definition | None:
    """The definition of which the instance at a path is made; the path may lie in another instance."""
    for member in owner.instances:
        if path == member.path:
            return member.definition
        if path.startswith(f"{member.path}."):
            return instance_at(member.definition, path[len(member.path) + 1 :])
    return None
