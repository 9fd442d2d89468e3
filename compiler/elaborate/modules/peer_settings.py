"""A call with settings among its tensors, as PyTorch has it: settings in brackets, under the names they have here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ogive.compiler.elaborate.modules.patterns_for import Setting, shaped
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.values import is_number
from ogive.compiler.ops.spec import REQUIRED, OpSpec
from ogive.compiler.sizes import Size

AXES = ("dim", "dims", "axis", "axes")  # what peers call the axis that stands first in brackets here
DROPPED = ("training", "inplace", "device", "requires_grad", "memory_format")
NAMED = {
    "padding": "pad", "kernel_size": "kernel", "scale_factor": "scale", "num_classes": "n", "negative_slope": "slope",
    "is_causal": "causal", "attn_mask": "mask", "padding_mode": "pad_mode", "output_padding": "out_pad",
    "min_val": "lo", "max_val": "hi", "keepdims": "keepdim", "bias": "b", "output_size": "size", "ceil_mode": "ceil",
    "num_groups": "groups",
}  # fmt: skip
REDUCTIONS = ("sum", "mean", "max", "min", "prod", "any", "all", "logsumexp", "var", "std")
_SIMPLE = re.compile(r"[\w.']+(\[[^\[\]]*\])?(\([^()]*\))?|\([^()]*\)")


def plain(text: str) -> str:
    """A text that may stand beside an operator."""
    return text if _SIMPLE.fullmatch(text) or _one_call(text) else f"({text})"


def _one_call(text: str) -> bool:
    """Whether a text is one name with brackets and parentheses, such as `f(g(x))` or `sum[1](x)`."""
    rest = re.match(r"[\w.']+", text)
    if rest is None:
        return False
    depth, at = 0, rest.end()
    for at in range(rest.end(), len(text)):
        depth += (text[at] in "([") - (text[at] in ")]")
        if depth == 0 and at + 1 < len(text) and text[at + 1] not in "([.":
            return False
    return depth == 0 and rest.end() < len(text) and text[-1] in ")]"


def op_call(spec: OpSpec, args: Sequence[Setting], keywords: Mapping[str, Setting]) -> str | None:
    """The call as `op[settings](tensors)`; None where something has no place there."""
    keywords = {NAMED.get(name, name): given for name, given in keywords.items() if name not in DROPPED}
    keepdim = keywords.pop("keepdim", None)
    correction = keywords.pop("correction", None)
    if correction is not None:
        if spec.name not in ("var", "std") or correction.number not in (0, 1):
            return None
        keywords["unbiased"] = Setting(correction.number == 1, "true" if correction.number == 1 else "false")
    slots = [slot.strip() for slot in spec.inputs.split(",") if slot.strip()]
    inputs = {slot.strip("*?") for slot in slots}
    keywords = {name: each for name, each in keywords.items() if name not in inputs or each.value is not None}
    special = _special(spec, args, keywords)
    if special is not None:
        return special
    operands, settings = _sorted(spec, args, slots)
    if operands is None or not _operands(slots, operands, keywords):
        return None
    known = {static.name for static in spec.statics}
    pattern = any(static.kind == "pattern" for static in spec.statics)
    for name, given in keywords.items():
        if name in AXES and name not in known and any(static.kind in ("axis", "axes") for static in spec.statics):
            settings.insert(0, given.text.strip("()[]"))
        elif name in known or (pattern and name not in AXES):
            settings.append(f"{name}={_spelled(given.text)}")
        elif not (spec.name in ("zeros", "ones") and name == "dtype"):
            return None
    if not _complete(spec, settings):
        return None
    if keepdim is not None and keepdim.value is True:
        return _kept(spec, args, settings)
    settings += ["unbiased=true"] * (spec.name in ("var", "std") and "unbiased" not in keywords)
    brackets = f"[{', '.join(settings)}]" if settings else ""
    return f"{spec.name}{brackets}" + (f"({', '.join(operands)})" if slots else "")


def brackets_alone(spec: OpSpec, args: Sequence[Setting], keywords: Mapping[str, Setting]) -> str | None:
    """`dropout(0.1)`, without a tensor, as `dropout[0.1]`."""
    operands, settings = _sorted(spec, args, [])
    known = {static.name for static in spec.statics}
    if operands or not spec.inputs or not settings or not keywords.keys() <= known:
        return None
    settings += [f"{name}={_spelled(given.text)}" for name, given in keywords.items()]
    return f"{spec.name}[{', '.join(settings)}]" if _complete(spec, settings) else None


def _special(spec: OpSpec, args: Sequence[Setting], keywords: dict[str, Setting]) -> str | None:
    """What has another name here for one of its settings."""
    mode = keywords.get("approximate")
    if spec.name == "gelu" and mode is not None and len(args) == 1 and mode.value in ("tanh", "none"):
        return f"{'gelu_tanh' if mode.value == 'tanh' else 'gelu'}({args[0].text})"
    if spec.name == "einsum" and args and isinstance(args[0].value, str) and not keywords:
        return f'einsum["{_spaced(args[0].value)}"]({", ".join(each.text for each in args[1:])})'
    return None


def _spaced(pattern: str) -> str:
    """`bij,bjk->bik` with its axes apart, as einops and we write them."""
    if " " in pattern.replace(", ", ",").replace(" -> ", "->"):
        return pattern
    left, _, right = pattern.replace(" ", "").partition("->")
    sides = [" ".join(re.findall(r"\.\.\.|\w", part)) for part in left.split(",")]
    return f"{', '.join(sides)} -> {' '.join(re.findall(r'[.]{3}|[a-zA-Z]', right))}"


def _sorted(spec: OpSpec, args: Sequence[Setting], slots: Sequence[str]) -> tuple[list[str] | None, list[str]]:
    """Tensors, and what belongs into brackets: a pattern first."""
    operands: list[str] = []
    settings: list[str] = []
    variadic = bool(slots) and slots[-1].startswith("*")
    for given in args:
        value = given.value
        if isinstance(value, Tensor):
            operands.append(given.text)
        elif isinstance(value, tuple) and value and all(isinstance(each, Tensor) for each in value) and variadic:
            listed = given.text[:1] in "[(" and given.text[-1:] in "])"
            operands.append(given.text[1:-1].strip().rstrip(",") if listed else f"*{given.text}")
        elif spec.literals and is_number(value) and not spec.statics:
            operands.append(given.text)
        elif isinstance(value, str):
            settings.append(given.text if not settings else value)
        elif isinstance(value, tuple) and all(isinstance(each, Size) for each in value):
            if spec.name in ("layer_norm", "rms_norm") and len(value) != 1:
                return None, []
            settings += [] if spec.name in ("layer_norm", "rms_norm") else [given.text.strip("()[]").rstrip(", ")]
        elif isinstance(value, bool) and spec.name in REDUCTIONS:
            return None, []
        elif is_number(value) or (isinstance(value, bool) and spec.name not in ("dropout", "batch_norm")):
            settings.append(_spelled(given.text))
        elif value is None and given.text == "none" and operands:
            continue
        elif not isinstance(value, bool):
            return None, []
    return operands, settings


def _operands(slots: Sequence[str], operands: list[str], keywords: dict[str, Setting]) -> bool:
    """Put operands that are given by name in their places; whether all are there."""
    for place, slot in enumerate(slots):
        name = slot.strip("*?")
        if name in keywords and isinstance(keywords[name].value, Tensor):
            if place != len(operands):
                return False
            operands.append(keywords.pop(name).text)
    least = sum(not slot.endswith("?") for slot in slots)
    variadic = bool(slots) and slots[-1].startswith("*")
    return least <= len(operands) and (variadic or len(operands) <= len(slots))


def _complete(spec: OpSpec, settings: Sequence[str]) -> bool:
    """Whether brackets hold what has no default, and no more than there is."""
    if any(static.kind == "pattern" for static in spec.statics) and not any(text[:1] in "\"'" for text in settings):
        return False
    named = {text.partition("=")[0] for text in settings if re.match(r"\w+=", text)}
    free = sum("=" not in text or text[:1] in "\"'" for text in settings)
    order = [static for static in spec.statics if static.name not in named]
    many = any(static.kind in ("axes", "sizes", "pattern") for static in order)
    if free > len(order) and not many:
        return False
    taken = [static.name for static in order[:free]]
    missing = [s.name for s in spec.statics if s.default is REQUIRED and s.name not in named and s.name not in taken]
    return not missing and not (many and order and order[0].kind == "sizes" and free == 0)


def _kept(spec: OpSpec, args: Sequence[Setting], settings: Sequence[str]) -> str | None:
    """A reduction that keeps its axes: `reduce["b n -> b 1", mean](x)`."""
    value = args[0].value if args else None
    if spec.name not in REDUCTIONS[:-2] or not isinstance(value, Tensor) or any("=" in text for text in settings):
        return None
    x = shaped(args[0].text, value.type)
    places = []
    for text in ", ".join(settings).split(", "):
        number = int(text) if re.fullmatch(r"-?\d+", text) else None
        place = x.names.index(text) if text in x.names else x.at(Setting(number, text)) if number is not None else None
        if place is None:
            return None
        places.append(place)
    names = ["1" if i in places else name for i, name in enumerate(x.names)]
    return f'reduce["{" ".join(x.names)} -> {" ".join(names)}", {spec.name}]{x.applied}'


def _spelled(text: str) -> str:
    return {"True": "true", "False": "false", "None": "none"}.get(text, text)
