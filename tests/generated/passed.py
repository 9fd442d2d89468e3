"""Passes: what each makes of the program, run by the reference, against the program itself."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import numpy as np
import torch

from generated.close import CANCELLED, EXACT, TIMES, Bound, Differs, compare
from generated.subject import Run, Subject
from ogive.compiler.ir.model import Model
from ogive.compiler.ir_tools.verify import verify
from ogive.compiler.passes.cleanup.inline import inline
from ogive.compiler.passes.cleanup.simplify import simplify
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.passes.fusion.fuse import fuse
from ogive.compiler.passes.infra.dce import dead
from ogive.compiler.passes.infra.driver import optimized
from ogive.compiler.passes.vectorize.driver import vectorize_model
from ogive.grammar.diagnostics import ArchError
from reference.arrays import Array, Numbers
from reference.interpreter import Reference
from reference.store import Store
from reference.world import World

STEPS = (("inline", inline), ("simplify", simplify), ("fuse", fuse), ("simplify", simplify), ("dead", dead))
DEPLOYED = ("simplify", "fuse", "fold")
# of these the first of a shuffled list that can be: larger networks, and what is only looked at, compute the same
GROWN = ("widen", "decoalesce", "deepen[residual=true]", "subspace[d=3]", 'distil[at="*"]')


def through_passes(subject: Subject, run: Run, done: dict[str, str]) -> None:
    """Each pass of the backends in turn, then vectorizing, then those by which a model is deployed."""
    model = subject.model.ir
    limit = Bound(EXACT, run.spread, TIMES["f64"], CANCELLED["f64"] * run.world.largest)
    wanted = run.numbers
    for name, step in STEPS:
        model = optimized(model, (step,))
        _same(f"pass {name}", subject, model, subject.weights, wanted, limit)
    vectorized = vectorize_model(model, (simplify, dead))
    if vectorized is not model:
        _same("pass vectorize", subject, vectorized, subject.weights, wanted, limit)
        done["vectorize"] = "ok"
    done["passes"] = "ok"
    for name in DEPLOYED:
        _deployed(name, subject, wanted, limit, done)
    for name in Random(f"{subject.program.seed}/grown").sample(GROWN, len(GROWN)):
        _deployed(name, subject, wanted, limit, done)
        if done[f"deploy {name}"] == "ok":
            break


def _same(
    stage: str, subject: Subject, model: Model, weights: Mapping[str, Numbers], wanted: list[Numbers], limit: Bound
) -> None:
    verify(model)
    args = [None if x is None else Array(x) for x in subject.inputs]
    sizes = {u.name: n for u, n in subject.sizes.items()}
    here = {u: sizes.get(u.name, 0) for u in model.definition.sizes if u not in dict(model.bindings)}
    with np.errstate(all="ignore"):
        found = Reference(model, Store.of(weights)).run(args, World(), here)
    compare(stage, [y.value for y in found if y is not None], wanted, limit)


def _deployed(name: str, subject: Subject, wanted: list[Numbers], limit: Bound, done: dict[str, str]) -> None:
    """A pass with a conversion of weights, in use."""
    try:
        made = subject.model.deploy(name)
        state = {path: torch.from_numpy(np.array(w)) for path, w in subject.weights.items()}
        weights = {path: w.numpy() for path, w in made.convert(state, dtype=None).items()}
    except (PassError, ArchError) as error:
        done[f"deploy {name}"] = _code(error)
        return
    _same(f"deploy {name}", subject, made.ir, weights, wanted, limit)
    done[f"deploy {name}"] = "ok"


def _code(error: PassError | ArchError) -> str:
    return error.code if isinstance(error, PassError) else error.diagnostics[0].code


__all__ = ["Differs", "through_passes"]
