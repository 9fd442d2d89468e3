"""How weights start, and what `net.after_step()` makes of them, against the reference."""

from __future__ import annotations

import numpy as np
import torch

from generated.close import Bound, Differs, compare
from generated.subject import Subject, array
from reference.arrays import Numbers
from reference.weights import Start, kept, settled, starts, value

CLOSE = Bound(1e-6, [], 0.0, 1e-6)  # a module starts in float32


def begun(subject: Subject, done: dict[str, str]) -> None:
    """A fresh module: weights that are not drawn, the bounds of those that are, constraints."""
    net = subject.model.torch()
    state = {path: array(tensor) for path, tensor in net.state_dict().items()}
    found = {start.path: start for start in starts(subject.model.ir)}
    if found.keys() != state.keys():
        odd = sorted(found.keys() ^ state.keys())
        raise Differs("weights", f"{', '.join(odd)} stand on one side alone")
    for path, start in found.items():
        shape = (*start.vectorized, *start.shape)
        if state[path].shape != shape:
            raise Differs("weights", f"{path} is {state[path].shape}, not {shape}")
        if settled(start):
            wanted = kept(start, np.broadcast_to(value(start), shape).astype(np.float64))
            got = state[path].astype(np.float64)
            compare(f"start of {path}", [got], [wanted], CLOSE)
        elif not start.keeps:
            _drawn(start, state[path])
    if any(start.keeps for start in found.values()):
        _stepped(subject, found)
        done["keep"] = "ok"
    done["start"] = "ok"


def _drawn(start: Start, numbers: Numbers) -> None:
    """Numbers that are drawn lie where their initializer says."""
    given = dict(start.init.attrs)
    if start.init.name == "uniform" and all(isinstance(given[key], int | float) for key in ("lo", "hi")):
        if not ((numbers >= given["lo"] - 1e-6) & (numbers <= given["hi"] + 1e-6)).all():
            raise Differs(f"start of {start.path}", f"leaves {given['lo']} ... {given['hi']}")
    elif start.init.name == "orthogonal" and len(start.shape) == 2:
        for w in numbers.reshape(-1, *start.shape).astype(np.float64):
            small = w if w.shape[0] <= w.shape[1] else w.T
            gain = float(given["gain"]) ** 2
            compare(f"start of {start.path}", [small @ small.T], [gain * np.eye(small.shape[0])], CLOSE)
    elif not np.isfinite(numbers).all():
        raise Differs(f"start of {start.path}", "is not finite")


def _stepped(subject: Subject, found: dict[str, Start]) -> None:
    """What holds after a step."""
    net = subject.module()
    with torch.no_grad():
        net.after_step()  # type: ignore[operator]
    state = {path: array(tensor) for path, tensor in net.state_dict().items()}
    for path, start in found.items():
        wanted = kept(start, subject.weights[path])
        compare(f"{path} after a step", [state[path]], [wanted], Bound(1e-12, [], 0.0, 1e-14))
