"""The way back through what was noted: from what flows back to results to what flows back to sources."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ogive.backends.onnx_model.derive_rules import CUT, RULES
from ogive.backends.onnx_model.derive_steps import Steps
from ogive.backends.onnx_model.errors import OnnxError
from ogive.backends.onnx_model.noted import Noted
from ogive.compiler.ir import Node


def flow_back(steps: Steps, tape: Sequence[Noted], flows: dict[str, str], sources: Collection[str], at: Node) -> None:
    """Add to `flows` what flows back to everything that hangs on the sources."""
    hangs = set(sources)
    for noted in tape:
        if any(arg in hangs for arg in noted.args):
            hangs.update(noted.results)
    for noted in reversed(tape):
        meets = [name for name in noted.results if name in flows and name in hangs and name not in noted.args]
        if not meets:  # no way back, or an operation that changes nothing here
            continue
        # equal operations share their result: what has flowed back is taken out, so that it does so once
        given = {name: flows.pop(name) for name in meets}
        for name, flow in (
            noted.back(given, hangs) if noted.back else _by_rule(steps, noted, given, hangs, at)
        ).items():
            flows[name] = steps.both("add", flows[name], flow) if name in flows else flow


def _by_rule(
    steps: Steps, noted: Noted, given: Mapping[str, str], hangs: Collection[str], at: Node
) -> Mapping[str, str]:
    rule = RULES.get(noted.node.op)
    if rule is None or len(noted.results) > 1 or steps.graph.paired(noted.results[0]):
        raise OnnxError(f"`grad` through `{noted.node.op}` has no form in ONNX", at.span)
    found: dict[str, str] = {}
    for name, flow in zip(noted.args, rule(steps, noted, given[noted.results[0]]), strict=True):
        if name is None or name not in hangs:
            continue
        if flow is not None:
            found[name] = steps.both("add", found[name], flow) if name in found else flow
        elif noted.node.op not in CUT:
            raise OnnxError(f"`grad` through this operand of `{noted.node.op}` has no form in ONNX", at.span)
    return found
