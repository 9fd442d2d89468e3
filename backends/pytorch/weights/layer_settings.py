"""What layers of torch take when nothing is said, so that classes can be compared that say it and that do not."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from types import MappingProxyType

from ogive.backends.python_text.expr import Code, literal, with_parts
from ogive.backends.python_text.handed_values import Literal, literal_of
from ogive.backends.python_text.pretty import flat
from ogive.backends.python_text.statements import Statement
from ogive.backends.python_text.tables import Signatures, SizeArguments

Settings = Mapping[str, Literal]
CONV: Settings = MappingProxyType({"bias": True, "padding_mode": "zeros"})
TRANSPOSED: Settings = MappingProxyType({"bias": True})
BATCH: Settings = MappingProxyType({"eps": 1e-5, "momentum": 0.1})
DEFAULTS: Mapping[str, Settings] = MappingProxyType(
    {
        "nn.Linear": MappingProxyType({"bias": True}),
        "nn.LayerNorm": MappingProxyType({"eps": 1e-5, "bias": True}),
        "nn.GroupNorm": MappingProxyType({"eps": 1e-5}),
        **{f"nn.Conv{count}d": CONV for count in (1, 2, 3)},
        **{f"nn.ConvTranspose{count}d": TRANSPOSED for count in (1, 2, 3)},
        **{f"nn.BatchNorm{count}d": BATCH for count in (1, 2, 3)},
    }
)
CONVOLUTION = SizeArguments(
    ("cin", "cout", "kernel"), {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True}
)
LAYERS: Signatures = MappingProxyType(
    {
        "nn.Linear": SizeArguments(("cin", "cout"), {"bias": True}),
        "nn.LayerNorm": SizeArguments(("c",), {"bias": True}),
        **{f"nn.Conv{count}d": CONVOLUTION for count in (1, 2, 3)},
        **{f"nn.BatchNorm{count}d": SizeArguments(("c",)) for count in (1, 2, 3)},
    }
)


def full(statement: Statement) -> Statement:
    """The statement with these settings written out, behind all others."""
    return statement.changed(lambda code: _layers(code, left_out=False))


def short(statement: Statement) -> Statement:
    """The statement without those that torch takes anyway."""
    return statement.changed(lambda code: _layers(code, left_out=True))


def _layers(code: Code, *, left_out: bool) -> Code:
    if "nn" not in code.names:
        return code

    def change(node: ast.expr) -> ast.expr | None:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return None
        defaults = DEFAULTS.get(flat(node.func))
        if defaults is None:
            return None
        given = {each.arg: each.value for each in node.keywords if each.arg in defaults}
        rest = [each for each in node.keywords if each.arg not in defaults]
        values = {key: given.get(key, literal(value).node) for key, value in defaults.items()}
        said = [
            ast.keyword(key, value)
            for key, value in values.items()
            if not left_out or literal_of(value) != defaults[key]
        ]
        return ast.Call(node.func, node.args, rest + said)

    return with_parts(code, change)
