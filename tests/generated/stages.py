"""The comparisons: for one program, every way to compute it against the reference."""

from __future__ import annotations

import copy
import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from generated.close import CANCELLED, EXACT, TIMES, Bound, Differs, compare
from generated.passed import through_passes
from generated.rewrites import REWRITES
from generated.runtimes import drawn_in_onnx, in_onnx, paired, shortened
from generated.subject import OPEN, UNIT, Run, Subject, Unfit, array, flat
from generated.text import program_text
from generated.torch_faults import mended_torch
from generated.weights import begun
from ogive.grammar.diagnostics import ArchError
from reference.arrays import Array, Numbers, add, gradient, mul, real, total
from reference.functions import kernels_slopes
from reference.world import World


@dataclass
class Report:
    """What was compared for a program, and what was not and why."""

    done: dict[str, str] = field(default_factory=dict)


@contextmanager
def quiet() -> Iterator[None]:
    """Warnings of torch and onnx say nothing about us."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def draws(subject: Subject) -> bool:
    """Whether the program draws numbers also where it does not train."""
    return "draws" in subject.program.main.facts


def bound(run: Run) -> Bound:
    return Bound(EXACT, run.spread, TIMES["f64"], CANCELLED["f64"] * run.world.largest)


def examined(subject: Subject, rng: random.Random, report: Report) -> None:
    """All comparisons. Raises `Differs` at the first difference."""
    with quiet():
        if draws(subject):
            subject.reference()
            drawn(subject, report)
            return
        run = subject.measured(UNIT["f64"])
        report.done["reference"] = "ok"
        in_torch(subject, run, report)
        trained(subject, report)
        derived(subject, report)
        begun(subject, report.done)
        through_passes(subject, run, report.done)
        rewritten(subject, run, rng, report)
        in_onnx(subject, run, rng, report.done)


# --- torch ------------------------------------------------------------------------------------------------------------


def in_torch(subject: Subject, run: Run, report: Report) -> None:
    """The module and the emitted file against the reference, taps too; both bit for bit alike."""
    if "grad" in subject.program.main.facts:
        run = shortened(subject, run)  # torch derives hardsigmoid and hardswish with 1/6 in float32
    net, file = subject.module().eval(), subject.file().eval()
    paths = sorted(path for path, values in run.world.taps.items() if _alike(values))
    with torch.no_grad():
        got, seen = _run(net, subject, paths)
        again, _ = _run(file, subject, paths)
    compare("torch", [array(y) for y in got], run.numbers, bound(run))
    same("file", again, got)
    wanted = [_stacked(run.world.taps[path]) for path in paths]
    found = [array(seen[path]) for path in paths]
    compare("taps", found, wanted, Bound(1e-9, [run.shown[path] for path in paths], TIMES["f64"]))
    report.done["torch"] = "ok"


def _run(net: Any, subject: Subject, taps: list[str]) -> tuple[list[torch.Tensor], Mapping[str, torch.Tensor]]:
    if not taps:
        return flat(net(*subject.args())), {}
    made, seen = net(*subject.args(), taps=taps)
    return flat(made), seen


def _alike(values: list[Array]) -> bool:
    """Whether what is seen at one path can be stacked; else the check has said that it cannot (W0910)."""
    return len({(value.value.shape, value.value.dtype.kind) for value in values}) == 1


def _stacked(values: list[Array]) -> Numbers:
    return values[0].value if len(values) == 1 else np.stack([value.value for value in values])


def same(stage: str, got: list[torch.Tensor], wanted: list[torch.Tensor]) -> None:
    """Bit for bit."""
    if len(got) != len(wanted):
        raise Differs(stage, f"{len(got)} results, not {len(wanted)}")
    for number, (a, b) in enumerate(zip(got, wanted, strict=True)):
        x, y = array(a), array(b)
        if x.dtype != y.dtype or x.shape != y.shape or not np.array_equal(x, y, equal_nan=x.dtype.kind in "fc"):
            raise Differs(stage, f"result {number} is not that of the module", number)


def drawn(subject: Subject, report: Report) -> None:
    """A program that draws: module and file alike under one seed, shapes and types as the reference has them."""
    results, _, _ = subject.reference()
    wanted = [y.value for y in results if y is not None]
    made = []
    for net in (subject.module().eval(), subject.file().eval()):
        torch.manual_seed(5)
        with torch.no_grad():
            made.append(flat(net(*subject.args())))
    same("file that draws", made[1], made[0])
    for number, (a, b) in enumerate(zip(made[0], wanted, strict=True)):
        x = array(a)
        if x.shape != b.shape or x.dtype != b.dtype:
            raise Differs(
                "torch that draws", f"result {number} is {x.dtype}{list(x.shape)}, not {b.dtype}{list(b.shape)}", number
            )
    report.done["draws"] = "ok"
    drawn_in_onnx(subject, [paired(y) for y in wanted], report.done)


# --- training ---------------------------------------------------------------------------------------------------------

STEPS = 3


def trained(subject: Subject, report: Report) -> None:
    """Training mode: results and states after three steps."""
    facts = subject.program.main.facts
    net, file = subject.module().train(), subject.file().train()
    if "drops" in facts:
        made = []
        for each in (net, file):
            torch.manual_seed(3)
            with torch.no_grad():
                made.append(flat(each(*subject.args())))
        same("file in training", made[1], made[0])
        report.done["training"] = "drops"
        return
    weights = dict(subject.weights)
    for step in range(STEPS):
        try:
            run = subject.measured(UNIT["f64"], training=True, times=1)
        except Unfit as unfit:
            report.done["training"] = str(unfit)
            subject.weights = weights
            return
        if any(d.tied and (d.derived or d.what in OPEN) for d in run.world.decisions or ()):
            report.done["training"] = "equal numbers whose order or derivative is open"
            subject.weights = weights
            return
        _, _, store = subject.reference(training=True)
        with torch.no_grad():
            got, again = flat(net(*subject.args())), flat(file(*subject.args()))
        limit = bound(shortened(subject, run, training=True) if "grad" in facts else run)
        compare(f"training, step {step}", [array(y) for y in got], run.numbers, limit)
        same(f"file in training, step {step}", again, got)
        subject.weights = store.numbers()
        for other in (net, file):
            state = {path: array(tensor) for path, tensor in other.state_dict().items()}
            paths = sorted(subject.weights)
            compare(
                f"states after step {step}",
                [state[p] for p in paths],
                [subject.weights[p] for p in paths],
                Bound(1e-9, [], 0.0),
            )
    subject.weights = weights
    report.done["training"] = "ok"


# --- other texts ------------------------------------------------------------------------------------------------------


def rewritten(subject: Subject, run: Run, rng: random.Random, report: Report) -> None:
    """Two texts that must mean the same, checked and built anew: with other names, and one of the others."""
    name = rng.choice(list(REWRITES))
    made = copy.deepcopy(subject.program)
    if REWRITES[name](made, rng):
        _means(name, subject, made, program_text(made), run)
        report.done[f"text {name}"] = "ok"
    if rng.random() < 0.4:
        _means("renamed", subject, subject.program, program_text(subject.program, renamed="q"), run)
        report.done["text renamed"] = "ok"


def _means(name: str, subject: Subject, program: Any, text: str, run: Run) -> None:
    try:
        other = Subject.of(program, text)
    except ArchError as error:
        raise Differs(f"text {name}", f"is refused: {error}\n{text}") from None
    if sorted(other.slots) != sorted(subject.slots):
        raise Differs(f"text {name}", f"has weights {sorted(other.slots)}, not {sorted(subject.slots)}")
    known = {u.name: n for u, n in subject.sizes.items()}
    other.sizes = {u: known[u.name] for u in other.model.ir.definition.sizes if u.name in known}
    other.inputs, other.weights = subject.inputs, subject.weights
    with torch.no_grad():
        got = [array(y) for y in flat(other.module().eval()(*other.args()))]
    compare(f"text {name}", got, run.numbers, bound(shortened(subject, run)))


# --- derivatives ------------------------------------------------------------------------------------------------------

STEP = 1e-5


def _objective(results: list[Array]) -> Array:
    """A number that depends on every entry of the smooth results, the same in torch."""
    summed = Array(np.zeros(()))
    for number, y in enumerate(results):
        factor = Array(_factors(y.value, number))
        y = mul(y, factor)
        summed = add(summed, total(real(y) if y.complex else y, range(y.ndim)))
    return summed


def _factors(y: Numbers, number: int) -> Numbers:
    waves = np.cos(np.arange(y.size) * 0.7 + number).reshape(y.shape) / max(1.0, float(np.abs(y).max(initial=0.0)))
    return np.asarray(waves * (1 + 0.5j) if y.dtype.kind == "c" else waves)


def derived(subject: Subject, report: Report) -> None:
    """Gradients of inputs and weights: torch against the reference, the reference against finite differences."""
    world = World(decisions=[])
    wanted, leaves = _by_reference(subject, world)
    if wanted is None:
        report.done["gradient"] = "nothing smooth"
        return
    assert world.decisions is not None
    twice = "grad" in subject.program.main.facts
    if any(decision.tied or (twice and decision.bent) for decision in world.decisions):
        report.done["gradient"] = "at a kink"
        return
    if any(not np.isfinite(g).all() for g in wanted.values()):
        report.done["gradient"] = "not finite"
        return
    spread = [a + b for a, b in zip(_moved(subject, wanted, 1), _moved(subject, wanted, 0), strict=True)]
    net = subject.module().eval()
    given = subject.tensors()
    inputs = {
        f"input {i}": x.requires_grad_()
        for i, x in enumerate(given)
        if x is not None and (x.is_floating_point() or x.is_complex())
    }
    named = {**inputs, **dict(net.named_parameters())}
    with mended_torch():
        results = [y for y in flat(net(*subject.handed(given))) if y.is_floating_point() or y.is_complex()]
    summed = torch.zeros((), dtype=torch.float64)
    for number, y in enumerate(results):
        y = y * torch.from_numpy(np.asarray(_factors(array(y), number)))
        summed = summed + (y.real if y.is_complex() else y).sum().double()
    tensors = [named[name] for name in leaves]
    found = torch.autograd.grad(summed, tensors, allow_unused=True) if summed.requires_grad else [None] * len(tensors)
    names = list(leaves)
    got = [np.zeros_like(wanted[name]) if g is None else array(g) for name, g in zip(names, found, strict=True)]
    if not np.isfinite(spread).all():
        report.done["gradient"] = "rounding drowns it"
        return
    largest = max((float(np.abs(g).max(initial=0.0)) for g in wanted.values()), default=0.0)
    for number, name in enumerate(names):
        limit = Bound(1e-8, [spread[number] + 1e-12 * max(largest, 1e-4)], TIMES["f64"])
        if largest < 1e-10:
            break
        compare(f"gradient of {name}", [got[number]], [wanted[name]], limit)
    report.done["gradient"] = "ok"
    if not world.cuts:
        _differences(subject, wanted, world, report)


def _leaves(subject: Subject) -> tuple[dict[str, Array], list[Array | None], dict[str, Array]]:
    args = [None if x is None else Array(x, leaf=x.dtype.kind in "fc") for x in subject.inputs]
    held = {
        path: Array(w, leaf=w.dtype.kind == "f" and subject.slots[path].kind == "param")
        for path, w in subject.weights.items()
    }
    leaves = {f"input {i}": x for i, x in enumerate(args) if x is not None and x.leaf}
    leaves |= {path: x for path, x in held.items() if x.leaf}
    return leaves, args, held


def _by_reference(subject: Subject, world: World) -> tuple[dict[str, Numbers] | None, dict[str, Array]]:
    from reference.interpreter import Reference
    from reference.store import Store

    leaves, args, held = _leaves(subject)
    with np.errstate(all="ignore"):
        results = Reference(subject.model.ir, Store(held)).run(args, world, subject.sizes)
        smooth = [y for y in results if y is not None and y.smooth]
        if not leaves or not smooth:
            return None, leaves
        objective = _objective(smooth)
        found = gradient(objective, list(leaves.values()))
    return {name: g.value for name, g in zip(leaves, found, strict=True)}, leaves


def _moved(subject: Subject, wanted: Mapping[str, Numbers], seed: int) -> list[float]:
    """How far gradients move by rounding, or (0) by settings in float32, which torch has in its own derivatives."""
    world = World(decisions=[], unit=UNIT["f64"], noise=np.random.default_rng(seed)) if seed else World(short=True)
    with kernels_slopes(UNIT["f64"] if seed else 0.0):
        other, _ = _by_reference(subject, world)
    assert other is not None
    return [float(np.abs(other[name] - g).max(initial=0.0)) for name, g in wanted.items()]


def _differences(subject: Subject, wanted: Mapping[str, Numbers], world: World, report: Report) -> None:
    """The slope along one direction, by steps to both sides that meet no kink."""
    rng = np.random.default_rng(0)
    inputs, weights = list(subject.inputs), dict(subject.weights)
    slope, way = 0.0, {}
    for name, g in wanted.items():
        v: Any = rng.standard_normal(g.shape)
        v = v + 1j * rng.standard_normal(g.shape) if g.dtype.kind == "c" else v
        way[name] = v
        slope += float(np.real(np.conj(g) * v).sum())
    chosen = [d.chosen for d in world.decisions or ()]
    first = [y for y in subject.reference()[0] if y is not None and y.smooth]
    factors = [_factors(y.value, number) for number, y in enumerate(first)]
    ends = []
    for size in (1.0, -1.0, 0.5, -0.5):
        subject.inputs = [
            x if x is None or f"input {i}" not in way else x + size * STEP * way[f"input {i}"]
            for i, x in enumerate(inputs)
        ]
        subject.weights = {p: w + size * STEP * way[p] if p in way else w for p, w in weights.items()}
        results, there, _ = subject.reference()
        smooth = [y.value for y in results if y is not None and y.smooth]
        ends.append(sum(float(np.real(y * f).sum()) for y, f in zip(smooth, factors, strict=True)))
        kink = [d.chosen for d in there.decisions or ()] != chosen
        if kink:
            break
    subject.inputs, subject.weights = inputs, weights
    if kink or not np.isfinite(ends).all():
        report.done["differences"] = "a kink within the step"
        return
    wide, narrow = (ends[0] - ends[1]) / (2 * STEP), (ends[2] - ends[3]) / STEP
    guess = (4 * narrow - wide) / 3
    doubt = abs(wide - narrow) + 1e-6 * abs(guess) + 1e-9 * sum(float(np.abs(f).sum()) for f in factors) / STEP * 1e-3
    if doubt > 1e-7 + abs(guess) / 4:  # it turns within the step, as `sin(x ** 4)` does where x is large
        report.done["differences"] = "too rough to tell"
        return
    if abs(guess - slope) > 4 * doubt + 1e-7:
        raise Differs(
            "finite differences", f"the slope is {guess:.9g}, and the reference derives {slope:.9g}, doubt {doubt:.1e}"
        )
    report.done["differences"] = "ok"
