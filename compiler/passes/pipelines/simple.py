"""The passes `simplify`, `fuse` and `specialize`, which leave all weights as they are."""

from __future__ import annotations

from ogive.compiler.ir.model import Model
from ogive.compiler.ir.substitute import Sizes
from ogive.compiler.ir_tools.open_sizes import open_sizes, unfit_names, unfit_numbers
from ogive.compiler.passes.cleanup.inline import inline
from ogive.compiler.passes.cleanup.simplify import simplify
from ogive.compiler.passes.conversion.resized import resized
from ogive.compiler.passes.conversion.result import Passed, PassError, unchanged
from ogive.compiler.passes.fusion.fuse import fuse
from ogive.compiler.passes.infra.dce import dead
from ogive.compiler.passes.infra.driver import optimized
from ogive.compiler.passes.posets.average import average_pools
from ogive.compiler.sizes import size


def simplified(model: Model) -> Passed:
    """Dead code, common subexpressions, rearrangements after one another, identities, pools that are averages."""
    averaged, notes = average_pools(model)
    result = optimized(averaged, (inline, simplify, dead))
    return Passed(result, unchanged(model, result), notes)


def fused(model: Model) -> Passed:
    """Attention, norms, linear maps with a bias and the like, as the operations for which targets have kernels."""
    result = optimized(model, (inline, simplify, fuse, simplify, dead))
    return Passed(result, unchanged(model, result))


def specialize(model: Model, **sizes: int) -> Passed:
    """Sizes of the inputs as numbers: `specialize[b=1, h=224]`."""
    known = {unknown.name: unknown for unknown in open_sizes(model)}
    if said := unfit_names(model, sizes) or unfit_numbers(model, sizes):
        raise PassError("E0810", said)
    fixed: Sizes = {known[name]: size(number) for name, number in sizes.items()}
    result = resized(model, fixed)
    return Passed(result, unchanged(model, result))
