"""How far a file and a module are apart, and what is said about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ogive.backends.compared.compare import Judged

SHOWN = 2.0**-3  # a bound that is larger is told


@dataclass(frozen=True, slots=True)
class Compared:
    """How far each output is from that of torch, at these sizes, on inputs of a kind."""

    sizes: Mapping[str, int]
    kind: str
    outputs: Mapping[str, Judged]

    @property
    def largest(self) -> float:
        """The largest difference, as a share of the largest number of its output."""
        return max((each.apart for each in self.outputs.values() if each.compared or each.fault), default=0.0)


@dataclass(frozen=True, slots=True)
class Report:
    """What was compared, and what the file was run by."""

    runs: tuple[Compared, ...]
    by: str

    @property
    def faults(self) -> list[str]:
        """Where both differ by more than rounding, or nothing was compared."""
        first: dict[str, str] = {}
        for run in self.runs:
            for name, judged in run.outputs.items():
                if judged.fault:
                    first.setdefault(name, f"{name} {judged.fault}, on inputs that are {run.kind}, at {_at(run)}")
        names = {name for run in self.runs for name in run.outputs}
        return list(first.values()) or (["nothing was compared"] if names and self.missed == names else [])

    @property
    def missed(self) -> set[str]:
        """The outputs that were never compared: nothing but NaN, infinities or what rounding makes of the inputs."""
        names = {name for run in self.runs for name in run.outputs}
        return names - {name for run in self.runs for name, judged in run.outputs.items() if judged.compared}

    @property
    def lines(self) -> list[str]:
        """What the command line shows."""
        shown = []
        for run in self.runs:
            parts = ", ".join(_told(name, judged) for name, judged in run.outputs.items())
            where = f"at {_at(run)}, on inputs that are {run.kind}"
            shown.append(f"torch and {self.by} differ by at most {run.largest:.1e} {where} ({parts})")
        if self.missed:
            names = ", ".join(name for run in self.runs[:1] for name in run.outputs if name in self.missed)
            shown.append(f"not compared, since nothing there is a number that rounding leaves: {names}")
        return shown


def _told(name: str, judged: Judged) -> str:
    """The difference, and what rounding may make where that is uncommonly much."""
    if not judged.compared:
        return f"{name} too far" if judged.fault else f"{name} not compared"
    return f"{name} {judged.apart:.1e}" + (f" of at most {judged.bound:.1e}" if judged.bound > SHOWN else "")


def _at(run: Compared) -> str:
    return " ".join(f"{name}={number}" for name, number in run.sizes.items()) or "its sizes"
