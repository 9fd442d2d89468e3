"""Element types of stored tensors, and which weights they fit: floats of every width, not what only looks like them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

# the types of safetensors, and how many bits an element has
BITS = MappingProxyType(
    {
        "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8,
        "F8_E5M2FNUZ": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32, "I32": 32,
        "F32": 32, "U64": 64, "I64": 64, "F64": 64, "C64": 64,
    }
)  # fmt: skip
FLOATS = ("f16", "bf16", "f32", "f64")
WHOLE = ("i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64")
COMPLEX = ("c64", "c128")
KINDS = MappingProxyType({name: name.lower() for name in BITS})
OF_TORCH = MappingProxyType(
    {
        "float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64", "complex64": "c64",
        "complex128": "c128",
        **{f"{'u' if kind[0] == 'u' else ''}int{kind[1:]}": kind for kind in WHOLE},
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """A tensor that was handed over: its shape, its kind, and why it cannot be taken, where it cannot."""

    shape: tuple[int, ...]
    kind: str = ""
    problem: str = ""


def fits(elem: str, kind: str) -> bool:
    """Whether a tensor of a kind can be a weight with elements of a type."""
    if elem == "bool":
        return kind == "bool"
    if elem == "complex":
        return kind in COMPLEX
    return kind in (FLOATS if elem == "float" or elem in FLOATS else WHOLE)


def name_of(kind: str) -> str:
    """The name that torch has for a kind."""
    return next((name for name, found in OF_TORCH.items() if found == kind), kind)


def wanted(elem: str) -> str:
    """What a weight with elements of a type takes, in words."""
    if elem == "bool":
        return "truth values"
    return "complex numbers" if elem == "complex" else "floats" if elem in ("float", *FLOATS) else "whole numbers"


def advice(kind: str) -> str:
    """What to do with a tensor whose kind does not fit."""
    if kind.startswith(("f8", "f6", "f4", "float8", "float4")):
        return "its numbers need their scales: convert them to bfloat16 with the tool that quantized them"
    return "convert the checkpoint, or list the tensor under [ignore] of a map"
