"""Every static of every block of the library has an effect: on outputs, weights, states or conditions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import pytest
import torch
from torch import Tensor

import ogive
from examples.test_blocks import CASES, IMAGE, LINE, MODULES, OPERATOR
from ogive import stdlib
from ogive.api import Model
from ogive.backends.onnx_model.export import Settings, bound_sizes
from ogive.backends.onnx_model.lower.specialize import Sizes
from ogive.backends.onnx_model.verify import choices, inputs
from ogive.compiler.sizes import TRUE, Unknown, size
from ogive.grammar.diagnostics import ArchError
from ogive.grammar.parser import parse
from ogive.grammar.printer import unparse
from ogive.grammar.syntax import Block, StaticDecl

ALL = ("nn", "vision", "attention", "recurrent", "ssm", *MODULES)
SERIES, TOKENS = ("x: [b, 3, 4]", "[b, n, c']"), ("x: [b, 5, 4]", "[b, 5, 4]")
FIELD = ("x: [b, 4, 6, 6]", "[b, c', 6, 6]")
# uses of blocks that the table of research has only inside of others, without results of all, or not at all
USES: dict[str, tuple[tuple[str, str], str]] = {
    **CASES,
    "Linear": (LINE, "x |> Linear[12, 5]"),
    "Embedding": (("x: int[b]", "[b, c']"), "x |> Embedding[4, 3]"),
    "LayerNorm": (LINE, "x |> LayerNorm[12]"),
    "RMSNorm": (LINE, "x |> RMSNorm[12]"),
    "BatchNorm": (IMAGE, "x |> BatchNorm[4]"),
    "GroupNorm": (IMAGE, "x |> GroupNorm[2, 4]"),
    "InstanceNorm": (IMAGE, "x |> InstanceNorm[4, running=true]"),
    "Dropout": (LINE, "x |> Dropout"),
    "DropPath": (LINE, "x |> DropPath[0.5]"),
    "LayerScale": (LINE, "x |> LayerScale[12]"),
    "Residual": (LINE, "x |> Residual[tanh]"),
    "PReLU": (IMAGE, "x |> PReLU[4]"),
    "celu": (LINE, "x |> celu"),
    "hardshrink": (LINE, "x |> hardshrink"),
    "softshrink": (LINE, "x |> softshrink"),
    "softmin": (LINE, "x |> softmin[1]"),
    "threshold": (LINE, "x |> threshold[0.1, 0.2]"),
    "rrelu": (LINE, "x |> rrelu"),
    "Conv": (IMAGE, "x |> Conv[4, 6, [3, 2], pad=[1, 0], stride=[1, 2], dilation=[2, 1]]"),
    "ConvTranspose": (IMAGE, "x |> ConvTranspose[4, 6, [3, 4], stride=[2, 3], pad=[1, 0], out_pad=[1, 0]]"),
    "ConvNormAct": (IMAGE, "x |> ConvNormAct[4, 4]"),
    "SqueezeExcite": (IMAGE, "x |> SqueezeExcite[4, 2]"),
    "PatchEmbed": (("x: [b, 3, 6, 6]", "[b, n, d]"), "x |> PatchEmbed[3, 5, 2]"),
    "pixel_shuffle": (IMAGE, "x |> pixel_shuffle[2]"),
    "window_partition": (("x: [b, 4, 4, c]", "[b, m, n, k, c]"), "x |> window_partition[2]"),
    "window_merge": (("x: [b, 2, 2, 4, c]", "[b, h, w, c]"), "x |> window_merge[2]"),
    "GatedMLP": (LINE, "x |> GatedMLP[12, 7]"),
    "band": (("x: [n, 5]", "bool[n, 5]"), "band[n, 5]()"),
    "attend": (("x: [b, 2, n, 4]", "[b, 2, n, 4]"), "attend(x, x + 1, x)"),
    "rotate": (("x: [b, n, 4], c: [n, 2], s: [n, 2]", "[b, n, 4]"), "rotate(x, c, s)"),
    "RelativeBias": (("x: [1, 6, 6]", "[c', 6, 6]"), "RelativeBias[4, 2, 3]() + x"),
    "ScaledDirection": (("x: [4, 4]", "[4, 4]"), "x |> ScaledDirection"),
    "leading": (("x: [4, 4]", "[4, 4]"), "x |> leading[0]"),
    "segment_sum": (("x: [m, 4], s: int[m]", "[c', 4]"), "segment_sum[2](x, s % 2)"),
    "Attention": (("x: [b, n, 8], c: [n, 2], s: [n, 2]", "[b, n, 8]"), "Attention[8, 2](x, c, s)"),
    "MultiHeadAttention": (("x: [b, n, 8]", "[b, n, 8]"), "x |> MultiHeadAttention[8, 4]"),
    "Rope": (("x: [b, n, 4]", "[b, n, 4]"), "x |> Rope[4]"),
    "rope_angles": (("x: int[n]", "(c: [n, c'], s: [n, c'])"), "x |> rope_angles[4]"),
    "Alibi": (("x: [b, 3, q, k]", "[b, 3, q, k]"), "x |> Alibi[3]"),
    "SinusoidalPositions": (("x: [c]", "[n, d]"), "SinusoidalPositions[5, 4]"),
    "RNN": (SERIES, "x |> RNN[4, 5]"),
    "GRU": (SERIES, "x |> GRU[4, 5]"),
    "LSTM": (SERIES, "x |> LSTM[4, 5]"),
    "bidirectional": (SERIES, "x |> bidirectional[GRU[4, 5, ...]]"),
    "multilayer": (("x: [b, 3, 4]", "(y: [b, n, c'], h: [k, b, c'])"),
                   "x |> multilayer[GRU[d=4, last=true, ...], 4, 2, p=0.5, states=1]"),
    "S4D": (TOKENS, "x |> S4D[4, 6]"),
    "S5": (TOKENS, "x |> S5[4, 6]"),
    "Mamba": (TOKENS, "x |> Mamba[4, 2, 3]"),
    "S4DKernel": (("x: [c]", "(e: complex[d, m], w: complex[d, m], f: [d, n])"), "S4DKernel[4, 5, 6]"),
    "SpectralConv": (FIELD, "x |> SpectralConv[4, 3, [4, 4]]"),
    "ClassicSpectralConv": (FIELD, "x |> ClassicSpectralConv[4, 3, [2, 2]]"),
    "spectral_map": (("x: [b, 2, 6], w: [2, 3, 3, 2]", "[b, 3, 6]"), "spectral_map[1, [3]](x, w)"),
    "Smoother": (("f: [b, 2, 5, 5], u: [b, 3, 5, 5]", "[b, 3, 5, 5]"), "Smoother[2, 3](f, u)"),
    "with_grid": (FIELD, "x |> with_grid"),
    "FNOBlock": (FIELD, "x |> FNOBlock[4, [4, 4]]"),
    "ChannelMLP": (FIELD, "x |> ChannelMLP[4, 3, 2]"),
    "PointMap": (FIELD, "x |> PointMap[4, 2]"),
    "MultigridConv": (("x: [b, 1, 9, 9]", "[b, c', 9, 9]"), "x |> MultigridConv[1, 3, 9, [[1, 1], [1, 1], [1, 1]]]"),
    "MultiONet": (OPERATOR, "MultiONet[[5, 5]](u, points)"),
    "MultiDeepONet": (CASES["MultiDeepONet"][0], "MultiDeepONet[[5, 8], [7, 8], 2](u, points)"),
    "Widths": (LINE, "x |> Widths[[5, 6]]"),
    "AxisKernel": (("x: [b, 3, 5, 4]", "[b, h, m, n]"), "x |> AxisKernel[4, 2, 6, 0, 2, 8.0]"),
    "ConvNorm": (IMAGE, "x |> ConvNorm[4, 6, 3]"),
    "NearIdentity": (IMAGE, "x |> NearIdentity[4]"),
    "Compander": (LINE, "x |> Compander[1.0, 2.0]"),
    "LowRank": (("x: [4, 5]", "[4, 5]"), "x |> LowRank[2]"),
    "hadamard": (("x: [b, 4]", "[b, 4]"), "x |> hadamard[2]"),
    "CertifiedWeight": (("x: [3, 3]", "(w: [4, 3], a: [4, 4])"), "x |> CertifiedWeight[3, 4, 1.0]"),
    "toward_mean": (("x: [3, 4]", "[3, 4]"), "x |> toward_mean[0.3]"),
    "TopKRouter": (("x: [b, 4]", "(w: [b, k], c: int[b, k])"), "x |> TopKRouter[4, 5, 2]"),
    "IntervalEmbedding": (("x: int[b]", "(c: [b, c'], r: [b, c'])"), "x |> IntervalEmbedding[2, 8]"),
    "IntervalLinear": (("x: [b, n, 12]", "(c: [b, n, c'], r: [b, n, c'])"), "IntervalLinear[12, 5](x, abs(x))"),
    "interval_act": (("x: [b, n]", "(c: [b, n], r: [b, n])"), "interval_act[tanh](x, abs(x))"),
    "ExponentialIntensity": (("h: [b, 4], t: [b]", "(l: [b], i: [b])"), "ExponentialIntensity[4](h, exp(t))"),
    "LogNormalMixture": (("h: [b, 4], t: [b]", "(d: [b], s: [b])"), "LogNormalMixture[4, 3](h, exp(t))"),
    "RisingIntensity": (("h: [b, 4], t: [b]", "(d: [b], s: [b])"), "RisingIntensity[4, 5](h, exp(t))"),
    "RisingIntegral": (("h: [4], t: []", "[]"), "RisingIntegral[4, 5](t, h)"),
    "TimeMLP": (("t: [], x: [b, 4]", "[b, 4]"), "TimeMLP[[5, 6]](t, x)"),
    "coordinate_code": (LINE, "x |> coordinate_code[2]"),
    "Gates": (("x: [b, n, 6]", "(r: [b, n, k], p: [b, n, k])"), "x |> Gates[3, 1]"),
    "one_hot_column": (("x: [c]", "[n, 1]"), "one_hot_column[4, 1]"),
    "PosetPool": (IMAGE, "x |> PosetPool[diamond, kernel=[2, 2], stride=[2, 2]]"),
}  # fmt: skip


def declared(module: str) -> list[Block]:
    found = parse(stdlib.source(f"std.{module}"), module).file.declarations
    return [each for each in found if isinstance(each, Block)]


BLOCKS = {each.name: each for module in ALL for each in declared(module)}
HOMES = {each.name: module for module in ALL for each in declared(module)} | {"diamond": "posets"}
OTHERS = {
    "size": ("1", "2", "3", "4", "5", "6", "8"),
    "nat": ("0", "1", "2", "3"),
    "int": ("-1", "1", "2"),
    "float": ("0.15", "0.75", "1.5"),
    "bool": ("true", "false"),
    "block": ("tanh", "relu", "Linear[12, 8]", "Linear[4, 3]", "Linear[6, 6]", "GRU[d=5, ...]", "GRU[d=4, ...]",
              "LSTM[d=4, ...]", "BatchNorm", "InstanceNorm", "Conv[4, 6, 1]", "Compander[2.0, 1.0]", "TimeMLP[[3]]"),
    "axis": ("-1", "0"),
}  # fmt: skip


def kind(static: StaticDecl) -> str:
    """The kind of a static, of several the first one."""
    if static.type is not None:
        return "block"
    if static.kinds:
        return static.kinds[0]
    default = unparse(static.default) if static.default is not None else "1"
    if default in ("true", "false"):
        return "bool"
    if default.startswith(("[", '"')):
        return "list" if default[0] == "[" else "str"
    return "float" if "." in default or "/" in default else "nat" if default == "0" else "size"


def split(text: str) -> list[str]:
    """The parts between commas that stand in no brackets."""
    parts, depth = [""], 0
    for char in text:
        depth += (char in "[({") - (char in "])}")
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts if part.strip()]


@dataclass(frozen=True)
class Use:
    """A use of a block: the text before its brackets, what stands in them by name, and the text behind."""

    name: str
    head: str
    given: dict[str, str]
    tail: str

    @staticmethod
    def of(name: str) -> Use:
        """That of the table."""
        text = USES[name][1]
        found = re.search(rf"(?<![\w.]){name}(?!\w)", text)
        assert found, name
        head, rest, inner = text[: found.end()], text[found.end() :], ""
        if rest.startswith("["):
            end = list(accumulate((char == "[") - (char == "]") for char in rest)).index(0)
            inner, rest = rest[1:end], rest[end + 1 :]
        given: dict[str, str] = {}
        for static, part in zip(BLOCKS[name].statics, split(inner), strict=False):
            key = re.match(r"(\w+)=(?!=)", part)
            given[key[1] if key else static.name] = part[key.end() :] if key else part
        return Use(name, head, given, rest)

    def model(self) -> Model | None:
        """The model of the use; None where it is refused."""
        inner = ", ".join(f"{key}={value}" for key, value in self.given.items())
        expression = f"{self.head}[{inner}]{self.tail}" if inner else f"{self.head}{self.tail}"
        inputs, outputs = USES[self.name][0]
        text = f"block Net({inputs}) -> {outputs}:\n    return {expression}\nmodel M = Net\n"
        names = sorted(name for name in HOMES if re.search(rf"(?<![\w.]){name}(?!\w)", text))
        uses = "".join(f"use std.{HOMES[name]} ({name})\n" for name in names if name != "poset_pool")
        try:
            return ogive.source(uses + text).models["M"]
        except ArchError as error:
            self.__dict__["error"] = error
            return None


def others(static: StaticDecl, given: str | None) -> Iterator[tuple[str, list[str]]]:
    """What else may stand for a static: for a list, each of its entries is one thing."""
    if given is not None and given.startswith("["):
        value = ast.literal_eval(given)
        for path in entries(value):
            yield f"{static.name}{''.join(f'[{i}]' for i in path)}", [str(changed(value, path, n)) for n in range(8)]
    elif kind(static) in OTHERS:
        yield static.name, list(OTHERS[kind(static)])


def entries(value: Any) -> Iterator[tuple[int, ...]]:
    """The places of the numbers in lists of lists."""
    if not isinstance(value, list):
        yield ()
        return
    for i, item in enumerate(value):
        yield from ((i, *path) for path in entries(item))


def changed(value: Any, path: tuple[int, ...], number: int) -> Any:
    """The lists with another number at a place."""
    if not path:
        return number
    return [changed(item, path[1:], number) if i == path[0] else item for i, item in enumerate(value)]


def traced(model: Model) -> list[Any]:
    """All that can be seen of a model: conditions, weights, and outputs and states while training and in use."""
    torch.manual_seed(0)
    net = model.torch()
    with torch.no_grad():
        for tensor in net.state_dict().values():
            if tensor.is_floating_point() and not tensor.count_nonzero():
                tensor.add_(0.1 * torch.rand_like(tensor))
    seen: list[Any] = [model.signature, model.conditions, *model.weights.items(), *net.state_dict().values()]
    sizes = Sizes(*bound_sizes(model.ir, Settings()))
    at = sizes_of(model, sizes)
    for training in (True, False):
        generator = torch.Generator().manual_seed(0)
        xs = inputs(model.ir, sizes, at, "centred", generator)
        torch.manual_seed(1)
        with torch.no_grad():
            made = net.train(training)(*xs)
        seen += [made] if isinstance(made, Tensor) else list(made)
        if hasattr(net, "after_step"):
            net.after_step()  # type: ignore[operator]
        seen += [tensor.clone() for tensor in net.state_dict().values()]
    return seen


def sizes_of(model: Model, sizes: Sizes) -> dict[Unknown, int]:
    """Sizes that are not small, where the conditions allow it: a window of one place hides what windows do."""
    unknowns = {unknown for value in sizes.unknowns.values() for unknown in value.unknowns}
    known = {unknown: size(8 if unknown.name != "b" else 3) for unknown in unknowns}
    conditions = [c.subs(sizes.unknowns) for c in (*model.ir.definition.conditions, *model.ir.conditions)]
    if all(condition.subs(known) == TRUE for condition in conditions):
        return {unknown: value.number for unknown, value in known.items()}
    return choices(model.ir, sizes, 1)[0]


def alike(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(map(_same, a, b))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))
    return type(a) is type(b) and bool(a == b)


def sampled(names: list[str]) -> list[Any]:
    """A part of them always, all of them among the slow tests."""
    return [name if i % 15 == 0 else pytest.param(name, marks=pytest.mark.slow) for i, name in enumerate(names)]


@pytest.mark.parametrize("name", sampled([name for name, block in BLOCKS.items() if block.statics]))
def test_every_static_has_an_effect(name: str) -> None:
    use = Use.of(name)
    base = use.model()
    assert base is not None, use.__dict__.get("error")
    seen = traced(base)
    for static in BLOCKS[name].statics:
        for what, texts in others(static, use.given.get(static.name)):
            models = (replace(use, given={**use.given, static.name: text}).model() for text in texts)
            idle = 0
            for model in models:
                if model is not None:
                    idle += 1
                    if not alike(seen, traced(model)):
                        break
            else:
                assert idle < 2, f"`{what}` of {name} has no effect"  # where one value alone is accepted, it has


@pytest.mark.parametrize(
    "name", [name for name, block in BLOCKS.items() if any(kind(s) == "str" for s in block.statics)]
)
def test_a_word_that_means_nothing_is_refused(name: str) -> None:
    use = Use.of(name)
    for static in BLOCKS[name].statics:
        if "str" in (kind(static), *static.kinds):
            assert replace(use, given={**use.given, static.name: '"nonsense"'}).model() is None, static.name
