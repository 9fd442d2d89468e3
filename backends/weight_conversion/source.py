"""A conversion as a Python module that needs torch alone: `convert(state)` gives the new state dict."""

from __future__ import annotations

from itertools import product

from ogive.backends.pytorch.module.file import emit
from ogive.backends.weights.paths import slots
from ogive.compiler.ir.model import Model
from ogive.compiler.ir.weights import weights
from ogive.compiler.passes.conversion.graph import Conversion

HEAD = '''"""The weights of {result} from those of {source}."""

from torch import Tensor
'''
CONVERT = '''

# the shapes of the weights of {source}
SHAPES = {{
{shapes}}}


# weights that stay as they are: their names there and here
KEPT = {{
{kept}}}


def convert(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of {result} from those of {source}, in float64."""
    found = {{name: tuple(tensor.shape) for name, tensor in state.items()}}
    if found != SHAPES:
        names = sorted(name for name in SHAPES | found if SHAPES.get(name) != found.get(name))
        told = ", ".join(f"{{name}} {{found.get(name, 'is missing')}}" for name in names)
        raise ValueError(f"these are not the weights of {source}: {{told}}")
    exact = {{name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in state.items()}}
    converted = {{mine: exact[theirs] for mine, theirs in KEPT.items()}}
{computed}    return converted
'''
COMPUTED = """    module = {name}()
    needed = {{path: exact[path] for path in module.state_dict()}}
    module.load_state_dict(needed, assign=True)
    with torch.no_grad():
        made = module()
    for names, tensor in zip(MADE, (made,) if isinstance(made, Tensor) else made):
        converted.update({{path: tensor[turn] for path, turn in names.items()}})
"""
MADE = """

# for each tensor that is computed, the names of its parts, one for each iteration of a loop
MADE = (
{made})
"""


def source_of(conversion: Conversion) -> str:
    """The text of the module."""
    results = {info.path: info for info in weights(conversion.result)}
    sources = {info.path: info for info in weights(conversion.source)}
    shapes = "".join(f"    {path!r}: {slot.shape!r},\n" for path, slot in slots(conversion.source).items())
    names = {"source": conversion.source.name, "result": conversion.result.name, "shapes": shapes}
    kept = "".join(
        f"    {mine!r}: {theirs!r},\n"
        for path, source in conversion.kept
        for mine, theirs in zip(results[path].paths(), sources[source].paths(), strict=True)
    )
    if conversion.is_identity:
        return HEAD.format(**names) + CONVERT.format(**names, kept=kept, computed="")
    iterations = [
        dict(zip(results[path].paths(), product(*map(range, results[path].iterations)), strict=True))
        for path in conversion.targets
    ]
    made = "".join(f"    {names_!r},\n" for names_ in iterations)
    name = conversion.definition.name
    text = emit(Model(name, conversion.definition, (), ()), checks=False).rstrip("\n") + "\n"
    computed = COMPUTED.format(name=name)
    return text + MADE.format(made=made) + CONVERT.format(**names, kept=kept, computed=computed)
