"""Names of the emitted file: Python identifiers for sizes, values, classes and places of weights."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Set

# what any emitted code uses, and names that linters refuse
RESERVED = frozenset(("self", "math", "l", "O", "I", "_", "super", "range", "zip", "enumerate", "min", "max", "int",
                      "float", "bool", "len", "list", "tuple", "NamedTuple", "Any", "print", "type", "slice", "None",
                      "Callable", "Sequence", "importlib", "getattr", "isinstance", "reversed", "str", "ValueError",
                      "dict", "functools", "inspect", "sys"))  # fmt: skip


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


def fresh(base: str, taken: Iterable[str] = (), reserved: Set[str] = RESERVED) -> str:
    """`base`, or `base_2`, `base_3`, ... where it is taken or reserved."""
    name = identifier(base)
    used = taken if isinstance(taken, frozenset | set | dict) else frozenset(taken)
    if name not in reserved and name not in used:
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
    """CamelCase: `down_blocks` is `DownBlocks`, `std.nn.Linear` is `Linear`, `_2` is `Module2`."""
    words = re.split(r"[^0-9A-Za-z]+", text.rsplit(".", 1)[-1])
    found = "".join(word[:1].upper() + word[1:] for word in words)
    return found if found[:1].isalpha() else f"Module{found}"


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
    """Whether a member of this name can be an ordinary attribute of an object; a framework's own may begin with `_`."""
    return name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_")
