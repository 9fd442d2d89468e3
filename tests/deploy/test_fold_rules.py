"""Each rule of folding by itself: what becomes of it, and that the values stay, at borders too."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from deploy.folding import folded, image, model

IMAGE = "(x: [b, 4, h, w]) -> [b, c', h', w']"
TOKENS = "(x: [b, n, 6]) -> [b, n, d]"
PATCHES = "(x: [b, 2, 5, 4]) -> [b, d]"
ROWS = "(x: [n, 6]) -> [n, d]"
GRIDS = "(x: [b, n, m, 6]) -> [b, n, m, d]"
TURNED = "(x: [b, n, 6]) -> [b, d, n]"
POOLED = "(x: [b, 4, h, w]) -> [b, d]"

SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    IMAGE: ((2, 4, 9, 9), (1, 4, 8, 13), (3, 4, 5, 6)),
    TOKENS: ((2, 3, 6), (1, 1, 6)),
    ROWS: ((5, 6), (1, 6)),
    PATCHES: ((2, 2, 5, 4),),
    TURNED: ((2, 3, 6),),
    POOLED: ((2, 4, 5, 6),),
    GRIDS: ((2, 3, 4, 6), (1, 2, 1, 6)),
}

# name, types, body, what is left
CASES = [
    ("conv, bn", IMAGE, "return x |> Conv[4, 6, 3, pad=1] |> BatchNorm", {"conv": 1}),
    ("conv, bn, no bias, even kernel", IMAGE, "return x |> Conv[4, 6, 2, bias=false] |> BatchNorm", {"conv": 1}),
    ("conv, bn, groups", IMAGE, "return x |> Conv[4, 6, 3, stride=2, dilation=2, groups=2] |> BatchNorm", {"conv": 1}),
    ("conv, bn, replicate", IMAGE, 'return x |> Conv[4, 6, 3, pad=1, pad_mode="replicate"] |> BatchNorm', {"conv": 1}),
    ("conv, bn, same", IMAGE, 'return x |> Conv[4, 6, 3, pad="same"] |> BatchNorm', {"conv": 1}),
    ("conv, bn, same, even kernel", IMAGE, 'return x |> Conv[4, 6, 4, pad="same"] |> BatchNorm', {"conv": 1}),
    ("conv, bn, same, two even kernels and a dilation", IMAGE,
     'return x |> Conv[4, 6, [2, 4], pad="same", dilation=[3, 1]] |> BatchNorm', {"conv": 1}),
    ("parallel, same, even kernel, replicate", IMAGE,
     'return (x |> Conv[4, 4, 4, pad="same", pad_mode="replicate"] |> BatchNorm) + (x |> Conv[4, 4, 1]) + x',
     {"conv": 1}),
    ("padded as `same` by hand", IMAGE, "return x |> pad[2, 0, 1] |> pad[3, 0, 1] |> Conv[4, 4, 2] |> BatchNorm",
     {"conv": 1}),
    ("conv, bn, bn", IMAGE, "return x |> Conv[4, 6, 3, pad=1] |> BatchNorm |> BatchNorm", {"conv": 1}),
    ("transposed, bn", IMAGE, "return x |> ConvTranspose[4, 6, 3, stride=2] |> BatchNorm", {"conv_transpose": 1}),
    ("transposed, bn, groups", IMAGE, "return x |> ConvTranspose[4, 6, 2, stride=2, groups=2] |> BatchNorm",
     {"conv_transpose": 1}),
    ("transposed, bn, depthwise", IMAGE, "return x |> ConvTranspose[4, 4, 2, stride=2, groups=4] |> BatchNorm",
     {"conv_transpose": 1}),
    ("linear, bn", ROWS, "return x |> Linear[6, 5] |> BatchNorm", {"linear": 1}),
    ("bn, linear", ROWS, "return x |> BatchNorm |> Linear[6, 5]", {"linear": 1}),
    ("bn, conv, no padding", IMAGE, "return x |> BatchNorm |> Conv[4, 6, 3]", {"conv": 1}),
    ("bn, conv, circular", IMAGE, 'return x |> BatchNorm |> Conv[4, 6, 3, pad=1, pad_mode="circular"]', {"conv": 1}),
    ("bn, conv, groups", IMAGE, "return x |> BatchNorm |> Conv[4, 6, 3, groups=2, stride=2]", {"conv": 1}),
    ("bn, conv, zero padding stays", IMAGE, "return x |> BatchNorm |> Conv[4, 6, 3, pad=1]",
     {"batch_norm": 1, "conv": 1}),
    ("parallel", IMAGE, "return (x |> Conv[4, 6, 3, pad=1]) + (x |> Conv[4, 6, 1])", {"conv": 1}),
    ("parallel, subtracted", IMAGE, "return (x |> Conv[4, 6, 3, pad=1]) - (x |> Conv[4, 6, 1])", {"conv": 1}),
    ("parallel, stride", IMAGE,
     "return (x |> Conv[4, 6, 5, stride=2, pad=2]) + (x |> Conv[4, 6, 1, stride=2])", {"conv": 1}),
    ("parallel, asymmetric kernels", IMAGE,
     "return (x |> Conv[4, 6, [3, 1], pad=[1, 0]]) + (x |> Conv[4, 6, [1, 3], pad=[0, 1]]) "
     "+ (x |> Conv[4, 6, 3, pad=1])", {"conv": 1}),
    ("parallel, dilation", IMAGE,
     "return (x |> Conv[4, 6, 3, pad=2, dilation=2]) + (x |> Conv[4, 6, 1])", {"conv": 1}),
    ("parallel, two dilations stay", IMAGE,
     "return (x |> Conv[4, 6, 3, pad=2, dilation=2]) + (x |> Conv[4, 6, 3, pad=1])", {"conv": 2, "add": 1}),
    ("parallel, groups", IMAGE,
     "return (x |> Conv[4, 4, 3, pad=1, groups=2]) + (x |> Conv[4, 4, 1, groups=2])", {"conv": 1}),
    ("parallel, depthwise and dense stay", IMAGE,
     "return (x |> Conv[4, 4, 7, pad=3, groups=4]) + (x |> Conv[4, 4, 1])", {"conv": 2, "add": 1}),
    ("identity", IMAGE, "return x + (x |> Conv[4, 4, 3, pad=1])", {"conv": 1}),
    ("identity, groups", IMAGE, "return x + (x |> Conv[4, 4, 3, pad=1, groups=2])", {"conv": 1}),
    ("identity, depthwise", IMAGE, "return x + (x |> Conv[4, 4, 3, pad=1, groups=4])", {"conv": 1}),
    ("1x1, average costs more", IMAGE, "return x |> Conv[4, 6, 1] |> avg_pool[3, stride=2]",
     {"conv": 1, "avg_pool": 1}),
    ("average after a map, beside another", IMAGE,
     "return (x |> Conv[4, 6, 1] |> avg_pool[3, stride=2]) + (x |> Conv[4, 6, 3, stride=2])", {"conv": 1}),
    ("average and 1x1, summed", IMAGE,
     "return (x |> avg_pool[3, stride=1, pad=1]) + (x |> Conv[4, 4, 3, pad=1])", {"conv": 1}),
    ("average that does not count padding stays", IMAGE,
     "return (x |> avg_pool[3, stride=1, pad=1, count_include_pad=false]) + (x |> Conv[4, 4, 3, pad=1])",
     {"avg_pool": 1, "conv": 1, "add": 1}),
    ("1x1, kxk", IMAGE, "return x |> Conv[4, 6, 1] |> Conv[6, 5, 3]", {"conv": 1}),
    ("1x1, kxk, no bias, padded", IMAGE, "return x |> Conv[4, 6, 1, bias=false] |> Conv[6, 5, 3, pad=1]", {"conv": 1}),
    ("1x1, kxk, bias, padded stays", IMAGE, "return x |> Conv[4, 6, 1] |> Conv[6, 5, 3, pad=1]", {"conv": 2}),
    ("kxk, 1x1", IMAGE, "return x |> Conv[4, 6, 3, pad=1, stride=2] |> Conv[6, 4, 1]", {"conv": 1}),
    ("kxk, 1x1, groups", IMAGE, "return x |> Conv[4, 8, 3, groups=2] |> Conv[8, 4, 1, groups=2]", {"conv": 1}),
    ("kxk, kxk", IMAGE, "return x |> Conv[4, 8, 3, pad=1] |> Conv[8, 8, 3]", {"conv": 1}),
    ("kxk, kxk costs more", IMAGE, "return x |> Conv[4, 4, 3, pad=1] |> Conv[4, 8, 3]", {"conv": 2}),
    ("a kernel with holes, kxk", IMAGE,
     "return x |> Conv[4, 8, [2, 1], dilation=[2, 1]] |> Conv[8, 8, [2, 1], bias=false]", {"conv": 1}),
    ("kxk, a kernel with holes", IMAGE,
     "return x |> Conv[4, 8, [1, 2]] |> Conv[8, 8, [1, 2], dilation=[1, 2]]", {"conv": 1}),
    ("depthwise, depthwise", IMAGE,
     "return x |> Conv[4, 4, [3, 1], groups=4] |> Conv[4, 4, [1, 3], groups=4]", {"conv": 2}),
    ("depthwise, pointwise costs more", IMAGE,
     "return x |> Conv[4, 4, 3, pad=1, groups=4] |> Conv[4, 8, 1]", {"conv": 2}),
    ("linear, linear", TOKENS, "return x |> Linear[6, 12] |> Linear[12, 4]", {"linear": 1}),
    ("low rank stays", TOKENS, "return x |> Linear[6, 2, bias=false] |> Linear[2, 6]", {"linear": 2}),
    ("low rank beside a dense map", TOKENS,
     "return (x |> Linear[6, 6]) + 0.5 * (x |> Linear[6, 2, bias=false] |> Linear[2, 6, bias=false])", {"linear": 1}),
    ("layer scale", TOKENS, "return x |> Linear[6, 6] |> LayerScale", {"linear": 1}),
    ("layer scale, residual", TOKENS, "return x + (x |> relu |> Linear[6, 6] |> LayerScale)",
     {"relu": 1, "linear": 1, "add": 1}),
    ("constant factors", TOKENS, "return (2 * (x |> Linear[6, 6]) + 1) / 3", {"linear": 1}),
    ("constant factors of tokens in a grid", GRIDS, "return (2 * (x |> Linear[6, 6]) + 1) / 3", {"linear": 1}),
    ("a learned factor of tokens in a grid", GRIDS, "param g: [] = ones\nreturn g * (x |> Linear[6, 4])",
     {"linear": 1}),
    ("a vector's factors of tokens in a grid", GRIDS, "param g: [4] = ones\nreturn g * (x |> Linear[6, 4]) - g",
     {"linear": 1}),
    ("constant factors before a map", IMAGE, "return (2 * x + 1) |> Conv[4, 6, 3]", {"conv": 1}),
    ("factors of channels before a map", IMAGE, "param g: [4, 1, 1] = ones\nreturn (g * x - g) |> Conv[4, 6, 3]",
     {"conv": 1}),
    ("a learned factor for all", IMAGE, "param g: [] = ones\nreturn x + g * (x |> Conv[4, 4, 3, pad=1])", {"conv": 1}),
    ("by a learned number, less another", TOKENS,
     "param g: [] = constant[2.0]\nparam s: [1] = ones\nreturn (x |> Linear[6, 4]) / g - s", {"linear": 1}),
    ("taken from a number and from a vector", IMAGE,
     "param g: [4, 1, 1] = ones\nreturn g - (1.5 - (x |> Conv[4, 4, 3, pad=1]))", {"conv": 1}),
    ("one channel", IMAGE, "param g: [1, 1, 1] = ones\nreturn (x |> Conv[4, 1, 3, pad=1]) * g + g", {"conv": 1}),
    ("scale of channels", IMAGE,
     "param gamma: [4] = ones\nreturn einsum[\"b c h w, c -> b c h w\"](x |> Conv[4, 4, 3], gamma)", {"conv": 1}),
    ("repmixer", IMAGE,
     "y = (x |> Conv[4, 4, 3, pad=1, groups=4, bias=false] |> BatchNorm) - (x |> BatchNorm)\n"
     "param gamma: [4] = ones\nreturn x + einsum[\"b c h w, c -> b c h w\"](y, gamma)", {"conv": 1}),
    ("layer norm, linear", TOKENS, "return x |> LayerNorm |> Linear[6, 4]", {"layer_norm": 1, "linear": 1}),
    ("rms norm, linears", TOKENS,
     "y = x |> RMSNorm\nreturn (y |> Linear[6, 4, bias=false]) * (y |> Linear[6, 4])",
     {"rms_norm": 1, "linear": 2, "mul": 1}),
    ("layer norm, two readers", TOKENS, "y = x |> LayerNorm\nreturn y + (y |> Linear[6, 6])",
     {"layer_norm": 1, "linear": 1}),
    ("conv beside a map of the whole image", PATCHES,
     "flat = x |> rearrange[\"b c h w -> b (c h w)\"]\n"
     "y = x |> Conv[2, 3, 3, pad=1] |> BatchNorm |> rearrange[\"b c h w -> b (c h w)\"]\n"
     "return y + (flat |> Linear[40, 60])", {"rearrange": 1, "linear": 1}),
    ("conv beside a map of the whole image, padded unevenly", PATCHES,
     "flat = x |> rearrange[\"b c h w -> b (c h w)\"]\n"
     "y = x |> Conv[2, 3, [2, 4], pad=\"same\"] |> rearrange[\"b c h w -> b (c h w)\"]\n"
     "return y + (flat |> Linear[40, 60])", {"rearrange": 1, "linear": 1}),
    ("conv beside a map of the whole image, with strides, holes and groups", PATCHES,
     "flat = x |> rearrange[\"b c h w -> b (c h w)\"]\n"
     "y = x |> pad[2, 0, 2] |> Conv[2, 4, 2, stride=[2, 1], dilation=[3, 2], groups=2]"
     " |> rearrange[\"b c h w -> b (c h w)\"]\n"
     "return y + (flat |> Linear[40, 16])", {"rearrange": 1, "linear": 1}),
    ("a loop of no iterations", IMAGE,
     "repeat 0 as h:\n    x = relu(x |> Conv[4, 4, 3, pad=1] |> BatchNorm)\nreturn x |> Conv[4, 6, 1] |> BatchNorm",
     {"conv": 1}),
    ("a loop of no iterations in one of some", IMAGE,
     "repeat 2 as h:\n    repeat 0 as inner:\n        x = x |> Conv[4, 4, 3, pad=1] |> BatchNorm\n"
     "    x = relu(x |> Conv[4, 4, 1] |> BatchNorm)\nreturn x", {"repeat": 1, "conv": 1, "relu": 1}),
    ("dropout", TOKENS, "return x |> Linear[6, 6] |> Dropout[0.5] |> Linear[6, 6]", {"linear": 1}),
    ("two maps laid together, bn", IMAGE,
     "return concat[1](x |> Conv[4, 6, 3, pad=1], x |> Conv[4, 2, 1, bias=false, pad=0]) |> BatchNorm",
     {"conv": 2, "concat": 1}),
    ("laid together beside what is no map, bn stays", IMAGE, "return concat[1](x |> Conv[4, 6, 1], x) |> BatchNorm",
     {"conv": 1, "concat": 1, "batch_norm": 1}),
    ("laid together along a row, bn", IMAGE,
     "return concat[3](x |> Conv[4, 6, 3, pad=1], x |> Conv[4, 6, 1]) |> BatchNorm", {"conv": 2, "concat": 1}),
    ("upsampled, bn", IMAGE, 'return x |> Conv[4, 6, 3, pad=1] |> interpolate[2, mode="bilinear"] |> BatchNorm',
     {"conv": 1, "interpolate": 1}),
    ("read twice before it is upsampled, bn stays", IMAGE,
     "y = x |> Conv[4, 6, 3, pad=1]\nreturn (y |> interpolate[2] |> BatchNorm) + (y |> interpolate[2])",
     {"conv": 1, "interpolate": 1, "batch_norm": 1, "add": 1}),
    ("padded average of what is there, bn", IMAGE,
     "return x |> Conv[4, 6, 3, pad=1] |> avg_pool[3, stride=2, pad=1, count_include_pad=false] |> BatchNorm",
     {"conv": 1, "avg_pool": 1}),
    ("average up to the end, bn", IMAGE,
     "return x |> Conv[4, 6, 3, pad=1] |> avg_pool[3, stride=2, ceil=true] |> BatchNorm", {"conv": 1, "avg_pool": 1}),
    ("maximum, bn stays", IMAGE, "return x |> Conv[4, 6, 3, pad=1] |> max_pool[2] |> BatchNorm",
     {"conv": 1, "max_pool": 1, "batch_norm": 1}),
    ("pixels shuffled, bn", IMAGE,
     'return x |> Conv[4, 8, 3, pad=1] |> rearrange["b (c p q) h w -> b c (h p) (w q)", p=2, q=2] |> BatchNorm',
     {"conv": 1, "rearrange": 1}),
    ("transposed tokens, bn", TURNED, 'return x |> Linear[6, 5] |> rearrange["b n c -> b c n"] |> BatchNorm',
     {"linear": 1, "rearrange": 1}),
    ("mean of all places, bn", POOLED,
     'return x |> Conv[4, 6, 3, pad=1] |> reduce["b c h w -> b c", mean] |> BatchNorm', {"conv": 1, "reduce": 1}),
    ("a window of one entry, whose dilation means nothing", IMAGE,
     "return (x |> Conv[4, 6, 1, dilation=2]) + (x |> Conv[4, 6, 3, pad=1])", {"conv": 1}),
    ("group norm, conv with borders of zeros", IMAGE, "return x |> GroupNorm[2, 4] |> Conv[4, 6, 3, pad=1]",
     {"group_norm": 1, "conv": 1}),
    ("group norm, conv and another reader", IMAGE,
     "y = x |> GroupNorm[2, 4]\nreturn (y |> Conv[4, 4, 3]) + sum(relu(y))",
     {"group_norm": 1, "conv": 1, "relu": 1, "sum": 1, "add": 1}),
    ("group norm, conv", IMAGE, "return x |> GroupNorm[2, 4] |> Conv[4, 6, 3]", {"group_norm": 1, "conv": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("types", "body", "left"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_rule_keeps_the_values(types: str, body: str, left: dict[str, int]) -> None:
    found = folded(model(body, types))
    for shape in SHAPES[types]:
        assert found.error(image(*shape)) < 1e-12
    assert found.ops == Counter(left), [str(note) for note in found.passed.notes]


def test_notes_say_where_and_why() -> None:
    """The norm that stays by its path; what is too large, and what others read, by different words."""
    kept = folded(model("x = x |> BatchNorm as bn\nreturn x |> Conv[4, 6, 3, pad=1] as c", IMAGE))
    assert [note.path for note in kept.passed.notes if not note.done] == ["c.weight"]
    alone = folded(model("x = relu(x) |> BatchNorm as bn\nreturn relu(x) |> Conv[4, 6, 3] as c", IMAGE))
    assert [note.path for note in alone.passed.notes if not note.done] == ["bn.weight"]
    wide = folded(model("return x |> Linear[6, 2] as a |> Linear[2, 6] as b", TOKENS))
    assert [note.text for note in wide.passed.notes if "larger" in note.text]
    assert not [note.text for note in wide.passed.notes if "other users" in note.text]
    body = "f = Linear[6, 6]\nreturn (x |> f |> Linear[6, 6] as b) + (relu(x |> f))"
    shared = folded(model(body, TOKENS))
    assert shared.ops["linear"] >= 2


# name, types, body: a constant part meets zero padding
BORDERS = [
    ("bn, conv", "return x |> BatchNorm |> Conv[4, 6, 3, pad=1]"),
    ("bn, conv, groups, stride", "return x |> BatchNorm |> Conv[4, 6, 3, stride=2, pad=1, groups=2]"),
    ("bn, conv, dilation", "return x |> BatchNorm |> Conv[4, 6, 3, pad=[2, 3], dilation=[2, 3], bias=false]"),
    ("1x1, kxk", "return x |> Conv[4, 4, 1] |> Conv[4, 6, [3, 5], pad=[1, 2]]"),
    ("bn, 1x1, bn, kxk, bn",
     "return x |> BatchNorm |> Conv[4, 4, 1] |> BatchNorm |> Conv[4, 6, 3, pad=1] |> BatchNorm"),
    ("beside another", "return (x |> BatchNorm |> Conv[4, 6, 3, pad=1]) + (x |> Conv[4, 6, 5, pad=2]) + 1"),
    ("kxk, 1x1", "return x |> BatchNorm |> Conv[4, 6, 3, pad=1] |> Conv[6, 5, 1]"),
    ("padded unevenly", "y = x |> BatchNorm |> pad[axis=2, before=2, after=1] |> pad[axis=3, before=0, after=2]\n"
                        "return y |> Conv[4, 6, 3]"),
    ("larger than the image", "return x |> BatchNorm |> Conv[4, 6, 9, pad=4]"),
]  # fmt: skip


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("body", [case[1] for case in BORDERS], ids=[case[0] for case in BORDERS])
def test_borders_are_as_exact_as_the_inside(body: str, fixed: bool) -> None:
    """At sizes that are open by a convolution of ones, at sizes that are known by a map that is stored."""
    for shape in ((2, 4, 7, 10), (1, 4, 3, 8), (3, 4, 5, 2)):
        h, w = shape[2:]
        found = folded(model(body, f"(x: [b, 4, {h}, {w}]) -> [b, c', h', w']" if fixed else IMAGE), borders=True)
        assert found.ops["batch_norm"] == 0
        assert found.ops["ones"] == int(not fixed)
        assert found.ops["conv"] == 2 - int(fixed)
        x = image(*shape)
        with torch.no_grad():
            wanted, made = found.source(x), found.result(x)
        assert made.shape == wanted.shape
        inside = torch.zeros(wanted.shape, dtype=torch.bool)
        inside[:, :, 1:-1, 1:-1] = True
        scale = wanted.abs().max()
        for part in (inside, ~inside):
            gap = (made - wanted)[part].abs()
            assert not gap.numel() or float(gap.max() / scale) < 1e-12


def test_a_border_on_request_does_not_merge_what_costs_more() -> None:
    body = "return x |> BatchNorm |> Conv[4, 1, 1] |> Conv[1, 6, 3, pad=1]"
    found = folded(model(body, IMAGE), borders=True)
    assert found.ops == Counter({"conv": 2})
    assert found.error(image(2, 4, 5, 7)) < 1e-12


def test_a_border_is_stored_where_that_saves_arithmetic_and_space() -> None:
    body = "return x |> BatchNorm |> Conv[4, 4, 1] |> Conv[4, 2, 3, pad=1]"
    fixed = "(x: [b, 4, 2, 3]) -> [b, c', h', w']"
    found = folded(model(body, fixed))
    assert found.ops == Counter({"conv": 1, "add": 1})
    assert found.error(image(3, 4, 2, 3)) < 1e-12
    assert folded(model(body, IMAGE)).ops == Counter({"conv": 2})
