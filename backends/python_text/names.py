"""Names of the emitted file: Python identifiers for sizes, values, classes and places of weights."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

from ogive.backends.pytorch.ops.helpers import HELPERS

# what the emitted code itself uses, and names that linters refuse
RESERVED = frozenset((*HELPERS, "Group", "Taps", "around", "member", "self",
                      "torch", "nn", "F", "Tensor", "math", "l", "O", "I", "_", "super", "range", "zip",
                      "enumerate", "min", "max", "int", "float", "bool", "len", "list", "tuple", "NamedTuple",
                      "Any", "print", "type", "slice", "None", "expect", "misfit"))  # fmt: skip

# attributes of nn.Module: a member of such a name lives in the module's tables only (a test keeps the list current)
MODULE_ATTRIBUTES = frozenset(
    """
T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval
extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict modules mtia
named_buffers named_children named_modules named_parameters parameters register_backward_hook register_buffer
register_forward_hook register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module register_parameter
register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory
state_dict to to_empty train training type constrain run xpu zero_grad after_step
""".split()
)


def identifier(text: str) -> str:
    """The text as a Python identifier: `x'` is `x_prime`."""
    name = re.sub(r"\W", "_", text.replace("'", "_prime"), flags=re.ASCII)
    if not name or name[0].isdigit():
        name = f"_{name}" if name else "y"
    return f"{name}_" if keyword.iskeyword(name) or name in ("match", "case") else name


def fresh(base: str, taken: Iterable[str] | frozenset[str] = ()) -> str:
    """`base`, or `base_2`, `base_3`, ... where it is taken or reserved."""
    name = identifier(base)
    used = taken if isinstance(taken, frozenset | set | dict) else frozenset(taken)
    if name not in RESERVED and name not in used:
        return name
    number = 2
    while f"{name}_{number}" in used:
        number += 1
    return f"{name}_{number}"


def class_name(text: str) -> str:
    """CamelCase: `down_blocks` is `DownBlocks`, `std.nn.Linear` is `Linear`."""
    words = re.split(r"[^0-9A-Za-z]+", text.rsplit(".", 1)[-1])
    return "".join(word[:1].upper() + word[1:] for word in words) or "Module"


def snake(text: str) -> str:
    """snake_case: `RopeAngles` is `rope_angles`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", identifier(text)).lower()


def singular(label: str) -> str:
    """The name of one turn of a loop: `layers` is `layer`, `h` is `layer`."""
    if len(label) == 1:
        return "layer"
    for plural, ending in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ss", "ss"), ("s", "")):
        if label.endswith(plural) and len(label) > len(plural):
            return label[: -len(plural)] + ending
    return label


def plain(name: str) -> bool:
    """Whether a member of this name can be an ordinary attribute of a module."""
    usable = name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__")
    return usable and name not in MODULE_ATTRIBUTES
