"""Maps between the weights of a model and those of a checkpoint with other names. `map_text` reads them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ogive.backends.weights.names import NamePattern, Values
from ogive.backends.weights.step_text import Part, PartRule, rearrange
from ogive.backends.weights.steps import Shape, Step
from ogive.grammar.source import Chunk, Span


@dataclass(frozen=True, slots=True)
class MapRule:
    """Weights of ours of one form: the parts of theirs, joined on `axis` in this order, then `after`.

    With `stacked` there is one part, whose last star counts entries of a new axis.
    """

    ours: NamePattern
    parts: tuple[PartRule, ...]
    span: Span
    axis: int = 0
    sizes: tuple[int, ...] | None = None
    after: tuple[Step, ...] = ()
    stacked: bool = False

    def at(self, name: str, shape: Shape) -> tuple[Part, ...] | None:
        """The parts of a weight of ours; None where the rule does not speak of it."""
        values = self.ours.match(name)
        if values is None:
            return None
        if self.stacked:
            return self._entries(values, shape)
        parts = [part.at(values) for part in self.parts]
        return None if None in parts else tuple(part for part in parts if part is not None)

    def _entries(self, values: Values, shape: Shape) -> tuple[Part, ...] | None:
        count = shape[self.axis] if self.axis < len(shape) else 0
        names = " ".join(f"a{i}" for i in range(self.axis))
        apart = rearrange(f"{names} *r", f"{names} 1 *r", {}, "stack")
        found = [self.parts[0].at((*values, i)) for i in range(count)]
        return tuple(replace(part, after=(*part.after, apart)) for part in found if part is not None) or None


@dataclass(frozen=True, slots=True)
class Tie:
    """Two names of theirs for one tensor, or of several."""

    alias: NamePattern
    name: NamePattern
    span: Span

    def name_of(self, alias: str) -> str | None:
        """The name of the tensor whose other name this is."""
        values = self.alias.match(alias)
        return None if values is None else self.name.filled(values)

    def alias_of(self, name: str) -> str | None:
        """The other name of this tensor."""
        values = self.name.match(name)
        return None if values is None else self.alias.filled(values)


@dataclass(frozen=True, slots=True)
class WeightMap:
    """A map as it was read."""

    rules: tuple[MapRule, ...]
    ignored: tuple[str, ...]
    optional_prefix: str
    chunk: Chunk
    ties: tuple[Tie, ...] = ()
    strip: tuple[str, ...] = ()
    also: tuple[Tie, ...] = ()  # other names that a checkpoint may have in the place of one: read, never written

    def ignores(self, name: str) -> bool:
        """True for a tensor of theirs that is left out on purpose."""
        return any(fnmatchcase(name, pattern) for pattern in self.ignored)


def identity(path: str = "<weights>") -> WeightMap:
    """The map of checkpoints that use our own names."""
    return WeightMap((), (), "", Chunk("", path))
