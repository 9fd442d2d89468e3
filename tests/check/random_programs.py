"""Random programs over `[b, c, n]`, each line beside what torch does; every value is an output: every size is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor

Draw = Callable[[st.SearchStrategy[int]], int]
Function = Callable[[list[Tensor]], Tensor]


@dataclass(frozen=True)
class Line:
    """One line of a body: its text, the channels of its value, and the value in torch."""

    text: str
    channels: int
    run: Function


@dataclass(frozen=True)
class RandomProgram:
    """`Net`, whose inputs `x` and `y` are `[b, c, h]` and `[b, c, k]`, and whose outputs are all its values."""

    channels: int
    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """The program."""
        outputs = ", ".join(f"o{i}: [b, {line.channels}, n{i}]" for i, line in enumerate(self.lines))
        body = "".join(f"    v{i} = {line.text}\n" for i, line in enumerate(self.lines))
        values = ", ".join(f"v{i}" for i in range(len(self.lines)))
        c = self.channels
        return (
            "use std.nn (BatchNorm, GroupNorm, Linear)\nuse std.vision (Conv, ConvTranspose)\n\n"
            'block Merge[c](x: [b, c, 2 * n]) -> [b, c, n]:\n    a, d = x |> split["b c (t n) -> t b c n", t=2]\n'
            "    return a + d\n\n"
            f"block Net(x: [b, {c}, h], y: [b, {c}, k]) -> ({outputs}):\n{body}    return {values}\n\nmodel M = Net\n"
        )

    def run(self, b: int, h: int, k: int) -> list[tuple[int, ...]]:
        """The shapes that torch computes. Raises where torch, asked strictly, refuses."""
        values = [torch.zeros(b, self.channels, h), torch.zeros(b, self.channels, k)]
        for line in self.lines:
            values.append(line.run(values))
            assert min(values[-1].shape) >= 1
        return [tuple(value.shape) for value in values[2:]]


@st.composite
def programs(draw: st.DrawFn) -> RandomProgram:
    """Programs of one to six lines."""
    channels = draw(st.sampled_from([2, 4, 6]))
    known = [channels, channels]
    lines: list[Line] = []
    for number in range(draw(st.integers(1, 6))):
        source = draw(st.integers(0, len(known) - 1))
        name = _name(source)
        unary = draw(st.integers(0, 3)) > 0
        others = [i for i, c in enumerate(known) if c == known[source]]
        if unary:
            make = draw(st.sampled_from(UNARY))
            line = make(draw, name, source, known[source], number)
        else:
            line = draw(st.sampled_from(BINARY))(name, source, draw(st.sampled_from(others)), known[source])
        lines.append(line)
        known.append(line.channels)
    return RandomProgram(channels, tuple(lines))


def _name(index: int) -> str:
    return ("x", "y")[index] if index < 2 else f"v{index - 2}"


# --- one value --------------------------------------------------------------------------------------------------------


def _conv(draw: st.DrawFn, x: str, i: int, c: int, number: int) -> Line:
    kernel, stride, pad = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(0, 2))
    cout, dilation = draw(st.sampled_from([2, 4])), draw(st.integers(1, 2))
    text = f"{x} |> Conv[{c}, {cout}, {kernel}, stride={stride}, pad={pad}, dilation={dilation}] as conv{number}"
    weight = torch.zeros(cout, c, kernel)
    return Line(text, cout, lambda v: F.conv1d(v[i], weight, None, stride, pad, dilation))


def _conv_transpose(draw: st.DrawFn, x: str, i: int, c: int, number: int) -> Line:
    kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    text = f"{x} |> ConvTranspose[{c}, {c}, {kernel}, stride={stride}] as up{number}"
    weight = torch.zeros(c, c, kernel)
    return Line(text, c, lambda v: F.conv_transpose1d(v[i], weight, None, stride))


def _pool(draw: st.DrawFn, x: str, i: int, c: int, number: int) -> Line:
    kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    pad = draw(st.integers(0, kernel // 2))
    if draw(st.booleans()):
        text = f'{x} |> rearrange["b c n -> b c 1 n"] |> max_pool[[1, {kernel}], stride=[1, {stride}], pad=[0, {pad}]]'
        text += ' |> rearrange["b c 1 n -> b c n"]'
        return Line(text, c, lambda v: F.max_pool1d(v[i], kernel, stride, pad))
    return Line(f"{x} |> avg_pool[{kernel}, stride={stride}, pad={pad}]", c,
                lambda v: F.avg_pool1d(v[i], kernel, stride, pad))  # fmt: skip


def _slice(draw: st.DrawFn, x: str, i: int, c: int, number: int) -> Line:
    start, drop, step = draw(st.integers(0, 3)), draw(st.integers(0, 3)), draw(st.integers(1, 3))
    stop = "" if drop == 0 else f"-{drop}"
    text = f"{x}[:, :, {start or ''}:{stop}{f':{step}' if step > 1 else ''}]"

    def run(v: list[Tensor]) -> Tensor:
        assert start + drop <= v[i].shape[-1]
        return v[i][:, :, start : v[i].shape[-1] - drop : step]

    return Line(text, c, run)


def _split(draw: st.DrawFn, x: str, i: int, c: int, number: int) -> Line:
    parts = draw(st.sampled_from([2, 3]))
    text = f'{x} |> rearrange["b c (n p) -> b (c p) n", p={parts}] |> Conv[{parts * c}, {c}, 1] as mix{number}'
    return Line(text, c, lambda v: v[i].reshape(*v[i].shape[:2], -1, parts)[..., 0])


def _join(draw: st.DrawFn, x: str, i: int, c: int, number: int) -> Line:
    return Line(f"{x} |> rearrange[\"b (c p) n -> b c (n p)\", p=2] |> Conv[{c // 2}, {c}, 1] as wide{number}", c,
                lambda v: torch.cat([v[i], v[i]], -1))  # fmt: skip


def _pad(draw: st.DrawFn, x: str, i: int, c: int, number: int) -> Line:
    before, after = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    return Line(f"pad[-1, {before}, {after}]({x})", c, lambda v: F.pad(v[i], (before, after)))


def _merge(draw: st.DrawFn, x: str, i: int, c: int, number: int) -> Line:
    return Line(f"Merge({x})", c, lambda v: v[i].reshape(*v[i].shape[:2], 2, -1).sum(2))


def _plain(draw: st.DrawFn, x: str, i: int, c: int, number: int) -> Line:
    turned = f'{x} |> rearrange["b c n -> b n c"] |> Linear[{c}, {c}] as lin{number}'
    forms = (
        f"gelu({x}) * 2",
        f"{x} |> BatchNorm[{c}] as norm{number}",
        f"{x} |> GroupNorm[2, {c}] as group{number}",
        f"softmax[-1]({x}) + {x}",
        f'{turned} |> rearrange["b n c -> b c n"]',
        f"flip[-1]({x})",
        f'{x} - mean[-1]({x} |> rearrange["b c n -> b c n 1"])',
    )
    return Line(draw(st.sampled_from(forms)), c, lambda v: v[i] * 1)


def _grow(draw: st.DrawFn, x: str, i: int, c: int, number: int) -> Line:
    return Line(f"concat[2]({x}, {x})", c, lambda v: torch.cat([v[i], v[i]], 2))


UNARY = (_conv, _conv, _conv_transpose, _pool, _slice, _split, _join, _pad, _merge, _plain, _plain, _grow)

# --- two values -------------------------------------------------------------------------------------------------------


def _add(x: str, i: int, j: int, c: int) -> Line:
    def run(v: list[Tensor]) -> Tensor:
        assert v[i].shape == v[j].shape  # torch would let a size of 1 broadcast
        return v[i] + v[j]

    return Line(f"{x} + {_name(j)}", c, run)


def _concat(x: str, i: int, j: int, c: int) -> Line:
    return Line(f"concat[-1]({x}, {_name(j)})", c, lambda v: torch.cat([v[i], v[j]], -1))


def _stack(x: str, i: int, j: int, c: int) -> Line:
    return Line(f"concat[1]({x}, {_name(j)})", 2 * c, lambda v: torch.cat([v[i], v[j]], 1))


def _attend(x: str, i: int, j: int, c: int) -> Line:
    text = f'einsum["b c n, b c m -> b n m"]({x}, {_name(j)}) @ rearrange["b c m -> b m c"]({_name(j)})'
    return Line(f'rearrange["b n c -> b c n"]({text})', c, lambda v: v[i] * 1)


BINARY = (_add, _add, _concat, _stack, _attend)
