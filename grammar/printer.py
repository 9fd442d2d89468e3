"""Syntax trees as canonical text: `parse` of it is the tree again. Comments are not in the tree."""

from __future__ import annotations

from collections.abc import Iterable

from ogive.grammar import syntax as s
from ogive.grammar.print_expr import block_type, dim, expr, item, stage, string, type_

INDENT = "    "


def unparse(node: s.Tree) -> str:
    """The text of any node; of a file, declaration or statement, with a line end."""
    match node:
        case s.File(declarations=declarations):
            return _file(declarations)
        case s.Decl():
            return "\n".join(_declaration(node)) + "\n"
        case s.Stmt():
            return "\n".join(_statement(node)) + "\n"
        case s.Expr():
            return expr(node)
        case s.Slice() | s.Ellipsis_() | s.Splice() | s.Keyword():
            return item(node)
        case s.Stage():
            return stage(node)
        case s.TypeExpr():
            return type_(node)
        case s.StarDim():
            return dim(node)
        case s.BlockType():
            return block_type(node)
    return _part(node)


def _part(node: s.Tree) -> str:
    match node:
        case s.Target(name=name):
            return name
        case s.With(target=target, iterable=iterable):
            return f"{target.name} in {expr(iterable)}"
        case s.Carry():
            return _carry(node)
        case s.UseItem(name=name, alias=alias):
            return name if alias is None else f"{name} as {alias}"
        case s.StaticDecl():
            return _static(node)
        case s.Input(name=name, type=type_expr):
            return f"{name}: {type_(type_expr)}"
        case s.Output(name=name, type=type_expr):
            return type_(type_expr) if name is None else f"{name}: {type_(type_expr)}"
    raise AssertionError(f"{type(node).__name__} has no text")


def _file(declarations: tuple[s.Decl, ...]) -> str:
    """Blank lines between declarations, but for runs of `use` and of `const`."""
    text, last = "", None
    for declaration in declarations:
        if last is not None and not (type(declaration) is last and last in (s.Use, s.Const)):
            text += "\n"
        text += unparse(declaration)
        last = type(declaration)
    return text


# --- declarations -----------------------------------------------------------------------------------------------------


def _declaration(node: s.Decl) -> list[str]:
    match node:
        case s.Edition(number=number):
            return [f"ogive {number}"]
        case s.Use(module=module, items=items, alias=alias):
            return [f"use {module} as {alias}" if alias else f"use {module} ({', '.join(map(_part, items))})"]
        case s.Const(target=target, value=value):
            return [f"const {target.name}{_statics(node)} = {expr(value)}"]
        case s.Block(where=where, body=body):
            head = [f"block {node.name}{_signature(node)}", *([f"where {_exprs(where)}"] if where else [])]
            head[-1] += ":"
            return [*_doc(node.doc), *head, *_body(body)]
        case s.Extern(where=where, target=external):
            pins = f" where {_exprs(where)}" if where else ""
            return [*_doc(node.doc), f"extern block {node.name}{_signature(node)}{pins} = {string(external)}"]
        case s.Model(name=name, value=value, where=pinned):
            pins = f" where {_exprs(pinned)}" if pinned is not None else ""
            return [*_doc(node.doc), f"model {name} = {expr(value)}{pins}"]
        case s.Recipe(name=name, model=model, passes=passes):
            return [*_doc(node.doc), f"recipe {name} for {model}: {_exprs(passes)}"]
    raise AssertionError(f"{type(node).__name__} is no declaration")


def _doc(doc: str) -> list[str]:
    return [f"## {line}".rstrip() for line in doc.split("\n")] if doc else []


def _statics(node: s.Block | s.Extern | s.Const) -> str:
    return f"[{', '.join(map(_static, node.statics))}]" if node.statics else ""


def _signature(node: s.Block | s.Extern) -> str:
    statics = _statics(node)
    inputs = f"({', '.join(map(_part, node.inputs))})" if node.inputs else ""
    outputs = ", ".join(map(_part, node.outputs))
    if len(node.outputs) != 1 or node.outputs[0].name is not None:
        outputs = f"({outputs})"
    return f"{statics}{inputs} -> {outputs}"


def _static(node: s.StaticDecl) -> str:
    kinds = block_type(node.type) if node.type is not None else " | ".join(node.kinds)
    if not kinds:
        return node.name if node.default is None else f"{node.name}={expr(node.default)}"
    default = "" if node.default is None else f" = {expr(node.default)}"
    return f"{node.name}: {kinds}{default}"


# --- statements -------------------------------------------------------------------------------------------------------


def _body(body: Iterable[s.Stmt]) -> list[str]:
    return [INDENT + line for stmt in body for line in _statement(stmt)]


def _statement(node: s.Stmt) -> list[str]:
    match node:
        case s.If(branches=branches, orelse=orelse):
            lines = []
            for word, (condition, body) in zip(["if"] + ["elif"] * len(branches), branches, strict=False):
                lines += [f"{word} {expr(condition)}:", *_body(body)]
            return lines if orelse is None else [*lines, "else:", *_body(orelse)]
        case s.For(targets=targets, iterable=iterable, label=label, body=body):
            return [f"for {_names(targets)} in {_labelled(iterable, label)}:", *_body(body)]
        case s.Repeat(count=count, label=label, withs=withs, body=body):
            steps = f" with {', '.join(map(_part, withs))}" if withs else ""
            return [f"repeat {_labelled(count, label)}{steps}:", *_body(body)]
        case s.Scan(body=body):
            return [f"{_scan(node)}:", *_body(body)]
    return [_simple(node)]


def _simple(node: s.Stmt) -> str:
    match node:
        case s.Assign(targets=targets, type=type_expr, value=value):
            asserted = "" if type_expr is None else f": {type_(type_expr)}"
            right = _exprs(value.items) if isinstance(value, s.TupleExpr) and len(value.items) > 1 else expr(value)
            return f"{_names(targets)}{asserted} = {right}"
        case s.ParamStmt(kind=kind, target=target, type=type_expr, init=init, keep=keep):
            tail = ("" if init is None else f" = {expr(init)}") + ("" if keep is None else f" keep {expr(keep)}")
            return f"{kind} {target.name}: {type_(type_expr)}{tail}"
        case s.UpdateStmt(target=target, value=value):
            return f"update {target.name} = {expr(value)}"
        case s.InitStmt(targets=paths, value=value):
            return f"init {', '.join(map('.'.join, paths))} = {expr(value)}"
        case s.KeepStmt(target=path, value=value):
            return f"keep {'.'.join(path)} = {expr(value)}"
        case s.Return(values=values):
            return f"return {_exprs(values)}"
        case s.Yield(target=target, value=value):
            return f"yield {target.name} = {expr(value)}"
        case s.Tap(target=target, value=value):
            return f"tap {target.name} = {expr(value)}"
        case s.Require(conditions=conditions):
            return f"require {_exprs(conditions)}"
        case s.Assume(conditions=conditions):
            return f"assume {_exprs(conditions)}"
    raise AssertionError(f"{type(node).__name__} is no statement")


def _scan(node: s.Scan) -> str:
    steps = ", ".join(map(_part, node.steps))
    if not node.carries:
        axis = expr(node.axis) + " reverse" if node.reverse else None
        tail = _labelled(node.axis, node.label) if axis is None else axis + _label(node.label)
        return f"scan {steps} along {tail}"
    *others, last = node.carries
    reverse = " reverse" if node.reverse else ""
    carries = ", ".join([*map(_carry, others), _carry(last, node.label) + _label(node.label)])
    return f"scan {steps} along {expr(node.axis)}{reverse} carry {carries}"


def _carry(node: s.Carry, label: str | None = None) -> str:
    asserted = "" if node.type is None else f": {type_(node.type)}"
    return f"{node.target.name}{asserted} = {_guarded(node.value, label)}"


def _labelled(node: s.Expr, label: str | None) -> str:
    """An expression and the label of the loop that it leads."""
    return _guarded(node, label) + _label(label)


def _guarded(node: s.Expr, label: str | None) -> str:
    """An expression in front of `as`: a pipeline's last stage must not take the loop's label."""
    if label is not None and isinstance(node, s.Pipe) and node.stages[-1].label is None:
        return f"({expr(node)})"
    return expr(node)


def _label(label: str | None) -> str:
    return "" if label is None else f" as {label}"


def _names(targets: tuple[s.Target, ...]) -> str:
    return ", ".join(target.name for target in targets)


def _exprs(values: tuple[s.Expr, ...]) -> str:
    return ", ".join(map(expr, values))
