"""Calls and attributes that are PyTorch's: what is meant, written out, and the edit that puts it there."""

from __future__ import annotations

from typing import Any

from ogive.compiler.elaborate.modules import suggest
from ogive.compiler.elaborate.modules.advice import fitting
from ogive.compiler.elaborate.modules.foreign_names import MEANT, PREFIXES
from ogive.compiler.elaborate.modules.patterns_for import Setting, shaped
from ogive.compiler.elaborate.modules.peer_calls import CALLED, PeerCall, known, rewritten
from ogive.compiler.elaborate.modules.peer_layers import layer
from ogive.compiler.elaborate.rules.builtins import BUILTINS, CONSTANTS
from ogive.compiler.elaborate.state.control import StatementFailed, UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.initializer_table import INITIALIZERS, is_initializer
from ogive.compiler.elaborate.state.partly import seen
from ogive.compiler.elaborate.state.values import BROKEN, Param, is_number
from ogive.compiler.ir.types import INTS
from ogive.compiler.ops import NAMED
from ogive.compiler.ops.spec import OpSpec
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Edit
from ogive.grammar.source import Span

SIZES = ("shape", "size")


def refuse(frame: Frame, tree: syntax.Call) -> None:
    """A call that has another form here is refused with that form, where it is certain."""
    match tree.func:
        case syntax.Name(id=name) if name not in NAMED and name not in BUILTINS and known(name):
            if not _means_something(frame, name):
                _say(frame, tree, tree.func.span, f"unknown name `{name}`", [])
        case syntax.Attribute(base=base, name=name) if known(name):
            prefix = _prefix(frame, base)
            if prefix is not None:
                _say(frame, tree, prefix.span, f"unknown name `{prefix.id}`", [])
            elif (value := tensor(frame, base)) is not None:
                given = [Setting(value, base.span.text)]
                _say(frame, tree, tree.func.name_span, f"a tensor has no `{name}`", given)
        case syntax.Attribute(base=base, name=name) if name.endswith("_") and name[:-1] in INITIALIZERS:
            if (prefix := _prefix(frame, base)) is not None:
                _initializer(frame, tree, prefix, name[:-1])
        case syntax.Attribute(base=base, name=name) if name[:1].isupper() and (prefix := _prefix(frame, base)):
            _layer(frame, tree, prefix, name)
        case _:
            pass


def initializer(frame: Frame, tree: syntax.Call) -> None:
    """`param w: [d] = normal(0, 0.02)`: settings of an initializer stand in brackets."""
    name = tree.func.id if isinstance(tree.func, syntax.Name) else ""
    if not is_initializer(frame, name) or any(not isinstance(each, syntax.Expr | syntax.Keyword) for each in tree.args):
        return
    settings = [item.span.text for item in tree.args][: len(INITIALIZERS[name])]
    text = f"{name}[{', '.join(settings)}]" if settings else name
    message, edits = f"`{name}` takes its settings in brackets", (Edit(tree.span, text),)
    raise frame.fail("E0405", message, tree.func.span, help=f"write `{text}`", edits=edits)


def _initializer(frame: Frame, tree: syntax.Call, prefix: syntax.Name, name: str) -> None:
    """`nn.init.normal_(w, std=0.02)`."""
    named = [item for item in tree.args if isinstance(item, syntax.Keyword)]
    if len(tree.args) > len(named) + 1 or any(item.name not in dict(INITIALIZERS[name]) for item in named):
        return
    shown = ", ".join(item.span.text for item in named)
    text = f"{name}[{shown}]" if shown else name
    help_ = f"write `param w: [d] = {text}`, or `init lin.weight = {text}` for a weight of a block"
    edits = (Edit(tree.span, text),) if frame.alloc.initialized is not None else ()
    raise frame.fail("E0201", f"unknown name `{prefix.id}`", prefix.span, help=help_, edits=edits)


def _layer(frame: Frame, tree: syntax.Call, prefix: syntax.Name, name: str) -> None:
    """`nn.Linear(3, 4)` and `nn.ReLU()`."""
    if any(not isinstance(item, syntax.Expr | syntax.Keyword) for item in tree.args):
        return
    args = [_setting(frame, item) for item in tree.args if isinstance(item, syntax.Expr)]
    keywords = {item.name: _setting(frame, item.value) for item in tree.args if isinstance(item, syntax.Keyword)}
    found = layer(frame, name, args, keywords)
    if found is None:
        return
    text, home = found
    edits = [Edit(tree.span, text)]
    help_ = f"write `{text}`"
    block = text.partition("[")[0]
    if home and block not in frame.module.scope:
        edits += suggest.imported(frame, home, block)
        help_ = f"write `use {home} ({block})` at the head of the file, then `{text}`"
    raise frame.fail("E0201", f"unknown name `{prefix.id}`", prefix.span, help=help_, edits=tuple(edits))


def _say(frame: Frame, tree: syntax.Call, span: Span, message: str, given: list[Setting]) -> None:
    assert isinstance(tree.func, syntax.Name | syntax.Attribute)
    name = tree.func.id if isinstance(tree.func, syntax.Name) else tree.func.name
    args, keywords = list(given), {}
    for item in tree.args:
        if isinstance(item, syntax.Keyword):
            keywords[item.name] = _setting(frame, item.value)
        elif isinstance(item, syntax.Expr):
            args.append(_setting(frame, item))
        else:
            return
    text = rewritten(PeerCall(name, args, keywords, frame.proof.facts, bool(given)))
    if text is None and name in BUILTINS and args and all(is_number(each.value) for each in args):
        text = f"{name}({', '.join(each.text for each in args)})"
    if text is not None:
        edits = (Edit(tree.span, fitting(tree.span, text)),)
        raise frame.fail("E0201", message, span, help=f"write `{text}`", edits=edits)


HEAD = "x\0"  # stands for what a stage of a pipeline is given


def stage(frame: Frame, tree: syntax.Expr, value: Any) -> None:
    """`x |> softmax(-1)`, `x |> F.relu` and `x |> transpose(1, 2)`: a stage without what it is given."""
    if not isinstance(value, Tensor) or not isinstance(tree, syntax.Call) or not tree.args:
        return
    func = tree.func
    name = func.id if isinstance(func, syntax.Name) else func.name if isinstance(func, syntax.Attribute) else ""
    prefix = _prefix(frame, func.base) if isinstance(func, syntax.Attribute) else None
    if not known(name) or (isinstance(func, syntax.Attribute) and prefix is None) or _hidden(frame, func):
        return
    if any(not isinstance(item, syntax.Expr | syntax.Keyword) for item in tree.args):
        return
    args = [Setting(value, HEAD), *(_setting(frame, item) for item in tree.args if isinstance(item, syntax.Expr))]
    keywords = {item.name: _setting(frame, item.value) for item in tree.args if isinstance(item, syntax.Keyword)}
    if any(isinstance(each.value, Tensor) for each in (*args[1:], *keywords.values())):
        return
    text = rewritten(PeerCall(name, args, keywords, frame.proof.facts))
    if text is not None and text.endswith(f"({HEAD})"):
        text = text.removesuffix(f"({HEAD})")
        message = f"unknown name `{prefix.id if prefix else name}`"
        code, at = "E0201", prefix.span if prefix else func.span
        if name in NAMED and prefix is None:
            code, message = "E0405", f"`{name}` takes its settings in brackets"
        raise frame.fail(code, message, at, help=f"write `{text}`", edits=(Edit(tree.span, text),))


def _hidden(frame: Frame, func: syntax.Expr) -> bool:
    """Whether a name is one of the user's."""
    return isinstance(func, syntax.Name) and (
        func.id in frame.scope.variables or func.id in frame.module.scope or frame.module.broken
    )


def tensor(frame: Frame, tree: syntax.Expr) -> Tensor | None:
    """The tensor that an expression gives, if it gives one."""
    root = tree
    while isinstance(root, syntax.Call | syntax.Attribute | syntax.Brackets):
        root = root.func if isinstance(root, syntax.Call) else root.base
    if isinstance(root, syntax.Name) and not isinstance(
        seen(frame, frame.scope.variables.get(root.id)), Tensor | Param
    ):
        value_op = isinstance(tree, syntax.Brackets) and root.id in NAMED and not NAMED[root.id].inputs
        if root is tree or not (isinstance(tree, syntax.Call) or value_op) or not _means_something(frame, root.id):
            return None
    value = frame.evaluate(tree)
    return value if isinstance(value, Tensor) else None


def attribute(frame: Frame, tree: syntax.Attribute, value: Tensor) -> StatementFailed:
    """`x.T` and other attributes of a tensor."""
    message = f"a tensor has no `{tree.name}`"
    text = None
    if tree.name in ("T", "mT"):
        text = rewritten(PeerCall(tree.name, [Setting(value, tree.base.span.text)], {}, frame.proof.facts))
    elif tree.name == "ndim" and value.type.rank is not None:
        text = str(value.type.rank)
    if text is None:
        help_ = suggest.for_method(tree.name)
        if tree.name[:1].isupper() and tree.name not in MEANT:
            help_ = f"a block is applied: `{tree.base.span.text} |> {tree.name}[...]`"
        if tree.name in SIZES:
            help_ = f"a size is the name of its axis: those of `{tree.base.span.text}` are {_sizes(value)}"
        return frame.fail("E0201", message, tree.name_span, help=help_)
    edits = (Edit(tree.span, fitting(tree.span, text)),)
    return frame.fail("E0201", message, tree.name_span, help=f"write `{text}`", edits=edits)


def prefixed(frame: Frame, tree: syntax.Attribute, prefix: syntax.Name) -> StatementFailed:
    """`torch.relu` and `np.pi` as values."""
    message = f"unknown name `{prefix.id}`"
    name = CALLED.get(tree.name, tree.name)
    if name in NAMED or name in CONSTANTS or (name in BUILTINS and prefix.id == "math"):
        return frame.fail("E0201", message, prefix.span, help=f"write `{name}`", edits=(Edit(tree.span, name),))
    return frame.fail(
        "E0201", message, prefix.span, help=suggest.of_peer(tree.name) or suggest.for_name(prefix.id, frame)
    )


def sizes(frame: Frame, tree: syntax.Brackets) -> None:
    """`x.shape[1]` is the name of a size."""
    base = tree.base
    if not isinstance(base, syntax.Attribute) or base.name != "shape" or len(tree.items) != 1:
        return
    item = tree.items[0]
    value = tensor(frame, base.base)
    if value is None or not isinstance(item, syntax.Expr):
        return
    place = shaped("x", value.type).at(_setting(frame, item))
    if place is not None and value.type.axes[place].pack is None:
        text = str(value.type.axes[place].size)
        message = "a tensor has no `shape`"
        edits = (Edit(tree.span, fitting(tree.span, text)),)
        raise frame.fail("E0201", message, base.name_span, help=f"write `{text}`", edits=edits)


def _sizes(value: Tensor) -> str:
    return ", ".join(f"`{axis}`" for axis in value.type.axes) or "none: it is a scalar"


def new_axis(frame: Frame, tree: syntax.Brackets, value: Tensor) -> None:
    """`x[:, None]` adds an axis of size 1."""
    places = [i for i, item in enumerate(tree.items) if isinstance(item, syntax.Constant) and item.value is None]
    if not places:
        return
    x = shaped(tree.base.span.text, value.type)
    rest = [item for i, item in enumerate(tree.items) if i not in places]
    edits: tuple[Edit, ...] = ()
    help_ = '`expand["b d -> b 1 d"](x)` adds an axis'
    names = _with_ones(list(x.names), tree.items, places)
    if names is not None and all(_whole(item) for item in rest):
        text = x.pattern("expand", names)
        help_, edits = f"write `{text}`", (Edit(tree.span, text),)
    raise frame.fail("E0409", "a slice adds no axis", tree.items[places[0]].span, help=help_, edits=edits)


def in_brackets(frame: Frame, tree: syntax.Brackets, spec: OpSpec) -> None:
    """`relu[x]`: a tensor in the brackets of an operation that has no statics."""
    text = "" if spec.statics else with_parentheses(frame, tree)
    if text:
        message = f"`{spec.name}` takes tensors in parentheses"
        raise frame.fail("E0403", message, tree.span, help=f"write `{text}`", edits=(Edit(tree.span, text),))


def with_parentheses(frame: Frame, tree: syntax.Brackets) -> str:
    """`f[x]` as `f(x)`, where all that stands in brackets are tensors."""
    names = [item.id for item in tree.items if isinstance(item, syntax.Name)]
    tensors = all(isinstance(seen(frame, frame.scope.variables.get(name)), Tensor | Param) for name in names)
    return f"{tree.base.span.text}({', '.join(names)})" if tensors and len(names) == len(tree.items) else ""


def by_data(tree: syntax.Brackets, value: Tensor, item: syntax.Expr, index: Tensor) -> dict[str, Any]:
    """`x[i]` and `x[:, i]` of a tensor i, `x[x > 0]`."""
    general = {"help": "`take[axis](x, i)`, `gather[axis](x, i)` and `put[axis, start](x, y)` go by data"}
    rest = [each for each in tree.items if each is not item]
    if len(rest) != len(tree.items) - 1 or not all(_whole(each) for each in rest):
        return general
    place = next(i for i, each in enumerate(tree.items) if each is item)
    dots = [i for i, each in enumerate(tree.items) if isinstance(each, syntax.Ellipsis_)]
    axis = place - len(tree.items) if dots and dots[0] < place else place
    base, shown = tree.base.span.text, item.span.text
    if index.type.elem in INTS:
        text, more = f"take[{axis}]({base}, {shown})", "sizes stand in a slice"
    elif index.type.elem == "bool" and not rest and len(index.type.axes) == len(value.type.axes):
        text, more = f"select({shown}, {base}, 0)", "it keeps the shape, since sizes do not depend on data"
    else:
        return general
    return {"help": f"write `{text}`: {more}", "edits": (Edit(tree.span, text),)}


def _whole(item: Any) -> bool:
    return isinstance(item, syntax.Ellipsis_) or (
        isinstance(item, syntax.Slice) and item.start is item.stop is item.step is None
    )


def _with_ones(names: list[str], items: Any, places: list[int]) -> list[str] | None:
    """The names of the axes, with 1 where one is new."""
    dots = [i for i, item in enumerate(items) if isinstance(item, syntax.Ellipsis_)]
    count = len(items) - len(places) - len(dots)
    if len(dots) > 1 or count > len(names):
        return None
    found: list[str] = []
    left = list(names)
    for i, item in enumerate(items):
        if i in places:
            found.append("1")
        elif isinstance(item, syntax.Ellipsis_):
            many = len(names) - count
            found += left[:many]
            left = left[many:]
        else:
            found.append(left.pop(0))
    return [*found, *left]


def _prefix(frame: Frame, tree: syntax.Expr) -> syntax.Name | None:
    """The first name of `torch.nn.functional`, if nothing here has it."""
    while isinstance(tree, syntax.Attribute) and tree.name in PREFIXES:
        tree = tree.base
    if not isinstance(tree, syntax.Name) or tree.id not in PREFIXES or _means_something(frame, tree.id):
        return None
    return tree


def _means_something(frame: Frame, name: str) -> bool:
    return name in frame.scope.variables or name in frame.module.scope or name in NAMED or frame.module.broken


def _size_of(frame: Frame, tree: syntax.Expr) -> Setting | None:
    """`x.shape[0]` and `x.size(0)` among arguments."""
    match tree:
        case syntax.Brackets(base=syntax.Attribute(base=base, name="shape"), items=(syntax.Expr() as item,)):
            pass
        case syntax.Call(func=syntax.Attribute(base=base, name="size"), args=(syntax.Expr() as item,)):
            pass
        case _:
            return None
    value = tensor(frame, base)
    place = None if value is None else shaped("x", value.type).at(_setting(frame, item))
    if value is None or place is None or value.type.axes[place].pack is not None:
        return None
    size = value.type.axes[place].size
    return Setting(size, str(size))


def _setting(frame: Frame, tree: syntax.Expr) -> Setting:
    """An argument; what cannot be evaluated here is a text."""
    if (size := _size_of(frame, tree)) is not None:
        return size
    before = len(frame.diagnostics)
    try:
        value = seen(frame, frame.evaluate(tree))
    except (StatementFailed, UnresolvedChoice):
        value = BROKEN
    del frame.diagnostics[before:]
    return Setting(value, tree.span.text)
