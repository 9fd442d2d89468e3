"""When a value is there: conditions on what is given and on whether the model trains, each in one normal form.

A condition is an ordered decision diagram (Bryant 1986, 10.1109/TC.1986.1676819): equal conditions are equal objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

LIMIT = 4096  # nodes of a diagram
DEPTH = 100  # what it asks, one after the other
SHOWN = 8  # ways to meet it that are printed
TRAINING = "training"

Child = tuple[str, int, int]  # what is asked, and where to go on where it does not hold, and where it does


class PresenceTooLarge(Exception):
    """A condition needs more nodes than a diagram may have."""


@dataclass(frozen=True, slots=True)
class Presence:
    """A condition. Number 0 never holds and 1 always; k + 2 is node k, whose children come before it."""

    nodes: tuple[Child, ...]
    root: int

    def __and__(self, other: Presence) -> Presence:
        return _combined(self, other, lambda a, b: a and b)

    def __or__(self, other: Presence) -> Presence:
        return _combined(self, other, lambda a, b: a or b)

    def __invert__(self) -> Presence:
        return _combined(self, ALWAYS, lambda a, b: a != b)

    def implies(self, other: Presence) -> bool:
        """Whether the other holds wherever this does."""
        return self & ~other == NEVER

    def excludes(self, other: Presence) -> bool:
        """Whether both never hold together."""
        return self & other == NEVER

    @property
    def atoms(self) -> tuple[str, ...]:
        """What it asks."""
        return tuple(dict.fromkeys(atom for atom, _, _ in self.nodes))

    def put(self, conditions: Mapping[str, Presence]) -> Presence:
        """The condition with others in the place of what it asks."""
        found = [NEVER, ALWAYS]
        for name, no, yes in self.nodes:
            asked = conditions.get(name, atom(name))
            found.append((asked & found[yes]) | (~asked & found[no]))
        return found[self.root]

    def cases(self) -> Iterator[dict[str, bool]]:
        """The ways on which it holds: what each atom is."""

        def below(number: int) -> Iterator[dict[str, bool]]:
            if number < 2:
                yield from [{}] * number
                return
            name, no, yes = self.nodes[number - 2]
            yield from ({name: True, **rest} for rest in below(yes))
            yield from ({name: False, **rest} for rest in below(no))

        return below(self.root)

    def __str__(self) -> str:
        """`given(mask) and training, or not given(h)`."""
        if self in (NEVER, ALWAYS):
            return "always" if self.root else "never"
        ways = (" and ".join(_needed(self, case)) for case in islice(self.cases(), SHOWN))
        texts = list(dict.fromkeys(ways))
        return ", or ".join(texts) if any(" and " in text for text in texts) else " or ".join(texts)


NEVER, ALWAYS = Presence((), 0), Presence((), 1)


def atom(name: str) -> Presence:
    """That something holds of which nothing is known."""
    return Presence(((name, 0, 1),), 2)


def given(name: str) -> str:
    """The atom of an optional input."""
    return f"given({name})"


def _needed(condition: Presence, case: dict[str, bool]) -> list[str]:
    """The fewest literals of a case that imply the condition, as text."""
    left = dict(case)
    for name in case:
        rest = {key: value for key, value in left.items() if key != name}
        if _all(rest).implies(condition):
            left = rest
    return [name if value else f"not {name}" for name, value in left.items()]


def _all(case: Mapping[str, bool]) -> Presence:
    found = ALWAYS
    for name, value in case.items():
        found = found & (atom(name) if value else ~atom(name))
    return found


def _combined(a: Presence, b: Presence, join: Callable[[int, int], int | bool]) -> Presence:
    """The diagram of `join` of two conditions. Raises PresenceTooLarge."""
    made: dict[Child, int] = {}
    known: dict[tuple[int, int], int] = {}

    def visit(i: int, j: int) -> int:
        if i < 2 and j < 2:
            return int(bool(join(i, j)))
        if (i, j) not in known:
            left, right = (a.nodes[i - 2] if i > 1 else None), (b.nodes[j - 2] if j > 1 else None)
            name = min(each[0] for each in (left, right) if each is not None)
            ways = []
            for way in (1, 2):
                down = tuple(
                    int(each[way]) if each is not None and each[0] == name else at
                    for each, at in ((left, i), (right, j))
                )
                ways.append(visit(*down))
            no, yes = ways
            known[i, j] = no if no == yes else made.setdefault((name, no, yes), len(made) + 2)
            if len(made) > LIMIT:
                raise PresenceTooLarge
        return known[i, j]

    if len({each[0] for each in (*a.nodes, *b.nodes)}) > DEPTH:
        raise PresenceTooLarge
    return _in_order(visit(a.root, b.root), made)


def _in_order(root: int, made: Mapping[Child, int]) -> Presence:
    """The nodes below the root in one order, whatever they were made from."""
    by_number = {number: child for child, number in made.items()}
    places: dict[int, int] = {0: 0, 1: 1}
    nodes: list[Child] = []

    def visit(number: int) -> int:
        if number not in places:
            name, no, yes = by_number[number]
            child = (name, visit(no), visit(yes))
            nodes.append(child)
            places[number] = len(nodes) + 1
        return places[number]

    first = visit(root)
    return Presence(tuple(nodes), first)
