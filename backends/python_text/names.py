"""Names of the emitted file: Python identifiers for sizes, values, classes and places of weights."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

from ogive.backends.pytorch.ops.helpers import HELPERS

# what the emitted code itself uses, and names that linters refuse
RESERVED = frozenset((*HELPERS, "Group", "Taps", "around", "member", "self", "taps", "generator", "training", "like",
                      "torch", "nn", "F", "Tensor", "math", "l", "O", "I", "_", "super", "range", "zip",
                      "enumerate", "min", "max", "int", "float", "bool", "len", "list", "tuple", "NamedTuple",
                      "Any", "print", "type", "slice", "None", "FLOATS", "Callable", "Sequence", "importlib",
                      "getattr", "isinstance", "reversed", "str", "ValueError", "dict", "once", "outside", "saving",
                      "functools", "inspect", "sys",
                      "Calls"))  # fmt: skip

# what an nn.Module keeps in its own dict: with a member of such a name, `train()` or `load_state_dict` breaks it (a
# test keeps the list current)
MODULE_DATA = frozenset(
    """
training _parameters _buffers _modules _non_persistent_buffers_set _backward_pre_hooks _backward_hooks
_is_full_backward_hook _forward_hooks _forward_hooks_with_kwargs _forward_hooks_always_called _forward_pre_hooks
_forward_pre_hooks_with_kwargs _state_dict_hooks _state_dict_pre_hooks _load_state_dict_pre_hooks
_load_state_dict_post_hooks
""".split()
)
# attributes of nn.Module: a member of such a name lives in the module's tables only (a test keeps the list current)
MODULE_ATTRIBUTES = frozenset(
    """
T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval
extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict modules mtia
named_buffers named_children named_modules named_parameters parameters register_backward_hook register_buffer
register_forward_hook register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module register_parameter
register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory
state_dict to to_empty train training type constrain run xpu zero_grad after_step like
""".split()
)


def identifier(text: str) -> str:
    """The text as a Python identifier: `x'` is `x_prime`, `class` is `class_`, `__x` is `_x`, `_` is `y`.

    Names with two underscores at the front are rewritten inside of classes, or are Python's own.
    """
    name = re.sub(r"\W", "_", text.replace("'", "_prime"), flags=re.ASCII)
    name = re.sub(r"^__+", "_", name)
    if name in ("", "_"):
        return "y"
    if name[0].isdigit():
        name = f"_{name}"
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


def fields(names: Iterable[str]) -> tuple[str, ...]:
    """The fields of a named tuple: identifiers that differ and begin with a letter."""
    found: dict[str, None] = {}
    for each in names:
        base = identifier(identifier(each).lstrip("_") or "y")
        name, number = base, 1
        while name in found:
            number += 1
            name = f"{base}_{number}"
        found[name] = None
    return tuple(found)


def unnumbered(name: str) -> str:
    """`scale_2` as `scale`."""
    return re.sub(r"_\d+$", "", name)


def class_name(text: str) -> str:
    """CamelCase: `down_blocks` is `DownBlocks`, `std.nn.Linear` is `Linear`."""
    words = re.split(r"[^0-9A-Za-z]+", text.rsplit(".", 1)[-1])
    return "".join(word[:1].upper() + word[1:] for word in words) or "Module"


def snake(text: str) -> str:
    """snake_case: `RopeAngles` is `rope_angles`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", identifier(text)).lower()


def singular(label: str) -> str:
    """The name of one iteration of a loop: `layers` is `layer`, `h` is `layer`."""
    if len(label) == 1:
        return "layer"
    for plural, ending in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ss", "ss"), ("s", "")):
        if label.endswith(plural) and len(label) > len(plural):
            return label[: -len(plural)] + ending
    return label


def plain(name: str) -> bool:
    """Whether a member of this name can be an ordinary attribute of a module; torch's own may begin with `_`."""
    usable = name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_")
    return usable and name not in MODULE_ATTRIBUTES
