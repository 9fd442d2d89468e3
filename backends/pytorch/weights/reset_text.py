"""The helper of `init_weights`: what sets the weights of one module, as text."""

from __future__ import annotations

from ogive.backends.python_text.statements import FixedText, fixed

HEAD = '''
def reset(module: nn.Module) -> None:
    """Sets the weights of a module itself as they start."""
'''
SUPPLIED = """
    layers = (nn.Linear, nn.Embedding, nn.LayerNorm, nn.RMSNorm, nn.GroupNorm)
    others = (nn.modules.conv._ConvNd, nn.modules.batchnorm._BatchNorm)
    if isinstance(module, (*layers, *others)) and module.weight is None:
        return  # what else it has is set by its owner
"""
# of the class: a wrapper hands on the methods of what it wraps, which would start twice
PLAIN = """
    start = getattr(type(module), "reset_parameters", None)
    if start is not None:
        start(module)
"""
FOREIGN = """
    start = getattr(type(module), "reset_parameters", None)
    start = start or getattr(type(module), "_reset_parameters", None)
    if start is not None:
        start(module)
    elif type(module).__module__ != __name__ and (
        [*module.parameters(False), *module.buffers(False)]
    ):
        kind = type(module).__qualname__
        raise TypeError(f"`{kind}` has weights, but no method `reset_parameters`")
"""


def reset(*, supplied: bool = False, foreign: bool = False) -> FixedText:
    """The helper: `supplied` where layers may lack weights, `foreign` where modules of the user's are among them."""
    parts = (HEAD, *((SUPPLIED,) if supplied else ()), FOREIGN if foreign else PLAIN)
    return fixed("\n" + "".join(part.lstrip("\n") for part in parts), "reset", "nn")
