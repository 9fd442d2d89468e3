"""Conditions of several parts: what is there exactly where one holds is written as the condition itself."""

from __future__ import annotations

import ast

from ogive.backends.python_text.expr import Code, both, conditional, either, is_given, prefix
from ogive.backends.python_text.functions.writer import Writer
from ogive.compiler.ir.model import Const, Graph, Node


def is_flag(graph: Graph, node: Node) -> bool:
    """Whether a choice gives one constant, there or not, for which other choices ask and nothing else."""
    if not _constant(node):
        return False
    (value,) = node.outputs
    users = graph.users[value.name]
    return bool(users) and value.name not in graph.outputs and all(_only_asks(user, value.name) for user in users)


def _constant(node: Node) -> bool:
    """Whether it computes nothing: its arms give a constant, nothing, or a choice of this kind."""
    if node.op not in ("given", "phase") or len(node.outputs) != 1:
        return False
    for region in node.regions:
        inner = region.producers.get(str(region.outputs[0]))
        if inner is None and (region.nodes or isinstance(region.outputs[0], str)):
            return False
        if inner is not None and not (region.nodes == (inner,) and _constant(inner)):
            return False
    return True


def _only_asks(node: Node, name: str) -> bool:
    if node.op != "given" or node.inputs[0] != name or node.operands.count(name) != 1:
        return False
    asked = [(region, region.inputs[0].name) for region in node.regions]
    return not any(region.users[inner] or inner in region.outputs for region, inner in asked)


def condition(writer: Writer, node: Node) -> Code:
    """`a is not None and b is not None`."""
    codes = [code for code in writer.args(node) if code is not None]
    assert len(codes) == len(node.inputs), node
    return _condition(writer, node, codes)


def _condition(writer: Writer, node: Node, inputs: list[Code]) -> Code:
    test = is_given(inputs[0]) if node.op == "given" else writer.training()
    there, absent = (_side(writer, region, inputs) for region in node.regions)
    match there, absent:
        case True, False:
            return test
        case False, True:
            return negated(test)
        case Code(), False:
            return both(test, there)
        case False, Code():
            return both(negated(test), absent)
        case True, Code():
            return either(test, absent)
        case Code(), True:
            return either(negated(test), there)
        case _:
            return conditional(there, test, absent)


def negated(test: Code) -> Code:
    """`a is None`, `not self.training`."""
    match test.node:
        case ast.Compare(left=left, ops=[ast.IsNot()], comparators=[other]):
            return Code(ast.Compare(left, [ast.Is()], [other]))
        case _:
            return prefix("not", test)


def _side(writer: Writer, region: Graph, inputs: list[Code]) -> Code | bool:
    output = region.outputs[0]
    if not isinstance(output, str):
        return isinstance(output, Const)
    (inner,) = region.nodes
    codes = dict(zip((value.name for value in region.inputs), inputs, strict=True))
    return _condition(writer, inner, [codes[str(x)] for x in inner.inputs])
