"""The library holds what stdlib.md says: every name with its statics and their defaults, in order."""

from __future__ import annotations

import pytest

from ogive import stdlib
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ops import OPS
from ogive.grammar.parser import parse
from ogive.grammar.print_expr import expr
from ogive.grammar.syntax import Block, Const, StaticDecl

# the tables of stdlib.md: statics with their defaults; more may follow where they have a default
TABLE = {
    "std.nn": """Linear[din, dout, bias=true] Embedding[n, d] LayerNorm[d, eps=1e-5, bias=true] RMSNorm[d, eps=1e-6]
        BatchNorm[c, eps=1e-5, momentum=0.1] GroupNorm[groups, c, eps=1e-5] InstanceNorm[c] Dropout[p=0.5] DropPath[p]
        LayerScale[d, init=1e-5] Residual[F] identity""",
    "std.vision": """Conv[cin, cout, kernel, stride=1, pad=0, dilation=1, groups=1, bias=true]
        ConvTranspose[cin, cout, kernel] ConvNormAct[cin, cout]
        SqueezeExcite[c, reduction=16] PatchEmbed[channels, d, patch] pixel_shuffle[r]
        window_partition[w] window_merge[w]""",
    "std.attention": """MultiHeadAttention[d, heads, kv_heads=heads, bias=true, causal=false] causal_mask
        Rope[d, theta=10000.0] Alibi[heads] SinusoidalPositions[n, d]""",
    "std.recurrent": "RNN[din, d] GRU[din, d] LSTM[din, d] bidirectional[F]",
    "std.experts": "TopKRouter[d, experts, k] MoE[F, experts, k] RandomPartitionExperts[F, experts]",
    "std.reparam": """RepConv[cin, c] DiverseBranch[cin, c] AsymmetricConv[cin, c] MobileOneBlock[cin, c] RepMixer[c]
        LoRA[F, rank] WeightNorm[F]""",
    "std.posets": "chain[n] antichain[n] PosetPool[poset] poset_pool[poset, kernel=2, stride=2]",
    "std.operators": """SpectralConv[cin, cout, modes] FNO[cin, cout, d, modes] DeepONet
        MultigridConv[cin, c, size, sweeps]""",
    "std.ssm": "S4D[d] S5[d] Mamba[d]",
}
# every activation of torch.nn, by ours
ACTIVATIONS = """relu gelu gelu_tanh silu sigmoid tanh elu leaky_relu hardswish hardsigmoid hardtanh mish relu6
    softplus softmax log_softmax softmin selu celu softsign tanhshrink hardshrink softshrink log_sigmoid
    glu threshold rrelu PReLU exp identity"""
# what needs no `use`
PRIMITIVES = """relu gelu gelu_tanh silu sigmoid tanh exp log sqrt rsqrt sin cos erf abs sign floor round softplus
    log1p expm1 log2 log10 lgamma digamma tan asin acos atan atan2 sinh cosh asinh acosh atanh ceil trunc isnan
    isinf bitwise_and bitwise_or bitwise_xor bitwise_not shift_left shift_right
    elu leaky_relu hardswish hardsigmoid hardtanh mish relu6
    clamp pow minimum maximum select lerp logical_and logical_or logical_not isfinite cast rearrange
    reduce expand einsum split concat stack flip roll pad take gather put scatter_add one_hot topk sort
    argsort argmax argmin cumsum cumprod cummax cummin
    scatter diag tril triu sum mean max min prod var std logsumexp any all norm softmax
    log_softmax conv conv_transpose max_pool avg_pool adaptive_avg_pool adaptive_max_pool interpolate
    unfold fold grid_sample
    layer_norm rms_norm batch_norm group_norm attention fft rfft ifft irfft complex real imag conj
    matmul solve solve_triangular cholesky inverse det linear_scan zeros ones full arange linspace eye
    randn rand randint permutation bernoulli dropout stop_gradient"""


def listed(text: str) -> dict[str, list[str]]:
    """`A[x, y=1] B` as names with what stands in their brackets."""
    found: dict[str, list[str]] = {}
    for piece in text.replace("\n", " ").replace(", ", ",").split():
        name, _, statics = piece.partition("[")
        found[name] = [static for static in statics.rstrip("]").split(",") if static]
    return found


def declared(module: str) -> dict[str, tuple[StaticDecl, ...]]:
    """The statics of each block and rule of a module."""
    found: dict[str, tuple[StaticDecl, ...]] = {}
    for each in parse(stdlib.source(module), module).file.declarations:
        if isinstance(each, Block):
            found[each.name] = each.statics
        elif isinstance(each, Const):
            found[each.target.name] = each.statics
    return found


def shown(static: StaticDecl) -> str:
    """A static as stdlib.md writes it: kinds are left out."""
    return static.name if static.default is None else f"{static.name}={expr(static.default).replace('e-0', 'e-')}"


@pytest.mark.parametrize("module", TABLE)
def test_names_and_statics(module: str) -> None:
    here = declared(module)
    for name, statics in listed(TABLE[module]).items():
        assert name in here, name
        ours = [shown(static) for static in here[name]]
        assert ours[: len(statics)] == statics, name
        if statics:
            assert all("=" in more for more in ours[len(statics) :]) or name in ("ConvTranspose", "ConvNormAct"), name


def test_every_name_can_be_imported() -> None:
    uses = [f"use {module} as m{i}" for i, module in enumerate(TABLE)]
    uses += [f"use {module} ({', '.join(listed(names))})" for module, names in TABLE.items()]
    found = check_text("\n".join(uses), "a.arch").diagnostics
    assert [d for d in found if d.severity == "error"] == []


def test_every_activation_can_be_imported() -> None:
    found = check_text(f"use std.nn ({', '.join(ACTIVATIONS.split())})\n", "a.arch").diagnostics
    assert [d for d in found if d.severity == "error"] == []


def test_primitive_operations_need_no_use() -> None:
    missing = [name for name in PRIMITIVES.split() if name not in OPS]
    assert missing == []
    lines = "block f(x: [b, c, h, w]) -> [b, c, h', w']:\n    return x |> poset_pool[\"a<b\", kernel=2, stride=2]\n"
    assert not check_text(lines, "a.arch").diagnostics


def test_sequential_is_said_by_composition() -> None:
    (found,) = check_text("use std.nn (Sequential)\n", "a.arch").diagnostics
    assert ">>" in found.help
