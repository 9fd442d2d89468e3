"""What emitted files hold for taps, as text."""

from __future__ import annotations

CLASS = '''
class Taps:
    """Values that a caller asked to see, by path; those of the steps of a loop in a list."""

    def __init__(self, values: dict[str, list[Tensor]], place: str = "") -> None:
        self.values = values
        self.place = place

    def put(self, path: str, value: Tensor) -> None:
        self.values.setdefault(self.place + path, []).append(value)

    def under(self, path: str) -> "Taps":
        return Taps(self.values, f"{self.place}{path}.")

    def found(self, path: str) -> Tensor:
        """The value at a path; `*` stands for all iterations of a loop, whose values are stacked."""
        head, star, rest = str(path).partition("*")
        if not star and path in self.values:
            values = self.values[path]
            return values[0] if len(values) == 1 else self.stacked(path, values)
        under = [name[len(head) :] for name in self.values if name.startswith(head)]
        below = {name.split(".")[0] for name in under if star}
        turns = sorted(int(name) for name in below if name.isdecimal())
        if not turns:
            places = (name.split(".") for name in self.values)
            starred = (["*" if x.isdecimal() else x for x in place] for place in places)
            there = ", ".join(dict.fromkeys(map(".".join, starred)))
            raise ValueError(f"no tap `{path}`; there are {there or 'none'}")
        return self.stacked(path, [self.found(f"{head}{turn}{rest}") for turn in turns])

    def stacked(self, path: str, values: list[Tensor]) -> Tensor:
        kinds = [f"{list(value.shape)} of {value.dtype}" for value in values]
        if len(set(kinds)) > 1:
            shown = " and ".join(dict.fromkeys(kinds))
            raise ValueError(f"the tap `{path}` shows {shown}, which cannot be stacked")
        return torch.stack(values)
'''
AROUND = '''
def around(taps: Taps, count: int) -> Taps:
    """The taps of what holds an iteration, whose place has so many names."""
    return Taps(
        taps.values, "".join(f"{name}." for name in taps.place.split(".")[: -count - 1])
    )
'''
