"""Syntax trees as canonical text: `parse` of it is the tree again. They hold no comments."""

from __future__ import annotations

from ogive.grammar import syntax as s
from ogive.grammar.layout import INDENT, WIDTH, Bracketed, Enclosed, Operated, Piece, flat, joined, lay_out
from ogive.grammar.lexer import LEADING
from ogive.grammar.print_expr import block_type, clause, dim, expression, item, stage, string, type_

ENDLESS = 10**9  # columns of a line that never breaks


def unparse(node: s.Tree) -> str:
    """The text of any node, no line broken; of a file, declaration or statement, with a line end."""
    match node:
        case s.File(declarations=declarations):
            return _file(declarations)
        case s.Decl():
            doc = [f"## {line}".rstrip() for line in getattr(node, "doc", "").split("\n") if getattr(node, "doc", "")]
            body = _body(node.body, 1) if isinstance(node, s.Block) else []
            return "\n".join([*doc, *head(node, ENDLESS), *body]) + "\n"
        case s.Stmt():
            return "\n".join(_body((node,), 0)) + "\n"
        case s.Expr():
            return flat(expression(node))
        case s.Slice() | s.Ellipsis_() | s.Splice() | s.Keyword():
            return flat(item(node))
        case s.Stage():
            return flat(stage(node))
        case s.TypeExpr():
            return flat(type_(node))
        case s.StarDim():
            return flat(dim(node))
        case s.BlockType():
            return flat(block_type(node))
    return flat(_part(node))


def _file(declarations: tuple[s.Decl, ...]) -> str:
    """Blank lines between declarations, but for runs of `use` and of `const`."""
    text, last = "", None
    for declaration in declarations:
        if last is not None and not (type(declaration) is last and last in (s.Use, s.Const)):
            text += "\n"
        text += unparse(declaration)
        last = type(declaration)
    return text


def _body(body: tuple[s.Stmt, ...], depth: int) -> list[str]:
    lines = []
    for stmt in body:
        for line, inner in parts(stmt):
            lines += lay_out(line, depth * INDENT, ENDLESS)
            lines += _body(inner, depth + 1)
    return lines


def _part(node: s.Tree) -> Piece:
    match node:
        case s.Target(name=name):
            return name
        case s.With(target=target, iterable=iterable):
            return joined(f"{target.name} in ", expression(iterable))
        case s.Carry():
            return _carry(node)
        case s.UseItem(name=name, alias=alias):
            return name if alias is None else f"{name} as {alias}"
        case s.StaticDecl():
            return _static(node)
        case s.Input(name=name, type=type_expr):
            return joined(f"{name}: ", type_(type_expr), *_each(node))
        case s.Output(name=name, type=type_expr):
            return type_(type_expr) if name is None else joined(f"{name}: ", type_(type_expr), *_each(node))
    raise AssertionError(f"{type(node).__name__} has no text")


def _each(node: s.Input | s.Output) -> tuple[Piece, ...]:
    return () if node.each is None else (f" for {flat(clause(node.each))}",)


# --- declarations -----------------------------------------------------------------------------------------------------


def head(node: s.Decl, width: int = WIDTH) -> list[str]:
    """The lines of a declaration, without documentation and body."""
    match node:
        case s.Edition(number=number):
            return [f"ogive {number}"]
        case s.Use(module=module, items=items, alias=alias):
            names = Bracketed("(", tuple(map(_part, items)), ")")
            return lay_out(f"use {module} as {alias}" if alias else joined(f"use {module} ", names), 0, width)
        case s.Const(target=target, value=value):
            return fitted(joined(f"const {target.name}", _statics(node), " = "), (value,), 0, width)
        case s.Block(where=where):
            lines = _signature(f"block {node.name}", node, "" if where else ":", width)
            return [*lines, *_where(where, ":", width)]
        case s.Extern(where=where, target=external):
            lead, end = f"extern block {node.name}", f" = {string(external)}"
            lines = _signature(lead, node, f"{flat(joined(' where ', _exprs(where))) if where else ''}{end}", width)
            if where and (len(lines) > 1 or len(lines[0]) > width):
                return [*_signature(lead, node, "", width), *_where(where, end, width)]
            return lines
        case s.Model(name=name, value=value, where=pinned):
            lines = fitted(f"model {name} = ", (value,), 0, width)
            pins = flat(joined(" where ", _exprs(pinned))) if pinned is not None else ""
            if len(lines) == 1 and len(lines[0]) + len(pins) <= width:
                return [lines[0] + pins]
            return [*lines, *_where(pinned or (), "", width)]
        case s.Recipe(name=name, model=model, passes=passes):
            whole = lay_out(joined(f"recipe {name} for {model}: ", _exprs(passes)), 0, ENDLESS)
            if len(whole[0]) <= width:
                return whole
            below = lay_out(_exprs(passes), INDENT, width)
            if below[0].split()[0] in LEADING:  # a name at the start of a line, where it would lead a statement
                first = Enclosed(expression(passes[0]))
                below = lay_out(_commas((first, *map(expression, passes[1:]))), INDENT, width)
            return [f"recipe {name} for {model}:", *below]
    raise AssertionError(f"{type(node).__name__} is no declaration")


def _where(conditions: tuple[s.Expr, ...], end: str, width: int) -> list[str]:
    """Conditions on lines that begin with `where`: as few as hold them."""
    lines: list[str] = []
    for i, condition in enumerate(conditions):
        text = flat(expression(condition)) + ("," if i < len(conditions) - 1 else end)
        if lines and len(lines[-1]) + 1 + len(text) <= width:
            lines[-1] += f" {text}"
            continue
        if lines:
            lines[-1] = lines[-1].removesuffix(",")
        lines.append(f"where {text}")
    return lines


def _statics(node: s.Block | s.Extern | s.Const) -> Piece:
    return Bracketed("[", tuple(map(_part, node.statics)), "]") if node.statics else ""


def _signature(lead: str, node: s.Block | s.Extern, end: str, width: int) -> list[str]:
    """The lines of a head: outputs stay together where that is possible."""
    inputs = Bracketed("(", tuple(map(_part, node.inputs)), ")", below=True)
    outputs = tuple(map(_part, node.outputs))
    single = len(outputs) == 1 and node.outputs[0].name is None
    result = outputs[0] if single else Bracketed("(", outputs, ")", below=True)
    whole = lay_out(joined(lead, _statics(node), inputs, f" -> {flat(result)}{end}"), 0, width)
    if max(map(len, whole)) <= width:
        return whole
    if single:
        return [*lay_out(joined(lead, _statics(node), inputs), 0, width), f"{' ' * INDENT}-> {flat(result)}{end}"]
    return lay_out(joined(lead, _statics(node), inputs, " -> ", result, end), 0, width)


def _static(node: s.StaticDecl) -> Piece:
    kinds = block_type(node.type) if node.type is not None else " | ".join(node.kinds)
    default = "" if node.default is None else expression(node.default)
    if not kinds:
        return node.name if node.default is None else joined(f"{node.name}=", default)
    return joined(f"{node.name}: ", kinds, "" if node.default is None else " = ", default)


# --- statements -------------------------------------------------------------------------------------------------------


def parts(node: s.Stmt) -> list[tuple[Piece, tuple[s.Stmt, ...]]]:
    """The lines that a statement has of its own, each with the body below it."""
    match node:
        case s.If(branches=branches, orelse=orelse):
            words = ["if"] + ["elif"] * len(branches)
            rows = [
                (joined(f"{word} ", expression(condition), ":"), body)
                for word, (condition, body) in zip(words, branches, strict=False)
            ]
            return rows if orelse is None else [*rows, ("else:", orelse)]
        case s.For(targets=targets, iterable=iterable, label=label, body=body):
            return [(joined(f"for {_names(targets)} in ", *_labelled(iterable, label), ":"), body)]
        case s.Repeat(count=count, label=label, withs=withs, body=body):
            steps = joined(" with ", _commas(tuple(map(_part, withs)))) if withs else ""
            return [(joined("repeat ", *_labelled(count, label), steps, ":"), body)]
        case s.Scan(body=body):
            return [(joined(*_scan(node), ":"), body)]
    lead, values, tail = _simple(node)
    return [(joined(lead, _exprs(values), tail), ())]


def statement(node: s.Stmt, index: int, indent: int) -> list[str]:
    """The lines of one of the `parts` of a statement, broken where they must be."""
    piece, body = parts(node)[index]
    if body:
        return lay_out(piece, indent)
    lead, values, tail = _simple(node)
    return fitted(lead, values, indent, WIDTH, tail)


def fitted(lead: Piece, values: tuple[s.Expr, ...], indent: int, width: int, tail: Piece = "") -> list[str]:
    """Values behind `lead`. One expression that has no better place to break is put into parentheses."""
    lines = lay_out(joined(lead, _exprs(values), tail), indent, width)
    piece = expression(values[0]) if len(values) == 1 else ""
    if isinstance(piece, Operated) and (len(lines) > 1 or len(lines[0]) > width):
        enclosed = lay_out(joined(lead, Enclosed(piece), tail), indent, width)
        piped = any(line.lstrip().startswith("|>") for line in lines)
        if _cost(enclosed, width, False) < _cost(lines, width, not piped):
            return enclosed
    return lines


def _cost(lines: list[str], width: int, worse: bool) -> tuple[bool, int, bool]:
    return max(map(len, lines)) > width, len(lines), worse


def _simple(node: s.Stmt) -> tuple[Piece, tuple[s.Expr, ...], Piece]:
    """What leads a statement of one line, its values, and what follows them."""
    match node:
        case s.Assign(targets=targets, type=type_expr, value=value):
            asserted = "" if type_expr is None else joined(": ", type_(type_expr))
            several = isinstance(value, s.TupleExpr) and len(value.items) > 1
            values = value.items if several and isinstance(value, s.TupleExpr) else (value,)
            return joined(_names(targets), asserted, " = "), values, ""
        case s.ParamStmt(kind=kind, target=target, type=type_expr, init=init, keep=keep):
            lead = joined(f"{kind} {target.name}: ", type_(type_expr))
            kept = "" if keep is None else joined(" keep ", expression(keep))
            return (joined(lead, kept), (), "") if init is None else (joined(lead, " = "), (init,), kept)
        case s.UpdateStmt(target=target, value=value):
            return f"update {target.name} = ", (value,), ""
        case s.InitStmt(targets=paths, value=value):
            return f"init {', '.join(map('.'.join, paths))} = ", (value,), ""
        case s.KeepStmt(target=path, value=value):
            return f"keep {'.'.join(path)} = ", (value,), ""
        case s.Return(values=values):
            return "return ", values, ""
        case s.Yield(target=target, value=value):
            return f"yield {target.name} = ", (value,), ""
        case s.Tap(target=target, value=value):
            return f"tap {target.name} = ", (value,), ""
        case s.Require(conditions=conditions):
            return "require ", conditions, ""
        case s.Assume(conditions=conditions):
            return "assume ", conditions, ""
    raise AssertionError(f"{type(node).__name__} is no statement")


def _scan(node: s.Scan) -> list[Piece]:
    lead = joined("scan ", _commas(tuple(map(_part, node.steps))), " along ")
    reverse = " reverse" if node.reverse else ""
    if not node.carries:
        if node.reverse:
            return [lead, expression(node.axis), reverse, _label(node.label)]
        return [lead, *_labelled(node.axis, node.label)]
    *others, last = node.carries
    carries = [*map(_carry, others), joined(_carry(last, node.label), _label(node.label))]
    return [lead, expression(node.axis), f"{reverse} carry ", _commas(tuple(carries))]


def _carry(node: s.Carry, label: str | None = None) -> Piece:
    asserted = "" if node.type is None else joined(": ", type_(node.type))
    return joined(node.target.name, asserted, " = ", _guarded(node.value, label))


def _labelled(node: s.Expr, label: str | None) -> tuple[Piece, Piece]:
    """An expression and the label of the loop that it leads."""
    return _guarded(node, label), _label(label)


def _guarded(node: s.Expr, label: str | None) -> Piece:
    """An expression in front of `as`: a pipeline's last stage must not take the loop's label."""
    piece = expression(node)
    if label is not None and isinstance(node, s.Pipe) and node.stages[-1].label is None:
        return Enclosed(piece)
    return piece


def _label(label: str | None) -> str:
    return "" if label is None else f" as {label}"


def _names(targets: tuple[s.Target, ...]) -> str:
    return ", ".join(target.name for target in targets)


def _exprs(values: tuple[s.Expr, ...]) -> Piece:
    return _commas(tuple(map(expression, values)))


def _commas(items: tuple[Piece, ...]) -> Piece:
    """Items outside of brackets, where no line may end between them."""
    return joined(*(part for i, each in enumerate(items) for part in ((", ", each) if i else (each,))))
