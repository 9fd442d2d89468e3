"""How much alike two names of weights are: their words, those that mean the same as one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

# words of several libraries for one thing, each group under its first
GROUPS = (
    "norm ln layernorm layer_norm bn batchnorm normalization rmsnorm",
    "embed embedding embeddings emb wte tokens token word",
    "position positions pos wpe",
    "segment type",
    "attention attn selfattention self_attention mixer",
    "q query to_q wq", "k key to_k wk", "v value to_v wv",
    "output o out proj projection",
    "qkv c_attn in_proj query_key_value wqkv",
    "mlp ff ffn feedforward feed_forward densereludense",
    "up fc1 fc_1 c_fc wi intermediate w1 pwconv1", "down fc2 fc_2 w2 pwconv2 wo", "gate w3",
    "conv convolution", "head classifier fc heads", "shortcut downsample down_sample",
    "weight gamma scale g kernel", "bias beta", "stem embedder",
    "first before pre input", "second after post",
)  # fmt: skip
WORDS: Mapping[str, str] = MappingProxyType({word: group.split()[0] for group in GROUPS for word in group.split()})
PLACES: Mapping[str, str] = MappingProxyType({"1": "first", "2": "second"})  # behind a word, as in `norm1`
_KINDS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
# what is no weight, whatever it is called before the last points
NO_WEIGHTS = ("masked_bias", "position_ids", "token_type_ids", "inv_freq", "relative_position_index", "attn_mask",
              "attention_mask", "causal_mask", "relative_coords_table", "original_inv_freq")  # fmt: skip


def kind_of(name: str) -> str:
    """What a weight is in its layer; nothing where its last word does not say."""
    last = name.rpartition(".")[2]
    if last in _KINDS:
        return last
    found = WORDS.get(last, "")
    return found if found in ("weight", "bias") else ""


def no_weight(name: str, shape: tuple[int, ...], kind: str) -> bool:
    """Whether a tensor is a mask, an index or another constant that a model computes by itself."""
    last = name.rpartition(".")[2]
    if last in NO_WEIGHTS or (kind == "bool"):
        return True
    if last == "bias" and len(shape) == 4 and shape[:2] == (1, 1):
        return True  # the causal mask of GPT-2
    return kind.startswith(("i", "u")) and last != "num_batches_tracked"


@lru_cache(maxsize=65536)
def words(name: str) -> tuple[frozenset[str], tuple[int, ...]]:
    """The words of a name, and its numbers."""
    found = set()
    for part in name.split("."):
        plain = part.lower()
        if plain in WORDS:
            found.add(WORDS[plain])
            continue
        if plain.isdigit():
            continue
        for piece in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", part):
            found.add(PLACES.get(piece) or WORDS.get(piece.lower(), piece.lower()))
    if "norm" in found and found & {"attention", "final"}:  # in a layer the norm of attention comes first
        found.add("first" if "attention" in found else "second")
    return frozenset(word for word in found if not word.isdigit()), tuple(map(int, re.findall(r"\d+", name)))


def alike(ours: str, theirs: str) -> float:
    """From 0 to 1: how many words of both are in both."""
    if ours == theirs:
        return 1.0
    mine, other = words(ours)[0], words(theirs)[0]
    if not mine or not other:
        return 0.0
    both = len(mine & other)
    return (both / len(mine) + both / len(other)) / 2


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Names in the order of their numbers, 10 behind 9."""
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", name))
