"""A module traced: its nodes without what computes nothing, by the calls of its modules."""

from __future__ import annotations

import inspect
import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sympy
import torch
from torch import nn
from torch.export import Dim, export
from torch.fx import Node
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from ogive.backends.from_torch.fixing import Places, fixings
from ogive.backends.from_torch.outside import Outside, as_products, is_outside, layers_whole, outside
from ogive.backends.from_torch.refused import Untraceable

aten = torch.ops.aten
_ENDLESS = 2**62


@dataclass(eq=False, slots=True)
class ModuleCall:
    """One call of a module: nodes and calls in their order."""

    path: str
    key: str
    module: nn.Module
    children: list[Node | ModuleCall] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return type(self.module).__name__

    def nodes(self) -> list[Node]:
        """All nodes in it."""
        return [n for child in self.children for n in ([child] if isinstance(child, Node) else child.nodes())]


@dataclass(slots=True)
class Traced:
    """A trace. Nodes of weights are told apart from inputs; `names` are those of free sizes."""

    root: ModuleCall
    inputs: dict[Node, str]
    weights: dict[Node, str]  # paths of parameters and buffers
    constants: dict[Node, torch.Tensor]
    outputs: tuple[Node, ...]
    whole: dict[Node, torch.Tensor]  # buffers of whole numbers
    names: dict[sympy.Expr, str]
    fixed: list[tuple[str, int, str]]
    stays: Mapping[str, Outside]
    left_out: int = 0  # results that are no tensors


def trace(
    module: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    sizes: Mapping[str, Sequence[str | int | None]],
    stays: Mapping[str, Outside],
) -> Traced:
    """Trace a module with free sizes; those of its modules that stay are one node each. Raises `Untraceable`."""
    try:
        names = list(inspect.signature(module.forward).parameters)
    except (TypeError, ValueError) as error:
        raise Untraceable("its `forward` has no signature: import the module that was scripted or compiled") from error
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    free = {name: _free(value, sizes.get(name)) for name, value in given.items()}
    entered: list[nn.Module] = []
    try:
        # torch prints the whole graph where it gives up
        with (
            as_products(module),
            layers_whole(module),
            outside(module, stays),
            _entering(entered),
            redirect_stderr(io.StringIO()),
            fixings() as places,
        ):
            program = export(module, tuple(args), dict(kwargs), strict=False, dynamic_shapes=free)
    except Untraceable:
        raise
    except Exception as error:  # whatever a module of others may raise while it is traced
        paths = {id(each): path for path, each in module.named_modules()}
        inner = next((paths[id(each)] for each in reversed(entered) if id(each) in paths), "")
        said = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        what = f"`{inner}`" if inner else "the module"
        raise Untraceable(f"torch.export refuses {what}: {said}", path=inner, untraced=True) from error
    if _parts_written(program.graph):
        # what writes into parts gives tensors anew; nothing else is taken apart
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch warns of its own copies
            program = program.run_decompositions({})
    graph = program.graph
    _outer(graph)
    signature = program.graph_signature
    weights = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    inputs: dict[Node, str] = {}
    found: dict[Node, str] = {}
    same = tied(module)
    constants: dict[Node, torch.Tensor] = {}
    for node in graph.find_nodes(op="placeholder"):
        if node.name in weights:
            found[node] = _owned(node, weights[node.name], same)
        elif node.name in signature.inputs_to_lifted_tensor_constants:
            constants[node] = program.constants[signature.inputs_to_lifted_tensor_constants[node.name]]
        elif isinstance(node.meta.get("val"), torch.Tensor):
            inputs[node] = node.name
    _clean(graph)
    tensors = dict(held(module))
    whole = {
        node: tensors[path]
        for node, path in found.items()
        if not (tensors[path].dtype.is_floating_point or tensors[path].dtype.is_complex)
    }
    named = _named(inputs, given, sizes, places)
    (out,) = graph.find_nodes(op="output")
    left_out = len([each for each in out.args[0] if not isinstance(each, Node)])
    return Traced(_calls(graph, module), inputs, found, constants, _outputs(graph), whole, *named, stays, left_out)


@contextmanager
def _entering(stack: list[nn.Module]) -> Iterator[None]:
    """The modules that are being called; after an exception those that it came from."""

    def enter(module: nn.Module, args: Any) -> None:
        stack.append(module)

    def leave(module: nn.Module, args: Any, result: Any) -> None:
        while stack and stack.pop() is not module:
            pass

    hooks = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _outer(graph: torch.fx.Graph) -> None:
    """Of modules that stay take out what is inside of them."""
    for call in [node for node in graph.nodes if is_outside(node)]:
        keys = set(call.meta.get("nn_module_stack") or {})
        first = next(iter(graph.nodes))
        while first is not call and not (
            first.op == "call_function" and keys <= set(first.meta.get("nn_module_stack") or {})
        ):
            first = first.next
        inside = []
        while first is not call:
            if keys <= set(first.meta.get("nn_module_stack") or {}) and first.op == "call_function":
                inside.append(first)
            first = first.next
        for node in reversed(inside):
            if not node.users:
                graph.erase_node(node)
            elif isinstance(node.meta.get("val"), torch.Tensor):
                path = call.args[4]
                raise Untraceable(f"what `{path}` computes inside is read outside (`{node.name}`)", path=str(path))


def held(module: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """All weights by all their names."""
    return [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]


def tied(module: nn.Module) -> dict[str, list[str]]:
    """For each name of a weight all its names."""
    groups: dict[int, list[str]] = {}
    for path, tensor in held(module):
        groups.setdefault(id(tensor), []).append(path)
    return {path: paths for paths in groups.values() for path in paths}


def _owned(node: Node, path: str, same: Mapping[str, list[str]]) -> str:
    """Of the names of a weight the one in the module that reads it first."""
    users = set(node.users)
    first = next((each for each in node.graph.nodes if each in users), None)
    stack = list(((first.meta.get("nn_module_stack") or {}) if first is not None else {}).values())
    reader = stack[-1][0] if stack else ""
    return next((each for each in same[path] if each.rpartition(".")[0] == reader), path)


def _free(value: object, wanted: Sequence[str | int | None] | None) -> Any:
    if not isinstance(value, torch.Tensor):
        return None
    axes = [f"n{i}" for i in range(value.dim())] if wanted is None else wanted
    return {i: Dim.AUTO if isinstance(axis, str) else Dim.STATIC for i, axis in enumerate(axes)}


def _named(
    inputs: Mapping[Node, str], given: Mapping[str, Any], sizes: Mapping[str, Sequence[str | int | None]],
    places: Places,
) -> tuple[dict[sympy.Expr, str], list[tuple[str, int, str]]]:  # fmt: skip
    """Names of the free sizes, and those sizes that the source fixed, with the line that did."""
    names: dict[sympy.Expr, str] = {}
    fixed = []
    for node, name in inputs.items():
        wanted = sizes.get(name)
        for i, size in enumerate(shape(node)):
            label = wanted[i] if wanted is not None else None
            if not isinstance(label, str):
                continue
            if size.is_Integer:
                fixed.append((label, int(size), places.get((name, i), "")))
            else:
                names.setdefault(size, label)
    return names, fixed


def expression(value: Any) -> sympy.Expr:
    """A size of the trace."""
    if isinstance(value, Node):
        value = value.meta["val"]
    if isinstance(value, torch.SymInt):
        return value.node.expr
    return sympy.Integer(int(value))


def shape(node: Node) -> tuple[sympy.Expr, ...]:
    """The sizes of a node's tensor."""
    return tuple(expression(size) for size in node.meta["val"].shape)


def dtype(node: Node) -> torch.dtype:
    """The element type of a node's tensor."""
    found: torch.dtype = node.meta["val"].dtype
    return found


def _outputs(graph: torch.fx.Graph) -> tuple[Node, ...]:
    (out,) = graph.find_nodes(op="output")
    return tuple(each for each in out.args[0] if isinstance(each, Node))


_PARTS = ("slice", "select", "view", "reshape", "transpose", "permute", "unsqueeze", "squeeze", "expand", "t", "chunk")


def _parts_written(graph: torch.fx.Graph) -> bool:
    """Whether something writes into a part of a tensor."""
    for node in graph.nodes:
        schema = getattr(node.target, "_schema", None)
        if node.op == "call_function" and schema is not None and schema.is_mutable and node.args:
            into = node.args[0]
            if isinstance(into, Node) and str(into.target).removeprefix("aten.").split(".")[0] in _PARTS:
                return True
    return False


def _written(graph: torch.fx.Graph) -> None:
    """What writes into a tensor gives another, which all that follows reads. Raises `Untraceable` for a part of one."""
    order = {node: place for place, node in enumerate(graph.nodes)}
    for node in list(graph.nodes):
        schema = getattr(node.target, "_schema", None)
        if node.op != "call_function" or schema is None or not schema.is_mutable or not node.args:
            continue
        into = node.args[0]
        if not isinstance(into, Node) or str(node.target).removeprefix("aten.").split(".")[0].startswith("_"):
            continue
        source = str(into.target).removeprefix("aten.").split(".")[0]
        if source in _PARTS or (not node.users and into.op != "placeholder"):
            node.meta["refused"] = f"`{node.target}` writes into a part of a tensor (`{node.name}`)"
            continue
        for user in list(into.users):
            if user is not node and order[user] > order[node]:
                user.replace_input_with(into, node)


def _clean(graph: torch.fx.Graph) -> None:
    """Take out what computes nothing."""
    _written(graph)
    for node in list(graph.nodes):
        if node.op != "call_function":
            continue
        if node.target in (aten._assert_tensor_metadata.default, aten._assert_scalar.default) or not isinstance(
            node.meta.get("val"), torch.Tensor | torch.SymInt | int | list | tuple
        ):
            if not node.users:
                graph.erase_node(node)
        elif (same := _same(node)) is not None:
            node.replace_all_uses_with(same)
            graph.erase_node(node)
    _rows(graph)
    graph.eliminate_dead_code()


def _same(node: Node) -> Node | None:
    """The operand that a node hands on as it is."""
    if str(node.target).startswith("aten.cat.") and isinstance(node.args[0], list | tuple):
        # what has no entries adds none
        parts = [each for each in node.args[0] if isinstance(each, Node) and 0 not in shape(each)]
        node.args = (parts, *node.args[1:]) if 0 < len(parts) < len(node.args[0]) else node.args
    source = node.args[0] if node.args else None
    if isinstance(source, list | tuple) and len(source) == 1 and str(node.target).startswith("aten.cat."):
        return source[0] if isinstance(source[0], Node) else None
    if not isinstance(source, Node) or not isinstance(source.meta.get("val"), torch.Tensor):
        return None
    name = str(node.target).removeprefix("aten.").split(".")[0]
    if name in ("contiguous", "clone", "alias", "detach", "lift_fresh_copy", "detach_", "positive"):
        return source
    if name in ("to", "_to_copy", "type_as") and dtype(node) == dtype(source):
        return source
    if name in ("view", "reshape", "expand", "_unsafe_view", "expand_as", "view_as", "flatten") and shape(
        node
    ) == shape(source):
        return source
    if name == "slice" and shape(node) == shape(source) and (len(node.args) < 5 or node.args[4] == 1):
        return source
    if name in ("dropout", "dropout_") and node.args[1] == 0.0:
        return source
    if name in ("add", "sub", "mul", "div") and len(node.args) == 2 and not isinstance(node.args[1], Node):
        nothing = 0 if name in ("add", "sub") else 1
        return source if node.args[1] == nothing and dtype(node) == dtype(source) else None
    return None


def _rows(graph: torch.fx.Graph) -> None:
    """A linear map of rows, between views that make rows and take them back, is one of all axes but the last."""
    for node in graph.nodes:
        if node.op != "call_function" or node.target is not aten.addmm.default or len(node.users) != 1:
            continue
        view, back = node.args[1], next(iter(node.users))
        if str(view.target) not in _ROWS or str(back.target) not in _ROWS or len(view.users) != 1:
            continue
        source = view.args[0]
        if shape(source)[:-1] == shape(back)[:-1] and shape(view)[-1] == shape(source)[-1]:
            node.args = (node.args[0], source, node.args[2])
            node.meta["val"] = back.meta["val"]
            back.replace_all_uses_with(node)
            graph.erase_node(back)
            graph.erase_node(view)


_ROWS = ("aten.view.default", "aten.reshape.default")


def _calls(graph: torch.fx.Graph, module: nn.Module) -> ModuleCall:
    """The tree of calls."""
    root = ModuleCall("", "", module)
    open_: list[ModuleCall] = [root]
    modules = dict(module.named_modules(remove_duplicate=False))
    for node in graph.nodes:
        if node.op != "call_function" or not isinstance(node.meta["val"], torch.Tensor | list | tuple):
            continue
        stack = list((node.meta.get("nn_module_stack") or {}).items())
        levels = [(key, path) for key, (path, _) in stack if path in modules and path]
        levels = [each for each in levels if type(modules[each[1]]) not in (nn.Sequential, nn.ModuleList)]
        depth = 0
        while depth < len(levels) and depth + 1 < len(open_) and open_[depth + 1].key == levels[depth][0]:
            depth += 1
        del open_[depth + 1 :]
        for key, path in levels[depth:]:
            call = ModuleCall(path, key, modules[path])
            open_[-1].children.append(call)
            open_.append(call)
        open_[-1].children.append(node)
    return root


def owner_of(node: Node, module: nn.Module) -> str:
    """The path of the innermost module that a node is in."""
    held = dict(module.named_modules(remove_duplicate=False))
    paths = [path for path, _ in (node.meta.get("nn_module_stack") or {}).values()]
    return next((p for p in reversed(paths) if type(held.get(p, held[""])) not in (nn.Sequential, nn.ModuleList)), "")


def place_of(node: Node, module: nn.Module) -> str:
    """The line of the source that made a node: in the innermost frame that is no file of torch."""
    frames = [(file, line) for file, line, _, _ in _FRAME.findall(node.meta.get("stack_trace") or "")]
    home = str(Path(torch.__file__).parent)
    return next((f"{file}:{line}" for file, line in reversed(frames) if not file.startswith(home)), "")


_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\w+)\n\s*(.*)')
_BOUND = re.compile(r"^([A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*)\s*(?::[^=]+)?=(?!=)")


def source_names(node: Node, module: nn.Module) -> tuple[str, ...]:
    """What the line of `module` that made a value binds."""
    kind = type(module)
    try:
        file = inspect.getsourcefile(kind)
        lines, first = inspect.getsourcelines(kind)
    except (OSError, TypeError):
        return ()
    found: tuple[str, ...] = ()
    for path, line, _, text in _FRAME.findall(node.meta.get("stack_trace") or ""):
        if path == file and first <= int(line) < first + len(lines) and (bound := _BOUND.match(text)):
            found = tuple(name.strip() for name in bound[1].split(","))
    return found
