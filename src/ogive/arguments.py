"""Arguments of the front for Python: each is looked at where it comes in, and refused in our words.

@takes(depth=whole(0), open=names, fold=flag)
def diagram(self, depth=0, open=(), fold=True): ...
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from operator import index
from os import PathLike, fsencode
from typing import Any, ParamSpec, TypeVar

from ogive.extras import needs
from ogive.refusals import wrong

P = ParamSpec("P")
T = TypeVar("T")
LARGEST = 1 << 62
Kind = Callable[[Any], Any]  # gives the value as it is wanted; what it raises says what is wanted


class Unwanted(Exception):
    """An argument of another kind: the text says what is taken."""


def takes(**kinds: Kind) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A function whose arguments are of these kinds. Raises `WrongArgument` where one is not."""

    def checked(function: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(function)

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError as error:
                raise wrong(f"`{function.__name__}`: {error}") from None
            for name, kind in kinds.items():
                if name in bound.arguments:
                    bound.arguments[name] = _as(kind, bound.arguments[name], f"`{name}` of `{function.__name__}`")
            return function(*bound.args, **bound.kwargs)

        return call

    return checked


def _as(kind: Kind, value: Any, what: str) -> Any:
    try:
        return kind(value)
    except Unwanted as error:
        raise wrong(f"{what} is {error}, not {shown(value)}") from None


def shown(value: object) -> str:
    """An argument in a message: short ones as they are, others by their kind."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        text = repr(value)
        return text if len(text) <= 40 else f"{text[:37]}..."
    return f"{'an' if type(value).__name__[0].lower() in 'aeiou' else 'a'} {type(value).__name__}"


def flag(value: Any) -> bool:
    """True or false, of numpy too."""
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return bool(value)
    raise Unwanted("true or false")


def text(value: Any) -> str:
    """A string."""
    if isinstance(value, str):
        return value
    raise Unwanted("a string")


def path(value: Any) -> Any:
    """The path of a file."""
    if isinstance(value, str | PathLike) and nameable(value):
        return value
    raise Unwanted("the path of a file")


def nameable(value: str | PathLike[str]) -> bool:
    """Whether a file can have such a name: systems know no zero in it, and no half of a character."""
    try:
        return b"\0" not in fsencode(value)
    except UnicodeEncodeError:
        return False


def path_text(value: Any) -> str:
    """The path of a file, as a string."""
    return text(path(value))


def whole(low: int) -> Kind:
    """A whole number, of numpy too, that a computer can count to."""

    def kind(value: Any) -> int:
        try:
            number = index(value)
        except TypeError:
            number = low - 1
        if not low <= number < LARGEST or isinstance(value, bool):
            raise Unwanted(f"a whole number from {low} on")
        return number

    return kind


def one_of(*words: str) -> Kind:
    """One of these words."""

    def kind(value: Any) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise Unwanted(f"one of {', '.join(words)}")

    return kind


def names(value: Any) -> tuple[str, ...]:
    """Several names; one alone is written as a list too, since a string is a list of letters."""
    found = value if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping) else None
    try:
        listed = tuple(found) if found is not None else None
    except TypeError:  # what only looks like a list, such as a tensor of one number
        listed = None
    if listed is None or not all(isinstance(item, str) for item in listed):
        raise Unwanted('a list of names, such as ["attn"]')
    return listed


def named(kind: Kind) -> Kind:
    """Something for each name."""

    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise Unwanted("a dict with names for keys")
        return {name: _as(kind, item, f"`{name}`") for name, item in value.items()}

    return check


def either(*kinds: Kind) -> Kind:
    """Of one of these kinds."""

    def check(value: Any) -> Any:
        said = []
        for kind in kinds:
            try:
                return kind(value)
            except Unwanted as error:
                said.append(str(error))
        raise Unwanted(" or ".join(said))

    return check


def maybe(kind: Kind) -> Kind:
    """Or None."""
    return lambda value: None if value is None else kind(value)


def listed(kind: Kind) -> Kind:
    """A list of them."""

    def check(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise Unwanted("a list")
        return [_as(kind, item, "an entry") for item in value]

    return check


def theme(value: Any) -> Any:
    """One of the themes of pictures, or one made by hand."""
    if type(value).__name__ == "Theme":
        return value
    return one_of("auto", "light", "dark", "bright", "print", "axes")(value)


def call_of_pass(value: Any) -> Any:
    """A pass or a recipe: as text, or as it was read."""
    if isinstance(value, str) or type(value).__name__ == "PassCall":
        return value
    raise Unwanted("a pass or a recipe, as text")


def tensor(value: Any) -> Any:
    """A tensor of torch."""
    if any(each.__name__ == "Tensor" and each.__module__ == "torch" for each in type(value).__mro__):
        return value
    raise Unwanted("a tensor")


def device(value: Any) -> Any:
    """A device that torch has here, or None."""
    if value is None:
        return None
    with needs("torch"):
        import torch
    try:
        found = torch.device(value)
        torch.empty(0, device=found)
    except (RuntimeError, TypeError, ValueError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise Unwanted(f"a device that torch can use here ({reason})") from None
    return found


def float_type(value: Any) -> Any:
    """A type of floats of torch, None, or "source" for that of the source."""
    if value is None or (isinstance(value, str) and value == "source"):
        return value
    if type(value).__name__ == "dtype" and getattr(value, "is_floating_point", False):
        return value
    raise Unwanted("a type of floats such as torch.float32, None or 'source'")


FLOATS = {"f16": "float16", "bf16": "bfloat16", "f32": "float32", "f64": "float64"}


def weight_type(value: Any) -> Any:
    """A type of floats of torch, or its name here, or None."""
    if value is None or (type(value).__name__ == "dtype" and getattr(value, "is_floating_point", False)):
        return value
    if isinstance(value, str) and value in FLOATS:
        with needs("torch"):
            import torch
        return getattr(torch, FLOATS[value])
    raise Unwanted("a type of floats such as torch.float32, None, " + ", ".join(map(repr, FLOATS)))


def function(value: Any) -> Any:
    """Something to be called."""
    if callable(value) and not isinstance(value, type):
        return value
    raise Unwanted("a function")
