"""Tools that fold, on small graphs: what each leaves, and how far its result is from what it was given.

`python -m bench.peers` from the root of the tree. torch.fx, torch.nn.utils.fusion and timm work on modules written by
hand, ONNX tools on our export of the train form; "left" counts operations, modules or nodes, without constants.
What is not installed is named at the end; docs/bench.md says how to install it.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

import ogive
from bench import peers_modules
from ogive.compiler.passes.cleanup.deploy_flatten import deployed

USES = "use std.nn (Linear, BatchNorm, LayerNorm, LayerScale)\nuse std.vision (Conv, ConvTranspose)\n"
LAYOUT = ("weight", "constant", "cast", "expand")
FREE = ("Constant", "Identity", "Shape", "Gather", "Concat", "Unsqueeze", "Cast")


@dataclass(frozen=True, slots=True)
class Case:
    """A graph in both languages."""

    name: str
    types: str
    body: str
    module: Callable[[], nn.Module]
    shape: tuple[int, ...]


IMAGE = "(x: [b, 4, h, w]) -> [b, c', h', w']"
CASES = (
    Case("RepVGG block", IMAGE,
         "return (x |> Conv[4, 4, 3, pad=1] |> BatchNorm) + (x |> Conv[4, 4, 1] |> BatchNorm) + (x |> BatchNorm)",
         peers_modules.RepVGG, (2, 4, 9, 7)),
    Case("conv used twice, two norms", IMAGE,
         "c = Conv[4, 4, 3, pad=1]\nreturn relu(x |> c |> BatchNorm) |> c |> BatchNorm",
         peers_modules.Twice, (2, 4, 9, 7)),
    Case("Linear[F], norm of axis 1 of [b, F, F]", "(x: [b, 5, 5]) -> [b, 5, 5]",
         "return x |> Linear[5, 5] |> BatchNorm", peers_modules.Square, (3, 5, 5)),
    Case("transposed, 4 groups, norm", IMAGE, "return x |> ConvTranspose[4, 8, 2, stride=2, groups=4] |> BatchNorm",
         peers_modules.Transposed, (2, 4, 5, 6)),
    Case("1 × 1 into 3 × 3", IMAGE, "return x |> Conv[4, 6, 1] |> Conv[6, 4, 3]", peers_modules.Squeeze, (2, 4, 9, 7)),
    Case("average and 1 × 1, beside 3 × 3", IMAGE,
         "return (x |> avg_pool[3, stride=1, pad=1] |> Conv[4, 4, 1]) + (x |> Conv[4, 4, 3, pad=1])",
         peers_modules.Average, (2, 4, 9, 7)),
    Case("norm before convolution", IMAGE, "return x |> BatchNorm |> Conv[4, 4, 3]",
         peers_modules.Before, (2, 4, 9, 7)),
    Case("Linear into Linear", "(x: [b, 6]) -> [b, 4]", "return x |> Linear[6, 8] |> Linear[8, 4]",
         peers_modules.Linears, (5, 6)),
    Case("Linear and norm", "(x: [b, 6]) -> [b, 4]", "return x |> Linear[6, 4] |> BatchNorm",
         peers_modules.Gemm, (5, 6)),
    Case("LayerNorm into Linear", "(x: [b, n, 6]) -> [b, n, 4]", "return x |> LayerNorm |> Linear[6, 4]",
         peers_modules.Scaled, (2, 3, 6)),
    Case("LayerScale", "(x: [b, n, 6]) -> [b, n, 4]", "return x |> Linear[6, 4] |> LayerScale",
         peers_modules.LayerScale, (2, 3, 6)),
    Case("LoRA", "(x: [b, n, 6]) -> [b, n, 6]",
         "return (x |> Linear[6, 6]) + 2 * (x |> Linear[6, 2, bias=false] |> Linear[2, 6, bias=false])",
         peers_modules.Lora, (2, 3, 6)),
)  # fmt: skip


def main() -> None:
    """Print the table."""
    tools: dict[str, Callable[[Case], str]] = {"Ogive": _ours, "torch.fx": _fx, "torch.nn.utils.fusion": _fusion}
    missing = []
    for name, needs, tool in (
        ("timm", "timm", _timm), ("onnxoptimizer", "onnxoptimizer", _optimizer), ("onnxsim", "onnxsim", _simplifier),
        ("ORT extended", "onnxruntime", _runtime),
    ):  # fmt: skip
        try:
            _import(needs)
            tools[name] = tool
        except ImportError:
            missing.append(needs)
    print("| case | " + " | ".join(tools) + " |")
    print("| --- " * (len(tools) + 1) + "|")
    for case in CASES:
        print(f"| {case.name} | " + " | ".join(_cell(tool, case) for tool in tools.values()) + " |", flush=True)
    if missing:
        print(f"\nnot installed: {', '.join(missing)}")


def _import(name: str) -> Any:
    if name == "timm":  # torchvision looks for operators of its own, which a build without them lacks
        library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return importlib.import_module(name)


def _cell(tool: Callable[[Case], str], case: Case) -> str:
    try:
        return tool(case)
    except Exception as error:
        return f"raises {type(error).__name__}"


def _said(left: int, error: float) -> str:
    return f"{left} left, {error:.0e}" if error < 1e-4 else f"{left} left, **wrong: {error:.1e}**"


def randomized(net: nn.Module) -> nn.Module:
    """Weights and statistics none of which is where it starts."""
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                noise = torch.rand(tensor.shape, generator=draw)
                tensor.copy_(noise + 0.5 if name.endswith("var") else noise - 0.3)
    return net.eval()


def _input(case: Case) -> Tensor:
    return torch.randn(case.shape, generator=torch.Generator().manual_seed(1))


def _apart(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).abs().max() / wanted.abs().max())


# --- ours -------------------------------------------------------------------------------------------------------------


def _model(case: Case) -> ogive.Model:
    lines = "\n".join(f"    {line}" for line in case.body.splitlines())
    return ogive.source(f"{USES}\nblock B{case.types}:\n{lines}\n\nmodel M = B[]\n").models["M"]


def _ours(case: Case) -> str:
    source = _model(case)
    folded = source.deploy("fold")
    net, result = randomized(source.torch()), folded.torch().eval()
    result.load_state_dict(folded.convert(net))
    left = [n.op for n in deployed(folded.ir).definition.graph.walk() if n.op not in LAYOUT]
    with torch.no_grad():
        return _said(len(left), _apart(result(_input(case)), net(_input(case))))


# --- on modules -------------------------------------------------------------------------------------------------------


def _leaves(net: nn.Module) -> int:
    return sum(1 for module in net.modules() if not list(module.children()) and not isinstance(module, nn.Identity))


def _fx(case: Case) -> str:
    from torch.fx.experimental.optimization import fuse

    net = randomized(case.module())
    result: Any = fuse(net)
    left = [n for n in result.graph.nodes if n.op in ("call_module", "call_function", "call_method")]
    with torch.no_grad():
        return _said(len(left), _apart(result(_input(case)), net(_input(case))))


def _fusion(case: Case) -> str:
    """By hand: the two modules of a pair that the case is about."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

    net: Any = randomized(case.module())
    if not isinstance(net, nn.Sequential) or len(net) != 2 or not isinstance(net[1], nn.BatchNorm1d | nn.BatchNorm2d):
        return "no pair"
    first: Any = net[0]
    if isinstance(first, nn.Linear):
        result: nn.Module = fuse_linear_bn_eval(first, net[1])
    else:
        result = fuse_conv_bn_eval(first, net[1], transpose=isinstance(first, nn.ConvTranspose2d))
    with torch.no_grad():
        return _said(1, _apart(result(_input(case)), net(_input(case))))


def _timm(case: Case) -> str:
    from timm.utils import reparameterize_model  # type: ignore[import-not-found]

    net = randomized(case.module())
    result = reparameterize_model(net)
    with torch.no_grad():
        return _said(_leaves(result), _apart(result(_input(case)), net(_input(case))))


# --- on ONNX ----------------------------------------------------------------------------------------------------------


def _exported(case: Case, folder: str) -> tuple[Path, np.ndarray, np.ndarray]:
    """Our file of the train form, an input, and what the module of torch gives."""
    path, model = Path(folder) / "train.onnx", _model(case)
    net = randomized(model.torch())
    model.onnx(path, weights=net)
    x = _input(case)
    with torch.no_grad():
        return path, x.numpy(), net(x).numpy()


def _optimizer(case: Case) -> str:
    return _on_file(case, lambda model: _import("onnxoptimizer").optimize(model, _FUSIONS, fixed_point=True))


_FUSIONS = ["fuse_bn_into_conv", "fuse_add_bias_into_conv", "fuse_pad_into_conv", "fuse_matmul_add_bias_into_gemm",
            "eliminate_identity", "extract_constant_to_initializer"]  # fmt: skip


def _simplifier(case: Case) -> str:
    return _on_file(case, lambda model: _import("onnxsim").simplify(model)[0])


def _on_file(case: Case, change: Callable[[Any], Any]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path, x, wanted = _exported(case, folder)
        result = change(onnx.load(path))
        found = _run(result.SerializeToString(), x, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)
        return _said(_nodes(result), float(np.abs(found - wanted).max() / np.abs(wanted).max()))


def _runtime(case: Case) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path, x, wanted = _exported(case, folder)
        level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        found = _run(path.read_bytes(), x, level, f"{folder}/out.onnx")
        left = _nodes(onnx.load(f"{folder}/out.onnx"))
        return _said(left, float(np.abs(found - wanted).max() / np.abs(wanted).max()))


def _run(model: bytes, x: np.ndarray, level: Any, out: str = "") -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.log_severity_level = 3
    if out:
        options.optimized_model_filepath = out
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {session.get_inputs()[0].name: x})[0]
    return found


def _nodes(model: Any) -> int:
    return sum(node.op_type not in FREE for node in model.graph.node)


if __name__ == "__main__":
    main()
