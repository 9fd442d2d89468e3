"""The pass `interpolate`: weights between those of a model and others."""

from __future__ import annotations

from ogive.compiler.ir.model import Init, Model, Weight
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import FLOATS
from ogive.compiler.ir.weights import weights
from ogive.compiler.passes.conversion.graph import conversion
from ogive.compiler.passes.conversion.looks import Looks
from ogive.compiler.passes.conversion.result import Note, Passed, PassError
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.pruning.remove import whole_weight
from ogive.compiler.sizes import size

LARGEST = 1 << 23  # numbers, which stand in the conversion


def interpolate(model: Model, looks: Looks, *, other: str, alpha: float = 0.25, tolerance: float = 0.0) -> Passed:
    """(1 - alpha) of the weights in the file `other`, and alpha of those that the model has: what a training before
    `coalesce` has left, and what comes back by `decoalesce`, whose copies are no longer equal then.

    Zou et al. 2024, arXiv:2404.07999, where alpha is 0.25 to 0.5.
    """
    if not 0 <= alpha <= 1:
        raise PassError("E0810", f"`alpha` is a share from 0 to 1, not {alpha:g}")
    if tolerance < 0:
        raise PassError("E0810", f"`tolerance` of `interpolate` is a share from 0 on, not {tolerance:g}")
    infos = [info for info in weights(model) if info.elem in FLOATS]
    total = sum(info.elements for info in infos)
    if total > LARGEST:
        text = f"`interpolate` writes weights into its conversion: {total:,} numbers are more than {LARGEST:,}"
        raise PassError("E0811", text, "mix the files of weights instead: `torch.lerp` of each tensor")
    root = ConversionScope("", size(1), Fresh(set()))
    found = looks.others(other)
    for info in infos:
        there = root.op("constant", list=found[info.path])
        own = root.op("mul", whole_weight(root, info), alpha)
        name = root.op("add", own, root.op("mul", there, 1 - alpha))
        root.targets[info.path] = (name, Weight(info.path, root.types[name], info.weight.kind, Init("zeros")))
    taken, targets = root.close()
    notes = (Note(True, other, f"{1 - alpha:g} of its weights and {alpha:g} of these"),)
    made = conversion(model, model, taken, targets)
    return Passed(model, made, notes, lossy="interpolate", tolerance=tolerance)
