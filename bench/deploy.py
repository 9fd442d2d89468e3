"""Deployed models against hand-folded ones and against their train form; folding; experts; poset pools."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ogive
from bench.calls import called
from bench.pairs import Count, Result, Run, alternated, best, compare, timed
from ogive.api import Model
from ogive.compiler.passes.cleanup.deploy_flatten import deployed as flat
from ogive.compiler.passes.weight_folding.driver import fold
from ogive.model import DeployedModel

EXAMPLES = Path(__file__).parents[1] / "examples"
MODELS = (("RepVGG-A0", "repvgg", "RepVGGA0"), ("RepVGG-B1", "repvgg", "RepVGGB1"),
          ("MobileOne-S0", "mobileone", "MobileOneS0"))  # fmt: skip


def results() -> Iterator[Result | Count]:
    """All rows."""
    yield _folding()
    for name, file, model in MODELS:
        yield from _against(name, _model(file, model))
    yield _experts()
    yield from _pools()


def _model(file: str, name: str) -> Model:
    return ogive.load(EXAMPLES / f"{file}.arch").models[name]


class Plain(nn.Sequential):
    """Convolutions with ReLU, a mean over places, a classifier: what one writes by hand."""

    def forward(self, x: Tensor) -> Tensor:
        *layers, head = self
        for layer in layers:
            x = F.relu(layer(x))
        logits: Tensor = head(x.mean((2, 3)))
        return logits


def hand_folded(model: DeployedModel, used: nn.Module) -> nn.Sequential:
    """The deployed chain as layers of torch with the same weights: settings are read off the graph."""
    layers: list[nn.Module] = []
    graph = flat(model.ir).definition.graph
    for node in graph.nodes:
        if node.op == "conv":
            out, inner, *window = graph.values[str(node.inputs[1])].type.sizes
            groups = node.attr("groups").number
            steps = {key: tuple(n.number for n in node.attr(key)) for key in ("stride", "pad")}
            kernel = (window[0].number, window[1].number)
            channels = (inner.number * groups, out.number)
            layers.append(nn.Conv2d(*channels, kernel, steps["stride"], steps["pad"], groups=groups))
        elif node.op == "linear":
            out, inner = graph.values[str(node.inputs[1])].type.sizes
            layers.append(nn.Linear(inner.number, out.number))
    hand = Plain(*layers).eval()
    pairs = zip(hand.state_dict(), used.state_dict().values(), strict=True)
    hand.load_state_dict({name: tensor.clone() for name, tensor in pairs})
    return hand


def _against(name: str, source: Model) -> Iterator[Result | Count]:
    deployed = source.deploy("fold")
    trained, used = source.torch().eval(), deployed.torch().eval()
    used.load_state_dict(deployed.convert(trained))
    hand = hand_folded(deployed, used)
    x = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(used(x), hand(x))
        mine, theirs = called(lambda: used(x)), called(lambda: hand(x))
        assert mine == theirs, "the calls of both are not the same list"
        yield Count(f"{name}, aten calls, deployed / by hand", len(mine), len(theirs))
        yield best(f"{name}, eager, deployed / by hand", lambda: used(x), lambda: hand(x), pairs=15)
        yield compare(f"{name}, eager, deployed / train form", lambda: used(x), lambda: trained(x))
        torch.compiler.reset()
        ours, peer = (torch.compile(net, fullgraph=True) for net in (used, hand))
        yield best(f"{name}, compiled, deployed / by hand", lambda: ours(x), lambda: peer(x), pairs=15)
    with tempfile.TemporaryDirectory() as folder:
        mine_file, hand_file = Path(folder) / "ours.onnx", Path(folder) / "hand.onnx"
        deployed.onnx(mine_file, weights=used)
        _write(hand_file, hand, x)
        yield _sessions(f"{name}, ONNX Runtime, deployed / by hand", mine_file, hand_file, x.numpy())


def _sessions(name: str, mine: Path, theirs: Path, x: np.ndarray, pairs: int = 9, runs: int = 7) -> Result:
    """Pairs of sessions, each alone when it runs; who goes first alternates.

    Of two that live together the one made later is slower by a fifth, whatever they run: threads of the idle one spin,
    and the allocator places the weights of each as it can.
    """
    np.testing.assert_allclose(_runner(mine, x)(), _runner(theirs, x)(), rtol=1e-3, atol=1e-4)

    def alone(path: Path) -> float:
        run = _runner(path, x)
        run()
        return statistics.median(timed(run) for _ in range(runs))

    return alternated(name, lambda: alone(mine), lambda: alone(theirs), pairs)


def _write(path: Path, net: nn.Sequential, x: Tensor) -> None:
    """The chain in ONNX, node by node, as one writes it by hand."""
    nodes, kept, value = [], [], "x"
    for at, layer in enumerate(net):
        names = [f"{at}.weight", f"{at}.bias"]
        kept += [onnx.numpy_helper.from_array(net.get_parameter(name).detach().numpy(), name) for name in names]
        if isinstance(layer, nn.Conv2d):
            pads = [int(side) for side in layer.padding] * 2
            settings = {"strides": list(layer.stride), "pads": pads, "group": layer.groups}
            nodes.append(onnx.helper.make_node("Conv", [value, *names], [f"{at}.conv"], **settings))
            nodes.append(onnx.helper.make_node("Relu", [f"{at}.conv"], [f"{at}"]))
        else:
            nodes.append(onnx.helper.make_node("GlobalAveragePool", [value], ["pooled"]))
            nodes.append(onnx.helper.make_node("Flatten", ["pooled"], ["flat"]))
            nodes.append(onnx.helper.make_node("Gemm", ["flat", *names], [f"{at}"], transB=1))
        value = f"{at}"
    float32 = onnx.TensorProto.FLOAT
    ends = [onnx.helper.make_tensor_value_info(n, float32, s) for n, s in (("x", x.shape), (value, (1, 1000)))]
    graph = onnx.helper.make_graph(nodes, "hand", ends[:1], ends[1:], kept)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10), path)


def _runner(path: Path, x: np.ndarray) -> Callable[[], np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: x})[0]


def _folding() -> Result:
    ir = _model("repvgg", "RepVGGB1").ir
    fold(ir)
    return Result("fold of RepVGG-B1 / 2 s", min(timed(lambda: fold(ir)) for _ in range(3)), 2.0)


def _experts() -> Result:
    plain = _model("ewa_vit", "EwaViTS16")
    x, y = torch.randn(4, 3, 224, 224), torch.randint(0, 1000, (4,))

    def step(net: nn.Module) -> Run:
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
        after: Callable[[], None] = getattr(net, "after_step", lambda: None)
        optimizer.register_step_post_hook(lambda *_: after())

        def run() -> None:
            optimizer.zero_grad()
            torch.autograd.backward(F.cross_entropy(net(x), y))
            optimizer.step()

        return run

    experts = plain.deploy("expert_average[at=MLP, experts=4]").fresh()
    return compare("ViT-S/16 step, 4 experts / plain", step(experts), step(plain.torch()), pairs=5)


def _pools() -> Iterator[Result]:
    text = "block pool(x: [b, c, h, w]) -> [b, c, h // 2, w // 2]:\n    return x |> max_pool[2]\n\nmodel M = pool[]\n"
    source = ogive.source(text).models["M"]
    maximum, poset = source.torch(), source.deploy('poset_pool[order="diamond"]').torch()
    x = torch.randn(4, 64, 112, 112, requires_grad=True)

    def both(net: nn.Module) -> None:
        torch.autograd.backward(net(x).sum())
        x.grad = None

    with torch.no_grad():
        yield compare("poset pool / max pool, forward", lambda: poset(x), lambda: maximum(x))
    yield compare("poset pool / max pool, and backward", lambda: both(poset), lambda: both(maximum))
