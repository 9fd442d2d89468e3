"""The way back through what was noted: from what flows back to results to what flows back to sources."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ogive.backends.onnx_model.autodiff.parts import MANY
from ogive.backends.onnx_model.autodiff.rules import CUT, RULES
from ogive.backends.onnx_model.autodiff.steps import Flow, Later, Steps
from ogive.backends.onnx_model.autodiff.tape import Noted
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.compiler.ir.model import Node


def flow_back(steps: Steps, tape: Sequence[Noted], flows: dict[str, str], sources: Collection[str], at: Node) -> None:
    """Add to `flows` what flows back to everything that depends on the sources."""
    dependent = set(sources)
    for noted in tape:
        if any(arg in dependent for arg in noted.args):
            dependent.update(noted.results)
    for noted in reversed(tape):
        meets = [name for name in noted.results if name in flows and name in dependent and name not in noted.args]
        if not meets:  # no way back, or an operation that changes nothing here
            continue
        # equal operations share their result: what has flowed back is taken out, so that it does so once
        given = {name: flows.pop(name) for name in meets}
        for name, flow in (
            noted.back(given, dependent) if noted.back else _by_rule(steps, noted, given, dependent, at)
        ).items():
            flows[name] = steps.both("add", flows[name], flow) if name in flows else flow


def _by_rule(
    steps: Steps, noted: Noted, given: Mapping[str, str], dependent: Collection[str], at: Node
) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, flow in zip(noted.args, _flows(steps, noted, given, at), strict=True):
        if name is None or name not in dependent or not steps.type(name).floating:
            continue
        flow = flow() if callable(flow) else flow
        if flow is not None:
            found[name] = steps.both("add", found[name], flow) if name in found else flow
        elif noted.node.op not in CUT and not _whole(steps, noted):
            raise OnnxError(f"`grad` through this operand of `{noted.node.op}` is not supported in ONNX", at.span)
    return found


def _flows(steps: Steps, noted: Noted, given: Mapping[str, str], at: Node) -> Sequence[Flow | Later]:
    """What the rule of an operation says."""
    rule, many = RULES.get(noted.node.op), MANY.get(noted.node.op)
    if (rule is None and many is None) or any(map(steps.graph.paired, noted.results)):
        raise OnnxError(f"`grad` through `{noted.node.op}` is not supported in ONNX", at.span)
    if many is not None:
        return many(steps, noted, [given.get(name) for name in noted.results])
    assert rule is not None
    return rule(steps, noted, given[noted.results[0]])


def _whole(steps: Steps, noted: Noted) -> bool:
    """Whether what it gives is no float, from which nothing flows: a cast to integers."""
    return not any(steps.type(name).floating for name in noted.results)
