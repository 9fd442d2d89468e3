"""A conversion as a Python module that needs torch alone: `convert(state)` gives the new state dict."""

from __future__ import annotations

from itertools import product

from ogive.backends.pytorch.emit import emit
from ogive.compiler.ir import Model
from ogive.compiler.passes.conversion import Conversion
from ogive.compiler.weights import weights

HEAD = '''"""The weights of {result} from those of {source}."""

from torch import Tensor
'''
CONVERT = '''

# weights that stay as they are: their names there and here
KEPT = {{
{kept}}}


def convert(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of {result} from those of {source}: what is computed, in float64."""
    converted = {{mine: state[theirs] for mine, theirs in KEPT.items()}}
{computed}    return converted
'''
COMPUTED = """    module = {name}()
    needed = {{path: state[path].double() for path in module.state_dict()}}
    module.load_state_dict(needed, assign=True)
    with torch.no_grad():
        made = module()
    for names, tensor in zip(MADE, (made,) if isinstance(made, Tensor) else made):
        converted.update({{path: tensor[turn] for path, turn in names.items()}})
"""
MADE = """

# for each tensor that is computed, the names of its parts, one for each turn of a loop
MADE = (
{made})
"""


def source_of(conversion: Conversion) -> str:
    """The text of the module."""
    results = {info.path: info for info in weights(conversion.result)}
    sources = {info.path: info for info in weights(conversion.source)}
    names = {"source": conversion.source.name, "result": conversion.result.name}
    kept = "".join(
        f"    {mine!r}: {theirs!r},\n"
        for path, source in conversion.kept
        for mine, theirs in zip(results[path].paths(), sources[source].paths(), strict=True)
    )
    if conversion.is_identity:
        return HEAD.format(**names) + CONVERT.format(**names, kept=kept, computed="")
    turns = [
        dict(zip(results[path].paths(), product(*map(range, results[path].turns)), strict=True))
        for path in conversion.targets
    ]
    made = "".join(f"    {names_!r},\n" for names_ in turns)
    name = conversion.definition.name
    text = emit(Model(name, conversion.definition, (), ())).rstrip("\n") + "\n"
    computed = COMPUTED.format(name=name)
    return text + MADE.format(made=made) + CONVERT.format(**names, kept=kept, computed=computed)
