"""Forms that are written as others: diagonals in `einsum`, `keepdim`, `split` by sizes, padding as of TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import ogive
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.external_data import arrays
from ogive.backends.onnx_model.serialize.write import whole
from ogive.compiler.driver.workspace import check_text
from onnx_model.harness import session


def built(text: str) -> Callable[..., list[Tensor]]:
    """The model in torch; ONNX Runtime gives the same, whatever the sizes."""
    model = ogive.source(f"{text}\nmodel M = F\n").models["M"]
    net = model.torch().eval()
    runtime = session(whole(exported(model.ir, arrays(net), Settings())))

    def run(*given: Tensor) -> list[Tensor]:
        found = net(*given)
        results = [found] if isinstance(found, Tensor) else list(found)
        feeds = {value.name: x.numpy() for value, x in zip(runtime.get_inputs(), given, strict=True)}
        for y, z in zip(results, runtime.run(None, feeds), strict=True):
            np.testing.assert_allclose(y.detach().numpy(), z, rtol=1e-5, atol=1e-5)
        return results

    return run


def both(text: str, *given: Tensor) -> list[Tensor]:
    """The results of one run."""
    return built(text)(*given)


def random(*shape: int) -> Tensor:
    return torch.randn(shape)


# the pattern as here and as torch has it, types of the operands, and of the result
DIAGONALS = [
    ("b i i -> b", "bii->b", ["b, i, i"], "b"),
    ("i i -> i", "ii->i", ["i, i"], "i"),
    ("i b i -> b i", "ibi->bi", ["i, b, i"], "b, i"),
    ("i i i -> i", "iii->i", ["i, i, i"], "i"),
    ("i j i j -> j i", "ijij->ji", ["i, j, i, j"], "j, i"),
    ("b i i, b j -> j i", "bii,bj->ji", ["b, i, i", "b, j"], "j, i"),
    ("a b, b i b -> a i", "ab,bib->ai", ["a, b", "b, i, b"], "a, i"),
    ("i ... i -> ...", "i...i->...", ["i, *s, i"], "*s"),
    ("*s i i, i -> *s", "...ii,i->...", ["*s, i, i", "i"], "*s"),
]
SIZES = {"a": 2, "b": 3, "i": 4, "j": 5, "*s": 2}


@pytest.mark.parametrize(("pattern", "peer", "types", "result"), DIAGONALS)
def test_a_label_twice_is_a_diagonal(pattern: str, peer: str, types: Sequence[str], result: str) -> None:
    torch.manual_seed(0)
    names = "xy"[: len(types)]
    head = ", ".join(f"{name}: [{type}]" for name, type in zip(names, types, strict=True))
    given = [random(*(SIZES[each] for each in type.split(", "))) for type in types]
    text = f'block F({head}) -> [{result}]:\n    return einsum["{pattern}"]({", ".join(names)})\n'
    if "*" in text:
        net = ogive.source(f"{text}model M = F\n").models["M"].torch()
        torch.testing.assert_close(net(*given), torch.einsum(peer, *given))
        return
    (found,) = both(text, *given)
    torch.testing.assert_close(found, torch.einsum(peer, *given))


def test_a_diagonal_under_over_and_in_a_derivative() -> None:
    text = """
block trace(x: [i, i]) -> []:
    return einsum["i i ->"](x * x)

block F(x: [b, i, i]) -> (y: [b], g: [b, i, i]):
    return over[b, trace](x), over[b, grad[trace]](x)
"""
    x = random(3, 4, 4)
    traces, slopes = both(text, x)
    torch.testing.assert_close(traces, (x * x).diagonal(dim1=1, dim2=2).sum(-1))
    torch.testing.assert_close(slopes, 2 * x * torch.eye(4, dtype=x.dtype))


REDUCTIONS = {"sum": "sum", "mean": "mean", "max": "amax", "min": "amin", "prod": "prod", "logsumexp": "logsumexp"}


@pytest.mark.parametrize("axes", [(0,), (1,), (-1,), (0, 2), (1, 2)])
def test_keepdim_leaves_axes_of_one(axes: tuple[int, ...]) -> None:
    x = random(2, 3, 4)
    shape = ["b", "n", "d"]
    for axis in axes:
        shape[axis] = "1"
    where = ", ".join(map(str, axes))
    forms = {
        **{f"{name}[{where}, keepdim=true](x)": peer for name, peer in REDUCTIONS.items()},
        f"std[{where}, unbiased=true, keepdim=true](x)": "std",
        f"norm[{where}, p=1, keepdim=true](x)": "l1",
    }
    outputs = ", ".join(f"y{k}: [{', '.join(shape)}]" for k in range(len(forms)))
    text = f"block F(x: [b, n, d]) -> ({outputs}):\n    return {', '.join(forms)}\n"
    for found, peer in zip(both(text, x), forms.values(), strict=True):
        if peer == "l1":
            wanted = x.abs().sum(axes, keepdim=True)
        elif peer == "prod":
            wanted = x
            for axis in axes:
                wanted = wanted.prod(axis, keepdim=True)
        else:
            wanted = getattr(x, peer)(axes, keepdim=True)
        torch.testing.assert_close(found, wanted)


def test_keepdim_of_all_axes_beside_packs_and_of_truths() -> None:
    text = "block F(x: [b, n], c: bool[b, n]) -> (y: [1, 1], z: bool[b, 1]):\n"
    text += "    return mean[keepdim=true](x), any[n, keepdim=true](c)\n"
    x, c = random(2, 3), torch.rand(2, 3) < 0.5
    y, z = both(text, x, c)
    torch.testing.assert_close(y, x.mean((0, 1), keepdim=True))
    assert torch.equal(z, c.any(1, keepdim=True))
    packed = "block F(x: [*b, n]) -> [*b, 1]:\n    return norm[-1, keepdim=true](x) + prod[n, keepdim=true](x)\n"
    net = ogive.source(f"{packed}model M = F\n").models["M"].torch()
    for shape in ((3,), (2, 3), (2, 4, 3)):
        x = random(*shape)
        torch.testing.assert_close(net(x), x.norm(dim=-1, keepdim=True) + x.prod(-1, keepdim=True))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_split_by_sizes(axis: int) -> None:
    shape = ["3*d", "3*d", "3*d"]
    parts = [list(shape) for _ in range(2)]
    parts[0][axis], parts[1][axis] = "d", "2*d"
    outputs = ", ".join(f"y{k}: [{', '.join(part)}]" for k, part in enumerate(parts))
    text = f"block F(x: [{', '.join(shape)}]) -> ({outputs}):\n    u, v = split[{axis}, [d, 2*d]](x)\n    return u, v\n"
    x = random(6, 6, 6)
    for found, wanted in zip(both(text, x), torch.split(x, [2, 4], axis), strict=True):
        assert torch.equal(found, wanted)


def padded(x: Tensor, kernel: int, stride: int, dilation: int, fill: float) -> Tensor:
    """Two spatial axes as TensorFlow pads them."""
    sides: list[int] = []
    for n in reversed(x.shape[2:]):
        total = max((-(-n // stride) - 1) * stride + dilation * (kernel - 1) + 1 - n, 0)
        sides += [total // 2, total - total // 2]
    return F.pad(x, sides, value=fill)


WINDOWS = [(1, 3, 1), (2, 2, 1), (3, 2, 1), (3, 3, 2), (3, 1, 1)]
MORE = [(1, 2, 1), (4, 2, 1), (5, 3, 1), (2, 2, 2)]


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [*WINDOWS, *(pytest.param(*each, marks=pytest.mark.slow) for each in MORE)]
)
def test_same_is_what_tensorflow_pads(kernel: int, stride: int, dilation: int) -> None:
    """At every size of the axes, in one model."""
    side = f"[b, c, ceil_div(h, {stride}), ceil_div(w, {stride})]"
    pools = "" if dilation > 1 else f", z: {side}, v: {side}, u: {side}"
    text = f"block F(x: [b, c, h, w], k: [c, c, {kernel}, {kernel}]) -> (y: {side}{pools}):\n"
    settings = f'stride={stride}, pad="same"'
    text += f"    y = conv[{settings}, dilation={dilation}](x, k)\n"
    if pools:
        text += f"    z = max_pool[{kernel}, {settings}](x)\n    v = avg_pool[{kernel}, {settings}](x)\n"
        text += f"    u = avg_pool[{kernel}, {settings}, count_include_pad=false](x)\n"
    text += f"    return y{', z, v, u' if pools else ''}\n"
    run = built(text.replace("[c, c, ", "[3, 3, ").replace("[b, c, ", "[b, 3, "))
    for h, w in product((1, 2, 5, 6, 7), (3, 8)):
        x, k = random(2, 3, h, w), random(3, 3, kernel, kernel)
        found = run(x, k)
        wide = padded(x, kernel, stride, dilation, 0.0)
        wanted = [F.conv2d(wide, k, stride=stride, dilation=dilation)]
        if pools:
            counts = F.avg_pool2d(padded(torch.ones_like(x), kernel, stride, 1, 0.0), kernel, stride)
            means = F.avg_pool2d(wide, kernel, stride)
            wanted += [F.max_pool2d(padded(x, kernel, stride, 1, -torch.inf), kernel, stride), means, means / counts]
        for y, z in zip(found, wanted, strict=True):
            torch.testing.assert_close(y, z)


WRONG = [
    ("x: [b, n, m]", "[b]", 'einsum["b i i -> b"](x)', "E0301", "`i` stands for `n` and `m`"),
    ("x: [n, n]", "[n, n]", 'einsum["i -> i i"](x)', "E0303", "appears twice in `i i`"),
    ("x: [*b]", "[]", "sum[keepdim=true](x)", "E0303", "name some"),
    ("x: [b, n]", "[b]", "sum[2, keepdim=true](x)", "E0304", "there is no axis 2"),
    ("x: [b, 3*d]", "[b, d]", "split[1, [d, d]](x)[0]", "E0301", "cuts `3*d` into `d` + `d`"),
    ("x: [b, 3*d]", "[b, d]", "split[1](x)[0]", "E0409", "needs a pattern"),
    ("x: [b, 3*d]", "[b, d]", "split[axis=1](x)[0]", "E0402", "`sizes`"),
    ("x: [b, 3*d]", "[b, d]", "split[1, 3](x)[0]", "E0404", "takes a list"),
    ("x: [b, 3*d]", "[b, d]", "split[1, [0.5]](x)[0]", "E0404", "list of sizes"),
    ("x: [b, 4]", "[b, 4]", "split[1, [4, 0]](x)[0]", "E0304", "a part of"),
    ("x: [b, c, h]", "[b, c, 1]", 'max_pool[2, stride=3, pad="same"](x)', "E0408", "as wide as their stride"),
    ("x: [b, c, h]", "[b, c, 1]", 'max_pool[2, pad="valid"](x)', "E0404", "`pad`"),
    ("x: [b, n, m]", "[b, n]", "diag(x)", "E0301", "takes the diagonal of `n` by `m`"),
]


@pytest.mark.parametrize(("head", "result", "code", "kind", "said"), WRONG)
def test_wrong_use_is_reported(head: str, result: str, code: str, kind: str, said: str) -> None:
    found = check_text(f"block f({head}) -> {result}:\n    return {code}\n", "a.arch").diagnostics
    errors = [each for each in found if each.severity == "error"]
    assert errors
    assert errors[0].code == kind, errors[0]
    assert said in errors[0].message, errors[0].message


@pytest.mark.parametrize("sizes", [(3,), (3, 4), (1, 3, 2)])
def test_meshgrid_is_that_of_torch(sizes: tuple[int, ...]) -> None:
    names = "xyz"[: len(sizes)]
    head = ", ".join(f"{name}: [n{name}]" for name in names)
    axes = ", ".join(f"n{name}" for name in names)
    results = ", ".join(f"u{name}: [{axes}]" for name in names)
    text = f"block F({head}) -> ({results}):\n    g = meshgrid({', '.join(names)})\n"
    run = built(f"{text}    return {', '.join(f'g[{at}]' for at in range(len(names)))}\n")
    for longer in (0, 2):
        given = [random(size + longer) for size in sizes]
        for ours, theirs in zip(run(*given), torch.meshgrid(*given, indexing="ij"), strict=True):
            assert torch.equal(ours, theirs)


def test_meshgrid_over_an_axis_and_its_derivative() -> None:
    text = """block f(x: [m], y: [n]) -> []:
    a, b = meshgrid(x, y)
    return sum(a * a * b)
block F(x: [k, m], y: [k, n]) -> (u: [k, m, n], v: [k, m, n], g: [k, m]):
    u, v = over[k, meshgrid](x, y)
    return u, v, over[k, grad[f]](x, y)
"""
    x, y = random(2, 3).requires_grad_(), random(2, 4)
    with torch.no_grad():
        u, v, g = both(text, x.detach(), y)
    for at in range(2):
        rows, columns = torch.meshgrid(x[at], y[at], indexing="ij")
        assert torch.equal(u[at], rows)
        assert torch.equal(v[at], columns)
        torch.testing.assert_close(g[at], torch.autograd.grad((rows * rows * columns).sum(), x)[0][at])


@pytest.mark.parametrize(
    ("call", "code"),
    [("meshgrid(x)", "E0303"), ("meshgrid()", "E0405"), ("meshgrid[1](y)", "E0403"), ("meshgrid(y, 3)", "E0405")],
)
def test_meshgrid_takes_tensors_of_one_axis(call: str, code: str) -> None:
    found = check_text(f"block f(x: [a, b], y: [b]) -> [b]:\n    return {call}[0][0]\n").diagnostics
    assert [each.code for each in found if each.severity == "error"] == [code]
